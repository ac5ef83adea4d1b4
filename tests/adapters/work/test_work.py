"""Work over many accounts: frozen by its cause, chunk by chunk, by any process, once by effect, in nobody's way."""

import os
import signal
import subprocess
import sys
import threading
import time
from typing import Any
from uuid import UUID, uuid4

import pytest
import structlog

from adapters.reactor import Reactor
from adapters.telemetry.metrics import COMMANDS
from adapters.work import rows, worker
from adapters.work.worker import Turn, Worker
from aggregates.account import Account
from aggregates.account.aging import AgeAccount
from aggregates.account.flags import SetFlag
from aggregates.account.payments import ReceivePayment
from aggregates.kernel.command import Issued
from aggregates.office import OpenOffice, office_id
from aggregates.promise import Instalment, MakePromise, PromisePaymentCounted, PromiseToPay
from aggregates.values.money import Money
from aggregates.work import CancelWork, Work, WorkFinished
from policies.table import POLICIES
from tests.adapters.work.conftest import NOW, OTHER_BUCKETS, Plant
from tests.waiting import HANG, wait_until


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "CHUNK", 3)
    monkeypatch.setattr(worker, "_RETRY_SECONDS", 0.0)


def work_off(plant: Plant, worker: Worker) -> int:
    """Chunks until nothing is left; how many turns did something."""
    turns = 0
    while (turn := worker.turn()) is not Turn.IDLE:
        turns += turn is Turn.CHUNK
        plant.catch_up()
    return turns


def asked(*outcomes: str) -> int:
    """How often an account was told to age, by whomever in this process."""
    given = outcomes or ("accepted", "repeated")
    return sum(int(COMMANDS.labels("age-account", outcome, "")._value.get()) for outcome in given)


# --- what is done ------------------------------------------------------------------------------------


def test_a_rule_change_begins_work_and_every_account_is_asked_once(plant: Plant):
    before = asked()
    work = plant.change_buckets()
    assert (work.state, work.command, work.policy, work.accounts) == ("open", "age-account", "aging", None)
    with plant.worker() as worker:
        assert work_off(plant, worker) == 5  # three chunks, that nobody is left, and the end
    assert [plant.times_aged(each) for each in plant.accounts] == [2] * 7
    assert asked() - before == 7
    done = plant.progress(work)
    assert (done.state, done.accounts, done.done, done.refused, done.failed, done.left) == ("finished", 7, 7, 0, 0, 0)
    assert plant.names(work) == ["work.begun", "work.finished"]
    assert plant.open_work == ()


def test_what_an_account_did_says_which_policy_asked_and_because_of_what(plant: Plant):
    work = plant.change_buckets()
    with plant.worker() as worker:
        work_off(plant, worker)
    aged = plant.service.arrears.history(Account, plant.accounts[0])[-1].meta
    begun = plant.service.arrears.history(Work, work.id)[0].meta
    assert (aged.actor, aged.causation_id) == ("policy:aging@1", work.cause_event_id)
    assert aged.correlation_id == begun.correlation_id
    assert begun.causation_id == work.cause_event_id


def test_who_meets_the_cause_again_begins_no_other_work(plant: Plant):
    plant.change_buckets()
    cause = plant.progress(plant.open_work[0]).cause_position
    reactor = Reactor(plant.service.arrears, POLICIES)
    with plant.database.connect("arrears_app") as connection:
        reactor.handle(plant.service.feed.read(cause - 1, 1), connection)
    assert len(plant.open_work) == 1
    assert plant.names(plant.open_work[0]) == ["work.begun"]


def test_an_account_opened_after_the_cause_is_not_asked(plant: Plant):
    before = asked()
    work = plant.change_buckets()
    later = plant.open_accounts(*[f"B-{n}" for n in range(5)])
    plant.catch_up()
    with plant.worker() as worker:
        work_off(plant, worker)
    assert (plant.progress(work).accounts, plant.progress(work).done, asked() - before) == (7, 7, 7)
    assert [plant.times_aged(each) for each in later] == [0] * 5


