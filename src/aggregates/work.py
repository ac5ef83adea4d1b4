"""Work over many accounts: one command for every account of an office, or of a bulk action, because of one event."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated, Any, ClassVar
from uuid import UUID

from pydantic import Field

from aggregates.kernel.aggregate import Aggregate, applies, decides
from aggregates.kernel.command import COMMANDS, Command, Target, identifier
from aggregates.kernel.context import Context
from aggregates.kernel.event import Event
from aggregates.kernel.personal import personal_paths
from aggregates.kernel.refusals import Refusal
from aggregates.kernel.value import LATER


def work_id(cause_event_id: UUID, policy: str, ordinal: object) -> UUID:
    """The work's aggregate id: a policy that meets its cause again asks for the same work again."""
    return identifier("work", cause_event_id, policy, ordinal)


def account_command_id(work: UUID, account: UUID) -> UUID:
    """The id of the work's command to one account: whoever repeats it makes no second event."""
    return identifier("work", work, account)


# --- values ------------------------------------------------------------------------------------------


class WorkStatus(StrEnum):
    OPEN = "open"
    FINISHED = "finished"
    CANCELLED = "cancelled"


# --- events ------------------------------------------------------------------------------------------


class WorkBegun(Event, name="work.begun"):
    """Something is asked of every account of an office that was opened at or before the position of its cause, or of
    every account of a bulk action."""

    office_id: UUID
    command: str
    """Its name, such as `judge-collection`."""
    arguments: dict[str, Any] = Field(default_factory=dict)
    """What the command says besides whose account it is; never personal text."""
    policy: str
    """The one that asked."""
    cause_event_id: UUID
    cause_position: int
    bulk_id: Annotated[UUID | None, LATER] = None
    """The bulk action whose rows are asked, and no other accounts; the command says of each what its row says."""


class WorkFinished(Event, name="work.finished"):
    """Every account was asked: it did so, or refused, or could not be asked because of a defect."""

    done: int
    refused: int
    failed: int


class WorkCancelled(Event, name="work.cancelled"):
    """A person stopped it. What was done stays done, the accounts that were left are not asked."""


# --- commands ----------------------------------------------------------------------------------------


class WorkCommand(Command, sees=("office",)):
    """A command to one piece of work; its days are the office's."""

    work_id: UUID

    def targets(self) -> tuple[Target, ...]:
        return (Target("work", self.work_id),)


class BeginWork(WorkCommand, name="begin-work", internal=True):
    """Ask something of every account of an office, or of a bulk action."""

    office_id: UUID
    command: str
    arguments: dict[str, Any] = Field(default_factory=dict)
    policy: str
    cause_event_id: UUID
    cause_position: int = Field(ge=1)
    bulk_id: Annotated[UUID | None, LATER] = None

    def links(self) -> tuple[Target, ...]:
        return (Target("office", self.office_id),)


class FinishWork(WorkCommand, name="finish-work", internal=True):
    """Every account was asked."""

    done: int = Field(ge=0)
    refused: int = Field(ge=0)
    failed: int = Field(ge=0)


class CancelWork(WorkCommand, name="cancel-work"):
    """Stop a piece of work before its next chunk of accounts, with a reason."""


# --- state -------------------------------------------------------------------------------------------


class Work(Aggregate):
    """One command for every account of an office, or of a bulk action. How far it is is not kept here: that is no fact,
    but a row."""

    kind: ClassVar[str] = "work"
    state_version: ClassVar[int] = 2

    office_id: UUID | None = None
    status: WorkStatus = WorkStatus.OPEN
    bulk_id: UUID | None = None

    def links(self) -> Iterable[Target]:
        return (Target("office", self.office_id),) if self.office_id else ()

    # --- decisions ---

    @decides(BeginWork)
    def begin(self, command: BeginWork, context: Context) -> None:
        if self.exists:
            return
        if command.command not in COMMANDS:
            raise Refusal("no-such-command", f"there is no command {command.command!r}")
        personal = {str(path[0]) for path in personal_paths(COMMANDS[command.command])} & command.arguments.keys()
        if personal:  # this event is no account's, so there is no key to encrypt it under
            raise Refusal("personal-argument", f"arguments: {', '.join(sorted(personal))} would be kept in the open")
        self.emit(WorkBegun(**command.model_dump(exclude={"work_id"})))

    @decides(FinishWork)
    def finish(self, command: FinishWork, context: Context) -> None:
        self._require_begun()
        if self.status is WorkStatus.CANCELLED:
            raise Refusal("work-cancelled", "the work was cancelled")
        if self.status is WorkStatus.OPEN:
            self.emit(WorkFinished(**command.model_dump(exclude={"work_id"})))

    @decides(CancelWork)
    def cancel(self, command: CancelWork, context: Context) -> None:
        self._require_begun()
        context.require_reason()
        if self.bulk_id is not None and not context.actor.is_policy:
            raise Refusal("work-of-bulk", f"the work is that of a bulk action: arrears bulk cancel {self.bulk_id}")
        if self.status is WorkStatus.FINISHED:
            raise Refusal("work-finished", "the work is finished")
        if self.status is WorkStatus.OPEN:
            self.emit(WorkCancelled())

    def _require_begun(self) -> None:
        if not self.exists:
            raise Refusal("unknown-work", "there is no such work")

    # --- apply ---

    @applies(WorkBegun)
    def _begun(self, event: WorkBegun) -> None:
        self.office_id, self.bulk_id = event.office_id, event.bulk_id

    @applies(WorkFinished)
    def _finished(self, event: WorkFinished) -> None:
        self.status = WorkStatus.FINISHED

    @applies(WorkCancelled)
    def _cancelled(self, event: WorkCancelled) -> None:
        self.status = WorkStatus.CANCELLED
