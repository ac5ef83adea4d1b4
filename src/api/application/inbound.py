"""Messages of customers, as people handle them: recorded by hand, assigned to an account, read; and conversations."""

from collections.abc import Iterable
from dataclasses import replace
from uuid import UUID

from pydantic import BaseModel

from adapters.eventstore.application import AggregateNotFoundError
from adapters.inbound.receiver import Receiver, assigned, assignment_id
from aggregates.account import Account
from aggregates.account.inbound import Incoming, ReceiveMessage
from aggregates.kernel.command import Rejected
from aggregates.kernel.personal import ERASED
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

    That it is on this account is said first, so that two who put it on two do not both. Its own copy is destroyed last;
    ended in between, the same again does what is left.
    """
    service = issuing.service
    if not service.arrears.load_many(Account, [account_id]):
        raise Refused(Rejected("unknown-account", "there is no such account"))
    received = _unmatched(service, inbound_id).received
    command: ReceiveMessage | None = None
    if received is not None and received.body != ERASED:
        command = Receiver(service.arrears, service.database).shared_with(assigned(received, account_id))
    done = _settle(issuing, caller, inbound_id, account_id)
    if command is not None:
        issuing.issue(command, _asking(caller), command_id=assignment_id(inbound_id, account_id))
    service.arrears.keys.destroy(inbound_id)
    return done


def discard(issuing: Issuing, caller: Caller, inbound_id: UUID) -> Done:
    """A message without an account is about none; its text is destroyed. Raises what `Issuing.issue` raises."""
    _unmatched(issuing.service, inbound_id)
    done = _settle(issuing, caller, inbound_id, None)
    issuing.service.arrears.keys.destroy(inbound_id)
    return done


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
    return issuing.issue(command, _asking(caller), about=inbound_id)


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
