"""The agenda: what events plan, move and cancel, and when it is due."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest

from adapters.postgres.database import Database
from adapters.readers.projections import Projections
from aggregates.account.activities import ActivityKind, ActivityRecorded, Direction, FollowUpFellDue
from aggregates.account.chase import ReviewScheduled, StepUnscheduled
from aggregates.account.complaints import ComplaintMedium, ComplaintReceived
from aggregates.account.deferred import FactArrived, FactDeferred
from aggregates.account.disputes import DisputeOpened
from aggregates.account.holds import HoldPlaced, HoldReleased, PlaceHold
from aggregates.account.payment_claims import PaymentClaimed
from aggregates.account.shields import Why
from aggregates.campaign import CampaignPaused, CampaignResumed, CampaignRetired
from aggregates.kernel.command import COMMANDS, identifier
from aggregates.kernel.event import Event
from aggregates.office import AutomationPaused, AutomationResumed, TimeZoneChanged, office_id
from aggregates.promise import (
    Instalment,
    PromiseBroken,
    PromiseKept,
    PromisePaymentCounted,
    PromisePaymentTakenBack,
    PromiseReopened,
    PromiseRescheduled,
)
from policies.agenda import AGENDA, KINDS, DueItem, command_for, command_id_for
from policies.agenda_memory import Agenda
from projections.agenda import AgendaProjection, queries
from projections.agenda.partition import partition_of
from projections.agenda.queries import (
    AgendaItem,
    count_due,
    due,
    due_page,
    latest_zones,
    next_due_at,
    set_clock,
    unknown_kinds,
)
from tests import builders as decisions
from tests.adapters.readers.builders import (
    CAMPAIGN,
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
    released,
    usd,
)
from tests.adapters.readers.log import Log, rows
from tests.builders import MAR
from tests.given import given_auto_collection, live
from tests.policies.test_agenda import FILE, FILE_DELIVERED, FILE_REQUESTED, SCHEDULE, a_placement, bulk_scheduled

ADA, BOB = identifier("account", "ada"), identifier("account", "bob")
PROMISE = identifier("promise", 1)
ITEM = an_item(due_on=day(10))
FAR = day(10_000)

Planned = Callable[..., list[tuple[str, Any]]]


@pytest.fixture
def projections(database: Database, log: Log) -> Iterator[Projections]:
    projections = Projections(database, log.feed, [AgendaProjection])
    projections.start()
    yield projections
    projections.close()


@pytest.fixture
def agenda(database: Database, projections: Projections) -> Callable[[], list[tuple[str, Any]]]:
    """(kind, due) of every row."""

    def read() -> list[tuple[str, Any]]:
        projections.catch_up()
        with database.connect("arrears_app") as connection:
            found = connection.execute(
                "SELECT kind, coalesce(due_on::text, due_at::text) FROM read_model.agenda ORDER BY kind, due_from"
            )
            return [(kind, date.fromisoformat(text) if len(text) == 10 else text) for kind, text in found]

    return read


@pytest.fixture
def planned(log: Log, agenda: Callable[[], list[tuple[str, Any]]]) -> Planned:
    """What the agenda holds after these events of Ada's account."""

    def happened(*events: Event, account_id: UUID = ADA) -> list[tuple[str, Any]]:
        log.append(account_id, opened(), *events)
        return agenda()

    return happened


@pytest.fixture
def due_at(database: Database, projections: Projections) -> Callable[..., list[AgendaItem]]:
    def read(now: datetime, latest: date | None = None, **more: Any) -> list[AgendaItem]:
        projections.catch_up()
        with database.connect("arrears_app") as connection:
            return due_page(connection, now=now, latest_local_date=latest or now.date(), **more)

    return read


# --- what events plan ----------------------------------------------------------------------------------


def test_an_invoice_is_aged_on_the_day_after_its_due_date(planned: Planned):
    assert planned(billed(ITEM)) == [("aging", day(11))]


def test_aging_plans_the_next_boundary_until_there_is_none(planned: Planned):
    assert planned(billed(ITEM), aged(ITEM, "1-30", next_on=day(41)), account_id=ADA) == [("aging", day(41))]
    assert planned(billed(ITEM), aged(ITEM, "121+"), account_id=BOB) == []


def test_a_settled_item_is_not_aged_and_a_released_one_is_again(planned: Planned):
    receipt = a_receipt(minor=10_000)
    settled = [billed(ITEM), allocated(receipt, ITEM, 10_000, open_after=0)]
    assert planned(*settled) == []
    assert planned(*settled, released(receipt, ITEM, 10_000, open_after=10_000), account_id=BOB) == [("aging", day(11))]


