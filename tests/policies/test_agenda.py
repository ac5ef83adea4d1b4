"""The agenda's table: what each kind plans, in which order it is worked, and who asks for what."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import Any, get_args, get_type_hints
from uuid import UUID

import pytest

from aggregates.account.activities import ActivityKind, ActivityRecorded, Direction, FollowUpCompleted, FollowUpFellDue
from aggregates.account.aging import AgeAccount
from aggregates.account.allocation import SettleAllocation
from aggregates.account.attachments import AddAttachment
from aggregates.account.bulk import ApplyBulkAction, UndoBulkAction
from aggregates.account.chase import ReviewScheduled, StepUnscheduled
from aggregates.account.complaints import (
    ComplaintAnswered,
    ComplaintClosed,
    ComplaintMedium,
    ComplaintOutcome,
    ComplaintOverdue,
    ComplaintReceived,
)
from aggregates.account.deferred import FactArrived, FactDeferred, FactWithdrawn
from aggregates.account.dialling import DialCall, ReportCallNotPlaced, ReportCallOver, ReportCallPlaced
from aggregates.account.disputes import DisputeOpened, DisputeOverdue, DisputeResolved
from aggregates.account.fees import AddFee
from aggregates.account.holds import HoldPlaced, HoldReleased
from aggregates.account.inbound import HeedPoint, RecordReceipt
from aggregates.account.messages import (
    DispatchMessage,
    ReconsiderMessage,
    ReportFailed,
    ReportSent,
    ReportUncertain,
    TakeStep,
)
from aggregates.account.payment_claims import (
    PaymentClaimAccepted,
    PaymentClaimed,
    PaymentClaimEnded,
    PaymentClaimOutcome,
)
from aggregates.account.placement import ItemizationDate, MarkPlacementSent, Placed, PlacementEnd, PlacementEnded
from aggregates.account.shields import Why
from aggregates.bulk.action import ConfirmBulk, FinishBulk, FinishBulkUndo, PreviewBulk, RecordExport
from aggregates.bulk.part import FreezeRows
from aggregates.bulk.schedule import BulkScheduled, RunSchedule, ScheduleBulk, ScheduleCancelled, ScheduleFellDue
from aggregates.campaign import CampaignPaused, CampaignResumed, CampaignRetired
from aggregates.kernel.command import COMMANDS, identifier
from aggregates.kernel.event import Event, Meta, Recorded
from aggregates.office import AutomationPaused, AutomationResumed, SaveFilter, TimeZoneChanged
from aggregates.placement_file import (
    BeginFileDelivery,
    FileAcknowledged,
    FileContents,
    FileDelivered,
    FileOverdue,
    FileRequested,
    RecordFileDelivery,
    RecordFileMade,
    RequestBulkFile,
    RequestSingleFile,
)
from aggregates.promise import (
    CountPayment,
    Instalment,
    PromiseBroken,
    PromiseKept,
    PromiseMade,
    PromisePartiallyKept,
    PromisePaymentCounted,
    PromisePaymentTakenBack,
    PromiseReopened,
    PromiseRescheduled,
    PromiseWithdrawn,
    TakePaymentBack,
)
from aggregates.reader import DiscardEvent, EventDiscarded, SkipMessage
from aggregates.unmatched import KeepUnmatched, SettleUnmatched
from aggregates.work import BeginWork, FinishWork
from aggregates.workday import CloseWorkday
from policies.agenda import AGENDA, KINDS, PLANS, UnknownKind, command_for, command_id_for, issued_for, kind_of
from policies.agenda_memory import Agenda, PlannedItem
from policies.planning import REMEMBERED, AgendaKind, UnknownSubject
from tests.adapters.readers.builders import (
    CAMPAIGN,
    NOON,
    OFFICE,
    a_campaign,
    a_receipt,
    a_step,
    aged,
    allocated,
    an_item,
    an_office,
    billed,
    corrected,
    day,
    moment,
    opened,
    promised,
    queued,
    reallocated,
    released,
    usd,
    written_off,
)

ACCOUNT, PROMISE = identifier("account", "ada"), identifier("promise", 1)
ITEM, RECEIPT = an_item(due_on=day(10)), a_receipt(minor=10_000)
FACT, HOLD, ACTIVITY = identifier("fact"), identifier("hold"), identifier("activity")
THREE, FOUR, TOMORROW, IN_TWO_DAYS = day(3), day(4), moment(1), moment(2)
WHY = Why(code="paid", detail="paid")


class Story:
    """Events as they happen, and the agenda that they make."""

    def __init__(self) -> None:
        self.agenda = Agenda()
        self.count = 0
        self.of(OFFICE, an_office())
        self.of(CAMPAIGN, a_campaign())
        self.of(ACCOUNT, opened())
        self.of(FILE, FILE_REQUESTED)

    def of(self, aggregate_id: UUID, *events: Event) -> None:
        for event in events:
            self.count += 1
            self.agenda.note(
                Recorded(
                    aggregate_id=aggregate_id,
                    version=self.count,
                    event_id=identifier("event", self.count),
                    account_id=ACCOUNT if aggregate_id in (ACCOUNT, PROMISE) else None,
                    effective_on=day(0),
                    recorded_at=NOON,
                    event=event,
                    meta=Meta(actor="person:ann", command_id=identifier(1), correlation_id=identifier(1)),
                    position=self.count,
                )
            )

    @property
    def items(self) -> list[PlannedItem]:
        return self.agenda.due(datetime(9000, 1, 1, tzinfo=UTC))

    @property
    def planned(self) -> list[tuple[str, date | datetime | None]]:
        return [(item.kind, item.on or item.at) for item in self.items]


def a_hold(until: date | None = FOUR) -> HoldPlaced:
    return HoldPlaced(hold_id=HOLD, code="x", until=until)


def a_call(follow_up_on: date | None = THREE) -> ActivityRecorded:
    return ActivityRecorded(
        activity_id=ACTIVITY, kind=ActivityKind.CALL, direction=Direction.OUTBOUND, follow_up_on=follow_up_on
    )


def a_fact() -> FactDeferred:
    return FactDeferred(fact_id=FACT, arrives_on=day(4), command_name="bill-invoice", command={})


def a_payment_claim() -> PaymentClaimed:
    return PaymentClaimed(
        claim_id=FACT, item_ids=(), amount=None, expected=usd(1), paid_on=None, claimed_on=day(0), until=day(4)
    )


def a_placement(recall_on: date | None) -> Placed:
    return Placed(
        placement_id=FACT,
        agency="acme",
        file_id=FACT,
        bulk_id=None,
        placed_on=day(0),
        balance=usd(1),
        itemization_date_type=ItemizationDate.LAST_STATEMENT,
        itemization_date=day(0),
        recall_on=recall_on,
    )


FILE = identifier("placement file")
PLACEMENT_ENDED = PlacementEnded(
    placement_id=FACT, agency="acme", end=PlacementEnd.CLOSED, code=None, notes=None, ended_on=day(1)
)
FILE_REQUESTED = FileRequested(
    office_id=OFFICE,
    agency="acme",
    contents=FileContents.NEW,
    layout=None,
    name="x.csv",
    currency="USD",
    bulk_id=None,
    account_id=None,
)
SCHEDULE = identifier("bulk-schedule", 1)


def bulk_scheduled(*, due_at: datetime | None = None, due_on: date | None = None) -> BulkScheduled:
    return BulkScheduled(
        office_id=OFFICE, kind="rollback", parameters={}, filter="old", currency=None, due_at=due_at, due_on=due_on,
        recurrence=None, most_accounts=5, most_minor=None,
    )  # fmt: skip


def fell_due(next_on: date | None) -> ScheduleFellDue:
    return ScheduleFellDue(office_id=OFFICE, run_id=SCHEDULE, due_at=None, due_on=None, next_on=next_on)


FILE_DELIVERED = FileDelivered(
    office_id=OFFICE,
    agency="acme",
    contents=FileContents.NEW,
    bulk_id=None,
    account_id=None,
    delivered_on=day(1),
    acknowledge_by=day(4),
)


def a_complaint() -> ComplaintReceived:
    return ComplaintReceived(
        complaint_id=FACT,
        kind="general",
        medium=ComplaintMedium.PHONE,
        received_on=day(0),
        answer_by=day(4),
        rests=True,
        subject="s",
    )


def a_dispute(answer_by: date | None = FOUR) -> DisputeOpened:
    return DisputeOpened(dispute_id=FACT, item_ids=(), reason_code="x", opened_on=day(0), answer_by=answer_by)


def a_pause(until: datetime | None = TOMORROW) -> CampaignPaused:
    return CampaignPaused(office_id=OFFICE, paused_from=moment(0), paused_until=until)


def automation_paused(until: datetime | None = IN_TWO_DAYS) -> AutomationPaused:
    return AutomationPaused(paused_from=moment(0), paused_until=until)


def counted(minor: int, *, after: int) -> PromisePaymentCounted:
    return PromisePaymentCounted(payment_id=identifier(minor, after), amount=usd(minor), received_after=usd(after))


def taken_back(minor: int, *, after: int) -> PromisePaymentTakenBack:
    return PromisePaymentTakenBack(payment_id=identifier(minor), amount=usd(minor), received_after=usd(after))


MADE = promised(ACCOUNT, (10, 300), (20, 500), grace_days=3)
COUNTED, SETTLED = counted(300, after=300), PromiseKept(received=usd(800), kept_on=day(1))
Steps = tuple[tuple[UUID, Event, tuple[date | datetime | None, ...]], ...]

NEVER_WAS: Steps = ((ACCOUNT, a_fact(), (day(4),)), (ACCOUNT, FactWithdrawn(fact_id=FACT), ()))

STORIES: dict[str, Steps] = {
    "fact": ((ACCOUNT, a_fact(), (day(4),)), (ACCOUNT, FactArrived(fact_id=FACT), ()), *NEVER_WAS),
    "aging": (
        (ACCOUNT, billed(ITEM), (day(11),)),
        (ACCOUNT, aged(ITEM, "1-30", next_on=day(41)), (day(41),)),
        (ACCOUNT, corrected(an_item(due_on=day(30)), ITEM, open_after=1), (day(31),)),
        (ACCOUNT, allocated(RECEIPT, ITEM, 9_000, open_after=1_000), (day(31),)),
        (ACCOUNT, allocated(RECEIPT, ITEM, 1_000, open_after=0), ()),
        (ACCOUNT, released(RECEIPT, ITEM, 10_000, open_after=10_000), (day(11),)),
        (ACCOUNT, aged(ITEM, "121+"), ()),
        (ACCOUNT, corrected(ITEM, ITEM, open_after=0), ()),
        (ACCOUNT, billed(ITEM), (day(11),)),
        (ACCOUNT, written_off(ITEM, 4_000, open_after=6_000), (day(11),)),
        (ACCOUNT, written_off(ITEM, 6_000, open_after=0), ()),
        (ACCOUNT, reallocated(ITEM, open_after=500, next_on=day(41)), (day(41),)),
        (ACCOUNT, reallocated(ITEM, open_after=0), ()),
    ),
    "hold": (
        (ACCOUNT, a_hold(), (day(5),)),
        (ACCOUNT, a_hold(None), ()),
        (ACCOUNT, a_hold(), (day(5),)),
        (ACCOUNT, HoldReleased(hold_id=HOLD), ()),
    ),
    "payment-claim": (
        (ACCOUNT, a_payment_claim(), (day(5),)),
        (ACCOUNT, PaymentClaimAccepted(claim_id=FACT, until=day(9)), (day(10),)),
        (ACCOUNT, PaymentClaimEnded(claim_id=FACT, outcome=PaymentClaimOutcome.SETTLED), ()),
    ),
    "complaint": (
        (ACCOUNT, a_complaint(), (day(5),)),
        (ACCOUNT, ComplaintOverdue(complaint_id=FACT, answer_by=day(4)), ()),
        (ACCOUNT, a_complaint(), (day(5),)),
        (ACCOUNT, ComplaintAnswered(complaint_id=FACT, answered_on=day(2)), ()),
        (ACCOUNT, a_complaint(), (day(5),)),
        (ACCOUNT, ComplaintClosed(complaint_id=FACT, outcome=ComplaintOutcome.UPHELD), ()),
    ),
    "dispute": (
        (ACCOUNT, a_dispute(), (day(5),)),
        (ACCOUNT, DisputeOverdue(dispute_id=FACT, answer_by=day(4)), ()),
        (ACCOUNT, a_dispute(None), ()),
        (ACCOUNT, a_dispute(), (day(5),)),
        (ACCOUNT, DisputeResolved(dispute_id=FACT, item_ids=(), resolution="unfounded"), ()),
    ),
    "placement-term": (
        (ACCOUNT, a_placement(day(9)), (day(9),)),
        (ACCOUNT, PLACEMENT_ENDED, ()),
        (ACCOUNT, a_placement(None), ()),
    ),
    "placement-file": (
        (FILE, FILE_DELIVERED, (day(5),)),
        (FILE, FileAcknowledged(accounts=1, total=usd(1), matches=False), (day(5),)),
        (FILE, FileAcknowledged(accounts=1, total=usd(2), matches=True), ()),
        (FILE, FILE_DELIVERED, (day(5),)),
        (FILE, FileOverdue(office_id=OFFICE, agency="acme", acknowledge_by=day(4), differs=False), ()),
    ),
    "promise": (
        (PROMISE, MADE, (day(14),)),
        (PROMISE, COUNTED, (day(24),)),
        (PROMISE, taken_back(300, after=0), (day(14),)),
        (
            PROMISE,
            PromiseRescheduled(instalments=(Instalment(due_on=day(30), amount=usd(800)),), grace_days=0),
            (day(31),),
        ),
        (PROMISE, counted(800, after=800), ()),
        (PROMISE, SETTLED, ()),
        (PROMISE, taken_back(1, after=799), ()),
        (PROMISE, PromiseReopened(reopened_on=day(2)), (day(31),)),
        (PROMISE, PromisePartiallyKept(promised=usd(800), received=usd(799), judged_on=day(31)), ()),
        (PROMISE, PromiseReopened(reopened_on=day(2)), (day(31),)),
        (PROMISE, PromiseBroken(promised=usd(800), broken_on=day(31)), ()),
        (PROMISE, PromiseReopened(reopened_on=day(2)), (day(31),)),
        (PROMISE, PromiseWithdrawn(), ()),
    ),
    "bulk-schedule": (
        (SCHEDULE, bulk_scheduled(due_at=NOON), (NOON,)),
        (SCHEDULE, fell_due(None), ()),
        (SCHEDULE, bulk_scheduled(due_on=day(3)), (day(3),)),
        (SCHEDULE, fell_due(day(10)), (day(10),)),
        (SCHEDULE, ScheduleCancelled(), ()),
    ),
    "pause-end": (
        (CAMPAIGN, a_pause(), (moment(1),)),
        (CAMPAIGN, a_pause(None), ()),
        (CAMPAIGN, a_pause(), (moment(1),)),
        (OFFICE, automation_paused(), (moment(1), moment(2))),
        (CAMPAIGN, CampaignResumed(office_id=OFFICE, resumed_at=moment(1)), (moment(2),)),
        (OFFICE, AutomationResumed(resumed_at=moment(1)), ()),
        (CAMPAIGN, a_pause(), (moment(1),)),
        (CAMPAIGN, CampaignRetired(office_id=OFFICE), ()),
    ),
    "follow-up": (
        (ACCOUNT, a_call(), (day(3),)),
        (ACCOUNT, FollowUpFellDue(activity_id=ACTIVITY, assignee=None), ()),
        (ACCOUNT, a_call(None), ()),
        (ACCOUNT, a_call(), (day(3),)),
        (ACCOUNT, FollowUpCompleted(activity_id=ACTIVITY), ()),
    ),
    "review": (
        (ACCOUNT, ReviewScheduled(review_at=moment(1)), (moment(1),)),
        (ACCOUNT, ReviewScheduled(review_at=moment(2)), (moment(2),)),
        (ACCOUNT, ReviewScheduled(review_at=None), ()),
    ),
    "step": (
        (ACCOUNT, a_step(due_at=moment(1)), (moment(1),)),
        (ACCOUNT, a_step("second", due_at=moment(2)), (moment(2),)),
        (ACCOUNT, queued("second"), ()),
        (ACCOUNT, a_step(), (NOON,)),
        (ACCOUNT, StepUnscheduled(step_id="reminder", why=WHY), ()),
    ),
}
"""For each kind what happens, and when its items are due after each event."""


FROM_ELSEWHERE = {
    RequestBulkFile, RequestSingleFile, RecordFileMade, BeginFileDelivery, RecordFileDelivery, MarkPlacementSent,
    CountPayment, TakePaymentBack, HeedPoint, RecordReceipt, KeepUnmatched, SettleUnmatched,
    DispatchMessage, ReconsiderMessage, ReportSent, ReportFailed, ReportUncertain,
    DiscardEvent, SkipMessage, BeginWork, FinishWork, SettleAllocation,
    ApplyBulkAction, UndoBulkAction, FreezeRows, PreviewBulk, ConfirmBulk, RecordExport, FinishBulk, FinishBulkUndo,
    ScheduleBulk, RunSchedule, SaveFilter,
    CloseWorkday, AddAttachment, AddFee, DialCall, ReportCallPlaced, ReportCallNotPlaced, ReportCallOver,
}  # fmt: skip
"""Commands of the system's own that policies ask for, or delivery, imports, work and dead letters; or doors, once they
have looked at what a person gave them."""


# --- what each kind plans ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", STORIES)
def test_events_plan_move_and_cancel(kind: str):
    story = Story()
    for number, (aggregate_id, event, due) in enumerate(STORIES[kind]):
        story.of(aggregate_id, event)
        assert story.planned == [(kind, each) for each in due], (number, event)


@pytest.mark.parametrize("kind", STORIES)
def test_each_event_of_a_kind_has_its_part_in_a_story_and_no_other_kind_plans_by_it(kind: str):
    told = {type(event) for _, event, _ in STORIES[kind]}
    assert told == set(kind_of(kind).plans)


@pytest.mark.parametrize("kind", AGENDA, ids=KINDS)
def test_what_is_due_is_a_command_of_its_kind_and_carries_all_of_it(kind: AgendaKind):
    story, asked = Story(), set()
    for aggregate_id, event, _ in STORIES[kind.name]:
        story.of(aggregate_id, event)
        for item in story.items:
            command = command_for(item)
            assert command.command_name == item.command_name
            assert COMMANDS[item.command_name] is type(command)
            asked.add(type(command))
    assert asked == set(kind.commands)


@pytest.mark.parametrize("command", [c for kind in AGENDA for c in kind.commands], ids=lambda c: c.command_name)
def test_commands_of_the_agenda_are_flat(command: type[Any]):
    """The projection writes their fields as they stand."""
    assert {each.annotation for each in command.model_fields.values()} <= {UUID, str}


@pytest.mark.parametrize("kind", AGENDA, ids=KINDS)
def test_a_planner_takes_the_events_that_it_is_listed_for(kind: AgendaKind):
    for event_class, planner in kind.plans.items():
        hints = get_type_hints(planner)
        taken = hints[next(iter(hints))]
        assert issubclass(event_class, get_args(taken) or taken), (event_class, planner)


def test_what_is_remembered_of_a_promise_is_what_its_kind_plans_by():
    assert set(REMEMBERED) == set(kind_of("promise").plans)
    assert PromiseMade in REMEMBERED


def test_events_that_plan_nothing_are_passed_over_whoever_they_are_about():
    story = Story()
    discarded = EventDiscarded(
        reader="ledger", position=1, discarded_event_id=FACT, discarded_event_name="account.opened"
    )
    story.of(identifier("reader", "ledger"), discarded)
    assert story.planned == []


def test_an_event_about_something_unknown_is_not_taken():
    with pytest.raises(UnknownSubject):
        Story().of(PROMISE, COUNTED)
    with pytest.raises(UnknownSubject):
        Story().of(identifier("campaign", "other"), a_pause())


def test_what_the_system_asks_of_itself_is_asked_for_by_the_agenda_or_known_to_come_from_elsewhere():
    """A new command of its own stands in the agenda's table, or here."""
    internal = {each for each in COMMANDS.values() if each.is_internal and each.__module__.startswith("aggregates.")}
    assert internal - FROM_ELSEWHERE == {c for kind in AGENDA for c in kind.commands if c.is_internal}
    assert internal >= FROM_ELSEWHERE


