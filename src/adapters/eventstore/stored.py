"""A stored event: one row of the log, and its leaf hash."""

import hashlib
import struct
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from eventsourcing.persistence import StoredEvent

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_FIXED = struct.Struct(">16siH16sB16siq")
_LENGTH = struct.Struct(">I")
_NO_ACCOUNT = bytes(16)


@dataclass(frozen=True)
class StoredFact(StoredEvent):
    """The library's stored event (`topic` is the event's name, `state` its JSON) with what the log adds to it."""

    originator_id: UUID
    event_id: UUID
    account_id: UUID | None
    event_version: int
    effective_on: date
    recorded_at: datetime
    meta: bytes
    leaf: bytes
    position: int | None = None


def leaf_hash(  # noqa: PLR0917
    aggregate_id: UUID,
    version: int,
    event_id: UUID,
    account_id: UUID | None,
    name: str,
    event_version: int,
    effective_on: date,
    recorded_at: datetime,
    state: bytes,
    meta: bytes,
) -> bytes:
    """SHA-256 over everything that is stored of an event, in one canonical form.

    Fixed-size fields first (big endian; dates as proleptic ordinals, times as microseconds since 1970), then name,
    state and meta, each after its length: no two different rows have the same form.
    """
    fixed = _FIXED.pack(
        aggregate_id.bytes,
        version,
        event_version,
        event_id.bytes,
        account_id is not None,
        account_id.bytes if account_id is not None else _NO_ACCOUNT,
        effective_on.toordinal(),
        (recorded_at - _EPOCH) // _MICROSECOND,
    )
    encoded = name.encode()
    length = _LENGTH.pack
    return hashlib.sha256(
        b"".join((fixed, length(len(encoded)), encoded, length(len(state)), state, length(len(meta)), meta))
    ).digest()
