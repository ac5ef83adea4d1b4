"""Who did what, when and why."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from psycopg import Connection
from psycopg.rows import DictRow

from projections.answer import Answer
from projections.opening import Opens, without_nul
from projections.questions.paging import check_limit, cursor_after, key_after
from projections.questions.scope import rows


class AuditRow(Answer):
    """An event. `reason` may be personal text; `data` is what the event says, without personal fields."""

    position: int
    event_id: UUID
    recorded_at: datetime
    effective_on: date
    aggregate_kind: str
    aggregate_id: UUID
    aggregate_version: int
    account_id: UUID | None
    event_name: str
    event_version: int
    summary: str
    actor_kind: str
    actor_id: str
    actor_version: str | None
    reason: str | None
    command_id: UUID
    causation_id: UUID | None
    correlation_id: UUID
    data: dict[str, Any]


class AuditReport(Answer):
    """A page of the audit trail, in the log's order."""

    subject_id: UUID
    rows: tuple[AuditRow, ...]
    next_cursor: str | None


_ROWS = """
SELECT *
FROM (
    (SELECT * FROM read_model.audit_trail
     WHERE aggregate_id = %(subject_id)s AND position > %(after)s::bigint
     ORDER BY position LIMIT %(limit)s)
    UNION ALL
    (SELECT * FROM read_model.audit_trail
     WHERE account_id = %(subject_id)s AND account_id <> aggregate_id AND position > %(after)s::bigint
     ORDER BY position LIMIT %(limit)s)
) AS trail
ORDER BY position
LIMIT %(limit)s
"""


def audit(
    connection: Connection[Any], log: Opens, subject_id: UUID, *, limit: int = 200, cursor: str | None = None
) -> AuditReport:
    """Every event of an aggregate; of an account also those of its promises. `log` opens those with a reason that is
    personal. Raises BadQuestion."""
    (after,) = key_after(cursor, "position", 1)
    asked = {"subject_id": subject_id, "after": after or 0, "limit": check_limit(limit) + 1}
    found = rows(connection, asked, _ROWS)
    page = [AuditRow.model_validate(each) for each in _with_reasons(found[:limit], log)]
    return AuditReport(
        subject_id=subject_id,
        rows=tuple(page),
        next_cursor=cursor_after("position", page[-1].position) if len(found) > limit else None,
    )


def _with_reasons(found: Sequence[DictRow], log: Opens) -> list[DictRow]:
    """The rows with what people gave as a reason, which is in the log alone."""
    opened = log.at([each["position"] for each in found if each["gives_reason"]])
    reasons = {position: without_nul(recorded.meta.reason) for position, recorded in opened.items()}
    return [{**each, "reason": reasons.get(each["position"], each["reason"])} for each in found]


def positions_of(connection: Connection[Any], aggregate_id: UUID, names: Sequence[str]) -> list[int]:
    """Where the log has the events of an aggregate that have one of these names, in its order."""
    query = """
        SELECT position FROM read_model.audit_trail
        WHERE aggregate_id = %(aggregate_id)s AND event_name = ANY (%(names)s::text[])
        ORDER BY position
    """
    return [each["position"] for each in rows(connection, {"aggregate_id": aggregate_id, "names": list(names)}, query)]


def version_shown(connection: Connection[Any], aggregate_id: UUID, projections: Sequence[str]) -> int:
    """The latest version of an aggregate of which all these projections show what they show; 0: none yet."""
    query = """
        SELECT aggregate_version
        FROM read_model.audit_trail
        WHERE aggregate_id = %(aggregate_id)s
          AND position <= (SELECT min(c.position)
                           FROM read_model.projections AS p JOIN read_model.checkpoints AS c USING (reader)
                           WHERE p.name = ANY (%(projections)s::text[]) AND p.state = 'live')
        ORDER BY position DESC
        LIMIT 1
    """
    asked = {"aggregate_id": aggregate_id, "projections": ["audit_trail", *projections]}
    found = rows(connection, asked, query)
    return int(found[0]["aggregate_version"]) if found else 0
