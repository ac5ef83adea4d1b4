"""A history of real decisions, recorded as the log would: what a projection's tests are fed with."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from typing import Any
from uuid import UUID

from aggregates.account import Account
from aggregates.account.command import account_id
from aggregates.account.customer import OpenAccount
from aggregates.campaign import Campaign
from aggregates.kernel.aggregate import KINDS, Aggregate
from aggregates.kernel.command import DECISIONS, Command, Context, NeedsHistory, Refusal, identifier
from aggregates.kernel.event import Meta, Recorded
from aggregates.office import Office, OpenOffice, office_id
from aggregates.values.money import Money

__all__ = ["History", "usd"]

MAIN = office_id("main")


def usd(amount: int) -> Money:
    """Whole dollars and cents as an integer of cents."""
    return Money(amount, "USD")


@dataclass
class History:
    """Decides commands over aggregates in memory. `today` moves only when a test moves it."""

    today: date = date(2026, 1, 1)
    log: list[Recorded] = field(default_factory=list)
    aggregates: dict[UUID, Aggregate] = field(default_factory=dict)
    rules: dict[str, Any] = field(default_factory=dict)

    def opened(self) -> "History":
        """With an office `main` in dollars."""
        self.give(OpenOffice(code="main", title="Main"))
        return self

    def account(self, number: str = "A-1", *, office: UUID = MAIN, name: str = "Ada", currency: str = "USD") -> UUID:
        self.give(OpenAccount(office_id=office, number=number, customer_name=name, currency=currency))
        return account_id(office, number)

    def give(self, command: Command, **more: Any) -> list[Recorded]:
        """Decides a command and records its events. Raises Refusal."""
        try:
            return self._decide(command, remembers=False, **more)
        except NeedsHistory:
            return self._decide(command, remembers=True, **more)

    def try_to(self, command: Command, **more: Any) -> bool:
        """Whether the command was carried out; a refusal leaves no trace."""
        try:
            self.give(command, **more)
        except Refusal:
            return False
        return True

    def of(self, aggregate_id: UUID) -> list[Recorded]:
        return [recorded for recorded in self.log if recorded.aggregate_id == aggregate_id]

    def _decide(
        self,
        command: Command,
        *,
        remembers: bool,
        actor: str = "person:tester",
        reason: str | None = None,
        effective_on: date | None = None,
        causation_id: UUID | None = None,
    ) -> list[Recorded]:
        targets = [self._target(kind, i, remembers=remembers) for kind, i in command.targets().items()]
        command_id = identifier("command", len(self.log), command.model_dump_json())
        context = Context(
            now=datetime.combine(self.today, time(12), UTC),
            today=self.today,
            actor=actor,
            effective_on=effective_on or self.today,
            command_id=command_id,
            reason=reason,
            office=self._office(command, targets),
            campaigns={i: a for i, a in self.aggregates.items() if isinstance(a, Campaign)},
            **self.rules,
        )
        try:
            DECISIONS[type(command)](*targets, command, context)
        except (Refusal, NeedsHistory):
            for target in targets:
                self.aggregates.pop(target.id, None)
            raise
        meta = Meta(
            actor=actor, command_id=command_id, correlation_id=command_id, causation_id=causation_id, reason=reason
        )
        recorded = [each for target in targets for each in self._record(target, context, meta)]
        for target in targets:
            if getattr(target, "remembers", False):
                del self.aggregates[target.id]
        return recorded

    def _record(self, target: Aggregate, context: Context, meta: Meta) -> list[Recorded]:
        pending = target.collect()
        about = target.id if target.kind == "account" else getattr(target, "account_id", None)
        recorded = []
        for version, each in enumerate(pending, target.version - len(pending) + 1):
            recorded.append(
                Recorded(
                    aggregate_id=target.id,
                    version=version,
                    event_id=identifier("event", meta.command_id, target.id, version),
                    account_id=about,
                    effective_on=each.effective_on or context.effective_on,
                    recorded_at=context.now,
                    event=each.event,
                    meta=meta,
                    position=len(self.log) + 1,
                )
            )
            self.log.append(recorded[-1])
        return recorded

    def _target(self, kind: str, aggregate_id: UUID, *, remembers: bool) -> Aggregate:
        if aggregate_id not in self.aggregates or remembers:
            more = {"remembers": True} if remembers and kind == "account" else {}
            aggregate = KINDS[kind](id=aggregate_id, **more)
            aggregate.fold(recorded.event for recorded in self.of(aggregate_id))
            self.aggregates[aggregate_id] = aggregate
        return self.aggregates[aggregate_id]

    def _office(self, command: Command, targets: Sequence[Aggregate]) -> Office | None:
        wanted = getattr(command, "office_id", None)
        for target in targets:
            if isinstance(target, Account | Campaign):
                wanted = wanted or target.office_id
        office = self.aggregates.get(wanted) if wanted else None
        return office if isinstance(office, Office) else None
