"""Whose account a message is about: accounts that have the number or address, and those that were written to."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg import Connection

from adapters.eventstore.application import Arrears
from aggregates.account import Account
from aggregates.values.contact import Channel
from projections.people.terms import compared, digits_of, terms_asked
from projections.questions.names import FILLED, names

MOST_ACCOUNTS = 1_000
"""Of one number or address."""
_COMPARED_DIGITS = 7
"""The last ones of a number, which are the same however the beginning is dialled."""

_FOUND = """
    SELECT account_id FROM personal.people
    WHERE terms @> %s::integer[] AND strpos(searched, %s::text) > 0
    ORDER BY number, account_id LIMIT %s
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
_MESSAGES = "SELECT message_id, account_id, channel, point_id FROM read_model.messages WHERE message_id = ANY (%s)"


class NotReady(Exception):
    """The read tables cannot say whose account it is now; whoever asks comes again."""


class UnknownMessage(NotReady):
    """No message has this id, as far as the read tables know."""


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
    part = compared(text) if channel is Channel.EMAIL else digits_of(text)[-_COMPARED_DIGITS:]
    if not part:
        return []
    asked = [terms_asked(part), part, MOST_ACCOUNTS]
    found = [row[0] for row in connection.execute(_FOUND, asked, prepare=True)]
    known = {each.id: each for each in arrears.load_many(Account, found)} if found else {}
    return [each for each in found if each in known and known[each].contact.ids_of(channel, text)]


def shows_all(connection: Connection[Any]) -> bool:
    """Whether numbers and addresses are found as the log has them at this moment: nothing stored is behind."""
    row = connection.execute(_SHOWS_ALL, prepare=True).fetchone()
    return row is not None and bool(row[0])


def last_written_to(connection: Connection[Any], accounts: Sequence[UUID], channel: Channel) -> UUID | None:
    """Of these accounts the one that was written to last over the channel."""
    row = connection.execute(_WRITTEN_TO, [list(accounts), channel.value], prepare=True).fetchone()
    return None if row is None else row[0]


def our_messages(connection: Connection[Any], message_ids: Iterable[UUID]) -> dict[UUID, OurMessage]:
    """Those that the read table knows."""
    found = connection.execute(_MESSAGES, [list(message_ids)], prepare=True)
    return {row[0]: OurMessage(row[0], row[1], Channel(row[2]), row[3]) for row in found}
