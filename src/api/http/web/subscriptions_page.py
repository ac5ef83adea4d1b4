"""The forms of an account's page about what the customer subscribes to."""

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response

from aggregates.account import Account
from aggregates.account.customer import RecordSubscription
from aggregates.account.freezing import FreezeSubscription, SubscriptionStatus, UnfreezeSubscription
from api.http.problems import FieldProblem
from api.http.shapes import read_whole_number
from api.http.web.account_page import SentOf, carried_out
from api.http.web.forms import amount_of, day_of, made

form = APIRouter(include_in_schema=False)


@form.post("/accounts/{account_id}/subscriptions")
def record(sent: SentOf) -> Response:
    """A subscription; what is left out of a known one stays."""
    return carried_out(sent, _recorded, tab="subscriptions")


@form.post("/accounts/{account_id}/subscriptions/freeze")
def freeze(sent: SentOf) -> Response:
    """A subscription is frozen, or active again; the account stays as it is."""
    return carried_out(sent, _freeze, tab="subscriptions")


def _freeze(account: Account, fields: Mapping[str, str]) -> FreezeSubscription | UnfreezeSubscription:
    said = {"account_id": account.id, "number": fields.get("number")}
    if fields.get("status") == SubscriptionStatus.ACTIVE:
        return made(UnfreezeSubscription, **said)
    return made(FreezeSubscription, **said, code=fields.get("code") or None)


def _recorded(account: Account, fields: Mapping[str, str]) -> RecordSubscription:
    number, customer = fields.get("number", "").strip(), account.customer
    known = customer.subscriptions.get(number)
    given: dict[str, Any] = {
        "service_type": fields.get("service_type") or None,
        **{name: day_of(name, fields) for name in ("started_on", "ends_on", "cancelled_on") if fields.get(name)},
        **{name: _count(name, fields) for name in ("services_agreed", "services_done") if fields.get(name)},
    }
    if fields.get("initial_discount"):
        given["initial_discount"] = amount_of(fields, customer.currency, "initial_discount")
    said = given if known is None else known.with_said(**given)
    reinstated = True if fields.get("reinstated") else None
    if reinstated and "cancelled_on" not in given:
        said["cancelled_on"] = None
    return made(
        RecordSubscription, account_id=account.id, subscription={**said, "number": number}, reinstated=reinstated
    )


def _count(name: str, fields: Mapping[str, str]) -> int:
    found = read_whole_number(fields[name])
    if found is None:
        raise FieldProblem(name, "expected a number")
    return found