def test_drain_does_all_work_and_what_follows_from_it(plant: Plant):
    work = plant.change_buckets()
    plant.service.drain()
    assert plant.progress(work).state == "finished"
    assert [plant.times_aged(each) for each in plant.accounts] == [2] * 7
    assert plant.service.feed.head() == plant.service.status()[0].checkpoint


# --- by whom -----------------------------------------------------------------------------------------


def test_two_workers_share_one_work_and_nobody_does_a_chunk_twice(plant: Plant, monkeypatch: pytest.MonkeyPatch):
    """Both run all the time, beside the readers that they wait for."""
    monkeypatch.setattr(worker, "CHUNK", 1)
    before = asked()
    work = plant.change_buckets()
    stop = threading.Event()
    with plant.worker() as one, plant.worker() as two:
        threads = [threading.Thread(target=each.run, args=[stop]) for each in (one, two)]
        for each in threads:
            each.start()
        deadline = time.monotonic() + HANG
        while plant.progress(work).state == "open" and time.monotonic() < deadline:
            plant.catch_up()
        stop.set()
        for each in threads:
            each.join()
    assert (plant.progress(work).state, plant.progress(work).done) == ("finished", 7)
    assert asked() - before == 7


def test_a_chunk_that_somebody_has_is_nobody_else_s(plant: Plant):
    plant.change_buckets()
    with plant.worker() as worker, plant.database.connect("arrears_app") as holder:
        assert rows.take(holder) is not None
        assert worker.turn() is Turn.WAITING
        holder.rollback()
        assert worker.turn() is Turn.CHUNK


def test_works_take_turns(plant: Plant):
    """A small office does not wait for a large one."""
    large = plant.change_buckets()
    small_office = office_id("small")
    plant.do(OpenOffice(code="small", title="Small"))
    plant.open_accounts("S-1", office=small_office)
    with plant.worker() as worker:
        assert worker.turn() is Turn.CHUNK
        plant.catch_up()
        small = plant.begin(SetFlag, office="small", flag="vip")
        for _ in range(2):
            assert worker.turn() is Turn.CHUNK
            plant.catch_up()
        assert (plant.progress(large).done, plant.progress(small).done) == (3 + 3, 1)


def test_killed_between_a_chunk_and_its_progress_it_goes_on_and_no_account_is_asked_twice(plant: Plant):
    work = plant.change_buckets()
    dies = [sys.executable, "-m", "tests.adapters.work.dies"]
    died = subprocess.run(dies, check=False, env={**os.environ, **plant.env}, timeout=HANG)
    assert died.returncode == -signal.SIGKILL
    repeated = asked("repeated")
    with plant.worker() as worker:
        wait_until(lambda: worker.turn() is Turn.CHUNK, "the row is let go of")
        plant.catch_up()
        work_off(plant, worker)
    assert [plant.times_aged(each) for each in plant.accounts] == [2] * 7
    assert plant.progress(work).done == 7
    assert asked("repeated") - repeated == 3, "the chunk was done again"


def test_killed_between_the_end_and_its_row_it_has_one_end(plant: Plant, monkeypatch: pytest.MonkeyPatch):
    work = plant.change_buckets()
    with plant.worker() as one:
        with monkeypatch.context() as patch:
            patch.setattr(rows, "close", _interrupted)
            with pytest.raises(KeyboardInterrupt):
                work_off(plant, one)
        assert plant.names(work) == ["work.begun", "work.finished"]
        assert work_off(plant, one) == 1
    assert plant.names(work) == ["work.begun", "work.finished"]


def _interrupted(*_: Any) -> None:
    raise KeyboardInterrupt


# --- ending it ---------------------------------------------------------------------------------------


def test_who_is_told_to_stop_ends_after_the_chunk_and_the_next_one_goes_on(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
):
    work = plant.change_buckets()
    stop, advance = threading.Event(), rows.advance

    def stopping(*given: Any) -> None:
        stop.set()
        advance(*given)

    with plant.worker() as worker, monkeypatch.context() as patch:
        patch.setattr(rows, "advance", stopping)
        worker.run(stop)
    assert plant.progress(work).done == 3
    plant.service.drain()
    assert plant.progress(work).state == "finished"


