"""Deciding commands one after the other: what each may know, what it emits, and leaving no trace of a refusal."""

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from typing import Protocol
from uuid import UUID, uuid5

from aggregates.kernel.aggregate import DECISIONS, KINDS, Aggregate
from aggregates.kernel.command import Accepted, Command, Issued, Key, Outcome, Rejected, Target
from aggregates.kernel.context import Context, NeedsHistory, NeedsOther, Rules
from aggregates.kernel.event import Meta, Recorded
from aggregates.kernel.refusals import Refusal


@dataclass(slots=True)
class Decided:
    """A command of a batch and what came of it: an outcome with events, or a defect's error."""

    issued: Issued
    targets: tuple[Target, ...]
    """The deciding one first."""
    keys: tuple[Key, ...] = ()
    """What it looks up."""
    outcome: Outcome | None = None
    error: Exception | None = None
    events: list[Recorded] = field(default_factory=list)
    seen: frozenset[UUID] = frozenset()
    """Aggregates besides the targets that the decision could look at."""
    reached: frozenset[UUID] = frozenset()
    """Those of them that it could change."""
    is_repeat: bool = False
    """The outcome was stored earlier; nothing of this command is to be stored now."""

    @classmethod
    def of(cls, issued: Issued) -> "Decided":
        """A defect in saying what the command is about concerns this command only."""
        try:
            targets = issued.command.targets()
            for target in targets:
                if target.kind not in KINDS:
                    raise LookupError(f"no aggregate is of kind {target.kind}")
            return cls(issued, targets, issued.command.looks_up())
        except Exception as error:
            return cls(issued, (), error=error)

    @property
    def touches(self) -> Iterable[UUID]:
        """Ids of everything that the outcome follows from."""
        return (*(target.id for target in self.targets), *self.seen, *(key.id for key in self.keys))

    def forget(self) -> None:
        self.outcome, self.error, self.events, self.seen, self.reached = None, None, [], frozenset(), frozenset()

    @property
    def may_change(self) -> Iterable[UUID]:
        return (*(target.id for target in self.targets), *self.reached)


def rejected(refusal: Refusal) -> Rejected:
    """A decision's no as the caller gets it."""
    return Rejected(refusal.reason_code, refusal.detail)


class Workspace(Protocol):
    """The aggregates of a batch: shared instances, so each command sees what the earlier ones did."""

    def target(self, target: Target, *, whole: bool) -> Aggregate:
        """The instance; `whole` the one that keeps everything it ever had.

        Of the kind that the id is known as, which may be another than the target's; else a blank one of the target's.
        """
        ...

    def find(self, aggregate_id: UUID) -> Aggregate | None: ...

    def bring_in(self, target: Target) -> None:
        """Has the aggregate at hand for the decisions of this batch."""
        ...

    def holders(self, key: Key) -> Sequence[UUID]:
        """The aggregates that ever came to hold the key, the first one first."""
        ...

    def add(self, aggregate: Aggregate, events: list[Recorded]) -> None:
        """Notes what an instance emitted, and lets its other instance (whole or not) know."""
        ...

    def undo(self, aggregate: Aggregate) -> None:
        """A decision emitted and then refused: back to the stored state and what this batch decided before."""
        ...


