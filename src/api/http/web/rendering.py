"""Templates with autoescape, and how values look to people."""

import hashlib
import json
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request

from aggregates.kernel.actor import Actor
from aggregates.values.money import Money

FOLDER = Path(__file__).parent


def render(request: Request, template: str, *, status: int = 200, **context: Any) -> HTMLResponse:
    """A page. `area` says which entry of the navigation it belongs to."""
    gate = request.app.state.gate
    signed_in = gate.token is not None and gate.has_session(request)
    page = environment_of_pages().get_template(template)
    return HTMLResponse(page.render(**{"area": None, "signed_in": signed_in, **context}), status)


def day(value: date) -> str:
    return f"{value.day} {value:%b %Y}"


def moment(value: datetime, zone: ZoneInfo) -> str:
    local = value.astimezone(zone)
    return f"{day(local)}, {local:%H:%M}"


def money(value: str | Decimal | Money) -> str:
    """Grouped by thousands, a real minus, the currency's decimals."""
    amount = value.decimal() if isinstance(value, Money) else Decimal(value)
    return f"{amount:,f}".replace("-", "−")


def who(actor: str) -> str:
    """`person:ada` is ada; `policy:aging@3` is policy aging, version 3."""
    parsed = Actor.parse(actor)
    if parsed.is_person:
        return parsed.name
    return f"{parsed.kind} {parsed.name}{f', version {parsed.version}' if parsed.version else ''}"


@cache
def environment_of_pages() -> Environment:
    """What pages are made by: everything is escaped, and nothing that is missing is shown as nothing."""
    environment = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_of_a_page,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters |= {"day": day, "moment": moment, "money": money, "who": who, "json": _json}
    served = b"".join(each.read_bytes() for each in sorted((FOLDER / "static").iterdir()))
    environment.globals["style_version"] = hashlib.sha256(served).hexdigest()[:10]
    return environment


def _of_a_page(value: object) -> object:
    """Raises TypeError for a function, which a template means to call, or takes for the field of the same name
    (`items`)."""
    if callable(value) and not isinstance(value, StrictUndefined):
        raise TypeError(f"a page shows {value!r}")
    return value


def _json(value: object) -> str:
    """Text, which the template escapes like any other."""
    return json.dumps(value, indent=1, ensure_ascii=False, default=str)
