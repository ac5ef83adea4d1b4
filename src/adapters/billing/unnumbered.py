"""Payments without a number: which of those that are known a file says again.

One is known by its account, day and amount, whatever columns a profile maps besides. Of several such payments the rest
of what is said decides: where both sides say something and it differs, they are two payments; where one does not say
it, they may be the same. Each known payment is taken by one of the file, so that equal rows stay as many as they are.
"""

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import combinations
from typing import NamedTuple
from uuid import UUID

from adapters.billing.facts import UNNUMBERED, PaymentFact
from adapters.billing.identity import folded, stated, without
from adapters.billing.imported import Change, Classified, ImportedFacts, Known
from adapters.billing.staged import Key, Staged
from aggregates.account.command import account_id
from aggregates.office import office_id
from aggregates.values.money import Money

IN_LOG = frozenset({"method", "invoice"})
"""What the log has of what a payment may say besides account, day and amount."""

_DECIDES = IN_LOG | {"payer"}
"""What is brought in besides them: said of a payment later than it came, it is a correction."""

_MOST_UNMAPPED = 8
"""Columns that may be new in a profile for a payment to be recognised of which only a digest of all is known."""


class Received(NamedTuple):
    """What the log says of a payment."""

    received_on: date
    amount: Money
    method: str | None
    invoice_number: str | None


ReceivedOf = Callable[[UUID], Mapping[str, Received]]
"""The payments of an account in the log, by number."""

_Group = tuple[str, str]
"""An office's code, and what payments of one account, day and amount have in common."""


class _Candidate(NamedTuple):
    """A payment that is known, and what is known of it besides account, day and amount."""

    known: Known
    details: Mapping[str, str]
    by_content: bool = False
    """Whether there is a digest of all that was said of it, and apart only what the log has."""


@dataclass(slots=True)
class _Work:
    """A chunk while it is told apart."""

    chunk: Sequence[Staged]
    known: Mapping[_Group, Sequence[Known]]
    taken: dict[_Group, set[str]]
    """Natural keys that payments of the file have."""
    told: dict[int, Classified] = field(default_factory=dict)
    """By place in the chunk."""
    learned: list[tuple[Known, Staged]] = field(default_factory=list)
    """What is to be remembered of payments that are known."""

    def free(self, group: _Group) -> list[Known]:
        """Those that are known and not taken, first those that no file took back."""
        taken = self.taken[group]
        free = [each for each in self.known.get(group, ()) if each.natural_key not in taken]
        return sorted(free, key=lambda each: each.withdrawn)

    def next_key(self, group: _Group) -> str:
        """The first of equal payments has the group's key, the second that with #2."""
        used = {each.natural_key for each in self.known.get(group, ())} | self.taken[group]
        if group[1] not in used:
            return group[1]
        ordinal = len(used) + 1
        while f"{group[1]}#{ordinal}" in used:
            ordinal += 1
        return f"{group[1]}#{ordinal}"


