"""Messages of customers, as people handle them: recorded by hand, assigned to an account, read; and conversations."""

from collections.abc import Iterable
from dataclasses import replace
from uuid import UUID

from pydantic import BaseModel

from adapters.eventstore.application import AggregateNotFoundError
from adapters.inbound.receiver import Receiver
from aggregates.account import Account
from aggregates.account.inbound import Incoming, ReceiveMessage
from aggregates.kernel.command import Rejected, identifier
from aggregates.unmatched import SettleUnmatched, UnmatchedMessage
from aggregates.values.contact import Channel
from aggregates.values.normal_form import may_be_same
from api.application.authority import Authority
from api.application.issuing import Caller, Done, Issuing, Refused
from api.processes.service import Service
from projections.questions import UnknownAccount
from projections.questions.inbound import ThreadEntry, ThreadPage


class ThreadView(BaseModel):
    """The conversation with one number or address, the oldest message first."""

    channel: Incoming
    point: str | None
    """The number or address, which is personal; null where it is not known any more."""
    point_id: str | None
    """Where it stands among the account's own; null: it is none of them."""
    opted_out: bool
    to_read: int
    """Messages that a person has to read."""
    messages: list[ThreadEntry]

    @property
    def answer_subject(self) -> str:
        """Of an e-mail that answers the last one that has a subject."""
        last = next((each.subject for each in reversed(self.messages) if each.subject), "")
        return last if last.lower().startswith("re:") else f"Re: {last}"[:200] if last else ""


class ThreadsView(BaseModel):
    """Conversations of an account, the one with the newest message first; `next` has earlier messages of them."""

    account_id: UUID
    threads: list[ThreadView]
    next: str | None = None


def receive_by_hand(issuing: Issuing, command: ReceiveMessage, caller: Caller) -> Done:
    """A message that a person got or heard of elsewhere. Raises NotReady and what `Issuing.issue` raises."""
    receiver = Receiver(issuing.service.arrears, issuing.service.database)
    return issuing.issue(receiver.shared_with(command), caller)


def assign(issuing: Issuing, caller: Caller, inbound_id: UUID, account_id: UUID) -> Done:
    """A message without an account is put on one. Raises NotReady and what `Issuing.issue` raises.

    Its own copy is destroyed then; ended in between, the same again does what is left.
    """
    unmatched = _unmatched(issuing.service, inbound_id)
    received = unmatched.received
    if received is not None and unmatched.may_be_settled:
        command = ReceiveMessage(
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
        receiver = Receiver(issuing.service.arrears, issuing.service.database)
        command_id = identifier("assigned", inbound_id, account_id)  # a refusal is kept, and may be of a wrong account
        issuing.issue(receiver.shared_with(command), _asking(caller), command_id=command_id)
    return _settle(issuing, caller, inbound_id, account_id)


def discard(issuing: Issuing, caller: Caller, inbound_id: UUID) -> Done:
    """A message without an account is about none; its text is destroyed. Raises what `Issuing.issue` raises."""
    _unmatched(issuing.service, inbound_id)
    return _settle(issuing, caller, inbound_id, None)


def threads_of(service: Service, account_id: UUID, page: ThreadPage, *, number: str | None = None) -> ThreadsView:
    """A page of an account's messages by number and address; `number` (or an address) leaves one. Raises
    UnknownAccount."""
    try:
        account = service.arrears.load(Account, account_id)
    except AggregateNotFoundError:
        raise UnknownAccount("there is no such account") from None
    found: dict[tuple[Incoming, str | None], list[ThreadEntry]] = {}
    for entry in page.rows:
        found.setdefault((entry.channel, _point(account, entry)), []).append(entry)
    threads = [_thread(account, channel, point, entries) for (channel, point), entries in found.items()]
    if number is not None:
        country = account.contact.country
        threads = [t for t in threads if t.point and may_be_same(t.channel.channel, number, country, t.point, country)]
    return ThreadsView(account_id=account_id, threads=threads, next=page.next_cursor)


# --- inside ------------------------------------------------------------------------------------------


def _unmatched(service: Service, inbound_id: UUID) -> UnmatchedMessage:
    """Raises Refused."""
    try:
        return service.arrears.load(UnmatchedMessage, inbound_id)
    except AggregateNotFoundError:
        raise Refused(Rejected("unknown-unmatched-message", "there is no such message")) from None


def _settle(issuing: Issuing, caller: Caller, inbound_id: UUID, account_id: UUID | None) -> Done:
    command = SettleUnmatched(inbound_id=inbound_id, account_id=account_id)
    done = issuing.issue(command, _asking(caller), about=inbound_id)
    issuing.service.arrears.keys.destroy(inbound_id)
    return done


def _asking(caller: Caller) -> Caller:
    """The same person; one request becomes several commands, whose ids follow from the message."""
    return replace(caller, authority=Authority.OPERATOR, idempotency_key=None)


def _point(account: Account, entry: ThreadEntry) -> str | None:
    if entry.direction == "inbound":
        return entry.sender
    sent = account.contact_history.contacts.get(entry.id)
    if sent is not None and sent.to is not None:
        return sent.to
    return account.contact_history.point(entry.channel.channel, entry.point_id or "")


def _thread(account: Account, channel: Incoming, point: str | None, entries: Iterable[ThreadEntry]) -> ThreadView:
    messages = [*entries][::-1]
    over: Channel = channel.channel
    ids = account.contact.ids_of(over, point) if point else []
    return ThreadView(
        channel=channel,
        point=point,
        point_id=next(iter(ids), None),
        opted_out=any(account.contact.has_opted_out(over, each) for each in ids),
        to_read=sum(each.state == "to-read" for each in messages),
        messages=messages,
    )
