"""Messages on a topic that are not what the log has: counted, said, and kept as a row, without what they say."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import structlog
from psycopg import Connection

from adapters.telemetry.metrics import count_quarantined

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class Reason(StrEnum):
    """Why a message is not taken."""

    MALFORMED = "malformed"
    """It is no event of the log, or no tick, by its form."""
    NOT_IN_LOG = "not-in-log"
    """The log has nothing at the place that it claims: it lies beyond the end."""
    OTHER_EVENT = "other-event"
    """The log has another event at that place."""
    OTHER_HASH = "other-hash"
    """The event at that place has another hash."""
    OTHER_BODY = "other-body"
    """The event at that place says something else."""
    OTHER_PARTITION = "other-partition"
    """The event belongs to another partition: here it would overtake earlier ones."""
    REFUSED = "refused"
    """The check of a subscriber refused it."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A message that is not taken: where it lies, why, the place in the log that it claims, its digest and its sizes in
    bytes."""

    partition: int
    offset: int
    reason: Reason
    position: int | None
    digest: bytes
    key_bytes: int
    headers_bytes: int
    value_bytes: int


def refused(record: Any, reason: Reason, position: int | None = None) -> Refused:
    """Of a message as a client gives it, whatever it is."""
    key, value, *headers = _pieces(record)
    return Refused(
        record.partition,
        record.offset,
        reason,
        position,
        digest_of(record),
        key_bytes=len(key),
        headers_bytes=sum(map(len, headers)),
        value_bytes=len(value),
    )


def digest_of(record: Any) -> bytes:
    """SHA-256 over key, value and headers, each after its length."""
    digest = hashlib.sha256()
    for piece in _pieces(record):
        digest.update(len(piece).to_bytes(8, "big") + piece)
    return digest.digest()


def keep(connection: Connection[Any], topic: str, reader: str, found: Sequence[Refused]) -> None:
    """Stores what a reader found, each message once, whoever finds it; says and counts it."""
    if not found:
        return
    connection.execute(
        """
        INSERT INTO read_model.quarantined_messages
            (topic, partition, "offset", digest, reader, reason, position, key_bytes, headers_bytes, value_bytes)
        SELECT %s, partition, at, digest, %s, reason, position, key_bytes, headers_bytes, value_bytes
        FROM unnest(%s::integer[], %s::bigint[], %s::bytea[], %s::text[], %s::bigint[],
                    %s::integer[], %s::integer[], %s::integer[])
             AS m (partition, at, digest, reason, position, key_bytes, headers_bytes, value_bytes)
        ON CONFLICT DO NOTHING
        """,
        [
            topic,
            reader,
            [each.partition for each in found],
            [each.offset for each in found],
            [each.digest for each in found],
            [each.reason.value for each in found],
            [each.position for each in found],
            [each.key_bytes for each in found],
            [each.headers_bytes for each in found],
            [each.value_bytes for each in found],
        ],
    )
    say(topic, reader, found)


def say(topic: str, reader: str, found: Sequence[Refused]) -> None:
    """Logs and counts what was found: a line for each partition and reason, however many there are."""
    first: dict[tuple[int, Reason], int] = {}
    for each in found:
        first.setdefault((each.partition, each.reason), each.offset)
    for (partition, reason), count in Counter((each.partition, each.reason) for each in found).items():
        _log.error(
            "passed over messages that are no events of the log",
            topic=topic,
            partition=partition,
            first_offset=first[partition, reason],
            messages=count,
            reason=reason.value,
            reader=reader,
        )
        count_quarantined(reader, topic, reason.value, count)


def _pieces(record: Any) -> list[bytes]:
    headers = (each for header in record.headers or () for each in header)
    return [_bytes_of(each) for each in (record.key, record.value, *headers)]


def _bytes_of(said: object) -> bytes:
    """Keys, values and header values are bytes or missing, names are texts."""
    if said is None:
        return b""
    return said if isinstance(said, bytes) else str(said).encode(errors="backslashreplace")