class Decider:
    """Decides over the batch's shared instances, so each command sees what the earlier ones did."""

    def __init__(self, workspace: Workspace, rules: Rules, now: datetime) -> None:
        self._workspace = workspace
        self._rules = rules
        self._now = now
        self._sights: dict[tuple[tuple[str, ...], tuple[Target, ...]], Sight] = {}

    def decide(self, decided: Decided) -> None:
        """Fills in the outcome and the events, or the error of a defect.

        A decision that lacks history, or an aggregate that its command reaches, is made again with it.
        """
        command = decided.issued.command
        whole, reached = False, list[Target]()
        while True:
            try:
                return self._decide(decided, reached, whole=whole)
            except NeedsHistory as error:
                if not command.may_need_history:
                    problem = f"{command.command_name} asked for history without declaring that it may need it"
                    decided.error = LookupError(problem)
                    decided.error.__cause__ = error
                    return None
                if whole:
                    decided.error = error
                    return None
                whole = True
            except NeedsOther as error:
                self._workspace.bring_in(error.target)
                reached.append(error.target)

    def _decide(self, decided: Decided, asked: Sequence[Target], *, whole: bool) -> None:
        """`asked`: what the decision asked for so far, of what its command reaches."""
        issued = decided.issued
        changed: list[Aggregate] = []
        try:
            changed = targets = [self._target(target, whole=whole) for target in decided.targets]
            sight = self._sight(issued.command, targets)
            to_reach = [*self._reached_in(sight, issued.command, decided.targets), *asked]
            decided.reached = frozenset(target.id for target in to_reach)
            decided.seen = sight.ids | decided.reached
            reached = [self._target(target, whole=whole) for target in to_reach]
            context = self._context(issued, targets, sight, reached)
            changed = [*targets, *reached]
            DECISIONS[type(issued.command)](*targets, issued.command, context)
        except Refusal as refusal:
            self._undo(changed)
            decided.outcome = rejected(refusal)
        except (NeedsHistory, NeedsOther):
            self._undo(changed)
            raise
        except Exception as error:  # a defect in one decision must not undo the others
            self._undo(changed)
            decided.error = error
        else:
            decided.events = self._stamped(issued, changed, context)
            decided.outcome = Accepted(tuple(e.event_id for e in decided.events), targets[0].version)

    def _target(self, target: Target, *, whole: bool) -> Aggregate:
        """What is known under this id as something else is not there."""
        found = self._workspace.target(target, whole=whole)
        if found.kind != target.kind:
            raise Refusal(f"unknown-{target.kind}", f"there is no such {target.kind}: this is the id of a {found.kind}")
        return found

    def _reached_in(self, sight: "Sight", command: Command, targets: Sequence[Target]) -> list[Target]:
        """What the command sees and may change besides its targets, in an order that is always the same."""
        if not command.reaches:
            return []
        return [
            Target(each.kind, each.id)
            for each in sorted(sight.seen.values(), key=lambda each: each.id)
            if each.kind in command.reaches and each.exists and Target(each.kind, each.id) not in targets
        ]

    def _undo(self, changed: Iterable[Aggregate]) -> None:
        for each in changed:
            if each.collect():
                self._workspace.undo(each)
                self._has_changed(each)

    def _sight(self, command: Command, targets: Iterable[Aggregate]) -> "Sight":
        """What the command looks at besides its targets; found once for all accounts of an office."""
        if not command.sees:
            return NOTHING
        targets = list(targets)
        links = (*command.links(), *(link for target in targets for link in target.links()))
        if keys := command.looks_up():
            links += self._held(keys, but={target.id for target in targets})
        key = (command.sees, links)
        if (known := self._sights.get(key)) is None:
            known = self._sights[key] = Sight.of(links, command.sees, self._workspace.find)
        return known

    def _held(self, keys: Iterable[Key], *, but: Container[UUID]) -> tuple[Target, ...]:
        return tuple(
            Target(key.held_by, each) for key in keys for each in self._workspace.holders(key) if each not in but
        )

    def _has_changed(self, aggregate: Aggregate) -> None:
        """What was found by it may not be all any more."""
        gone = [key for key, sight in self._sights.items() if aggregate.id in sight.asked]
        for key in gone:
            del self._sights[key]

    def _context(
        self, issued: Issued, targets: list[Aggregate], sight: "Sight", reached: Sequence[Aggregate]
    ) -> Context:
        zones = (zone for target in targets if (zone := target.local_zone) is not None and target.exists)
        today = self._now.astimezone(next(zones, sight.zone)).date()
        reaches = issued.command.reaches
        mine = {each.id: each for each in (*targets, *reached)} if reaches else {}
        return Context(
            now=self._now,
            today=today,
            actor=issued.actor,
            effective_on=issued.effective_on or today,
            command_id=issued.command_id,
            reason=issued.reason,
            seen={**sight.seen, **mine} if mine else sight.seen,
            reaches=reaches,
            rules=self._rules,
        )

    def _stamped(self, issued: Issued, changed: Iterable[Aggregate], context: Context) -> list[Recorded]:
        """What all of these emitted, with ids, dates and cause; the same command gives the same ids."""
        events: list[Recorded] = []
        metas: dict[str | None, Meta] = {}
        for target in changed:
            answered, pending = target.answered, target.collect()
            if not pending:
                continue
            if (meta := metas.get(answered)) is None:
                meta = metas[answered] = _meta(issued, answered)
            account_id, recorded_at = target.about_account, target.recording(self._now)
            mine = [
                Recorded(
                    aggregate_id=target.id,
                    version=version,
                    event_id=uuid5(issued.command_id, str(ordinal)),
                    account_id=account_id,
                    effective_on=each.effective_on or context.effective_on,
                    recorded_at=recorded_at,
                    event=each.event,
                    meta=meta,
                )
                for ordinal, (version, each) in enumerate(
                    enumerate(pending, target.version - len(pending) + 1), len(events)
                )
            ]
            self._workspace.add(target, mine)
            self._has_changed(target)
            events += mine
        return events


