"""From what happened to messages to how each of them stands."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar
from uuid import UUID

from psycopg import Connection

from aggregates.account.messages import (
    MessageDispatched,
    MessageFailed,
    MessageQueued,
    MessageResolved,
    MessageSent,
    MessageUncertain,
    MessageWithdrawn,
    MessageWritten,
)
from aggregates.kernel.event import Recorded
from projections.batch import TableProjection, as_json
from projections.upsert import upsert

_COLUMNS = (
    "message_id uuid", "account_id uuid", "position bigint", "state text", "channel text", "point_id text",
    "queued_at timestamptz", "queued_by text", "changed_at timestamptz", "campaign_id uuid", "plan_version integer",
    "step_id text", "step_title text", "template_id uuid", "template_version integer", "amount_minor bigint",
    "currency text", "code text", "detail text", "last_position bigint",
)  # fmt: skip
_NAMES = [column.split(" ", 1)[0] for column in _COLUMNS]
_PUT = upsert("messages", "message_id", *_COLUMNS)
_GET = f"SELECT {', '.join(_NAMES)} FROM messages WHERE message_id = ANY (%s)"  # noqa: S608


class Standing(StrEnum):
    """How a message stands."""

    QUEUED = "queued"
    DISPATCHED = "dispatched"
    SENT = "sent"
    FAILED = "failed"
    UNCERTAIN = "uncertain"
    WITHDRAWN = "withdrawn"


NOT_SENT = "not-sent"
"""The code of one of which a person says that it did not leave."""

_About = (
    MessageQueued
    | MessageWritten
    | MessageDispatched
    | MessageSent
    | MessageFailed
    | MessageUncertain
    | MessageWithdrawn
    | MessageResolved
)
_EVENTS: tuple[type[_About], ...] = (
    MessageQueued,
    MessageWritten,
    MessageDispatched,
    MessageSent,
    MessageFailed,
    MessageUncertain,
    MessageWithdrawn,
    MessageResolved,
)


@dataclass(slots=True)
class Message:
    """A row while a batch is worked on, in the order of the columns."""

    message_id: UUID
    account_id: UUID
    position: int
    state: str
    channel: str
    point_id: str
    queued_at: datetime
    queued_by: str
    changed_at: datetime
    campaign_id: UUID | None = None
    plan_version: int | None = None
    step_id: str | None = None
    step_title: str | None = None
    template_id: UUID | None = None
    template_version: int | None = None
    amount_minor: int = 0
    currency: str = ""
    code: str | None = None
    detail: str | None = None
    last_position: int = 0

    def row(self) -> tuple[object, ...]:
        return tuple(getattr(self, name) for name in _NAMES)


class MessagesProjection(TableProjection):
    """One row per message."""

    folder: ClassVar[Path] = Path(__file__).parent
    name: ClassVar[str] = "messages"
    version: ClassVar[int] = 1
    public: ClassVar[tuple[str, ...]] = ("messages",)

    @property
    def interest(self) -> frozenset[str]:
        return frozenset(each.event_name for each in _EVENTS)

    def handle(self, batch: Sequence[Recorded], connection: Connection[Any]) -> None:
        mine = [(recorded, recorded.event) for recorded in batch if isinstance(recorded.event, _EVENTS)]
        if not mine:
            return
        known = _known({event.message_id for _, event in mine}, connection)
        touched: dict[UUID, Message] = {}
        for recorded, event in mine:
            message = _told(known, recorded, event)
            if message is not None:
                touched[message.message_id] = message
        if touched:
            connection.execute(_PUT, [as_json([message.row() for message in touched.values()])], prepare=True)


def _known(message_ids: Collection[UUID], connection: Connection[Any]) -> dict[UUID, Message]:
    found = connection.execute(_GET, [list(message_ids)], prepare=True)
    return {message_id: Message(message_id, *rest) for message_id, *rest in found}


def _told(known: dict[UUID, Message], recorded: Recorded, event: _About) -> Message | None:
    """The message as the event says; None where that was seen before."""
    position = recorded.position or 0
    message = known.get(event.message_id)
    if message is not None and position <= message.last_position:
        return None
    if isinstance(event, MessageQueued | MessageWritten):
        message = known[event.message_id] = _queued(recorded, event)
    elif message is None:
        return None
    message.last_position, message.changed_at = position, recorded.recorded_at
    match event:
        case MessageDispatched():
            message.state = Standing.DISPATCHED
        case MessageSent():
            message.state = Standing.SENT
        case MessageFailed():
            message.state, message.code = Standing.FAILED, event.code
        case MessageUncertain():
            message.state = Standing.UNCERTAIN
        case MessageWithdrawn():
            message.state, message.code, message.detail = Standing.WITHDRAWN, event.why.code, event.why.detail
        case MessageResolved():
            message.state = Standing.SENT if event.was_sent else Standing.FAILED
            message.code = None if event.was_sent else NOT_SENT
    return message


def _queued(recorded: Recorded, event: MessageQueued | MessageWritten) -> Message:
    message = Message(
        message_id=event.message_id,
        account_id=recorded.aggregate_id,
        position=recorded.position or 0,
        state=Standing.QUEUED,
        channel=event.channel,
        point_id=event.point_id,
        queued_at=event.queued_at,
        queued_by=recorded.meta.actor,
        changed_at=recorded.recorded_at,
        amount_minor=event.amount.minor,
        currency=event.amount.currency,
    )
    if isinstance(event, MessageQueued):
        message.campaign_id, message.plan_version = event.campaign_id, event.plan_version
        message.step_id, message.step_title = event.step_id, event.step_title
    else:
        message.template_id, message.template_version = event.template_id, event.template_version
    return message
