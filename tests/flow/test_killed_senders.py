"""Whoever dies while messages leave, and whatever the other end does: what it has is what the log says was sent."""

import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pytest

from aggregates.account.messages import MessageSent
from aggregates.campaign import Step, Template
from aggregates.values.contact import Channel, Consent, ContactDetails, PhoneNumber
from tests.adapters.delivery.carriers import mail_server, twilio_server
from tests.adapters.delivery.carriers.mail_server import MailServer
from tests.adapters.delivery.carriers.stands import WAIT
from tests.adapters.delivery.carriers.twilio_server import LEAVES_OPEN, TwilioServer, message_sid
from tests.flow.conftest import AService
from tests.flow.test_chase import NINE, World, a_world, until_queued
from tests.flow.test_mail import a_portfolio, about_messages, messages, owes
from tests.waiting import HANG, wait_until

ACCOUNTS, KILLS = 30, int(os.environ.get("ARREARS_TEST_KILLS", "3"))
NUMBERS = [f"a{n}" for n in range(ACCOUNTS)]


class MoodyMail(MailServer):
    """Does something else with each message, by a number that is given."""

    lines = 4

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._random = random.Random(seed)
        self.seen = 0
        self.left_open = 0

    async def handle_RCPT(  # noqa: N802 - the library's name
        self, server: Any, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        does = mail_server.Does
        weights = {
            does.TAKES: 12,
            does.BUSY: 2,
            does.REFUSES: 2,
            does.BUSY_AFTER_THE_TEXT: 1,
            does.REFUSES_THE_TEXT: 1,
            does.DIES_WITH_THE_TEXT: 2,
        }
        [self.does] = self._random.choices(list(weights), list(weights.values()))
        return await super().handle_RCPT(server, session, envelope, address, options)

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        self.left_open += self.does is mail_server.Does.DIES_WITH_THE_TEXT
        said = await super().handle_DATA(server, session, envelope)
        self.seen += 1
        return said

    def ledger(self) -> list[tuple[UUID, str]]:
        ids = [mail["Message-ID"] for mail in self.taken]
        return [(UUID(each.strip("<>").partition("@")[0]), each) for each in ids]

    def check(self, said: dict[UUID, str]) -> None:
        assert "failed" in said.values()


class MoodyTwilio(TwilioServer):
    """Everything that it may do comes up, in an order by a number that is given; and it does not always say what it
    took when it is asked."""

    lines = 1
    late_after = 2 * WAIT

    def __init__(self, seed: int) -> None:
        super().__init__()
        does = twilio_server.Does
        often = {does.TAKES: 4, does.TWICE: 4, does.SLOW: 3, does.REFUSES: 3, does.BUSY: 2, does.FAILS: 2, does.DIES: 3}
        others = (does.REFUSES_TWICE, does.DROPS, does.STOPS, does.SILENT, does.LATE)
        self._random = random.Random(seed)
        self._next = [each for each, times in {**often, **dict.fromkeys(others, 1)}.items() for _ in range(times)]
        self._random.shuffle(self._next)
        self._by_sid: dict[str, UUID] = {}
        self.did: list[tuple[UUID, twilio_server.Does]] = []

    def does_with(self, form: dict[str, str]) -> twilio_server.Does:
        [message] = parse_qs(urlsplit(form["StatusCallback"]).query)["message"]
        does = self._next.pop() if self._next else twilio_server.Does.TAKES
        self.did.append((UUID(message), does))
        self.does = twilio_server.Does.TAKES if self._random.random() < 0.75 else twilio_server.Does.BUSY
        return does

    @property
    def seen(self) -> int:
        return len(self.did)

    @property
    def left_open(self) -> int:
        """An answer that comes twice leaves open what was handed over next."""
        return sum(does in LEAVES_OPEN or does is twilio_server.Does.TWICE for _, does in self.did)

    def ledger(self) -> list[tuple[UUID, str]]:
        taken = [parse_qs(urlsplit(form["StatusCallback"]).query)["message"][0] for form in self.messages]
        return [(UUID(each), message_sid(number)) for number, each in enumerate(taken, 1)]

    def check(self, said: dict[UUID, str]) -> None:
        """What it may have taken was not handed to it again, though it had not; what it refused failed."""
        assert len(self._next) <= max(0, KILLS - 4)  # whoever is killed may not have handed over what it began
        refuses = {twilio_server.Does.REFUSES, twilio_server.Does.REFUSES_TWICE}
        refused = {message for message, does in self.did if does in refuses}
        handed = Counter(message for message, does in self.did if does is not twilio_server.Does.BUSY)
        assert [each for each, times in handed.items() if times > 1] == []
        failed = {each for each, result in said.items() if result == "failed"}
        assert failed
        assert failed <= refused
        assert {said[each] for each in refused} <= {"failed", "uncertain"}


def by_mail(a_service: AService) -> World:
    return a_portfolio(a_service, NUMBERS[1:])


def by_text(a_service: AService) -> World:
    texts = {"en": Template(subject=None, body="{{ customer_name }} owes {{ amount_due }}")}
    world = a_world(a_service, [Step(id="day-1", title="Day 1", days=1, channel=Channel.SMS, templates=texts)])
    for n, number in enumerate(NUMBERS):
        phone = PhoneNumber(id="phone-1", number=f"+4930901820{n:02d}", sms_consent=Consent.GIVEN)
        owes(world, number, ContactDetails(phones=(phone,), time_zone="Europe/Berlin"))
    until_queued(world)
    return world


@dataclass(frozen=True, slots=True)
class Way:
    """How messages leave, and what is at the other end."""

    name: str
    peer: Callable[[int], Any]
    portfolio: Callable[[AService], World]
    least_sent: float
    """As a part of all: of a peer that is moodier fewer are certain."""


MAIL, TEXT = Way("mail", MoodyMail, by_mail, 1 / 2), Way("text", MoodyTwilio, by_text, 1 / 3)


@pytest.fixture
def peer(way: Way, seed: int) -> Iterator[Any]:
    with way.peer(seed) as server:
        yield server


@pytest.mark.slow
@pytest.mark.parametrize(("way", "seed"), [(MAIL, 1), (TEXT, 1)], ids=lambda each: getattr(each, "name", str(each)))
def test_whoever_is_killed_when_ever_the_other_end_has_what_was_sent_once_and_nothing_else(
    a_service: AService, way: Way, seed: int, peer: Any
):
    """But for what the log calls uncertain, of which the other end may have each once."""
    world = way.portfolio(a_service)
    for each in world.service.runners:
        each.release()
    chance = random.Random(seed)
    env = {**os.environ, **world.service.env}
    now = [NINE.isoformat(), str(time.time())]
    program = [sys.executable, "-m", "tests.adapters.delivery.killed", way.name, str(peer.port), *now]
    for _ in range(KILLS):
        process = subprocess.Popen(program, env=env)
        wanted = peer.seen + chance.randint(1, 6)
        wait_until(lambda: peer.seen >= wanted or process.poll() is not None, "messages arrive")  # noqa: B023
        time.sleep(chance.random() * 0.03)
        assert process.poll() is None
        process.kill()
        process.wait(HANG)
    process = subprocess.Popen(program, env=env)

    def all_have_a_result() -> bool:
        while world.service.sealer.seal_once():
            pass
        return "queued" not in messages(world).values()

    try:
        wait_until(all_have_a_result, "every message has a result")
    finally:
        process.kill()
        process.wait(HANG)
    said, ledger = messages(world), peer.ledger()
    taken = Counter(message for message, _ in ledger)
    assert len(said) == ACCOUNTS
    assert [each for each, times in taken.items() if times > 1] == []
    assert {each for each, result in said.items() if result == "sent"} <= taken.keys()
    assert {said[each] for each in taken} <= {"sent", "uncertain"}
    sent = [each.event for each in about_messages(world) if isinstance(each.event, MessageSent)]
    assert {(each.message_id, each.carrier_reference) for each in sent if each.carrier_reference} <= set(ledger)
    counted = Counter(said.values())
    assert counted["sent"] > ACCOUNTS * way.least_sent
    assert 0 < counted["uncertain"] <= peer.left_open + KILLS * peer.lines
    peer.check(said)
