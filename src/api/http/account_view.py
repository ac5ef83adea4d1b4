"""One account as people and programs see it: folded from its events, now or as of a day."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from pydantic import BaseModel

from aggregates.account import Account
from aggregates.account.activities import FollowUp
from aggregates.account.chase import Stage
from aggregates.account.customer import AccountOpened, CustomerKind
from aggregates.account.disputes import Dispute
from aggregates.account.exclusion import Exclusion
from aggregates.account.holds import Hold
from aggregates.account.receivables import Funds, FundsKind, ItemKind, OpenItem, allocation_order
from aggregates.account.shields import Why
from aggregates.kernel.event import Recorded
from aggregates.office import Office
from aggregates.values.aging import BucketScheme
from aggregates.values.business_time import local_date
from aggregates.values.contact import ContactDetails, OptOut
from aggregates.values.money import Money
from api.application.amounts import Amount
from api.http.problems import FieldProblem, unknown
from api.processes.service import Service

# --- shapes ------------------------------------------------------------------------------------------


class ItemView(BaseModel):
    """An open item and how old it is."""

    id: UUID
    number: str
    kind: ItemKind
    issued_on: date
    due_on: date
    amount: Amount
    open: Amount
    days_past_due: int
    """Negative before the due date."""
    bucket: str
    service_type: str | None
    subscription: str | None
    disputed: bool


class FundsView(BaseModel):
    """A payment or credit, what it was put against, and what is left of it."""

    id: UUID
    kind: FundsKind
    number: str
    received_on: date
    amount: Amount
    unapplied: Amount
    reversed: bool
    waits_for_invoice: str | None


class PromiseInForce(BaseModel):
    """A promise that holds back the chase."""

    id: UUID
    made_on: date
    due_on: date
    amount: Amount
    remaining: Amount


class SubscriptionView(BaseModel):
    number: str
    service_type: str | None
    started_on: date | None
    initial_discount: Amount | None


class BucketAmount(BaseModel):
    bucket: str
    amount: Amount
    items: int


class NextAction(BaseModel):
    """What happens next: a step of the sequence, a message on its way, a follow-up, a promise that comes due."""

    kind: str
    title: str
    on: date


class AccountView(BaseModel):
    """Everything that is known of an account."""

    id: UUID
    office_id: UUID
    office: str
    number: str
    version: int
    as_of: date
    currency: str
    customer_name: str
    customer_kind: CustomerKind
    segment: str | None
    country: str | None
    contact: ContactDetails
    opt_outs: list[OptOut]
    subscriptions: list[SubscriptionView]
    balance: Amount
    """Open items less unapplied funds."""
    outstanding: Amount
    unapplied: Amount
    days_past_due: int
    bucket: str
    aging: list[BucketAmount]
    open_items: list[ItemView]
    unapplied_funds: list[FundsView]
    stage: Stage | None
    why: Why | None
    """Why it is in its stage; null before it was judged."""
    campaign_id: UUID | None
    plan_version: int | None
    next_action: NextAction | None
    flags: list[str]
    promises: list[PromiseInForce]
    broken_promises: int
    disputes: list[Dispute]
    holds: list[Hold]
    exclusion: Exclusion | None
    follow_ups: list[FollowUp]


# --- reading -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AccountRead:
    """An account, its office, the day they are looked at, and the events that made it."""

    account: Account
    office: Office
    as_of: date
    history: list[Recorded]

    @property
    def etag(self) -> str:
        """Changes with the account, with the office's settings, and with the day."""
        return f'"{self.account.version}-{self.office.version}-{self.as_of}"'


def read_account(service: Service, account_id: UUID, as_of: date | None = None) -> AccountRead:
    """The account with everything it ever had, as it was true at the end of a day (None: as it is).

    Raises a Problem where there was no such account then.
    """
    history = service.arrears.history(account_id)
    opened = next((r.event for r in history if isinstance(r.event, AccountOpened)), None)
    if opened is None:
        raise unknown("account")
    office = service.arrears.load(Office, opened.office_id)
    today = local_date(service.clock.now(), office.zone)
    if as_of is not None and as_of > today:
        raise FieldProblem("as_of", f"expected {today} or earlier")
    if as_of is not None:
        history = [recorded for recorded in history if recorded.effective_on <= as_of]
    account = Account.blank(account_id, whole=True)
    account.fold(recorded.event for recorded in history)
    if not account.exists:
        raise unknown("account")
    return AccountRead(account, office, as_of or today, history)


