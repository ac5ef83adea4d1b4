"""Messages over a real mail server: whoever dies, what the server has is what the log says was sent."""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest

from adapters.clock import SystemClock
from adapters.delivery.carrier import CarrierUnavailable
from adapters.delivery.carriers.letters_folder import LettersFolder
from adapters.delivery.carriers.setup import Carriers
from adapters.delivery.intake import Intake
from adapters.delivery.outbox import Outbox
from adapters.delivery.sender import Sender, Troubles, senders
from adapters.postgres.errors import DatabaseProblem
from aggregates.account import Account
from aggregates.account.billing import BillInvoice
from aggregates.account.command import account_id
from aggregates.account.customer import OpenAccount
from aggregates.account.inbound import Receipt, ReceiptRecorded
from aggregates.account.messages import (
    MessageDispatched,
    MessageFailed,
    MessageQueued,
    MessageSent,
    MessageUncertain,
    ReportSent,
)
from aggregates.kernel.command import Issued
from aggregates.kernel.event import Event, Recorded
from aggregates.values.contact import Channel, ContactDetails, EmailAddress
from aggregates.values.money import Money
from tests.adapters.delivery.carriers.mail_server import Does, MailServer
from tests.adapters.delivery.carriers.stands import smtp_to
from tests.flow.conftest import AService
from tests.flow.test_chase import DUE, OFFICE, World, a_world, until_queued

RESULTS: dict[type[Event], str] = {MessageSent: "sent", MessageFailed: "failed", MessageUncertain: "uncertain"}
NAMES = {each.event_name for each in (MessageQueued, MessageDispatched, MessageSent, MessageFailed, MessageUncertain)}


def a_portfolio(a_service: AService, numbers: list[str], *also: OpenAccount) -> World:
    """Anna and as many others have a message queued, and nobody has delivered one; `also` owe nothing."""
    world = a_world(a_service)
    world.do(*also)
    for number in numbers:
        mail = EmailAddress(id="email-1", address=f"{number}@example.org")
        owes(world, number, ContactDetails(emails=(mail,)))
    until_queued(world)
    return world


def owes(world: World, number: str, contact: ContactDetails) -> None:
    """Somebody of that number has an invoice of 100.00 that is due."""
    world.do(
        OpenAccount(office_id=OFFICE, number=number, customer_name=number, currency="USD", contact=contact),
        BillInvoice(
            account_id=account_id(OFFICE, number),
            number="I-1",
            issued_on=DUE,
            due_on=DUE,
            amount=Money(10_000, "USD"),
        ),
    )


def about_messages(world: World) -> list[Recorded]:
    """What the log says about messages now; a batch without names may be one that was read before."""
    return [each for each in world.service.feed.read(0, 100_000, NAMES) if each.name in NAMES]


def messages(world: World) -> dict[UUID, str]:
    """What became of each message, by the log."""
    found: dict[UUID, str] = {}
    for recorded in about_messages(world):
        if isinstance(recorded.event, MessageQueued):
            found[recorded.event.message_id] = "queued"
        elif (result := RESULTS.get(type(recorded.event))) is not None:
            found[recorded.event.message_id] = result  # type: ignore[attr-defined]
    return found


def deliver(world: World, senders: list[Sender]) -> None:
    """Everything that is due, and sealed afterwards. Raises CarrierUnavailable."""
    while world.service.sealer.seal_once():
        pass
    [intake] = [each for each in world.service.runners if each.name == Intake.name]
    intake.catch_up()
    try:
        for each in senders:
            while each.turn().count:
                pass
    finally:
        while world.service.sealer.seal_once():
            pass


def some_senders(world: World, carriers: Carriers) -> list[Sender]:
    service = world.service
    return senders(service.arrears, service.database, carriers, service.renderer, burst=timedelta(minutes=1))


def test_what_the_log_says_was_sent_is_the_mail_that_the_server_has(a_service: AService, tmp_path: Path):
    world = a_portfolio(a_service, [])
    with MailServer() as server:
        deliver(world, some_senders(world, Carriers(Outbox(world.outbox), smtp_to(server))))
        [mail] = server.taken
    [sent] = [each.event for each in world.history if isinstance(each.event, MessageSent)]
    assert (mail["To"], mail["Subject"]) == ("anna@example.org", sent.subject)
    assert mail.get_content().replace("\r\n", "\n").rstrip() == sent.body
    assert mail["Message-ID"] == sent.carrier_reference
    assert world.letters() == []


def test_a_mailbox_that_the_server_does_not_know_is_opted_out_on_every_account(a_service: AService):
    other = OpenAccount(
        office_id=OFFICE,
        number="B-2",
        customer_name="Bert",
        currency="USD",
        contact=ContactDetails(emails=(EmailAddress(id="email-1", address="ANNA@example.org"),)),
    )
    world = a_portfolio(a_service, [], other)
    with MailServer() as server:
        server.does = Does.HAS_NO_SUCH_MAILBOX
        deliver(world, some_senders(world, Carriers(Outbox(world.outbox), smtp_to(server))))
    world.service.drain()
    [receipt] = [each.event for each in world.history if isinstance(each.event, ReceiptRecorded)]
    assert (receipt.receipt, receipt.code, receipt.point) == (Receipt.HARD_BOUNCED, "5.1.1", "anna@example.org")
    assert messages(world).popitem()[1] == "failed"
    for number in ("anna", "B-2"):
        account = world.service.arrears.load(Account, account_id(OFFICE, number))
        assert account.contact.has_opted_out(Channel.EMAIL, "email-1")


