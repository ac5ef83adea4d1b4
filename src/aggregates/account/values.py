"""Values inside an account: open items, funds, promises, holds, messages under way."""

from datetime import date
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from aggregates.aging import CURRENT
from aggregates.auto_collection import CoveredItem
from aggregates.contact import Channel
from aggregates.money import Money
from aggregates.personal import Personal

Number = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
"""A document's or account's number as the customer's own systems print it."""


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ItemKind(StrEnum):
    INVOICE = "invoice"
    FEE = "fee"


class Item(_Value):
    """What an invoice says; the part of an open item that never moves by itself."""

    id: UUID
    number: Number
    kind: ItemKind = ItemKind.INVOICE
    issued_on: date
    due_on: date
    amount: Money
    charges: Money
    """Original charges before discount; at least the amount."""
    service_type: str | None = None
    subscription: Number | None = None
    marked_disputed: bool = False
    """Kept as information where a billing file says so without a date; suspends nothing."""
    information: dict[str, Personal] = Field(default_factory=dict)
    """What the billing file says besides; nothing is decided by it."""


class OpenItem(BaseModel):
    """An item that still has an open amount (or, where the account remembers, had one)."""

    model_config = ConfigDict(extra="forbid")

    item: Item
    open: Money
    open_since: date
    """No allocation can be effective before this: the issue date, or the day a reversal reopened the item."""
    known_on: date
    """The local day on which Arrears learned of the item; steps due before it are never sent."""
    bucket: str = CURRENT
    next_on: date | None
    """The day on which it moves to the next bucket; None in the oldest."""
    dispute_id: UUID | None = None
    steps: list[str] = Field(default_factory=list)
    """Steps of the sequence whose message covered this item."""

    @property
    def id(self) -> UUID:
        return self.item.id

    @property
    def due_on(self) -> date:
        return self.item.due_on


class FundsKind(StrEnum):
    PAYMENT = "payment"
    CREDIT = "credit"


class PromiseShare(_Value):
    """The part of a payment that counts towards a promise."""

    promise_id: UUID
    amount: Money


class Receipt(_Value):
    """What a payment or credit says; the part of funds that never moves by itself."""

    id: UUID
    kind: FundsKind
    number: Number
    amount: Money
    received_on: date
    invoice_number: Number | None = None
    """The invoice that the payer named."""
    waits_for: Number | None = None
    """The same where no such invoice was known when the money came in."""
    promises: tuple[PromiseShare, ...] = ()


class Allocation(_Value):
    """What one payment or credit put against one item on one day."""

    amount: Money
    allocated_on: date


class Funds(BaseModel):
    """A payment or credit with an amount not yet allocated (or, where the account remembers, any)."""

    model_config = ConfigDict(extra="forbid")

    receipt: Receipt
    unapplied: Money
    waits: bool = False
    """Kept for an invoice that is not known yet."""
    allocated: dict[UUID, tuple[Allocation, ...]] = Field(default_factory=dict)
    """What it put against each item, oldest day first."""
    reversed: bool = False

    @property
    def id(self) -> UUID:
        return self.receipt.id

    def allocate(self, item_id: UUID, amount: Money, allocated_on: date) -> None:
        parts = (*self.allocated.get(item_id, ()), Allocation(amount=amount, allocated_on=allocated_on))
        self.allocated[item_id] = tuple(sorted(parts, key=lambda part: part.allocated_on))

    def release(self, item_id: UUID, amount: Money, released_on: date) -> None:
        """Takes back what was put against the item by that day, the newest first."""
        kept = []
        for part in reversed(self.allocated.get(item_id, ())):
            taken = min(amount, part.amount) if part.allocated_on <= released_on else amount - amount
            amount -= taken
            if taken < part.amount:
                kept.append(part.model_copy(update={"amount": part.amount - taken}))
        self.allocated[item_id] = tuple(reversed(kept))


class AllocatedPart(_Value):
    """An amount put against an item. `open_after` zero settles the item."""

    item_id: UUID
    amount: Money
    open_after: Money


class ReleasedPart(_Value):
    """An amount taken back from an item, which is open again with its original dates."""

    item: Item
    amount: Money
    open_after: Money
    open_since: date
    known_on: date
    dispute_id: UUID | None = None
    steps: tuple[str, ...] = ()
    """The item's place in the sequence, which a settled item took with it."""


class BucketMove(_Value):
    """An item that moved to another bucket; `next_on` is the day it moves again (None: never)."""

    item_id: UUID
    bucket: str
    next_on: date | None


class Subscription(_Value):
    """A service the customer subscribes to."""

    number: Number
    service_type: str | None = None
    started_on: date | None = None
    initial_discount: Money | None = None


class CustomerKind(StrEnum):
    """Which law applies to contacts: consumer or commercial debt."""

    CONSUMER = "consumer"
    COMMERCIAL = "commercial"


class OpenPromise(BaseModel):
    """A promise that still holds back the chase for what is left of it."""

    model_config = ConfigDict(extra="forbid")

    id: UUID
    made_on: date
    due_on: date
    amount: Money
    remaining: Money


class Dispute(_Value):
    id: UUID
    item_ids: tuple[UUID, ...]
    reason_code: str
    opened_on: date


class Hold(_Value):
    """Suspends the chase of the whole account, until a day or until it is released."""

    id: UUID
    code: str
    until: date | None


class Exclusion(_Value):
    """A person took the account out of auto-collection."""

    since: date
    actor: str


class MessageState(StrEnum):
    QUEUED = "queued"
    DISPATCHED = "dispatched"
    UNCERTAIN = "uncertain"


class MessageUnderWay(BaseModel):
    """A message that was queued and is not settled yet."""

    model_config = ConfigDict(extra="forbid")

    id: UUID
    campaign_id: UUID
    plan_version: int
    step_id: str
    channel: Channel
    point_id: str
    language: str
    items: tuple[CoveredItem, ...]
    queued_at: AwareDatetime
    state: MessageState = MessageState.QUEUED


class FollowUp(_Value):
    """Something a person has to come back to."""

    activity_id: UUID
    due_on: date
    assignee: str | None
    fell_due: bool = False


class DeferredFact(_Value):
    """A command about the future, kept until its day. What its document says besides is apart: it is personal."""

    arrives_on: date
    command_name: str
    command: dict[str, object]
    information: dict[str, Personal] = Field(default_factory=dict)


class ActivityKind(StrEnum):
    CALL = "call"
    SMS = "sms"
    EMAIL = "email"
    LETTER = "letter"
    NOTE = "note"
    TASK = "task"
    PORTAL_VISIT = "portal-visit"


class Direction(StrEnum):
    INBOUND = "inbound"
    OUTBOUND = "outbound"
    INTERNAL = "internal"


class Disposition(StrEnum):
    """How a contact ended."""

    NO_ANSWER = "no-answer"
    LEFT_MESSAGE = "left-message"
    SPOKE_TO_CUSTOMER = "spoke-to-customer"
    SPOKE_TO_THIRD_PARTY = "spoke-to-third-party"
    WRONG_NUMBER = "wrong-number"
    NOT_CONNECTED = "not-connected"
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"


class ReversalKind(StrEnum):
    NSF = "nsf"
    CHARGEBACK = "chargeback"
    REFUND = "refund"
    ERROR = "error"
