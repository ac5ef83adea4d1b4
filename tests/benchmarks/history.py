"""A long history of many accounts at once, made of events alone: as the write path would have left it."""

import random
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from adapters.eventstore.keys import KeyRing
from adapters.eventstore.mapper import EventMapper
from adapters.eventstore.recorder import LogRecorder, app_connections
from adapters.eventstore.sealer import Sealer
from adapters.postgres.database import Database
from aggregates.account.activities import ActivityKind, ActivityRecorded, Direction
from aggregates.account.aging import Aged, BucketMove
from aggregates.account.allocation import AllocatedPart, FundsAllocated
from aggregates.account.billing import InvoiceBilled
from aggregates.account.chase import CoveredItem, ScheduledStep, Stage, StageChanged, StepScheduled, StepUnscheduled
from aggregates.account.contact import ContactDetailsChanged
from aggregates.account.customer import AccountOpened, CustomerKind
from aggregates.account.messages import MessageDispatched, MessageQueued, MessageSent
from aggregates.account.payments import PaymentReceived
from aggregates.account.promises import PromiseClosed, PromiseRegistered
from aggregates.account.receivables import FundsKind, Item, PromiseShare, Receipt
from aggregates.account.shields import Why
from aggregates.campaign import CampaignLaunched, CampaignPlan, Step, Template
from aggregates.kernel.command import identifier
from aggregates.kernel.event import Event, Meta, Recorded
from aggregates.office import OfficeOpened
from aggregates.promise import Instalment, PromiseKept, PromiseMade, PromisePaymentCounted
from aggregates.values.contact import Channel, ContactDetails, EmailAddress
from aggregates.values.money import Money

MASTER_KEY = bytes(32)
OFFICE, CAMPAIGN = identifier("office", "bench"), identifier("campaign", "bench")

_DAY_ONE = date(2025, 1, 6)
_MIDNIGHT = datetime(2025, 1, 6, tzinfo=UTC)
_CHUNK = 5_000
_PER_ACCOUNT = 28

Visit = Sequence[tuple[UUID, Event]]
"""What one command leaves: a few events of the account, and of its promise."""

Doing = Callable[[UUID, int], Visit]


