"""Messages that were taken together leave in parts: while one part is handed over, the next one is claimed."""

from collections.abc import Sequence
from uuid import UUID

import pytest

from adapters.delivery import sender
from adapters.delivery.carrier import CarrierAway
from adapters.delivery.renderer import Draft, Rendered, RendererUnavailable
from adapters.delivery.rendering import Letter
from aggregates.account.billing import BillInvoice
from aggregates.account.command import account_id
from aggregates.account.customer import OpenAccount
from aggregates.office import ChangeOfficeSettings, DeliveryLimits
from aggregates.values.contact import ContactDetails, EmailAddress
from aggregates.values.money import Money
from tests.flow.conftest import AService
from tests.flow.test_chase import DUE, OFFICE, World, a_world, day, until_queued
from tests.flow.test_claims import Noting, Owners
from tests.waiting import wait_until

OTHERS = ("bea", "cem", "dan", "eva")


@pytest.fixture
def world(a_service: AService, monkeypatch: pytest.MonkeyPatch) -> World:
    """Five messages are queued, and are sent in parts of two."""
    monkeypatch.setattr(sender, "_COMMANDS", 2)
    world = a_world(a_service)
    world.do(ChangeOfficeSettings(office_id=OFFICE, limits=DeliveryLimits(max_per_minute=100_000)))
    for name in OTHERS:
        address = EmailAddress(id="email-1", address=f"{name}@example.org")
        account, amount = account_id(OFFICE, name), Money(10_000, "USD")
        world.do(
            OpenAccount(
                office_id=OFFICE,
                number=name,
                customer_name=name,
                currency="USD",
                contact=ContactDetails(emails=(address,)),
            ),
            BillInvoice(account_id=account, number="I-1", issued_on=day(-20), due_on=DUE, amount=amount),
        )
    until_queued(world)
    return world


def in_the_log(world: World) -> list[str]:
    """What became of the messages, in the order in which it was stored."""
    names = {"account.message-dispatched": "claimed", "account.message-sent": "sent"}
    with world.service.database.connect("arrears_app") as connection:
        found = connection.execute("SELECT name FROM arrears.events WHERE name = ANY (%s) ORDER BY seq", [[*names]])
        return [names[name] for (name,) in found]


def test_a_part_is_claimed_while_the_one_before_is_handed_over_and_that_is_reported_then(world: World):
    owners = Owners(world, Noting())
    owners.carrier.meanwhile = lambda: wait_until(lambda: in_the_log(world).count("claimed") >= 4, "two are claimed")
    assert owners.deliver(owners.first) == 5
    assert in_the_log(world) == ["claimed"] * 4 + ["sent"] * 2 + ["claimed"] + ["sent"] * 3


def test_what_was_handed_over_is_reported_where_the_next_part_cannot_be_written(
    world: World, monkeypatch: pytest.MonkeyPatch
):
    owners = Owners(world, Noting())
    render, rendered = world.service.renderer.render, list[int]()

    def once(drafts: Sequence[Draft]) -> list[Rendered]:
        rendered.append(len(drafts))
        if len(rendered) > 1:
            raise RendererUnavailable("it does not start")
        return render(drafts)

    monkeypatch.setattr(world.service.renderer, "render", once)
    with pytest.raises(RendererUnavailable):
        owners.deliver(owners.first)
    monkeypatch.setattr(world.service.renderer, "render", render)
    assert in_the_log(world) == ["claimed"] * 4 + ["sent"] * 2
    assert owners.deliver(owners.first) == 3
    assert (len(owners.carrier.sent), len({*owners.carrier.sent})) == (5, 5)
    assert sorted(in_the_log(world)) == ["claimed"] * 5 + ["sent"] * 5


def test_every_part_is_anybodys_once_the_carrier_takes_nothing_any_more(world: World):
    class Locked(Noting):
        is_locked = True

        def send(self, message_id: UUID, letter: Letter) -> str:
            if self.is_locked:
                raise CarrierAway("the account is locked")
            return super().send(message_id, letter)

    carrier = Locked()
    owners = Owners(world, carrier)
    with pytest.raises(CarrierAway):
        owners.deliver(owners.first)
    assert "sent" not in in_the_log(world)
    carrier.is_locked = False
    owners.later(1)
    assert owners.deliver(owners.second) == 5
    assert (len(carrier.sent), len({*carrier.sent})) == (5, 5)
