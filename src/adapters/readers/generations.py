"""Generations of a projection: each in a schema of its own, rebuilt beside the live one, shown through views."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

import psycopg
import structlog
from psycopg import Connection, sql
from psycopg.rows import class_row

from adapters.postgres import lease
from adapters.postgres.database import Database
from adapters.readers import dashboard, partitions, poison
from aggregates.kernel.event import Recorded
from projections.base import Projection
from projections.personal import FILLING, PersonalProjection

State = Literal["building", "live", "retired"]

PERSONAL = "personal"
"""Generations with personal data are in schemas `personal_<name>_<generation>`, the views on them in `personal`."""


_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

_SWITCH_PATIENCE = "2s"
_BUILD_LOCK = "arrears.projection:"

IS_BEING_BUILT = f"""
    EXISTS (
        SELECT FROM pg_locks AS l
        WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
          AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
          AND (l.classid::bigint << 32 | l.objid::bigint) = hashtextextended('{_BUILD_LOCK}' || {{name}}, 0)
    )
"""  # noqa: S608 - constants
"""Whether a process builds the projection of that name now, in SQL. (To try for its lock would keep others from it.)"""


@dataclass(frozen=True, slots=True)
class Generation:
    """One set of tables of a projection, and the reader that keeps them."""

    name: str
    generation: int
    version: int
    reader: str
    schema: str
    public: list[str]
    state: State

    @property
    def search_path(self) -> str:
        return f"{self.schema}, pg_temp"

    @property
    def is_personal(self) -> bool:
        return self.schema.startswith(f"{PERSONAL}_")

    @property
    def shown_in(self) -> str:
        """The schema of the views on its tables."""
        return PERSONAL if self.is_personal else "read_model"


class GenerationReader:
    """A projection as the reader of one generation."""

    def __init__(self, projection: Projection, generation: Generation) -> None:
        self._projection = projection
        self._generation = generation
        self.name = generation.reader

    def begin(self, connection: Connection[Any]) -> bool:
        """Before the checkpoint is read on a new connection: whether the reader was set back to the log's beginning,
        because PostgreSQL emptied its tables."""
        return self._generation.is_personal and begin_anew_if_emptied(connection, self._generation)

    @property
    def interest(self) -> frozenset[str] | None:
        """The events that mean something to the projection; None: all."""
        return self._projection.interest

    def handle(self, batch: Sequence[Recorded], connection: Connection[Any]) -> None:
        self._projection.handle(batch, connection)

    def forget(self) -> None:
        self._projection.forget()


_SELECT = "SELECT name, generation, version, reader, schema, public, state FROM read_model.projections"


def generations(connection: Connection[Any], name: str | None = None) -> list[Generation]:
    with connection.cursor(row_factory=class_row(Generation)) as cursor:
        return cursor.execute(
            f"{_SELECT} WHERE %(name)s::text IS NULL OR name = %(name)s ORDER BY name, generation", {"name": name}
        ).fetchall()


def generation_in(connection: Connection[Any], name: str, state: State) -> Generation | None:
    """The live one, or the one that is being built."""
    return next((g for g in generations(connection, name) if g.state == state), None)


@contextmanager
def building(database: Database, name: str) -> Iterator[Connection[Any] | None]:
    """A connection that alone may build generations of this projection, or None where another process does."""
    with database.connect("arrears_app", autocommit=True) as connection:
        row = connection.execute(
            "SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", [f"{_BUILD_LOCK}{name}"]
        ).fetchone()
        held = row is not None and row[0]
        try:
            yield connection if held else None
        finally:
            # A closed connection gives its locks up only when the server notices: the next one could come too early.
            with suppress(psycopg.Error):
                connection.execute("SELECT pg_advisory_unlock_all()")


def is_being_built(connection: Connection[Any], name: str) -> bool:
    """Whether a process builds a generation of this projection now."""
    row = connection.execute(f"SELECT {IS_BEING_BUILT.format(name='%s')}", [name]).fetchone()
    return row is not None and bool(row[0])


def start_building(connection: Connection[Any], projection: Projection, *, afresh: bool = False) -> Generation:
    """The generation that is being built: the unfinished one of the same version, else a new one.

    `afresh` throws an unfinished one away.
    """
    unfinished = generation_in(connection, projection.name, "building")
    if unfinished is not None:
        if unfinished.version == projection.version and not afresh:
            return unfinished
        drop(connection, unfinished)
    return _create(connection, projection)


def _create(connection: Connection[Any], projection: Projection) -> Generation:
    with connection.transaction():
        row = connection.execute(
            "SELECT coalesce(max(generation), 0) + 1 FROM read_model.projections WHERE name = %s", [projection.name]
        ).fetchone()
        number = int(row[0]) if row else 1
        schema = f"{PERSONAL if projection.is_personal else 'read'}_{projection.name}_{number}"
        connection.execute("SELECT read_model.make_generation(%s)", [schema])
        connection.execute(
            "INSERT INTO read_model.projections (name, generation, version, schema, public, state) "
            "VALUES (%s, %s, %s, %s, %s, 'building')",
            [projection.name, number, projection.version, schema, list(projection.public)],
        )
        connection.execute(
            "INSERT INTO read_model.checkpoints (reader, position) VALUES (%s, 0)", [f"{projection.name}@{number}"]
        )
        with _inside(connection, schema):
            projection.create(connection)
    (made,) = (g for g in generations(connection, projection.name) if g.generation == number)
    return made


def begin_anew_if_emptied(connection: Connection[Any], generation: Generation) -> bool:
    """Sets the reader of a generation that PostgreSQL emptied back to the log's beginning, and returns whether it did.

    That happens after a crash, on a replica that took over, and in a restored backup; all its tables together. Raises
    ReaderRetired where another generation took over.
    """
    filling = sql.Identifier(generation.schema, FILLING)
    with connection.transaction():
        partitions.hold_alone(connection, generation.reader)
        if connection.execute(sql.SQL("SELECT FROM {}").format(filling)).fetchone() is not None:
            return False
        connection.execute("DELETE FROM read_model.partitions   WHERE reader = %s", [generation.reader])
        connection.execute("DELETE FROM read_model.dead_letters WHERE reader = %s", [generation.reader])
        connection.execute(
            "UPDATE read_model.checkpoints SET position = 0, seal_hash = NULL WHERE reader = %s", [generation.reader]
        )
        connection.execute(
            sql.SQL(
                "INSERT INTO {} (until) SELECT coalesce((SELECT last FROM arrears.seals ORDER BY last DESC LIMIT 1), 0)"
            ).format(filling)
        )
    return True


_FILLED = """
    SELECT EXISTS (SELECT FROM {} WHERE until <= (SELECT position FROM read_model.checkpoints WHERE reader = %s))
