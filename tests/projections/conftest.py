"""Projections on a real database: built beside each other, shown as views, compared."""

from collections.abc import Iterator, Sequence
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
from projections.ledger import LedgerProjection
from projections.promises import PromisesProjection

PROJECTIONS: list[type[Projection]] = [
    CollectionsReportProjection,
    LedgerProjection,
    AccountHistoryProjection,
    PromisesProjection,
    ActivityHistoryProjection,
    AuditTrailProjection,
]


class ReadModels:
    """Generations of the projections in one database."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self.connection = connection
        self._generation = 0

    def build(
        self,
        log: Sequence[Recorded],
        *,
        batch: int = 1_000,
        projections: Sequence[type[Projection]] = tuple(PROJECTIONS),
        complete: bool = True,
    ) -> None:
        """Makes a new generation of each from these events, and shows it."""
        self._generation += 1
        for make in projections:
            schema = f"read_{make.name}_{self._generation}"
            projection = make()
            self.connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))
            self._inside(schema)
            projection.create(self.connection)
            for start in range(0, len(log), batch):
                projection.handle(log[start : start + batch], self.connection)
            if complete:
                projection.complete(self.connection)
            self.show(projection, schema)
        self.connection.commit()

    def _inside(self, schema: str) -> None:
        self.connection.execute("SELECT set_config('search_path', %s, true)", [schema])

    def show(self, projection: Projection, schema: str) -> None:
        for table in projection.public:
            self.connection.execute(
                sql.SQL("CREATE OR REPLACE VIEW {} AS SELECT * FROM {}").format(
                    sql.Identifier("read_model", table), sql.Identifier(schema, table)
                )
            )

    def write(self, projection: Projection, batch: Sequence[Recorded]) -> None:
        """More events for the shown generation."""
        self._inside(f"read_{projection.name}_{self._generation}")
        projection.handle(batch, self.connection)
        self.connection.commit()

    def empty(self, projection: Projection) -> None:
        """Takes every row out of the shown generation."""
        for table in projection.public:
            schema = f"read_{projection.name}_{self._generation}"
            self.connection.execute(sql.SQL("TRUNCATE {}").format(sql.Identifier(schema, table)))

    def contents(self) -> dict[str, list[Any]]:
        """Every row of every table, in order."""
        return {table: self.rows(table) for make in PROJECTIONS for table in make.public}

    def rows(self, table: str) -> list[Any]:
        query = sql.SQL("SELECT row_to_json(t)::text FROM {} t ORDER BY 1").format(sql.Identifier("read_model", table))
        return [row[0] for row in self.connection.execute(query)]

    def column(self, query: str, *parameters: object) -> list[Any]:
        return [row[0] for row in self.connection.execute(query, parameters)]


@pytest.fixture
def read_models(database: Database) -> Iterator[ReadModels]:
    with database.connect() as connection:
        yield ReadModels(connection)