# --- order ---------------------------------------------------------------------------------------------


def test_what_can_change_a_judgement_is_worked_before_what_acts_on_one():
    assert KINDS == (
        "fact", "aging", "hold", "payment-claim", "complaint", "dispute", "placement-term", "placement-file", "promise",
        "pause-end", "follow-up", "bulk-schedule", "review", "step",
    )  # fmt: skip


def test_what_is_due_comes_by_kind_and_then_by_time():
    story = Story()
    happened: Iterable[tuple[UUID, Event]] = (
        (ACCOUNT, a_step(due_at=moment(-5))),
        (ACCOUNT, ReviewScheduled(review_at=moment(1))),
        (ACCOUNT, billed(an_item("I-2", due_on=day(8)))),
        (ACCOUNT, billed(an_item("I-1", due_on=day(3)))),
        (OFFICE, automation_paused()),
        (ACCOUNT, a_fact()),
    )
    for aggregate_id, event in happened:
        story.of(aggregate_id, event)
    assert story.planned == [
        ("fact", day(4)), ("aging", day(4)), ("aging", day(9)), ("pause-end", moment(2)), ("review", moment(1)),
        ("step", moment(-5)),
    ]  # fmt: skip
    assert [item.kind for item in story.agenda.due(moment(0))] == ["step"]


