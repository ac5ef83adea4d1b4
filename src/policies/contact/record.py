"""A history, read once: contacts in order of time, and what stands at the moment of the contact that is asked about."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import chain
from operator import attrgetter

from aggregates.account.contact_history import KEPT_FOR
from aggregates.values.stop_words import STOP_WORDS
from policies.contact.case import Entry, Kind, Medium

LONGEST_WINDOW = timedelta(days=60 + 2)
"""No rule counts contacts of longer ago; two days more, because windows are of local dates."""
if LONGEST_WINDOW > KEPT_FOR:
    raise ImportError(f"rules look back {LONGEST_WINDOW.days} days, and accounts keep contacts for {KEPT_FOR.days}")

_AT = attrgetter("at")


class Record:
    """A history up to a moment. Later entries are not known yet and not looked at.

    Contacts are counted in the longest window only; what stands until it is taken back is kept however long ago.
    """

    def __init__(self, history: Iterable[Entry], at: datetime) -> None:
        since = at - LONGEST_WINDOW
        contacts: list[Entry] = []
        older: list[Entry] = []
        facts: dict[Kind, list[Entry]] = defaultdict(list)
        for entry in history:
            moment = entry.at
            if moment > at:
                continue
            if entry.kind is not Kind.CONTACT:
                facts[entry.kind].append(entry)
                continue
            (contacts if moment >= since else older).append(entry)
            if entry.is_inbound:
                facts[Kind.CONTACT].append(entry)
        contacts.sort(key=_AT)
        for each in facts.values():
            each.sort(key=_AT)
        self.contacts: Sequence[Entry] = contacts
        """In the longest window, by time."""
        self._at = at
        self._older = older
        self._facts = facts

    @property
    def communications(self) -> Iterator[Entry]:
        """Contacts either way, in no order, however long ago, that conveyed something about a debt
        (12 CFR 1006.2(d)); what rang and said nothing more than a limited-content message is none."""
        for entry in chain(self._older, self.contacts):
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

    def last(self, kind: Kind, matches: Callable[[Entry], bool] = lambda _: True) -> Entry | None:
        return next((each for each in reversed(self.facts(kind)) if matches(each)), None)

    def standing(self, kind: Kind, matches: Callable[[Entry], bool] = lambda _: True) -> Entry | None:
        """The last of a kind that matches, unless it was withdrawn later."""
        found = self.last(kind, matches)
        if found is None:
            return None
        withdrawn = any(
            each.withdraws is kind and each.at >= found.at and (each.to is None or found.to in {None, each.to})
            for each in self.facts(Kind.WITHDRAWN)
        )
        return None if withdrawn else found


def is_stop(entry: Entry) -> bool:
    """Whether an inbound contact says one of the words that always mean no."""
    return entry.words is not None and " ".join(_words(entry.words)) in STOP_WORDS


def _words(text: str) -> list[str]:
    return "".join(letter if letter.isalnum() else " " for letter in text.casefold()).split()


def since_moment(entries: Sequence[Entry], start: datetime) -> Sequence[Entry]:
    """Those at `start` or later, of entries by time."""
    return entries[bisect_left(entries, start, key=_AT) :]
