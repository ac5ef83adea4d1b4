"""One account as people and programs see it.

As it is now it is folded from its events. As of a past day money comes from the ledger, and stage, why and flags from
the history of accounts, as in the collections report of that day. Casework, and what was next, is what was recorded by
the end of the day; who the customer is, what was true then.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, Field

from adapters.postgres.database import Connection
from aggregates.account import Account
from aggregates.account.activities import FollowUp
from aggregates.account.billing import InvoiceBilled
from aggregates.account.chase import Stage
from aggregates.account.collections_stage import CollectionsStage
from aggregates.account.command import account_id, customer_key, ids_by_name
from aggregates.account.complaints import Complaint
from aggregates.account.contact import ConsentRecorded, ContactDetailsChanged, OptedIn, OptedOut, WishesShared
from aggregates.account.customer import (
    AccountOpened,
    Customer,
    CustomerKind,
    CustomerNumberChanged,
    CustomerParted,
    CustomerRenamed,
    CustomerShared,
    SubscriptionRecorded,
)
from aggregates.account.disputes import Dispute
from aggregates.account.exclusion import Exclusion
from aggregates.account.freezing import Freezing, SubscriptionStatus, status_of
from aggregates.account.holds import Hold
from aggregates.account.legal import LegalCase
from aggregates.account.payments import (
    CreditNoted,
    CreditWithdrawn,
    FundsRefunded,
    PaymentReceived,
    PaymentReversed,
    PaymentReversedInPart,
    RefundWithdrawn,
    ReversalWithdrawn,
)
from aggregates.account.promises import OpenPromise
from aggregates.account.receivables import (
    Funds,
    FundsKind,
    ItemKind,
    OpenItem,
    OtherPayment,
    Receipt,
    ReversalKind,
    Sent,
    allocation_order,
    has_name,
)
from aggregates.account.shields import Why
from aggregates.account.transfers import PaymentTransferred, TransferReturned
from aggregates.kernel.event import Recorded
from aggregates.kernel.value import LATER
from aggregates.office import Office
from aggregates.values.aging import BucketScheme
from aggregates.values.business_time import local_date
from aggregates.values.contact import ContactDetails, OptOut
from aggregates.values.money import Money
from api.application.account_contact import (
    ContactFactView,
    UndocumentedView,
    facts_of,
    retired_points,
    undocumented_of,
)
from api.application.amounts import Amount
from api.processes.service import Service
from projections.questions import BadQuestion, Statement, UnknownAccount, statement
from projections.questions.audit import version_shown

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
    disputed_amount: Annotated[Amount | None, LATER] = None
    """How much of what is open is disputed, where it is a part."""


class PaymentElsewhere(BaseModel):
    """A payment as it stands on another account."""

    account_id: UUID
    account_number: str
    """What people call the account."""
    number: str


class TransferredAmount(PaymentElsewhere):
    """An amount of a payment that went to another account, and the payment that it is there."""

    amount: Amount
    transferred_on: date


class FundsView(BaseModel):
    """A payment or credit, what it was put against, and what is left of it."""

    id: UUID
    kind: FundsKind
    number: str
    received_on: date
    amount: Amount
    unapplied: Amount
    gone_back: Amount
    """What of it left the account again, in parts or as a whole."""
    reversed: bool
    waits_for_invoice: str | None
    transferred_from: Annotated[PaymentElsewhere | None, LATER] = None
    """The payment on another account that the money is of."""
    transferred_to: Annotated[tuple[TransferredAmount, ...] | None, LATER] = None
    """What of it pays the debt of other accounts."""


class DisputedPartView(BaseModel):
    """An item that is disputed in part, and how much of it; at most what is open of it is."""

    item_id: UUID
    amount: Amount


class DisputeView(BaseModel):
    """What the customer disputes."""

    id: UUID
    item_ids: list[UUID]
    reason_code: str
    opened_on: date
    parts: Annotated[list[DisputedPartView] | None, LATER] = None
    """Of those items the ones that are disputed in part."""
    assignee: Annotated[str | None, LATER] = None
    answer_by: Annotated[date | None, LATER] = None
    """By when it is to be resolved."""
    overdue: Annotated[bool | None, LATER] = None


class PromiseInForce(BaseModel):
    """A promise that holds back the chase."""

    id: UUID
    made_on: date
    due_on: date
    amount: Amount
    remaining: Amount


class PaymentClaimView(BaseModel):
    """What the customer says is paid, while that is checked."""

    id: UUID
    item_ids: list[UUID]
    amount: Amount | None
    until: date
    accepted: bool
    """Found to be paid, and to be booked."""


class SubscriptionView(BaseModel):
    number: str
    service_type: str | None
    started_on: date | None
    initial_discount: Amount | None
    ends_on: Annotated[date | None, LATER] = None
    services_agreed: Annotated[int | None, LATER] = None
    services_done: Annotated[int | None, LATER] = None
    cancelled_on: Annotated[date | None, LATER] = None
    status: Annotated[SubscriptionStatus | None, LATER] = None
    frozen: Annotated[str | None, LATER] = None
    """Code of the reason for which it is frozen; not there where it is not."""
    frozen_since: Annotated[date | None, LATER] = None


class BucketAmount(BaseModel):
    bucket: str
    amount: Amount
    items: int


class NextAction(BaseModel):
    """What happens next: a step of the sequence or a review, a message on its way, a follow-up, a promise that comes
    due."""

    kind: str
    title: str
    on: date


class CustomerAccount(BaseModel):
    """An account of the same customer."""

    id: UUID
    number: str
    """What people call it."""
    currency: str


_IF_ANY = Field(exclude_if=lambda found: not found)


class AccountView(BaseModel):
    """Everything that is known of an account."""

    id: UUID
    office_id: UUID
    office: str
    number: str
    """What people call the account: its number, and in another currency than its office's `1001/EUR`."""
    customer_number: Annotated[str | None, LATER] = None
    """Left out where it is the account's own number and the customer has no other account."""
    accounts: Annotated[list[CustomerAccount], Field(exclude_if=lambda accounts: not accounts)] = []
    """The customer's others; left out where there are none."""
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
    disputes: list[DisputeView]
    holds: list[Hold]
    legal_cases: Annotated[list[LegalCase], Field(exclude_if=lambda cases: not cases)] = []
    complaints: Annotated[list[Complaint], Field(exclude_if=lambda complaints: not complaints)] = []
    payment_claims: Annotated[list[PaymentClaimView], Field(exclude_if=lambda claims: not claims)] = []
    exclusion: Exclusion | None
    follow_ups: list[FollowUp]
    undocumented: Annotated[list[UndocumentedView], _IF_ANY] = []
    """Contacts that people made and of which nobody said how they ended; left out where there is none."""
    contact_facts: Annotated[list[ContactFactView], _IF_ANY] = []
    """What was said, or turned out, about contacting the customer; left out where there is nothing."""
    retired_points: Annotated[list[str], _IF_ANY] = []
    """Numbers that turned out to be somebody else's, by their ids; left out where there is none."""
    collections_stage: Annotated[CollectionsStage | None, LATER] = None
    """Where it stands with an outside agency; not there where that was not set."""
    frozen: Annotated[str | None, LATER] = None
    """Code of the reason for which it is frozen; not there where it is active."""
    written_off: Annotated[Amount | None, LATER] = None
    """With the claim kept, less what was recovered since; not there where nothing is."""


