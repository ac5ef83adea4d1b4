"""The forms of an account's page about fees: one is added, or let off; what allows them."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from fastapi import APIRouter
from fastapi.responses import RedirectResponse, Response
from pydantic import ValidationError

from adapters.readers.runner import NotReached
from aggregates.account import Account
from aggregates.account.fees import RecordFeeGround, WaiveFee
from aggregates.values.fees import FeeBasis
from api.application.bulk import WrongParameter
from api.application.fees import add_fee
from api.application.issuing import NotIssued
from api.http.problems import Problem, from_errors, not_issued
from api.http.web.account_page import SentOf, carried_out, shown_page
from api.http.web.forms import made, once_of, reason_of

form = APIRouter(include_in_schema=False)

_TAB = "payments"
_WAIT_SECONDS = 5.0
_TICKS = ("include_fees", "include_disputed", "include_unfulfilled")


@form.post("/accounts/{account_id}/fees")
def add(sent: SentOf) -> Response:
    """A fee is added, as a bulk action would to this account alone."""
    said: dict[str, Any] = {name: sent.fields.get(name) or None for name in ("basis", "service_type", "as_of")}
    fixed = said["basis"] in {FeeBasis.FIXED, FeeBasis.FIXED_PER_CUSTOMER}
    said |= {"amount" if fixed else "percent": sent.fields.get("much") or None}
    said |= {name: bool(sent.fields.get(name)) for name in _TICKS}
    key = once_of(sent.fields) or sent.caller.idempotency_key
    once = replace(sent.caller, wait=_WAIT_SECONDS, idempotency_key=key)
    try:
        with sent.readings.connection():  # what the report refuses is a problem
            add_fee(sent.service, sent.issuing, once, sent.account_id, said, reason=reason_of(sent.fields))
    except WrongParameter as wrong:
        return shown_page(sent, tab=_TAB, status=422, told=from_errors(wrong.error.errors()).detail)
    except NotReached as error:
        return shown_page(sent, tab=_TAB, status=503, told=f"{error}; try again")
    except (Problem, NotIssued) as error:
        problem = not_issued(error) if isinstance(error, NotIssued) else error
        return shown_page(sent, tab=_TAB, status=problem.status, told=problem.detail)
    return RedirectResponse(f"/accounts/{sent.account_id}?tab={_TAB}", 303)


@form.post("/accounts/{account_id}/fees/waiver")
def waive(sent: SentOf) -> Response:
    """What is open of a fee is credited."""
    return carried_out(sent, _waive, tab=_TAB)


@form.post("/accounts/{account_id}/fee-ground")
def allow(sent: SentOf) -> Response:
    """What allows fees on the account, or that nothing does."""
    return carried_out(sent, _ground, tab=_TAB)


def _ground(account: Account, fields: Mapping[str, str]) -> RecordFeeGround:
    try:
        return RecordFeeGround.model_validate({"account_id": account.id, "ground": fields.get("ground") or None})
    except ValidationError as error:
        raise from_errors(error.errors()) from None


def _waive(account: Account, fields: Mapping[str, str]) -> WaiveFee:
    return made(WaiveFee, account_id=account.id, number=fields.get("fee") or None)
