"""What came in becomes facts: on the account that it is about, or, where there is none, kept for a person."""

import time
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

import structlog
from psycopg import Connection

from adapters.eventstore.application import AggregateNotFoundError, Arrears
from adapters.inbound.incoming import IncomingMessage, IncomingReceipt
from adapters.inbound.mail import as_message, read_mail
from adapters.inbound.matching import (
    NotReady,
    OurMessage,
    UnknownMessage,
    accounts_with,
    filled_at,
    last_written_to,
    messages_shown,
    our_messages,
    shows_all,
    unmatched_messages,
    unmatched_shown,
)
from adapters.postgres.database import Database
from aggregates.account import Account
from aggregates.account.inbound import ReceiveMessage, RecordReceipt, receipt_id
from aggregates.kernel.actor import Actor
from aggregates.kernel.command import Accepted, Command, Issued, Rejected, identifier
from aggregates.kernel.personal import ERASED
from aggregates.unmatched import KeepUnmatched, SettleUnmatched, UnmatchedMessage, UnmatchedReceived, UnmatchedState
from aggregates.values.contact import Channel

ACTOR = Actor.service("inbound")

_PATIENCE_SECONDS = 3.0
_LOOK_SECONDS = 0.1
"""While read tables are behind."""

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class Outcome(StrEnum):
    """What became of something that came in."""

    FILED = "filed"
    UNMATCHED = "unmatched"
    KNOWN = "known"
    """It came before."""


class Refused(Exception):
    """What came in cannot be recorded; the text says why, without quoting it."""


