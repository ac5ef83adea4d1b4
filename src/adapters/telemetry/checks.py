"""Whether a process can do its work: each check returns None, or a text that says what is wrong."""

import threading
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import timedelta
from typing import Any, Protocol

import psycopg
from psycopg import Connection
from psycopg import errors as pg

from adapters.clock import Clock
from adapters.clock_check import ClockCheck
from adapters.postgres.database import Database
from adapters.postgres.errors import in_plain_words, is_about_a_full_disk
from adapters.readers.poison import said
from adapters.telemetry.store_collector import CONNECT_SECONDS

Check = Callable[[], str | None]


class Built(Protocol):
    """A generation of a projection, as `Projections.status` gives it."""

    @property
    def name(self) -> str: ...

    @property
    def state(self) -> str: ...


def database_answers(database: Database) -> Check:
    """The database can be reached and has its tables; waits a few seconds at most for a connection."""

    def answers(connection: Connection[Any]) -> None:
        connection.execute("SELECT FROM read_model.checkpoints LIMIT 1")

    return _asking(database, answers)


_NOTHING_STORED = "nothing can be stored"

_PROBE = """
    CREATE TEMPORARY TABLE write_probe (filler text STORAGE PLAIN) ON COMMIT DROP;
    INSERT INTO write_probe SELECT repeat('.', 7000) FROM generate_series(1, 64)
"""


def database_takes_writes(database: Database) -> Check:
    """There is room for some hundred kilobytes more where the database keeps its tables."""

    def takes(connection: Connection[Any]) -> str | None:
        try:
            connection.execute(_PROBE)
        except (pg.DiskFull, pg.InsufficientPrivilege, pg.IoError, pg.ReadOnlySqlTransaction) as error:
            return f"{_NOTHING_STORED}: {said(error)}"
        finally:
            connection.rollback()
        return None

    return kept(_asking(database, takes), seconds=5.0)


def no_page_is_damaged(database: Database) -> Check:
    """No page was read, since the server was started, that is not as it was written. Needs data checksums, which a data
    folder has."""

    def damaged(connection: Connection[Any]) -> str | None:
        row = connection.execute(
            "SELECT checksum_failures, checksum_last_failure FROM pg_stat_database"
            " WHERE datname = current_database() AND checksum_last_failure > pg_postmaster_start_time()"
        ).fetchone()
        if row is None:
            return None
        return (
            f"a page of the database is damaged, and what is on it cannot be read ({row[0]} times, last at "
            f"{row[1]:%Y-%m-%d %H:%M}): docs/operations.md, section Damage"
        )

    return _asking(database, damaged)


def master_key_fits(fits: Callable[[], bool]) -> Check:
    """The master key is the one that the log was written with."""

    def check() -> str | None:
        try:
            is_ours = fits()
        except Exception as error:
            problem = in_plain_words(error)
            return f"cannot be checked: {problem.message if problem else said(error)}"
        return None if is_ours else "nobody's data can be read: this is not the key that the log was written with"

    return kept(check, seconds=5.0)


def clock_agrees(database: Database, clock: Clock, tolerance: timedelta) -> Check:
    """This machine's clock and the database's differ by no more than is tolerated."""
    return _asking(database, ClockCheck(clock, tolerance).problem)


def readers_go_on(database: Database, readers: Collection[str]) -> Check:
    """None of these readers stands still, in whatever process: `arrears projections status` says the same."""

    def stands_still(connection: Connection[Any]) -> str | None:
        found = connection.execute(
            """
            SELECT split_part(c.reader, '@', 1), c.trouble
            FROM read_model.checkpoints AS c LEFT JOIN read_model.projections AS p USING (reader)
            WHERE c.trouble IS NOT NULL AND split_part(c.reader, '@', 1) = ANY (%s)
              AND coalesce(p.state, 'live') = 'live'
            ORDER BY 1
            """,
            [list(readers)],
        ).fetchall()
        return "; ".join(f"{reader} stands still: {trouble}" for reader, trouble in found) or None

    return _asking(database, stands_still)


def kept(check: Check, *, seconds: float) -> Check:
    """A check that costs something is made at most so often, however often it is asked for."""
    turn = threading.Lock()
    made: tuple[float, str | None] | None = None

    def look() -> str | None:
        nonlocal made
        with turn:
            if made is None or time.monotonic() - made[0] >= seconds:
                made = time.monotonic(), check()
            return made[1]

    return look


def _asking(database: Database, ask: Callable[[Connection[Any]], str | None]) -> Check:
    """On a connection of its own; waits a few seconds at most for it."""

    def check() -> str | None:
        try:
            with psycopg.connect(database.conninfo("arrears_app"), connect_timeout=CONNECT_SECONDS) as connection:
                return ask(connection)
        except psycopg.Error as error:
            # On a disk that is full to the last page the server cannot even begin a connection.
            return f"{_NOTHING_STORED}: {said(error)}" if is_about_a_full_disk(str(error)) else said(error)

    return check


def projections_built(status: Callable[[], Sequence[Built]]) -> Check:
    """Every projection has a live generation."""

    def check() -> str | None:
        found = status()
        waits_for = not_built(found)
        if waits_for or not found:
            return f"not built yet: {', '.join(waits_for) or 'every projection'}"
        return None

    return check


def not_built(found: Iterable[Built]) -> list[str]:
    """Names of the projections that nobody can look at yet."""
    states: dict[str, set[str]] = {}
    for each in found:
        states.setdefault(each.name, set()).add(each.state)
    return sorted(name for name, seen in states.items() if "live" not in seen)