@pytest.mark.parametrize("is_another", [False, True], ids=["the same sender", "another sender"])
def test_what_the_carrier_took_is_sent_although_the_log_could_not_be_told_at_once(
    a_service: AService, monkeypatch: pytest.MonkeyPatch, is_another: bool
):
    world = a_portfolio(a_service, ["carl"])
    arrears = world.service.arrears
    handle = arrears.handle

    def breaks(issued: Sequence[Issued], **more: Any) -> Any:
        if any(isinstance(each.command, ReportSent) for each in issued):
            monkeypatch.setattr(arrears, "handle", handle)
            raise psycopg.OperationalError("the line broke")
        return handle(issued, **more)

    monkeypatch.setattr(arrears, "handle", breaks)
    with MailServer() as server:
        found = some_senders(world, Carriers(Outbox(world.outbox), smtp_to(server)))
        with pytest.raises((psycopg.OperationalError, DatabaseProblem)):
            deliver(world, found)
        if is_another:
            for each in found:
                each.close()
        deliver(world, some_senders(world, Carriers(Outbox(world.outbox), smtp_to(server))) if is_another else found)
        assert len(server.taken) == 2
    assert Counter(messages(world).values()) == {"sent": 2}


def test_what_one_carrier_says_is_not_ended_by_another(a_service: AService):
    world = a_portfolio(a_service, [])
    database = world.service.database
    troubles, outbox = Troubles(database), Outbox(world.outbox)
    with MailServer() as server:
        mail = smtp_to(server)
    troubles.note(mail, CarrierUnavailable("the mail server is away"))
    troubles.note(outbox, CarrierUnavailable("the disk is full"))
    troubles.note(outbox, None)
    with database.connect("arrears_app") as connection:
        asked = "SELECT trouble FROM read_model.checkpoints WHERE reader = %s"
        assert connection.execute(asked, [Intake.name]).fetchone() == ("CarrierUnavailable: the mail server is away",)


def test_what_has_no_carrier_of_its_own_goes_to_the_outbox(a_service: AService, tmp_path: Path):
    world = a_portfolio(a_service, [])
    (tmp_path / "letters").mkdir()
    letters = LettersFolder(tmp_path / "letters", tmp_path / "texts", SystemClock())
    deliver(world, some_senders(world, Carriers(Outbox(world.outbox), letters)))
    assert [each["to"] for each in world.letters()] == ["anna@example.org"]
    assert list((tmp_path / "letters").iterdir()) == []


def test_a_mailbox_that_is_busy_holds_up_nobody_and_is_tried_again_after_pauses_that_grow(
    a_service: AService, tmp_path: Path
):
    world = a_portfolio(a_service, ["busy", "carl", "dora"])
    with MailServer() as server:
        server.busy = {"busy@example.org"}
        carriers = Carriers(Outbox(world.outbox), smtp_to(server))
        deliver(world, some_senders(world, carriers))
        assert sorted(each["To"] for each in server.taken) == [
            f"{each}@example.org" for each in ("anna", "carl", "dora")
        ]
        for attempts, pause in ((1, 30), (2, 60), (3, 120)):
            assert put_off(world) == [(attempts, pause, f"{carriers.of(Channel.EMAIL).leads_to} {BUSY}")]
            world.clock.set(world.clock.now() + timedelta(seconds=pause))
            deliver(world, some_senders(world, carriers))  # another process
        server.busy = set()
        world.clock.set(world.clock.now() + timedelta(minutes=4))
        deliver(world, some_senders(world, carriers))
        assert len(server.taken) == 4
    assert Counter(messages(world).values()) == {"sent": 4}
    assert put_off(world) == []


BUSY = "does not take a message now (451)"


def put_off(world: World) -> list[tuple[int, float, str]]:
    """What waits in the queue: how often it was tried, in how many seconds it is tried again, and why."""
    with world.service.database.connect("arrears_app") as connection:
        return connection.execute(
            "SELECT attempts, extract(epoch FROM due_at - %s)::float8, problem FROM arrears.deliveries",
            [world.clock.now()],
        ).fetchall()


def test_without_its_server_nothing_is_claimed_and_what_goes_elsewhere_leaves(a_service: AService, tmp_path: Path):
    world = a_portfolio(a_service, ["carl", "dora"])
    with MailServer() as server:
        carrier = smtp_to(server)
    found = some_senders(world, Carriers(Outbox(world.outbox), carrier))
    with pytest.raises(CarrierUnavailable):
        deliver(world, found)
    assert not [each for each in about_messages(world) if isinstance(each.event, MessageDispatched)]
    with MailServer(port=server.port) as server:
        deliver(world, found)
        assert len(server.taken) == 3
