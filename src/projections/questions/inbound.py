"""Messages that customers wrote: to be read, without an account, and in a conversation with ours."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import Connection
from psycopg.rows import DictRow
from pydantic import Field

from aggregates.account.inbound import Incoming, MessageReceived, Receipt
from aggregates.account.messages import MessageSent, MessageWritten
from aggregates.unmatched import UnmatchedReceived, UnmatchedState
from aggregates.values.stop_words import Request
from projections.answer import Answer
from projections.opening import Opens, without_nul
from projections.questions.paging import check_limit, cursor_after, key_after
from projections.questions.scope import rows


class ReceivedRow(Answer):
    """A message of a customer's. `sender`, `subject` and `text` are personal text."""

    inbound_id: UUID
    account_id: UUID
    number: str | None
    """The account's."""
    office: str | None
    channel: Incoming
    received_at: datetime
    sender: str | None
    subject: str | None
    text: str | None
    state: str
    """`to-read`, `read`, or `noted`: nobody has to read it."""
    request: Request | None
    """What its words ask for; of `unclear` whoever reads it says whether it is an opt-out."""
    is_automatic: bool
    in_reply_to: UUID | None
    source: str | None
    """What it came through; null where a person recorded it."""
    shared_with: tuple[UUID, ...]
    """Other accounts that have the number or address."""
    read_by: str | None
    read_at: datetime | None


class ReceivedReport(Answer):
    """A page of messages of customers, the newest first."""

    rows: tuple[ReceivedRow, ...]
    next_cursor: str | None


class UnmatchedRow(Answer):
    """A message from a number or address that no account had. Sender, subject and text are personal text."""

    inbound_id: UUID
    channel: Incoming
    source: str
    received_at: datetime
    sender: str | None
    subject: str | None
    text: str | None
    state: UnmatchedState
    account_id: UUID | None
    """The account to which a person assigned it."""


class UnmatchedReport(Answer):
    """A page of messages without an account, the newest first."""

    rows: tuple[UnmatchedRow, ...]
    next_cursor: str | None


class ThreadEntry(Answer):
    """A message in a conversation, ours or the customer's. Subject, text and sender are personal text."""

    id: UUID
    account_id: UUID
    """The account that it is on; another one where that has the same number or address."""
    direction: str
    """`inbound` or `outbound`."""
    channel: Incoming
    point_id: str | None
    at: datetime
    state: str
    """Of ours, how it stands; of the customer's, `to-read`, `read` or `noted`."""
    sender: str | None
    """Of the customer's, the number or address that it came from."""
    subject: str | None
    text: str | None
    """Of ours as it left; before that, what was written by hand."""
    by: str | None
    """Who sent it, or who read it."""
    request: Request | None
    in_reply_to: UUID | None
    receipts: tuple[Receipt, ...] = Field(())
    """What the carrier reported of ours, in the order in which it did."""


class ThreadPage(Answer):
    """A page of the messages of an account's conversations, the newest first."""

    rows: tuple[ThreadEntry, ...]
    next_cursor: str | None


_RECEIVED = """
SELECT received.*, account.number, office.code AS office
FROM read_model.received_messages AS received
LEFT JOIN read_model.ledger_accounts AS account USING (account_id)
LEFT JOIN read_model.ledger_offices  AS office  USING (office_id)
WHERE (%(account_id)s::uuid IS NULL OR received.account_id = %(account_id)s)
  AND (%(office)s::text IS NULL OR office.code = %(office)s)
  AND (%(state)s::text IS NULL OR received.state = %(state)s)
  AND (%(position)s::bigint IS NULL OR received.position < %(position)s::bigint)
ORDER BY received.position DESC
LIMIT %(limit)s
"""
_UNMATCHED = """
SELECT * FROM read_model.unmatched_messages AS unmatched
WHERE (%(state)s::text IS NULL OR state = %(state)s)
  AND (%(position)s::bigint IS NULL OR position < %(position)s::bigint)
ORDER BY position DESC
LIMIT %(limit)s
"""
_THREADS = """
SELECT * FROM (
    SELECT inbound_id AS id, account_id, position, position AS said_at, 'inbound' AS direction, channel, point_id,
           received_at AS at, state, read_by AS by, request, in_reply_to
    FROM read_model.received_messages
    WHERE account_id = %(account_id)s OR shared_with @> ARRAY[%(account_id)s::uuid]
    UNION ALL
    SELECT message_id, account_id, position, CASE state WHEN 'sent' THEN last_position ELSE position END,
           'outbound', channel, point_id,
           CASE state WHEN 'sent' THEN changed_at ELSE queued_at END, state, queued_by, NULL, NULL
    FROM read_model.messages
    WHERE account_id = %(account_id)s AND channel IN ('sms', 'email')
) AS entry
WHERE (%(position)s::bigint IS NULL OR position < %(position)s::bigint)
ORDER BY position DESC
LIMIT %(limit)s
"""
_RECEIPTS = """
SELECT message_id, array_agg(receipt ORDER BY position) AS receipts
FROM read_model.message_receipts WHERE message_id = ANY (%(messages)s) GROUP BY message_id
"""