def test_a_corrected_invoice_is_aged_by_its_new_due_date(planned: Planned):
    later = ITEM.model_copy(update={"due_on": day(20)})
    assert planned(billed(ITEM), corrected(later, ITEM, open_after=1)) == [("aging", day(21))]
    other = an_item("I-9")
    assert planned(billed(other), corrected(other, other, open_after=0), account_id=BOB) == [("aging", day(21))]


def test_a_step_is_planned_until_it_is_taken_or_called_off(planned: Planned, agenda: Callable[[], Any], log: Log):
    assert planned(a_step(due_at=moment(1)), a_step("second", due_at=moment(2))) == [("step", f"{moment(2)}"[:-3])]
    log.append(ADA, queued("second"))
    assert agenda() == []
    log.append(ADA, a_step())
    assert [kind for kind, _ in agenda()] == ["step"]
    log.append(ADA, StepUnscheduled(step_id="reminder", why=Why(code="paid", detail="paid")))
    assert agenda() == []


def test_a_review_is_planned_and_taken_off(planned: Planned, agenda: Callable[[], Any], log: Log):
    assert [kind for kind, _ in planned(ReviewScheduled(review_at=moment(1)))] == ["review"]
    log.append(ADA, ReviewScheduled(review_at=None))
    assert agenda() == []


def test_a_deferred_fact_waits_for_its_day(planned: Planned, agenda: Callable[[], Any], log: Log):
    deferred = FactDeferred(fact_id=identifier("fact"), arrives_on=day(4), command_name="bill-invoice", command={})
    assert planned(deferred) == [("fact", day(4))]
    log.append(ADA, FactArrived(fact_id=identifier("fact")))
    assert agenda() == []


def test_a_hold_ends_after_its_last_day(planned: Planned, agenda: Callable[[], Any], log: Log):
    hold, forever = identifier("hold", 1), identifier("hold", 2)
    assert planned(
        HoldPlaced(hold_id=hold, code="x", until=day(4)), HoldPlaced(hold_id=forever, code="x", until=None)
    ) == [("hold", day(5))]
    log.append(ADA, HoldReleased(hold_id=hold))
    assert agenda() == []


def test_a_follow_up_is_reminded_of_once(planned: Planned, agenda: Callable[[], Any], log: Log):
    activity = ActivityRecorded(
        activity_id=identifier("activity"), kind=ActivityKind.CALL, direction=Direction.OUTBOUND, follow_up_on=day(3)
    )
    assert planned(activity) == [("follow-up", day(3))]
    log.append(ADA, FollowUpFellDue(activity_id=activity.activity_id, assignee=None))
    assert agenda() == []


def test_a_timed_pause_ends_by_itself(log: Log, agenda: Callable[[], Any]):
    log.append(CAMPAIGN, a_campaign(), CampaignPaused(office_id=OFFICE, paused_from=moment(0), paused_until=moment(1)))
    log.append(OFFICE, an_office(), AutomationPaused(paused_from=moment(0), paused_until=moment(2)))
    assert [kind for kind, _ in agenda()] == ["pause-end", "pause-end"]
    log.append(CAMPAIGN, CampaignResumed(office_id=OFFICE, resumed_at=moment(1)))
    log.append(OFFICE, AutomationResumed(resumed_at=moment(1)))
    assert agenda() == []
    log.append(
        CAMPAIGN,
        CampaignPaused(office_id=OFFICE, paused_from=moment(0), paused_until=moment(3)),
        CampaignRetired(office_id=OFFICE),
    )
    assert agenda() == []


# --- promises ------------------------------------------------------------------------------------------


@pytest.fixture
def promise(log: Log, agenda: Callable[[], Any]) -> Callable[..., list[tuple[str, Any]]]:
    log.append(ADA, opened())

    def happened(*events: Event) -> list[tuple[str, Any]]:
        log.append(PROMISE, *events, account_id=ADA)
        return agenda()  # type: ignore[no-any-return]

    return happened


def counted(minor: int, *, after: int) -> PromisePaymentCounted:
    return PromisePaymentCounted(payment_id=identifier(minor, after), amount=usd(minor), received_after=usd(after))


def test_a_promise_is_judged_when_its_grace_is_over(promise: Planned):
    assert promise(promised(ADA, (10, 500), grace_days=3)) == [("promise", day(14))]