def _meta(issued: Issued, answered: str | None) -> Meta:
    return Meta(
        actor=str(issued.actor),
        command_id=issued.command_id,
        correlation_id=issued.correlation_id or issued.command_id,
        causation_id=issued.causation_id,
        reason=issued.reason,
        traceparent=issued.traceparent,
        answered=answered,
    )


@dataclass(frozen=True, slots=True)
class Sight:
    """What a command looks at besides its targets, and the zone in which its days begin."""

    seen: Mapping[UUID, Aggregate]
    ids: frozenset[UUID]
    zone: tzinfo
    asked: frozenset[UUID]
    """What was looked for, found or not."""

    @classmethod
    def of(cls, links: Iterable[Target], kinds: Container[str], find: "Find") -> "Sight":
        """What is found by following links to aggregates of these kinds."""
        seen: dict[UUID, Aggregate] = {}
        asked: set[UUID] = set()
        to_follow = list(links)
        while to_follow:
            link = to_follow.pop()
            if link.kind not in kinds or link.id in asked:
                continue
            asked.add(link.id)
            if (linked := find(link.id)) is not None:
                seen[link.id] = linked
                to_follow += linked.links()
        zones = (zone for each in seen.values() if each.exists and (zone := each.local_zone) is not None)
        return cls(seen, frozenset(seen), next(zones, UTC), frozenset(asked))


class Find(Protocol):
    def __call__(self, aggregate_id: UUID, /) -> Aggregate | None: ...


NOTHING = Sight.of((), (), lambda _: None)


def decide_batch(
    to_decide: Iterable[Decided], batch: Sequence[Decided], stored: Mapping[UUID, Outcome | UUID], decider: Decider
) -> None:
    """Decides these commands of the batch in order. A repeat has its stored outcome, a taken natural key is refused.

    `stored` has the outcomes known by command id, and by natural key the id of the command that has it.
    """
    for each in to_decide:
        each.forget()
    owners = {each.issued.key: each.issued.command_id for each in batch if each.issued.key and each.events}
    for each in to_decide:
        issued = each.issued
        known = stored.get(issued.command_id)
        if known is not None and not isinstance(known, UUID):
            each.outcome, each.is_repeat = known, True
            continue
        if issued.key is not None:
            owner = stored.get(issued.key) or owners.get(issued.key)
            if owner is not None:
                named = owner if isinstance(owner, UUID) else issued.key
                each.outcome = Rejected("duplicate", f"command {named} has this key already")
                continue
        decider.decide(each)
        if issued.key is not None and each.events:
            owners[issued.key] = issued.command_id


def to_decide_again(batch: Sequence[Decided], moved: set[UUID], handled: Container[UUID]) -> list[Decided]:
    """The commands to decide again: those on aggregates that moved, or that were handled elsewhere meanwhile.

    What these may emit differently concerns their other aggregates, and so the commands on those, and so on.
    """
    dirty = set(moved)
    again: set[UUID] = set()
    grew = True
    while grew:
        grew = False
        for each in batch:
            issued = each.issued
            if issued.command_id in again:
                continue
            was_handled = issued.command_id in handled or (issued.key is not None and issued.key in handled)
            if was_handled or not dirty.isdisjoint(each.touches):
                again.add(issued.command_id)
                dirty.update(each.may_change)
                grew = True
    return [each for each in batch if each.issued.command_id in again]
