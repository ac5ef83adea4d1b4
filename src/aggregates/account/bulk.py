"""What bulk actions do to the account: decided by the account as it is, and remembered until it is undone."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar
from uuid import UUID

from pydantic import Field

from aggregates.account.bulk_kinds import BULK_KINDS, BulkKind, BulkParameters, Told, bulk_kind, several_in_words
from aggregates.account.chase import Chase
from aggregates.account.command import AccountCommand
from aggregates.account.customer import Customer
from aggregates.account.part import AccountPart
from aggregates.kernel.aggregate import Aggregate, Needs, applies, decides
from aggregates.kernel.command import Target
from aggregates.kernel.context import Context
from aggregates.kernel.event import Event
from aggregates.kernel.refusals import Refusal
from aggregates.kernel.value import Value
from aggregates.values.money import Money

MOST_STANDING = 20
"""Bulk actions that an account can undo: its state must not grow with every one there ever was."""
CHANGED_BEFORE = "it was not as it was shown when the rest was confirmed"
TOO_OLD = f"too old to be undone: an account can undo its last {MOST_STANDING} bulk actions"

# --- values ------------------------------------------------------------------------------------------


class BulkOutcome(StrEnum):
    """What came of a bulk action, or of its undo, on one account."""

    DONE = "done"
    CHANGED = "changed"
    """The account was not as the preview showed it, or not as the action left it: nothing was done, or not all."""
    REFUSED = "refused"
    SKIPPED = "skipped"
    """There was nothing to do."""


class BulkChange(Value):
    """What a bulk action changed on the account, until it is undone."""

    kind: str
    did: dict[str, Any]
    overtaken: dict[str, int] = Field(default_factory=dict)
    """How often each of the touched things was changed since."""


# --- events ------------------------------------------------------------------------------------------


class BulkActionApplied(Event, name="account.bulk-action-applied"):
    """The account decided what a bulk action does to it. What it changed stands in events of its own before this."""

    bulk_id: UUID
    kind: str
    outcome: BulkOutcome
    reason_code: str | None
    """Of what was not done: that of the refusal, or `changed-since-preview`."""
    detail: str | None
    """Why it was not done; of what was done a remark, where there is one."""
    did: dict[str, Any]
    """What exactly it changed; its undo reverses this."""


class BulkActionUndone(Event, name="account.bulk-action-undone"):
    """What a bulk action changed was reversed, as far as nobody had changed the same since."""

    bulk_id: UUID
    kind: str
    outcome: BulkOutcome
    reason_code: str | None
    detail: str | None
    reversed: tuple[str, ...]
    """Which of the touched things are as before."""


# --- commands ----------------------------------------------------------------------------------------


class ApplyBulkAction(
    AccountCommand,
    name="apply-bulk-action",
    internal=True,
    may_need_history=True,
    sees=("office", "campaign", "account", "template"),
    reaches=("account",),
):
    """Do to the account what a bulk action does, if it is as the preview showed it."""

    bulk_id: UUID
    kind: str
    parameters: dict[str, Any]
    expected: dict[str, Any]
    """The figures that were shown, by column of the report."""
    has_changed: bool = False
    """It was not as it was shown when the rest was confirmed, by what the account cannot compare itself."""
    office_id: UUID | None = None
    """The action's. None: it was confirmed before this was said, and its kind looks at nothing else of the office."""

    def links(self) -> tuple[Target, ...]:
        return () if self.office_id is None else bulk_kind(self.kind).sees(self.parameters, self.office_id)

    @property
    def why(self) -> str | None:
        """The reason that is recorded with what it does."""
        return bulk_kind(self.kind).parameters.model_validate(self.parameters).why


class UndoBulkAction(
    AccountCommand,
    name="undo-bulk-action",
    internal=True,
    may_need_history=True,
    sees=("office", "campaign", "account"),
    reaches=("account",),
):
    """Reverse what a bulk action changed on the account."""

    bulk_id: UUID


# --- decisions ---------------------------------------------------------------------------------------