# --- reading -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AccountRead:
    """An account, its office, and the day they are looked at."""

    account: Account
    """As it is; of a past day what was recorded by its end."""
    customer: Account
    """The same; of a past day what was true of the customer then."""
    office: Office
    as_of: date
    version: int
    history: list[Recorded]
    """Events that are true by then; of today where the whole account was read."""
    then: Statement | None
    """What a past day's report says of it; None: today."""

    @property
    def etag(self) -> str:
        """Changes with the account, with the office's settings, and with the day."""
        if self.then is None:
            return f'"{self.version}-{self.office.version}-{self.as_of}"'
        shown = hashlib.sha256(self.then.model_dump_json().encode()).hexdigest()[:16]
        return f'"{self.version}-{self.account.version}-{self.office.version}-{self.as_of}-{shown}"'


def account_now(service: Service, account_id: UUID) -> Account:
    """The account as decisions see it now. Raises UnknownAccount."""
    found = service.arrears.load_many(Account, [account_id])
    if not found:
        raise UnknownAccount("there is no such account")
    return found[0]


def read_account(service: Service, connection: Connection, account_id: UUID, as_of: date | None = None) -> AccountRead:
    """The account as it is, or at the end of an earlier day; before its first fact it owes nothing.

    Raises UnknownAccount where there is no such account, and BadQuestion for a day to come.
    """
    account = account_now(service, account_id)
    assert account.customer.office_id is not None  # noqa: S101  an account is opened in one
    office = service.arrears.load(Office, account.customer.office_id)
    today = local_date(service.clock.now(), office.zone)
    if as_of is not None and as_of > today:
        raise BadQuestion(f"as_of: expected {today} or earlier")
    if as_of is None or as_of == today:
        return AccountRead(account, account, office, today, account.version, [], None)
    history = service.arrears.history(Account, account_id)
    true_then = [recorded for recorded in history if recorded.effective_on <= as_of]
    return AccountRead(
        account=_folded(account_id, (r for r in history if local_date(r.recorded_at, office.zone) <= as_of)),
        customer=_folded(account_id, (r for r in history if _is_of_customer(r, as_of))),
        office=office,
        as_of=as_of,
        version=len(true_then),
        history=true_then,
        then=statement(connection, account_id, as_of=as_of, scheme=office.scheme),
    )


