"""The formulas of the KPIs. Amounts are minor units of one currency; None where a denominator is zero."""

from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Decimal
from typing import NamedTuple

THREE_PLACES = Decimal("0.001")


class MonthOfSales(NamedTuple):
    """Credit sales of a whole calendar month, or of the days of it that are over."""

    sales: int
    days: int


def ratio(numerator: int | Decimal, denominator: int | Decimal) -> Decimal | None:
    return None if denominator == 0 else Decimal(numerator) / Decimal(denominator)


def percent(numerator: int | Decimal, denominator: int | Decimal) -> Decimal | None:
    return ratio(100 * numerator, denominator)


def days_sales_outstanding(receivables: int, sales: int, days: int) -> Decimal | None:
    """Ending receivables ÷ credit sales in the period × days; the best possible with current receivables only."""
    return ratio(receivables * days, sales)


def count_back(receivables: int, months: Iterable[MonthOfSales]) -> Decimal | None:
    """DSO by count-back: whole months of sales are taken from the receivables, newest first, each adding its days.

    The month that is larger than the rest adds rest ÷ its sales × its days. None where the months run out first.
    """
    rest, days = receivables, Decimal(0)
    if rest == 0:
        return days
    for month in months:
        if month.sales > rest:
            return days + Decimal(rest) * month.days / month.sales
        rest -= month.sales
        days += month.days
        if rest == 0:
            return days
    return None


def average_days_delinquent(dso: Decimal | None, best_possible_dso: Decimal | None) -> Decimal | None:
    return None if dso is None or best_possible_dso is None else dso - best_possible_dso


def collection_effectiveness(*, begin: int, sales: int, end: int, end_current: int) -> Decimal | None:
    """CEI: (begin + sales − end total) ÷ (begin + sales − end current) × 100, with the whole period's sales."""
    return percent(begin + sales - end, begin + sales - end_current)


def three_places(value: Decimal | None) -> Decimal | None:
    """Rounded half up, as it is shown."""
    return None if value is None else value.quantize(THREE_PLACES, ROUND_HALF_UP)
