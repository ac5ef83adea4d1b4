"""The dashboard schema: stable, commented views over the read model, for Grafana, Metabase and psql."""

import re
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from psycopg import Connection, sql

from projections.collections_report.columns import dashboard_columns, dashboard_comments

FOLDER = Path(__file__).parent / "dashboard_views"

_OVER = re.compile(r"^-- over:(?P<names>.*)$", re.MULTILINE)


class DashboardView(NamedTuple):
    """A file that makes one view, and the views of the read model (and of personal data) it needs."""

    name: str
    over: frozenset[str]
    statements: str


@cache
def shipped() -> tuple[DashboardView, ...]:
    """The views of this release. The file's name is the view's, after a number that gives the order."""
    found = []
    for path in sorted(FOLDER.glob("*.sql")):
        text = _with_columns(path.read_text(encoding="utf-8"))
        over = _OVER.search(text)
        names = frozenset(over["names"].replace(",", " ").split()) if over else frozenset()
        found.append(DashboardView(path.stem.split("_", 1)[1], names, text))
    return tuple(found)


def _with_columns(text: str) -> str:
    """The view of the collections report names its columns once, where the report has them."""
    return text.replace("{columns}", dashboard_columns()).replace("{comments}", dashboard_comments())


def install(connection: Connection[Any]) -> None:
    """Makes, or makes again, every view whose tables are there; one process at a time. In the caller's transaction."""
    connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('arrears.dashboard', 0))")
    rows = connection.execute(
        "SELECT relname FROM pg_class WHERE relnamespace IN ('read_model'::regnamespace, 'personal'::regnamespace)"
    )
    there = {row[0] for row in rows}
    for view in shipped():
        if view.over <= there:
            connection.execute(view.statements.encode())


def remove(connection: Connection[Any]) -> None:
    """Drops our views, so that what they stand on can change its shape; other views are left, and in the way."""
    for view in reversed(shipped()):
        connection.execute(sql.SQL("DROP VIEW IF EXISTS {}").format(sql.Identifier("dashboard", view.name)))
