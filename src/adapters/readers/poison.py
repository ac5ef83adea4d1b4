"""Poison: an event that a reader cannot handle parks its account's sequence; everybody else's goes on."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar, cast
from uuid import UUID

import psycopg
from psycopg import Connection
from psycopg.rows import class_row

from adapters.eventstore.feed import LogHole
from adapters.eventstore.keys import MasterKeyError
from adapters.postgres.errors import DAMAGED, LOST, DatabaseProblem
from adapters.postgres.lease import going_on
from adapters.stop import Stopped

MOST_AT_ONCE = 20
"""More sequences failing means that the reader is broken, not the events: it stops instead."""
AT_ONCE = 1_000
"""Events that count as "at once", in however many batches they come: readers take one at a time, or ten thousand."""

_LONGEST_TEXT = 500


class Item(Protocol):
    """An event, opened or not, as far as it has to be known to be put aside."""

    @property
    def position(self) -> int | None: ...

    @property
    def account_id(self) -> UUID | None: ...

    @property
    def aggregate_id(self) -> UUID: ...

    @property
    def event_id(self) -> UUID: ...

    @property
    def name(self) -> str: ...


AnyItem = TypeVar("AnyItem", bound=Item)
AnyItem_contra = TypeVar("AnyItem_contra", bound=Item, contravariant=True)


class Handler(Protocol[AnyItem_contra]):
    """What is done with a batch, and what forgets everything that was learned from a batch that failed."""

    def handle(self, batch: Sequence[AnyItem_contra], connection: Connection[Any]) -> None: ...

    def forget(self) -> None: ...


class OutOfReach(Exception):
    """What a reader works with, such as a broker, is not there just now. No event is to blame: it tries again."""


class HelperAway(OutOfReach):
    """What is not there is neither the database nor the topic, so other connections to those would not help."""


class ReaderBroken(Exception):
    """A reader fails on the events of many accounts. Nothing more is parked, and its checkpoint stays."""

    def __init__(self, reader: str, item: Item, error: Exception) -> None:
        where = f"fails on more than {MOST_AT_ONCE} accounts at once, the last time on {item.name}"
        self.without_text = f"{reader} {where} at position {item.position}, with {type(error).__name__}"
        """What is wrong but for what the error says, which may quote an event."""
        super().__init__(f"{self.without_text}: {said(error)}")


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An event that was put aside. `error_class` None: it only waits behind one that failed; `error_text` None: that,
    or what the error said was lost when the database crashed."""

    reader: str
    position: int
    sequence_id: UUID
    account_id: UUID | None
    event_id: UUID
    event_name: str
    error_class: str | None
    error_text: str | None
    attempts: int
    state: str
    """`parked`, `handled` (a retry worked) or `discarded`."""
    parked_at: datetime
    settled_at: datetime | None


def sequence_of(recorded: Item) -> UUID:
    """Whose events keep their order: the account's, or the aggregate's where there is no account."""
    return recorded.account_id or recorded.aggregate_id


_NOBODYS_FAULT = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    *DAMAGED,
    *LOST,
    DatabaseProblem,
    OutOfReach,
    LogHole,
    MasterKeyError,
    MemoryError,
    OSError,
    Stopped,
)


def is_poison(error: Exception) -> bool:
    """Whether the event is to blame. Lost connections, a full disk, files, a damaged page, deadlocks and the like are
    not its fault, nor is being told to end; and a log that lacks an event is an alarm."""
    return not isinstance(error, _NOBODYS_FAULT)


# --- while reading -------------------------------------------------------------------------------------


class Sieve(Generic[AnyItem]):
    """Handles a batch in halves and quarters until the events that fail stand alone, and parks their sequences.

    Used only after the whole batch failed in one go: a batch without poison costs nothing extra. `failed` is how many
    sequences were parked just before.
    """

    def __init__(
        self,
        reader: str,
        handler: Handler[AnyItem],
        connection: Connection[Any],
        parked: Collection[UUID],
        *,
        failed: int = 0,
    ) -> None:
        self._reader = reader
        self._handler = handler
        self._connection = connection
        self._was_parked = frozenset(parked)
        self._failed = failed
        self.parked = set(parked)

    def handle(self, batch: Sequence[AnyItem]) -> None:
        """Raises ReaderBroken where too many sequences fail."""
        going_on()
        healthy = self._without_parked(batch)
        if not healthy:
            return
        try:
            with self._connection.transaction():
                self._handler.handle(healthy, self._connection)
        except Exception as error:
            self._handler.forget()
            if not is_poison(error):
                raise
            if len(healthy) == 1:
                self._park(healthy[0], error)
                return
            middle = len(healthy) // 2
            self.handle(healthy[:middle])
            self.handle(healthy[middle:])

    def _without_parked(self, batch: Sequence[AnyItem]) -> list[AnyItem]:
        park_behind(self._connection, self._reader, [e for e in batch if sequence_of(e) in self.parked])
        return [e for e in batch if sequence_of(e) not in self.parked]

    def _park(self, recorded: AnyItem, error: Exception) -> None:
        self.parked.add(sequence_of(recorded))
        if self._failed + len(self.parked - self._was_parked) > MOST_AT_ONCE:
            raise ReaderBroken(self._reader, recorded, error) from error
        _put_aside(self._connection, self._reader, [recorded], error)


