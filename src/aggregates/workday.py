"""An agent's day in an office: closed once every contact that they made is documented."""

from collections.abc import Iterable
from datetime import date
from typing import ClassVar
from uuid import UUID

from pydantic import Field

from aggregates.kernel.aggregate import Aggregate, applies, decides
from aggregates.kernel.command import Command, Target, identifier
from aggregates.kernel.context import Context
from aggregates.kernel.event import Event
from aggregates.kernel.refusals import Refusal
from aggregates.office import Office


def workday_id(office: UUID, agent: str, day: date) -> UUID:
    """The aggregate id of an agent's local day in an office."""
    return identifier("workday", office, agent, day)


# --- events ------------------------------------------------------------------------------------------


class WorkdayClosed(Event, name="workday.closed"):
    """An agent closed their day: all contacts that they made are documented. A later closing of the day counts."""

    office_id: UUID
    agent: str
    day: date
    contacts: int
    """That they made on the day."""
    follow_ups: int
    """That they completed on it."""
    left: int
    """What is left on their worklist, without what is nobody's."""


# --- commands ----------------------------------------------------------------------------------------


class CloseWorkday(Command, name="close-workday", internal=True):
    """Close an agent's day. Whoever issues it has seen that no contact of theirs is undocumented."""

    office_id: UUID
    agent: str = Field(min_length=1, max_length=100)
    day: date
    contacts: int = Field(ge=0)
    follow_ups: int = Field(ge=0)
    left: int = Field(ge=0)

    def targets(self) -> tuple[Target, ...]:
        return Target("workday", workday_id(self.office_id, self.agent, self.day)), Target("office", self.office_id)


# --- state -------------------------------------------------------------------------------------------


class Workday(Aggregate):
    """A day that was closed, with what its last closing says."""

    kind: ClassVar[str] = "workday"

    office_id: UUID | None = None
    contacts: int = 0
    follow_ups: int = 0
    left: int = 0

    def links(self) -> Iterable[Target]:
        return (Target("office", self.office_id),) if self.office_id is not None else ()

    @decides(CloseWorkday)
    def close(self, office: Office, command: CloseWorkday, context: Context) -> None:
        if not office.exists:
            raise Refusal("unknown-office", "there is no such office")
        if command.day > context.today:
            raise Refusal("day-not-begun", f"day: expected {context.today} or earlier")
        counts = (command.contacts, command.follow_ups, command.left)
        if not self.exists or counts != (self.contacts, self.follow_ups, self.left):
            self.emit(WorkdayClosed(**command.model_dump()), effective_on=command.day)

    # --- apply ---

    @applies(WorkdayClosed)
    def _closed(self, event: WorkdayClosed) -> None:
        self.office_id = event.office_id
        self.contacts, self.follow_ups, self.left = event.contacts, event.follow_ups, event.left
