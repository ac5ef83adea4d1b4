"""Contacts with the customer of an account, as it is: whether they are allowed, and what is known about contacting."""

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, Field

from adapters.eventstore.application import AggregateNotFoundError
from aggregates.account import Account
from aggregates.account.activities import ActivityKind
from aggregates.account.contact_history import FACTS, ContactFact
from aggregates.account.dialling import DialledCall, DialResult, DialState
from aggregates.kernel.value import LATER
from aggregates.office import Office
from aggregates.values.contact import Channel, ContactAttempt, Denied
from api.application.contact_check import RefusalView
from api.processes.service import Service
from policies.contact.rule import Basis
from policies.contact_rules import verdict
from projections.questions import BadQuestion, UnknownAccount


class AccountContactVerdict(BaseModel):
    """Whether a contact with the customer is allowed, and every rule that refuses it."""

    allowed: bool
    channel: Channel
    point_id: str | None
    """The number or address that was judged: the one that was asked about, else the first that may be used, else the
    first. Null: the account has none."""
    at: datetime
    allowed_from: datetime | None
    """From when all rules together would allow it, as things are; null: it is allowed, or never by itself."""
    refusals: list[RefusalView]


def check_account(
    service: Service,
    account_id: UUID,
    *,
    channel: Channel,
    point_id: str | None = None,
    at: datetime | None = None,
    is_recorded: bool = False,
) -> AccountContactVerdict:
    """Judges a contact with the account as it is, at a moment (None: now). `is_recorded`: a call by a recorded voice.

    Raises UnknownAccount, and BadQuestion for a number or address that the account has not.
    """
    try:
        account = service.arrears.load(Account, account_id)
    except AggregateNotFoundError:
        raise UnknownAccount("there is no such account") from None
    customer = account.customer
    if customer.office_id is None:
        raise UnknownAccount("there is no such account")
    office = service.arrears.load(Office, customer.office_id)
    others = [service.arrears.load(Account, each) for each in customer.accounts]
    known = account.contact.details.points(channel)
    if point_id is not None and point_id not in known:
        raise BadQuestion(f"point_id: expected one of {', '.join(known) or 'none'}")
    moment = (at or service.clock.now()).astimezone(UTC)
    judged: list[tuple[str, Denied | None]] = []
    for each in known if point_id is None else (point_id,):
        attempt = ContactAttempt(channel, each, moment, is_by_hand=not is_recorded)
        found = account.contact.heeded(attempt, verdict(account, attempt, office, others=others))
        judged.append((each, found if isinstance(found, Denied) else None))
    if not judged:
        return AccountContactVerdict(
            allowed=False, channel=channel, point_id=None, at=moment, allowed_from=None, refusals=[]
        )
    which, denied = next((each for each in judged if each[1] is None), judged[0])
    until = denied.until if denied is not None else None
    return AccountContactVerdict(
        allowed=denied is None,
        channel=channel,
        point_id=which,
        at=moment,
        allowed_from=until if isinstance(until, datetime) else None,
        refusals=[
            RefusalView(**{**each.model_dump(), "basis": Basis(each.basis)})
            for each in (denied.refusals if denied is not None else ())
        ],
    )


# --- what is known about contacting ------------------------------------------------------------------------


class ContactFactView(ContactFact):
    """What was said, or turned out, about contacting the customer."""

    id: UUID
    says: str
    """In a sentence."""


class UndocumentedView(BaseModel):
    """A contact that a person made and of which nobody said how it ended."""

    id: UUID
    kind: ActivityKind
    agent: str
    at: datetime
    is_call: bool
    """It began here and is ended; else it was recorded, and is corrected."""
    point_id: Annotated[str | None, LATER] = None
    number: Annotated[str | None, LATER] = None
    dial_state: Annotated[DialState | None, LATER] = None
    """Of a call that a carrier was asked to place: how far it is."""
    dial_result: Annotated[DialResult | None, LATER] = None
    """How that ended, as the carrier says."""
    dial_seconds: Annotated[int | None, LATER] = None


def facts_of(account: Account) -> list[ContactFactView]:
    """Those that stand, in the order in which they were recorded."""
    return [
        ContactFactView(id=fact_id, says=FACTS[fact.kind].says, **fact.model_dump())
        for fact_id, fact in account.contact_history.facts.items()
    ]


def undocumented_of(account: Account) -> list[UndocumentedView]:
    """The oldest first."""
    found = [
        UndocumentedView(
            id=call.id,
            kind=ActivityKind.CALL,
            agent=call.agent,
            at=call.at,
            is_call=True,
            point_id=call.point_id,
            number=call.number,
            **_dialled(account.dialling.calls_dialled.get(call.id)),
        )
        for call in account.calls.open.values()
    ]
    found += [UndocumentedView(**each.model_dump(), is_call=False) for each in account.activities.undocumented.values()]
    return sorted(found, key=lambda each: each.at)


def _dialled(dialled: DialledCall | None) -> dict[str, Any]:
    if dialled is None:
        return {}
    return {"dial_state": dialled.state, "dial_result": dialled.result, "dial_seconds": dialled.seconds}


def retired_points(account: Account) -> list[str]:
    """Ids of numbers that turned out to be somebody else's."""
    history = account.contact_history
    return [each for each in account.contact.details.points(Channel.VOICE) if history.is_retired(Channel.VOICE, each)]


class FactKindView(BaseModel):
    """A kind of fact about contact, and what may be said of it."""

    kind: str
    says: str
    fields: list[str] = Field(description="What may be said of it, besides its moment and notes.")
    needs: list[str] = Field(description="Of these, what has to be said.")
    is_about_debt: bool = Field(description="It holds for the account alone; else for all of the customer's accounts.")


def fact_kinds() -> list[FactKindView]:
    """All of them, in the order in which they are offered."""
    return [
        FactKindView(
            kind=each.kind,
            says=each.says,
            fields=list(each.fields),
            needs=list(each.needs),
            is_about_debt=each.is_about_debt,
        )
        for each in FACTS.values()
    ]