def test_of_several_instalments_the_first_that_is_not_covered_is_judged(promise: Planned):
    assert promise(promised(ADA, (20, 300), (10, 500), grace_days=0)) == [("promise", day(11))]
    assert promise(counted(400, after=400)) == [("promise", day(11))]
    assert promise(counted(100, after=500)) == [("promise", day(21))]
    back = PromisePaymentTakenBack(payment_id=identifier(100, 500), amount=usd(100), received_after=usd(400))
    assert promise(back) == [("promise", day(11))]


def test_a_settled_promise_is_not_judged_and_a_reopened_one_is(promise: Planned):
    kept = PromiseKept(received=usd(500), kept_on=day(1))
    assert promise(promised(ADA, (10, 500), grace_days=0), counted(500, after=500), kept) == []
    back = PromisePaymentTakenBack(payment_id=identifier(500, 500), amount=usd(500), received_after=usd(0))
    assert promise(back, PromiseReopened(reopened_on=day(2))) == [("promise", day(11))]
    assert promise(PromiseBroken(promised=usd(500), broken_on=day(11))) == []


def test_a_moved_promise_is_judged_by_its_new_days(promise: Planned):
    promise(promised(ADA, (10, 500), grace_days=0))
    moved = PromiseRescheduled(instalments=(Instalment(due_on=day(30), amount=usd(500)),), grace_days=5)
    assert promise(moved) == [("promise", day(36))]


# --- repeats -------------------------------------------------------------------------------------------


def test_a_repeat_brings_nothing_back_that_was_cancelled(log: Log, database: Database):
    receipt = a_receipt(minor=10_000)
    log.append(ADA, opened(), billed(ITEM), allocated(receipt, ITEM, 10_000, open_after=0), a_step(), queued())
    projection = AgendaProjection()
    with database.connect("arrears_app") as connection:
        connection.execute("CREATE TEMP TABLE unused (x int)")
        connection.execute("SET search_path TO pg_temp")
        connection.execute((projection.folder / "schema.sql").read_text().replace("CREATE TABLE", "CREATE TEMP TABLE"))
        for batch in (log.read_all(), log.read_all()[:2], log.read_all()[1:4]):
            projection.forget()
            projection.handle(batch, connection)
        assert connection.execute("SELECT count(*) FROM agenda").fetchone() == (0,)


# --- what is due ---------------------------------------------------------------------------------------


def test_a_day_is_due_when_it_has_begun_in_the_office(log: Log, due_at: Callable[..., list[AgendaItem]]):
    tokyo, la = office_id("tokyo"), office_id("la")
    log.append(tokyo, an_office("tokyo", "Asia/Tokyo"))
    log.append(la, an_office("la", "America/Los_Angeles"))
    log.append(ADA, opened(office_id=tokyo), billed(an_item("I-1", due_on=date(2026, 3, 9))))
    log.append(BOB, opened(office_id=la), billed(an_item("I-2", due_on=date(2026, 3, 9))))

    def who(now: datetime) -> list[UUID]:
        return [item.owner_id for item in due_at(now, FAR)]

    assert who(datetime(2026, 3, 9, 14, 59, tzinfo=UTC)) == []
    assert who(datetime(2026, 3, 9, 15, 0, tzinfo=UTC)) == [ADA]
    assert who(datetime(2026, 3, 10, 6, 59, tzinfo=UTC)) == [ADA]
    assert set(who(datetime(2026, 3, 10, 7, 0, tzinfo=UTC))) == {ADA, BOB}
    assert due_at(datetime(2026, 3, 10, 7, 0, tzinfo=UTC), date(2026, 3, 9)) == []


def test_a_moved_office_has_other_days(log: Log, due_at: Callable[..., list[AgendaItem]]):
    log.append(OFFICE, an_office(), TimeZoneChanged(time_zone="Asia/Tokyo"))
    log.append(ADA, opened(), billed(an_item(due_on=date(2026, 3, 9))))
    assert [item.kind for item in due_at(datetime(2026, 3, 9, 15, tzinfo=UTC), FAR)] == ["aging"]


def test_a_moment_is_due_from_then_on(log: Log, due_at: Callable[..., list[AgendaItem]]):
    log.append(ADA, opened(), a_step(due_at=moment(1)))
    assert due_at(moment(1) - timedelta(microseconds=1)) == []
    (item,) = due_at(moment(1))
    assert (item.owner_id, item.kind, item.command_name) == (ADA, "step", "take-step")
    assert item.payload == {"account_id": str(ADA), "step_id": "reminder"}
    assert item.position == 2