class UnnumberedPayments:
    """Tells the payments of one import apart, in the order of accounts and days or of days and accounts: what was told
    of the last account's last day is kept for the next chunk, in case that goes on with it."""

    def __init__(self, imported: ImportedFacts, received: ReceivedOf, *, stores: bool) -> None:
        """`stores`: what is learned of known payments is remembered."""
        self._imported = imported
        self._digests = imported.digests
        self._received = received
        self._stores = stores
        self._taken: dict[_Group, set[str]] = {}
        self._rekeyed: dict[tuple[str, str], set[Key]] = {}
        """Those of the last account that were known by their content, and are known by another key from now on."""

    def classify(self, chunk: Sequence[Staged]) -> list[Classified]:
        """The chunk in its order, each with the natural key and number that it has or is given."""
        groups = [self._group(staged) for staged in chunk]
        places: dict[_Group, list[int]] = defaultdict(list)
        for place, group in enumerate(groups):
            places[group].append(place)
        taken = {group: self._taken.get(group, set()) for group in places}
        work = _Work(chunk, self._imported.by_key(places), taken)
        by_content = self._by_content(chunk)
        for account, of_account in _by_account(chunk, places).items():
            old = _Old(by_content.get(account, ()))
            left = {group: self._tell_the_same(work, group, places[group], old) for group in of_account}
            if any(left.values()):
                from_log = self._from_log(old, *account) if old else {}
                for group in of_account:
                    self._tell_what_may_be(work, group, left[group], from_log.get(group, []))
        self._remember_last(work, groups)
        if self._stores:
            self._imported.say_more(work.learned)
        return [work.told[place] for place in range(len(chunk))]

    def _group(self, staged: Staged) -> _Group:
        fact = payment(staged)
        return self._group_of(staged.office_code, fact.account_number, fact.received_on, fact.amount)

    def _group_of(self, code: str, account: str, day: date, amount: Money) -> _Group:
        said = self._digests.of_text("payment", account, day.isoformat(), str(amount.minor), amount.currency)
        return code, f"{UNNUMBERED}{said}"

    def _by_content(self, chunk: Sequence[Staged]) -> dict[tuple[str, str], list[Known]]:
        accounts = {(staged.office_code, staged.fact.account_number) for staged in chunk}
        found = self._imported.by_content((code, folded(number)) for code, number in accounts)
        return {
            account: [each for each in known if (each.office, each.natural_key) not in self._rekeyed.get(account, ())]
            for account, known in found.items()
        }

    def _remember_last(self, work: _Work, groups: Sequence[_Group]) -> None:
        last = work.chunk[-1]
        same_day = {group for staged, group in zip(work.chunk, groups, strict=True) if _whose(staged) == _whose(last)}
        self._taken = {group: work.taken[group] for group in same_day}
        account = last.office_code, last.fact.account_number
        before = self._rekeyed.get(account, set())
        self._rekeyed = {
            account: before
            | {
                (known.office, known.natural_key)
                for known, _ in work.learned
                if known.key_version == 1 and (known.office_code, known.account_number) == account
            }
        }

    # --- what says the same, and what may --------------------------------------------------------------

    def _tell_the_same(self, work: _Work, group: _Group, places: Sequence[int], old: "_Old") -> list[int]:
        """Tells those that are known word for word, and returns the others."""
        same: dict[bytes, deque[Known]] = defaultdict(deque)
        for each in work.free(group):
            same[each.digest].append(each)
        left = []
        for place in places:
            digest = work.chunk[place].digest
            if same.get(digest):
                each = same[digest].popleft()
                self._tell(work, place, group, _Candidate(each, each.details or {}))
            elif (known := old.take(digest)) is not None:
                self._tell(work, place, group, _Candidate(known, {}, by_content=True))
            else:
                left.append(place)
        return left

    def _tell_what_may_be(
        self, work: _Work, group: _Group, places: Sequence[int], from_log: Sequence[_Candidate]
    ) -> None:
        """Tells the others of a group: what may be one that is known is that, and the rest is new."""
        known = [*(_Candidate(each, each.details or {}) for each in work.free(group)), *from_log] if places else []
        same = self._compatible([work.chunk[place] for place in places], known)
        for n, place in enumerate(places):
            self._tell(work, place, group, known[same[n]] if n in same else None)

    def _from_log(self, old: "_Old", code: str, account: str) -> dict[_Group, list[_Candidate]]:
        """Payments that are known by their content alone, by the day and amount that the log has of them."""
        received = self._received(account_id(office_id(code), account))
        found: dict[_Group, list[_Candidate]] = defaultdict(list)
        for known in old:
            said = received.get(self._digests.opened(known.payment_number)) if known.payment_number else None
            if said is None:
                continue
            group = self._group_of(code, account, said.received_on, said.amount)
            details = self._digests.details({"method": said.method, "invoice": said.invoice_number})
            found[group].append(_Candidate(known, details, by_content=True))
        return found

    def _compatible(self, said: Sequence[Staged], known: Sequence[_Candidate]) -> dict[int, int]:
        """Which of the known ones each may be, as many as can be; those that agree in more come first."""
        if not known:
            return {}
        wants = []
        for staged in said:
            details = self._details(staged)
            fitting = [
                (-sum(details[name] == text for name, text in each.details.items() if name in details), place)
                for place, each in enumerate(known)
                if self._may_be(staged, details, each)
            ]
            wants.append([place for _, place in sorted(fitting)])
        return most_pairs(wants)

    def _may_be(self, staged: Staged, details: Mapping[str, str], candidate: _Candidate) -> bool:
        if any(details.get(name, text) != text for name, text in candidate.details.items()):
            return False
        if not candidate.by_content or not details.keys() - IN_LOG:
            return True
        # Of a payment that is known by its content alone nobody can say in what it differs from one that says more
        # than the log has, unless it is that one without the columns that its profile did not map.
        return candidate.known.digest in self._with_less(payment(staged), details.keys())

    def _with_less(self, payment: PaymentFact, names: Iterable[str]) -> set[bytes]:
        """The digests that the payment has where its profile does not map one or more of these."""
        names = sorted(names)[:_MOST_UNMAPPED]
        return {
            self._digests.of(without(payment, set(some)).content_digest)
            for count in range(1, len(names) + 1)
            for some in combinations(names, count)
        }

    def _details(self, staged: Staged) -> dict[str, str]:
        return self._digests.details(stated(payment(staged)))

    # --- what comes of it --------------------------------------------------------------------------------

    def _tell(self, work: _Work, place: int, group: _Group, candidate: _Candidate | None) -> None:
        """Says what came of a payment: which of the known ones it is, or, without a candidate, that it is new."""
        staged = work.chunk[place]
        known = None if candidate is None else candidate.known
        key = known.natural_key if known is not None and known.key_version > 1 else work.next_key(group)
        work.taken[group].add(key)
        is_back = known is not None and known.withdrawn
        if known is not None and known.natural_key == key and known.digest == staged.digest and not is_back:
            staged = replace(staged, office=known.office, natural_key=key, payment_number=self._number_of(known))
            work.told[place] = Classified(staged, Change.UNCHANGED, known.revision, known.account)
            return
        details = self._details(staged)
        staged = replace(staged, natural_key=key, folded_key=group[1], payment_number=key, details=details)
        if candidate is None or known is None:
            work.told[place] = Classified(staged, Change.NEW, 1)
            return
        more = details.keys() - candidate.details.keys()
        staged = replace(
            staged,
            office=known.office,
            payment_number=self._number_of(known),
            details={**candidate.details, **details},
        )
        if is_back:
            work.told[place] = Classified(staged, Change.CHANGED, known.revision + 1, known.account, lives_again=True)
            return
        if staged.digest != known.digest and more & _DECIDES:
            if candidate.by_content:
                work.learned.append((known, replace(staged, digest=known.digest, details=dict(candidate.details))))
            work.told[place] = Classified(staged, Change.CHANGED, known.revision + 1, known.account)
            return
        if candidate.by_content or more:
            work.learned.append((known, staged))
        work.told[place] = Classified(staged, Change.UNCHANGED, known.revision, known.account)

    def _number_of(self, known: Known) -> str:
        """What it is called in the log."""
        return self._digests.opened(known.payment_number) if known.payment_number else known.natural_key


