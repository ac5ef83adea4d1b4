"""Messages of an account or an office, and what became of them."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from psycopg import Connection
from psycopg.rows import DictRow

from aggregates.account.messages import MessageFailed
from aggregates.values.contact import Channel
from aggregates.values.money import Money
from projections.answer import AmountText, Answer
from projections.messages.projection import Standing
from projections.opening import Opens, without_nul
from projections.questions.paging import check_limit, cursor_after, key_after
from projections.questions.scope import rows


class MessageRow(Answer):
    """A message. Without a step it was written by hand; `detail` may be personal text."""

    message_id: UUID
    account_id: UUID
    number: str | None
    office: str | None
    state: Standing
    channel: Channel
    point_id: str
    queued_at: datetime
    queued_by: str
    changed_at: datetime
    campaign_id: UUID | None
    plan_version: int | None
    step_id: str | None
    step_title: str | None
    template_id: UUID | None
    template_version: int | None
    amount: AmountText
    currency: str
    code: str | None
    """Why it failed or was withdrawn."""
    detail: str | None


class MessagesReport(Answer):
    """A page of messages, the newest first."""

    rows: tuple[MessageRow, ...]
    next_cursor: str | None


_PAGE = """
SELECT message.*, account.number, office.code AS office
FROM read_model.messages AS message
LEFT JOIN read_model.ledger_accounts AS account USING (account_id)
LEFT JOIN read_model.ledger_offices  AS office  USING (office_id)
WHERE (%(account_id)s::uuid IS NULL OR message.account_id = %(account_id)s)
  AND (%(office)s::text IS NULL OR office.code = %(office)s)
  AND (%(state)s::text IS NULL OR message.state = %(state)s)
  AND (%(position)s::bigint IS NULL OR message.position < %(position)s::bigint)
ORDER BY message.position DESC
LIMIT %(limit)s
"""


def messages(
    connection: Connection[Any],
    log: Opens,
    *,
    account_id: UUID | None = None,
    office: str | None = None,
    state: Standing | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> MessagesReport:
    """Messages as they stand now; `log` opens the events that say in a carrier's words why one failed.

    Raises BadQuestion.
    """
    (position,) = key_after(cursor, "position", 1)
    asked = {
        "account_id": account_id,
        "office": office,
        "state": state,
        "position": position,
        "limit": check_limit(limit) + 1,
    }
    found = rows(connection, asked, _PAGE)
    page = found[:limit]
    return MessagesReport(
        rows=tuple(map(_row, _with_details(page, log))),
        next_cursor=cursor_after("position", page[-1]["position"]) if len(found) > limit else None,
    )


def _with_details(page: Sequence[DictRow], log: Opens) -> list[DictRow]:
    failed = log.at([each["last_position"] for each in page if each["state"] == Standing.FAILED])
    said = {
        position: without_nul(recorded.event.detail)
        for position, recorded in failed.items()
        if isinstance(recorded.event, MessageFailed)
    }
    return [{**each, "detail": each["detail"] or said.get(each["last_position"])} for each in page]


def _row(found: DictRow) -> MessageRow:
    amount: Decimal = Money(found["amount_minor"], found["currency"]).decimal()
    return MessageRow.model_validate(
        {**{name: found[name] for name in MessageRow.model_fields if name in found}, "amount": amount}
    )
