"""Aging and KPIs computed straight from a late-payment file, with nothing of the product."""

import csv
from calendar import monthrange
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

BUCKETS = [("current", 0), ("1-30", 30), ("31-60", 60), ("61-90", 90), ("91-120", 120)]
NAMES = [*(name for name, _ in BUCKETS), "121+"]


@dataclass(frozen=True)
class Invoice:
    customer: str
    number: str
    issued_on: date
    due_on: date
    settled_on: date
    amount: Decimal

    def is_open(self, on: date) -> bool:
        return self.issued_on <= on < self.settled_on


def read(path: Path) -> list[Invoice]:
    with path.open(newline="", encoding="utf-8") as file:
        return [
            Invoice(
                row["customerID"],
                row["invoiceNumber"],
                _day(row["InvoiceDate"]),
                _day(row["DueDate"]),
                _day(row["SettledDate"]),
                Decimal(row["InvoiceAmount"]),
            )
            for row in csv.DictReader(file)
        ]


def _day(text: str) -> date:
    return datetime.strptime(text, "%m/%d/%Y").date()  # noqa: DTZ007


def aging(invoices: list[Invoice], on: date) -> dict[str, object]:
    """In the public shape of the aging report."""
    amounts = {name: Decimal("0.00") for name in NAMES}
    items = dict.fromkeys(NAMES, 0)
    customers = set()
    for invoice in invoices:
        if invoice.is_open(on):
            days = (on - invoice.due_on).days
            name = next((name for name, last in BUCKETS if days <= last), NAMES[-1])
            amounts[name] += invoice.amount
            items[name] += 1
            customers.add(invoice.customer)
    return {
        "as_of": on.isoformat(),
        "currency": "USD",
        "buckets": [{"bucket": name, "amount": str(amounts[name]), "items": items[name]} for name in NAMES],
        "unapplied": "0.00",
        "total": str(sum(amounts.values(), Decimal("0.00"))),
        "accounts": len(customers),
        "disputed": "0.00",
        "disputed_items": 0,
    }


def kpi(invoices: list[Invoice], start: date, end: date) -> dict[str, object]:
    """The receivables' part of the KPIs, in the public shape."""
    before = start - timedelta(days=1)
    days = (end - start).days + 1
    begin = _sum(i for i in invoices if i.is_open(before))
    total = _sum(i for i in invoices if i.is_open(end))
    current = _sum(i for i in invoices if i.is_open(end) and i.due_on >= end)
    sales = _sum(i for i in invoices if start <= i.issued_on <= end)
    dso = _over(total * days, sales)
    best = _over(current * days, sales)
    return {
        "from": start.isoformat(),
        "to": end.isoformat(),
        "days": days,
        "begin": str(begin),
        "sales": str(sales),
        "end": str(total),
        "dso": _shown(dso),
        "dso_countback": _shown(_count_back(invoices, total, end)),
        "best_possible_dso": _shown(best),
        "average_days_delinquent": _shown(None if dso is None or best is None else dso - best),
        "cei": _shown(_over((begin + sales - total) * 100, begin + sales - current)),
    }


def _count_back(invoices: list[Invoice], rest: Decimal, end: date) -> Decimal | None:
    days = Decimal(0)
    year, month, length = end.year, end.month, end.day
    first = min(i.issued_on for i in invoices)
    while rest:
        if (year, month) < (first.year, first.month):
            return None
        sold = _sum(
            i for i in invoices if (i.issued_on.year, i.issued_on.month) == (year, month) and i.issued_on <= end
        )
        if sold > rest:
            return days + rest * length / sold
        rest, days = rest - sold, days + length
        year, month = (year, month - 1) if month > 1 else (year - 1, 12)
        length = monthrange(year, month)[1]
    return days


def _sum(invoices: Iterable[Invoice]) -> Decimal:
    return sum((invoice.amount for invoice in invoices), Decimal("0.00"))


def _over(numerator: Decimal, denominator: Decimal) -> Decimal | None:
    return numerator / denominator if denominator else None


def _shown(value: Decimal | None) -> str | None:
    return None if value is None else str(value.quantize(Decimal("0.001"), ROUND_HALF_UP))