def received(
    connection: Connection[Any],
    log: Opens,
    *,
    account_id: UUID | None = None,
    office: str | None = None,
    state: str | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> ReceivedReport:
    """Messages of customers, the newest first; `log` opens what they say. Raises BadQuestion."""
    asked = {"account_id": account_id, "office": office, "state": state}
    found, following = _page(connection, _RECEIVED, asked, limit, cursor)
    opened = log.at([each["position"] for each in found])
    said = [{**each, **_said(opened.get(each["position"]))} for each in found]
    return ReceivedReport(rows=tuple(_as(ReceivedRow, each) for each in said), next_cursor=following)


def unmatched(
    connection: Connection[Any],
    log: Opens,
    *,
    state: UnmatchedState | None = UnmatchedState.UNMATCHED,
    limit: int = 50,
    cursor: str | None = None,
) -> UnmatchedReport:
    """Messages that no account had, the newest first; `log` opens what they say. Raises BadQuestion."""
    found, following = _page(connection, _UNMATCHED, {"state": state}, limit, cursor)
    opened = log.at([each["position"] for each in found])
    said = [{**each, **_said(opened.get(each["position"]))} for each in found]
    return UnmatchedReport(rows=tuple(_as(UnmatchedRow, each) for each in said), next_cursor=following)


def thread_entries(
    connection: Connection[Any], log: Opens, account_id: UUID, *, limit: int = 200, cursor: str | None = None
) -> ThreadPage:
    """Texts and e-mails with the customer of an account, the newest first, and those of others from the same numbers
    and addresses. Raises BadQuestion."""
    found, following = _page(connection, _THREADS, {"account_id": account_id}, limit, cursor)
    opened = log.at([each["said_at"] for each in found])
    ours = [each["id"] for each in found if each["direction"] == "outbound"]
    receipts = {each["message_id"]: each["receipts"] for each in rows(connection, {"messages": ours}, _RECEIPTS)}
    said = [{**each, **_said(opened.get(each["said_at"])), "receipts": receipts.get(each["id"], ())} for each in found]
    return ThreadPage(rows=tuple(_as(ThreadEntry, each) for each in said), next_cursor=following)


def _page(
    connection: Connection[Any], query: str, asked: Mapping[str, object], limit: int, cursor: str | None
) -> tuple[Sequence[DictRow], str | None]:
    (position,) = key_after(cursor, "position", 1)
    found = rows(connection, {**asked, "position": position, "limit": check_limit(limit) + 1}, query)
    page = found[:limit]
    return page, cursor_after("position", page[-1]["position"]) if len(found) > limit else None


def _said(recorded: Any) -> dict[str, str | None]:
    """Who says what in the event of a message."""
    said: dict[str, str | None] = {"sender": None, "subject": None, "text": None}
    match None if recorded is None else recorded.event:
        case MessageReceived() | UnmatchedReceived() as event:
            said |= {"sender": event.sender, "subject": event.subject, "text": event.body}
        case MessageSent() | MessageWritten() as ours:
            said |= {"subject": ours.subject, "text": ours.body}
    return {name: without_nul(each) for name, each in said.items()}


def _as(model: type[Any], found: DictRow) -> Any:
    return model.model_validate({name: found[name] for name in model.model_fields if name in found})
