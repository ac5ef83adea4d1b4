"""Outcomes as JSON, the way they are stored beside their command's id."""

from typing import Any
from uuid import UUID

import orjson

from aggregates.kernel.command import Accepted, Outcome, Rejected


def dump_outcome(outcome: Outcome) -> bytes:
    if isinstance(outcome, Rejected):
        return orjson.dumps({"rejected": outcome.reason_code, "detail": outcome.detail})
    return orjson.dumps({"accepted": [str(event_id) for event_id in outcome.event_ids], "version": outcome.version})


def dump_key_owner(command_id: UUID) -> bytes:
    """A natural key is stored like a command id, and says whose it is."""
    return orjson.dumps({"key_of": str(command_id)})


def load_stored(stored: bytes) -> Outcome | UUID:
    """The outcome of a command, or of a natural key the command that has it."""
    data: dict[str, Any] = orjson.loads(stored)
    if "key_of" in data:
        return UUID(data["key_of"])
    if "rejected" in data:
        return Rejected(data["rejected"], data["detail"])
    return Accepted(tuple(UUID(event_id) for event_id in data["accepted"]), data["version"])
