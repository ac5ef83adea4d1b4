"""From promises' events to their history, and from the history to the promises of now."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar
from uuid import UUID

import orjson
from psycopg import Connection

from aggregates.kernel.event import Recorded
from aggregates.promise import (
    Instalment,
    PromiseBroken,
    PromiseKept,
    PromiseMade,
    PromisePartiallyKept,
    PromisePaymentCounted,
    PromisePaymentTakenBack,
    PromiseReopened,
    PromiseRescheduled,
    PromiseStatus,
    PromiseWithdrawn,
    promised_amount,
)
from projections.batch import EventProjection, Row, Table, on

_SAID = {
    "made_on": "date",
    "due_on": "date",
    "instalments": "jsonb",
    "promised_minor": "bigint",
    "received_minor": "bigint",
    "currency": "text",
    "status": "text",
    "level": "integer",
    "grace_days": "integer",
    "assignee": "text",
    "notes_position": "bigint",
    "judged_on": "date",
}
"""What an event may say of a promise."""

_HISTORY = Table(
    "promise_history",
    key="promise_id, position",
    columns=[
        "promise_id uuid", "position bigint", "event_id uuid", "account_id uuid", "effective_on date",
        "recorded_at timestamptz",
        *(f"{name} {kind}" for name, kind in _SAID.items()),
    ],
)  # fmt: skip


def _last(column: str, said: str | None = None) -> str:
    """The last value that the history has for a column, looking only at events that say something of `said`."""
    return f"(array_agg({column} ORDER BY position DESC) FILTER (WHERE {said or column} IS NOT NULL))[1] AS {column}"


STATE = ", ".join(
    [
        "promise_id",
        *(_last(name) for name in _SAID if name != "judged_on"),
        _last("judged_on", said="status"),
        "max(position) AS position",
    ]
)
"""Select list that folds rows of `promise_history`, grouped by promise and account, into one promise."""

_COLUMNS = ["promise_id", "account_id", *_SAID, "position"]
_REFRESH = f"""
    INSERT INTO promises ({", ".join(_COLUMNS)})
    SELECT {", ".join(_COLUMNS)}
    FROM (
        SELECT account_id, {STATE}
        FROM promise_history
        WHERE promise_id = ANY (%s)
        GROUP BY promise_id, account_id
    ) AS state
    WHERE made_on IS NOT NULL
    ON CONFLICT (promise_id) DO UPDATE
    SET {", ".join(f"{name} = excluded.{name}" for name in _COLUMNS[1:])}
    WHERE promises.position < excluded.position
"""  # noqa: S608


@dataclass(slots=True)
class PromiseRows:
    """What a batch says of promises."""

    history: list[Row] = field(default_factory=list)
    touched: set[UUID] = field(default_factory=set)

    def say(self, recorded: Recorded, **said: object) -> None:
        self.touched.add(recorded.aggregate_id)
        self.history.append(
            (
                recorded.aggregate_id, recorded.position, recorded.event_id, recorded.account_id, recorded.effective_on,
                recorded.recorded_at, *(said.get(name) for name in _SAID),
            )
        )  # fmt: skip

    def write(self, connection: Connection[Any]) -> None:
        if self.touched:
            _HISTORY.add(connection, self.history)
            connection.execute(_REFRESH, [list(self.touched)], prepare=True)


class PromisesProjection(EventProjection):
    """One row per promise to pay."""

    folder: ClassVar[Path] = Path(__file__).parent
    name: ClassVar[str] = "promises"
    version: ClassVar[int] = 2
    public: ClassVar[tuple[str, ...]] = ("promises", "promise_history")

    def handle(self, batch: Sequence[Recorded], connection: Connection[Any]) -> None:
        rows = PromiseRows()
        self.tell(batch, rows)
        rows.write(connection)

    @on(PromiseMade)
    def _made(self, recorded: Recorded, event: PromiseMade, rows: PromiseRows) -> None:
        rows.say(
            recorded,
            made_on=event.made_on,
            received_minor=0,
            status=PromiseStatus.OPEN,
            level=event.level,
            grace_days=event.grace_days,
            assignee=event.assignee,
            notes_position=recorded.position if event.notes else None,
            **_promised(event.instalments),
        )

    @on(PromiseRescheduled)
    def _rescheduled(self, recorded: Recorded, event: PromiseRescheduled, rows: PromiseRows) -> None:
        rows.say(recorded, grace_days=event.grace_days, **_promised(event.instalments))

    @on(PromisePaymentCounted, PromisePaymentTakenBack)
    def _received(
        self, recorded: Recorded, event: PromisePaymentCounted | PromisePaymentTakenBack, rows: PromiseRows
    ) -> None:
        rows.say(recorded, received_minor=event.received_after.minor)

    @on(PromiseKept)
    def _kept(self, recorded: Recorded, event: PromiseKept, rows: PromiseRows) -> None:
        rows.say(recorded, status=PromiseStatus.KEPT, judged_on=event.kept_on)

    @on(PromisePartiallyKept)
    def _partially_kept(self, recorded: Recorded, event: PromisePartiallyKept, rows: PromiseRows) -> None:
        rows.say(recorded, status=PromiseStatus.PARTIALLY_KEPT, judged_on=event.judged_on)

    @on(PromiseBroken)
    def _broken(self, recorded: Recorded, event: PromiseBroken, rows: PromiseRows) -> None:
        rows.say(recorded, status=PromiseStatus.BROKEN, judged_on=event.broken_on)

    @on(PromiseWithdrawn, PromiseReopened)
    def _withdrawn_or_reopened(
        self, recorded: Recorded, event: PromiseWithdrawn | PromiseReopened, rows: PromiseRows
    ) -> None:
        if isinstance(event, PromiseWithdrawn):
            rows.say(recorded, status=PromiseStatus.WITHDRAWN, judged_on=recorded.effective_on)
        else:
            rows.say(recorded, status=PromiseStatus.OPEN)


def _promised(instalments: tuple[Instalment, ...]) -> dict[str, object]:
    promised = promised_amount(instalments)
    return {
        "due_on": max(instalment.due_on for instalment in instalments),
        "instalments": orjson.dumps(
            [{"due_on": each.due_on, "amount_minor": each.amount.minor} for each in instalments]
        ),
        "promised_minor": promised.minor,
        "currency": promised.currency,
    }