def events_to_be_shown(service: Service, connection: Connection, account_id: UUID) -> list[Recorded]:
    """Events of an account that the ledger or the audit trail does not show yet, oldest first: none, but for a moment
    after something was recorded."""
    shown = version_shown(connection, account_id, ["ledger"])
    return service.arrears.history(Account, account_id, after=shown)


def together(shown: Mapping[int, Recorded], later: Iterable[Recorded]) -> list[Recorded]:
    """Events by position with those that are to be shown: each once, oldest first."""
    found = {recorded.event_id: recorded for recorded in (*shown.values(), *later)}
    return sorted(found.values(), key=lambda recorded: recorded.version)


def read_whole_account(
    service: Service, connection: Connection, account_id: UUID, as_of: date | None = None
) -> AccountRead:
    """The same with everything that the account ever had: its cost follows its history. Raises what that does."""
    read = read_account(service, connection, account_id, as_of)
    if read.then is not None:
        return read
    history = service.arrears.history(Account, account_id)
    account = _folded(account_id, history)
    return replace(read, account=account, customer=account, version=account.version, history=history)


def _folded(account_id: UUID, history: Iterable[Recorded]) -> Account:
    account = Account.blank(account_id, whole=True)
    account.fold(history)
    return account


_OF_CUSTOMER = (
    CustomerRenamed,
    CustomerNumberChanged,
    CustomerShared,
    CustomerParted,
    SubscriptionRecorded,
    ContactDetailsChanged,
    ConsentRecorded,
    OptedOut,
    OptedIn,
    WishesShared,
)


def _is_of_customer(recorded: Recorded, as_of: date) -> bool:
    """What an account was opened with is so from its first day: invoices may be older than the customer's record."""
    return isinstance(recorded.event, AccountOpened) or (
        isinstance(recorded.event, _OF_CUSTOMER) and recorded.effective_on <= as_of
    )