def test_what_is_cancelled_stops_before_its_next_chunk(plant: Plant):
    work = plant.change_buckets()
    with plant.worker() as worker:
        assert worker.turn() is Turn.CHUNK
        plant.catch_up()
        plant.do(CancelWork(work_id=work.id), reason="The buckets were wrong.")
        assert plant.progress(work).state == "cancelled"
        work_off(plant, worker)
    cancelled = plant.progress(work)
    assert (cancelled.state, cancelled.accounts, cancelled.done, cancelled.left) == ("cancelled", 7, 3, 4)
    assert plant.names(work) == ["work.begun", "work.cancelled"]
    assert [plant.times_aged(each) for each in plant.accounts] == [2] * 3 + [1] * 4


# --- what it waits for -------------------------------------------------------------------------------


def test_nothing_is_asked_before_the_report_shows_who_was_there(plant: Plant):
    plant.open_accounts("A-new")
    plant.do(OTHER_BUCKETS)
    plant.react()
    (work,) = plant.open_work
    with plant.worker() as worker:
        assert worker.turn() is Turn.WAITING
        plant.project()
        work_off(plant, worker)
    assert plant.progress(work).accounts == 8


def test_a_chunk_is_asked_while_policies_are_at_the_last_one_and_no_third(plant: Plant):
    """Else what chunks lead to would pile up in front of everybody else's events."""
    plant.change_buckets()
    with plant.worker() as worker:
        assert [worker.turn() for _ in range(3)] == [Turn.CHUNK, Turn.CHUNK, Turn.WAITING]
        plant.project()
        assert worker.turn() is Turn.WAITING
        plant.react()
        assert worker.turn() is Turn.CHUNK


def test_of_all_works_together_two_chunks_are_not_seen(plant: Plant):
    """Many offices that change at once are not many chunks in front of everybody else's events."""
    plant.change_buckets()
    for flag in ("vip", "legal"):
        plant.begin(SetFlag, flag=flag)
    with plant.worker() as worker:
        assert [worker.turn() for _ in range(3)] == [Turn.CHUNK, Turn.CHUNK, Turn.WAITING]
        plant.catch_up()
        assert worker.turn() is Turn.CHUNK


def test_work_has_not_ended_before_what_its_last_chunk_led_to_is_seen(plant: Plant):
    work = plant.change_buckets()
    with plant.worker() as worker:
        while plant.progress(work).done < 7:
            if worker.turn() is Turn.WAITING:
                plant.catch_up()
        assert worker.turn() is Turn.CHUNK  # that there is nobody left
        assert worker.turn() is Turn.WAITING
        assert plant.names(work) == ["work.begun"]
        plant.catch_up()
        assert worker.turn() is Turn.CHUNK
    assert plant.names(work) == ["work.begun", "work.finished"]


def test_nothing_is_asked_while_an_append_is_under_way_that_may_not_have_seen_the_cause(plant: Plant):
    with plant.database.connect("arrears_app") as appending, plant.worker() as worker:
        # It writes nothing; it holds what every append holds from before it looks at the log until its end.
        appending.execute("INSERT INTO arrears.events SELECT * FROM arrears.events WHERE false")
        plant.change_buckets()
        assert [worker.turn() for _ in range(3)] == [Turn.WAITING] * 3
        appending.commit()
        assert worker.turn() is Turn.CHUNK


def test_an_append_that_began_later_and_other_writers_hold_up_nobody(plant: Plant):
    with plant.database.connect("arrears_app") as importing, plant.database.connect("arrears_app") as appending:
        importing.execute("CREATE TEMPORARY TABLE staged AS SELECT 1")
        plant.change_buckets()
        appending.execute("INSERT INTO arrears.events SELECT * FROM arrears.events WHERE false")
        with plant.worker() as worker:
            assert worker.turn() is Turn.CHUNK


# --- what goes wrong ---------------------------------------------------------------------------------


