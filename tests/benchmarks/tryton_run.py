"""Tryton's side of `tryton_peer`: run by the Python of Tryton's own environment, which has nothing of ours.

`python tryton_run.py fill DATABASE TASK LINES` activates the modules in an empty database and enters what is overdue.
`python tryton_run.py measure DATABASE TASK LINES` generates and processes dunnings for it, and prints one line of JSON.
TRYTOND_DATABASE__URI says where the server is.
"""

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from functools import partial
from itertools import islice
from typing import Any, TypeVar

from trytond import __version__ as version
from trytond import backend
from trytond.pool import Pool
from trytond.transaction import Transaction, TransactionError

T = TypeVar("T")

MODULES = {"reminders": ["account_dunning"], "fees": ["account_dunning_fee"]}
FEE = Decimal("10.00")
AMOUNT = Decimal("100.00")
_ROOT = 0
"""Whose rights Tryton does not look up, which is the quickest for it."""
_CHUNK = 1_000
_OVERDUE = timedelta(days=30)
_WARM_UP_LINES = 20
_WARM_UP_OVERDUE = timedelta(days=60)
"""A few lines that are overdue for longer are dunned first, so that what is measured finds Tryton's caches warm."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("step", choices=["fill", "measure"])
    parser.add_argument("database")
    parser.add_argument("task", choices=sorted(MODULES))
    parser.add_argument("lines", type=int)
    said = parser.parse_args()
    if said.step == "fill":
        activate(said.database, MODULES[said.task])
        fill(said.database, said.task, said.lines)
    else:
        Pool(said.database).init()
        print(json.dumps(measure(said.database, said.task, said.lines)))


# --- what there is to dun ----------------------------------------------------------------------------------


def activate(database: str, modules: list[str]) -> None:
    backend.Database(database).init()
    Pool(database).init(update=["ir", "res", *modules], lang=["en"], activatedeps=True)


def fill(database: str, task: str, lines: int) -> None:
    """A company with the least accounting, and one posted and overdue receivable for each of so many parties."""
    company = _committed(database, _company)
    books = _committed(database, partial(_books, company, task), company)
    days = iter([_WARM_UP_OVERDUE] * _WARM_UP_LINES + [_OVERDUE] * lines)
    while some := list(islice(days, _CHUNK)):
        _committed(database, partial(_enter_overdue, books, some), company)


def _company() -> int:
    currency = _new("currency.currency", name="US Dollar", code="USD", symbol="$", digits=2, rounding=Decimal("0.01"))
    return int(_new("company.company", party=_new("party.party", name="Creditor"), currency=currency).id)


@dataclass(frozen=True)
class Books:
    """Ids of what moves and parties name."""

    receivable: int
    revenue: int
    journal: int
    procedure: int


def _books(company: int, task: str) -> Books:
    balance = {"statement": "balance", "assets": True, "receivable": True}
    income = {"statement": "income", "revenue": True}
    receivable = _account(company, "Receivable", balance, reconcile=True, party_required=True)
    revenue = _account(company, "Revenue", income)
    _fiscal_year(company)
    journal = _new("account.journal", name="Sales", code="SALES", type="revenue")
    fee = _fee(revenue, journal) if task == "fees" else {}
    procedure = _new("account.dunning.procedure", name="Reminders")
    _new("account.dunning.level", procedure=procedure, overdue=timedelta(0), **fee)
    return Books(receivable.id, revenue.id, journal.id, procedure.id)


def _account(company: int, name: str, of_type: dict[str, Any], **values: Any) -> Any:
    kind = _new("account.account.type", name=name, company=company, **of_type)
    return _new("account.account", name=name, company=company, type=kind, **values)


def _fiscal_year(company: int) -> None:
    """From last year's beginning to this year's end, so that today and what is overdue are in it."""
    today = _today()
    [kind] = Pool().get("ir.sequence.type").search([("name", "=", "Account Move")])
    sequence = _new("ir.sequence.strict", name="Moves", sequence_type=kind, company=company)
    year = _new(
        "account.fiscalyear",
        name="Years",
        company=company,
        start_date=date(today.year - 1, 1, 1),
        end_date=date(today.year, 12, 31),
        move_sequence=sequence,
    )
    Pool().get("account.fiscalyear").create_period([year])


def _fee(revenue: Any, journal: Any) -> dict[str, Any]:
    """The field by which a level charges the same amount each time."""
    [unit] = Pool().get("product.uom").search([("symbol", "=", "u")])
    category = _new("product.category", name="Fees", accounting=True, account_revenue=revenue)
    template = _new(
        "product.template",
        name="Dunning fee",
        default_uom=unit,
        type="service",
        list_price=FEE,
        account_category=category,
    )
    product = _new("product.product", template=template)
    return {
        "fee": _new(
            "account.dunning.fee", name="Dunning fee", product=product, journal=journal, compute_method="list_price"
        )
    }


def _enter_overdue(books: Books, overdue: list[timedelta]) -> None:
    """A party with a posted move for each."""
    pool = Pool()
    party, move, period = pool.get("party.party"), pool.get("account.move"), pool.get("account.period")
    parties = party.create([{"name": "Customer", "dunning_procedure": books.procedure} for _ in overdue])
    today, company = _today(), Transaction().context["company"]
    moves = []
    for customer, ago in zip(parties, overdue, strict=True):
        owed = {"account": books.receivable, "party": customer.id, "debit": AMOUNT, "maturity_date": today - ago}
        earned = {"account": books.revenue, "credit": AMOUNT}
        moves.append(
            {
                "journal": books.journal,
                "date": today - ago,
                "period": period.find(company, date=today - ago).id,
                "lines": [("create", [owed, earned])],
            }
        )
    move.post(move.create(moves))


# --- what is measured --------------------------------------------------------------------------------------


def measure(database: str, task: str, lines: int) -> dict[str, object]:
    """Seconds for `lines` dunnings, generated in one transaction and processed in another, as the two wizards do."""
    [company] = _committed(database, lambda: [each.id for each in Pool().get("company.company").search([])])
    transact = partial(_committed, database, company=company, locks={})
    today = _today()
    _dun(transact, today - _WARM_UP_OVERDUE)
    transact(partial(_check, task, waiting=_WARM_UP_LINES, before=0))
    generated, processed = _dun(transact, today)
    transact(partial(_check, task, waiting=lines, before=_WARM_UP_LINES))
    return {
        "seconds": generated + processed,
        "generated": generated,
        "processed": processed,
        "version": version,
        "optimized": not __debug__,
    }


def _dun(transact: Callable[[Callable[[], None]], None], day: date) -> tuple[float, float]:
    """Seconds of each of the two."""
    started = time.perf_counter()
    transact(partial(_generate, day))
    generated = time.perf_counter()
    transact(_process)
    return generated - started, time.perf_counter() - generated


def _generate(day: date) -> None:
    Pool().get("account.dunning").generate_dunnings(date=day)


def _process() -> None:
    dunning = Pool().get("account.dunning")
    dunning.process(dunning.search([("state", "=", "draft")]))


def _check(task: str, *, waiting: int, before: int) -> None:
    """All wait for the customer; those before them have come to the end of the procedure. Each was charged its fee."""
    pool = Pool()
    dunning, move = pool.get("account.dunning"), pool.get("account.move")
    found = {state: dunning.search_count([("state", "=", state)]) for state in ("draft", "waiting", "final")}
    if found != {"draft": 0, "waiting": waiting, "final": before}:
        raise RuntimeError(f"{waiting} dunnings were to be waiting and {before} final: {found}")
    if task == "fees":
        moves = move.search([("origin", "like", "account.dunning.fee.dunning_level,%"), ("state", "=", "posted")])
        charged = sum((line.debit for each in moves for line in each.lines), Decimal(0))
        fees = before + waiting
        if (len(moves), charged) != (fees, fees * FEE):
            raise RuntimeError(f"{fees} fees of {FEE} were to be posted: {len(moves)} moves, {charged} in all")


# --- Tryton ------------------------------------------------------------------------------------------------


def _committed(
    database: str, does: Callable[[], T], company: int | None = None, locks: dict[str, Any] | None = None
) -> T:
    """Does it in a transaction of its own. Tryton begins again where a lock was to be taken at the beginning.

    `locks` keeps those for the next time, so that only the first begins twice.
    """
    context = {} if company is None else {"company": company, "_companies": (company,)}
    locks = {} if locks is None else locks
    while True:
        with Transaction().start(database, _ROOT, context=context, **locks) as transaction:
            try:
                return does()
            except TransactionError as error:
                transaction.rollback()
                error.fix(locks)


def _today() -> date:
    return date.today()  # noqa: DTZ011 - the machine's day is Tryton's own


def _new(model: str, **values: Any) -> Any:
    record = Pool().get(model)(**values)
    record.save()
    return record


if __name__ == "__main__":
    main()
