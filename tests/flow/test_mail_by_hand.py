"""A message by hand over a real mail server: what left is what the log says, and there is a last look each time."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from adapters.delivery.carriers.setup import Carriers
from adapters.delivery.outbox import Outbox
from aggregates.account.contact import OptOutOfContact
from aggregates.account.messages import MessageFailed, MessageSent, MessageWithdrawn
from aggregates.account.writing import SendMessage
from aggregates.values.contact import Channel
from tests.adapters.delivery.carriers.mail_server import MailServer
from tests.adapters.delivery.carriers.stands import smtp_to
from tests.flow.conftest import AService
from tests.flow.test_chase import ANNA, World, a_world
from tests.flow.test_mail import deliver, some_senders

NOON = datetime(2025, 3, 4, 17, tzinfo=UTC)


@pytest.fixture
def world(a_service: AService) -> World:
    world = a_world(a_service)
    world.clock.set(NOON)
    return world


def written(world: World, text: str, **more: Any) -> None:
    world.do(SendMessage(account_id=ANNA, channel=Channel.EMAIL, text=text, **more))


def outcome(world: World, kind: type[Any]) -> Any:
    [found] = [each.event for each in world.history if isinstance(each.event, kind)]
    return found


def test_the_mail_that_the_server_has_is_the_text_filled_in(world: World):
    text = "Dear {{ customer_name }},\n\n{{ currency }} {{ amount_due }} is open. שלום 🙏\n.\nRCPT TO:<eve@example.org>"
    with MailServer() as server:
        written(world, text, subject="About {{ account_number }} – 🙏")
        deliver(world, some_senders(world, Carriers(Outbox(world.outbox), smtp_to(server))))
        [mail] = server.taken
    sent = outcome(world, MessageSent)
    assert (mail["To"], mail["Subject"]) == ("anna@example.org", sent.subject)
    body = mail.get_content().replace("\r\n", "\n").rstrip()
    assert body == sent.body
    assert "{{" not in body
    assert "שלום 🙏\n.\nRCPT TO:<eve@example.org>\n\nTo stop e-mails" in body


def test_a_subject_that_becomes_two_lines_fails_and_nothing_leaves(world: World):
    with MailServer() as server:
        subject = "{% for invoice in invoices %}{{ invoice.number }}{% endfor %}{{ '\\nBcc: eve@example.org' }}"
        written(world, "Hello", subject=subject)
        deliver(world, some_senders(world, Carriers(Outbox(world.outbox), smtp_to(server))))
        assert server.taken == []
    assert outcome(world, MessageFailed).code == "bad-subject"


def test_a_subject_that_becomes_empty_fails_and_nothing_leaves(world: World):
    with MailServer() as server:
        written(world, "Hello", subject="{{ ' ' }}")
        deliver(world, some_senders(world, Carriers(Outbox(world.outbox), smtp_to(server))))
        assert server.taken == []
    assert outcome(world, MessageFailed).code == "bad-subject"


def test_who_opts_out_while_the_mailbox_is_busy_gets_nothing(world: World):
    with MailServer() as server:
        server.busy = {"anna@example.org"}
        written(world, "Hello")
        senders = some_senders(world, Carriers(Outbox(world.outbox), smtp_to(server)))
        deliver(world, senders)
        world.do(OptOutOfContact(account_id=ANNA, channel=Channel.EMAIL))
        server.busy = set()
        world.clock.set(NOON + timedelta(seconds=30))
        deliver(world, senders)
        assert server.taken == []
    assert outcome(world, MessageWithdrawn).why.code == "opted-out"
