"""A history, read once: contacts in order of time, and what stands at the moment of the contact that is asked about."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import cached_property, lru_cache
from itertools import chain
from operator import attrgetter

from aggregates.account.contact_history import KEPT_FOR
from aggregates.values.stop_words import Request, is_one_word, media_named, request_in
from policies.contact.case import Entry, Kind, Medium, Purpose, Recipient

LONGEST_WINDOW = timedelta(days=60 + 2)
"""No rule counts contacts of longer ago; two days more, because windows are of local dates."""
if LONGEST_WINDOW > KEPT_FOR:
    raise ImportError(f"rules look back {LONGEST_WINDOW.days} days, and accounts keep contacts for {KEPT_FOR.days}")

_AT = attrgetter("at")

_SENT = {Purpose.VALIDATION_NOTICE: Kind.VALIDATION_NOTICE, Purpose.VERIFICATION: Kind.VERIFICATION}
"""What a message to the consumer with such a purpose is besides, if it can be read."""


class Record:
    """A history up to a moment. Later entries are not known yet and not looked at.

    Contacts are counted in the longest window only; what stands until it is taken back is kept however long ago.
    """

    def __init__(self, history: Iterable[Entry], at: datetime) -> None:
        since = at - LONGEST_WINDOW
        contacts: list[Entry] = []
        older: list[Entry] = []
        facts: dict[Kind, list[Entry]] = defaultdict(list)
        debts: set[str] = set()
        usual = Purpose.COLLECTION
        for entry in history:
            moment = entry.at
            if moment > at:
                continue
            if entry.debts:
                debts.update(entry.debts)
            if entry.kind is not Kind.CONTACT:
                facts[entry.kind].append(entry)
                continue
            (contacts if moment >= since else older).append(entry)
            if entry.is_inbound:
                facts[Kind.CONTACT].append(entry)
            elif entry.purpose is not usual and (sent := _SENT.get(entry.purpose)) and _is_read(entry):
                facts[sent].append(entry)
        contacts.sort(key=_AT)
        for each in facts.values():
            each.sort(key=_AT)
        self.contacts: Sequence[Entry] = contacts
        """In the longest window, by time."""
        self.debts: Sequence[str] = sorted(debts)
        """Every debt that the history names, by name."""
        self._at = at
        self._older = older
        self._facts = facts

    def communications(self, person: str | None) -> Iterator[Entry]:
        """Contacts with a consumer either way, in no order, however long ago, that conveyed something about a debt
        (12 CFR 1006.2(d)); what rang and said nothing more than a limited-content message is none."""
        for entry in chain(self._older, self.contacts):
            if entry.person != person or entry.recipient is not Recipient.CONSUMER:
                continue
            is_told = entry.is_conversation or (entry.is_message and not entry.is_limited_content)
            if is_told or entry.channel is not Medium.CALL:
                yield entry

    def within(self, days: int) -> Sequence[Entry]:
        """Contacts of so many local dates, by time, wherever the debtor is: and of a day or two before them."""
        return since_moment(self.contacts, self._at - timedelta(days=days + 1))

    def facts(self, kind: Kind) -> Sequence[Entry]:
        """Entries of a kind, by time."""
        return self._facts.get(kind, ())

    @property
    def inbound(self) -> Sequence[Entry]:
        """Contacts that the debtor began, by time, however long ago."""
        return self._facts.get(Kind.CONTACT, ())

    def in_force(self, kind: Kind, at: datetime | None = None) -> Iterator[Entry]:
        """Entries of a kind, the latest first, that were not withdrawn by a moment (None: that of the contact)."""
        until = self._at if at is None else at
        withdrawn = [each for each in self.facts(Kind.WITHDRAWN) if each.withdraws is kind and each.at <= until]
        for entry in reversed(self.facts(kind)):
            if entry.at <= until and not any(
                each.at >= entry.at and (each.to is None or entry.to in {None, each.to}) for each in withdrawn
            ):
                yield entry

    @cached_property
    def consents(self) -> Sequence[Entry]:
        """Those that were not withdrawn, the latest first; asked of every opt-out."""
        return tuple(self.in_force(Kind.CONSENT))

    def standing(self, kind: Kind, matches: Callable[[Entry], bool] = lambda _: True) -> Entry | None:
        """The last of a kind that matches and was not withdrawn."""
        return next((each for each in self.in_force(kind) if matches(each)), None)


def _is_read(message: Entry) -> bool:
    """Whether it is one that the consumer has in writing."""
    return message.channel is not Medium.CALL and message.recipient is Recipient.CONSUMER


def is_stop_word(entry: Entry) -> bool:
    """Whether an inbound contact is one of the words that always revoke (47 CFR 64.1200(a)(10)(i))."""
    return entry.words is not None and is_one_word(entry.words)


def is_stop(entry: Entry) -> bool:
    """Whether the words of an inbound contact clearly ask for no more messages like it."""
    return _asks(entry) is Request.STOP


def refuses(entry: Entry, medium: Medium) -> bool:
    """Whether its words clearly refuse a medium: the one that they name, or the one that it came over (comment
    14(h)(1)-3 to 12 CFR 1006.14)."""
    if entry.words is None or _request_in(entry.words) is not Request.STOP:
        return False
    named = media_named(entry.words)
    return medium in named if named else medium is entry.channel


def may_be_stop(entry: Entry) -> bool:
    """Whether they may: a person has to read them."""
    return _asks(entry) is Request.UNCLEAR


def _asks(entry: Entry) -> Request | None:
    """One that names another medium than its own may mean this one too."""
    if entry.words is None:
        return None
    request = _request_in(entry.words)
    is_of_another = request is Request.STOP and entry.channel not in (media_named(entry.words) or {entry.channel})
    return Request.UNCLEAR if is_of_another else request


_request_in = lru_cache(maxsize=4_096)(request_in)


def since_moment(entries: Sequence[Entry], start: datetime) -> Sequence[Entry]:
    """Those at `start` or later, of entries by time."""
    return entries[bisect_left(entries, start, key=_AT) :]
