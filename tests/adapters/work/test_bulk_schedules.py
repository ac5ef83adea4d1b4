"""Schedules of bulk actions: each time is one bulk action, whoever dies over it; what is too large waits."""

from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest

from adapters.bulk.freezing import Selection
from adapters.bulk.scheduled import ScheduledBulk
from adapters.clock import ManualClock
from adapters.eventstore.requests import Requests
from adapters.work.worker import Turn, Worker
from aggregates.account import Account
from aggregates.account.aging import AgeAccount
from aggregates.account.bulk import BulkActionApplied
from aggregates.account.collections_stage import CollectionsStage
from aggregates.account.payments import ReceivePayment
from aggregates.bulk.schedule import FireSchedule, Period, RunSchedule
from aggregates.kernel.actor import Actor
from aggregates.kernel.event import Recorded
from aggregates.office import RemoveFilter, SaveFilter
from aggregates.values.money import Money
from aggregates.values.saved_filter import SavedFilter
from aggregates.work import CancelWork
from api.application.authority import Authority
from api.application.bulk import confirm, preview
from api.application.bulk_schedules import Times, WrongSchedule, schedule_bulk
from api.application.issuing import Caller, Issuing, Refused
from projections.questions.bulk import BulkView, bulk_actions
from projections.questions.bulk_schedules import ScheduleRun, ScheduleView, schedule, schedule_runs
from tests.adapters.work.conftest import NOW, OFFICE, OTHER_BUCKETS, Plant

CARLA = Caller(Actor.person("carla"), Authority.PUBLIC, reason="As agreed")


@dataclass
class Scheduled:
    """A schedule in a plant whose parts are moved by hand, and whose clock is set."""

    plant: Plant
    id: UUID

    @property
    def view(self) -> ScheduleView:
        with self.plant.database.connect("arrears_app") as connection:
            found = schedule(connection, self.id)
        assert found is not None
        return found

    @property
    def runs(self) -> list[ScheduleRun]:
        with self.plant.database.connect("arrears_app") as connection:
            return list(schedule_runs(connection, self.id).rows)

    def actions(self, *, waiting: bool = False) -> list[BulkView]:
        with self.plant.database.connect("arrears_app") as connection:
            return list(bulk_actions(connection, waiting=waiting).rows)

    def live_until(self, moment: datetime) -> None:
        clock = self.plant.service.clock
        assert isinstance(clock, ManualClock)
        clock.set(moment)
        self.plant.service.tick()
        self.plant.service.drain()

    def times_applied(self, account: UUID) -> int:
        history = self.plant.service.arrears.history(Account, account)
        return sum(isinstance(each.event, BulkActionApplied) for each in history)


def made(plant: Plant, times: Times, *, most_accounts: int = 100, most_amount: str | None = None) -> Scheduled:
    """Every account is pending, one day after the other."""
    plant.do(SaveFilter(office_id=OFFICE, name="old", filter=SavedFilter(filters={"collections_stage": "not set"})))
    issuing = Issuing(plant.service, Requests(partial(plant.database.connect, "arrears_app")))
    done = schedule_bulk(
        plant.service, issuing, CARLA, kind="stage", said={"to": CollectionsStage.PENDING}, office="main", saved="old",
        currency=None, times=times, most_accounts=most_accounts, most_amount=most_amount,
    )  # fmt: skip
    plant.service.drain()
    return Scheduled(plant, done.id)


def test_a_schedule_is_done_once_by_time_and_says_what_came_of_each(plant: Plant):
    found = made(plant, Times(every=Period.WEEK, on="wednesday"))
    assert (found.view.next_on, found.actions()) == (datetime(2026, 3, 4, tzinfo=UTC).date(), [])
    found.live_until(NOW + timedelta(days=16))
    [action] = found.actions()
    assert (action.state, action.done, action.schedule_id) == ("finished", plant.most_accounts, found.id)
    assert action.confirmed_by == "policy:bulk-schedules@1"
    [run] = found.runs
    assert (run.outcome, run.bulk_id, run.accounts, str(run.due_on)) == ("confirmed", action.id, 7, "2026-03-04")
    assert str(found.view.next_on) == "2026-03-25", "times that nobody was there for were one"
    found.live_until(NOW + timedelta(days=23))
    assert [each.outcome for each in found.runs] == ["nothing", "confirmed"]
    assert [found.times_applied(each) for each in plant.accounts] == [1] * plant.most_accounts


def test_what_is_too_large_waits_and_a_person_confirms_it(plant: Plant):
    found = made(plant, Times(at=NOW + timedelta(hours=1)), most_accounts=6)
    found.live_until(NOW + timedelta(hours=2))
    [action] = found.actions(waiting=True)
    [run] = found.runs
    assert (action.state, run.outcome, run.detail) == ("previewed", "waiting", "7 accounts, of at most 6")
    issuing = Issuing(plant.service, Requests(partial(plant.database.connect, "arrears_app")))
    plant.service.drain()
    confirm(plant.service, issuing, CARLA, action.id, without_changed=False)
    plant.service.drain()
    assert found.actions(waiting=True) == []
    assert found.actions()[0].state == "finished"
    assert (found.view.next_at, found.view.next_on) == (None, None)


