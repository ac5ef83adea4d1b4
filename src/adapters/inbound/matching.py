"""Whose account a message is about: accounts that have the number or address, and those that were written to."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import structlog
from psycopg import Connection
from psycopg.errors import UndefinedTable

from adapters.eventstore.application import Arrears
from aggregates.account import Account
from aggregates.unmatched import UnmatchedState
from aggregates.values.contact import Channel
from aggregates.values.normal_form import Telephone, email_spellings
from projections.people.terms import compared, digits_of, terms_asked
from projections.questions.names import FILLED, names

MOST_ACCOUNTS = 1_000
"""Of one number or address."""
_AT_ONCE = 1_000
"""Of those that are looked at: of many that only look like it none is passed over."""
_COMPARED_DIGITS = 7
"""The last ones of a number, without its extension, which are the same however the beginning is dialled."""

# A part of what is searched: an address may stand in a line with a name, a number with what is dialled before it.
_FOUND = """
    SELECT number, account_id FROM personal.people
    WHERE terms @> %(terms)s::integer[] AND strpos(searched, %(part)s::text) > 0
      AND (number, account_id) > (%(number)s::text, %(after)s::uuid)
    ORDER BY number, account_id LIMIT %(limit)s
"""
_WRITTEN_TO = """
    SELECT account_id FROM read_model.messages
    WHERE account_id = ANY (%s) AND channel = %s AND state <> 'withdrawn' AND state <> 'failed'
    ORDER BY queued_at DESC, position DESC LIMIT 1
"""
_SHOWS_ALL = """
    SELECT NOT EXISTS (SELECT FROM arrears.events WHERE position IS NULL)
       AND coalesce((SELECT max(position) FROM arrears.events), 0)
        <= coalesce((SELECT position FROM read_model.projections JOIN read_model.checkpoints USING (reader)
                     WHERE name = 'people' AND state = 'live'), 0)
"""
_SHOWS_UP_TO = """
    SELECT coalesce((SELECT position FROM read_model.projections JOIN read_model.checkpoints USING (reader)
                     WHERE name = 'people' AND state = 'live'), 0) >= %s
"""
_SHOWN_SINCE = """
    SELECT (SELECT max(position) FROM arrears.events),
           (SELECT position FROM read_model.projections JOIN read_model.checkpoints USING (reader)
            WHERE name = 'messages' AND state = 'live')
"""
_UNMATCHED_SHOWN = """
    SELECT coalesce((SELECT max(position) FROM arrears.events), 0)
         + (SELECT count(*) FROM arrears.events WHERE position IS NULL),
           coalesce((SELECT position FROM read_model.projections JOIN read_model.checkpoints USING (reader)
                     WHERE name = 'inbound' AND state = 'live'), 0)
"""
_UNMATCHED = """
    SELECT inbound_id FROM read_model.unmatched_messages WHERE state = ANY (%s) ORDER BY position DESC LIMIT %s
