"""The runner: gives a reader batches of events, and keeps its checkpoint in the transaction of what it wrote."""

import threading
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

import psycopg
import structlog
from psycopg import Connection

from adapters.postgres.database import Database
from adapters.postgres.errors import DatabaseProblem, explained
from adapters.postgres.kept_connection import in_utc
from adapters.postgres.lease import HOLD, Lease
from adapters.postgres.transactions import end_when_frozen
from adapters.readers import poison
from adapters.readers.backoff import Backoff
from adapters.readers.handling import Handling, ReaderRetired
from adapters.readers.poison import DeadLetter, ReaderBroken, is_poison
from adapters.stop import Stop, Stopped, check, pause
from adapters.telemetry import tracing
from adapters.telemetry.metrics import count_events
from aggregates.kernel.event import Recorded

LIVE_BATCH = 1_000
REBUILD_BATCH = 10_000

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

_STANDBY_SECONDS = 0.25
_LOOK_SECONDS = 0.02
_POLL_SECONDS = 1.0


class Reader(Protocol):
    """Somebody who is given the log. `name` is what its checkpoint is kept under."""

    @property
    def name(self) -> str: ...

    @property
    def interest(self) -> frozenset[str] | None:
        """Names of the events that mean something to it; None: all."""
        ...

    def handle(self, batch: Sequence[Recorded], connection: Connection[Any]) -> None:
        """Works on a batch in order of position, inside the transaction that moves the checkpoint.

        What is written through `connection` is stored once; other effects may happen again after a crash.
        """
        ...

    def forget(self) -> None:
        """Drops what it remembers of events: that may not be what is stored."""
        ...


class Source(Protocol):
    """Where events come from: the store's feed."""

    def read(self, after: int, limit: int = ..., names: Collection[str] | None = ...) -> list[Recorded]: ...

    def wait(self, after: int, timeout: float = ...) -> bool: ...

    def head(self) -> int: ...


class CheckpointMoved(DatabaseProblem):
    """Somebody else moved the checkpoint under an active reader; it starts again from what is stored."""


class NotReached(Exception):
    """The reader did not get to a position in time."""


@dataclass(frozen=True, slots=True)
class Retried:
    """What a retry did: events handled, and events of the sequence that stay parked."""

    handled: int
    left: int


@dataclass(frozen=True, slots=True)
class Lag:
    """How far behind a reader is. `seconds` is how long its next event has been waiting; 0.0 at the head."""

    position: int
    head: int
    seconds: float

    @property
    def events(self) -> int:
        return max(0, self.head - self.position)