"""


def is_being_filled(connection: Connection[Any], generation: Generation) -> bool:
    """Whether a generation with personal data was emptied and does not hold everything again."""
    query = sql.SQL(_FILLED).format(sql.Identifier(generation.schema, FILLING))
    row = connection.execute(query, [generation.reader]).fetchone()
    return row is None or not row[0]


def erase(connection: Connection[Any], projection: PersonalProjection, account_id: UUID) -> None:
    """Takes a person out of every generation, in the caller's transaction."""
    for generation in generations(connection, projection.name):
        if generation.state != "retired":
            with _inside(connection, generation.schema):
                projection.erase(account_id, connection)


def complete(connection: Connection[Any], projection: Projection, generation: Generation) -> None:
    """Lets the projection add what it builds faster without."""
    with connection.transaction(), _inside(connection, generation.schema):
        projection.complete(connection)


@contextmanager
def _inside(connection: Connection[Any], schema: str) -> Iterator[None]:
    connection.execute("SELECT set_config('search_path', %s, true)", [f"{schema}, pg_temp"])
    yield
    connection.execute("SELECT set_config('search_path', 'read_model', true)")


def switch(connection: Connection[Any], generation: Generation) -> None:
    """Shows a generation instead of the live one. Inside the caller's transaction: readers see the one or the other.

    Raises psycopg.errors.LockNotAvailable where a long query keeps the views in use; nothing is changed then.
    """
    connection.execute("SELECT set_config('lock_timeout', %s, true)", [_SWITCH_PATIENCE])
    live = generation_in(connection, generation.name, "live")
    connection.execute(
        "UPDATE read_model.projections SET state = 'retired', retired_at = clock_timestamp() "
        "WHERE name = %s AND state = 'live'",
        [generation.name],
    )
    connection.execute(
        "UPDATE read_model.projections SET state = 'live', live_at = clock_timestamp() WHERE reader = %s",
        [generation.reader],
    )
    if live is not None:
        partitions.hand_over(connection, live.reader, generation.reader)
        connection.execute("DELETE FROM read_model.checkpoints WHERE reader = %s", [live.reader])
    gone = set(live.public) - set(generation.public) if live is not None else set()
    _show(connection, generation, gone)
    _install_dashboard(connection)