def account_view(read: AccountRead) -> AccountView:
    account, office, as_of = read.account, read.office, read.as_of
    items = [
        item_view(i, office.scheme, as_of) for i in sorted(account.receivables.items.values(), key=allocation_order)
    ]
    dpd = max((item.days_past_due for item in items), default=0)
    chase = account.chase
    return AccountView(
        id=account.id,
        office_id=office.id,
        office=office.code,
        number=account.customer.number,
        version=account.version,
        as_of=as_of,
        currency=account.customer.currency,
        customer_name=account.customer.name,
        customer_kind=account.customer.kind,
        segment=account.customer.segment,
        country=account.customer.country,
        contact=account.contact.details,
        opt_outs=account.contact.opt_outs,
        subscriptions=[SubscriptionView(**dict(s)) for s in account.customer.subscriptions.values()],
        balance=account.receivables.balance,
        outstanding=account.receivables.outstanding,
        unapplied=account.receivables.unapplied,
        days_past_due=max(0, dpd),
        bucket=office.scheme.bucket_of(dpd),
        aging=_aging(account, items, office.scheme),
        open_items=items,
        unapplied_funds=[funds_view(f) for f in _by_day(account.receivables.funds.values())],
        stage=chase.stage,
        why=chase.why,
        campaign_id=chase.campaign_id,
        plan_version=chase.plan_version,
        next_action=_next_action(account, office),
        flags=sorted(account.flags.carried),
        promises=[PromiseInForce(**dict(p)) for p in account.promises.open.values()],
        broken_promises=account.promises.broken,
        disputes=list(account.disputes.open.values()),
        holds=list(account.holds.in_force.values()),
        exclusion=account.exclusion.current,
        follow_ups=sorted(account.activities.follow_ups.values(), key=lambda f: f.due_on),
    )


def item_view(item: OpenItem, scheme: BucketScheme, as_of: date) -> ItemView:
    dpd = (as_of - item.due_on).days
    return ItemView(
        id=item.id,
        number=item.item.number,
        kind=item.item.kind,
        issued_on=item.item.issued_on,
        due_on=item.due_on,
        amount=item.item.amount,
        open=item.open,
        days_past_due=dpd,
        bucket=scheme.bucket_of(dpd),
        service_type=item.item.service_type,
        subscription=item.item.subscription,
        disputed=item.dispute_id is not None,
    )


def funds_view(funds: Funds) -> FundsView:
    return FundsView(
        id=funds.id,
        kind=funds.receipt.kind,
        number=funds.receipt.number,
        received_on=funds.receipt.received_on,
        amount=funds.receipt.amount,
        unapplied=funds.unapplied,
        reversed=funds.reversed,
        waits_for_invoice=funds.receipt.waits_for,
    )


def all_funds(account: Account) -> list[FundsView]:
    """Every payment and credit, the latest first; needs an account that remembers."""
    return [
        funds_view(f)
        for f in reversed(_by_day([*account.receivables.funds.values(), *account.receivables.used_up.values()]))
    ]


def _by_day(funds: Any) -> list[Funds]:
    return sorted(funds, key=lambda f: (f.receipt.received_on, f.receipt.number))


def _aging(account: Account, items: list[ItemView], scheme: BucketScheme) -> list[BucketAmount]:
    """Every bucket of the office, youngest first; their sum is what is outstanding."""
    return [
        BucketAmount(
            bucket=name,
            amount=Money.total((item.open for item in items if item.bucket == name), account.customer.currency),
            items=sum(item.bucket == name for item in items),
        )
        for name in scheme.names
    ]


def _next_action(account: Account, office: Office) -> NextAction | None:
    """The earliest of what is planned."""

    def day_of(moment: datetime) -> date:
        return local_date(moment, office.zone)

    planned = [
        NextAction(kind="message", title=f"{m.channel} message is {m.state}", on=day_of(m.queued_at))
        for m in account.messages.under_way.values()
    ]
    if (step := account.chase.scheduled) is not None:
        planned.append(NextAction(kind="step", title=step.title, on=day_of(step.due_at)))
    planned += [
        NextAction(kind="follow-up", title=f"follow-up{f' by {f.assignee}' if f.assignee else ''}", on=f.due_on)
        for f in account.activities.follow_ups.values()
    ]
    planned += [
        NextAction(kind="promise", title=f"promise of {p.amount} comes due", on=p.due_on)
        for p in account.promises.open.values()
    ]
    planned += [
        NextAction(kind="hold", title=f"hold ({h.code}) ends", on=h.until + timedelta(days=1))
        for h in account.holds.in_force.values()
        if h.until is not None
    ]
    return min(planned, key=lambda action: action.on, default=None)
