"""A message that one process claimed, and another one meets: it leaves once, or a person is asked."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from adapters.delivery import deliverer
from adapters.delivery.carrier import Attempt, Carrier, CarrierUnavailable
from adapters.delivery.carriers.setup import Carriers
from adapters.delivery.deliverer import Deliverer
from adapters.delivery.rendering import Letter
from aggregates.account import Account
from aggregates.account.messages import MessageQueued
from aggregates.kernel.event import Recorded
from api.processes.step_by_step import StepByStep
from tests.adapters.delivery.freezes import BEGUN, SENT
from tests.flow.conftest import AService
from tests.flow.test_chase import ANNA, World, a_world, day
from tests.waiting import HANG, wait_until

NINE = datetime(2025, 3, 4, 9, 30, tzinfo=UTC)


@pytest.fixture
def world(a_service: AService, tmp_path: Path) -> World:
    """A message is queued, and nobody has delivered it."""
    world = a_world(a_service)
    world.until(day(0))
    world.service.tick(datetime(2025, 3, 4, 0, 30, tzinfo=UTC))
    world.clock.set(NINE)
    world.service.ticker.tick(NINE)
    while world.service.sealer.seal_once():
        pass
    assert "message-queued" in world.names
    return world


# --- processes ---------------------------------------------------------------------------------------


class Deliveries:
    """Processes that deliver the messages of a service, and what they sent."""

    def __init__(self, service: StepByStep, file: Path, contract: str) -> None:
        self._service, self._file, self._contract = service, file, contract
        self._processes: list[subprocess.Popen[bytes]] = []
        file.touch()
        for each in service.runners:
            each.release()  # it would be a third one

    def start(self, *, freezes: bool = False) -> "subprocess.Popen[bytes]":
        program = [sys.executable, "-m", "tests.adapters.delivery.freezes"]
        arguments = [str(self._file), NINE.isoformat(), self._contract, "freezes" if freezes else "goes on"]
        env = {**os.environ, **self._service.env}
        self._processes.append(subprocess.Popen([*program, *arguments], env=env))
        return self._processes[-1]

    def close(self) -> None:
        for each in self._processes:
            each.kill()
            each.wait(HANG)

    def of(self, what: str) -> list[int]:
        """Process ids of those who began to send, or sent."""
        lines = [line.split() for line in self._file.read_text().splitlines()]
        return [int(pid) for word, _, pid in lines if word == what]


NewDeliveries = Callable[[World, str], Deliveries]


@pytest.fixture
def new_deliveries(tmp_path: Path) -> Iterator[NewDeliveries]:
    with ExitStack() as stack:

        def make(world: World, contract: str) -> Deliveries:
            made = Deliveries(world.service, tmp_path / "sendings", contract)
            stack.callback(made.close)
            return made

        yield make


@pytest.mark.slow
def test_a_message_in_whose_sending_a_process_froze_is_uncertain_and_leaves_once_it_wakes(
    world: World, new_deliveries: NewDeliveries
):
    deliveries = new_deliveries(world, "takes an id as often as it comes")
    first = deliveries.start(freezes=True)
    wait_until(lambda: deliveries.of(BEGUN) == [first.pid], "the first is frozen while it sends")
    deliveries.start()
    wait_until(lambda: "message-uncertain" in world.names, "the second has taken over")
    assert (deliveries.of(BEGUN), deliveries.of(SENT)) == ([first.pid], [])
    first.send_signal(signal.SIGCONT)
    wait_until(lambda: "message-sent" in world.names, "what the owner says is so")
    assert deliveries.of(SENT) == [first.pid]
    assert [world.names.count(f"message-{each}") for each in ("dispatched", "uncertain", "sent")] == [1, 1, 1]


@pytest.mark.slow
def test_a_carrier_that_takes_an_id_once_is_given_the_message_again_and_it_leaves_once(
    world: World, new_deliveries: NewDeliveries
):
    deliveries = new_deliveries(world, "idempotent")
    first = deliveries.start(freezes=True)
    wait_until(lambda: deliveries.of(BEGUN) == [first.pid], "the first is frozen while it sends")
    second = deliveries.start()
    wait_until(lambda: "message-sent" in world.names, "the second has sent it")
    first.send_signal(signal.SIGCONT)
    first.send_signal(signal.SIGTERM)
    assert first.wait(HANG) == 0
    assert (deliveries.of(BEGUN), deliveries.of(SENT)) == ([first.pid, second.pid], [second.pid])
    assert [world.names.count(f"message-{each}") for each in ("dispatched", "uncertain", "sent")] == [1, 0, 1]


# --- owners ------------------------------------------------------------------------------------------


class Noting(Carrier):
    """Notes what it is given. `meanwhile` happens while it sends."""

    answers_within = timedelta(seconds=10)

    def __init__(self, *, is_idempotent: bool = False, took: "Letter | bool | None" = False) -> None:
        self.is_idempotent = is_idempotent
        self.says = took
        self.sent: list[UUID] = []
        self.meanwhile: Callable[[], None] = lambda: None

    def send(self, message_id: UUID, letter: Letter) -> str:
        del letter
        self.meanwhile()
        self.sent.append(message_id)
        return "reference"

    def took(self, message_id: UUID, attempt: Attempt) -> Letter | bool | None:
        del message_id
        return self.says


class Owners:
    """Two who deliver the same messages through one carrier."""

    def __init__(self, world: World, carrier: Noting) -> None:
        self.world, self.carrier = world, carrier
        self.waited_until: list[datetime] = []
        self.first, self.second = self._new(), self._new()
        self.while_waiting: Callable[[], None] = lambda: None

    def _new(self) -> Deliverer:
        def wait_until(moment: datetime) -> None:
            self.waited_until.append(moment)
            self.world.clock.set(moment)
            self.while_waiting()

        service = self.world.service
        return Deliverer(service.arrears, Carriers(self.carrier), wait_until, service.renderer)

    @property
    def queued(self) -> Recorded:
        (found,) = (each for each in self.world.history if isinstance(each.event, MessageQueued))
        return found

    def deliver(self, who: Deliverer) -> None:
        with self.world.service.database.connect("arrears_app") as connection:
            who.handle([self.queued], connection)


def test_two_who_claim_the_same_message_do_not_both_send_it(world: World):
    """Both saw it queued: one claims it, and the other one's claim is refused."""
    owners = Owners(world, Noting())
    claim = owners.second._issue

    def slow(act, errand, command):
        if act == "dispatch":
            owners.second._issue = claim  # type: ignore[method-assign]
            owners.carrier.meanwhile = lambda: owners.deliver(owners.second)
            owners.deliver(owners.first)
        return claim(act, errand, command)

    owners.second._issue = slow  # type: ignore[method-assign]
    owners.deliver(owners.second)
    assert len(owners.carrier.sent) == 1
    assert world.names.count("message-dispatched") == 1


