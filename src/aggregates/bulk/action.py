"""A bulk action: previewed, confirmed, done account by account, and undone."""

from collections.abc import Iterable
from datetime import date
from enum import StrEnum
from typing import Annotated, Any, ClassVar
from uuid import UUID

from pydantic import Field

from aggregates.account.bulk_kinds import BULK_KINDS, bulk_kind
from aggregates.kernel.aggregate import Aggregate, applies, decides
from aggregates.kernel.command import Command, Target, identifier
from aggregates.kernel.context import Context
from aggregates.kernel.event import Event
from aggregates.kernel.refusals import Refusal
from aggregates.kernel.value import LATER, Value
from aggregates.office import Office, office_of
from aggregates.values.money import Currency

MOST_LEFT = 4_000
"""Accounts that a confirmation names: an event has at most 256 kB."""


def bulk_work_id(bulk: UUID, command: str, *, attempt: int = 1) -> UUID:
    """The id of the work that does a bulk action, or undoes it: by the name of the command to each account, and
    which time it is."""
    return identifier("bulk-work", bulk, command, *([] if attempt == 1 else [attempt]))


# --- values ------------------------------------------------------------------------------------------


class BulkState(StrEnum):
    """Where a bulk action stands."""

    PREVIEWED = "previewed"
    RUNNING = "running"
    FINISHED = "finished"
    CANCELLED = "cancelled"
    UNDOING = "undoing"
    UNDONE = "undone"


class Preview(Value):
    """What a preview kept besides its rows."""

    office_id: UUID
    kind: str
    parameters: dict[str, Any]
    filters: dict[str, Any]
    as_of: date
    currency: Currency
    accounts: int = Field(ge=0)
    parts: int = Field(ge=0)
    total_minor: int | None
    position: int = Field(ge=0)
    digest: str


# --- events ------------------------------------------------------------------------------------------


class BulkPreviewed(Event, name="bulk.previewed"):
    """Somebody saw which accounts a bulk action would change, and how they were; nothing was changed."""

    office_id: UUID
    kind: str
    parameters: dict[str, Any]
    filters: dict[str, Any]
    """Of the report, as asked; of a search only that there was one, for its text may be a name."""
    as_of: date
    currency: Currency
    accounts: int
    parts: int
    total_minor: int | None
    """Sum of the amounts in question; None where the kind has none."""
    position: int
    """Up to which place in the log the report was."""
    digest: str
    """SHA-256 of the frozen rows in their order."""
    schedule_id: Annotated[UUID | None, LATER] = None
    """The schedule that made it; None: a person did."""


class BulkExported(Event, name="bulk.exported"):
    """Somebody took the accounts that the report showed as a file; nothing was changed."""

    office_id: UUID
    format: str
    filters: dict[str, Any]
    as_of: date
    currency: Currency
    rows: int
    total_minor: int
    """Sum of their balances."""


class BulkConfirmed(Event, name="bulk.confirmed"):
    """A preview was confirmed, by a person or its schedule: every account of it is asked now."""

    office_id: UUID
    kind: str
    parameters: dict[str, Any]
    without_changed: bool
    """Accounts that had changed since the preview are left as they are; else there were none."""
    changed: int
    """How many had changed by then."""
    left: Annotated[tuple[UUID, ...] | None, LATER] = None
    """Which, of a kind whose accounts cannot tell it by themselves."""


class BulkFinished(Event, name="bulk.finished"):
    """Every account was asked, and each has its outcome."""

    done: int
    changed: int
    refused: int
    skipped: int
    failed: int
    """Accounts that could not be asked because of a defect."""


class BulkCancelled(Event, name="bulk.cancelled"):
    """A person stopped it. What was done stays done, and can be undone."""

    was_running: bool


class BulkUndoBegun(Event, name="bulk.undo-begun"):
    """A person took it back: every account that it changed, and that did not reverse it yet, is asked to."""

    office_id: UUID
    attempt: Annotated[int | None, LATER] = None
    """Which time it is, from 2; None: the first."""


class BulkUndone(Event, name="bulk.undone"):
    """Every account that it changed was asked to reverse that. Counts are of all times that it was taken back."""

    done: int
    changed: int
    """Accounts on which somebody had changed the same since, or that cannot reverse it as they are: that stays."""
    failed: int
    """Accounts that refused, or could not be asked because of a defect."""
    attempt: Annotated[int | None, LATER] = None
    """Which time it is, from 2; None: the first."""


# --- commands ----------------------------------------------------------------------------------------


