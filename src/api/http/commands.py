"""What the routes that issue commands share: who asks and why, and what they issue through."""

import re
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Header, Request, Response

from aggregates.kernel.actor import Actor
from api.application.authority import Authority
from api.application.issuing import Caller, Issuing
from api.http.problems import FieldProblem, documented, path_of
from api.processes.service import Service

MAY_BE_REFUSED = documented(404, 409)
_LONGEST_WAIT = 10.0
_WAIT = re.compile(r"(?:^|[,; ])wait=([0-9]{1,3})(?:$|[,; ])")

# --- who asks ----------------------------------------------------------------------------------------


async def caller(
    request: Request,
    x_actor: Annotated[
        str | None, Header(max_length=100, description="Who does this; the audit trail shows person:<it>.")
    ] = None,
    x_reason: Annotated[
        str | None, Header(max_length=1_000, description="Why; required where the audit trail has to show it.")
    ] = None,
    idempotency_key: Annotated[
        str | None,
        Header(min_length=1, max_length=200, description="The same key again: the same answer, nothing done twice."),
    ] = None,
    prefer: Annotated[
        str | None, Header(max_length=200, description="`wait=5` answers once lists and reports show what was done.")
    ] = None,
) -> Caller:
    """What the headers of a request say about who issues its command."""
    person = _text(x_actor, "X-Actor") or ("api" if request.app.state.gate.token is not None else "local")
    return Caller(
        actor=Actor.person(person),
        authority=Authority.PUBLIC,
        reason=_text(x_reason, "X-Reason"),
        correlation_id=request.state.correlation_id,
        idempotency_key=idempotency_key,
        scope=f"{request.method} {urlsplit(f'//localhost{path_of(request)}').path}",
        wait=seconds_to_wait(prefer),
    )


def seconds_to_wait(prefer: str | None) -> float:
    """For how long a Prefer header wants to wait until what was done is shown."""
    waiting = _WAIT.search(prefer or "")
    return min(float(waiting[1]), _LONGEST_WAIT) if waiting else 0.0


CallerOf = Annotated[Caller, Depends(caller)]


def _text(header: str | None, name: str) -> str | None:
    """Headers are bytes; people write UTF-8 into them."""
    if header is None or not header.strip():
        return None
    try:
        text = header.encode("latin-1").decode("utf-8").strip()
    except UnicodeError:
        text = header.strip()
    if not text.isprintable():
        raise FieldProblem(name, "expected printable text")
    return text


# --- what the app has --------------------------------------------------------------------------------


async def issuing(request: Request) -> Issuing:
    """Through which the app issues commands."""
    found: Issuing = request.app.state.issuing
    return found


IssuingOf = Annotated[Issuing, Depends(issuing)]


async def service_of(request: Request) -> Service:
    """The service that the app is a door of."""
    found: Service = request.app.state.service
    return found


ServiceOf = Annotated[Service, Depends(service_of)]


def created(response: Response, location: str) -> None:
    response.status_code = 201
    response.headers["Location"] = location
