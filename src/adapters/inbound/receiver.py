"""What came in becomes facts: on the account that it is about, or, where there is none, kept for a person."""

import time
from datetime import datetime
from enum import StrEnum
from uuid import UUID

import structlog

from adapters.eventstore.application import AggregateNotFoundError, Arrears
from adapters.inbound.incoming import IncomingMessage, IncomingReceipt
from adapters.inbound.mail import as_message, read_mail
from adapters.inbound.matching import (
    NotReady,
    OurMessage,
    UnknownMessage,
    accounts_with,
    last_written_to,
    our_messages,
    shows_all,
)
from adapters.postgres.database import Database
from aggregates.account import Account
from aggregates.account.inbound import ReceiveMessage, RecordReceipt
from aggregates.kernel.actor import Actor
from aggregates.kernel.command import Accepted, Command, Issued, Rejected, identifier
from aggregates.unmatched import KeepUnmatched, UnmatchedMessage

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

    def receive(self, message: IncomingMessage, *, comes_again: bool = True) -> Outcome:
        """Where nobody can say now whose it is, it `comes_again` (NotReady), or is kept for a person."""
        inbound_id = identifier("inbound", message.source, message.source_id)
        if self._is_kept(inbound_id):
            return Outcome.KNOWN
        try:
            account_id, answered, shared = self._match(message)
        except NotReady:
            if comes_again:
                raise
            account_id, answered, shared = None, None, []
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
        self._keep(message, inbound_id)
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
        """Raises UnknownMessage where there is none, or the read tables do not have it yet; NotReady, Refused."""
        with self._database.connect("arrears_app") as connection:
            message = our_messages(connection, [receipt.message_id]).get(receipt.message_id)
            if message is None:
                raise UnknownMessage("no message has this id")
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
        outcome = self._issue(command, identifier("receipt", receipt.message_id, receipt.receipt))
        if isinstance(outcome, Rejected):
            raise Refused(outcome.detail)

    def shared_with(self, message: ReceiveMessage) -> ReceiveMessage:
        """A message that a person records, with the other accounts that have the number or address. Raises NotReady."""
        with self._database.connect("arrears_app") as connection:
            found = accounts_with(connection, self._arrears, message.channel.channel, message.sender)
        others = tuple(each for each in found if each != message.account_id)
        return message.model_copy(update={"shared_with": others})

    # --- inside ---

    def _match(self, message: IncomingMessage) -> tuple[UUID | None, OurMessage | None, list[UUID]]:
        """The account that it is about, our message that it answers, and every account with the number or address.

        An answer is about the account of what it answers; else the message is about the account with the number or
        address that was written to last, else the first of them by number. Where there is none, and the read tables
        are behind the log, it is looked for again for a while: a number may just have been told.
        """
        channel = message.channel.channel
        until = time.monotonic() + _PATIENCE_SECONDS
        while True:
            with self._database.connect("arrears_app", autocommit=True) as connection:
                is_last = time.monotonic() >= until or shows_all(connection)
                known = our_messages(connection, message.answers) if message.answers else {}
                answered = next((known[each] for each in message.answers if each in known), None)
                shared = accounts_with(connection, self._arrears, channel, message.sender)
                if answered is not None:
                    return answered.account_id, answered, shared
                if shared:
                    return last_written_to(connection, shared, channel) or shared[0], None, shared
            if is_last:
                return None, None, []
            time.sleep(_LOOK_SECONDS)

    def _point_of(self, message: OurMessage) -> str | None:
        try:
            account = self._arrears.load(Account, message.account_id)
        except AggregateNotFoundError:
            return None
        sent = account.contact_history.contacts.get(message.message_id)
        return sent.to if sent is not None else account.contact_history.point(message.channel, message.point_id)

    def _is_kept(self, inbound_id: UUID) -> bool:
        return bool(self._arrears.load_many(UnmatchedMessage, [inbound_id]))

    def _keep(self, message: IncomingMessage, inbound_id: UUID) -> None:
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
        )
        outcome = self._issue(command, identifier("unmatched", inbound_id))
        if isinstance(outcome, Rejected):
            raise Refused(outcome.detail)

    def _issue(self, command: Command, command_id: UUID) -> Accepted | Rejected:
        [outcome] = self._arrears.handle([Issued(command, command_id, actor=ACTOR, keeps_refusal=False)])
        return outcome