def everything_is_planned(log: Log) -> None:
    """An item of each kind."""
    log.append(OFFICE, an_office(), AutomationPaused(paused_from=moment(0), paused_until=moment(2)))
    log.append(CAMPAIGN, a_campaign(), CampaignPaused(office_id=OFFICE, paused_from=moment(0), paused_until=moment(1)))
    log.append(
        ADA,
        opened(),
        billed(ITEM),
        a_step(),
        ReviewScheduled(review_at=moment(1)),
        FactDeferred(fact_id=identifier("fact"), arrives_on=day(4), command_name="bill-invoice", command={}),
        HoldPlaced(hold_id=identifier("hold"), code="x", until=day(4)),
        ActivityRecorded(
            activity_id=identifier(1), kind=ActivityKind.CALL, direction=Direction.OUTBOUND, follow_up_on=day(3)
        ),
        PaymentClaimed(
            claim_id=identifier("claim"), item_ids=(), amount=None, expected=decisions.usd(1), paid_on=None,
            claimed_on=day(0), until=day(4),
        ),
        ComplaintReceived(
            complaint_id=identifier("complaint"), kind="general", medium=ComplaintMedium.PHONE, received_on=day(0),
            answer_by=day(4), rests=True, subject="s",
        ),
        DisputeOpened(
            dispute_id=identifier("dispute"), item_ids=(), reason_code="x", opened_on=day(0), answer_by=day(4)
        ),
        a_placement(day(4)),
    )  # fmt: skip
    log.append(FILE, FILE_REQUESTED, FILE_DELIVERED)
    log.append(SCHEDULE, bulk_scheduled(due_on=day(4)))
    log.append(PROMISE, promised(ADA, (3, 500)), account_id=ADA)


def test_every_item_carries_a_whole_command(log: Log, due_at: Callable[..., list[AgendaItem]]):
    everything_is_planned(log)
    items = due_at(moment(500))
    for item in items:
        COMMANDS[item.command_name].model_validate(item.payload)
    kinds = [
        "fact", "aging", "hold", "payment-claim", "complaint", "dispute", "placement-term",
        "placement-file", "promise", "pause-end", "pause-end", "follow-up", "bulk-schedule", "review", "step",
    ]  # fmt: skip
    assert [item.kind for item in items] == kinds


def test_the_agenda_in_memory_is_the_one_in_the_database(log: Log, due_at: Callable[..., list[AgendaItem]]):
    everything_is_planned(log)
    log.append(ADA, a_step("second", due_at=moment(3)), aged(ITEM, "1-30", next_on=day(41)), billed(an_item("I-2")))
    log.append(OFFICE, TimeZoneChanged(time_zone="Asia/Tokyo"), AutomationResumed(resumed_at=moment(1)))
    log.append(PROMISE, counted(300, after=300), account_id=ADA)
    in_memory = Agenda()
    for recorded in log.read_all():
        in_memory.note(recorded)
    for now in map(moment, range(-1, 50)):
        assert [as_due(item) for item in in_memory.due(now)] == [as_due(item) for item in due_at(now, FAR)]
    assert {item.kind for item in in_memory.due(now)} == set(KINDS)


def test_what_decisions_plan_is_the_same_in_memory_and_in_the_database(
    log: Log, due_at: Callable[..., list[AgendaItem]]
):
    """Of a life in which a promise is broken, a payment reversed, a hold placed, and messages leave."""
    world = given_auto_collection(
        decisions.a_campaign(), decisions.an_invoice("A", due_on=MAR(2)), decisions.an_invoice("B", due_on=MAR(12)),
        live(MAR(9)),
        decisions.a_promise(decisions.usd(80), due_on=MAR(12)), decisions.a_payment(decisions.usd(50), on=MAR(10)),
        live(MAR(14)), decisions.a_reversal(on=MAR(14)), live(MAR(20)),
        PlaceHold(account_id=decisions.ACCOUNT, code="court", until=MAR(25)), live(MAR(22)),
    ).world  # fmt: skip
    log.append_all(replace(recorded, position=None) for recorded in world.log)
    for now in (world.now, *(world.now + timedelta(days=days) for days in range(60))):
        assert [as_due(i) for i in world.agenda.due(now)] == [as_due(i) for i in due_at(now, FAR)]


def as_due(item: DueItem) -> tuple[Any, ...]:
    return item.kind, item.ref, item.owner_id, item.position, command_for(item), command_id_for(item)