class BulkCommand(Command, sees=("office",)):
    """A command to one bulk action."""

    bulk_id: UUID

    def targets(self) -> tuple[Target, ...]:
        return (Target("bulk", self.bulk_id),)


class PreviewBulk(BulkCommand, name="preview-bulk", internal=True):
    """Keep what was shown of a bulk action: its rows were frozen before."""

    preview: Preview

    def links(self) -> tuple[Target, ...]:
        return (Target("office", self.preview.office_id),)


class RecordExport(BulkCommand, name="record-export", internal=True):
    """Keep who took the report as a file, and how many rows."""

    office_id: UUID
    format: str
    filters: dict[str, Any]
    as_of: date
    currency: Currency
    rows: int = Field(ge=0)
    total_minor: int

    def links(self) -> tuple[Target, ...]:
        return (Target("office", self.office_id),)


class ConfirmBulk(BulkCommand, name="confirm-bulk", internal=True):
    """Do what was previewed. Whoever issues it compared every row with the report."""

    without_changed: bool = False
    changed: int = Field(0, ge=0)
    left: tuple[UUID, ...] = ()
    """Which are left as they are, of a kind whose accounts cannot tell by themselves that they have changed."""


class FinishBulk(BulkCommand, name="finish-bulk", internal=True):
    """Every account was asked."""

    done: int = Field(ge=0)
    changed: int = Field(ge=0)
    refused: int = Field(ge=0)
    skipped: int = Field(ge=0)
    failed: int = Field(ge=0)


class CancelBulk(BulkCommand, name="cancel-bulk"):
    """Stop a bulk action, before it is confirmed or while it runs."""


class BeginBulkUndo(BulkCommand, name="undo-bulk"):
    """Reverse what a bulk action changed on each account; once it is undone, on those that did not reverse it."""


class FinishBulkUndo(BulkCommand, name="finish-bulk-undo", internal=True):
    """Every account was asked to reverse it."""

    done: int = Field(ge=0)
    changed: int = Field(ge=0)
    failed: int = Field(ge=0)


# --- state -------------------------------------------------------------------------------------------