class Runner:
    """Runs one reader. Any number of runners may exist for it; the one that has the lease is active.

    The lease belongs to the connection that writes, so whoever lost it cannot write any more. `search_path` is set on
    that connection; `on_progress` is told each checkpoint once it is committed. A reader gets the events of its
    `interest` alone, at most `at_once` of them in a transaction.
    """

    def __init__(
        self,
        database: Database,
        source: Source,
        reader: Reader,
        *,
        batch: int = LIVE_BATCH,
        at_once: int | None = None,
        search_path: str | None = None,
        on_progress: Callable[[int], None] | None = None,
        stop: Stop | None = None,
    ) -> None:
        """`stop` ends `catch_up`; `run` is given one of its own."""
        self._database = database
        self._source = source
        self._stop = stop or Stop()
        self._at_once = at_once
        self._reader = reader
        self._batch = batch
        self._search_path = search_path
        self._on_progress = on_progress
        self._connection: Connection[Any] | None = None
        self._lease = Lease(database, reader.name, lock=lock_name(reader.name))
        self._position: int | None = None
        self._fills_again = False
        self._handling: Handling[Recorded] = Handling(reader.name, self)
        self._turn = threading.RLock()

    @property
    def name(self) -> str:
        return self._reader.name

    @property
    def is_active(self) -> bool:
        return self._connection is not None and self._position is not None

    def stands_at(self) -> int:
        """The stored checkpoint, whoever is active; 0 for a reader that nobody has heard of."""
        with self._database.connect("arrears_app", autocommit=True) as connection:
            row = connection.execute(_GET_POSITION, [self.name]).fetchone()
        return int(row[0]) if row is not None else 0

    # --- reading ---

    @explained()
    def catch_up(
        self,
        to: int | None = None,
        *,
        timeout: float = 600.0,
        batch: int | None = None,
    ) -> int:
        """Reads up to a position (None: the log's end as it is now) and returns the checkpoint.

        Where another runner is active, waits for that one. Raises NotReached after `timeout` seconds without
        reaching it, ReaderRetired, ReaderBroken, and Stopped between batches.
        """
        target = self._source.head() if to is None else to
        deadline = time.monotonic() + timeout
        while True:
            with self._turn:
                position = self._take_turns(target, batch or self._batch)
            if position >= target:
                return position
            if time.monotonic() > deadline:
                raise NotReached(f"{self.name} is at position {position}, not at {target} yet")
            pause(self._stop, _LOOK_SECONDS)

    def _take_turns(self, target: int, batch: int) -> int:
        if not self._has_lock():
            connection = connect(self._database, self._search_path)
            if not self._take(connection):
                with connection:
                    return _position(connection, self.name)
        while (position := self._at()) < target and self._one_batch(min(batch, target - position)):
            check(self._stop)
        return self._at()

    def run(self, stop: threading.Event) -> None:
        """Reads until `stop` is set. Whatever goes wrong is logged, shown in the status, and tried again.

        Raises ReaderRetired when another generation took over.
        """
        backoff = Backoff()
        may_show_trouble = True  # that an earlier process left there
        noted = False
        try:
            while not stop.is_set():
                try:
                    moved = self._one_turn()
                    if noted or (may_show_trouble and moved is not None):  # another that is active now goes on
                        self._note(None)
                        may_show_trouble = noted = False
                        backoff.worked()
                    if moved == 0 and not stop.is_set():
                        self._source.wait(self._at(), _POLL_SECONDS)
                except ReaderRetired:
                    raise
                except Stopped:
                    return
                except Exception as error:  # the other readers and the doors go on
                    if stop.is_set():
                        return  # it was interrupted; what is wrong beside that, the next process meets again
                    self._note(error)
                    may_show_trouble = noted = True
                    stop.wait(backoff.failed())
                    continue
                if moved is None:
                    stop.wait(_STANDBY_SECONDS)
        finally:
            self.release()

    def _note(self, error: Exception | None) -> None:
        """Keeps what is wrong where `status` finds it, if the database is there to keep it."""
        if error is not None:
            self.release()
        note_trouble(self._database, self.name, error)

    def _one_turn(self) -> int | None:
        """Events passed, or None where another runner is active."""
        with self._turn:
            if not self._take_lock():
                return None
            return self._one_batch(REBUILD_BATCH if self._fills_again else self._batch)

    def _one_batch(self, limit: int) -> int:
        """Reads and handles one batch, and returns how many events the checkpoint moved."""
        connection = self._active()
        self._lease.renew(connection)
        interest = self._reader.interest
        # Nobody shares what is read from the beginning, so only what is wanted is opened.
        batch = self._source.read(self._at(), limit, interest if self._fills_again else None)
        self._fills_again = self._fills_again and len(batch) == limit
        if not batch:
            return 0
        wanted = batch if interest is None else [each for each in batch if each.name in interest]
        if self._at_once is not None and len(wanted) > self._at_once:
            first_left_out = wanted[self._at_once].position
            wanted = wanted[: self._at_once]
            batch = batch[: (first_left_out or 0) - (batch[0].position or 0)]
        if wanted or not self._pass_by(connection, batch):
            with self._lease.working():
                self._handling.work(
                    wanted,
                    connection,
                    begin=lambda: self._begin(connection),
                    save=lambda: self._save(connection, batch),
                )
        self._position = batch[-1].position
        count_events(self.name, len(batch))
        if self._on_progress is not None:
            self._on_progress(self._at())
        return len(batch)

    def _pass_by(self, connection: Connection[Any], batch: Sequence[Recorded]) -> bool:
        """Moves the checkpoint over what nobody wants, in one statement; most readers want little. False where it
        cannot be moved from here: the usual way says why."""
        asked = {**self._lease.about(), "reader": self.name, "at": self._at(), "last": batch[-1].position}
        return connection.execute(_PASS_BY, asked, prepare=True).rowcount == 1

    def _begin(self, connection: Connection[Any]) -> None:
        """The row's lock keeps retries and the switch of generations out until this batch is committed, that of the
        lease the next holder."""
        self._lease.hold(connection)
        stored = _position(connection, self.name, lock=True)
        if stored != self._position:
            self.forget()
            raise CheckpointMoved(f"{self.name} was at {self._position} and is at {stored}")

    def _save(self, connection: Connection[Any], batch: Sequence[Recorded]) -> None:
        last = batch[-1].position
        connection.execute(_SAVE, {"reader": self.name, "last": last}, prepare=True)

    def handle(self, batch: Sequence[Recorded], connection: Connection[Any]) -> None:
        with tracing.batch(self.name, batch):
            self._reader.handle(batch, connection)

    def forget(self) -> None:
        self._reader.forget()

    # --- one at a time ---

    def _active(self) -> Connection[Any]:
        if self._connection is None:
            raise CheckpointMoved(f"{self.name} is not active here any more")
        return self._connection

    def _at(self) -> int:
        return self._position or 0

    def _take_lock(self) -> bool:
        """Asks without waiting. Whoever gets it starts from the stored checkpoint."""
        if self._has_lock():
            return True
        connection = connect(self._database, self._search_path)
        if self._take(connection):
            return True
        connection.close()
        return False

    def _has_lock(self) -> bool:
        connection = self._connection
        if connection is not None and not connection.closed and self._lease.is_kept(connection):
            return True
        self.release()
        return False

    def _take(self, connection: Connection[Any]) -> bool:
        """The connection is the caller's still where another runner is active."""
        try:
            if not self._lease.take(connection):
                return False
            self._fills_again = begin(self._reader, connection)
            self._position = register(connection, self.name)
        except BaseException:
            self._lease.let_go()
            connection.close()
            raise
        self.forget()
        self._connection = connection
        return True

    def release(self) -> None:
        """Lets another runner take over. The next call of this one takes the lock again, if it can."""
        with self._turn:
            connection, self._connection, self._position = self._connection, None, None
            self._lease.let_go()
            if connection is not None:
                with suppress(psycopg.Error):
                    connection.close()

    # --- dead letters ---

    @explained()
    def retry(self, sequence_id: UUID) -> Retried:
        """Handles the parked events of a sequence again, in order, up to the first that fails again.

        When all worked, the sequence goes on as before. Works beside an active runner.
        """
        handled = 0
        with connect(self._database, self._search_path) as connection, connection.transaction():
            _position(connection, self.name, lock=True)
            letters = poison.dead_letters(connection, reader=self.name, sequence_id=sequence_id)
            for letter in letters:
                error = self._handle_again(letter, connection)
                if error is not None:
                    poison.failed_again(connection, self.name, letter.position, error)
                    break
                poison.close(connection, self.name, letter.position, "handled")
                handled += 1
        self.forget()
        return Retried(handled, len(letters) - handled)

    def _handle_again(self, letter: DeadLetter, connection: Connection[Any]) -> Exception | None:
        events = self._source.read(letter.position - 1, 1)
        self.forget()
        try:
            with connection.transaction():
                self._reader.handle(events, connection)
        except Exception as error:
            if not is_poison(error):
                raise
            return error
        return None

    @explained()
    def discard(self, position: int, *, on_discard: Callable[[DeadLetter], None]) -> Retried:
        """Gives up a parked event for this reader, and handles those that waited behind it.

        A discard is a decision that has to be in the log: `on_discard` sends the command whose event says so. It is
        called before anything is written here, and again if this fails later, so its command id must follow from the
        letter (reader and position). Raises LookupError unless the event is its sequence's first parked one.
        """
        with connect(self._database, self._search_path) as connection, connection.transaction():
            _position(connection, self.name, lock=True)
            letter = poison.dead_letter(connection, self.name, position)
            if letter is None or letter.state != "parked":
                raise LookupError(f"{self.name} has no parked event at position {position}")
            first = poison.dead_letters(connection, reader=self.name, sequence_id=letter.sequence_id)[0]
            if first.position != position:
                raise LookupError(f"the event at position {position} waits behind the one at {first.position}")
            on_discard(letter)
            poison.close(connection, self.name, position, "discarded")
        return self.retry(letter.sequence_id)


