"""What an undo of a bulk action would do on each account, for every door; nothing is changed."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from uuid import UUID

from adapters.postgres.database import Connection
from aggregates.account import Account
from aggregates.account.bulk import TOO_OLD, kept_of, said_of_kept
from aggregates.kernel.deciding import rejected
from aggregates.kernel.refusals import Refusal
from aggregates.values.money import Money
from api.application.bulk import bulk_action_of
from api.application.issuing import Refused
from api.processes.service import Service
from projections.answer import AmountText, Answer
from projections.questions.bulk import DoneAccount, done_accounts, done_in_all
from projections.questions.paging import cursor_after, key_after

MOST_LOOKED_AT = 5_000
"""Accounts that one page looks at: each of them is loaded."""
_ACCOUNTS_AT_ONCE = 250
_UNDONE, _LEFT = "it was undone already", "the undo left it as it was"


class UndoneAccount(Answer):
    """An account that the action changed, and what keeps its undo from reversing all of it."""

    account: str
    account_id: UUID
    amount: AmountText | None
    can_be_undone: bool
    reason: str | None


class UndoInAll(Answer):
    """What an undo would do, in all.

    The first page counts, of the first accounts that the action changed, at most 5,000 of them; on later pages what it
    counts is null.
    """

    accounts: int
    """Accounts that the action changed."""
    total: AmountText | None
    """Their amounts in question; null where the kind has none."""
    currency: str
    counted: int | None
    """How many of them the counts are of."""
    can_be_undone: int | None
    """On how many all of it would be reversed."""
    amount: AmountText | None
    """The amounts in question of those."""
    reasons: dict[str, int] | None
    """On how many of the others it would not be reversed, or not all of it, by why. Where there are two, it counts
    for each."""


class UndoPreview(UndoInAll):
    """And on the accounts of a page."""

    rows: tuple[UndoneAccount, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class _Looked:
    """An account as it is now: the words that keep its undo, and each why without what it is about."""

    done: DoneAccount
    reason: str | None = None
    why: tuple[str, ...] = ()


@dataclass(slots=True)
class _Counts:
    counted: int = 0
    can_be_undone: int = 0
    minor: int = 0
    reasons: Counter[str] = field(default_factory=Counter)

    def add(self, looked: _Looked) -> None:
        self.counted += 1
        self.reasons.update(looked.why)
        if looked.reason is None:
            self.can_be_undone += 1
            self.minor += looked.done.amount_minor or 0


@dataclass(slots=True)
class _Page:
    """The accounts of a page, as far as it got."""

    limit: int | None
    only_kept: bool
    last: int
    """The place of the last account that it is about."""
    listed: list[_Looked] = field(default_factory=list)
    has_more: bool = False

    def add(self, looked: _Looked) -> None:
        is_wanted = not self.only_kept or (looked.reason is not None and not looked.done.is_undone)
        if self.limit is not None and len(self.listed) == self.limit:
            self.has_more = self.has_more or is_wanted
            return
        self.last = looked.done.place
        if is_wanted:
            self.listed.append(looked)


def undo_preview(
    service: Service,
    connection: Connection,
    bulk_id: UUID,
    *,
    only_kept: bool = False,
    limit: int | None = None,
    cursor: str | None = None,
) -> UndoPreview:
    """A page of what an undo would do, in the order of the action's preview; `only_kept`: only accounts on which it
    would not reverse all, and of which something is left to be reversed. `limit` None: all accounts, all counted.

    Raises Refused where the action cannot be undone, or there is none; BadQuestion.
    """
    action = bulk_action_of(service, bulk_id)
    try:
        action.require_undoable()
    except Refusal as refusal:
        raise Refused(rejected(refusal)) from None
    (after,) = key_after(cursor, "undo", 1)
    counts, page = _Counts(), _Page(limit, only_kept, int(after or 0))
    for looked in _looked_at(service, connection, bulk_id, after=page.last):
        if limit is not None and counts.counted == MOST_LOOKED_AT:
            page.has_more = True
            break
        counts.add(looked)
        page.add(looked)
        if page.has_more and cursor is not None:
            break  # counts are of the first page
    accounts, minor = done_in_all(connection, bulk_id)

    def decimal(minor: int | None) -> Decimal | None:
        return None if minor is None else Money(minor, action.currency).decimal()

    said = {
        "counted": counts.counted,
        "can_be_undone": counts.can_be_undone,
        "amount": decimal(counts.minor if minor is not None else None),
        "reasons": dict(counts.reasons.most_common()),
    }
    return UndoPreview(
        accounts=accounts,
        total=decimal(minor),
        currency=action.currency,
        **(said if cursor is None else dict.fromkeys(said)),
        rows=tuple(
            UndoneAccount(
                account=each.done.number,
                account_id=each.done.account_id,
                amount=decimal(each.done.amount_minor),
                can_be_undone=each.reason is None,
                reason=each.reason,
            )
            for each in page.listed
        ),
        next_cursor=cursor_after("undo", page.last) if page.has_more else None,
    )


def _looked_at(service: Service, connection: Connection, bulk_id: UUID, *, after: int) -> Iterator[_Looked]:
    """The accounts that the action changed, each as it is now, from a place of its preview on."""
    while some := done_accounts(connection, bulk_id, after=after, limit=_ACCOUNTS_AT_ONCE):
        found = {each.id: each for each in service.arrears.load_many(Account, [each.account_id for each in some])}
        for each in some:
            yield _look(each, found.get(each.account_id), bulk_id)
        after = some[-1].place


def _look(done: DoneAccount, account: Account | None, bulk_id: UUID) -> _Looked:
    if done.is_undone:
        return _Looked(done, _UNDONE, (_UNDONE,))
    change = account.bulk.standing.get(bulk_id) if account is not None else None
    if account is not None and change is not None:
        kept = kept_of(account, change)
        return _Looked(done, said_of_kept(kept), tuple(sorted(set(kept.values())))) if kept else _Looked(done)
    if done.left is not None:
        return _Looked(done, f"{_LEFT}; {done.left}", (_LEFT,))
    why = TOO_OLD if account is not None and account.bulk.has_forgotten else _UNDONE
    return _Looked(done, why, (why,))
