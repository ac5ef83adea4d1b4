"""Proving that nothing in the log was changed, removed, added or reordered, and that what is found by it still is."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import psycopg

from adapters.eventstore.holders import differences
from adapters.eventstore.seals import NO_SEAL, Checkpoint, head_seal, seal_before
from adapters.eventstore.stored import leaf_hash
from adapters.postgres.errors import explained

_AT_ONCE = 2_000


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it was stored. `position` is where the log's order knows it, else None."""

    position: int | None
    what: str
    expected: str
    found: str

    def __str__(self) -> str:
        where = f"position {self.position}" if self.position is not None else "not sealed"
        return f"{where}: {self.what}: expected {self.expected}, found {self.found}"


class LogBehind(Exception):
    """The log ends before what somebody has already read from it, or is another one: an older copy was restored."""


@explained()
def verify(
    connection: psycopg.Connection[Any],
    *,
    checkpoints: Iterable[Checkpoint] = (),
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> Iterator[Finding]:
    """Reads the whole log once, in bounded memory, and gives each finding as it comes.

    `checkpoints` are what readers, publishers and anchors remember of the log; without any of them a cleanly cut tail
    cannot be told from a log that never was longer. `progress` gets the position reached and the last one.
    """
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        connection.execute("SET LOCAL timezone TO 'UTC'")
        last = max(_number(connection, "SELECT max(position) FROM arrears.events"), head_seal(connection).position)
        yield from _chain(connection, lambda done: progress(done, last))
        yield from _unsealed(connection)
        yield from _versions(connection)
        for what, expected, found in differences(connection):
            yield Finding(None, what, expected, found)
        for checkpoint in checkpoints:
            yield from _checkpoint(connection, checkpoint)


@explained()
def check_not_behind(connection: psycopg.Connection[Any], checkpoints: Iterable[Checkpoint]) -> None:
    """Start-up's question. Raises LogBehind where a checkpoint lies beyond the log's end or saw another log."""
    findings = [finding for checkpoint in checkpoints for finding in _checkpoint(connection, checkpoint)]
    if findings:
        raise LogBehind("\n".join(map(str, findings)))


# --- inside ---


def _chain(connection: psycopg.Connection[Any], progress: Callable[[int], None]) -> Iterator[Finding]:
    """Positions, leaves and seals side by side, in order of position."""
    seals = _Seals(connection)
    expected = 1
    for row in _stream(connection, "log_events", _SEALED_EVENTS):
        position, leaf = row[0], bytes(row[-1])
        if position != expected:
            yield Finding(expected, "events are missing", f"position {expected}", f"position {position}")
        computed = leaf_hash(*row[1:-1])
        if computed != leaf:
            yield Finding(position, "the event was changed", leaf.hex(), computed.hex())
        yield from seals.add(position, leaf)
        expected = position + 1
        if position % _AT_ONCE == 0:
            progress(position)
    yield from seals.end()
    progress(expected - 1)


class _Seals:
    """Follows the chain of seals while the events pass by."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._rows = _stream(
            connection, "log_seals", "SELECT first, last, previous_hash, hash FROM arrears.seals ORDER BY last"
        )
        self._previous_last = 0
        self._previous_hash = NO_SEAL
        self._seal: tuple[int, int, bytes, bytes] | None = None
        self._sum = hashlib.sha256()
        self._ran_out = False

    def add(self, position: int, leaf: bytes) -> Iterator[Finding]:
        while not self._ran_out and (self._seal is None or position > self._seal[1]):
            yield from self._finish()
            yield from self._next()
        if self._seal is None:
            if position == self._previous_last + 1:  # said once, not for each event of the tail
                yield Finding(position, "the event has a position but no seal", "a seal", "none")
            return
        self._sum.update(leaf)

    def end(self) -> Iterator[Finding]:
        yield from self._finish()
        while not self._ran_out:
            yield from self._next()
            yield from self._finish()

    def _next(self) -> Iterator[Finding]:
        row = next(self._rows, None)
        if row is None:
            self._ran_out, self._seal = True, None
            return
        first, last, previous_hash, digest = row[0], row[1], bytes(row[2]), bytes(row[3])
        if first != self._previous_last + 1:
            yield Finding(first, "seals are missing", f"a seal from {self._previous_last + 1}", f"one from {first}")
        if previous_hash != self._previous_hash:
            yield Finding(first, "the seal's chain is broken", self._previous_hash.hex(), previous_hash.hex())
        self._seal = (first, last, previous_hash, digest)
        self._sum = hashlib.sha256(previous_hash)

    def _finish(self) -> Iterator[Finding]:
        if self._seal is None:
            return
        first, last, _, digest = self._seal
        computed = self._sum.digest()
        if computed != digest:
            what = f"the events {first}..{last} are not the ones that were sealed"
            yield Finding(last, what, digest.hex(), computed.hex())
        self._previous_last, self._previous_hash, self._seal = last, digest, None


def _unsealed(connection: psycopg.Connection[Any]) -> Iterator[Finding]:
    """Events that wait for the sealer have to be whole too."""
    for row in _stream(connection, "log_unsealed", _UNSEALED_EVENTS):
        leaf, computed = bytes(row[-1]), leaf_hash(*row[1:-1])
        if computed != leaf:
            yield Finding(None, f"event {row[3]} was changed", leaf.hex(), computed.hex())


def _versions(connection: psycopg.Connection[Any]) -> Iterator[Finding]:
    """Each aggregate's versions count from 1 without a gap, in the order of the log."""
    for position, aggregate_id, version, nth in _stream(connection, "log_versions", _VERSIONS):
        what = f"a version of aggregate {aggregate_id} is missing or out of order"
        yield Finding(position, what, f"version {nth}", f"version {version}")


def _checkpoint(connection: psycopg.Connection[Any], checkpoint: Checkpoint) -> Iterator[Finding]:
    end = head_seal(connection).position
    if checkpoint.position > end:
        what = f"the log is shorter than what {checkpoint.reader} has seen"
        yield Finding(checkpoint.position, what, f"at least {checkpoint.position} events", f"{end}")
    elif checkpoint.seal_hash is not None:
        found = seal_before(connection, checkpoint.position).hash
        if found != checkpoint.seal_hash:
            what = f"the log is not the one that {checkpoint.reader} has seen"
            yield Finding(checkpoint.position, what, checkpoint.seal_hash.hex(), found.hex())


def _stream(connection: psycopg.Connection[Any], name: str, statement: str) -> Iterator[tuple[Any, ...]]:
    with connection.cursor(name, binary=True) as cursor:
        cursor.itersize = _AT_ONCE
        cursor.execute(statement)
        yield from cursor


def _number(connection: psycopg.Connection[Any], statement: str) -> int:
    row = connection.execute(statement).fetchone()
    return int(row[0] or 0) if row else 0


_UNSEALED_EVENTS = """
SELECT position, aggregate_id, version, event_id, account_id, name, event_version, effective_on, recorded_at,
       state, meta, leaf
FROM arrears.events WHERE position IS NULL
"""

_SEALED_EVENTS = _UNSEALED_EVENTS.replace("IS NULL", "IS NOT NULL ORDER BY position")

_VERSIONS = """
SELECT position, aggregate_id, version, nth
FROM (SELECT position, aggregate_id, version,
             row_number() OVER (PARTITION BY aggregate_id ORDER BY position NULLS LAST, seq) AS nth
      FROM arrears.events) counted
WHERE version <> nth
"""
