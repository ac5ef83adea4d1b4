"""How projections write: one small method per event, rows gathered from a batch, one statement per table."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar, TypeVar, cast

import orjson
from psycopg import Connection, DataError
from psycopg.adapt import Dumper
from psycopg.errors import UniqueViolation
from psycopg.pq import Format

from aggregates.kernel.event import Event, Recorded
from projections.base import Projection

_ON = "__on__"

Method = TypeVar("Method", bound=Callable[..., None])
AnyKey = TypeVar("AnyKey")
Row = tuple[object, ...]

_WORTH_COPYING = 50
"""Rows; for fewer, one INSERT is quicker than the round trips of a COPY."""


def on(*event_classes: type[Event]) -> Callable[[Method], Method]:
    """Marks the method `(self, recorded, event, rows)` that says what these events mean for the tables."""

    def mark(method: Method) -> Method:
        setattr(method, _ON, event_classes)
        return method

    return mark


class TableProjection(Projection):
    """A projection whose tables are in `schema.sql` in its folder, and what readers alone need in `indexes.sql`."""

    folder: ClassVar[Path]

    def create(self, connection: Connection[Any]) -> None:
        self.run_schema(connection)

    def run_schema(self, connection: Connection[Any], **parts: str) -> None:
        """Runs `schema.sql`, where `{name}` stands for a part that is made elsewhere."""
        text = (self.folder / "schema.sql").read_text(encoding="utf-8")
        for name, part in parts.items():
            text = text.replace(f"{{{name}}}", part)
        connection.execute(text.encode())

    def complete(self, connection: Connection[Any]) -> None:
        connection.execute((self.folder / "indexes.sql").read_text(encoding="utf-8"))


class EventProjection(TableProjection):
    """A projection whose batches go event by event to the methods marked with `on`, into rows written at the end."""

    _methods: ClassVar[dict[type[Event], Callable[[Any, Recorded, Any, Any], None]]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._methods = {
            event_class: method
            for base in reversed(cls.__mro__)
            for method in vars(base).values()
            for event_class in getattr(method, _ON, ())
        }

    @property
    def interest(self) -> frozenset[str] | None:
        return frozenset(event_class.event_name for event_class in self._methods)

    def tell(self, batch: Iterable[Recorded], rows: Any) -> None:
        """Calls the method of each event; events that no method is marked with are passed over."""
        methods = self._methods
        for recorded in batch:
            event = recorded.event
            method = methods.get(type(event))
            if method is not None:
                method(self, recorded, event, rows)


class Table:
    """A table whose rows never change once written: each row's key comes from the event that it is about."""

    def __init__(self, name: str, *, key: str, columns: Sequence[str]) -> None:
        """`columns` are names with their types (`account_id uuid`), in the order of the rows' values.

        The value of a `jsonb` column is JSON in UTF-8, that of an array a list of what needs no quotes.
        """
        names, kinds = zip(*(column.split(" ", 1) for column in columns), strict=True)
        into = f"{name} ({', '.join(names)})"
        self._kinds = kinds
        self._json = [index for index, kind in enumerate(kinds) if kind == "jsonb"]
        self._arrays = [index for index, kind in enumerate(kinds) if kind.endswith("[]")]
        self._insert = f"INSERT INTO {into} {rows_from(*columns)} ON CONFLICT ({key}) DO NOTHING"
        self._copy = f"COPY {into} FROM STDIN (FORMAT BINARY)"

    def add(self, connection: Connection[Any], rows: Sequence[Row]) -> None:
        """Writes the rows that are not there yet; a repeat of a row changes nothing."""
        if len(rows) >= _WORTH_COPYING:
            try:
                with connection.transaction():
                    self._copy_in(connection, rows)
            except (UniqueViolation, DataError):
                self._insert_new(connection, rows)  # some are there already, or a text holds a NUL
        elif rows:
            self._insert_new(connection, rows)

    def _copy_in(self, connection: Connection[Any], rows: Sequence[Row]) -> None:
        """COPY takes twice as many rows a second as any INSERT, and knows no ON CONFLICT."""
        with connection.cursor() as cursor:
            cursor.adapters.register_dumper(bytes, _JsonDumper)
            with cursor.copy(self._copy) as copy:
                copy.set_types(self._kinds)
                for row in rows:
                    copy.write_row(row)

    def _insert_new(self, connection: Connection[Any], rows: Sequence[Row]) -> None:
        for index in self._json:
            rows = [(*row[:index], _fragment(row[index]), *row[index + 1 :]) for row in rows]
        for index in self._arrays:
            rows = [(*row[:index], as_array(row[index]), *row[index + 1 :]) for row in rows]
        connection.execute(self._insert, [as_json(rows)], prepare=True)


class _JsonDumper(Dumper):
    """JSON that is encoded already, as jsonb in binary."""

    format = Format.BINARY
    oid = 3802

    def dump(self, obj: bytes) -> bytes:
        return b"\x01" + obj


def _fragment(value: object) -> orjson.Fragment | None:
    return orjson.Fragment(value) if isinstance(value, bytes) else None


def as_array(value: object) -> object:
    """A list as PostgreSQL writes an array whose elements need no quotes; anything else as it is."""
    return "{" + ",".join(map(str, value)) + "}" if isinstance(value, list) else value


def rows_from(*columns: str) -> str:
    """A SELECT over one JSON parameter (see `as_json`): an array of rows with these columns, each `name type`."""
    values = []
    for index, column in enumerate(columns):
        name, kind = column.split(" ", 1)
        values.append(
            f"nullif(r -> {index}, 'null') AS {name}" if kind == "jsonb" else f"(r ->> {index})::{kind} AS {name}"
        )
    return f"SELECT {', '.join(values)} FROM jsonb_array_elements(%s::jsonb) AS r"  # noqa: S608


def as_json(rows: Sequence[Row]) -> str:
    """The rows as one parameter: several times faster than a parameter per value, or than lists as arrays.

    PostgreSQL's text has no NUL character; where somebody's notes hold one, it is left out.
    """
    encoded = orjson.dumps(rows)
    if b"\\u0000" in encoded:
        encoded = orjson.dumps(_without_nul(orjson.loads(encoded)))
    return encoded.decode()


def keep_latest(rows: dict[AnyKey, Row], key: AnyKey, position: int | None, row: Row) -> None:
    """Keeps one row per key, that of the highest position; the position becomes the row's last value."""
    known = rows.get(key)
    if known is None or cast(int, known[-1]) < cast(int, position):
        rows[key] = (*row, position)


def _without_nul(value: Any) -> Any:
    match value:
        case str():
            return value.replace("\x00", "")
        case list():
            return [_without_nul(each) for each in value]
        case dict():
            return {name: _without_nul(each) for name, each in value.items()}
        case _:
            return value
