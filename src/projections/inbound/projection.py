"""From what came in to what there is to read, what became of our messages, and what no account has."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from psycopg import Connection

from aggregates.account.inbound import MessageRead, MessageReceived, ReceiptRecorded
from aggregates.kernel.event import Recorded
from aggregates.unmatched import UnmatchedAssigned, UnmatchedDiscarded, UnmatchedReceived, UnmatchedState
from projections.batch import EventProjection, Row, Table, on

TO_READ, READ, NOTED = "to-read", "read", "noted"
"""States of a received message."""

_RECEIVED = Table(
    "received_messages",
    key="inbound_id",
    columns=[
        "inbound_id uuid", "position bigint", "account_id uuid", "channel text", "point_id text",
        "received_at timestamptz", "in_reply_to uuid", "request text", "is_automatic boolean", "source text",
        "shared_with uuid[]", "state text",
    ],
)  # fmt: skip
_RECEIPTS = Table(
    "message_receipts",
    key="position",
    columns=[
        "position bigint", "message_id uuid", "account_id uuid", "receipt text", "code text", "at timestamptz",
    ],
)  # fmt: skip
_UNMATCHED = Table(
    "unmatched_messages",
    key="inbound_id",
    columns=[
        "inbound_id uuid", "position bigint", "channel text", "source text", "received_at timestamptz", "state text",
    ],
)  # fmt: skip
_SET_READ = "UPDATE received_messages SET state = %s, read_by = %s, read_at = %s WHERE inbound_id = %s"
_SETTLE = "UPDATE unmatched_messages SET state = %s, account_id = %s WHERE inbound_id = %s"


@dataclass(slots=True)
class InboundRows:
    """What a batch adds, and what it changes."""

    received: list[Row] = field(default_factory=list)
    receipts: list[Row] = field(default_factory=list)
    unmatched: list[Row] = field(default_factory=list)
    read: list[Row] = field(default_factory=list)
    settled: list[Row] = field(default_factory=list)

    def write(self, connection: Connection[Any]) -> None:
        """Each change is the last that can be, so a repeat changes nothing."""
        _RECEIVED.add(connection, self.received)
        _RECEIPTS.add(connection, self.receipts)
        _UNMATCHED.add(connection, self.unmatched)
        with connection.cursor() as cursor:
            if self.read:
                cursor.executemany(_SET_READ, self.read)
            if self.settled:
                cursor.executemany(_SETTLE, self.settled)


class InboundProjection(EventProjection):
    """What came in. What was said is in the log alone."""

    folder: ClassVar[Path] = Path(__file__).parent
    name: ClassVar[str] = "inbound"
    version: ClassVar[int] = 1
    public: ClassVar[tuple[str, ...]] = ("received_messages", "message_receipts", "unmatched_messages")

    def handle(self, batch: Sequence[Recorded], connection: Connection[Any]) -> None:
        rows = InboundRows()
        self.tell(batch, rows)
        rows.write(connection)

    @on(MessageReceived)
    def _received(self, recorded: Recorded, event: MessageReceived, rows: InboundRows) -> None:
        rows.received.append(
            (
                event.inbound_id, recorded.position, recorded.aggregate_id, event.channel.value, event.point_id,
                event.received_at, event.in_reply_to, event.request, event.is_automatic, event.source,
                list(event.shared_with), TO_READ if event.is_to_read else NOTED,
            )
        )  # fmt: skip

    @on(MessageRead)
    def _read(self, recorded: Recorded, event: MessageRead, rows: InboundRows) -> None:
        rows.read.append((READ, recorded.meta.actor, recorded.recorded_at, event.inbound_id))

    @on(ReceiptRecorded)
    def _receipt(self, recorded: Recorded, event: ReceiptRecorded, rows: InboundRows) -> None:
        rows.receipts.append(
            (recorded.position, event.message_id, recorded.aggregate_id, event.receipt.value, event.code, event.at)
        )

    @on(UnmatchedReceived)
    def _unmatched(self, recorded: Recorded, event: UnmatchedReceived, rows: InboundRows) -> None:
        state = UnmatchedState.UNMATCHED.value
        rows.unmatched.append(
            (recorded.aggregate_id, recorded.position, event.channel.value, event.source, event.received_at, state)
        )

    @on(UnmatchedAssigned)
    def _assigned(self, recorded: Recorded, event: UnmatchedAssigned, rows: InboundRows) -> None:
        rows.settled.append((UnmatchedState.ASSIGNED.value, event.account_id, recorded.aggregate_id))

    @on(UnmatchedDiscarded)
    def _discarded(self, recorded: Recorded, event: UnmatchedDiscarded, rows: InboundRows) -> None:
        del event
        rows.settled.append((UnmatchedState.DISCARDED.value, None, recorded.aggregate_id))
