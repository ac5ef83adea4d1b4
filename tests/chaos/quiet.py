"""Waiting until everything is quiet: nothing is left to be sealed, read, worked or sent."""

import time
from datetime import UTC, datetime

import psycopg
from psycopg import Connection

from adapters.postgres.database import Database
from adapters.postgres.errors import DatabaseProblem
from aggregates.values.business_time import local_date
from projections.agenda.queries import count_due, latest_zones

_CALM_SECONDS = 5.0
"""Longer than two ticks are apart."""
_LOOK_SECONDS = 0.25


def wait_until_quiet(database: Database, readers: set[str], *, seconds: float) -> tuple[int, list[str]]:
    """Where the log ends once it has not moved for a while and nothing is left to do, or with what is left after all.

    `readers` are those that have to be there besides projections.
    """
    deadline = time.monotonic() + seconds
    calm_since, calm_at = time.monotonic(), -1
    while True:
        head, left = _look(database, readers)
        if left or head != calm_at:
            calm_since, calm_at = time.monotonic(), head
        if time.monotonic() - calm_since > _CALM_SECONDS:
            return head, []
        if time.monotonic() > deadline:
            return head, left or [f"events still come, {head:,} by now"]
        time.sleep(_LOOK_SECONDS)


def _look(database: Database, readers: set[str]) -> tuple[int, list[str]]:
    try:
        with database.connect("arrears_app", autocommit=True) as connection:
            return _left(connection, readers)
    except (psycopg.Error, DatabaseProblem) as error:
        return -1, [f"{type(error).__name__}: {error}"]


def _left(connection: Connection, readers: set[str]) -> tuple[int, list[str]]:
    left = []
    ((unsealed, head),) = connection.execute(
        "SELECT (SELECT count(*) FROM arrears.events WHERE position IS NULL),"
        " coalesce((SELECT max(last) FROM arrears.seals), 0)"
    ).fetchall()
    if unsealed:
        left.append(f"{unsealed} events not sealed")
    checkpoints: dict[str, int] = dict(
        connection.execute(
            "SELECT c.reader, c.position FROM read_model.checkpoints AS c"
            " LEFT JOIN read_model.projections AS g USING (reader) WHERE g.state IS DISTINCT FROM 'building'"
        ).fetchall()
    )
    left += [f"{reader} never began" for reader in sorted(readers - checkpoints.keys())]
    left += [f"{reader} is at {at}" for reader, at in sorted(checkpoints.items()) if at < head]
    ((works,),) = connection.execute("SELECT count(*) FROM arrears.work WHERE is_open").fetchall()
    if works:
        left.append(f"{works} pieces of work open")
    ((queued,),) = connection.execute("SELECT count(*) FROM arrears.deliveries").fetchall()
    if queued:
        left.append(f"{queued} messages to be delivered")
    now = datetime.now(UTC)
    latest = max((local_date(now, zone) for zone in latest_zones(connection)), default=now.date())
    due = count_due(connection, now=now, latest_local_date=latest)
    left += [f"{count} due: {kind}" for kind, count in due.items()]
    return head, left
