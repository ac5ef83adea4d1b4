"""Deciding commands one after the other: what each may know, what it emits, and leaving no trace of a refusal."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast
from uuid import UUID, uuid5

from adapters.eventstore.attributes import attribute
from adapters.eventstore.workspace import Workspace
from aggregates.kernel.aggregate import Aggregate
from aggregates.kernel.command import (
    DECISIONS,
    Accepted,
    ContactRules,
    Context,
    Issued,
    Judge,
    NeedsHistory,
    Outcome,
    Refusal,
    Rejected,
)
from aggregates.kernel.event import Meta, Recorded

if TYPE_CHECKING:
    from aggregates.campaign import Campaign
    from aggregates.office import Office


@dataclass(slots=True)
class Decided:
    """A command of the batch and what came of it: an outcome with events, or a defect's error."""

    issued: Issued
    targets: Mapping[str, UUID]
    """Kind and id of each, the deciding one first."""
    outcome: Outcome | None = None
    error: Exception | None = None
    events: list[Recorded] = field(default_factory=list)
    is_repeat: bool = False
    """The outcome was stored earlier; nothing of this command is to be stored now."""

    def forget(self) -> None:
        self.outcome, self.error, self.events = None, None, []


def account_of(aggregate: Aggregate) -> UUID | None:
    """The account that an aggregate's events are about."""
    found: UUID | None = attribute(aggregate, "account_id")
    return found


@dataclass(frozen=True, slots=True)
class Rules:
    """What decisions may ask besides their aggregates."""

    judge: Judge | None = None
    contact_rules: ContactRules | None = None


class Decider:
    """Decides over the batch's shared instances, so each command sees what the earlier ones did."""

    def __init__(self, workspace: Workspace, rules: Rules, now: datetime) -> None:
        self._workspace = workspace
        self._rules = rules
        self._now = now

    def decide(self, decided: Decided) -> None:
        try:
            self._decide(decided, remembers=False)
        except NeedsHistory:
            self._decide_or_fail(decided, remembers=True)

    def _decide_or_fail(self, decided: Decided, *, remembers: bool) -> None:
        try:
            self._decide(decided, remembers=remembers)
        except NeedsHistory as error:
            decided.error = error

    def _decide(self, decided: Decided, *, remembers: bool) -> None:
        issued = decided.issued
        targets = [self._workspace.target(kind, i, remembers=remembers) for kind, i in decided.targets.items()]
        try:
            context = self._context(issued, targets)
            DECISIONS[type(issued.command)](*targets, issued.command, context)
        except Refusal as refusal:
            self._undo(targets)
            decided.outcome = Rejected(refusal.reason_code, refusal.detail)
        except NeedsHistory:
            self._undo(targets)
            raise
        except Exception as error:  # a defect in one decision must not undo the others
            self._undo(targets)
            decided.error = error
        else:
            decided.events = self._stamped(issued, targets, context)
            decided.outcome = Accepted(tuple(e.event_id for e in decided.events), targets[0].version)

    def _undo(self, targets: list[Aggregate]) -> None:
        for target in targets:
            if target.collect():
                self._workspace.undo(target)

    def _context(self, issued: Issued, targets: list[Aggregate]) -> Context:
        office = self._office(issued, targets)
        zone = office.zone if office is not None else UTC
        today = self._now.astimezone(zone).date()
        campaigns = {
            i: cast("Campaign", campaign)
            for i in (office.campaign_ids if office is not None else ())
            if (campaign := self._workspace.get(i)) is not None and campaign.exists
        }
        return Context(
            now=self._now,
            today=today,
            actor=issued.actor,
            effective_on=issued.effective_on or today,
            command_id=issued.command_id,
            reason=issued.reason,
            office=office,
            campaigns=campaigns,
            judge=self._rules.judge,
            contact_rules=self._rules.contact_rules,
        )

    def _office(self, issued: Issued, targets: list[Aggregate]) -> "Office | None":
        office_id = attribute(issued.command, "office_id")
        for target in targets:
            office_id = office_id or (target.id if target.kind == "office" else attribute(target, "office_id"))
        office = self._workspace.get(office_id) if office_id is not None else None
        return cast("Office", office) if office is not None and office.exists else None

    def _stamped(self, issued: Issued, targets: list[Aggregate], context: Context) -> list[Recorded]:
        """The pending events of all targets with their ids, dates and cause; the same command gives the same ids."""
        events: list[Recorded] = []
        meta: Meta | None = None
        for target in targets:
            pending = target.collect()
            if not pending:
                continue
            meta = meta or Meta(
                actor=issued.actor,
                command_id=issued.command_id,
                correlation_id=issued.correlation_id or issued.command_id,
                causation_id=issued.causation_id,
                reason=issued.reason,
                traceparent=issued.traceparent,
            )
            account_id = account_of(target)
            mine = [
                Recorded(
                    aggregate_id=target.id,
                    version=version,
                    event_id=uuid5(issued.command_id, str(ordinal)),
                    account_id=account_id,
                    effective_on=each.effective_on or context.effective_on,
                    recorded_at=self._now,
                    event=each.event,
                    meta=meta,
                )
                for ordinal, (version, each) in enumerate(
                    enumerate(pending, target.version - len(pending) + 1), len(events)
                )
            ]
            self._workspace.add(target, mine)
            events += mine
        return events