def account_view(read: AccountRead) -> AccountView:
    account, customer, office, as_of = read.account, read.customer.customer, read.office, read.as_of
    then = _of_then(read.then) if read.then is not None else _of_today(account, office, as_of)
    return AccountView(
        id=account.id,
        office_id=office.id,
        office=office.code,
        number=customer.account_name,
        customer_number=customer.customer_number if _is_shared(customer) else None,
        accounts=customer_accounts(customer),
        version=read.version,
        as_of=as_of,
        currency=customer.currency,
        customer_name=customer.name,
        customer_kind=customer.kind,
        segment=customer.segment,
        country=customer.country,
        contact=read.customer.contact.details,
        opt_outs=read.customer.contact.opt_outs,
        subscriptions=list(_subscriptions(customer, account.freezing)),
        aging=_aging(customer.currency, then["open_items"], office.scheme),
        unapplied_funds=[funds for funds in _all_funds(read) if funds.unapplied],
        next_action=_next_action(account, office),
        promises=[PromiseInForce(**vars(p)) for p in account.promises.open.values()],
        broken_promises=account.promises.broken,
        disputes=[_dispute(dispute) for dispute in account.disputes.open.values()],
        holds=list(account.holds.in_force.values()),
        legal_cases=list(account.legal_cases.open.values()),
        complaints=list(account.complaints.open.values()),
        payment_claims=[
            PaymentClaimView(id=c.id, item_ids=list(c.item_ids), amount=c.amount, until=c.until, accepted=c.accepted)
            for c in account.payment_claims.open.values()
        ],
        exclusion=account.exclusion.current,
        follow_ups=sorted(account.activities.follow_ups.values(), key=lambda f: f.due_on),
        undocumented=undocumented_of(account),
        contact_facts=facts_of(account),
        retired_points=retired_points(account),
        **then,
    )


def _is_shared(customer: Customer) -> bool:
    return bool(customer.accounts) or customer.customer_number != customer.number


def customer_accounts(customer: Customer) -> list[CustomerAccount]:
    """The customer's other accounts, by what people call them."""
    others = sorted(customer.accounts.values(), key=lambda other: other.name)
    return [CustomerAccount(id=other.account_id, number=other.name, currency=other.currency) for other in others]


def id_of_account_called(service: Service, office_id: UUID, name: str, *, currency: str) -> UUID:
    """The account of an office that people call so, for money in a currency: by its number alone, or with the currency
    behind. One in that currency comes first; where there is none at all, the id that one of this number has."""
    name = name.strip()
    ids = (*ids_by_name(office_id, name), account_id(office_id, name, currency))
    found = service.arrears.load_many(Account, ids)
    found.sort(key=lambda each: (each.customer.currency != currency, each.customer.account_name != name))
    return found[0].id if found else ids[0]


def accounts_of_customer(service: Service, offices: Iterable[UUID], number: str) -> list[UUID]:
    """The ids of the accounts that a customer has in these offices."""
    number = number.strip()
    found = service.arrears.find_many(Account, [customer_key(office, number) for office in offices])
    return [account.id for account in found if account.customer.customer_number == number]


def _of_today(account: Account, office: Office, today: date) -> dict[str, Any]:
    """Money, stage and flags, from the account itself."""
    items = [
        item_view(i, account.receivables.disputed_of(i), office.scheme, today)
        for i in sorted(account.receivables.items.values(), key=allocation_order)
    ]
    dpd = max((item.days_past_due for item in items), default=0)
    chase = account.chase
    return {
        "balance": account.receivables.balance,
        "outstanding": account.receivables.outstanding,
        "unapplied": account.receivables.unapplied,
        "days_past_due": max(0, dpd),
        "bucket": office.scheme.bucket_of(dpd),
        "open_items": items,
        "stage": chase.stage,
        "why": chase.why,
        "campaign_id": chase.campaign_id,
        "plan_version": chase.plan_version,
        "flags": sorted(account.flags.carried),
        "collections_stage": _if_set(account.collections_stage.stage),
        "frozen": account.freezing.current.code if account.freezing.current else None,
        "written_off": account.receivables.claims or None,
    }


