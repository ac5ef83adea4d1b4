"""From every event to a row that a person can read."""

from collections.abc import Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, ClassVar

from psycopg import Connection

from aggregates.account.shields import Why
from aggregates.kernel.actor import Actor
from aggregates.kernel.event import Event, Recorded, kind_of
from aggregates.kernel.personal import EACH, personal_paths
from projections.batch import Row, Table, TableProjection
from projections.sentences import sentence

_AUDIT_TRAIL = Table(
    "audit_trail",
    key="position",
    columns=[
        "position bigint", "event_id uuid", "recorded_at timestamptz", "effective_on date", "aggregate_kind text",
        "aggregate_id uuid", "aggregate_version integer", "account_id uuid", "event_name text",
        "event_version smallint", "summary text", "actor_kind text", "actor_id text", "actor_version text",
        "reason text", "gives_reason boolean", "command_id uuid", "causation_id uuid", "correlation_id uuid",
        "data jsonb",
    ],
)  # fmt: skip


class AuditTrailProjection(TableProjection):
    """Who did what, when, why, and under which policy version."""

    folder: ClassVar[Path] = Path(__file__).parent
    name: ClassVar[str] = "audit_trail"
    version: ClassVar[int] = 5
    public: ClassVar[tuple[str, ...]] = ("audit_trail",)

    def handle(self, batch: Sequence[Recorded], connection: Connection[Any]) -> None:
        _AUDIT_TRAIL.add(connection, [_row(recorded) for recorded in batch])


def _row(recorded: Recorded) -> Row:
    event, meta = recorded.event, recorded.meta
    event_class = type(event)
    data = event.__pydantic_serializer__.to_json(event, exclude=_personal_fields(event_class))
    return (
        recorded.position, recorded.event_id, recorded.recorded_at, recorded.effective_on, kind_of(event.event_name),
        recorded.aggregate_id, recorded.version, recorded.account_id, event.event_name, event.event_version,
        sentence(event), *actor_parts(meta.actor), _open_reason(recorded), is_personal(recorded), meta.command_id,
        meta.causation_id, meta.correlation_id, data,
    )  # fmt: skip


@lru_cache(10_000)
def actor_parts(actor: str) -> tuple[str, str, str | None]:
    """Kind, id and version: `policy:aging@3` is a policy named aging in its version 3."""
    parsed = Actor.parse(actor)
    return parsed.kind.value, parsed.name, None if parsed.version is None else str(parsed.version)


def is_personal(recorded: Recorded) -> bool:
    """Whether a person gave a reason that the log keeps encrypted: one about an account."""
    return bool(recorded.meta.reason) and recorded.account_id is not None


def _open_reason(recorded: Recorded) -> str | None:
    """Why, where that is not personal: what a rule said, or a person about an office or a campaign."""
    return None if is_personal(recorded) else recorded.meta.reason or _why(recorded.event)


def _why(event: Event) -> str | None:
    why: Why | None = event.why if _says_why(type(event)) else None  # type: ignore[attr-defined]
    return why.detail if why else None


@cache
def _says_why(event_class: type[Event]) -> bool:
    why = event_class.model_fields.get("why")
    return why is not None and why.annotation is Why


@cache
def _personal_fields(event_class: type[Event]) -> dict[str, Any] | None:
    """The event's personal fields as pydantic's `exclude` wants them."""
    fields: dict[str, Any] = {}
    for path in personal_paths(event_class):
        *parents, last = path[:-1] if path[-1] == EACH else path
        node = fields
        for parent in parents:
            node = node.setdefault("__all__" if parent == EACH else parent, {})
        node[last] = True
    return fields or None
