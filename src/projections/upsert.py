"""Rows that change: many at once in one statement, each guarded by the position that it was changed by."""

from projections.batch import rows_from


def upsert(table: str, key: str, *columns: str) -> str:
    """A statement over one JSON parameter (see `rows_from`); the columns, each `name type`, are all of the row.

    A row whose `last_position` is not beyond that of the row in the table changes nothing.
    """
    names = [column.split(" ", 1)[0] for column in columns]
    news = ", ".join(f"{name} = excluded.{name}" for name in names)
    return f"""
        INSERT INTO {table} ({", ".join(names)}) {rows_from(*columns)}
        ON CONFLICT ({key}) DO UPDATE SET {news} WHERE {table}.last_position < excluded.last_position
    """
