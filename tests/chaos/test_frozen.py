"""A process that is frozen for longer than its group remembers it, and wakes in the middle of what it was at."""

import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from adapters.clock import SystemClock
from adapters.eventstore.application import Arrears
from adapters.postgres.database import Database
from adapters.rules import RULES
from aggregates.account.billing import BillInvoice
from aggregates.account.command import account_id
from aggregates.account.customer import OpenAccount
from aggregates.kernel.actor import Actor
from aggregates.kernel.command import Command, Issued, Rejected
from aggregates.values.money import Money
from tests.adapters.kafka.fixture import TestKafka
from tests.adapters.readers.builders import OFFICE
from tests.adapters.readers.log import MASTER_KEY, rows
from tests.chaos.world import World, a_world
from tests.roles import Role, running, wait_until_ready
from tests.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.kafka]

NAMES = ("seal", "publish", "project", "react", "react", "clock", "clock")
ACCOUNTS = 12
FROZEN_SECONDS = 15.0
"""Half as much again as a group's session: partitions have gone to others meanwhile."""


class Desk:
    """Somebody who bills what fell due long ago: each invoice is put into its bucket by a tick, once."""

    def __init__(self, world: World) -> None:
        self._arrears = Arrears(world.database, master_key=MASTER_KEY, clock=SystemClock(), rules=RULES)
        self.world = world
        self.accounts: list[UUID] = []

    def do(self, *commands: Command) -> None:
        outcomes = self._arrears.handle(
            [Issued(command=each, command_id=uuid4(), actor=Actor.parse("person:ann")) for each in commands]
        )
        assert not [each for each in outcomes if isinstance(each, Rejected)], outcomes

    def bill(self) -> None:
        """Some more accounts that owe."""
        due_on = datetime.now(UTC).date() - timedelta(days=10)
        numbers = [f"F-{len(self.accounts) + n}" for n in range(ACCOUNTS)]
        new = [account_id(OFFICE, number) for number in numbers]
        self.do(*[OpenAccount(office_id=OFFICE, number=n, customer_name="Ann", currency="USD") for n in numbers])
        self.do(*[_bill(who, due_on) for who in new])
        self.accounts += new

    @property
    def aged(self) -> dict[UUID, int]:
        """How often each account was put into a bucket of what is past due."""
        found = rows(
            self.world.database,
            "SELECT account_id, count(*) FROM arrears.events WHERE name = 'account.aged'"
            " AND (convert_from(state, 'UTF8')::jsonb ->> 'days_past_due')::integer > 0 GROUP BY account_id",
        )
        return dict.fromkeys(self.accounts, 0) | {who: int(count) for who, count in found}

    @property
    def is_done(self) -> bool:
        return set(self.aged.values()) == {1}

    def close(self) -> None:
        self._arrears.close()


def _bill(who: UUID, due_on: date) -> BillInvoice:
    return BillInvoice(
        account_id=who, number="1", issued_on=due_on - timedelta(days=5), due_on=due_on, amount=Money(10_000, "USD")
    )


def freeze_for_long(desk: Desk, frozen: list[Role]) -> None:
    """They freeze while there is work, and more comes; the others go on, and so do they once they wake."""
    desk.bill()
    for role in frozen:
        role.freeze()
    desk.bill()
    until = time.monotonic() + FROZEN_SECONDS
    wait_until(lambda: time.monotonic() > until, "their time is over")
    for role in frozen:
        role.wake()
    wait_until(lambda: desk.is_done, "everybody is put into a bucket")
    desk.bill()
    wait_until(lambda: desk.is_done, "they go on")
    wait_until_ready(frozen)


def shown(world: World) -> datetime:
    ((now,),) = rows(world.database, "SELECT now FROM read_model.clock")
    assert isinstance(now, datetime)
    return now


@pytest.mark.parametrize("name", ["react", "clock"])
def test_one_that_wakes_after_long_does_nothing_wrong_and_goes_on(
    kafka: TestKafka, database: Database, tmp_path: Path, name: str
):
    servers = kafka.bootstrap_servers
    with (
        a_world(database, tmp_path, {"KAFKA_BOOTSTRAP_SERVERS": servers}, plain=servers) as world,
        running(world.env, NAMES, tmp_path / "logs") as roles,
    ):
        wait_until_ready(roles)
        world.log.let_others_seal()
        desk = Desk(world)
        try:
            desk.bill()
            wait_until(lambda: desk.is_done, "ticks are worked")
            before = shown(world)
            all_of_it = [role for role in roles if role.name == name]
            freeze_for_long(desk, all_of_it[:1])
            freeze_for_long(desk, all_of_it[1:])
            freeze_for_long(desk, all_of_it)
            assert before < shown(world) <= datetime.now(UTC)
            assert rows(database, "SELECT reader, trouble FROM read_model.checkpoints WHERE trouble IS NOT NULL") == []
            assert rows(database, "SELECT reader FROM read_model.dead_letters") == []
        finally:
            desk.close()