def write(database: Database, events: int) -> int:
    """Stores and seals at least so many events; returns how many there are."""
    connections = app_connections(database)
    recorder, mapper = LogRecorder(connections), EventMapper(KeyRing(connections, MASTER_KEY))
    sealer, written = Sealer(database), 0
    chunk: list[Recorded] = []

    def store() -> None:
        facts, keys = mapper.encode(chunk)
        recorder.append(facts, new_keys=keys)
        sealer.seal_once()

    for visit in history(max(1, events // _PER_ACCOUNT)):
        chunk += visit
        if len(chunk) >= _CHUNK or written + len(chunk) >= events:
            store()
            written += len(chunk)
            chunk = []
            if written >= events:
                break
    if chunk:
        store()
        written += len(chunk)
    sealer.close()
    connections.close()
    return written


def history(accounts: int) -> Iterator[list[Recorded]]:
    """Visits in the order of days; within a day the accounts come as they come."""
    chance = random.Random(7)
    versions: dict[UUID, int] = {}
    seconds = 0

    def recorded(visit: Visit, account_id: UUID | None, day: int) -> list[Recorded]:
        nonlocal seconds
        seconds += 1
        cause = identifier("cause", seconds)
        meta = Meta(actor="policy:auto-collection@1", command_id=cause, correlation_id=cause, causation_id=cause)
        found = []
        for aggregate_id, event in visit:
            version = versions[aggregate_id] = versions.get(aggregate_id, 0) + 1
            event_id = UUID(int=aggregate_id.int ^ version << 64)
            on_day, at = _DAY_ONE + timedelta(days=day), _MIDNIGHT + timedelta(days=day, seconds=seconds % 80_000)
            found.append(Recorded(aggregate_id, version, event_id, account_id, on_day, at, event, meta))
        return found

    step = Step(id="reminder", title="Reminder", days=3, channel=Channel.EMAIL, templates={"en": Template(body="…")})
    yield recorded([(OFFICE, OfficeOpened(code="bench", title="Bench", currency="USD", time_zone="UTC"))], None, 0)
    launched = CampaignLaunched(office_id=OFFICE, title="Reminders", plan=CampaignPlan(steps=(step,)))
    yield recorded([(CAMPAIGN, launched)], None, 0)
    for day, doing in enumerate(_DAYS):
        order = list(range(accounts))
        chance.shuffle(order)
        for number in order:
            account_id = identifier("bench", number)
            yield recorded(doing(account_id, number), account_id, day)


# --- the life of an account ------------------------------------------------------------------------------


def _usd(minor: int) -> Money:
    return Money(minor, "USD")


def _item(account_id: UUID, number: int, nth: int) -> Item:
    issued = _DAY_ONE + timedelta(days=nth)
    return Item(
        id=UUID(int=account_id.int ^ nth),
        number=f"I-{number}-{nth}",
        issued_on=issued,
        due_on=issued + timedelta(days=10),
        amount=_usd(10_000 + number % 5_000),
        charges=_usd(10_000 + number % 5_000),
    )


def _open_account(account_id: UUID, number: int) -> Visit:
    opened = AccountOpened(
        office_id=OFFICE,
        number=f"A-{number:07}",
        customer_name=f"Customer {number}",
        currency="USD",
        customer_kind=CustomerKind.COMMERCIAL,
        segment="retail",
        country="US",
    )
    contact = ContactDetails(emails=(EmailAddress(id="email-1", address=f"c{number}@example.org"),))
    return [(account_id, opened), (account_id, ContactDetailsChanged(contact=contact))]


def _bill(nth: int) -> Doing:
    def doing(account_id: UUID, number: int) -> Visit:
        return [(account_id, InvoiceBilled(item=_item(account_id, number, nth), known_on=_DAY_ONE))]

    return doing


def _age(bucket: str) -> Doing:
    def doing(account_id: UUID, number: int) -> Visit:
        item = _item(account_id, number, 1)
        move = BucketMove(item_id=item.id, bucket=bucket, next_on=item.due_on + timedelta(days=31))
        aged = Aged(as_of=item.due_on, moves=(move,), bucket=bucket, previous_bucket="current", days_past_due=1)
        return [(account_id, aged)]

    return doing


def _stage(account_id: UUID, stage: Stage) -> tuple[UUID, Event]:
    why = Why(code="meets-rules", detail="past due and within the rules of the campaign")
    changed = StageChanged(
        stage=stage, previous=None, why=why, ends_engagement=False, campaign_id=CAMPAIGN, plan_version=1
    )
    return account_id, changed


def _step(account_id: UUID, number: int, day: int) -> tuple[UUID, Event]:
    due_at = _MIDNIGHT + timedelta(days=day, hours=14, seconds=number % 3_600)
    step = ScheduledStep(
        campaign_id=CAMPAIGN, plan_version=1, step_id="reminder", title="Reminder",
        anchor_item_id=UUID(int=account_id.int ^ 1), due_at=due_at, required=False,
    )  # fmt: skip
    return account_id, StepScheduled(step=step)


def _judge(account_id: UUID, number: int) -> Visit:
    return [_step(account_id, number, 14), _stage(account_id, Stage.SCHEDULED)]


def _queue(account_id: UUID, number: int) -> Visit:
    item = _item(account_id, number, 1)
    queued = MessageQueued(
        message_id=account_id, campaign_id=CAMPAIGN, plan_version=1, step_id="reminder", step_title="Reminder",
        channel=Channel.EMAIL, point_id="email-1", language="en",
        items=(CoveredItem(item_id=item.id, open=item.amount, step_id="reminder"),),
        amount=item.amount, queued_at=_MIDNIGHT, queued_on=_DAY_ONE,
    )  # fmt: skip
    return [(account_id, queued), _step(account_id, number, 30)]


def _send(account_id: UUID, number: int) -> Visit:
    sent = MessageSent(
        message_id=account_id, step_id="reminder", step_title="Reminder", channel=Channel.EMAIL, subject="Reminder",
        body=f"Dear customer {number}, please pay what is past due. " * 6, body_sha256="0" * 64,
        carrier_reference=None, sent_at=_MIDNIGHT, sent_on=_DAY_ONE,
    )  # fmt: skip
    return [(account_id, MessageDispatched(message_id=account_id)), (account_id, sent)]


def _engage(account_id: UUID, number: int) -> Visit:
    return [_stage(account_id, Stage.ENGAGED)]


def _receipt(account_id: UUID, number: int, nth: int, *, towards: UUID | None = None) -> Receipt:
    amount = _item(account_id, number, nth).amount
    shares = (PromiseShare(promise_id=towards, amount=amount),) if towards else ()
    return Receipt(
        id=UUID(int=account_id.int ^ 100 + nth), kind=FundsKind.PAYMENT, number=f"P-{number}-{nth}", amount=amount,
        received_on=_DAY_ONE + timedelta(days=20), promises=shares,
    )  # fmt: skip


def _pay(account_id: UUID, number: int, nth: int, *, towards: UUID | None = None) -> Visit:
    receipt = _receipt(account_id, number, nth, towards=towards)
    part = AllocatedPart(item_id=_item(account_id, number, nth).id, amount=receipt.amount, open_after=_usd(0))
    allocated = FundsAllocated(
        funds_id=receipt.id, allocated_on=receipt.received_on, parts=(part,), unapplied_after=_usd(0)
    )
    return [(account_id, PaymentReceived(receipt=receipt)), (account_id, allocated)]


def _pay_second(account_id: UUID, number: int) -> Visit:
    return _pay(account_id, number, 2)


def _call(account_id: UUID, number: int) -> Visit:
    called = ActivityRecorded(
        activity_id=account_id, kind=ActivityKind.CALL, direction=Direction.OUTBOUND,
        disposition="spoke-to-customer", notes="will pay on Friday", assignee="ann",
        follow_up_on=_DAY_ONE + timedelta(days=40),
    )  # fmt: skip
    return [(account_id, called)]


def _promise_id(account_id: UUID) -> UUID:
    return UUID(int=account_id.int ^ 1_000)


def _promise(account_id: UUID, number: int) -> Visit:
    amount, due_on = _item(account_id, number, 1).amount, _DAY_ONE + timedelta(days=35)
    registered = PromiseRegistered(
        promise_id=_promise_id(account_id), made_on=_DAY_ONE, due_on=due_on, amount=amount, remaining=amount
    )
    made = PromiseMade(
        account_id=account_id, made_on=_DAY_ONE, instalments=(Instalment(due_on=due_on, amount=amount),),
        grace_days=3, level=0, notes="on the phone",
    )  # fmt: skip
    return [(_promise_id(account_id), made), (account_id, registered), _stage(account_id, Stage.BLOCKED)]


def _keep(account_id: UUID, number: int) -> Visit:
    promise_id = _promise_id(account_id)
    receipt = _receipt(account_id, number, 1, towards=promise_id)
    counted = PromisePaymentCounted(payment_id=receipt.id, amount=receipt.amount, received_after=receipt.amount)
    return [
        *_pay(account_id, number, 1, towards=promise_id),
        (promise_id, counted),
        (promise_id, PromiseKept(received=receipt.amount, kept_on=_DAY_ONE)),
        (account_id, PromiseClosed(promise_id=promise_id, outcome="kept", broken_promises=0)),
    ]


def _settle(account_id: UUID, number: int) -> Visit:
    why = Why(code="paid", detail="nothing is owed any more")
    stage = StageChanged(stage=None, previous=Stage.BLOCKED, why=why, ends_engagement=True)
    return [(account_id, StepUnscheduled(step_id="reminder", why=why)), (account_id, stage)]


_DAYS: tuple[Doing, ...] = (
    _open_account, _bill(1), _bill(2), _bill(3), _age("1-30"), _judge, _queue, _send, _engage, _pay_second, _call,
    _promise, _keep, _bill(4), _settle, _bill(5),
)  # fmt: skip
