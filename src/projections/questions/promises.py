"""Promises to pay as of a day."""

from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from psycopg import Connection
from psycopg.rows import DictRow

from aggregates.kernel.event import Recorded
from aggregates.promise import PromiseMade, PromiseStatus
from aggregates.values.money import Money
from projections.answer import Answer
from projections.opening import Opens, without_nul
from projections.promises.projection import STATE
from projections.questions.names import FILLED, Names, names
from projections.questions.paging import check_limit, cursor_after, key_after
from projections.questions.scope import LEDGER, Scope, parameters_of, rows, scope_of


class PromisedInstalment(Answer):
    """A part of the promise."""

    due_on: date
    amount: Decimal


class PromiseRow(Answer):
    """A promise; `due_on` is its last instalment's day. `notes` is personal text."""

    promise_id: UUID
    account_id: UUID
    number: str
    customer_name: str
    made_on: date
    due_on: date
    instalments: tuple[PromisedInstalment, ...]
    promised: Decimal
    received: Decimal
    currency: str
    status: PromiseStatus
    level: int
    grace_days: int
    assignee: str | None
    notes: str | None
    judged_on: date | None


class PromisesReport(Answer):
    """A page of promises, the earliest due first."""

    as_of: date
    currency: str
    rows: tuple[PromiseRow, ...]
    next_cursor: str | None
    names: Names = FILLED


PROMISES_AS_OF = """
, promises AS (
    SELECT promise.*, account.number
    FROM (
        SELECT history.account_id, {state}
        FROM read_model.promise_history AS history
        JOIN accounts AS account USING (account_id)
        WHERE history.effective_on <= %(as_of)s
          AND history.recorded_at < account.known_before
        GROUP BY history.promise_id, history.account_id
    ) AS promise
    JOIN accounts AS account USING (account_id)
    WHERE promise.made_on IS NOT NULL
)
""".replace("{state}", STATE)
"""Goes after `LEDGER`: promises as they stood at the end of a day."""

_ROWS = """
SELECT promises.*, coalesce(person.customer_name, promises.number) AS customer_name
FROM promises
LEFT JOIN personal.people AS person USING (account_id)
WHERE (%(status)s::text IS NULL OR status = %(status)s)
  AND (%(after_id)s::uuid IS NULL OR (due_on, promise_id) > (%(after)s::date, %(after_id)s::uuid))
ORDER BY due_on, promise_id
LIMIT %(limit)s
"""


def promises(
    connection: Connection[Any],
    log: Opens,
    *,
    as_of: date,
    known_on: date | None = None,
    office: str | None = None,
    currency: str | None = None,
    account_id: UUID | None = None,
    status: PromiseStatus | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> PromisesReport:
    """Promises made up to a day, with what had come in towards them and what they were judged by then.

    `log` opens the events that have notes. Raises ReportRefused.
    """
    scope = scope_of(connection, office=office, currency=currency)
    after, after_id = key_after(cursor, "due_on", 2)
    asked = {
        **parameters_of(scope, as_of=as_of, known_on=known_on),
        "account_id": account_id,
        "status": status,
        "after": after,
        "after_id": after_id,
        "limit": check_limit(limit) + 1,
    }
    found = rows(connection, asked, LEDGER, PROMISES_AS_OF, _ROWS)
    page = found[:limit]
    noted = log.at([each["notes_position"] for each in page if each["notes_position"] is not None])
    return PromisesReport(
        as_of=as_of,
        currency=scope.currency,
        rows=tuple(_row(each, _notes(noted.get(each["notes_position"])), scope) for each in page),
        next_cursor=cursor_after("due_on", page[-1]["due_on"], page[-1]["promise_id"]) if len(found) > limit else None,
        names=names(connection),
    )


def _notes(made: Recorded | None) -> str | None:
    return without_nul(made.event.notes) if made is not None and isinstance(made.event, PromiseMade) else None


def _row(found: DictRow, notes: str | None, scope: Scope) -> PromiseRow:
    def amount(minor: int) -> Decimal:
        return Money(minor, scope.currency).decimal()

    return PromiseRow(
        **{name: found[name] for name in PromiseRow.model_fields if name in found and name != "instalments"},
        instalments=tuple(
            PromisedInstalment(due_on=each["due_on"], amount=amount(each["amount_minor"]))
            for each in found["instalments"]
        ),
        notes=notes,
        promised=amount(found["promised_minor"]),
        received=amount(found["received_minor"]),
    )