def test_a_kind_that_this_release_does_not_know_is_counted_before_all_others_and_never_due(
    log: Log, database: Database, due_at: Callable[..., list[AgendaItem]]
):
    log.append(ADA, opened(), a_step(due_at=moment(1)), *[billed(an_item(f"I-{n}")) for n in range(3)])
    assert [item.kind for item in due_at(moment(90))] == ["aging", "aging", "aging", "step"]
    with database.connect() as connection:
        assert unknown_kinds(connection) == []
        connection.execute("UPDATE read_model.agenda SET kind = 'escalation' WHERE kind = 'step'")
        assert unknown_kinds(connection) == ["escalation"]
        count = partial(count_due, connection, now=moment(90), latest_local_date=FAR)
        assert count() == {"escalation": 1, "aging": 3}
        assert count(most=1) == {"escalation": 1}
        assert count(kinds=["aging"]) == {"aging": 3}
    assert [item.kind for item in due_at(moment(90))] == ["aging", "aging", "aging"]


def test_the_comments_in_the_database_are_made_from_the_table(database: Database, projections: Projections):
    said = dict(
        rows(
            database,
            "SELECT attname, col_description(attrelid, attnum) FROM pg_attribute"
            " WHERE attrelid = 'read_agenda_1.agenda'::regclass AND attname IN ('kind', 'ref')",
        )
    )
    assert said["kind"].startswith(f"{', '.join(KINDS[:-1])} or {KINDS[-1]};")
    assert all(f"{kind.name}: {kind.about}" in said["ref"] for kind in AGENDA)


def test_pages_cover_everything_once_in_order(log: Log, database: Database, projections: Projections):
    log.append(ADA, opened(), a_step(), *[billed(an_item(f"I-{n}", due_on=day(n % 7))) for n in range(25)])
    projections.catch_up()
    with database.connect("arrears_app") as connection:
        whole = due_page(connection, now=moment(90), latest_local_date=FAR, limit=100)
        pages = list(due(connection, now=moment(90), latest_local_date=FAR, page=4))
    assert len(whole) == 26
    assert [len(page) for page in pages] == [4, 4, 4, 4, 4, 4, 2]
    assert [item for page in pages for item in page] == whole


def test_a_page_far_behind_looks_at_no_more_rows_than_the_first(log: Log, database: Database, projections: Projections):
    log.append(ADA, opened(), *[billed(an_item(f"I-{n}", due_on=day(n % 7))) for n in range(700)])
    projections.catch_up()
    with database.connect("arrears_app") as connection:
        connection.execute("ANALYZE read_agenda_1.agenda")
        (*_, last) = due_page(connection, now=moment(90), latest_local_date=FAR, limit=600)
        rank, due_from, ref = last.key
        behind = {"rank": rank, "from": due_from, "ref": ref, "limit": 10, "share": None, "shares": 1}
        given = {"kinds": list(KINDS), "now": moment(90), "latest": FAR, "sending": [], "full": [], **behind}
        row = connection.execute("EXPLAIN (ANALYZE, FORMAT JSON) " + queries._DUE, given).fetchone()
    assert row is not None
    looked_at = [
        node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
        for node in _nodes(row[0][0]["Plan"])
        if node.get("Relation Name") == "agenda"
    ]
    assert looked_at
    assert max(looked_at) <= 10


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for inner in node.get("Plans", ()):
        yield from _nodes(inner)


def test_what_is_next_is_the_earliest_moment_after_now(log: Log, database: Database, projections: Projections):
    tokyo = office_id("tokyo")
    log.append(OFFICE, an_office())
    log.append(tokyo, an_office("tokyo", "Asia/Tokyo"))
    log.append(ADA, opened(), billed(an_item("I-1", due_on=day(4))), a_step(due_at=moment(7)))
    log.append(BOB, opened(office_id=tokyo), billed(an_item("I-2", due_on=day(4))))
    projections.catch_up()
    with database.connect("arrears_app") as connection:
        midnight = datetime(2026, 3, 7, tzinfo=UTC)
        in_tokyo = midnight - timedelta(hours=9)
        assert next_due_at(connection) == in_tokyo
        assert next_due_at(connection, after=in_tokyo) == midnight
        assert next_due_at(connection, after=midnight) == moment(7)
        assert next_due_at(connection, after=moment(7)) is None
        assert {zone.key for zone in latest_zones(connection)} == {"UTC", "Asia/Tokyo"}


def test_the_clock_is_what_the_last_tick_said(database: Database):
    with database.connect("arrears_app") as connection:
        set_clock(connection, moment(1))
        set_clock(connection, moment(2))
        assert connection.execute("SELECT now FROM read_model.clock").fetchall() == [(moment(2),)]


# --- partitions ----------------------------------------------------------------------------------------


def test_every_partition_gets_its_share():
    keys = [identifier("account", number) for number in range(2_000)]
    counts = [sum(partition_of(key, 8) == partition for key in keys) for partition in range(8)]
    assert min(counts) > 180
    assert {partition_of(key, 1) for key in keys} == {0}
