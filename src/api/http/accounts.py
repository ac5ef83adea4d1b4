"""Accounts: opening one, what is known of it, and how its customer is reached."""

from typing import Annotated
from uuid import UUID

from fastapi import Query, Response
from pydantic import Field

from aggregates.account.contact import ChangeContactDetails, OptInToContact, OptOutOfContact
from aggregates.account.customer import OpenAccount, RecordSubscription, Subscription
from aggregates.office import office_id
from aggregates.values.codes import Code
from aggregates.values.contact import Channel, ContactDetails, each_id_once
from aggregates.values.money import Currency
from api.application.account_view import (
    AccountView,
    FundsView,
    account_view,
    events_to_be_shown,
    read_account,
)
from api.application.funds import every_funds
from api.application.issuing import Done
from api.application.offices import is_other_currency
from api.http.bodies import CommandBody, body_of, from_body
from api.http.commands import MAY_BE_REFUSED, CallerOf, IssuingOf, ServiceOf, created
from api.http.etags import IfNoneMatch, names, not_modified, tagged
from api.http.problems import FieldProblem, documented
from api.http.reading import AsOf, Readings
from api.http.routing import Router
from api.http.shapes import Body, JsonBody

router = Router(prefix="/v1/accounts", tags=["accounts"])


@body_of(OpenAccount, without={"information", "other_currency"}, instead={"office_id": "office"})
class NewAccount(CommandBody):
    """A customer's receivables with one office."""

    office: Code
    currency: Currency


@body_of(Subscription)
class SubscriptionBody(Body):
    """A service the customer subscribes to. One that is cancelled stays so unless it is said to be reinstated."""

    service_type: str | None = Field(None, max_length=100)
    reinstated: bool = False


@body_of(OptOutOfContact, address={"account_id"})
class OptOutBody(CommandBody):
    """A medium, or one address or number of it (`point_id`), that the customer does not want to be reached by."""

    point_id: str | None = Field(None, min_length=1, max_length=100)


@router.post("", status_code=201, responses=MAY_BE_REFUSED)
def open_account(*, body: JsonBody[NewAccount], issuing: IssuingOf, caller: CallerOf, response: Response) -> Done:
    """Open an account. Again with the same data changes nothing; with other data it updates the customer.

    In another currency than its office's it is an account of its own of this number, called `1001/EUR`.
    """
    office = office_id(body.office)
    other_currency = is_other_currency(issuing.service, office, body.currency)
    command = from_body(OpenAccount, body, office_id=office, other_currency=other_currency)
    done = issuing.issue(command, caller, reason=body.reason)
    created(response, f"/v1/accounts/{done.id}")
    return done


@router.get(
    "/{account_id}", response_model=AccountView, responses={304: {"description": "Still the same"}, **documented(404)}
)
def get_account(
    *,
    account_id: UUID,
    service: ServiceOf,
    readings: Readings,
    response: Response,
    as_of: AsOf = None,
    if_none_match: IfNoneMatch = None,
) -> AccountView | Response:
    """Everything that is known of an account, with personal data: today, or as of a day."""
    with readings.connection() as connection:
        read = read_account(service, connection, account_id, as_of)
    if names(if_none_match, read.etag):
        return not_modified(read.etag)
    tagged(response, read.etag)
    return account_view(read)


@router.get("/{account_id}/payments", responses=documented(404))
def list_payments(*, account_id: UUID, service: ServiceOf, readings: Readings, as_of: AsOf = None) -> list[FundsView]:
    """Every payment and credit of the account, the latest first."""
    with readings.connection() as connection:
        read = read_account(service, connection, account_id, as_of)
        later = events_to_be_shown(service, connection, account_id) if read.then is None else []
        return every_funds(connection, readings.log, read, later=later)


@router.put("/{account_id}/contact", responses=MAY_BE_REFUSED)
def put_contact(*, account_id: UUID, body: JsonBody[ContactDetails], issuing: IssuingOf, caller: CallerOf) -> Done:
    """Replace the ways of reaching the customer."""
    try:
        each_id_once(body)
    except ValueError as error:
        field, _, expected = str(error).partition(": ")
        raise FieldProblem(field, expected) from None
    return issuing.issue(ChangeContactDetails(account_id=account_id, contact=body), caller)


@router.post("/{account_id}/subscriptions", responses=MAY_BE_REFUSED)
def record_subscription(
    *, account_id: UUID, body: JsonBody[SubscriptionBody], issuing: IssuingOf, caller: CallerOf
) -> Done:
    """Record a service the customer subscribes to, or what changed of it."""
    said = from_body(Subscription, body)
    if body.reinstated and said.cancelled_on is not None:
        raise FieldProblem("reinstated", "expected only without cancelled_on")
    command = RecordSubscription(account_id=account_id, subscription=said, reinstated=body.reinstated or None)
    return issuing.issue(command, caller)


@router.post("/{account_id}/opt-outs", responses=MAY_BE_REFUSED)
def opt_out(*, account_id: UUID, body: JsonBody[OptOutBody], issuing: IssuingOf, caller: CallerOf) -> Done:
    """Honour at once that the customer does not want to be contacted this way."""
    return issuing.issue(from_body(OptOutOfContact, body, account_id=account_id), caller, reason=body.reason)


@router.delete("/{account_id}/opt-outs/{channel}", responses=MAY_BE_REFUSED)
def opt_in(
    *,
    account_id: UUID,
    channel: Channel,
    issuing: IssuingOf,
    caller: CallerOf,
    point_id: Annotated[str | None, Query(max_length=100, description="The address or number; all where none.")] = None,
) -> Done:
    """The customer takes an opt-out back."""
    return issuing.issue(OptInToContact(account_id=account_id, channel=channel, point_id=point_id), caller)