def test_a_day_is_due_when_it_has_begun_in_the_office():
    story = Story()
    story.of(OFFICE, TimeZoneChanged(time_zone="Asia/Tokyo"))
    story.of(ACCOUNT, billed(an_item(due_on=date(2026, 3, 9))))
    begins = datetime(2026, 3, 9, 15, tzinfo=UTC)
    assert story.agenda.due(begins.replace(hour=14, minute=59)) == []
    assert [item.kind for item in story.agenda.due(begins)] == ["aging"]
    assert story.agenda.next_due(after=moment(0)) == begins
    assert story.agenda.next_due(after=begins) is None


# --- names ---------------------------------------------------------------------------------------------


def test_no_two_kinds_have_the_same_name():
    assert len(set(KINDS)) == len(AGENDA)


def test_every_event_leads_to_the_planners_that_list_it():
    assert {(e, kind.name, p) for kind in AGENDA for e, p in kind.plans.items()} == {
        (event_class, *planned) for event_class, plans in PLANS.items() for planned in plans
    }


def test_a_kind_that_is_not_in_the_table_is_refused():
    with pytest.raises(UnknownKind, match="escalation"):
        kind_of("escalation")
    with pytest.raises(UnknownKind, match="escalation"):
        list(issued_for([Row(kind="escalation")], set()))


