"""Promises to pay: made, moved, taken back, and what became of them."""

from datetime import date
from typing import Annotated
from uuid import UUID

from fastapi import Query, Response

from adapters.eventstore.application import AggregateNotFoundError
from aggregates.account import Account
from aggregates.promise import Instalment, MakePromise, PromiseStatus, ReschedulePromise, WithdrawPromise
from aggregates.values.instalment_plan import Every
from aggregates.values.money import Money
from api.application.amounts import read_amount
from api.application.instalment_plans import InstalmentPlanView, instalments_of, plan_view
from api.application.issuing import Done, ImplausibleField
from api.http.bodies import CommandBody, body_of, from_body
from api.http.commands import MAY_BE_REFUSED, CallerOf, IssuingOf, ServiceOf, created
from api.http.paging import Cursor, Limit, NamedPage
from api.http.problems import FieldProblem, unknown
from api.http.reading import AS_ASKED, AsOf, KnownOn, OfReport, Question, Readings
from api.http.routing import Router
from api.http.shapes import Body, Day, JsonBody
from projections.questions.promises import PromiseRow, promises

router = Router(prefix="/v1", tags=["promises"])


@body_of(Instalment)
class InstalmentBody(Body):
    """A part of the promised amount and the day it is due."""


@body_of(MakePromise, address={"promise_id", "account_id"}, nested={Instalment: InstalmentBody})
class NewPromise(CommandBody):
    """What the customer promised to pay, in one amount or several."""


@body_of(ReschedulePromise, address={"promise_id", "account_id"}, nested={Instalment: InstalmentBody})
class OtherDays(CommandBody):
    """The same amount in total, on other days."""


class PromisesPage(NamedPage[PromiseRow]):
    """A page of promises as they stood on a day, in one currency."""

    as_of: date
    currency: str


@router.get("/promises", responses=AS_ASKED)
def list_promises(
    *,
    readings: Readings,
    of: OfReport,
    status: Annotated[PromiseStatus | None, Query(description="How they stood on that day.")] = None,
    as_of: AsOf = None,
    known_on: KnownOn = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> PromisesPage:
    """Promises of an office, the earliest due first."""
    day = as_of or readings.today(of.office)
    report, following = readings.report(
        Question("promises", of, as_of, known_on, status),
        lambda connection, inner: promises(
            connection,
            readings.log,
            as_of=day,
            known_on=known_on,
            office=of.office,
            currency=of.currency,
            status=status,
            limit=limit,
            cursor=inner,
        ),
        cursor,
    )
    return PromisesPage(
        items=list(report.rows),
        next=following,
        names=report.names,
        as_of=report.as_of,
        currency=report.currency,
    )


@router.get("/accounts/{account_id}/promises", responses=AS_ASKED)
def list_promises_of_account(
    *,
    account_id: UUID,
    readings: Readings,
    as_of: AsOf = None,
    known_on: KnownOn = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> NamedPage[PromiseRow]:
    """Every promise of the account, open or past, the earliest due first."""
    office, currency = readings.office_and_currency_of(account_id)
    day = as_of or readings.today(office)
    return readings.named_page(
        Question("promises of", account_id, as_of, known_on),
        lambda connection, inner: promises(
            connection,
            readings.log,
            as_of=day,
            known_on=known_on,
            office=office,
            currency=currency,
            account_id=account_id,
            limit=limit,
            cursor=inner,
        ),
        cursor,
    )


@router.post("/accounts/{account_id}/promises", status_code=201, responses=MAY_BE_REFUSED)
def make_promise(
    *, account_id: UUID, body: JsonBody[NewPromise], issuing: IssuingOf, caller: CallerOf, response: Response
) -> Done:
    """Record a promise. The chase rests for what it covers."""
    command = from_body(MakePromise, body, promise_id=caller.new_id("promise"), account_id=account_id)
    created(response, f"/v1/accounts/{account_id}/promises")
    return issuing.issue(command, caller, reason=body.reason)


@router.get("/accounts/{account_id}/instalment-plan", responses=AS_ASKED)
def calculate_instalment_plan(
    *,
    account_id: UUID,
    service: ServiceOf,
    every: Annotated[Every, Query(description="How long it is from one instalment to the next.")],
    first: Annotated[Day, Query(description="When the first one is due.")],
    count: Annotated[int | None, Query(description="How many equal ones; the last takes the rest.")] = None,
    amount: Annotated[str | None, Query(max_length=40, description="How much each is, as a decimal string.")] = None,
    total: Annotated[
        str | None, Query(max_length=40, description="Default: what is owed and not promised yet.")
    ] = None,
) -> InstalmentPlanView:
    """Days and amounts of a promise in instalments. Nothing is recorded: that is a POST of them to promises."""
    try:
        account = service.arrears.load(Account, account_id)
    except AggregateNotFoundError:
        raise unknown("account") from None
    currency = account.customer.currency
    try:
        plan = instalments_of(
            account,
            every=every,
            first=first,
            count=count,
            amount=_amount("amount", amount, currency),
            total=_amount("total", total, currency),
        )
    except ImplausibleField as error:
        raise FieldProblem(error.field, error.expected) from None
    return plan_view(plan)


def _amount(field: str, said: str | None, currency: str) -> Money | None:
    try:
        return None if said is None else read_amount({"amount": said, "currency": currency})
    except ValueError as error:
        raise FieldProblem(field, str(error).removeprefix("amount: ")) from None


@router.patch("/accounts/{account_id}/promises/{promise_id}", responses=MAY_BE_REFUSED)
def reschedule_promise(
    *,
    account_id: UUID,
    promise_id: UUID,
    body: JsonBody[OtherDays],
    issuing: IssuingOf,
    caller: CallerOf,
) -> Done:
    """Move an open promise to other days; it stays the same promise."""
    command = from_body(ReschedulePromise, body, promise_id=promise_id, account_id=account_id)
    return issuing.issue(command, caller, reason=body.reason)


@router.delete("/accounts/{account_id}/promises/{promise_id}", responses=MAY_BE_REFUSED)
def withdraw_promise(*, account_id: UUID, promise_id: UUID, issuing: IssuingOf, caller: CallerOf) -> Done:
    """Take an open promise back. Say why (X-Reason)."""
    return issuing.issue(WithdrawPromise(promise_id=promise_id, account_id=account_id), caller)
