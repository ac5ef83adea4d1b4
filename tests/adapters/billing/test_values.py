"""Dates and amounts, in every form that a profile can describe."""

from datetime import date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.billing.spreadsheet import guarded, unguarded
from adapters.billing.values import EARLIEST, EXCEL, LATEST, Dates, Numbers, cell_text, readable
from aggregates.values.money import Money

days = st.dates(EARLIEST, LATEST)
amounts = st.decimals(-(10**13), 10**13, places=2, allow_nan=False)
FORMATS = ["%m/%d/%Y", "%d.%m.%Y", "%Y%m%d", "%Y-%m-%d", "%Y-%m-%d %H:%M:%S", "%d %b %Y"]
MARKS = [(".", ","), (",", "."), (",", " "), (".", "'"), (".", ""), (",", "")]


def shown(amount: Decimal, decimal: str, thousands: str) -> str:
    whole, _, rest = f"{abs(amount):,.2f}".partition(".")
    return whole.replace(",", thousands) + decimal + rest


@given(days, st.sampled_from(FORMATS))
def test_a_date_is_read_as_it_was_written(day, form):
    assert Dates([form]).parse(datetime(day.year, day.month, day.day).strftime(form)) == day  # noqa: DTZ001


@given(days)
def test_a_day_number_is_read_as_spreadsheets_count(day):
    first = date(1899, 12, 31) if day < date(1900, 3, 1) else date(1899, 12, 30)
    number = (day - first).days
    assert Dates([EXCEL]).parse(str(number)) == Dates([EXCEL]).parse(float(number)) == day


@pytest.mark.parametrize(
    ("text", "formats"),
    [
        ("2/30/2013", ["%m/%d/%Y"]),
        ("13/1/2013", ["%m/%d/%Y"]),
        ("2013-02-29", []),
        ("2020331", ["%Y%m%d"]),
        ("20200231", ["%Y%m%d", EXCEL]),
        ("60", [EXCEL]),
        ("1/2/0213", ["%m/%d/%Y"]),
        ("soon", ["%m/%d/%Y", EXCEL]),
    ],
)
def test_what_is_no_day_of_the_calendar_is_none(text, formats):
    assert Dates(formats).parse(text) is None


def test_dates_of_real_exports():
    assert Dates(["%Y%m%d"]).parse("20200331") == date(2020, 3, 31)
    assert Dates(["%Y%m%d"], strip_decimal=True).parse("20200331.0") == date(2020, 3, 31)
    assert Dates(["%m/%d/%Y"]).parse("1/2/2013") == date(2013, 1, 2)
    assert Dates([]).parse("2020-03-31 00:00:00") == date(2020, 3, 31)
    assert Dates([]).parse(datetime(2020, 3, 31, 12)) == date(2020, 3, 31)  # noqa: DTZ001


@given(amounts, st.sampled_from(MARKS), st.sampled_from(["-{}", "{}-", "({})", "- {}", "−{}"]))
def test_an_amount_is_read_as_it_was_written(amount, marks, minus):
    decimal, thousands = marks
    text = shown(amount, decimal, thousands)
    assert Numbers(decimal=decimal, thousands=thousands).parse(text) == abs(amount)
    assert Numbers(decimal=decimal, thousands=thousands).parse(minus.format(text)) == -abs(amount)


@given(amounts, st.sampled_from(MARKS))
def test_the_shortcut_for_hundredths_is_the_long_way(amount, marks):
    decimal, thousands = marks
    numbers = Numbers(decimal=decimal, thousands=thousands)
    text = f"{amount:.2f}".replace(".", decimal)
    long = numbers.parse(text)
    assert long is not None
    assert numbers.plain_hundredths(text) == Money.rounded(long, "USD").minor


@given(st.floats(-(10**11), 10**11, allow_nan=False))
def test_a_workbooks_number_is_the_text_that_stands_for_it(number):
    for decimal, thousands in MARKS:
        numbers = Numbers(decimal=decimal, thousands=thousands)
        read = numbers.parse(cell_text(number, decimal))
        exact = numbers.parse(number)
        assert read is not None
        assert exact is not None
        assert Money.rounded(read, "USD") == Money.rounded(exact, "USD")


@pytest.mark.parametrize("text", ["", "-", "12.5.0", "1,23", "12,34.5", "1.234,56", "abc", "12 USD", "--5", "(-5)",
                                  "1e5", "٣", "NaN", "1" * 15, "5%", "1,,000", ",5"])  # fmt: skip
def test_what_is_no_amount_is_none(text):
    assert Numbers().parse(text) is None


@pytest.mark.parametrize("cell", [True, float("nan"), float("inf"), None, date(2020, 1, 1)])
def test_a_cell_that_is_no_number_is_none(cell):
    assert Numbers().parse(cell) is None


def test_signs_of_currencies_go_only_where_the_profile_says_so():
    numbers = Numbers(signs=["$", "US$", "USD"])
    for text in ("$12.50", "US$ 12.50", "12.50 USD", "$ 12.50"):
        assert numbers.parse(text) == Decimal("12.50")
    for text in ("-$12.50", "$-12.50", "($12.50)", "$(12.50)", "12.50- $"):
        assert numbers.parse(text) == Decimal("-12.50"), text
    assert Numbers().parse("$12.50") is None


def test_a_measured_amount_is_rounded_half_up_to_the_minor_unit():
    def rounded(text: str, currency: str) -> int:
        number = Numbers().parse(text)
        assert number is not None
        return Money.rounded(number, currency).minor

    assert rounded("2309.7899999999995", "USD") == 230979
    assert rounded("0.005", "USD") == 1
    assert rounded("-0.005", "USD") == -1
    assert rounded("1234.5", "JPY") == 1235
    assert rounded("1.2345", "KWD") == 1235


def test_text_is_one_line_without_control_characters():
    assert readable("Acme\r\nBuilding 2\tWest") == "Acme Building 2 West"
    assert readable("bell\x07") is None
    assert readable("nul\0") is None


@given(st.text() | st.from_regex(r"\A'*[ \t]*[=+\-@'].*", alphabet=st.characters(exclude_categories=["Cs"])))
def test_a_guarded_cell_comes_back_exactly(text):
    assert unguarded(guarded(text)) == text


@given(st.text(), st.sampled_from(["=", "+", "-", "@", "\t", "\r", " =", "\u00a0=", "＝"]))
def test_a_guarded_cell_never_begins_like_a_formula(rest, start):
    assert guarded(start + rest).startswith("'")


def test_only_what_could_be_a_formula_is_guarded():
    for text in ("Acme", "'s-Hertogenbosch", "12.50", "", "a=b"):
        assert guarded(text) == text == unguarded(text)