def test_money_that_one_account_has_too_much_makes_no_other_smaller(plant: Plant):
    [credit] = plant.open_accounts("B-1")
    plant.do(
        ReceivePayment(account_id=credit, number="P-1", amount=Money(75_000, "USD"), received_on=NOW.date()),
    )
    plant.catch_up()
    found = made(plant, Times(at=NOW + timedelta(hours=1)), most_amount="699.99")
    found.live_until(NOW + timedelta(hours=2))
    [run] = found.runs
    assert (run.outcome, run.accounts, run.detail) == ("waiting", 8, "it would touch more money than it may")


@pytest.mark.parametrize("said", ["50.005", "1,5", "-1", "1e3", "NaN"])
def test_the_most_amount_is_said_exactly(plant: Plant, said: str):
    with pytest.raises(WrongSchedule, match="most_amount"):
        made(plant, Times(every=Period.DAY), most_amount=said)


TOO_FINE = [
    ("fees", {"basis": "fixed", "amount": "3.001", "service_type": "late-fee"}, "amount"),
    ("write-off", {"code": "other", "below": "10.001"}, "below"),
]


@pytest.mark.parametrize(("kind", "said", "field"), TOO_FINE)
def test_amounts_with_more_places_than_the_currency_are_neither_previewed_nor_scheduled(
    plant: Plant, kind: str, said: dict[str, Any], field: str
):
    plant.do(SaveFilter(office_id=OFFICE, name="old", filter=SavedFilter(filters={})))
    plant.service.drain()
    issuing = Issuing(plant.service, Requests(partial(plant.database.connect, "arrears_app")))
    with pytest.raises(Refused, match=f"{field}: .*2 decimal places"):
        preview(plant.service, issuing, CARLA, kind=kind, said=said, of=Selection())
    with pytest.raises(Refused, match=f"{field}: .*2 decimal places"):
        schedule_bulk(
            plant.service, issuing, CARLA, kind=kind, said=said, office="main", saved="old", currency=None,
            times=Times(every=Period.DAY), most_accounts=100, most_amount=None,
        )  # fmt: skip


class _Away:
    """What the step needs is not there."""

    def __call__(self, begun: Recorded, /) -> None:
        raise OSError("no space left")

    def fail(self, begun: Recorded, detail: str, /) -> None:
        raise AssertionError(detail)


def test_a_time_that_cannot_be_made_now_holds_up_no_other_work(plant: Plant):
    found = made(plant, Times(every=Period.DAY))
    plant.do(FireSchedule(schedule_id=found.id))
    plant.catch_up()
    plant.do(OTHER_BUCKETS)
    plant.catch_up()
    with closing(Worker(plant.database, plant.service.arrears, {RunSchedule.command_name: _Away()})) as worker:
        while worker.turn() is Turn.CHUNK:
            plant.project()
    done = {each.command: each.done for each in plant.open_work}
    assert done == {AgeAccount.command_name: plant.most_accounts, RunSchedule.command_name: 0}
    assert found.runs[0].outcome is None


def test_a_time_whose_work_is_cancelled_says_so(plant: Plant):
    found = made(plant, Times(at=NOW + timedelta(hours=1)))
    clock = plant.service.clock
    clock.set(NOW + timedelta(hours=2))
    plant.do(FireSchedule(schedule_id=found.id))
    plant.catch_up()
    plant.do(CancelWork(work_id=plant.open_work[0].id), reason="not today")
    plant.service.drain()
    [run] = found.runs
    assert (run.outcome, run.detail) == ("failed", "the work was cancelled")


def test_a_filter_that_is_gone_is_said_and_the_next_time_comes(plant: Plant):
    found = made(plant, Times(every=Period.DAY))
    plant.do(RemoveFilter(office_id=OFFICE, name="old"))
    found.live_until(NOW + timedelta(minutes=1))
    [run] = found.runs
    assert (run.outcome, run.detail) == ("failed", "filter: expected one of none yet, not 'old'")
    assert str(found.view.next_on) == "2026-03-03"


def test_who_dies_before_it_is_kept_leaves_it_to_the_next_who_does_it_once(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
):
    """The rows were frozen, and the process went; meanwhile an account changed, and others stand in the report."""
    found = made(plant, Times(every=Period.DAY))
    plant.do(FireSchedule(schedule_id=found.id))
    plant.catch_up()
    arrears = plant.service.arrears
    step = ScheduledBulk(plant.database, arrears, plant.service.stop, lambda: plant.service.renderer)
    background = {RunSchedule.command_name: step}

    class Died(BaseException):
        pass

    def dies(*_: object) -> None:
        raise Died

    worker = Worker(plant.database, arrears, background)
    with monkeypatch.context() as patched:
        patched.setattr("adapters.bulk.scheduled._issued", dies)
        with pytest.raises(Died):
            worker.turn()
    worker.close()
    assert found.runs[0].outcome is None
    plant.open_accounts("B-1")
    plant.catch_up()
    worker = Worker(plant.database, arrears, background)
    assert worker.turn() is Turn.CHUNK
    worker.close()
    plant.service.drain()
    [action] = found.actions()
    assert (action.state, action.done) == ("finished", 8)
    assert [each.outcome for each in found.runs] == ["confirmed"]