def test_a_slow_owner_is_waited_for_until_its_claim_ends_and_its_report_counts(world: World):
    owners = Owners(world, Noting())
    report = owners.first._report_sent
    said: list[Callable[[], None]] = []
    owners.first._report_sent = lambda *given, **more: said.append(lambda: report(*given, **more))  # type: ignore[method-assign]
    owners.deliver(owners.first)
    owners.while_waiting = said.pop()
    owners.deliver(owners.second)
    assert owners.waited_until == [NINE + deliverer.TO_CALL + Noting.answers_within]
    assert len(owners.carrier.sent) == 1
    assert [world.names.count(f"message-{each}") for each in ("uncertain", "sent")] == [0, 1]


@pytest.mark.parametrize("says", [False, None])
def test_a_claim_of_another_that_has_ended_makes_the_message_uncertain_even_if_the_carrier_has_not_got_it(
    world: World, says: bool | None
):
    """That it has not got it yet does not mean that it will not get it."""
    owners = Owners(world, Noting(took=says))
    owners.carrier.meanwhile = lambda: owners.deliver(owners.second)
    owners.deliver(owners.first)
    assert len(owners.carrier.sent) == 1
    assert [world.names.count(f"message-{each}") for each in ("dispatched", "uncertain", "sent")] == [1, 1, 1]


def test_what_the_carrier_has_taken_is_sent_whoever_claimed_it(world: World):
    owners = Owners(world, Noting())
    letter = Letter("email", "anna@example.org", "1", "as it left")  # type: ignore[arg-type]

    def other_looks() -> None:
        owners.carrier.says = letter
        owners.deliver(owners.second)

    owners.carrier.meanwhile = other_looks
    owners.deliver(owners.first)
    assert [world.names.count(f"message-{each}") for each in ("uncertain", "sent")] == [0, 1]
    assert owners.waited_until == []


def test_an_owner_that_was_given_up_before_it_called_the_carrier_does_not_call_it(world: World):
    owners = Owners(world, Noting())
    render = owners.first._render

    def slowly(errand):
        owners.deliver(owners.second)
        return render(errand)

    owners.first._render = slowly  # type: ignore[method-assign]
    owners.deliver(owners.first)
    assert owners.carrier.sent == []
    assert world.names.count("message-uncertain") == 1