def parked_sequences(connection: Connection[Any], reader: str) -> set[UUID]:
    rows = connection.execute(
        "SELECT DISTINCT sequence_id FROM read_model.dead_letters WHERE reader = %s AND state = 'parked'",
        [reader],
        prepare=True,
    )
    return {row[0] for row in rows}


def park_behind(connection: Connection[Any], reader: str, events: Iterable[Item]) -> None:
    """Puts aside events whose sequence is parked already."""
    _put_aside(connection, reader, list(events), None)


def _put_aside(connection: Connection[Any], reader: str, events: Sequence[Item], error: Exception | None) -> None:
    if not events:
        return
    connection.execute(
        """
        INSERT INTO read_model.dead_letters (reader, position, sequence_id, account_id, event_id, event_name,
                                             error_class)
        SELECT %s, position, sequence_id, account_id, event_id, event_name, %s
        FROM unnest(%s::bigint[], %s::uuid[], %s::uuid[], %s::uuid[], %s::text[])
             AS e (position, sequence_id, account_id, event_id, event_name)
        ON CONFLICT (reader, position) DO NOTHING
        """,
        [
            reader,
            type(error).__name__ if error else None,
            [e.position for e in events],
            [sequence_of(e) for e in events],
            [e.account_id for e in events],
            [e.event_id for e in events],
            [e.name for e in events],
        ],
    )
    if error is not None:
        _keep_text(connection, reader, cast(int, events[0].position), error)


def _keep_text(connection: Connection[Any], reader: str, position: int, error: Exception) -> None:
    """What an error said may quote personal text: it is kept where that is."""
    connection.execute(
        "INSERT INTO personal.error_texts (reader, position, error_text) VALUES (%s, %s, %s) "
        "ON CONFLICT (reader, position) DO UPDATE SET error_text = excluded.error_text",
        [reader, position, said(error).replace("\x00", "")],
    )


def said(error: Exception) -> str:
    """An error's first line, without the row that the server would quote: rows hold personal data."""
    text = (error.diag.message_primary if isinstance(error, psycopg.Error) else None) or str(error)
    return next(iter(text.strip().splitlines()), type(error).__name__)[:_LONGEST_TEXT]


# --- for people ----------------------------------------------------------------------------------------


def dead_letters(
    connection: Connection[Any], *, reader: str | None = None, sequence_id: UUID | None = None, state: str = "parked"
) -> list[DeadLetter]:
    """What was put aside, in order; of one reader or account, or of all."""
    with connection.cursor(row_factory=class_row(DeadLetter)) as cursor:
        return cursor.execute(
            """
            SELECT reader, position, sequence_id, account_id, event_id, event_name, error_class, error_text, attempts,
                   state, parked_at, settled_at
            FROM read_model.dead_letters LEFT JOIN personal.error_texts USING (reader, position)
            WHERE state = %(state)s AND (%(reader)s::text IS NULL OR reader = %(reader)s)
              AND (%(sequence)s::uuid IS NULL OR sequence_id = %(sequence)s)
            ORDER BY reader, position
            """,
            {"state": state, "reader": reader, "sequence": sequence_id},
        ).fetchall()


def dead_letter(connection: Connection[Any], reader: str, position: int) -> DeadLetter | None:
    with connection.cursor(row_factory=class_row(DeadLetter)) as cursor:
        return cursor.execute(
            """
            SELECT reader, position, sequence_id, account_id, event_id, event_name, error_class, error_text, attempts,
                   state, parked_at, settled_at
            FROM read_model.dead_letters LEFT JOIN personal.error_texts USING (reader, position)
            WHERE reader = %s AND position = %s
            """,
            [reader, position],
        ).fetchone()


def close(connection: Connection[Any], reader: str, position: int, state: str) -> None:
    """Notes what became of a dead letter: `handled` or `discarded`."""
    connection.execute(
        "UPDATE read_model.dead_letters SET state = %s, settled_at = clock_timestamp() "
        "WHERE reader = %s AND position = %s",
        [state, reader, position],
    )


def failed_again(connection: Connection[Any], reader: str, position: int, error: Exception) -> None:
    connection.execute(
        "UPDATE read_model.dead_letters SET attempts = attempts + 1, error_class = %s "
        "WHERE reader = %s AND position = %s",
        [type(error).__name__, reader, position],
    )
    _keep_text(connection, reader, position, error)


def forget(connection: Connection[Any], *, reader: str | None = None, account_id: UUID | None = None) -> None:
    """Drops what errors said: of a reader that goes, or about the events of a person who is erased."""
    connection.execute(
        """
        DELETE FROM personal.error_texts AS said USING read_model.dead_letters AS letter
        WHERE said.reader = letter.reader AND said.position = letter.position
          AND (letter.reader = %s OR letter.account_id = %s)
        """,
        [reader, account_id],
    )
