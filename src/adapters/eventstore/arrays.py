"""Whole columns as one binary parameter each: PostgreSQL arrays, built without a detour through Python lists.

psycopg adapts lists element by element; for a statement of fourteen columns that is most of an append's time.
"""

import struct
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
from psycopg.adapt import Buffer, Dumper
from psycopg.pq import Format

_HEADER = struct.Struct(">iiIii")
_LENGTH = struct.Struct(">i")
_INT2 = struct.Struct(">ih")
_INT4 = struct.Struct(">ii")
_INT8 = struct.Struct(">iq")
_NULL = b"\xff\xff\xff\xff"
_SIXTEEN = _LENGTH.pack(16)
_DAY_ZERO = date(2000, 1, 1).toordinal()
_TIME_ZERO = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Array:
    """A one-dimensional array in PostgreSQL's binary format."""

    element_oid: int
    __slots__ = ("data",)

    def __init__(self, encoded: Sequence[bytes], *, has_null: bool = False) -> None:
        if encoded:
            self.data = _HEADER.pack(1, has_null, self.element_oid, len(encoded), 1) + b"".join(encoded)
        else:
            self.data = struct.pack(">iiI", 0, 0, self.element_oid)


class Uuids(Array):
    element_oid, oid = 2950, 2951

    def __init__(self, values: Iterable[UUID | None]) -> None:
        encoded = [_NULL if value is None else _SIXTEEN + value.bytes for value in values]
        super().__init__(encoded, has_null=_NULL in encoded)


class Smallints(Array):
    element_oid, oid = 21, 1005

    def __init__(self, values: Iterable[int]) -> None:
        super().__init__([_INT2.pack(2, value) for value in values])


class Integers(Array):
    element_oid, oid = 23, 1007

    def __init__(self, values: Iterable[int]) -> None:
        super().__init__([_INT4.pack(4, value) for value in values])


class Dates(Array):
    element_oid, oid = 1082, 1182

    def __init__(self, values: Iterable[date]) -> None:
        super().__init__([_INT4.pack(4, value.toordinal() - _DAY_ZERO) for value in values])


class Moments(Array):
    element_oid, oid = 1184, 1185

    def __init__(self, values: Iterable[datetime]) -> None:
        super().__init__([_INT8.pack(8, (value - _TIME_ZERO) // _MICROSECOND) for value in values])


class Blobs(Array):
    element_oid, oid = 17, 1001

    def __init__(self, values: Iterable[bytes | None]) -> None:
        encoded = [_NULL if value is None else _LENGTH.pack(len(value)) + value for value in values]
        super().__init__(encoded, has_null=_NULL in encoded)


class Texts(Array):
    element_oid, oid = 25, 1009

    def __init__(self, values: Iterable[str]) -> None:
        utf8 = [value.encode() for value in values]
        super().__init__([_LENGTH.pack(len(value)) + value for value in utf8])


class Jsons(Array):
    """jsonb[] from JSON in UTF-8."""

    element_oid, oid = 3802, 3807

    def __init__(self, values: Iterable[bytes]) -> None:
        super().__init__([_LENGTH.pack(len(value) + 1) + b"\x01" + value for value in values])


def register(connection: psycopg.Connection[Any]) -> None:
    """Teaches the connection to send these arrays."""
    for array_class in (Uuids, Smallints, Integers, Dates, Moments, Blobs, Texts, Jsons):
        connection.adapters.register_dumper(array_class, _dumper(array_class.oid))


def _dumper(array_oid: int) -> type[Dumper]:
    class ArrayDumper(Dumper):
        format = Format.BINARY
        oid = array_oid

        def dump(self, obj: Array) -> Buffer:
            return obj.data

    return ArrayDumper