class Receiver:
    """Stores what came in; whatever comes twice is one fact, because ids follow from those of the source."""

    def __init__(self, arrears: Arrears, database: Database) -> None:
        self._arrears = arrears
        self._database = database
        self._filled_at: int | None = None
        """The filling in of names after which nothing is to be looked at again any more."""
        self._seen_filled: tuple[int, int] | None = None
        """The last filling in that was seen to be done, and where the log ended then."""

    def receive(self, message: IncomingMessage, *, comes_again: bool = True) -> Outcome:
        """Where nobody can say now whose it is, it `comes_again` (NotReady), or is kept for a person."""
        inbound_id = identifier("inbound", message.source, message.source_id)
        if self._is_kept(inbound_id):
            return Outcome.KNOWN
        is_unsure = False
        try:
            account_id, answered, shared = self._match(message)
        except NotReady:
            if comes_again:
                raise
            account_id, answered, shared, is_unsure = None, None, [], True
        if account_id is not None:
            command = ReceiveMessage(
                account_id=account_id,
                channel=message.channel,
                sender=message.sender,
                text=message.text,
                subject=message.subject or None,
                received_at=message.received_at,
                in_reply_to=None if answered is None else answered.message_id,
                is_automatic=message.is_automatic,
                is_confirmed=message.is_confirmed,
                source=message.source,
                source_id=message.source_id,
                shared_with=tuple(each for each in shared if each != account_id),
            )
            outcome = self._issue(command, inbound_id)
            if isinstance(outcome, Accepted):
                return Outcome.FILED
            _log.warning("a message was not taken by its account", reason=outcome.reason_code)
        self._keep(message, inbound_id, is_unsure=is_unsure)
        return Outcome.UNMATCHED

    def take_mail(self, raw: bytes, now: datetime) -> Outcome:
        """A mail as it came. A report about a message that is not known any more is kept as a message. Raises NotReady,
        Refused."""
        read = read_mail(raw, now)
        if isinstance(read, IncomingMessage):
            return self.receive(read)
        for receipt in read:
            try:
                self.report(receipt)
            except UnknownMessage:
                return self.receive(as_message(raw, now))
        return Outcome.FILED

    def report(self, receipt: IncomingReceipt) -> None:
        """Raises UnknownMessage where there is none, NotReady where the read tables do not have it yet; Refused."""
        with self._database.connect("arrears_app", autocommit=True) as connection:
            message = self._reported(connection, receipt.message_id)
            point = receipt.point or self._point_of(message)
            shared = accounts_with(connection, self._arrears, message.channel, point) if point else []
        command = RecordReceipt(
            account_id=message.account_id,
            message_id=message.message_id,
            channel=message.channel,
            receipt=receipt.receipt,
            code=receipt.code,
            detail=receipt.detail,
            point=point,
            at=min(receipt.at, self._arrears.clock.now()),
            shared_with=tuple(each for each in shared if each != message.account_id),
        )
        outcome = self._issue(command, receipt_id(receipt.message_id, receipt.receipt))
        if isinstance(outcome, Rejected):
            raise Refused(outcome.detail)

    def shared_with(self, message: ReceiveMessage) -> ReceiveMessage:
        """A message that a person records, with the other accounts that have the number or address. Raises NotReady."""
        channel, answers = message.channel.channel, message.in_reply_to
        with self._database.connect("arrears_app", autocommit=True) as connection:
            known = our_messages(connection, [answers]) if answers is not None else {}
            answered = known.get(answers) if answers is not None else None
            shared = self._shared(connection, channel, message.sender, answered)
        others = tuple(each for each in shared if each != message.account_id)
        return message.model_copy(update={"shared_with": others})

    def look_again(self) -> int:
        """Once names and numbers were filled in, and first of all when this begins: what came meanwhile, when nobody
        could say whose it is, is put on the account that it is about; so is what was assigned by a process that died
        over it. How many were. Whoever gets a number later has nothing to do with what came from it before.

        The table of what came may be behind: it is looked at again until it shows what was stored by then."""
        with self._database.connect("arrears_app", autocommit=True) as connection:
            filled = filled_at(connection)
            if filled is None or filled == self._filled_at:
                self._filled_at, self._seen_filled = filled, None
                return 0
            end, shown = unmatched_shown(connection)
            waiting = unmatched_messages(connection)
        if self._seen_filled is None or self._seen_filled[0] != filled:
            self._seen_filled = (filled, end)
        matched = 0
        for inbound_id in waiting:
            unmatched = self._arrears.load(UnmatchedMessage, inbound_id)
            received = unmatched.received
            if received is None or received.body == ERASED:
                continue
            if unmatched.state is UnmatchedState.UNMATCHED and not received.names_missing:
                continue
            try:
                account_id, _, shared = self._match(incoming(received), is_new=False)
            except NotReady:
                return matched
            account_id = unmatched.account_id or account_id
            if account_id is None:
                continue
            others = tuple(each for each in shared if each != account_id)
            command = assigned(received, account_id).model_copy(update={"shared_with": others})
            settled = self._issue(SettleUnmatched(inbound_id=inbound_id, account_id=account_id), uuid4())
            if isinstance(settled, Rejected):
                continue
            filed = self._issue(command, assignment_id(inbound_id, account_id))
            if isinstance(filed, Rejected):
                _log.error("a message was not taken by its account", reason=filed.reason_code)
                continue
            self._arrears.keys.destroy(inbound_id)
            matched += 1
        if shown >= self._seen_filled[1]:
            self._filled_at = filled
        return matched

    # --- inside ---

    def _match(
        self, message: IncomingMessage, *, is_new: bool = True
    ) -> tuple[UUID | None, OurMessage | None, list[UUID]]:
        """The account that it is about, our message that it answers, and every account with the number or address.

        An answer is about the account of what it answers; else the message is about the account with the number or
        address that was written to last, else the first of them by number. Where there is none, and the read tables
        are behind the log, it is looked for again for a while: a number may just have been told.
        """
        channel = message.channel.channel
        until = time.monotonic() + (_PATIENCE_SECONDS if is_new else 0)
        while True:
            with self._database.connect("arrears_app", autocommit=True) as connection:
                is_last = time.monotonic() >= until or shows_all(connection)
                known = our_messages(connection, message.answers) if message.answers else {}
                answered = next((known[each] for each in message.answers if each in known), None)
                shared = self._shared(connection, channel, message.sender, answered)
                if answered is not None:
                    return answered.account_id, answered, shared
                if shared:
                    return last_written_to(connection, shared, channel) or shared[0], None, shared
            if is_last:
                return None, None, []
            time.sleep(_LOOK_SECONDS)

    def _shared(
        self, connection: Connection[Any], channel: Channel, sender: str, answered: OurMessage | None
    ) -> list[UUID]:
        """Every account that has the sender's number or address, or that to which the answered message went. Raises
        NotReady."""
        point = self._point_of(answered) if answered is not None and answered.channel is channel else None
        found = [
            accounts_with(connection, self._arrears, channel, each) for each in dict.fromkeys([sender, point]) if each
        ]
        return list(dict.fromkeys(account_id for accounts in found for account_id in accounts))

    def _reported(self, connection: Connection[Any], message_id: UUID) -> OurMessage:
        """Our message that a report is about, which may have left just now. Raises UnknownMessage, NotReady."""
        until = time.monotonic() + _PATIENCE_SECONDS
        end, shown = messages_shown(connection)
        while (message := our_messages(connection, [message_id]).get(message_id)) is None:
            if shown >= end:  # whatever was sent before the report came is shown
                raise UnknownMessage("no message has this id")
            if time.monotonic() >= until:
                raise NotReady("messages are not shown yet")
            time.sleep(_LOOK_SECONDS)
            _, shown = messages_shown(connection)
        return message

    def _point_of(self, message: OurMessage) -> str | None:
        try:
            account = self._arrears.load(Account, message.account_id)
        except AggregateNotFoundError:
            return None
        sent = account.contact_history.contacts.get(message.message_id)
        return sent.to if sent is not None else account.contact_history.point(message.channel, message.point_id)

    def _is_kept(self, inbound_id: UUID) -> bool:
        return bool(self._arrears.load_many(UnmatchedMessage, [inbound_id]))

    def _keep(self, message: IncomingMessage, inbound_id: UUID, *, is_unsure: bool) -> None:
        command = KeepUnmatched(
            inbound_id=inbound_id,
            channel=message.channel,
            sender=message.sender,
            subject=message.subject or None,
            text=message.text,
            received_at=message.received_at,
            is_automatic=message.is_automatic,
            source=message.source,
            source_id=message.source_id,
            names_missing=True if is_unsure else None,
        )
        outcome = self._issue(command, identifier("unmatched", inbound_id))
        if isinstance(outcome, Rejected):
            raise Refused(outcome.detail)

    def _issue(self, command: Command, command_id: UUID) -> Accepted | Rejected:
        [outcome] = self._arrears.handle([Issued(command, command_id, actor=ACTOR, keeps_refusal=False)])
        return outcome


def incoming(received: UnmatchedReceived) -> IncomingMessage:
    """A message that was kept without an account, as it came in."""
    return IncomingMessage(
        channel=received.channel,
        sender=received.sender,
        text=received.body,
        subject=received.subject,
        received_at=received.received_at,
        is_automatic=received.is_automatic,
        source=received.source,
        source_id=received.source_id,
    )


def assigned(received: UnmatchedReceived, account_id: UUID) -> ReceiveMessage:
    """A message that was kept without an account, as if it had come to this one."""
    return ReceiveMessage(
        account_id=account_id,
        channel=received.channel,
        sender=received.sender,
        text=received.body,
        subject=received.subject,
        received_at=received.received_at,
        is_automatic=received.is_automatic,
        source=received.source,
        source_id=received.source_id,
    )


def assignment_id(inbound_id: UUID, account_id: UUID) -> UUID:
    """The id of the command that puts it there."""
    return identifier("assigned", inbound_id, account_id)
