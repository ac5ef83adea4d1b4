"""Promises, activity history and audit trail: what each event becomes, and that repeats and rebuilds change nothing."""

import ast
import fnmatch
import inspect
import random
from dataclasses import replace
from datetime import date, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from adapters import rules
from aggregates.account import Account
from aggregates.account.activities import ActivityKind, Direction, RecordActivity
from aggregates.account.billing import BillInvoice, WithdrawInvoice
from aggregates.account.chase import JUDGE, CoveredItem, Judgement
from aggregates.account.contact import OptOutOfContact
from aggregates.account.customer import AccountOpened, OpenAccount, RecordSubscription, Subscription
from aggregates.account.disputes import OpenDispute
from aggregates.account.exclusion import ExcludeAccount, Excluded
from aggregates.account.fees import AddFee, RecordFeeGround
from aggregates.account.flags import ClearFlag, FlagSet, SetFlag
from aggregates.account.freezing import FreezeSubscription, UnfreezeSubscription
from aggregates.account.holds import PlaceHold
from aggregates.account.messages import (
    DispatchMessage,
    MessageFailed,
    MessageQueued,
    MessageSent,
    MessageWithdrawn,
    ReportFailed,
    ReportUncertain,
)
from aggregates.account.payments import ReceivePayment, ReversePayment
from aggregates.account.receivables import ReversalKind
from aggregates.account.shields import Why
from aggregates.account.writing import SendMessage
from aggregates.kernel.context import Rules
from aggregates.kernel.event import REGISTRY, Event, Recorded
from aggregates.kernel.memory import MemoryStore
from aggregates.office import ChangeOfficeSettings
from aggregates.promise import (
    CountPayment,
    Instalment,
    MakePromise,
    PromiseBroken,
    TakePaymentBack,
    WithdrawPromise,
)
from aggregates.values.contact import Channel
from aggregates.values.fees import FeeBasis, FeeGround, FeeLine
from aggregates.workday import CloseWorkday
from projections.activity_history import ActivityHistoryProjection
from projections.activity_history import projection as activity_projection
from projections.activity_history.projection import KINDS, LEFT_OUT, kind_of
from projections.audit_trail import AuditTrailProjection
from projections.batch import Table
from projections.ledger import LedgerProjection
from projections.people import PeopleProjection
from projections.questions import Activity, activity, audit, promises
from projections.questions.activity_filters import TYPES
from projections.sentences import SENTENCES, sentence
from tests.builders import a_campaign
from tests.projections.conftest import PROJECTIONS, ReadModels
from tests.projections.history import MAIN, History, usd

JAN_1 = date(2026, 1, 1)
SECRET = "Grace Hopper"
RULES: Rules = {**rules.RULES, JUDGE: lambda *_: Judgement(None, Why(code="paid", detail="nothing is owed"))}


def day(number: int) -> date:
    return JAN_1 + timedelta(days=number)


@pytest.fixture
def history() -> History:
    return History(JAN_1, MemoryStore(RULES)).opened()


@pytest.fixture
def account(history: History) -> UUID:
    account = history.account(name=SECRET)
    history.give(BillInvoice(account_id=account, number="I-1", issued_on=JAN_1, due_on=day(3), amount=usd(10_000)))
    return account


def pay(history: History, account: UUID, number: str, amount: int) -> UUID:
    (received, *_) = history.give(
        ReceivePayment(account_id=account, number=number, received_on=history.today, amount=usd(amount))
    )
    return received.event.receipt.id  # type: ignore[attr-defined,no-any-return]


