"""What is said of placements: an account with an outside agency. `placing` decides."""

from datetime import date
from enum import StrEnum
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, model_validator

from aggregates.account.command import AccountCommand, document_key
from aggregates.kernel.command import NaturalKey, identifier
from aggregates.kernel.event import Event
from aggregates.kernel.personal import Personal
from aggregates.kernel.value import LATER, Value
from aggregates.values.codes import Code, Number
from aggregates.values.money import Money


def placement_file_id(of: UUID) -> UUID:
    """The id of the file of new placements that a bulk action makes, or a single placement."""
    return identifier("placement-file", of)


def placement_id(account_id: UUID, nth: int) -> UUID:
    """The id of an account's first, second … placement."""
    return identifier("placement", account_id, nth)


# --- values ------------------------------------------------------------------------------------------


class ItemizationDate(StrEnum):
    """The day from which a debt is itemized (12 CFR 1006.34(b)(3)) as far as an account knows one."""

    LAST_STATEMENT = "last-statement"
    """The day of the latest invoice that is open."""
    CHARGE_OFF = "charge-off"
    """Of an account of which nothing is open any more: the day of the latest write-off that keeps the claim."""


class PlacementEnd(StrEnum):
    """How a placement ended."""

    RECALLED = "recalled"
    """The office took the account back."""
    CLOSED = "closed"
    """The agency gave it back, or is done with it."""
    REJECTED = "rejected"
    """The agency did not take it."""


class Placement(Value):
    """An account that is with an agency."""

    id: UUID
    agency: str
    file_id: UUID
    placed_on: date
    balance: Money
    recall_on: date | None = None
    sent_on: date | None = None
    acknowledged_on: date | None = None


# --- events ------------------------------------------------------------------------------------------


class Placed(Event, name="account.placed"):
    """The account is to be collected by an outside agency from now on: our own chase of it rests."""

    placement_id: UUID
    agency: Code
    file_id: UUID
    """The placement file that tells the agency."""
    bulk_id: UUID | None
    placed_on: date
    balance: Money
    itemization_date_type: ItemizationDate
    itemization_date: date
    recall_on: date | None
    """The day on which it is recalled by the agency's terms."""


class PlacementSent(Event, name="account.placement-sent"):
    """The file that tells the agency of the placement was delivered."""

    placement_id: UUID
    agency: Code
    file_id: UUID
    sent_on: date


class PlacementAcknowledged(Event, name="account.placement-acknowledged"):
    """The agency took the account, under a number of its own where it says one."""

    placement_id: UUID
    agency: Code
    agency_number: Number | None
    acknowledged_on: date


class PlacementAdjusted(Event, name="account.placement-adjusted"):
    """The agency says that it adjusted what it collects. What is owed here follows from documents alone."""

    placement_id: UUID
    agency: Code
    reference: Number
    amount: Money
    """Signed: what it collects less, or more."""
    adjusted_on: date
    notes: Personal | None


class AgencyPaymentPosted(Event, name="account.agency-payment-posted"):
    """The agency collected this: all of it was received as a payment, and the commission is apart from that."""

    placement_id: UUID
    agency: Code
    payment_id: UUID
    payment_number: Number
    reference: Number
    """By which the agency knows it."""
    amount: Money
    commission: Money
    paid_on: date


class PlacementEnded(Event, name="account.placement-ended"):
    """The account is not with the agency any more: recalled, closed, or never taken."""

    placement_id: UUID
    agency: Code
    end: PlacementEnd
    code: Code | None
    """Why, by a code: the agency's, or a rule's."""
    notes: Personal | None
    ended_on: date


# --- commands ----------------------------------------------------------------------------------------


class PlaceAccount(AccountCommand, name="place-account"):
    """Give the account to an agency of its office to collect."""

    agency: Code


class MarkPlacementSent(AccountCommand, name="mark-placement-sent", internal=True):
    """The file with the account's placement was delivered."""

    file_id: UUID


class RecallPlacement(AccountCommand, name="recall-placement"):
    """Take the account back from its agency, which is told so in the next file of updates."""

    code: Annotated[Code | None, LATER] = None


class RecallByRule(AccountCommand, name="recall-placement-by-rule", internal=True):
    """The day on which a placement is recalled by the agency's terms may have come."""

    placement_id: UUID


class AgencyCommand(AccountCommand):
    """What an agency says of an account that is, or was, with it."""

    agency: Code


class AcknowledgePlacement(AgencyCommand, name="acknowledge-placement"):
    """The agency took the account."""

    agency_number: Number | None = None


class RejectPlacement(AgencyCommand, name="reject-placement"):
    """The agency does not take the account."""

    code: Code | None = None
    notes: Personal | None = Field(None, max_length=1_000)


class ClosePlacement(AgencyCommand, name="close-placement"):
    """The agency is done with the account, and gives it back."""

    code: Code | None = None
    notes: Personal | None = Field(None, max_length=1_000)


class AdjustPlacement(AgencyCommand, name="adjust-placement"):
    """The agency adjusted what it collects of the account."""

    reference: Number
    amount: Money
    adjusted_on: date
    notes: Personal | None = Field(None, max_length=1_000)


class PostAgencyPayment(AgencyCommand, name="post-agency-payment", may_need_history=True, reaches=("account",)):
    """Record what the agency collected: all of it as a payment, and its commission apart from that."""

    reference: Number = Field(max_length=50)
    amount: Money
    paid_on: date
    commission: Money | None = None
    """None: by the rate that the office has with the agency."""

    @model_validator(mode="after")
    def _positive(self) -> Self:
        if self.amount.minor <= 0:
            raise ValueError("amount: expected more than zero")
        if self.commission is not None and self.commission.minor < 0:
            raise ValueError("commission: expected zero or more")
        return self

    @property
    def payment_number(self) -> str:
        """By which the account has the payment."""
        return f"{self.agency}:{self.reference}"

    def natural_key(self) -> NaturalKey:
        return document_key(self.account_id, "payment", self.payment_number)
