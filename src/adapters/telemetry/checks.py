"""Whether a process can do its work: each check returns None, or a text that says what is wrong."""

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import psycopg

from adapters.postgres.database import Database
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

    def check() -> str | None:
        try:
            with psycopg.connect(database.conninfo("arrears_app"), connect_timeout=CONNECT_SECONDS) as connection:
                connection.execute("SELECT FROM read_model.checkpoints LIMIT 1")
        except psycopg.Error as error:
            return said(error)
        return None

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
