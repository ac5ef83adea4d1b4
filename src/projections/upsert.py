"""Rows that change: many at once in one statement, each guarded by the position that it was changed by, or told some of
its columns by an event of its own."""

from projections.batch import rows_from


def says(table: str, key: str, *columns: str) -> str:
    """A statement for rows that say these columns of theirs and leave the others as they are: see `rows_from`."""
    names = [column.split(" ", 1)[0] for column in columns]
    news = ", ".join(f"{name} = excluded.{name}" for name in names if name not in key.split(", "))
    return f"INSERT INTO {table} ({', '.join(names)}) {rows_from(*columns)} ON CONFLICT ({key}) DO UPDATE SET {news}"


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