def connect(database: Database, search_path: str | None = None) -> Connection[Any]:
    """A connection for a reader to write on."""
    connection = database.connect("arrears_app", autocommit=True)
    in_utc(connection)
    end_when_frozen(connection)
    # A crash may take the last transactions back, checkpoint and rows together: they are read again.
    connection.execute("SET synchronous_commit TO off")
    # A plan made while a table was empty must not read all of it once it is large.
    connection.execute("SET enable_seqscan TO off")
    if search_path is not None:
        connection.execute("SELECT set_config('search_path', %s, false)", [search_path])
    return connection


_said: dict[tuple[str, str], str] = {}
"""What the log of this process said last of each reader of a database that stands still."""


def note_trouble(database: Database, reader: str, *errors: Exception | None) -> None:
    """Says why a reader stands still, each reason, and that it does not any more, where `status` finds it, if the
    database is there to keep it. What an error says that an event may be to blame for is in the process's log alone:
    it may quote it.

    The log says it when it begins, when it is something else, and when it is over, however often it is tried again.
    """
    reasons = [each for each in errors if each is not None]
    said = "; ".join(f"{type(each).__name__}: {poison.said(each)}" for each in reasons)
    before = _said.pop((database.dsn, reader), "")
    if said:
        _said[database.dsn, reader] = said
        if said != before:
            kinds = ", ".join(type(each).__name__ for each in reasons)
            texts = "; ".join(poison.said(each) for each in reasons)
            _log.error("reader stands still", reader=reader, error=kinds, said=texts)
    elif before:
        _log.warning("reader goes on", reader=reader)
    trouble = "; ".join(f"{type(each).__name__}{_without_events(each)}" for each in reasons) or None
    with suppress(psycopg.Error, DatabaseProblem), database.connect("arrears_app") as connection:
        connection.execute("UPDATE read_model.checkpoints SET trouble = %s WHERE reader = %s", [trouble, reader])


