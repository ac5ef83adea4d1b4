"""The log as the publisher would send it, read from the database: for whoever missed it on the topic."""

import os
from collections.abc import Iterator, Mapping

from adapters.kafka.cloudevents import SOURCE, SOURCE_VARIABLE, Envelope, from_message, to_message
from adapters.kafka.sealed_rows import SealedRow, SealedRows
from adapters.postgres.database import Database

_CHUNK = 1_000


def replayed(
    database: Database, *, first: int, last: int | None = None, env: Mapping[str, str] = os.environ
) -> Iterator[Envelope]:
    """The events of these positions (`last` None: to the log's end as it is now), in order.

    Offset and partition are not known here, and -1. Raises LogHole, and UnknownEvent where a newer release wrote one.
    """
    source = (env.get(SOURCE_VARIABLE) or SOURCE).encode()
    rows = SealedRows(database)
    try:
        end = rows.head() if last is None else min(last, rows.head())
        at = first - 1
        while at < end:
            for row in rows.read(at, min(_CHUNK, end - at)):
                if isinstance(row, SealedRow):
                    message = to_message(row, source=source)
                    yield from_message(message.headers, message.value, partition=-1, offset=-1)
                at += 1
    finally:
        rows.close()
