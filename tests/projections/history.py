"""A history of real decisions, recorded as the log would: what a projection's tests are fed with."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from typing import Any
from uuid import UUID

from aggregates.account.command import account_id
from aggregates.account.contact_history import MAY_CONTACT
from aggregates.account.customer import OpenAccount
from aggregates.kernel.actor import Actor
from aggregates.kernel.command import Command, Issued, Rejected, identifier
from aggregates.kernel.event import Recorded
from aggregates.kernel.memory import MemoryStore
from aggregates.kernel.refusals import Refusal
from aggregates.office import OpenOffice, office_id
from aggregates.values.money import Money
from policies.contact_rules import contact_rules

__all__ = ["History", "usd"]

MAIN = office_id("main")


def usd(amount: int) -> Money:
    """Whole dollars and cents as an integer of cents."""
    return Money(amount, "USD")


@dataclass
class History:
    """Decides commands over aggregates in memory. `today` moves only when a test moves it."""

    today: date = date(2026, 1, 1)
    store: MemoryStore = field(default_factory=lambda: MemoryStore(rules={MAY_CONTACT: contact_rules}))

    @property
    def log(self) -> list[Recorded]:
        return self.store.log

    def opened(self) -> "History":
        """With an office `main` in dollars."""
        self.give(OpenOffice(code="main", title="Main"))
        return self

    def account(self, number: str = "A-1", *, office: UUID = MAIN, name: str = "Ada", currency: str = "USD") -> UUID:
        self.give(OpenAccount(office_id=office, number=number, customer_name=name, currency=currency))
        return account_id(office, number)

    def give(
        self, command: Command, *, actor: str = "person:tester", reason: str | None = None, **more: Any
    ) -> list[Recorded]:
        """Decides a command and records its events. Raises Refusal."""
        issued = Issued(
            command=command,
            command_id=identifier("command", len(self.log), command.model_dump_json()),
            actor=Actor.parse(actor),
            reason=reason,
            **more,
        )
        before = len(self.log)
        [outcome] = self.store.handle([issued], now=datetime.combine(self.today, time(12), UTC))
        if isinstance(outcome, Rejected):
            raise Refusal(outcome.reason_code, outcome.detail)
        return self.log[before:]

    def try_to(self, command: Command, **more: Any) -> bool:
        """Whether the command was carried out; a refusal leaves no trace."""
        try:
            self.give(command, **more)
        except Refusal:
            return False
        return True

    def of(self, aggregate_id: UUID) -> list[Recorded]:
        return [recorded for recorded in self.log if recorded.aggregate_id == aggregate_id]