class BulkAction(Aggregate):
    """One change to the accounts that a report showed. Its rows are in parts of their own."""

    kind: ClassVar[str] = "bulk"
    state_version: ClassVar[int] = 4

    office_id: UUID | None = None
    action: str = ""
    """Its kind in `BULK_KINDS`."""
    parameters: dict[str, Any] = Field(default_factory=dict)
    filters: dict[str, Any] = Field(default_factory=dict)
    as_of: date | None = None
    currency: str = ""
    accounts: int = 0
    digest: str = ""
    state: BulkState = BulkState.PREVIEWED
    was_confirmed: bool = False
    left: frozenset[UUID] = frozenset()
    """Accounts that had changed when the rest was confirmed, where they cannot tell it by themselves."""
    undo_attempts: int = 0
    not_undone: int = 0
    """Accounts that did not reverse all of it when they were asked last."""

    def links(self) -> Iterable[Target]:
        return (Target("office", self.office_id),) if self.office_id else ()

    # --- decisions ---

    @decides(PreviewBulk)
    def preview(self, command: PreviewBulk, context: Context) -> None:
        if not self.exists:
            self._preview(command.preview, context)

    def preview_scheduled(self, preview: Preview, *, schedule_id: UUID, context: Context) -> None:
        """A schedule made it."""
        self._preview(preview, context, schedule_id=schedule_id)

    def confirm_scheduled(self) -> None:
        """It is not larger than its schedule may do by itself."""
        self._confirm(without_changed=False, changed=0)

    def _preview(self, preview: Preview, context: Context, *, schedule_id: UUID | None = None) -> None:
        kind = bulk_kind(preview.kind)
        kind.check(kind.parameters.model_validate(preview.parameters), office_of(context, preview.office_id))
        self.emit(BulkPreviewed(**preview.model_dump(), schedule_id=schedule_id))

    @decides(RecordExport)
    def record_export(self, command: RecordExport, context: Context) -> None:
        if self.exists:
            return
        if context.find(Office, command.office_id) is None:
            raise Refusal("unknown-office", "there is no such office")
        self.emit(BulkExported(**command.model_dump(exclude={"bulk_id"})))

    @decides(ConfirmBulk)
    def confirm(self, command: ConfirmBulk, context: Context) -> None:
        self._require()
        if self.was_confirmed:
            return
        if self.state is BulkState.CANCELLED:
            raise Refusal("bulk-cancelled", "the bulk action was cancelled; preview it anew")
        if self.state is not BulkState.PREVIEWED:
            raise Refusal("bulk-finished", "it is an export, and there is nothing to confirm")
        if command.changed and not command.without_changed:
            raise Refusal("changed-since-preview", f"{command.changed:,} accounts changed since the preview")
        if len(command.left) > MOST_LEFT:
            raise Refusal(
                "too-many-changed",
                f"{command.changed:,} accounts changed since the preview, and at most {MOST_LEFT:,} are left out of it;"
                " preview it anew",
            )
        self._confirm(without_changed=command.without_changed, changed=command.changed, left=command.left)

    def _confirm(self, *, without_changed: bool, changed: int, left: tuple[UUID, ...] = ()) -> None:
        self.emit(
            BulkConfirmed(
                office_id=self._require(),
                kind=self.action,
                parameters=self.parameters,
                without_changed=without_changed,
                changed=changed,
                left=left or None,
            )
        )

    @decides(FinishBulk)
    def finish(self, command: FinishBulk, context: Context) -> None:
        self._require()
        if self.state is BulkState.RUNNING:
            self.emit(BulkFinished(**command.model_dump(exclude={"bulk_id"})))

    @decides(CancelBulk)
    def cancel(self, command: CancelBulk, context: Context) -> None:
        self._require()
        if self.state is BulkState.CANCELLED:
            return
        if self.state not in {BulkState.PREVIEWED, BulkState.RUNNING}:
            raise Refusal("bulk-finished", "the bulk action is finished")
        self.emit(BulkCancelled(was_running=self.state is BulkState.RUNNING))

    @decides(BeginBulkUndo)
    def begin_undo(self, command: BeginBulkUndo, context: Context) -> None:
        office_id = self._require()
        if self.state is BulkState.UNDOING or (self.state is BulkState.UNDONE and not self.not_undone):
            return
        self.require_undoable()
        self.emit(BulkUndoBegun(office_id=office_id, attempt=_said(self.undo_attempts + 1)))

    def require_undoable(self) -> None:
        """Refuses where there is nothing that could be taken back, now or at all."""
        kind = BULK_KINDS.get(self.action)
        if kind is not None and kind.cannot_be_undone is not None:
            raise Refusal("bulk-not-undoable", f"it cannot be undone: {kind.cannot_be_undone}")
        if not self.was_confirmed:
            raise Refusal("bulk-not-done", "the bulk action changed nothing")
        if self.state is BulkState.RUNNING:
            raise Refusal("bulk-running", "the bulk action still runs: wait for its end, or cancel it first")

    @decides(FinishBulkUndo)
    def finish_undo(self, command: FinishBulkUndo, context: Context) -> None:
        self._require()
        if self.state is BulkState.UNDOING:
            self.emit(BulkUndone(**command.model_dump(exclude={"bulk_id"}), attempt=_said(self.undo_attempts)))

    def _require(self) -> UUID:
        """The office. Refuses where there is no such bulk action."""
        if self.office_id is None:
            raise Refusal("unknown-bulk", "there is no such bulk action")
        return self.office_id

    # --- apply ---

    @applies(BulkPreviewed)
    def _previewed(self, event: BulkPreviewed) -> None:
        self.office_id, self.action = event.office_id, event.kind
        self.parameters, self.accounts, self.digest = event.parameters, event.accounts, event.digest
        self.filters, self.as_of, self.currency = event.filters, event.as_of, event.currency

    @applies(BulkExported)
    def _exported(self, event: BulkExported) -> None:
        self.office_id, self.action, self.accounts = event.office_id, "export", event.rows
        self.state = BulkState.FINISHED

    @applies(BulkConfirmed)
    def _confirmed(self, event: BulkConfirmed) -> None:
        self.state, self.was_confirmed = BulkState.RUNNING, True
        self.left = frozenset(event.left or ())

    @applies(BulkFinished)
    def _finished(self, event: BulkFinished) -> None:
        self.state, self.left = BulkState.FINISHED, frozenset()

    @applies(BulkCancelled)
    def _cancelled(self, event: BulkCancelled) -> None:
        self.state, self.left = BulkState.CANCELLED, frozenset()

    @applies(BulkUndoBegun)
    def _undo_begun(self, event: BulkUndoBegun) -> None:
        self.state, self.undo_attempts = BulkState.UNDOING, event.attempt or 1

    @applies(BulkUndone)
    def _undone(self, event: BulkUndone) -> None:
        self.state, self.not_undone = BulkState.UNDONE, event.changed + event.failed


def _said(attempt: int) -> int | None:
    """How events say it: the first time says nothing, as it did before there were more."""
    return attempt if attempt > 1 else None