# --- what is due ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """A row of an agenda."""

    owner_id: UUID = ACCOUNT
    kind: str = "step"
    ref: str = "x"
    command_name: str = "take-step"
    payload: dict[str, Any] = field(default_factory=lambda: {"account_id": str(ACCOUNT), "step_id": "firm"})
    position: int = 7


def test_a_due_item_is_a_command_in_the_name_of_its_policy():
    (issued,) = issued_for([Row()], set())
    assert issued.command == TakeStep(account_id=ACCOUNT, step_id="firm")
    assert str(issued.actor) == "policy:auto-collection@1"
    assert issued.command_id == command_id_for(Row())


@pytest.mark.parametrize(
    ("kind", "actor"),
    [
        ("fact", "billing@1"),
        ("aging", "aging@1"),
        ("hold", "auto-collection@1"),
        ("placement-term", "placements@1"),
        ("placement-file", "placements@1"),
        ("promise", "promise-monitoring@1"),
        ("pause-end", "auto-collection@1"),
        ("follow-up", "follow-ups@1"),
        ("bulk-schedule", "bulk-schedules@1"),
        ("review", "auto-collection@1"),
        ("step", "auto-collection@1"),
    ],
)
def test_every_kind_of_item_has_a_policy_that_answers_for_it(kind: str, actor: str):
    (issued,) = issued_for([Row(kind=kind)], set())
    assert str(issued.actor) == f"policy:{actor}"


def test_the_same_item_in_two_ticks_is_one_command_and_put_there_anew_another():
    assert command_id_for(Row()) == command_id_for(Row())
    others: list[dict[str, Any]] = [{"position": 8}, {"ref": "y"}, {"kind": "review"}, {"owner_id": FACT}]
    for other in others:
        assert command_id_for(Row()) != command_id_for(replace(Row(), **other))


def test_one_command_ages_all_items_of_an_account_in_a_tick():
    def age(ref: str, owner_id: UUID = ACCOUNT) -> Row:
        return Row(owner_id, "aging", ref, "age-account", {"account_id": str(owner_id)})

    answered: set[tuple[str, UUID]] = set()
    pages = [[age("1"), age("2")], [age("3"), age("4", CAMPAIGN), Row()]]
    step = TakeStep(account_id=ACCOUNT, step_id="firm")
    assert [[each.command for each in issued_for(page, answered)] for page in pages] == [
        [AgeAccount(account_id=ACCOUNT)],
        [AgeAccount(account_id=CAMPAIGN), step],
    ]