class _Old:
    """Payments of an account that are known by their content alone, as far as nobody took them."""

    def __init__(self, known: Iterable[Known]) -> None:
        self._by_digest: dict[bytes, deque[Known]] = defaultdict(deque)
        for each in known:
            self._by_digest[each.digest].append(each)

    def take(self, digest: bytes) -> Known | None:
        return self._by_digest[digest].popleft() if self._by_digest.get(digest) else None

    def __iter__(self) -> Iterator[Known]:
        return (each for same in self._by_digest.values() for each in same)

    def __bool__(self) -> bool:
        return any(self._by_digest.values())


def most_pairs(wants: Sequence[Sequence[int]]) -> dict[int, int]:
    """To each what it wants, to as many as possible; `wants` has for each what would do, the best first.

    Augmenting paths, found in breadth (Kuhn).
    """
    has: dict[int, int] = {}
    owner: dict[int, int] = {}
    for first in range(len(wants)):
        came_from: dict[int, int] = {}
        waiting = deque([first])
        free: int | None = None
        while waiting and free is None:
            one = waiting.popleft()
            for want in wants[one]:
                if want in came_from:
                    continue
                came_from[want] = one
                if want not in owner:
                    free = want
                    break
                waiting.append(owner[want])
        while free is not None:
            one = came_from[free]
            before = has.get(one)
            has[one], owner[free] = free, one
            free = before
    return has


def _by_account(chunk: Sequence[Staged], places: Mapping[_Group, Sequence[int]]) -> dict[tuple[str, str], list[_Group]]:
    found: dict[tuple[str, str], list[_Group]] = defaultdict(list)
    for group, of_group in places.items():
        staged = chunk[of_group[0]]
        found[staged.office_code, staged.fact.account_number].append(group)
    return found


def payment(staged: Staged) -> PaymentFact:
    """The payment that is staged. Raises TypeError where it is something else."""
    if not isinstance(staged.fact, PaymentFact):
        raise TypeError(f"expected a payment, not a {staged.fact.kind}")
    return staged.fact


def _whose(staged: Staged) -> tuple[str, str, date | None]:
    return staged.office_code, staged.fact.account_number, staged.effective_on
