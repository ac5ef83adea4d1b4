"""The calculator of instalment plans, in currencies with 0, 2 and 3 decimals."""

from calendar import monthrange
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregates.values.instalment_plan import MOST_INSTALMENTS, Every, NoPlan, instalment_plan
from aggregates.values.money import Money
from tests.builders import JAN, MAR

CURRENCIES = st.sampled_from(["JPY", "USD", "KWD"])
DAYS = st.dates(date(2000, 1, 1), date(2150, 12, 31))
EVERY = st.sampled_from(Every)


@given(st.integers(1, 10**9), CURRENCIES, DAYS, EVERY, st.integers(1, MOST_INSTALMENTS))
def test_equal_instalments_are_the_total_and_the_last_takes_the_rest(
    minor: int, currency: str, first: date, every: Every, count: int
):
    total = Money(max(minor, count), currency)
    days, amounts = zip(*instalment_plan(total, first=first, every=every, count=count), strict=True)
    assert Money.total(amounts, currency) == total
    assert len(set(amounts[:-1])) <= 1
    assert all(each.minor > 0 for each in amounts)
    assert 0 <= amounts[-1].minor - amounts[0].minor < count
    assert len(days) == count


@given(st.integers(1, 10**6), st.integers(1, 10**6), CURRENCIES, DAYS, EVERY)
def test_instalments_of_an_amount_are_the_total_and_the_last_is_no_larger(
    minor: int, part: int, currency: str, first: date, every: Every
):
    total, amount = Money(minor, currency), Money(max(part, -(-minor // MOST_INSTALMENTS)), currency)
    amounts = [each for _, each in instalment_plan(total, first=first, every=every, amount=amount)]
    assert Money.total(amounts, currency) == total
    assert all(each == amount for each in amounts[:-1])
    assert 0 < amounts[-1].minor <= amount.minor


@given(DAYS, st.integers(2, MOST_INSTALMENTS))
def test_by_months_no_month_is_missed_and_the_day_is_the_first_one_s_or_the_month_s_last(first: date, count: int):
    plan = instalment_plan(Money(count, "JPY"), first=first, every=Every.MONTH, count=count)
    months = [day.year * 12 + day.month for day, _ in plan]
    assert months == list(range(months[0], months[0] + count))
    assert all(day.day == min(first.day, monthrange(day.year, day.month)[1]) for day, _ in plan)


@given(DAYS, st.sampled_from([(Every.WEEK, 7), (Every.TWO_WEEKS, 14)]))
def test_by_weeks_the_weekday_stays(first: date, rhythm: tuple[Every, int]):
    every, days = rhythm
    plan = instalment_plan(Money(100, "USD"), first=first, every=every, count=10)
    assert [day for day, _ in plan] == [first + timedelta(days=days * index) for index in range(10)]


def test_the_end_of_the_month_comes_back_after_a_short_one():
    plan = instalment_plan(Money(10_000, "USD"), first=JAN(31), every=Every.MONTH, count=4)
    assert [str(day) for day, _ in plan] == ["2026-01-31", "2026-02-28", "2026-03-31", "2026-04-30"]


@pytest.mark.parametrize(
    ("total", "said", "field"),
    [
        (0, {"count": 3}, "total"),
        (-5, {"count": 3}, "total"),
        (100, {}, "count"),
        (100, {"count": 3, "amount": Money(10, "USD")}, "count"),
        (100, {"count": 0}, "count"),
        (100, {"count": 61}, "count"),
        (2, {"count": 3}, "count"),
        (100, {"amount": Money(1, "USD")}, "amount"),
        (100, {"amount": Money(0, "USD")}, "amount"),
        (100, {"amount": Money(10, "EUR")}, "amount"),
        (100, {"count": 60, "first": date(9999, 1, 1)}, "first"),
    ],
)
def test_what_is_wrong_is_named(total: int, said: dict[str, object], field: str):
    with pytest.raises(NoPlan) as refused:
        instalment_plan(Money(total, "USD"), **{"first": MAR(1), "every": Every.MONTH, **said})  # type: ignore[arg-type]
    assert refused.value.field == field