def hold_live(connection: Connection[Any], name: str) -> int:
    """Keeps the live generation where it is until the caller's transaction ends, and returns how far it is.

    Where its work is divided that is the partition which is furthest.
    """
    row = connection.execute(
        "SELECT reader, c.position FROM read_model.checkpoints c JOIN read_model.projections p USING (reader) "
        "WHERE p.name = %s AND p.state = 'live' FOR UPDATE OF c",
        [name],
    ).fetchone()
    return max(int(row[1]), partitions.furthest(connection, row[0])) if row is not None else 0


def refresh_dashboard(connection: Connection[Any]) -> bool:
    """Makes the dashboard's views as this release has them. False where long queries use them: the next start does."""
    try:
        with connection.transaction():
            connection.execute("SELECT set_config('lock_timeout', %s, true)", [_SWITCH_PATIENCE])
            _install_dashboard(connection)
    except psycopg.errors.LockNotAvailable:
        return False
    return True


def _install_dashboard(connection: Connection[Any]) -> None:
    """Replaces the views; where their columns changed, makes them anew."""
    try:
        with connection.transaction():
            dashboard.install(connection)
    except psycopg.errors.InvalidTableDefinition:
        dashboard.remove(connection)
        dashboard.install(connection)


def _show(connection: Connection[Any], generation: Generation, gone: set[str]) -> None:
    """Points the views to the generation's tables. Where the columns changed, views are made anew with all on them."""
    pointing = [
        sql.SQL("CREATE OR REPLACE VIEW {} AS SELECT * FROM {}").format(
            sql.Identifier(generation.shown_in, table), sql.Identifier(generation.schema, table)
        )
        for table in generation.public
    ]
    try:
        if gone:
            raise psycopg.errors.InvalidTableDefinition
        with connection.transaction():
            for view in pointing:
                connection.execute(view)
    except psycopg.errors.InvalidTableDefinition:
        dashboard.remove(connection)
        for table in (*generation.public, *gone):
            connection.execute(sql.SQL("DROP VIEW IF EXISTS {}").format(sql.Identifier(generation.shown_in, table)))
        for view in pointing:
            connection.execute(view)


def drop(connection: Connection[Any], generation: Generation) -> None:
    """Removes a generation that nobody sees, with its checkpoint and its dead letters."""
    with connection.transaction():
        connection.execute("SELECT set_config('lock_timeout', %s, true)", [_SWITCH_PATIENCE])
        connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(generation.schema)))
        poison.forget(connection, reader=generation.reader)
        connection.execute("DELETE FROM read_model.dead_letters WHERE reader = %s", [generation.reader])
        connection.execute("DELETE FROM read_model.checkpoints WHERE reader = %s", [generation.reader])
        connection.execute("DELETE FROM read_model.projections WHERE reader = %s", [generation.reader])
        lease.forget(connection, generation.reader)


def drop_unfinished(connection: Connection[Any], projection: Projection) -> None:
    """Removes the generation that was begun, where nobody needs it: the live one shows as much, or more.

    That of a newer release is left alone. For whoever may build; see `building`.
    """
    unfinished = generation_in(connection, projection.name, "building")
    live = generation_in(connection, projection.name, "live")
    if unfinished is None or live is None or unfinished.version > min(projection.version, live.version):
        return
    drop(connection, unfinished)
    _log.warning("removed an unfinished generation that nobody builds", reader=unfinished.reader)


def drop_retired(connection: Connection[Any], name: str) -> None:
    """Removes retired generations; one that a long query still reads is left for the next time."""
    for generation in generations(connection, name):
        if generation.state == "retired":
            try:
                drop(connection, generation)
            except psycopg.errors.LockNotAvailable:
                continue
