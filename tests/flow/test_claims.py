"""A message that one process claimed, and another one meets: it leaves once, or a person is asked."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from adapters.delivery import queue
from adapters.delivery.carrier import Attempt, Carrier, CarrierAway, CarrierUnavailable
from adapters.delivery.intake import Intake
from adapters.delivery.opt_out import opt_out_line
from adapters.delivery.queue import HOLDS
from adapters.delivery.rendering import Letter
from adapters.delivery.sender import TO_CALL, Sender, _Batch
from aggregates.account import Account
from aggregates.account.messages import DispatchMessage, MessageQueued, MessageSent, WithdrawMessage
from aggregates.values.contact import Channel
from api.processes.step_by_step import StepByStep
from tests.adapters.delivery.freezes import BEGUN, SENT
from tests.flow.conftest import AService
from tests.flow.test_chase import ANNA, NINE, World, a_world, until_queued
from tests.waiting import HANG, wait_until

OPT_OUT = opt_out_line(Channel.EMAIL, "en") or ""


@pytest.fixture
def world(a_service: AService, tmp_path: Path) -> World:
    """A message is queued, and nobody has delivered it."""
    world = a_world(a_service)
    until_queued(world)
    assert "message-queued" in world.names
    return world


# --- processes ---------------------------------------------------------------------------------------


class Deliveries:
    """Processes that deliver the messages of a service, and what they sent."""

    def __init__(self, service: StepByStep, file: Path, contract: str) -> None:
        self._service, self._file, self._contract = service, file, contract
        self._processes: list[subprocess.Popen[bytes]] = []
        self._began = time.time()
        file.touch()
        for each in service.runners:
            each.release()  # it would be a third one

    def start(self, *, freezes: bool = False) -> "subprocess.Popen[bytes]":
        program = [sys.executable, "-m", "tests.adapters.delivery.freezes"]
        arguments = [
            str(self._file),
            NINE.isoformat(),
            str(self._began),
            self._contract,
            "freezes" if freezes else "goes on",
        ]
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
        self.looked_for: list[Letter | None] = []
        self.meanwhile: Callable[[], None] = lambda: None

    def send(self, message_id: UUID, letter: Letter) -> str:
        del letter
        self.meanwhile()
        self.sent.append(message_id)
        return "reference"

    def took(self, message_id: UUID, attempt: Attempt) -> Letter | bool | None:
        del message_id
        self.looked_for.append(attempt.letter())
        return self.says


class Owners:
    """Two who deliver the same messages through one carrier."""

    def __init__(self, world: World, carrier: Noting) -> None:
        self.world, self.carrier = world, carrier
        [intake] = [each for each in world.service.runners if each.name == Intake.name]
        intake.catch_up()
        self.first, self.second = self._new(), self._new()

    def _new(self) -> Sender:
        service = self.world.service
        return Sender(service.arrears, service.database, self.carrier, list(Channel), service.renderer)

    def deliver(self, who: Sender) -> int:
        return who.turn().count

    def later(self, seconds: float) -> None:
        self.world.clock.set(self.world.clock.now() + timedelta(seconds=seconds))

    @property
    def counted(self) -> dict[str, int]:
        kinds = ("dispatched", "sent", "failed", "uncertain", "withdrawn")
        return {each: count for each in kinds if (count := self.world.names.count(f"message-{each}"))}


@contextmanager
def dies(sender: Sender) -> Iterator[None]:
    """What it does within ends it, as a kill would: its connections are gone, and it does nothing any more. The server
    notices a moment later."""
    with pytest.raises(Killed):
        yield
    sender.close()
    with sender._database.connect("arrears_app", autocommit=True) as connection:
        [(key,)] = connection.execute(f"SELECT {queue._KEY.format(owner='%s')}", [sender._owner])
        wait_until(lambda: (key,) not in [*connection.execute(queue._ALIVE)], "the server notices that it is gone")


class Killed(BaseException):
    """Nobody catches it."""


def kill() -> None:
    raise Killed


CLAIM_ENDS = (TO_CALL + Noting.answers_within).total_seconds()


def test_what_one_has_in_hand_no_other_one_takes(world: World):
    owners = Owners(world, Noting())
    owners.carrier.meanwhile = lambda: taken.append(owners.deliver(owners.second))
    taken: list[int] = []
    assert owners.deliver(owners.first) == 1
    assert taken == [0]
    assert owners.counted == {"dispatched": 1, "sent": 1}


def test_a_slow_owner_is_waited_for_until_its_claim_ends_and_its_report_counts(world: World):
    owners = Owners(world, Noting(took=None))

    def slow() -> None:
        owners.later(CLAIM_ENDS - 1)
        assert owners.deliver(owners.second) == 0
        owners.later(1)
        assert owners.deliver(owners.second) == 1

    owners.carrier.meanwhile = slow
    owners.deliver(owners.first)
    assert len(owners.carrier.sent) == 1
    assert owners.counted == {"dispatched": 1, "uncertain": 1, "sent": 1}


@pytest.mark.parametrize("says", [False, None])
def test_what_another_began_is_uncertain_even_if_the_carrier_has_not_got_it(world: World, says: bool | None):
    """That it has not got it yet does not mean that it will not get it."""
    owners = Owners(world, Noting(took=says))
    owners.carrier.meanwhile = kill
    with dies(owners.first):
        owners.deliver(owners.first)
    assert owners.deliver(owners.second) == 1
    assert owners.carrier.sent == []
    assert owners.counted == {"dispatched": 1, "uncertain": 1}
    assert [each.body for each in owners.carrier.looked_for if each] == ["Anna owes 100.00\n\n" + OPT_OUT]


def test_what_was_claimed_and_not_begun_by_one_who_died_is_sent_by_the_next_one(world: World):
    owners = Owners(world, Noting())
    with pytest.MonkeyPatch.context() as patched, dies(owners.first):
        patched.setattr(queue, "begin", lambda *_, **__: kill())
        owners.deliver(owners.first)
    assert owners.counted == {"dispatched": 1}
    assert owners.deliver(owners.second) == 1
    assert owners.counted == {"dispatched": 1, "sent": 1}


def test_what_was_about_to_be_claimed_by_one_who_died_is_claimed_and_sent_by_the_next_one(world: World):
    owners = Owners(world, Noting())
    with pytest.MonkeyPatch.context() as patched, dies(owners.first):
        patched.setattr(_Batch, "_handle", lambda *_: kill())
        owners.deliver(owners.first)
    assert owners.counted == {}
    assert owners.deliver(owners.second) == 1
    assert owners.counted == {"dispatched": 1, "sent": 1}


def test_who_paid_since_it_was_claimed_gets_nothing_of_the_next_one(world: World):
    owners = Owners(world, Noting())
    with pytest.MonkeyPatch.context() as patched, dies(owners.first):
        patched.setattr(queue, "begin", lambda *_, **__: kill())
        owners.deliver(owners.first)
    world.pay(10_000)
    owners.deliver(owners.second)
    assert owners.carrier.sent == []
    assert owners.counted == {"dispatched": 1, "withdrawn": 1}


def test_one_that_was_frozen_before_it_began_does_not_begin_what_another_has_by_now(world: World):
    owners = Owners(world, Noting())
    begin = queue.begin

    def late(*given: Any, **more: Any) -> bool:
        patched.undo()
        owners.later(HOLDS.total_seconds())
        assert owners.deliver(owners.second) == 1
        return begin(*given, **more)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(queue, "begin", late)
        owners.deliver(owners.first)
    assert len(owners.carrier.sent) == 1
    assert owners.counted == {"dispatched": 1, "sent": 1}


def test_what_the_carrier_took_is_sent_with_the_text_that_left_though_nobody_said_so_in_the_log(world: World):
    """Another message of the batch was begun after it; then the process died."""
    owners = Owners(world, Noting())
    with pytest.MonkeyPatch.context() as patched, dies(owners.first):
        patched.setattr(_Batch, "_report", lambda batch: None if not batch._results else kill())
        owners.deliver(owners.first)
    note_taken(owners)
    world.pay(10_000)
    assert owners.deliver(owners.second) == 1
    [sent] = [each.event for each in world.history if isinstance(each.event, MessageSent)]
    assert (sent.body, sent.carrier_reference) == ("Anna owes 100.00\n\n" + OPT_OUT, "r-1")
    assert len(owners.carrier.sent) == 1
    assert owners.counted == {"dispatched": 1, "sent": 1}


def note_taken(owners: Owners) -> None:
    """As whoever begins the next message of the batch notes of the one before."""
    [message] = owners.carrier.sent
    with owners.world.service.database.connect("arrears_app") as connection:
        owner = connection.execute("SELECT owner FROM arrears.deliveries").fetchone()
        assert owner is not None
        now = owners.world.clock.now()
        another = queue.Begun(uuid4(), None, now, now)
        assert not queue.begin(connection, owner[0], another, after=queue.Done(message, now, "r-1"))


def test_what_an_earlier_release_claimed_is_not_sent_but_asked_for(world: World):
    owners = Owners(world, Noting(took=None))
    [queued] = [each.event for each in world.history if isinstance(each.event, MessageQueued)]
    world.do(DispatchMessage(account_id=ANNA, message_id=queued.message_id))
    owners.deliver(owners.first)
    assert owners.carrier.sent == []
    assert owners.counted == {"dispatched": 1, "uncertain": 1}


def test_what_the_carrier_has_taken_is_sent_whoever_claimed_it(world: World):
    owners = Owners(world, Noting(took=Letter(Channel.EMAIL, "anna@example.org", "1", "as it left")))
    owners.carrier.meanwhile = kill
    with dies(owners.first):
        owners.deliver(owners.first)
    owners.deliver(owners.second)
    [sent] = [each.event for each in world.history if isinstance(each.event, MessageSent)]
    assert sent.body == "as it left"
    assert owners.counted == {"dispatched": 1, "sent": 1}


def test_a_carrier_that_takes_an_id_once_is_given_it_again(world: World):
    owners = Owners(world, Noting(is_idempotent=True))
    owners.carrier.meanwhile = kill
    with dies(owners.first):
        owners.deliver(owners.first)
    owners.carrier.meanwhile = lambda: None
    owners.deliver(owners.second)
    assert owners.counted == {"dispatched": 1, "sent": 1}


def test_whoever_began_it_believes_the_carrier_that_it_was_not_taken(world: World):
    """Its own attempt is over: the carrier is called again, after a pause."""
    owners = Owners(world, Noting())

    def breaks() -> None:
        owners.carrier.meanwhile = lambda: None
        raise ConnectionError("in the middle")

    owners.carrier.meanwhile = breaks
    owners.deliver(owners.first)
    assert owners.deliver(owners.first) == 0
    owners.later(30)
    owners.deliver(owners.first)
    assert owners.counted == {"dispatched": 1, "sent": 1}
    assert world.service.arrears.load(Account, ANNA).messages.under_way == {}


def test_a_message_that_was_taken_back_meanwhile_leaves_the_queue(world: World):
    owners = Owners(world, Noting())
    [queued] = [each.event for each in world.history if isinstance(each.event, MessageQueued)]
    world.do(WithdrawMessage(account_id=ANNA, message_id=queued.message_id))
    assert [owners.deliver(owners.first), owners.deliver(owners.first)] == [1, 0]
    assert owners.carrier.sent == []


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
    owners.later(1)
    owners.deliver(owners.second)
    assert owners.counted == {"dispatched": 1, "sent": 1}


def test_what_a_carrier_did_not_take_for_certain_is_handed_to_it_again_by_whoever_comes(world: World):
    """It is not asked what it took, of which it knows nothing, and the message is neither failed nor uncertain."""
    owners = Owners(world, Busy(times=3))
    for pause in (30, 60, 120):
        assert owners.deliver(owners.first) == 1
        assert world.names[-1] == "message-dispatched"
        owners.later(pause - 1)
        assert owners.deliver(owners.second) == 0
        owners.later(1)
    owners.deliver(owners.second)
    assert owners.counted == {"dispatched": 1, "sent": 1}


def test_a_carrier_that_takes_nothing_from_anybody_costs_no_message_an_attempt(world: World):
    class Locked(Busy):
        def send(self, message_id: UUID, letter: Letter) -> str:
            if self.times:
                self.times -= 1
                raise CarrierAway("the account is locked")
            return super().send(message_id, letter)

    owners = Owners(world, Locked(times=2))
    for _ in range(2):
        with pytest.raises(CarrierAway):
            owners.deliver(owners.first)
        owners.later(1)
    assert owners.deliver(owners.second) == 1
    assert owners.counted == {"dispatched": 1, "sent": 1}


def test_who_paid_while_the_carrier_took_nothing_gets_nothing(world: World):
    owners = Owners(world, Busy(times=1))
    owners.deliver(owners.first)
    world.pay(10_000)
    owners.later(30)
    owners.deliver(owners.second)
    assert owners.carrier.sent == []
    assert owners.counted == {"dispatched": 1, "withdrawn": 1}


def test_what_did_not_leave_on_its_day_does_not_leave_later(world: World):
    owners = Owners(world, Busy(times=1))
    owners.deliver(owners.first)
    world.clock.set(NINE + timedelta(days=1))
    owners.deliver(owners.first)
    assert owners.carrier.sent == []
    assert owners.counted == {"dispatched": 1, "withdrawn": 1}


def test_what_was_not_taken_once_and_then_may_have_been_is_uncertain(world: World):
    """The carrier's word is about its own refusal, and not about the attempt after it."""
    owners = Owners(world, Busy(times=1))
    owners.deliver(owners.first)
    owners.later(30)

    def breaks() -> None:
        raise ConnectionError("in the middle")

    owners.carrier.meanwhile = breaks
    owners.deliver(owners.first)
    assert owners.carrier.sent == []
    assert owners.counted == {"dispatched": 1, "uncertain": 1}