"""
_MOST_UNMATCHED = 1_000
_MESSAGES = "SELECT message_id, account_id, channel, point_id FROM read_model.messages WHERE message_id = ANY (%s)"


_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class NotReady(Exception):
    """The read tables cannot say whose account it is now; whoever asks comes again."""


class UnknownMessage(NotReady):
    """No message has this id; of everything that is stored nothing is missing in the read table."""


@dataclass(frozen=True, slots=True)
class OurMessage:
    """A message that we sent."""

    message_id: UUID
    account_id: UUID
    channel: Channel
    point_id: str


def accounts_with(connection: Connection[Any], arrears: Arrears, channel: Channel, text: str) -> list[UUID]:
    """Accounts that certainly or perhaps have a number or address, by account number. Raises NotReady."""
    if names(connection) is not FILLED:
        raise NotReady("names and numbers are being filled in again")
    if channel is Channel.EMAIL:
        parts = dict.fromkeys(map(compared, email_spellings(text)))
    else:
        parts = dict.fromkeys([digits_of(Telephone(text, None).digits)[-_COMPARED_DIGITS:]])
    having = [each for part in parts if part for each in _having(connection, arrears, channel, text, part)]
    found = list(dict.fromkeys(account_id for _, account_id in sorted(having)))
    if len(found) > MOST_ACCOUNTS:
        _log.error("a number or address is on too many accounts: not all of them are told", most=MOST_ACCOUNTS)
    return found[:MOST_ACCOUNTS]


def _having(
    connection: Connection[Any], arrears: Arrears, channel: Channel, text: str, part: str
) -> list[tuple[str, UUID]]:
    """By number those of the accounts in whose numbers and addresses the part stands, and a few more than
    `MOST_ACCOUNTS` at most."""
    asked = {"terms": terms_asked(part), "part": part, "number": "", "after": UUID(int=0), "limit": _AT_ONCE}
    having: list[tuple[str, UUID]] = []
    while len(having) <= MOST_ACCOUNTS:
        page = connection.execute(_FOUND, asked, prepare=True).fetchall()
        known = {each.id: each for each in arrears.load_many(Account, [each for _, each in page])} if page else {}
        having += [each for each in page if each[1] in known and known[each[1]].contact.ids_of(channel, text)]
        if len(page) < _AT_ONCE:
            break
        asked["number"], asked["after"] = page[-1]
    return having


def filled_at(connection: Connection[Any]) -> int | None:
    """Which filling in of names and numbers is done, by its place in the log; None while one goes on, and before the
    tables are there."""
    try:
        if names(connection) is not FILLED:
            return None
    except UndefinedTable:
        return None
    row = connection.execute("SELECT max(until) FROM personal.filling").fetchone()
    return row[0] if row is not None else None


def unmatched_messages(connection: Connection[Any]) -> list[UUID]:
    """Messages that no account was found for, and that were not discarded, the newest first."""
    states = [UnmatchedState.UNMATCHED.value, UnmatchedState.ASSIGNED.value]
    found = connection.execute(_UNMATCHED, [states, _MOST_UNMATCHED], prepare=True)
    return [row[0] for row in found]


def unmatched_shown(connection: Connection[Any]) -> tuple[int, int]:
    """Where the log ends once all that is stored has its position, and up to where messages without an account are
    shown."""
    end, shown = connection.execute(_UNMATCHED_SHOWN, prepare=True).fetchone() or (0, 0)
    return end, shown


def shows_all(connection: Connection[Any]) -> bool:
    """Whether numbers and addresses are found as the log has them at this moment: nothing stored is behind."""
    row = connection.execute(_SHOWS_ALL, prepare=True).fetchone()
    return row is not None and bool(row[0])


def shows_up_to(connection: Connection[Any], position: int) -> bool:
    """Whether numbers and addresses are found as the log had them at a position, or later."""
    row = connection.execute(_SHOWS_UP_TO, [position], prepare=True).fetchone()
    return row is not None and bool(row[0])


def messages_shown(connection: Connection[Any]) -> tuple[int, int]:
    """Where the log ends, and up to where messages are shown."""
    end, shown = connection.execute(_SHOWN_SINCE, prepare=True).fetchone() or (None, None)
    return end or 0, shown or 0


def last_written_to(connection: Connection[Any], accounts: Sequence[UUID], channel: Channel) -> UUID | None:
    """Of these accounts the one that was written to last over the channel."""
    row = connection.execute(_WRITTEN_TO, [list(accounts), channel.value], prepare=True).fetchone()
    return None if row is None else row[0]


def our_messages(connection: Connection[Any], message_ids: Iterable[UUID]) -> dict[UUID, OurMessage]:
    """Those that the read table knows."""
    found = connection.execute(_MESSAGES, [list(message_ids)], prepare=True)
    return {row[0]: OurMessage(row[0], row[1], Channel(row[2]), row[3]) for row in found}
