"""From events of bulk actions, and of the accounts that they asked, to their read tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar
from uuid import UUID

from psycopg import Connection

from aggregates.account.bulk import BulkActionApplied, BulkActionUndone
from aggregates.bulk.action import (
    BulkCancelled,
    BulkConfirmed,
    BulkExported,
    BulkFinished,
    BulkPreviewed,
    BulkUndoBegun,
    BulkUndone,
)
from aggregates.bulk.part import MOST_ROWS, RowsFrozen
from aggregates.bulk.schedule import BulkScheduled, ScheduleCancelled, ScheduleFellDue, ScheduleRan
from aggregates.kernel.event import Recorded
from projections.batch import EventProjection, Row, as_json, on, rows_from
from projections.upsert import says

_AT_ONCE = 5_000
"""Rows in a statement."""


_KIND = {
    **dict.fromkeys(("bulk_id", "account_id", "office_id", "schedule_id", "run_id"), "uuid"),
    **dict.fromkeys(("parameters", "filters", "expected", "recurrence"), "jsonb"),
    **dict.fromkeys(("as_of", "due_on", "next_on"), "date"),
    "without_changed": "boolean",
    **dict.fromkeys(
        ("accounts", "total_minor", "shown_position", "done", "changed", "refused", "skipped", "failed", "undone_done",
         "undone_changed", "undone_failed", "undo_attempt", "undone_attempt", "position", "place", "amount_minor",
         "most_accounts", "most_minor", "touched_minor"),
        "bigint",
    ),
    "parts": "integer",
    **dict.fromkeys(
        ("previewed_at", "confirmed_at", "finished_at", "cancelled_at", "undo_begun_at", "undone_at", "due_at",
         "made_at", "fell_due_at", "ended_at"),
        "timestamptz",
    ),
}  # fmt: skip
"""Columns that are not text."""


def _typed(*names: str) -> list[str]:
    return [f"{name} {_KIND.get(name, 'text')}" for name in names]


_FROZEN = says(
    "bulk_rows", "bulk_id, account_id", *_typed("bulk_id", "account_id", "place", "expected", "amount_minor")
)


def _says_outcome(outcome: str, counts: Mapping[str, str], *columns: str) -> str:
    """A statement for rows that say what came of an account; it moves the counts of their actions by what changed.

    `counts`: by the column of the action, which value of `outcome` is counted there.
    """
    names = ("bulk_id", "account_id", outcome, *columns)
    news = ", ".join(f"{name} = excluded.{name}" for name in names[2:])
    now, before = "count(*) FILTER (WHERE said.{0} = '{1}')", "count(*) FILTER (WHERE row.{0} = '{1}')"
    moves = ", ".join(
        f"{now.format(outcome, value)} - {before.format(outcome, value)} AS {column}"
        for column, value in counts.items()
    )
    added = ", ".join(f"{column} = action.{column} + excluded.{column}" for column in counts)
    return f"""
        WITH said AS MATERIALIZED ({rows_from(*_typed(*names))}),
        moved AS (  -- every part of the statement sees the rows as they were before it
            SELECT said.bulk_id, {moves}
            FROM said LEFT JOIN bulk_rows AS row USING (bulk_id, account_id)
            GROUP BY said.bulk_id
        ),
        written AS (
            INSERT INTO bulk_rows ({", ".join(names)}) SELECT {", ".join(names)} FROM said
            ON CONFLICT (bulk_id, account_id) DO UPDATE SET {news}
        )
        INSERT INTO bulk_actions AS action (bulk_id, {", ".join(counts)}, position)
        SELECT bulk_id, {", ".join(counts)}, 0 FROM moved ORDER BY bulk_id
        ON CONFLICT (bulk_id) DO UPDATE SET {added}
    """  # noqa: S608 - constants


_APPLIED = _says_outcome(
    "outcome",
    {f"rows_{value}": value for value in ("done", "changed", "refused", "skipped")},
    "reason_code",
    "detail",
)
_REVERSED = _says_outcome("undo_outcome", {"rows_undone": "done", "rows_kept": "changed"}, "undo_code", "undo_detail")


@dataclass(slots=True)
class BulkRows:
    """What a batch says, by statement and key. An action can be taken back several times: what is said last holds."""

    said: dict[str, dict[Row, Row]] = field(default_factory=dict)

    def say(self, recorded: Recorded, **columns: object) -> None:
        """Columns of the action."""
        names = ("bulk_id", *columns, "position")
        statement = says("bulk_actions", "bulk_id", *_typed(*names))
        self.add(statement, [(recorded.aggregate_id, *columns.values(), recorded.position)])

    def say_of_schedule(self, recorded: Recorded, **columns: object) -> None:
        names = ("schedule_id", *columns, "position")
        row = (recorded.aggregate_id, *columns.values(), recorded.position)
        self.add(says("bulk_schedules", "schedule_id", *_typed(*names)), [row])

    def say_of_run(self, recorded: Recorded, run_id: UUID, **columns: object) -> None:
        names = ("run_id", "schedule_id", *columns, "position")
        row = (run_id, recorded.aggregate_id, *columns.values(), recorded.position)
        self.add(says("bulk_schedule_runs", "run_id", *_typed(*names)), [row])

    def add(self, statement: str, rows: Sequence[Row], *, key: int = 1) -> None:
        """`key`: how many columns a row is known by."""
        self.said.setdefault(statement, {}).update({row[:key]: row for row in rows})


class BulkActionsProjection(EventProjection):
    """A row for each bulk action, and one for each account of it; one for each schedule, and for each time that
    it was due."""

    folder: ClassVar[Path] = Path(__file__).parent
    name: ClassVar[str] = "bulk_actions"
    version: ClassVar[int] = 4
    public: ClassVar[tuple[str, ...]] = ("bulk_actions", "bulk_rows", "bulk_schedules", "bulk_schedule_runs")

    def handle(self, batch: Sequence[Recorded], connection: Connection[Any]) -> None:
        rows = BulkRows()
        self.tell(batch, rows)
        for statement, by_key in rows.said.items():
            said = list(by_key.values())
            for first in range(0, len(said), _AT_ONCE):
                connection.execute(statement, [as_json(said[first : first + _AT_ONCE])], prepare=True)

    @on(BulkPreviewed)
    def _previewed(self, recorded: Recorded, event: BulkPreviewed, rows: BulkRows) -> None:
        said = event.model_dump(mode="json", exclude={"position"})
        rows.say(
            recorded,
            **said,
            shown_position=event.position,
            previewed_at=recorded.recorded_at,
            previewed_by=recorded.meta.actor,
        )

    @on(BulkExported)
    def _exported(self, recorded: Recorded, event: BulkExported, rows: BulkRows) -> None:
        """It is previewed and finished at once, and has no rows of its own."""
        said = event.model_dump(mode="json", include={"office_id", "filters", "as_of", "currency", "total_minor"})
        rows.say(
            recorded,
            **said,
            kind="export",
            parameters={"format": event.format},
            accounts=event.rows,
            parts=0,
            digest="",
            previewed_at=recorded.recorded_at,
            previewed_by=recorded.meta.actor,
            finished_at=recorded.recorded_at,
        )

    @on(RowsFrozen)
    def _frozen(self, _: Recorded, event: RowsFrozen, rows: BulkRows) -> None:
        before = (event.number - 1) * MOST_ROWS  # parts may be shorter: places have gaps then, and keep their order
        rows.add(
            _FROZEN,
            [
                (event.bulk_id, each.account_id, before + place, each.expected, each.amount_minor)
                for place, each in enumerate(event.rows, 1)
            ],
            key=2,
        )

    @on(BulkConfirmed)
    def _confirmed(self, recorded: Recorded, event: BulkConfirmed, rows: BulkRows) -> None:
        rows.say(
            recorded,
            confirmed_at=recorded.recorded_at,
            confirmed_by=recorded.meta.actor,
            without_changed=event.without_changed,
        )

    @on(BulkActionApplied)
    def _applied(self, recorded: Recorded, event: BulkActionApplied, rows: BulkRows) -> None:
        said = (event.bulk_id, recorded.account_id, event.outcome, event.reason_code, event.detail)
        rows.add(_APPLIED, [said], key=2)

    @on(BulkFinished)
    def _finished(self, recorded: Recorded, event: BulkFinished, rows: BulkRows) -> None:
        rows.say(recorded, **event.model_dump(), finished_at=recorded.recorded_at)

    @on(BulkCancelled)
    def _cancelled(self, recorded: Recorded, _: BulkCancelled, rows: BulkRows) -> None:
        rows.say(recorded, cancelled_at=recorded.recorded_at, cancelled_by=recorded.meta.actor)

    @on(BulkUndoBegun)
    def _undo_begun(self, recorded: Recorded, event: BulkUndoBegun, rows: BulkRows) -> None:
        rows.say(
            recorded,
            undo_begun_at=recorded.recorded_at,
            undo_begun_by=recorded.meta.actor,
            undo_attempt=event.attempt or 1,
        )

    @on(BulkActionUndone)
    def _reversed(self, recorded: Recorded, event: BulkActionUndone, rows: BulkRows) -> None:
        said = (event.bulk_id, recorded.account_id, event.outcome, event.reason_code, event.detail)
        rows.add(_REVERSED, [said], key=2)

    @on(BulkUndone)
    def _undone(self, recorded: Recorded, event: BulkUndone, rows: BulkRows) -> None:
        said = event.model_dump(include={"done", "changed", "failed"})
        counts = {f"undone_{name}": count for name, count in said.items()}
        rows.say(recorded, **counts, undone_attempt=event.attempt or 1, undone_at=recorded.recorded_at)

    # --- schedules ---

    @on(BulkScheduled)
    def _scheduled(self, recorded: Recorded, event: BulkScheduled, rows: BulkRows) -> None:
        said = event.model_dump(mode="json", exclude={"opens_at"})
        rows.say_of_schedule(recorded, **said, made_at=recorded.recorded_at, made_by=recorded.meta.actor)

    @on(ScheduleFellDue)
    def _fell_due(self, recorded: Recorded, event: ScheduleFellDue, rows: BulkRows) -> None:
        said = event.model_dump(mode="json", exclude={"office_id", "run_id", "next_opens_at"})
        rows.say_of_run(recorded, event.run_id, **said, fell_due_at=recorded.recorded_at)

    @on(ScheduleRan)
    def _ran(self, recorded: Recorded, event: ScheduleRan, rows: BulkRows) -> None:
        said = event.model_dump(mode="json", exclude={"run_id"})
        rows.say_of_run(recorded, event.run_id, **said, ended_at=recorded.recorded_at)

    @on(ScheduleCancelled)
    def _schedule_cancelled(self, recorded: Recorded, _: ScheduleCancelled, rows: BulkRows) -> None:
        rows.say_of_schedule(recorded, cancelled_at=recorded.recorded_at, cancelled_by=recorded.meta.actor)
