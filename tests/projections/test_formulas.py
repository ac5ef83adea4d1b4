"""The KPI formulas by themselves, with the check values of the field."""

from calendar import monthrange
from datetime import date
from decimal import Decimal

import pytest

from projections.questions.formulas import (
    MonthOfSales,
    average_days_delinquent,
    collection_effectiveness,
    count_back,
    days_sales_outstanding,
    percent,
    ratio,
    three_places,
)
from projections.questions.kpi import months_back


def test_count_back_takes_whole_months_and_a_part_of_the_one_that_is_larger_than_the_rest():
    months = [MonthOfSales(100_000, 30), MonthOfSales(80_000, 30), MonthOfSales(70_000, 30)]
    counted = count_back(212_000, months)
    assert counted is not None
    assert counted.quantize(Decimal("0.01")) == Decimal("73.71")


def test_count_back_within_the_newest_month():
    assert count_back(50, [MonthOfSales(100, 30)]) == 15


def test_count_back_that_ends_exactly_with_a_month():
    assert count_back(180, [MonthOfSales(100, 30), MonthOfSales(80, 31)]) == 61


def test_count_back_past_the_first_known_sale_is_null():
    assert count_back(181, [MonthOfSales(100, 30), MonthOfSales(80, 31)]) is None
    assert count_back(1, []) is None


def test_count_back_goes_through_months_without_sales():
    assert count_back(150, [MonthOfSales(100, 30), MonthOfSales(0, 31), MonthOfSales(100, 28)]) == 30 + 31 + 14


def test_nothing_receivable_is_nothing_outstanding():
    assert count_back(0, [MonthOfSales(100, 30)]) == 0
    assert days_sales_outstanding(0, 100, 30) == 0


def test_a_zero_denominator_gives_null():
    assert days_sales_outstanding(100, 0, 30) is None
    assert collection_effectiveness(begin=0, sales=0, end=0, end_current=0) is None
    assert average_days_delinquent(None, Decimal(3)) is None
    assert ratio(0, 0) is None
    assert percent(5, 0) is None
    assert three_places(None) is None


def test_effectiveness_is_a_hundred_when_everything_due_was_collected():
    assert collection_effectiveness(begin=100, sales=50, end=40, end_current=40) == 100


@pytest.mark.parametrize(("exact", "shown"), [("23.1805", "23.181"), ("23.18049", "23.180"), ("-0.0005", "-0.001")])
def test_three_places_are_rounded_half_up(exact: str, shown: str):
    assert str(three_places(Decimal(exact))) == shown


def test_months_back_to_the_first_known_sale_with_the_days_of_each():
    sold = {date(2012, 1, 1): 5, date(2012, 3, 1): 7}
    assert list(months_back(date(2012, 3, 31), sold)) == [(7, 31), (0, 29), (5, 31)]
    assert list(months_back(date(2012, 3, 10), sold)) == [(7, 10), (0, 29), (5, 31)]
    assert list(months_back(date(2012, 3, 10), {})) == []
    assert monthrange(2012, 2)[1] == 29