def test_a_carrier_that_takes_an_id_once_is_not_waited_for(world: World):
    owners = Owners(world, Noting(is_idempotent=True))

    def other_delivers() -> None:
        owners.carrier.meanwhile = lambda: None
        owners.deliver(owners.second)

    owners.carrier.meanwhile = other_delivers
    owners.deliver(owners.first)
    assert owners.waited_until == []
    assert world.names.count("message-sent") == 1


def test_whoever_claimed_it_believes_the_carrier_that_it_was_not_taken(world: World):
    """Its own attempt is over: the carrier is called again."""
    owners = Owners(world, Noting())

    def breaks() -> None:
        owners.carrier.meanwhile = lambda: None
        raise ConnectionError("in the middle")

    owners.carrier.meanwhile = breaks
    with pytest.raises(ConnectionError):
        owners.deliver(owners.first)
    owners.deliver(owners.first)
    assert len(owners.carrier.sent) == 1
    assert world.names.count("message-sent") == 1
    assert world.service.arrears.load(Account, ANNA).messages.under_way == {}


# --- a carrier that does not take it now ---------------------------------------------------------------


class Busy(Noting):
    """Says so often that it takes nothing now; beforehand, or when it is handed a message."""

    def __init__(self, *, times: int = 0, beforehand: int = 0, took: "Letter | bool | None" = None) -> None:
        super().__init__(took=took)
        self.times, self.beforehand = times, beforehand

    def check(self) -> None:
        if self.beforehand:
            self.beforehand -= 1
            raise CarrierUnavailable("not reached")

    def send(self, message_id: UUID, letter: Letter) -> str:
        if self.times:
            self.times -= 1
            raise CarrierUnavailable("busy")
        return super().send(message_id, letter)


def test_a_carrier_that_was_not_there_beforehand_leaves_the_message_unclaimed(world: World):
    owners = Owners(world, Busy(beforehand=1))
    with pytest.raises(CarrierUnavailable):
        owners.deliver(owners.first)
    assert "message-dispatched" not in world.names
    owners.deliver(owners.second)
    assert len(owners.carrier.sent) == 1
    assert [world.names.count(f"message-{each}") for each in ("dispatched", "uncertain", "sent")] == [1, 0, 1]


def test_what_a_carrier_did_not_take_for_certain_is_handed_to_it_again_by_the_owner_of_the_claim(world: World):
    """It is not asked what it took, of which it knows nothing, and the message is neither failed nor uncertain."""
    owners = Owners(world, Busy(times=3))
    for _ in range(3):
        with pytest.raises(CarrierUnavailable):
            owners.deliver(owners.first)
        assert world.names[-1] == "message-dispatched"
    owners.deliver(owners.first)
    assert len(owners.carrier.sent) == 1
    said = [world.names.count(f"message-{each}") for each in ("dispatched", "uncertain", "failed", "sent")]
    assert said == [1, 0, 0, 1]


def test_who_paid_while_the_carrier_took_nothing_gets_nothing(world: World):
    owners = Owners(world, Busy(times=1))
    with pytest.raises(CarrierUnavailable):
        owners.deliver(owners.first)
    world.pay(10_000)
    owners.deliver(owners.first)
    assert owners.carrier.sent == []
    assert [world.names.count(f"message-{each}") for each in ("withdrawn", "sent")] == [1, 0]


def test_what_did_not_leave_on_its_day_does_not_leave_later(world: World):
    owners = Owners(world, Busy(times=1))
    with pytest.raises(CarrierUnavailable):
        owners.deliver(owners.first)
    world.clock.set(NINE + timedelta(days=1))
    owners.deliver(owners.first)
    assert owners.carrier.sent == []
    assert world.names.count("message-withdrawn") == 1


def test_what_was_not_taken_once_and_then_may_have_been_is_uncertain(world: World):
    """The carrier's word is about its own refusal, and not about the attempt after it."""
    owners = Owners(world, Busy(times=1))
    with pytest.raises(CarrierUnavailable):
        owners.deliver(owners.first)

    def breaks() -> None:
        raise ConnectionError("in the middle")

    owners.carrier.meanwhile = breaks
    with pytest.raises(ConnectionError):
        owners.deliver(owners.first)
    owners.deliver(owners.first)
    assert owners.carrier.sent == []
    assert world.names.count("message-uncertain") == 1


def test_another_process_does_not_hand_over_what_the_owner_of_the_claim_still_tries(world: World):
    owners = Owners(world, Busy(times=1))
    with pytest.raises(CarrierUnavailable):
        owners.deliver(owners.first)
    owners.deliver(owners.second)
    owners.deliver(owners.first)
    assert owners.carrier.sent == []
    assert world.names.count("message-uncertain") == 1