def _of_then(then: Statement) -> dict[str, Any]:
    """The same from the report of a past day."""
    row = then.row

    def money(amount: Decimal) -> Money:
        return Money.rounded(amount, row.currency)

    return {
        "balance": money(row.balance),
        "outstanding": money(row.outstanding),
        "unapplied": money(row.unapplied),
        "days_past_due": row.days_past_due,
        "bucket": row.bucket,
        "open_items": [
            ItemView(
                **item.model_dump(exclude={"item_id", "amount", "open", "disputed_amount"}),
                id=item.item_id,
                amount=money(item.amount),
                open=money(item.open),
                disputed_amount=_if_in_part(money(item.disputed_amount), money(item.open)),
            )
            for item in then.items
        ],
        "stage": row.stage,
        "why": row.why,
        "campaign_id": then.campaign_id,
        "plan_version": then.plan_version,
        "flags": row.flags,
        "collections_stage": row.collections_stage,
        "frozen": row.frozen,
        "written_off": money(row.written_off) if row.written_off is not None else None,
    }


def _subscriptions(customer: Customer, freezing: Freezing) -> Iterator[SubscriptionView]:
    """What was true of each by the day, and whether it is frozen as it was recorded by then."""
    for number, each in customer.subscriptions.items():
        freeze = freezing.subscriptions.get(number) if each.cancelled_on is None else None
        yield SubscriptionView(
            **dict(each),
            status=status_of(each, freeze),
            frozen=freeze.code if freeze else None,
            frozen_since=freeze.since if freeze else None,
        )


def _if_set(stage: CollectionsStage) -> CollectionsStage | None:
    return None if stage is CollectionsStage.NOT_SET else stage


def _dispute(dispute: Dispute) -> DisputeView:
    parts = [DisputedPartView(item_id=part.item_id, amount=part.amount) for part in dispute.parts or ()]
    return DisputeView(
        id=dispute.id,
        item_ids=list(dispute.item_ids),
        reason_code=dispute.reason_code,
        opened_on=dispute.opened_on,
        parts=parts or None,
        assignee=dispute.assignee,
        answer_by=dispute.answer_by,
        overdue=dispute.is_overdue,
    )


def _if_in_part(disputed: Money, of: Money) -> Money | None:
    return disputed if disputed and disputed < of else None


def item_view(item: OpenItem, disputed: Money, scheme: BucketScheme, as_of: date) -> ItemView:
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
        disputed_amount=_if_in_part(disputed, item.open),
    )


def funds_view(funds: Funds) -> FundsView:
    return FundsView(
        id=funds.id,
        kind=funds.receipt.kind,
        number=funds.receipt.number,
        received_on=funds.receipt.received_on,
        amount=funds.receipt.amount,
        unapplied=funds.unapplied,
        gone_back=funds.receipt.amount if funds.reversed else funds.receipt.amount - funds.remaining,
        reversed=funds.reversed,
        waits_for_invoice=funds.receipt.waits_for if funds.waits else ", ".join(funds.unknown) or None,
        transferred_from=PaymentElsewhere(**_elsewhere(source)) if (source := funds.receipt.transferred_from) else None,
        transferred_to=tuple(
            TransferredAmount(**_elsewhere(sent.to), amount=sent.amount, transferred_on=sent.sent_on)
            for sent in funds.sent
            if sent.back_on is None
        )
        or None,
    )


def _elsewhere(payment: OtherPayment) -> dict[str, Any]:
    return {"account_id": payment.account_id, "account_number": payment.account_name, "number": payment.number}


def all_funds(read: AccountRead) -> list[FundsView]:
    """Every payment and credit that had come in, the latest first, of an account that was read as a whole."""
    return _all_funds(read)[::-1]


def _all_funds(read: AccountRead) -> list[FundsView]:
    """By day."""
    if read.then is None:
        receivables = read.account.receivables
        kept = [*receivables.funds.values(), *receivables.used_up.values()]
    else:
        kept = funds_then(read.history, read.then)
    return [funds_view(f) for f in sorted(kept, key=lambda f: (f.receipt.received_on, f.receipt.number))]


