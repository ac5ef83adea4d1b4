"""Messages on a topic that no reader took, because they are not what the log has."""

from datetime import datetime
from typing import Any

from psycopg import Connection

from projections.answer import Answer
from projections.questions.paging import check_limit, cursor_after, key_after
from projections.questions.scope import rows


class QuarantinedMessage(Answer):
    """Where a message lies, why it was not taken, who found it first, and the place in the log that it claims, null
    where that cannot be read. `digest` is the SHA-256 of key, value and headers; sizes are in bytes."""

    topic: str
    partition: int
    offset: int
    reason: str
    reader: str
    position: int | None
    digest: str
    key_bytes: int
    headers_bytes: int
    value_bytes: int
    found_at: datetime


class QuarantineReport(Answer):
    """A page of messages, the latest found first."""

    rows: tuple[QuarantinedMessage, ...]
    next_cursor: str | None


_PAGE = """
    SELECT topic, partition, "offset", reason, reader, position, encode(digest, 'hex') AS digest,
           key_bytes, headers_bytes, value_bytes, found_at
    FROM read_model.quarantined_messages
    WHERE (%(topic)s::text IS NULL OR topic = %(topic)s)
      AND (%(partition)s::integer IS NULL OR partition = %(partition)s)
      AND (%(found_at)s::timestamptz IS NULL
           OR (found_at, topic, partition, "offset", digest)
              < (%(found_at)s::timestamptz, %(after_topic)s::text, %(after_partition)s::integer,
                 %(after_offset)s::bigint, decode(%(digest)s, 'hex')))
    ORDER BY found_at DESC, topic DESC, partition DESC, "offset" DESC, quarantined_messages.digest DESC
    LIMIT %(limit)s
"""


def quarantined(
    connection: Connection[Any],
    *,
    topic: str | None = None,
    partition: int | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> QuarantineReport:
    """Those of one topic and partition, or of all. Raises BadQuestion."""
    found_at, after_topic, after_partition, after_offset, digest = key_after(cursor, "found", 5)
    asked = {
        "topic": topic,
        "partition": partition,
        "found_at": found_at,
        "after_topic": after_topic,
        "after_partition": after_partition,
        "after_offset": after_offset,
        "digest": digest,
        "limit": check_limit(limit) + 1,
    }
    found = [QuarantinedMessage.model_validate(each) for each in rows(connection, asked, _PAGE)]
    page = found[:limit]
    last = page[-1] if len(found) > limit else None
    return QuarantineReport(
        rows=tuple(page),
        next_cursor=None
        if last is None
        else cursor_after("found", last.found_at.isoformat(), last.topic, last.partition, last.offset, last.digest),
    )
