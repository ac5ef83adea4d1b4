"""One money type: integer minor units, rounding named where it happens."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from aggregates.values.money import CurrencyMismatch, Money


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [
        ("2309.7899999999995", "USD", 230979),
        ("0.005", "USD", 1),
        ("0.0049", "USD", 0),
        ("-0.005", "USD", -1),
        ("2.675", "EUR", 268),
        ("0.5", "JPY", 1),
        ("1234.5", "JPY", 1235),
        ("1.2345", "KWD", 1235),
        ("1.23449", "KWD", 1234),
        ("1E+3", "USD", 100000),
    ],
)
def test_amounts_are_rounded_half_up_to_the_currency_s_minor_unit(amount: str, currency: str, minor: int):
    assert Money.rounded(Decimal(amount), currency) == Money(minor, currency)


@pytest.mark.parametrize(
    ("money", "text"),
    [
        (Money(5, "USD"), "0.05 USD"),
        (Money(-5, "USD"), "-0.05 USD"),
        (Money(1200, "JPY"), "1200 JPY"),
        (Money(1, "KWD"), "0.001 KWD"),
    ],
)
def test_amounts_are_printed_with_the_currency_s_places(money: Money, text: str):
    assert str(money) == text


@given(st.integers(-(10**15), 10**15), st.sampled_from(["USD", "JPY", "KWD"]))
def test_a_decimal_amount_and_back_is_the_same(minor: int, currency: str):
    money = Money(minor, currency)
    assert Money.rounded(money.decimal(), currency) == money


@pytest.mark.parametrize(("minor", "part", "of", "share"), [(100, 1, 3, 33), (5, 1, 2, 3), (-5, 1, 2, -3)])
def test_a_share_is_rounded_half_up(minor: int, part: int, of: int, share: int):
    assert Money(minor, "USD").share(part, of) == Money(share, "USD")


@given(st.integers(-(10**9), 10**9), st.integers(-(10**9), 10**9))
def test_arithmetic_is_that_of_the_minor_units(a: int, b: int):
    left, right = Money(a, "USD"), Money(b, "USD")
    assert (left + right, left - right, -left) == (Money(a + b, "USD"), Money(a - b, "USD"), Money(-a, "USD"))
    assert (left < right, left <= right, left > right, left >= right) == (a < b, a <= b, a > b, a >= b)
    assert bool(left) == bool(a)


@pytest.mark.parametrize("operation", ["__add__", "__sub__", "__lt__", "__le__", "__gt__", "__ge__"])
def test_currencies_are_never_mixed(operation: str):
    with pytest.raises(CurrencyMismatch, match="USD and EUR"):
        getattr(Money(1, "USD"), operation)(Money(1, "EUR"))


@given(st.lists(st.integers(-(10**9), 10**9)))
def test_a_total_is_the_sum_of_the_minor_units_in_one_currency(minor: list[int]):
    assert Money.total((Money(each, "USD") for each in minor), "USD") == Money(sum(minor), "USD")
    with pytest.raises(CurrencyMismatch, match="USD and EUR"):
        Money.total([*(Money(each, "USD") for each in minor), Money(1, "EUR")], "USD")


@pytest.mark.parametrize(
    "given", [{"minor": 1.0}, {"minor": "1"}, {"minor": True}, {"currency": "usd"}, {"currency": ""}]
)
def test_a_float_or_an_unknown_kind_of_currency_is_no_money(given: dict[str, object]):
    with pytest.raises(ValidationError):
        TypeAdapter(Money).validate_python({"minor": 1, "currency": "USD", **given})


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [("12.50", "USD", 1_250), ("-3", "USD", -300), ("12.500", "USD", 1_250), ("5", "JPY", 5), ("1.234", "KWD", 1_234)],
)
def test_an_amount_in_words_is_exact(text: str, currency: str, minor: int):
    assert Money.parse(text, currency) == Money(minor, currency)


@pytest.mark.parametrize(
    ("text", "currency", "says"),
    [
        ("12.505", "USD", "at most 2 decimal places for USD"),
        ("0.5", "JPY", "at most 0 decimal places for JPY"),
        *((text, "USD", "an amount such as 12.50") for text in ("", "1e3", "NaN", "1,000", "+1", " 1", "1.", "१")),
    ],
)
def test_what_is_none_is_refused_and_never_rounded(text: str, currency: str, says: str):
    with pytest.raises(ValueError, match=says):
        Money.parse(text, currency)