def _without_events(error: Exception) -> str:
    if isinstance(error, ReaderBroken):
        return f": {error.without_text}"
    return "" if is_poison(error) else f": {poison.said(error)}"


def lock_name(reader: str) -> str:
    """The advisory lock of a reader: held alone by a runner, shared by those who divide its partitions."""
    return f"arrears.reader:{reader}"


def begin(reader: Reader, connection: Connection[Any]) -> bool:
    """Lets the reader look at what it wrote before, on a new connection and before its checkpoint is read. Returns
    whether it was set back to the log's beginning, because that is lost."""
    look: Callable[[Connection[Any]], bool] | None = getattr(reader, "begin", None)
    return look is not None and look(connection)


# --- checkpoints ---------------------------------------------------------------------------------------


def register(connection: Connection[Any], reader: str, *, at: int = 0) -> int:
    """The reader's checkpoint; one that nobody has heard of starts at `at`.

    A projection's generation is registered when it is made, so a dropped one is not made again by mistake.
    """
    if "@" not in reader:
        connection.execute(
            "INSERT INTO read_model.checkpoints (reader, position) VALUES (%s, %s) ON CONFLICT DO NOTHING", [reader, at]
        )
    return _position(connection, reader)


_SAVE = """
UPDATE read_model.checkpoints
SET position = %(last)s, updated_at = clock_timestamp(),
    seal_hash = (SELECT hash FROM arrears.seals WHERE last <= %(last)s ORDER BY last DESC LIMIT 1)
WHERE reader = %(reader)s
"""
_PASS_BY = f"""
WITH held AS MATERIALIZED ({HOLD})
{_SAVE} AND position = %(at)s AND EXISTS (SELECT FROM held)
"""

_GET_POSITION = "SELECT position FROM read_model.checkpoints WHERE reader = %s"
_LOCK_POSITION = "SELECT position FROM read_model.checkpoints WHERE reader = %s FOR UPDATE"


def _position(connection: Connection[Any], reader: str, *, lock: bool = False) -> int:
    row = connection.execute(_LOCK_POSITION if lock else _GET_POSITION, [reader], prepare=True).fetchone()
    if row is None:
        raise ReaderRetired(f"{reader} has no checkpoint any more")
    return int(row[0])


def lag_of(connection: Connection[Any], reader: str) -> Lag:
    """How far a reader is behind the log. Raises ReaderRetired for one without a checkpoint."""
    row = connection.execute(
        """
        SELECT c.position,
               coalesce((SELECT last FROM arrears.seals ORDER BY last DESC LIMIT 1), 0),
               coalesce((SELECT extract(epoch FROM clock_timestamp() - sealed_at)
                         FROM arrears.seals WHERE last > c.position ORDER BY last LIMIT 1), 0)
        FROM read_model.checkpoints c WHERE c.reader = %s
        """,
        [reader],
    ).fetchone()
    if row is None:
        raise ReaderRetired(f"{reader} has no checkpoint")
    return Lag(position=row[0], head=row[1], seconds=max(0.0, float(row[2])))