def test_an_account_that_keeps_failing_is_counted_and_named_and_the_others_go_on(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
):
    work = plant.change_buckets()
    odd = plant.accounts[1]
    _fails_for(plant, monkeypatch, odd)
    with plant.worker() as worker, structlog.testing.capture_logs() as said:
        assert work_off(plant, worker) == 3 + 5  # the chunk is tried three times as a whole, and then one by one
    done = plant.progress(work)
    assert (done.state, done.done, done.failed) == ("finished", 6, 1)
    assert [plant.times_aged(each) for each in plant.accounts] == [2, 1, 2, 2, 2, 2, 2]
    assert [each["account"] for each in said if each["event"] == "an account is left out of work"] == [str(odd)]
    finished = plant.service.arrears.history(Work, work.id)[-1].event
    assert finished == WorkFinished(done=6, refused=0, failed=1)


def test_a_defect_that_goes_away_costs_nothing(plant: Plant, monkeypatch: pytest.MonkeyPatch):
    work = plant.change_buckets()
    with plant.worker() as worker:
        with monkeypatch.context() as patch:
            _fails_for(plant, patch, plant.accounts[1])
            assert worker.turn() is Turn.CHUNK
        assert plant.progress(work).done == 0
        plant.catch_up()
        work_off(plant, worker)
    done = plant.progress(work)
    assert (done.done, done.failed) == (7, 0)


def test_a_chunk_that_failed_is_not_tried_again_at_once_and_other_work_goes_on(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(worker, "_RETRY_SECONDS", 3_600.0)
    failing = plant.change_buckets()
    other = plant.begin(SetFlag, flag="vip")
    _fails_for(plant, monkeypatch, plant.accounts[1])
    with plant.worker() as one:
        while (turn := one.turn()) is Turn.CHUNK:
            plant.catch_up()
        assert turn is Turn.WAITING
    assert (plant.progress(failing).state, plant.progress(other).state) == ("open", "finished")


def test_a_refusal_is_counted(plant: Plant):
    refused = plant.begin(SetFlag, flag="no-such-flag")
    plant.service.drain()
    done = plant.progress(refused)
    assert (done.state, done.done, done.refused) == ("finished", 0, 7)


def _fails_for(plant: Plant, monkeypatch: pytest.MonkeyPatch, account: UUID) -> None:
    """A defect that is raised as `handle` raises one: after everything else was stored."""
    handle = plant.service.arrears.handle

    def failing(commands: list[Issued]) -> Any:
        def is_odd(each: Issued) -> bool:
            return isinstance(each.command, AgeAccount) and each.command.account_id == account

        outcomes = handle([each for each in commands if not is_odd(each)])
        if any(map(is_odd, commands)):
            raise ZeroDivisionError("too odd")
        return outcomes

    monkeypatch.setattr(plant.service.arrears, "handle", failing)


# --- in nobody's way ---------------------------------------------------------------------------------


def test_what_happens_in_another_office_reaches_its_policies_while_the_work_is_under_way(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
):
    """A payment behind the rule change is heard of by policies, and counts towards its promise, before that is done."""
    monkeypatch.setattr(worker, "CHUNK", 250)
    other = office_id("other")
    plant.do(OpenOffice(code="other", title="Other"))
    (account,) = plant.open_accounts("O-1", office=other)
    promise = uuid4()
    plant.do(
        MakePromise(
            promise_id=promise, account_id=account,
            instalments=(Instalment(due_on=NOW.date(), amount=Money(10_000, "USD")),),
        )
    )  # fmt: skip
    plant.open_accounts(*[f"B-{n}" for n in range(3_000)])
    plant.service.drain()
    with plant.running():
        plant.do(OTHER_BUCKETS)
        wait_until(lambda: plant.open_work and plant.open_work[0].done, "the first chunk is done")
        plant.do(ReceivePayment(account_id=account, number="P-1", amount=Money(10_000, "USD"), received_on=NOW.date()))
        wait_until(
            lambda: any(
                isinstance(each.event, PromisePaymentCounted)
                for each in plant.service.arrears.history(PromiseToPay, promise)
            ),
            "the payment counts towards the promise",
        )
        (work,) = plant.open_work
        assert work.left
        wait_until(lambda: plant.progress(work).state == "finished", "the work is finished")
        assert plant.progress(work).done == 3_007
