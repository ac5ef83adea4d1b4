"""Schedules of bulk actions: due once or every period, one bulk action a time, and none that is too large by itself."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from aggregates.bulk.action import BulkConfirmed, BulkPreviewed, CancelBulk, ConfirmBulk, Preview
from aggregates.bulk.schedule import (
    BulkScheduled,
    CancelSchedule,
    FireSchedule,
    Period,
    Recurrence,
    RunOutcome,
    RunSchedule,
    ScheduleBulk,
    ScheduleCancelled,
    ScheduleFellDue,
    ScheduleRan,
)
from aggregates.kernel.command import identifier
from aggregates.office import PauseOfficeAutomation, RemoveFilter, SaveFilter
from aggregates.values.saved_filter import SavedFilter
from tests.builders import APR, MAR, OFFICE
from tests.given import Scenario, given, like

SCHEDULE, BULK, OTHER = identifier("bulk-schedule", 1), identifier("bulk", 1), identifier("bulk", 2)
SAVE = SaveFilter(office_id=OFFICE, name="old", filter=SavedFilter(filters={"min_dpd": "90"}))
FIRE, CANCEL = FireSchedule(schedule_id=SCHEDULE), CancelSchedule(schedule_id=SCHEDULE)
VIP = {"add": ["vip"], "remove": []}


def every(period: Period, on: int | None = None, *, starts_on: date = date(2026, 3, 2)) -> Recurrence:
    return Recurrence(every=period, on=on, starts_on=starts_on)


def a_schedule(**more: Any) -> ScheduleBulk:
    said: dict[str, Any] = {
        "schedule_id": SCHEDULE, "office_id": OFFICE, "kind": "flags", "parameters": VIP, "filter": "old",
        "recurrence": every(Period.MONTH, 5), "most_accounts": 10, "most_minor": 100_000,
    }  # fmt: skip
    return ScheduleBulk.model_validate({**said, **more})


def a_run(scenario: Scenario, accounts: int = 1, *, touched: int = 0, bulk_id: Any = BULK, **more: Any) -> RunSchedule:
    """Of the time that fell due last."""
    run_id = scenario.world.events(ScheduleFellDue)[-1].run_id
    preview = Preview(
        office_id=OFFICE, kind="flags", parameters=VIP, filters={}, as_of=MAR(5), currency="USD", accounts=accounts,
        parts=1, total_minor=None, position=3, digest="d",
    )  # fmt: skip
    said = {"preview": preview, "touched_minor": touched, **more}
    return RunSchedule(schedule_id=SCHEDULE, run_id=run_id, bulk_id=bulk_id, **said)


def due(*before: Any, **more: Any) -> Scenario:
    """A schedule that fell due on 5 March."""
    scenario = given(SAVE, a_schedule(**more), *before)
    scenario.world.move_to(MAR(5))
    return scenario.when(FIRE)


@pytest.mark.parametrize(
    ("recurrence", "day", "first"),
    [
        (every(Period.DAY), MAR(9), MAR(9)),
        (every(Period.DAY, starts_on=APR(1)), MAR(9), APR(1)),
        (every(Period.WEEK, 1), MAR(2), MAR(2)),
        (every(Period.WEEK, 7), MAR(2), MAR(8)),
        (every(Period.WEEK, starts_on=MAR(4)), MAR(5), MAR(11)),
        (every(Period.MONTH, 31), MAR(2), MAR(31)),
        (every(Period.MONTH, 31), APR(1), APR(30)),
        (every(Period.MONTH, 1), MAR(2), APR(1)),
        (every(Period.MONTH, 30), date(2026, 2, 1), date(2026, 3, 30)),
        (every(Period.MONTH, 30, starts_on=date(2026, 2, 1)), date(2026, 2, 1), date(2026, 2, 28)),
        (every(Period.MONTH, 15), date(2026, 12, 16), date(2027, 1, 15)),
    ],
)
def test_the_first_of_its_days(recurrence: Recurrence, day: date, first: date):
    assert recurrence.first_from(day) == first


def test_every_day_that_it_gives_is_one_of_its_own_and_none_between_is_left_out():
    for recurrence in (every(Period.DAY), every(Period.WEEK, 3), every(Period.MONTH, 31), every(Period.MONTH, 29)):
        days = [recurrence.first_from(date.fromordinal(MAR(2).toordinal() + each)) for each in range(800)]
        assert days == sorted(days)
        for each in {*days}:
            assert recurrence.first_from(each) == each


def test_it_is_made_on_a_filter_and_for_parameters_that_the_office_knows():
    scenario = given(SAVE).when(a_schedule()).then(like(BulkScheduled, due_on=MAR(5), due_at=None))
    scenario.when(a_schedule()).then_nothing_happened()
    given(SAVE).when(a_schedule(filter="new")).then_refused("unknown-filter")
    given(SAVE).when(a_schedule(parameters={"add": ["none"], "remove": []})).then_refused("unknown-flag")


LETTERS: dict[str, Any] = {"kind": "message", "parameters": {"channel": "letter", "text": "Please pay."}}


def test_messages_are_worked_out_when_the_office_begins_to_send():
    """At midnight contact rules refuse them all."""
    scenario = given(SAVE).when(a_schedule(**LETTERS))
    office = scenario.world.office
    [made] = scenario.world.events(BulkScheduled)
    assert made.opens_at == datetime.combine(MAR(5), office.window.opens, office.zone)
    scenario.when(FIRE, at=made.opens_at - timedelta(minutes=1)).then_nothing_happened()
    next_opens_at = datetime.combine(APR(5), office.window.opens, office.zone)
    scenario.when(FIRE, at=made.opens_at).then(
        like(ScheduleFellDue, due_on=MAR(5), next_on=APR(5), next_opens_at=next_opens_at)
    )


def test_while_automation_is_paused_messages_wait_for_a_person_and_other_kinds_do_not():
    scenario = due(**LETTERS)
    scenario.when(PauseOfficeAutomation(office_id=OFFICE), reason="incident").when(a_run(scenario))
    [ran] = scenario.world.events(ScheduleRan)
    assert (ran.outcome, ran.detail) == (RunOutcome.WAITING, "the office's automation is paused")
    assert not scenario.world.events(BulkConfirmed)
    others = due()
    others.when(PauseOfficeAutomation(office_id=OFFICE), reason="incident").when(a_run(others))
    assert len(others.world.events(BulkConfirmed)) == 1


def test_a_filter_by_a_flag_that_the_office_does_not_have_is_not_kept():
    for name in ("flag", "without_flag"):
        wrong = SavedFilter(filters={name: "vip, ceese-contact"})
        given().when(SaveFilter(office_id=OFFICE, name="x", filter=wrong)).then_refused("unknown-flag")


def test_a_filter_by_an_agency_or_a_reason_that_the_office_does_not_have_is_not_kept():
    for name, refused in (("placed_with", "unknown-agency"), ("frozen", "unknown-freeze-reason")):
        wrong = SavedFilter(filters={name: "nobody"})
        given().when(SaveFilter(office_id=OFFICE, name="x", filter=wrong)).then_refused(refused)


def test_a_moment_is_to_come():
    at = datetime(2020, 1, 1, tzinfo=UTC)
    given(SAVE).when(a_schedule(recurrence=None, at=at)).then_refused("schedule-in-the-past")


@pytest.mark.parametrize("wrong", [{"recurrence": None}, {"recurrence": every(Period.WEEK, 8)}])
def test_what_makes_no_schedule_is_refused(wrong: dict[str, Any]):
    with pytest.raises(ValidationError):
        a_schedule(**wrong)


def test_it_falls_due_on_its_day_once_and_then_on_the_next():
    scenario = given(SAVE, a_schedule()).when(FIRE).then_nothing_happened()
    scenario.world.move_to(MAR(5))
    scenario.when(FIRE).then(like(ScheduleFellDue, due_on=MAR(5), next_on=APR(5)))
    scenario.when(FIRE).then_nothing_happened()


def test_times_that_nobody_was_there_for_are_one():
    scenario = given(SAVE, a_schedule(recurrence=every(Period.DAY)))
    scenario.world.move_to(APR(20))
    scenario.when(FIRE).then(like(ScheduleFellDue, due_on=MAR(2), next_on=APR(21)))
    scenario.when(FIRE).then_nothing_happened()


def test_a_time_that_comes_before_the_last_one_is_done_is_the_same_one():
    scenario = due()
    first = scenario.world.events(ScheduleFellDue)[-1].run_id
    scenario.world.move_to(APR(5))
    scenario.when(FIRE).then(like(ScheduleFellDue, run_id=first))
    scenario.when(a_run(scenario)).then(ScheduleRan, BulkPreviewed, BulkConfirmed)
    scenario.when(a_run(scenario, bulk_id=OTHER)).then_nothing_happened()


def test_what_is_not_too_large_is_done_at_once_and_only_once():
    scenario = due()
    done = like(ScheduleRan, outcome=RunOutcome.CONFIRMED, bulk_id=BULK, accounts=10)
    of_schedule = like(BulkPreviewed, schedule_id=SCHEDULE)
    scenario.when(a_run(scenario, 10, touched=100_000)).then(done, of_schedule, BulkConfirmed)
    scenario.when(a_run(scenario, 10, bulk_id=OTHER)).then_nothing_happened()
    scenario.when(ConfirmBulk(bulk_id=BULK)).then_nothing_happened()


@pytest.mark.parametrize(("accounts", "touched", "why"), [(11, 0, "11 accounts"), (1, 100_001, "more money")])
def test_what_is_too_large_waits_for_a_person(accounts: int, touched: int, why: str):
    scenario = due()
    scenario.when(a_run(scenario, accounts, touched=touched)).then(
        like(ScheduleRan, outcome=RunOutcome.WAITING, bulk_id=BULK), BulkPreviewed
    )
    assert why in scenario.world.events(ScheduleRan)[-1].detail
    scenario.when(ConfirmBulk(bulk_id=BULK)).then(BulkConfirmed)


def test_where_no_account_is_like_that_nothing_is_made_and_what_cannot_be_made_says_why():
    scenario = due()
    scenario.when(a_run(scenario, 0)).then(like(ScheduleRan, outcome=RunOutcome.NOTHING, bulk_id=None))
    scenario = due(RemoveFilter(office_id=OFFICE, name="old"))
    failed = like(ScheduleRan, outcome=RunOutcome.FAILED, detail="no filter")
    scenario.when(a_run(scenario, preview=None, detail="no filter")).then(failed)


def test_one_that_is_ended_does_nothing_more_and_what_waits_still_does():
    scenario = due()
    scenario.when(a_run(scenario, 11))
    scenario.when(CANCEL).then(ScheduleCancelled)
    scenario.when(CANCEL).then_nothing_happened()
    scenario.world.move_to(APR(5))
    scenario.when(FIRE).then_nothing_happened()
    scenario.when(CancelBulk(bulk_id=BULK)).then_among_others()
    scenario = due()
    late = a_run(scenario)
    scenario.when(CANCEL).then(ScheduleCancelled)
    scenario.when(late).then_nothing_happened()
    given().when(CANCEL).then_refused("unknown-bulkschedule")