@dataclass(slots=True)
class BulkChanges(AccountPart):
    """What the latest bulk actions changed on the account and was not undone."""

    standing: dict[UUID, BulkChange] = field(default_factory=dict)
    """In their order, at most `MOST_STANDING`."""
    has_forgotten: bool = False
    """Whether there were more."""

    customer: ClassVar = Needs(Customer)
    chase: ClassVar = Needs(Chase)

    @decides(ApplyBulkAction)
    def apply_bulk_action(self, command: ApplyBulkAction, context: Context) -> None:
        self.require_account()
        kind = bulk_kind(command.kind)
        parameters: BulkParameters = kind.parameters.model_validate(command.parameters)
        told = Told(command.bulk_id, parameters, command.expected)
        said: tuple[BulkOutcome, str | None, str | None]
        did: Mapping[str, Any] = {}
        try:
            if unlike := CHANGED_BEFORE if command.has_changed else self._unlike(kind, told, context):
                said = BulkOutcome.CHANGED, "changed-since-preview", unlike
            else:
                did = kind.does(self.whole, told, context)
                said = (BulkOutcome.DONE, None, kind.remarks(did)) if did else (BulkOutcome.SKIPPED, None, None)
        except Refusal as refusal:
            said = BulkOutcome.REFUSED, refusal.reason_code, refusal.detail
        outcome, reason_code, detail = said
        self.emit(
            BulkActionApplied(
                bulk_id=command.bulk_id,
                kind=kind.name,
                outcome=outcome,
                reason_code=reason_code,
                detail=detail,
                did=dict(did),
            )
        )
        if did and kind.is_judged:
            self.chase.judge_at_once(context)

    @decides(UndoBulkAction)
    def undo_bulk_action(self, command: UndoBulkAction, context: Context) -> None:
        self.require_account()
        change = self.standing.get(command.bulk_id)
        if change is None:
            if self.has_forgotten:
                raise Refusal("bulk-too-old", f"it cannot be undone: {TOO_OLD}")
            return
        kind = bulk_kind(change.kind)
        kept = kept_of(self.whole, change)
        back = kind.undoes(self.whole, change.did, kept, context)
        self.emit(
            BulkActionUndone(
                bulk_id=command.bulk_id,
                kind=kind.name,
                outcome=BulkOutcome.CHANGED if kept else BulkOutcome.DONE,
                reason_code="changed-since-action" if kept else None,
                detail=said_of_kept(kept) if kept else None,
                reversed=tuple(back),
            )
        )
        if back and kind.is_judged:
            self.chase.judge_at_once(context)

    def _unlike(self, kind: BulkKind, told: Told, context: Context) -> str | None:
        """What is not as it was shown, in words."""
        office = self.customer.office(context)
        was, now = kind.ignores(told.shown, office), kind.ignores(kind.figures(self.whole, told, context), office)
        name = next((name for name in was if was[name] != now[name]), None)
        if name is None:
            return None
        if name in kind.opaque:
            return f"{name} is another than it was"
        if name in kind.in_minor_units:
            currency = self.customer.currency
            return f"{name} is {Money(now[name], currency)}, and was {Money(was[name], currency)}"
        if isinstance(was[name], dict):
            return f"{name}: {_differences(was[name], now[name])}"
        return f"{name} is {figure_in_words(now[name])}, and was {figure_in_words(was[name])}"

    # --- apply ---

    @applies(BulkActionApplied)
    def _applied(self, event: BulkActionApplied) -> None:
        if event.did and BULK_KINDS[event.kind].cannot_be_undone is None:
            standing = {**self.standing, event.bulk_id: BulkChange(kind=event.kind, did=event.did)}
            self.has_forgotten = self.has_forgotten or len(standing) > MOST_STANDING
            self.standing = dict(list(standing.items())[-MOST_STANDING:])

    @applies(BulkActionUndone)
    def _undone(self, event: BulkActionUndone) -> None:
        """For actions before it, what it reversed is as if it had never been: it counted there twice.

        What nobody changed since, and could not be reversed as the account was, can be tried again.
        """
        subject = BULK_KINDS[event.kind].subject
        change = self.standing.get(event.bulk_id)
        may_be_tried_again = (
            change is not None and event.outcome is BulkOutcome.CHANGED and not event.reversed and not change.overtaken
        )
        earlier: dict[UUID, BulkChange] = {}
        for bulk_id, change in self.standing.items():
            if bulk_id == event.bulk_id:
                break
            if BULK_KINDS[change.kind].subject == subject:
                earlier[bulk_id] = _counted(change, event.reversed, -2)
        self.standing = {
            bulk_id: earlier.get(bulk_id, each)
            for bulk_id, each in self.standing.items()
            if bulk_id != event.bulk_id or may_be_tried_again
        }

    @applies(*{event for kind in BULK_KINDS.values() for event in kind.overtaken_by})
    def _overtaken(self, event: Event) -> None:
        if not self.standing:
            return
        for bulk_id, change in self.standing.items():
            said = BULK_KINDS[change.kind].overtaken_by.get(type(event))
            touched = BULK_KINDS[change.kind].touches(change.did) if said is not None else ()
            if said is not None and (again := tuple(each for each in said(event) if each in touched)):
                self.standing = {**self.standing, bulk_id: _counted(change, again, 1)}


def kept_of(account: Aggregate, change: BulkChange) -> Mapping[str, str]:
    """What of the change an undo leaves as it is, each with why."""
    kind = bulk_kind(change.kind)
    since = {each: "changed since" for each in kind.touches(change.did) if each in change.overtaken}
    return {**since, **kind.keeps(account, change.did)}


def said_of_kept(kept: Mapping[str, str]) -> str:
    """In words: what, and why."""
    by_reason: dict[str, list[str]] = {}
    for each, why in kept.items():
        by_reason.setdefault(why, []).append(each)
    return "; ".join(f"{why}: {several_in_words(those)}" for why, those in by_reason.items())


def _counted(change: BulkChange, things: tuple[str, ...], by: int) -> BulkChange:
    counts = dict(change.overtaken)
    for each in things:
        if each in BULK_KINDS[change.kind].touches(change.did):
            counts[each] = counts.get(each, 0) + by
    return change.model_copy(update={"overtaken": {each: count for each, count in counts.items() if count > 0}})


def _differences(was: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Of figures that have names of their own, only those that differ."""
    differing = [each for each in {**was, **now} if was.get(each) != now.get(each)]
    return several_in_words([f"{each} is {now.get(each)}, and was {was.get(each, 'not there')}" for each in differing])


def figure_in_words(value: Any) -> str:
    """A figure for people: several in commas, nothing as `none`."""
    match value:
        case bool():
            return "yes" if value else "no"
        case list() | tuple():
            return ", ".join(map(str, value)) or "none"
        case dict():
            return several_in_words([f"{name} {each}" for name, each in value.items()]) or "none"
        case None:
            return "none"
        case _:
            return str(value)
