"""A number or address that a person recorded as refused is refused on every account that has it, whoever's it is."""

from contextlib import closing
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from adapters.clock import ManualClock
from adapters.inbound.refused_points import RefusedPoints
from adapters.work.worker import Turn, Worker
from aggregates.account import Account
from aggregates.account.command import account_id
from aggregates.account.contact import (
    ChangeContactDetails,
    OptedOut,
    OptInToContact,
    OptOutOfContact,
    PointRefused,
    RecordConsent,
)
from aggregates.account.contact_history import FactKind, RecordContactFact
from aggregates.account.customer import OpenAccount
from aggregates.account.inbound import HeedPoint
from aggregates.kernel.actor import Actor
from aggregates.kernel.command import Accepted, Command, Issued
from aggregates.kernel.event import Recorded
from aggregates.office import OpenOffice, office_id
from aggregates.values.contact import Channel, Consent, ContactDetails, EmailAddress, PhoneNumber
from api.processes.step_by_step import StepByStep
from projections.questions.work import works
from tests.flow.conftest import AService

NUMBER, OTHER_NUMBER = "+12125550100", "+12125550199"
MAIN, BRANCH = office_id("main"), office_id("branch")
DEE, HERS, BERT, CARA = (account_id(MAIN, "A-1"), account_id(MAIN, "A-2"), account_id(BRANCH, "B-1"),
                         account_id(MAIN, "C-1"))  # fmt: skip


def reached_at(number: str, address: str) -> ContactDetails:
    return ContactDetails(
        phones=(PhoneNumber(id="phone-1", number=number),), emails=(EmailAddress(id="email-1", address=address),)
    )


class World:
    """Dee with two accounts, Bert of another office with the same number in another spelling, and Cara with none of
    it."""

    def __init__(self, service: StepByStep) -> None:
        self.service = service
        for code in ("main", "branch"):
            self.do(OpenOffice(code=code, title=code, currency="USD"))
        for office, number, customer, contact in (
            (MAIN, "A-1", "A-1", reached_at(NUMBER, "dee@example.org")),
            (MAIN, "A-2", "A-1", None),
            (BRANCH, "B-1", "B-1", reached_at("1 (212) 555-0100", "DEE@example.org")),
            (MAIN, "C-1", "C-1", reached_at(OTHER_NUMBER, "cara@example.org")),
        ):
            self.do(
                OpenAccount(
                    office_id=office, number=number, customer_number=customer, customer_name="Dee", currency="USD",
                    country="US", contact=contact,
                )
            )  # fmt: skip
        service.drain()

    def do(self, *commands: Command) -> None:
        issued = [Issued(each, command_id=uuid4(), actor=Actor.person("dana")) for each in commands]
        outcomes = self.service.arrears.handle(issued)
        assert all(isinstance(each, Accepted) for each in outcomes), outcomes

    def refused(self, account: UUID, channel: Channel) -> bool:
        """Whether a wish stands against it, at the account's only number or address."""
        contact = self.service.arrears.load(Account, account).contact
        return contact.wish_against(channel, "email-1" if channel is Channel.EMAIL else "phone-1") is not None

    def history(self, account: UUID) -> list[Recorded]:
        return self.service.arrears.history(Account, account)

    def told(self, account: UUID) -> list[Recorded]:
        """What it was told because of what was recorded elsewhere."""
        return [each for each in self.history(account) if each.meta.actor == "policy:inbound@1"]

    @property
    def open_work(self) -> list[str]:
        with self.service.database.connect("arrears_app") as connection:
            return [each.command for each in works(connection, state="open").rows]


@pytest.fixture
def world(a_service: AService) -> World:
    return World(a_service(ManualClock(datetime(2026, 3, 2, 15, tzinfo=UTC))))


def opts_out(channel: Channel = Channel.SMS, point_id: str | None = "phone-1") -> OptOutOfContact:
    return OptOutOfContact(account_id=DEE, channel=channel, point_id=point_id)


def revokes(**more: object) -> RecordContactFact:
    return RecordContactFact.model_validate({"account_id": DEE, "kind": FactKind.REVOCATION, **more})


@pytest.mark.parametrize(
    ("said", "channels"),
    [
        (opts_out(), {Channel.SMS}),
        (opts_out(Channel.VOICE), {Channel.VOICE}),
        (opts_out(Channel.EMAIL, "email-1"), {Channel.EMAIL}),
        (
            RecordConsent(account_id=DEE, channel=Channel.SMS, point_id="phone-1", consent=Consent.REFUSED),
            {Channel.SMS},
        ),
        (revokes(number="(212) 555-0100"), {Channel.SMS, Channel.VOICE}),
        (revokes(number=NUMBER, channel="sms"), {Channel.SMS}),
        (revokes(address="Dee@Example.org"), {Channel.EMAIL}),
    ],
    ids=["text", "call", "e-mail", "consent", "revocation", "revocation of texts", "revocation of an address"],
)
def test_a_refusal_that_a_person_recorded_holds_on_every_account_with_the_number(
    world: World, said: Command, channels: set[Channel]
):
    world.do(said)
    world.service.drain()
    assert {each for each in (Channel.SMS, Channel.VOICE, Channel.EMAIL) if world.refused(BERT, each)} == channels
    assert not any(world.refused(CARA, each) for each in Channel if each not in (Channel.LETTER, Channel.PORTAL))
    [*told] = world.told(BERT)
    assert [type(each.event) for each in told] == [OptedOut] * len(channels)
    [cause, *_] = [each for each in world.history(DEE) if isinstance(each.event, PointRefused)]
    assert {each.meta.correlation_id for each in told} == {cause.meta.correlation_id}
    assert (world.told(DEE), world.told(HERS), world.told(CARA), world.open_work) == ([], [], [], [])


