"""A reader of the log, as far as people decide about it: events that it could not handle and that were given up."""

from typing import ClassVar
from uuid import UUID

from pydantic import Field

from aggregates.kernel.aggregate import Aggregate, applies, decides
from aggregates.kernel.command import Command, Target, identifier
from aggregates.kernel.context import Context
from aggregates.kernel.event import Event
from aggregates.kernel.refusals import Refusal


def reader_id(name: str) -> UUID:
    """The reader's aggregate id from its name (`policies`, or a projection's generation such as `ledger@2`)."""
    return identifier("reader", name)


class EventDiscarded(Event, name="reader.event-discarded"):
    """A person gave up an event that a reader could not handle; the later ones of its account went on."""

    reader: str
    position: int
    discarded_event_id: UUID
    discarded_event_name: str


class DiscardEvent(Command, name="discard-event", internal=True):
    """Give up an event for one reader, with a reason."""

    reader: str = Field(min_length=1, max_length=100)
    position: int = Field(ge=1)
    event_id: UUID
    event_name: str

    def targets(self) -> tuple[Target, ...]:
        return (Target("reader", reader_id(self.reader)),)


class Reader(Aggregate):
    """What was given up for one reader; its checkpoint is not kept here."""

    kind: ClassVar[str] = "reader"

    discarded: int = 0
    """How many events were given up."""

    @decides(DiscardEvent)
    def discard(self, command: DiscardEvent, context: Context) -> None:
        context.require_reason()
        if not context.actor.is_person:
            raise Refusal("not-a-person", "only people give up events")
        self.emit(
            EventDiscarded(
                reader=command.reader,
                position=command.position,
                discarded_event_id=command.event_id,
                discarded_event_name=command.event_name,
            )
        )

    @applies(EventDiscarded)
    def _discarded(self, event: EventDiscarded) -> None:
        self.discarded += 1
