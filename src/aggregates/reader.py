"""A reader of the log, as far as people decide about it: events that it could not handle and that were given up, and
messages of a topic that it was told to pass over."""

from typing import ClassVar
from uuid import UUID

from pydantic import Field

from aggregates.kernel.aggregate import Aggregate, applies, decides
from aggregates.kernel.command import Command, Target, identifier
from aggregates.kernel.context import Context
from aggregates.kernel.event import Event
from aggregates.kernel.refusals import Refusal
from aggregates.values.attachments import Sha256


def reader_id(name: str) -> UUID:
    """The reader's aggregate id from its name (`policies`, or a projection's generation such as `ledger@2`)."""
    return identifier("reader", name)


class EventDiscarded(Event, name="reader.event-discarded"):
    """A person gave up an event that a reader could not handle; the later ones of its account went on."""

    reader: str
    position: int
    discarded_event_id: UUID
    discarded_event_name: str


class MessageSkipped(Event, name="reader.message-skipped"):
    """A person had a reader pass over a message of a topic."""

    reader: str
    topic: str
    partition: int
    offset: int
    digest: str
    """SHA-256 of the message, in hexadecimal digits: a topic made anew has another one at the same place."""


class DiscardEvent(Command, name="discard-event", internal=True):
    """Give up an event for one reader, with a reason."""

    reader: str = Field(min_length=1, max_length=100)
    position: int = Field(ge=1)
    event_id: UUID
    event_name: str

    def targets(self) -> tuple[Target, ...]:
        return (Target("reader", reader_id(self.reader)),)


class SkipMessage(Command, name="skip-message", internal=True):
    """Have one reader pass over a message of a topic, with a reason."""

    reader: str = Field(min_length=1, max_length=100)
    topic: str = Field(min_length=1, max_length=249)
    partition: int = Field(ge=0)
    offset: int = Field(ge=0)
    digest: Sha256

    def targets(self) -> tuple[Target, ...]:
        return (Target("reader", reader_id(self.reader)),)


class Reader(Aggregate):
    """What was given up for one reader; its checkpoint is not kept here."""

    kind: ClassVar[str] = "reader"

    discarded: int = 0
    """How many events were given up."""
    skipped: int = 0
    """How many messages were passed over."""

    @decides(DiscardEvent)
    def discard(self, command: DiscardEvent, context: Context) -> None:
        _require_person(context)
        self.emit(
            EventDiscarded(
                reader=command.reader,
                position=command.position,
                discarded_event_id=command.event_id,
                discarded_event_name=command.event_name,
            )
        )

    @decides(SkipMessage)
    def skip(self, command: SkipMessage, context: Context) -> None:
        _require_person(context)
        self.emit(
            MessageSkipped(
                reader=command.reader,
                topic=command.topic,
                partition=command.partition,
                offset=command.offset,
                digest=command.digest,
            )
        )

    @applies(EventDiscarded)
    def _discarded(self, event: EventDiscarded) -> None:
        self.discarded += 1

    @applies(MessageSkipped)
    def _skipped(self, event: MessageSkipped) -> None:
        self.skipped += 1


def _require_person(context: Context) -> None:
    """Raises Refusal."""
    context.require_reason()
    if not context.actor.is_person:
        raise Refusal("not-a-person", "only people give up events")