def test_what_is_said_again_is_told_once(world: World):
    world.do(opts_out())
    world.service.drain()
    before = [len(world.history(each)) for each in (DEE, BERT)]
    world.do(opts_out())
    world.service.drain()
    assert [len(world.history(each)) for each in (DEE, BERT)] == before


@pytest.mark.parametrize(
    "said",
    [
        opts_out(point_id=None),
        opts_out(Channel.PORTAL, None),
        RecordConsent(account_id=DEE, channel=Channel.SMS, point_id="phone-1", consent=Consent.GIVEN),
        revokes(number=NUMBER, clear=False),
        revokes(),
        RecordContactFact.model_validate({"account_id": DEE, "kind": FactKind.WRONG_NUMBER, "number": NUMBER}),
    ],
    ids=["a medium", "the portal", "consent", "perhaps", "no number", "not hers"],
)
def test_what_is_said_of_no_number_or_is_no_refusal_of_it_holds_for_the_customer_alone(world: World, said: Command):
    world.do(said)
    world.service.drain()
    assert (world.told(BERT), world.refused(BERT, Channel.SMS)) == ([], False)
    assert not [each for each in world.history(DEE) if isinstance(each.event, PointRefused)]


def test_whoever_takes_it_back_does_so_for_their_own_accounts(world: World):
    """What the other customer wants, nobody has asked."""
    world.do(opts_out())
    world.service.drain()
    world.do(OptInToContact(account_id=DEE, channel=Channel.SMS, point_id="phone-1"))
    world.service.drain()
    assert (world.refused(DEE, Channel.SMS), world.refused(BERT, Channel.SMS)) == (False, True)


def test_a_number_that_is_told_in_the_same_moment_counts(world: World):
    """The tables have not shown yet who has it: the work waits until they do."""
    world.do(ChangeContactDetails(account_id=CARA, contact=reached_at("212-555-0100", "cara@example.org")), opts_out())
    world.service.drain()
    assert (world.refused(BERT, Channel.SMS), world.refused(CARA, Channel.SMS)) == (True, True)


def test_an_extension_is_not_looked_for(world: World):
    """Both may ring at the same place."""
    world.do(ChangeContactDetails(account_id=DEE, contact=reached_at("212-555-0100 ext 5", "dee@example.org")))
    world.do(opts_out())
    world.service.drain()
    assert (world.refused(BERT, Channel.SMS), world.refused(CARA, Channel.SMS)) == (True, False)


@pytest.fixture
def waiting(world: World) -> World:
    """The refusal is recorded, and its work has begun."""
    world.do(opts_out())
    while world.service.sealer.seal_once():
        pass
    world.service.projections.catch_up()
    world.service.runners[0].catch_up()
    while world.service.sealer.seal_once():
        pass
    assert world.open_work == [HeedPoint.command_name]
    return world


def a_worker(world: World) -> Worker:
    arrears, database = world.service.arrears, world.service.database
    return Worker(database, arrears, {HeedPoint.command_name: RefusedPoints(database, arrears)})


def test_while_names_are_filled_in_again_it_waits_and_is_told_afterwards(waiting: World):
    database = waiting.service.database
    with database.connect("arrears_app", autocommit=True) as connection, closing(a_worker(waiting)) as worker:
        connection.execute("UPDATE personal.filling SET until = until + 1000000")
        assert worker.turn() is Turn.CHUNK
        assert worker.turn() is Turn.WAITING
        assert (waiting.open_work, waiting.refused(DEE, Channel.SMS)) == ([HeedPoint.command_name], True)
        assert waiting.told(BERT) == []
        connection.execute("UPDATE personal.filling SET until = until - 1000000")
        connection.execute("UPDATE arrears.work SET retry_at = clock_timestamp()")
        assert worker.turn() is Turn.CHUNK
    waiting.service.drain()
    assert (waiting.open_work, waiting.refused(BERT, Channel.SMS)) == ([], True)


@pytest.mark.parametrize(("looks", "is_told"), [(2, True), (1_000, False)])
def test_tables_that_are_a_little_behind_are_waited_for(
    waiting: World, looks: int, is_told: bool, monkeypatch: pytest.MonkeyPatch
):
    left = iter([False] * looks)
    monkeypatch.setattr("adapters.inbound.refused_points._PATIENCE_SECONDS", 0.3)
    monkeypatch.setattr("adapters.inbound.refused_points.shows_up_to", lambda *_: next(left, True))
    with closing(a_worker(waiting)) as worker:
        assert worker.turn() is Turn.CHUNK
    assert (waiting.refused(BERT, Channel.SMS), waiting.open_work == []) == (is_told, is_told)


def test_who_dies_over_it_leaves_it_to_the_next_and_it_is_told_once(waiting: World, monkeypatch: pytest.MonkeyPatch):
    class Died(BaseException):
        pass

    def dies(*_: object) -> None:
        raise Died

    with monkeypatch.context() as patched, closing(a_worker(waiting)) as worker:
        patched.setattr(Worker, "_finish", dies)
        with pytest.raises(Died):
            worker.turn()
    assert len(waiting.told(BERT)) == 1
    waiting.service.drain()
    assert (len(waiting.told(BERT)), waiting.open_work) == (1, [])


def test_of_an_erased_customer_nobody_is_told(waiting: World):
    waiting.service.arrears.keys.destroy(DEE)
    waiting.service.drain()
    assert (waiting.told(BERT), waiting.open_work) == ([], [])