def promise(history: History, account: UUID, amount: int, *due: int) -> UUID:
    promise_id = uuid4()
    parts = tuple(Instalment(due_on=day(number), amount=usd(amount // len(due))) for number in due)
    history.give(MakePromise(promise_id=promise_id, account_id=account, instalments=parts, notes=f"{SECRET} called"))
    return promise_id


# --- promises ---


def test_a_promise_is_shown_as_it_stood_on_any_day(history: History, account: UUID, read_models: ReadModels):
    history.today = day(5)
    promised = promise(history, account, 6_000, 10, 20)
    history.today = day(8)
    paid = pay(history, account, "P-1", 6_000)
    about: dict[str, Any] = {"promise_id": promised, "account_id": account, "payment_id": paid}
    history.give(CountPayment(**about, amount=usd(6_000)))
    history.today = day(15)
    history.give(ReversePayment(account_id=account, number="P-1", reversal=ReversalKind.NSF, reversed_on=day(15)))
    history.give(TakePaymentBack(**about))
    read_models.build(history.log)

    def stood(number: int) -> tuple[str, str, date | None]:
        (row,) = promises(read_models.connection, read_models.log, as_of=day(number)).rows
        return row.status.value, str(row.received), row.judged_on

    assert promises(read_models.connection, read_models.log, as_of=day(4)).rows == ()
    assert stood(5) == ("open", "0.00", None)
    assert stood(8) == ("kept", "60.00", day(8))
    assert stood(15)[:2] == ("broken", "0.00")
    (now,) = read_models.connection.execute(
        "SELECT status, received_minor, promised_minor, due_on, position FROM read_model.promises"
    ).fetchall()
    assert now[:4] == ("broken", 0, 6_000, day(20))
    assert now[4] == max(r.position or 0 for r in history.of(promised))
    (row,) = promises(read_models.connection, read_models.log, as_of=day(15)).rows
    assert row.notes == f"{SECRET} called"


def test_promises_come_in_pages_by_due_date_and_can_be_filtered(
    history: History, account: UUID, read_models: ReadModels
):
    made = [promise(history, account, 1_000, number) for number in (9, 7, 8)]
    history.give(WithdrawPromise(promise_id=made[0], account_id=account), reason="paid otherwise")
    read_models.build(history.log)
    first = promises(read_models.connection, read_models.log, as_of=day(0), limit=2)
    second = promises(read_models.connection, read_models.log, as_of=day(0), limit=2, cursor=first.next_cursor)
    assert [row.promise_id for row in (*first.rows, *second.rows)] == [made[1], made[2], made[0]]
    assert second.next_cursor is None
    withdrawn = promises(read_models.connection, read_models.log, as_of=day(0), status=second.rows[0].status)
    assert [row.promise_id for row in withdrawn.rows] == [made[0]]
    assert withdrawn.rows[0].judged_on == day(0)


# --- activity history ---


def test_what_was_done_about_an_account_newest_first(history: History, account: UUID, read_models: ReadModels):
    history.today = day(4)
    history.give(
        RecordActivity(
            account_id=account,
            kind=ActivityKind.CALL,
            direction=Direction.OUTBOUND,
            disposition="left-message",
            notes=f"left a message for {SECRET}",
            assignee="ann",
            follow_up_on=day(6),
        )
    )
    history.give(SetFlag(account_id=account, flag="bankruptcy"), reason="letter of the court")
    history.today = day(5)
    pay(history, account, "P-1", 2_500)
    read_models.build(history.log)
    shown = activity(read_models.connection, read_models.log, account)
    assert [(row.kind, row.summary) for row in shown.rows] == [
        ("payment", "Payment P-1 of 25.00 USD received"),
        ("flag-set", "Flag bankruptcy set"),
        ("call", "Call (outbound, left message); follow up on 2026-01-07"),
        ("account-opened", "Account A-1 opened in USD"),
    ]
    call = shown.rows[2]
    assert (call.channel, call.direction, call.disposition) == ("voice", "outbound", "left-message")
    assert (call.notes, call.assignee, call.actor) == (f"left a message for {SECRET}", "ann", "person:tester")
    assert activity(read_models.connection, read_models.log, account, as_of=day(4)).rows[0].kind == "flag-set"
    assert [row.kind for row in activity(read_models.connection, read_models.log, account, kinds=["call"]).rows] == [
        "call"
    ]


def test_history_comes_in_pages(history: History, account: UUID, read_models: ReadModels):
    for number in range(1, 8):
        history.today = day(number % 3)
        pay(history, account, f"P-{number}", 100)
    read_models.build(history.log)
    whole = activity(read_models.connection, read_models.log, account).rows
    paged: list[Activity] = []
    cursor = None
    while True:
        page = activity(read_models.connection, read_models.log, account, limit=3, cursor=cursor)
        paged += page.rows
        cursor = page.next_cursor
        if cursor is None:
            break
    assert tuple(paged) == whole
    assert len(whole) == 8


def message_events(history: History, account: UUID) -> list[Recorded]:
    """A message queued, then sent; another one queued, then withdrawn."""
    campaign, first, second = uuid4(), uuid4(), uuid4()
    covered = CoveredItem(item_id=uuid4(), open=usd(100), step_id="first")
    pattern = history.log[-1]
    now = pattern.recorded_at

    def queued(message_id: UUID) -> Event:
        return MessageQueued(
            message_id=message_id, campaign_id=campaign, plan_version=3, step_id="first", step_title="First reminder",
            channel=Channel.EMAIL, point_id="email-1", language="en", items=(covered,), amount=usd(100), queued_at=now,
            queued_on=JAN_1,
        )  # fmt: skip

    sent = MessageSent(
        message_id=first, step_id="first", step_title="First reminder", channel=Channel.EMAIL, subject="Your account",
        body=f"Dear {SECRET}", body_sha256="0" * 64, carrier_reference=None, sent_at=now, sent_on=JAN_1,
    )  # fmt: skip
    withdrawn = MessageWithdrawn(message_id=second, step_id="first", why=Why(code="paid", detail="it was paid"))
    return [
        Recorded(account, 50 + n, uuid4(), account, JAN_1, now, event, pattern.meta, len(history.log) + 1 + n)
        for n, event in enumerate([queued(first), sent, queued(second), withdrawn])
    ]


@pytest.mark.parametrize("batch", [1, 2, 100])
def test_each_word_about_a_message_names_the_campaign_version_that_sent_it(
    history: History, account: UUID, read_models: ReadModels, batch: int
):
    read_models.build([*history.log, *message_events(history, account)], batch=batch)
    rows = read_models.connection.execute(
        "SELECT kind, channel, direction, plan_version, campaign_id IS NOT NULL, summary, has_notes "
        "FROM read_model.activity_history WHERE kind LIKE 'message-%' ORDER BY position"
    ).fetchall()
    assert [(row[0], *row[1:5]) for row in rows] == [
        (kind, "email", "outbound", 3, True)
        for kind in ("message-queued", "message-sent", "message-queued", "message-withdrawn")
    ]
    assert rows[1][5:] == ("Message first (First reminder) sent by email", True)
    (sent,) = activity(read_models.connection, read_models.log, account, kinds=["message-sent"]).rows
    assert sent.notes == f"Your account\n\nDear {SECRET}"
    assert rows[3][5] == "Message first withdrawn: it was paid"


def test_the_carrier_s_words_about_a_failed_message_are_notes_of_the_history_and_nowhere_else(
    history: History, account: UUID, read_models: ReadModels
):
    queued, *_ = message_events(history, account)
    assert isinstance(queued.event, MessageQueued)
    failed = MessageFailed(
        message_id=queued.event.message_id, step_id="first", channel=Channel.EMAIL, code="bounced",
        detail=f"{SECRET} does not live here",
    )  # fmt: skip
    told = replace(queued, event=failed, version=queued.version + 1, event_id=uuid4(), position=len(history.log) + 2)
    read_models.build([*history.log, queued, told])
    (row,) = activity(read_models.connection, read_models.log, account, kinds=["message-failed"]).rows
    assert (row.summary, row.notes) == ("Message first by email failed: bounced", f"{SECRET} does not live here")
    assert read_models.column("SELECT reason FROM read_model.audit_trail WHERE event_id = %s", told.event_id) == [None]
    assert read_models.column("SELECT data FROM read_model.audit_trail WHERE data::text ~ 'does not live here'") == []


# --- audit trail ---


def test_the_audit_trail_says_what_who_under_which_version_and_why(
    history: History, account: UUID, read_models: ReadModels
):
    history.give(PlaceHold(account_id=account, code="vacation"), reason="back in June")
    cause = uuid4()
    history.give(SetFlag(account_id=account, flag="bankruptcy"), actor="policy:scrub@7", causation_id=cause)
    promised = promise(history, account, 1_000, 5)
    read_models.build(history.log)
    trail = audit(read_models.connection, read_models.log, account).rows
    assert [row.event_name for row in trail] == [r.name for r in history.log if r.account_id == account]
    hold = next(row for row in trail if row.event_name == "account.hold-placed")
    assert (hold.summary, hold.reason) == ("Hold placed: vacation", "back in June")
    assert (hold.actor_kind, hold.actor_id, hold.actor_version) == ("person", "tester", None)
    flag = next(row for row in trail if row.event_name == "account.flag-set")
    assert (flag.actor_kind, flag.actor_id, flag.actor_version) == ("policy", "scrub", "7")
    assert flag.causation_id == cause
    assert {row.aggregate_kind for row in trail} == {"account", "promise"}
    assert [row.event_name for row in audit(read_models.connection, read_models.log, promised).rows] == ["promise.made"]
    assert [row.summary for row in audit(read_models.connection, read_models.log, MAIN).rows] == [
        "Office main (Main) opened: USD, UTC"
    ]


def test_personal_text_is_in_no_summary_and_in_no_data(history: History, account: UUID, read_models: ReadModels):
    history.give(OpenAccount(office_id=MAIN, number="A-1", customer_name=f"Dr. {SECRET}", currency="USD"))
    history.give(OpenDispute(account_id=account, reason_code="quality", notes=f"{SECRET} is unhappy"))
    promise(history, account, 1_000, 5)
    read_models.build([*history.log, *message_events(history, account)])
    assert read_models.column("SELECT count(*) FROM read_model.audit_trail")[0] > 6
    assert read_models.column("SELECT summary || data FROM read_model.audit_trail WHERE data::text ~ 'Hopper'") == []
    assert read_models.column("SELECT summary FROM read_model.audit_trail WHERE summary ~ 'Hopper'") == []
    assert read_models.column("SELECT summary FROM read_model.activity_history WHERE summary ~ 'Hopper'") == []


def test_the_trail_of_an_account_comes_in_pages(history: History, account: UUID, read_models: ReadModels):
    for number in range(1, 6):
        pay(history, account, f"P-{number}", 100)
    read_models.build(history.log)
    first = audit(read_models.connection, read_models.log, account, limit=4)
    rest = audit(read_models.connection, read_models.log, account, cursor=first.next_cursor)
    assert [r.position for r in (*first.rows, *rest.rows)] == [
        r.position for r in history.log if r.account_id == account
    ]


def test_an_event_without_a_sentence_of_its_own_is_told_by_the_first_of_its_docstring():
    class Unheard(Event):
        """Nobody picked up: the
        line was dead. `tries` is how often."""

    assert sentence(Unheard()) == "Nobody picked up: the line was dead"


def test_no_event_of_the_product_is_told_in_words_that_are_meant_for_programmers():
    ours = [REGISTRY.current(name) for name in REGISTRY.names() if not name.startswith(("test.", "test-"))]
    told = [sentence(event_class.model_construct()) for event_class in ours if event_class not in SENTENCES]
    assert [said for said in told if not said or "`" in said or said == Event.__doc__] == []


def test_an_activity_is_named_like_its_event():
    kinds = [kind_of(event) for event in (FlagSet, Excluded, PromiseBroken, AccountOpened)]
    assert kinds == ["flag-set", "excluded", "promise-broken", "account-opened"]


def test_every_event_of_an_account_or_promise_is_an_activity_unless_it_is_left_out():
    told = ActivityHistoryProjection().interest or frozenset()
    left_out = {event.event_name for event in LEFT_OUT}
    of_both = {n for n in REGISTRY.names() if n.startswith(("account.", "promise."))}
    assert told | left_out == of_both
    assert not told & left_out


def test_every_kind_that_an_entry_has_is_known():
    source = ast.parse(inspect.getsource(activity_projection))
    named = {
        call.args[1].value
        for call in ast.walk(source)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute)
        if call.func.attr in {"add", "about_message"} and len(call.args) > 1 and isinstance(call.args[1], ast.Constant)
    }
    assert {"payment", "message-sent", "call-started"} <= named
    assert named <= KINDS
    for patterns in TYPES.values():
        assert all(fnmatch.filter(KINDS, pattern.replace("%", "*")) for pattern in patterns), patterns


# --- whatever they are told twice ---


def eventful() -> History:
    """A history with something for every table."""
    history = History(JAN_1, MemoryStore(RULES)).opened()
    history.give(a_campaign())
    for number in range(1, 6):
        account = history.account(f"A-{number}")
        for invoice in range(1, 4):
            history.today = max(history.today, day(invoice))
            history.give(
                BillInvoice(
                    account_id=account, number=f"I-{invoice}", issued_on=day(invoice), due_on=day(invoice + 3),
                    amount=usd(1_000 * invoice),
                )
            )  # fmt: skip
        promised = promise(history, account, 3_000, 20)
        pay(history, account, "P-1", 1_500)
        history.give(RecordActivity(account_id=account, kind=ActivityKind.NOTE, notes="a \x00 in a note"))
        said = history.give(SendMessage(account_id=account, channel=Channel.PORTAL, text="a \t in a message"))
        about_message = {"account_id": account, "message_id": said[0].event.message_id}  # type: ignore[attr-defined]
        history.give(DispatchMessage(**about_message))
        if number % 2:
            history.give(ReportFailed(**about_message, code="refused", detail="in a carrier's words"))
        else:
            history.give(ReportUncertain(**about_message))
        for done in range(2):
            subscription = Subscription(number="S-1", initial_discount=usd(500), services_agreed=2, services_done=done)
            history.give(RecordSubscription(account_id=account, subscription=subscription))
        history.give(FreezeSubscription(account_id=account, number="S-1", code="other"))
        if number % 2:
            history.give(UnfreezeSubscription(account_id=account, number="S-1"))
        if number == 2:
            cancelled = Subscription(number="S-1", cancelled_on=history.today)
            history.give(RecordSubscription(account_id=account, subscription=cancelled))
        history.give(RecordFeeGround(account_id=account, ground=FeeGround.LAW))
        _bear_a_fee(history, account, withdrawn=number % 2 == 0)
        history.give(SetFlag(account_id=account, flag="bankruptcy"))
        history.give(ClearFlag(account_id=account, flag="bankruptcy"))
        history.give(OptOutOfContact(account_id=account, channel=Channel.SMS))
        history.give(ExcludeAccount(account_id=account), reason="asked for a pause")
        history.today = day(12 + number)
        history.give(
            ReversePayment(account_id=account, number="P-1", reversal=ReversalKind.NSF, reversed_on=history.today)
        )
        history.give(WithdrawPromise(promise_id=promised, account_id=account), reason="moved away")
        history.give(OpenAccount(office_id=MAIN, number=f"A-{number}", customer_name=f"New {number}", currency="USD"))
        history.give(OpenAccount(office_id=MAIN, number=f"A-{number}", customer_name=f"Newer {number}", currency="USD"))
    history.give(CloseWorkday(office_id=MAIN, agent="kim", day=history.today, contacts=1, follow_ups=0, left=0))
    history.give(ChangeOfficeSettings(office_id=MAIN, time_zone="Europe/Berlin"))
    return history


def _bear_a_fee(history: History, account: UUID, *, withdrawn: bool) -> None:
    """Of an initial discount."""
    due = history.store.get(Account, account).receivables.balance
    line = FeeLine(source="S-1", base=usd(500), amount=usd(50))
    said: dict[str, Any] = {
        "fee_id": uuid4(),
        "basis": FeeBasis.INITIAL_DISCOUNT_PERCENT,
        "as_of": history.today,
        "due_today": due,
    }
    billed, *_ = history.give(AddFee(account_id=account, service_type="late-fee", lines=(line,), **said))
    if withdrawn:
        number = billed.event.item.number  # type: ignore[attr-defined]
        history.give(WithdrawInvoice(account_id=account, number=number), reason="a mistake")


@pytest.mark.parametrize("seed", range(4))
def test_replay_equals_live_however_often_an_event_is_delivered(read_models: ReadModels, seed: int):
    log = eventful().log
    read_models.build(log)
    once = read_models.contents()
    assert all(once.values())
    chance = random.Random(seed)
    read_models.build([])
    for make in PROJECTIONS:
        projection = make()
        at = 0
        while at < len(log):
            step = chance.choice([1, 3, 20, 90])
            chunk = [recorded for recorded in log[at : at + step] for _ in range(chance.randint(1, 3))]
            for _ in range(chance.randint(1, 2)):
                read_models.write(projection, chunk)
            if chance.random() < 0.5:
                back = max(0, at - chance.randint(1, 120))
                read_models.write(projection, log[back : at + step])
            at += step
    assert read_models.contents() == once


def test_an_earlier_change_told_again_alone_does_not_come_back(history: History, read_models: ReadModels):
    for name in ("Ada", "Ada Lovelace", "Ada King"):
        history.account(name=name)
    for zone in ("Europe/Berlin", "Europe/London"):
        history.give(ChangeOfficeSettings(office_id=MAIN, time_zone=zone))
    read_models.build(history.log)
    for recorded in history.log:
        read_models.write(LedgerProjection(), [recorded])
        read_models.write(PeopleProjection(), [recorded])
    assert read_models.column("SELECT customer_name FROM personal.people") == ["Ada King"]
    assert read_models.column("SELECT time_zone FROM read_model.ledger_offices") == ["Europe/London"]


def test_a_nul_in_a_note_is_left_out_of_few_rows_and_of_many(history: History, account: UUID, read_models: ReadModels):
    for _ in range(60):
        history.give(RecordActivity(account_id=account, kind=ActivityKind.NOTE, notes="a \x00 in a note"))
    for batch in (7, 1_000):
        read_models.build(history.log, batch=batch, projections=[ActivityHistoryProjection, LedgerProjection])
        noted = activity(read_models.connection, read_models.log, account, kinds=["note"], limit=100).rows
        assert [row.notes for row in noted] == ["a  in a note"] * 60


def test_rows_that_are_copied_and_rows_that_are_inserted_are_the_same(history: History, read_models: ReadModels):
    log = eventful().log
    read_models.build(log, batch=1_000)
    copied = read_models.contents()
    read_models.build(log, batch=1)
    assert read_models.contents() == copied


def test_a_table_takes_no_rows_without_a_word(read_models: ReadModels):
    Table("nowhere", key="id", columns=["id bigint"]).add(read_models.connection, [])
    AuditTrailProjection().handle([], read_models.connection)