def funds_then(history: Sequence[Recorded], then: Statement) -> list[Funds]:
    """Of a past day: what the ledger says was left of each."""
    unapplied_of = then.unapplied_of
    billed = [recorded.event.item for recorded in history if isinstance(recorded.event, InvoiceBilled)]

    def came(receipt: Receipt) -> Funds:
        left = Money.rounded(unapplied_of.get(receipt.id, Decimal()), receipt.amount.currency)
        waits = receipt.waits_for is not None and not any(has_name(item, receipt.waits_for) for item in billed)
        unknown = [n for n in receipt.unknown or () if not any(has_name(item, n) for item in billed)]
        return Funds(receipt=receipt, unapplied=left, waits=waits, unknown=tuple(unknown))

    return funds_as_recorded(history, came)


def funds_as_recorded(history: Iterable[Recorded], came: Callable[[Receipt], Funds]) -> list[Funds]:
    """Payments and credits, and what went back of them, from the events that say so; `came` says how much is left of
    each, and what it waits for."""
    found: dict[UUID, Funds] = {}
    for recorded in history:
        match recorded.event:
            case PaymentReceived(receipt=receipt) | CreditNoted(receipt=receipt):
                found[receipt.id] = came(receipt)
            case PaymentTransferred(receipt=receipt) as event if receipt.id in found:
                sent = Sent(to=event.to, amount=event.amount, sent_on=event.transferred_on)
                found[receipt.id].sent = (*found[receipt.id].sent, sent)
            case TransferReturned(receipt=receipt, to=there) if receipt.id in found:
                found[receipt.id].sent = tuple(each for each in found[receipt.id].sent if each.to != there)
            case PaymentReversed(receipt=receipt) | CreditWithdrawn(receipt=receipt) if receipt.id in found:
                found[receipt.id].reversal = ReversalKind.ERROR
            case (PaymentReversedInPart() | FundsRefunded()) as went if went.receipt.id in found:
                _keeping_unapplied(found[went.receipt.id], lambda funds: funds.part_gone(went.part))
            case (ReversalWithdrawn() | RefundWithdrawn()) as again if again.receipt.id in found:
                _keeping_unapplied(found[again.receipt.id], lambda funds: funds.part_here_again(again.part))
    return list(found.values())


def _keeping_unapplied(funds: Funds, change: Callable[[Funds], None]) -> None:
    """The ledger has said what is left of it."""
    left = funds.unapplied
    change(funds)
    funds.unapplied = left


def _comes_due(promise: OpenPromise) -> date:
    """The day of the first instalment of which something is to come."""
    return next((due_on for due_on, left in promise.to_come if left), promise.due_on)


def _aging(currency: str, items: list[ItemView], scheme: BucketScheme) -> list[BucketAmount]:
    """Every bucket of the office, youngest first; their sum is what is outstanding."""
    return [
        BucketAmount(
            bucket=name,
            amount=Money.total((item.open for item in items if item.bucket == name), currency),
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
    if account.chase.review_at is not None and not planned:
        planned.append(NextAction(kind="review", title="Review", on=day_of(account.chase.review_at)))
    planned += [
        NextAction(kind="follow-up", title=f"follow-up{f' by {f.assignee}' if f.assignee else ''}", on=f.due_on)
        for f in account.activities.follow_ups.values()
    ]
    planned += [
        NextAction(kind="promise", title=f"promise of {p.amount} comes due", on=_comes_due(p))
        for p in account.promises.open.values()
    ]
    planned += [
        NextAction(kind="complaint", title="complaint is to be answered", on=c.answer_by)
        for c in account.complaints.open.values()
        if c.answered_on is None
    ]
    planned += [
        NextAction(kind="dispute", title="dispute is to be resolved", on=d.answer_by)
        for d in account.disputes.open.values()
        if d.answer_by is not None and not d.is_overdue
    ]
    planned += [
        NextAction(kind="payment-claim", title="check of what is said to be paid ends", on=c.until + timedelta(days=1))
        for c in account.payment_claims.open.values()
    ]
    planned += [
        NextAction(kind="hold", title=f"hold ({h.code}) ends", on=h.until + timedelta(days=1))
        for h in account.holds.in_force.values()
        if h.until is not None
    ]
    return min(planned, key=lambda action: action.on, default=None)
