"""Projections on a real database: built beside each other, shown as views, compared."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

import psycopg
import pytest
from psycopg import sql

from adapters.postgres.database import Database
from aggregates.kernel.event import Recorded
from projections.account_history import AccountHistoryProjection
from projections.activity_history import ActivityHistoryProjection
from projections.audit_trail import AuditTrailProjection
from projections.base import Projection
from projections.collections_report import CollectionsReportProjection
from projections.fees import FeesProjection
from projections.ledger import LedgerProjection
from projections.messages import MessagesProjection
from projections.people import PeopleProjection
from projections.promises import PromisesProjection
from projections.worklist import WorklistProjection

PROJECTIONS: list[type[Projection]] = [
    CollectionsReportProjection,
    LedgerProjection,
    AccountHistoryProjection,
    PromisesProjection,
    ActivityHistoryProjection,
    AuditTrailProjection,
    MessagesProjection,
    PeopleProjection,
    WorklistProjection,
    FeesProjection,
]


class InMemory:
    """Opens events that were never stored."""

    def __init__(self) -> None:
        self._events: dict[int, Recorded] = {}

    def keep(self, events: Iterable[Recorded]) -> None:
        self._events |= {recorded.position: recorded for recorded in events if recorded.position is not None}

    def at(self, positions: Collection[int], /) -> dict[int, Recorded]:
        return {position: self._events[position] for position in positions}


class ReadModels:
    """Generations of the projections in one database. `log` has the events of which they were made."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self.connection = connection
        self.log = InMemory()
        self._generation = 0

    def build(
        self,
        log: Sequence[Recorded],
        *,
        batch: int = 1_000,
        projections: Sequence[type[Projection]] = tuple(PROJECTIONS),
        complete: bool = True,
    ) -> None:
        """Makes a new generation of each from these events, and shows it; of names too, which every report has."""
        self._generation += 1
        self.log.keep(log)
        makes: list[type[Projection]] = [*projections, PeopleProjection]
        for make in dict.fromkeys(makes):
            projection = make()
            schema = self._schema(projection)
            self.connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))
            self._inside(schema)
            projection.create(self.connection)
            for start in range(0, len(log), batch):
                projection.handle(log[start : start + batch], self.connection)
            if complete:
                projection.complete(self.connection)
            self.show(projection, schema)
        self.connection.commit()

    def _schema(self, projection: Projection) -> str:
        return f"{'personal' if projection.is_personal else 'read'}_{projection.name}_{self._generation}"

    def _inside(self, schema: str) -> None:
        self.connection.execute("SELECT set_config('search_path', %s, true)", [schema])

    def show(self, projection: Projection, schema: str) -> None:
        for table in projection.public:
            self.connection.execute(
                sql.SQL("CREATE OR REPLACE VIEW {} AS SELECT * FROM {}").format(
                    sql.Identifier(shown_in(projection), table), sql.Identifier(schema, table)
                )
            )

    def write(self, projection: Projection, batch: Sequence[Recorded]) -> None:
        """More events for the shown generation."""
        self.log.keep(batch)
        self._inside(self._schema(projection))
        projection.handle(batch, self.connection)
        self.connection.commit()

    def empty(self, projection: Projection) -> None:
        """Takes every row out of the shown generation."""
        for table in projection.public:
            self.connection.execute(sql.SQL("TRUNCATE {}").format(sql.Identifier(self._schema(projection), table)))

    def contents(self) -> dict[str, list[Any]]:
        """Every row of every table, in order."""
        return {table: self.rows(table, shown_in(make)) for make in PROJECTIONS for table in make.public}

    def rows(self, table: str, schema: str = "read_model") -> list[Any]:
        query = sql.SQL("SELECT row_to_json(t)::text FROM {} t ORDER BY 1").format(sql.Identifier(schema, table))
        return [row[0] for row in self.connection.execute(query)]

    def column(self, query: str, *parameters: object) -> list[Any]:
        return [row[0] for row in self.connection.execute(query, parameters)]


def shown_in(projection: Projection | type[Projection]) -> str:
    """The schema of the views on its tables."""
    return "personal" if projection.is_personal else "read_model"


@pytest.fixture
def read_models(database: Database) -> Iterator[ReadModels]:
    with database.connect() as connection:
        yield ReadModels(connection)
