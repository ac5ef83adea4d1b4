"""A small projection: how much was counted for whom. It chokes on request."""

from collections.abc import Sequence
from typing import Any, ClassVar
from uuid import UUID

from psycopg import Connection

from aggregates.kernel.event import Event, Recorded
from projections.base import Projection


class Counted(Event, name="test.counted-up"):
    """Something was counted."""

    by: int = 1


class Odd(Event, name="test.odd"):
    """An event that a reader may choke on."""


class Counter(Projection):
    """Counts per account."""

    name: ClassVar[str] = "counter"
    version: ClassVar[int] = 1
    public: ClassVar[tuple[str, ...]] = ("counts",)
    chokes: ClassVar[bool] = True

    def create(self, connection: Connection[Any]) -> None:
        connection.execute(
            "CREATE TABLE counts (account_id uuid PRIMARY KEY, total integer NOT NULL, last_position bigint NOT NULL)"
        )

    def handle(self, batch: Sequence[Recorded], connection: Connection[Any]) -> None:
        for recorded in batch:
            if isinstance(recorded.event, Odd) and type(self).chokes:
                raise ValueError("too odd")
            if isinstance(recorded.event, Counted):
                self._count(recorded, recorded.event.by, connection)

    def _count(self, recorded: Recorded, by: int, connection: Connection[Any]) -> None:
        connection.execute(
            """
            INSERT INTO counts VALUES (%s, %s, %s)
            ON CONFLICT (account_id) DO UPDATE
            SET total = counts.total + EXCLUDED.total, last_position = EXCLUDED.last_position
            WHERE counts.last_position < EXCLUDED.last_position
            """,
            [recorded.account_id, by, recorded.position],
        )


class WiderCounter(Counter):
    """The next version, with another shape."""

    version: ClassVar[int] = 2
    public: ClassVar[tuple[str, ...]] = ("counts", "sums")

    def create(self, connection: Connection[Any]) -> None:
        connection.execute(
            "CREATE TABLE counts (account_id uuid PRIMARY KEY, total bigint NOT NULL, last_position bigint NOT NULL)"
        )
        connection.execute("CREATE VIEW sums AS SELECT sum(total) AS total FROM counts")


class TolerantCounter(Counter):
    """The same, repaired: it takes odd events as they come."""

    chokes: ClassVar[bool] = False


class BrokenCounter(Counter):
    """A defect: nothing works."""

    def handle(self, batch: Sequence[Recorded], connection: Connection[Any]) -> None:
        if batch:
            connection.execute("INSERT INTO no_such_table VALUES (1)")


def account(number: int) -> UUID:
    return UUID(int=number)
