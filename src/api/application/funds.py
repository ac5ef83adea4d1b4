"""Payments and credits of an account in pages: as the page of the account shows them, however many there are."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from adapters.postgres.database import Connection
from aggregates.account.payments import CreditNoted, PaymentReceived
from aggregates.account.receivables import Funds, Receipt
from aggregates.kernel.event import Recorded
from api.application.account_view import (
    AccountRead,
    FundsView,
    all_funds,
    funds_as_recorded,
    funds_then,
    funds_view,
    together,
)
from projections.opening import Opens
from projections.questions.funds import FundsPlace, funds_places
from projections.questions.paging import MAX_LIMIT


@dataclass(frozen=True, slots=True)
class FundsPage:
    """A page of them, the latest first."""

    rows: list[FundsView]
    next_cursor: str | None


def funds_page(
    connection: Connection,
    log: Opens,
    read: AccountRead,
    *,
    later: Sequence[Recorded] = (),
    limit: int,
    cursor: str | None = None,
) -> FundsPage:
    """What came in until the day of `read`; `log` opens the events about those of the page alone. `later` are events
    that the ledger does not show yet: what came in with them stands above the first page.

    Raises BadQuestion.
    """
    as_of = None if read.then is None else read.as_of
    page = funds_places(connection, read.account.id, as_of=as_of, limit=limit, cursor=cursor)
    ids = [each.funds_id for each in page.rows]
    if cursor is None:
        ids = [*dict.fromkeys((*_came_with(later), *ids))]
    found = _now(read, log, page.rows, later) if read.then is None else funds_then(read.history, read.then)
    by_id = {funds.id: funds for funds in found}
    return FundsPage([funds_view(by_id[each]) for each in ids if each in by_id], page.next_cursor)


def every_funds(
    connection: Connection, log: Opens, read: AccountRead, *, later: Sequence[Recorded] = ()
) -> list[FundsView]:
    """Every payment and credit that had come in, the latest first. Of an account as it is, only what is said of these
    is read of its history; of a past day all of it was read already. Raises BadQuestion."""
    if read.then is not None:
        return all_funds(read)
    page = funds_page(connection, log, read, later=later, limit=MAX_LIMIT)
    found = [*page.rows]
    while page.next_cursor is not None:
        page = funds_page(connection, log, read, later=later, limit=MAX_LIMIT, cursor=page.next_cursor)
        found += page.rows
    return sorted(found, key=lambda funds: (funds.received_on, funds.number), reverse=True)


def _came_with(later: Sequence[Recorded]) -> Iterable[UUID]:
    """The latest first."""
    for recorded in reversed(later):
        if isinstance(recorded.event, PaymentReceived | CreditNoted):
            yield recorded.event.receipt.id


def _now(read: AccountRead, log: Opens, places: Sequence[FundsPlace], later: Sequence[Recorded]) -> list[Funds]:
    """What is left of each, and what it waits for, says the account: it keeps those of which something is left."""
    kept, nothing = read.account.receivables.funds, read.account.customer.zero

    def came(receipt: Receipt) -> Funds:
        now = kept.get(receipt.id)
        if now is None:
            return Funds(receipt=receipt, unapplied=nothing)
        return Funds(receipt=receipt, unapplied=now.unapplied, waits=now.waits, unknown=now.unknown)

    opened = log.at([position for each in places for position in each.positions])
    return funds_as_recorded(together(opened, later), came)
