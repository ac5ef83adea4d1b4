"""What an account remembers: bounded by what is open, unless it was loaded to remember everything."""

from datetime import date, datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from aggregates.account.activities import FollowUp
from aggregates.account.chase import ScheduledStep, Stage, Why
from aggregates.account.customer import CustomerKind, Subscription
from aggregates.account.deferred import DeferredFact
from aggregates.account.disputes import Dispute
from aggregates.account.exclusion import Exclusion
from aggregates.account.holds import Hold
from aggregates.account.messages import MessageUnderWay
from aggregates.account.promises import OpenPromise
from aggregates.account.receivables import Funds, OpenItem
from aggregates.kernel.aggregate import Aggregate
from aggregates.kernel.command import Context, Refusal
from aggregates.kernel.personal import Personal
from aggregates.values.aging import CURRENT
from aggregates.values.contact import ContactDetails, OptOut
from aggregates.values.money import Money


class Chase(BaseModel):
    """Where the account stands in auto-collection."""

    model_config = ConfigDict(extra="forbid")

    stage: Stage | None = None
    why: Why | None = None
    campaign_id: UUID | None = None
    plan_version: int | None = None
    engaged_on: date | None = None
    scheduled: ScheduledStep | None = None
    review_at: datetime | None = None
    not_before: datetime | None = None
    """A contact rule forbids the next step until then."""
    last_message_on: date | None = None
    messages: dict[UUID, MessageUnderWay] = Field(default_factory=dict)


class AccountState(Aggregate):
    """The state that the account's decisions share. Amounts are in the account's currency."""

    remembers: bool = False
    """True keeps settled items and spent funds too: for reversals and corrections, loaded from the whole history."""
    office_id: UUID | None = None
    number: str = ""
    customer_name: Personal = ""
    currency: str = "USD"
    customer_kind: CustomerKind = CustomerKind.CONSUMER
    segment: str | None = None
    country: str | None = None
    information: dict[str, Personal] = Field(default_factory=dict)
    contact: ContactDetails = ContactDetails()
    opt_outs: list[OptOut] = Field(default_factory=list)
    subscriptions: dict[str, Subscription] = Field(default_factory=dict)

    items: dict[UUID, OpenItem] = Field(default_factory=dict)
    settled: dict[UUID, OpenItem] = Field(default_factory=dict)
    funds: dict[UUID, Funds] = Field(default_factory=dict)
    spent: dict[UUID, Funds] = Field(default_factory=dict)
    deferred: dict[UUID, DeferredFact] = Field(default_factory=dict)
    bucket: str = CURRENT

    chase: Chase = Field(default_factory=Chase)
    exclusion: Exclusion | None = None
    flags: set[str] = Field(default_factory=set)
    follow_ups: dict[UUID, FollowUp] = Field(default_factory=dict)
    disputes: dict[UUID, Dispute] = Field(default_factory=dict)
    holds: dict[UUID, Hold] = Field(default_factory=dict)
    promises: dict[UUID, OpenPromise] = Field(default_factory=dict)
    broken_promises: int = 0

    @property
    def account_id(self) -> UUID:
        """Whose personal data the events hold."""
        return self.id

    @property
    def weight(self) -> int:
        return 1 + len(self.items) + len(self.funds)

    @property
    def zero(self) -> Money:
        return Money.zero(self.currency)

    @property
    def outstanding(self) -> Money:
        """Sum of open items, due or not."""
        return Money.total((item.open for item in self.items.values()), self.currency)

    @property
    def unapplied(self) -> Money:
        """Sum of payments and credits not allocated yet."""
        return Money.total((funds.unapplied for funds in self.funds.values()), self.currency)

    @property
    def balance(self) -> Money:
        """What the customer owes: open items less unapplied funds; negative where they have credit."""
        return self.outstanding - self.unapplied

    @property
    def promised(self) -> Money:
        """What promises still hold back."""
        return Money.total((promise.remaining for promise in self.promises.values()), self.currency)

    def require_open(self) -> None:
        if not self.exists:
            raise Refusal("unknown-account", "there is no such account")

    def require_currency(self, *amounts: Money | None) -> None:
        for amount in amounts:
            if amount is not None and amount.currency != self.currency:
                raise Refusal("wrong-currency", f"the account is in {self.currency}, the amount in {amount.currency}")

    def oldest_due_on(self) -> date | None:
        return min((item.due_on for item in self.items.values()), default=None)

    def days_past_due(self, context: Context) -> int:
        """Days past due of the oldest open item; 0 where nothing is past due."""
        oldest = self.oldest_due_on()
        return max(0, (context.today - oldest).days) if oldest else 0
