"""Dates and amounts, in every form that a profile can describe."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.billing.spreadsheet import guarded, text_of_formula, unguarded
from adapters.billing.values import EARLIEST, EXCEL, LATEST, Dates, Numbers, cell_text, day_of, readable
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


@pytest.mark.parametrize(
    ("text", "formats"),
    [
        ("2026-11-27T23:00:00Z", []),
        ("2026-11-27T23:00Z", []),
        ("2026-11-27t23:00:00.123456z", []),
        ("2026-11-27T23:00:00+00:00", []),
        ("2026-11-27 23:00:00+00", []),
        ("2026-11-27 23:00:00.000 +0000", []),
        ("2026-11-27 23:00:00 UTC", []),
        ("2026-11-28T00:00:00+01:00", []),
        ("2026-11-27T18:00:00,5-05:00", []),
        ("2026-11-27T23:00:00Z", ["%Y-%m-%dT%H:%M:%SZ"]),
        ("2026-11-27T23:00:00+00:00", ["%Y-%m-%dT%H:%M:%S%z"]),
        ("27.11.2026 23:00Z", ["%d.%m.%Y %H:%MZ"]),
        ("27.11.2026 23:00 UTC", ["%d.%m.%Y %H:%M UTC"]),
        ("28.11.2026 00:00+01:00", ["%d.%m.%Y %H:%M%z"]),
        ("20261128000000+0100", ["%Y%m%d%H%M%S%z"]),
        ("Fri Nov 27 23:00:00 GMT 2026", ["%a %b %d %H:%M:%S %Z %Y"]),
    ],
)
def test_a_time_with_a_zone_is_of_the_day_that_it_has_where_it_is_read(text, formats):
    moment = Dates(formats).parse(text)
    assert isinstance(moment, datetime)
    assert day_of(moment, ZoneInfo("Europe/Berlin")) == date(2026, 11, 28)
    assert day_of(moment, ZoneInfo("America/New_York")) == date(2026, 11, 27)


@given(st.datetimes(datetime(1900, 1, 3), datetime(2199, 12, 29)), st.integers(-14 * 60, 14 * 60))  # noqa: DTZ001
def test_a_moment_is_the_same_day_whatever_the_zone_it_is_written_in(at, minutes):
    moment = at.replace(microsecond=0, tzinfo=timezone(timedelta(minutes=minutes)))
    there = moment.astimezone(ZoneInfo("Asia/Tokyo")).date()
    for text in (moment.isoformat(), moment.isoformat(sep=" "), moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")):
        read = Dates([]).parse(text)
        assert isinstance(read, datetime)
        assert day_of(read, ZoneInfo("Asia/Tokyo")) == there


@pytest.mark.parametrize(
    ("text", "formats"),
    [
        ("2026-11-27T23:59:59", []),
        ("2026-11-27 23:59", []),
        ("27.11.2026 23:59", ["%d.%m.%Y %H:%M"]),
        ("27.11.2026 23:59 Zeit", ["%d.%m.%Y %H:%M Zeit"]),
    ],
)
def test_a_time_without_a_zone_is_of_the_day_as_written(text, formats):
    assert Dates(formats).parse(text) == date(2026, 11, 27)


@pytest.mark.parametrize(
    "text", ["2026-11-27T25:00:00Z", "2026-02-30T10:00:00Z", "2026-11-27Z", "2026-11-27T10:00+25:00"]
)
def test_a_moment_that_is_none_is_none(text):
    assert Dates([]).parse(text) is None


def test_the_day_of_a_moment_outside_the_years_that_are_read_is_none():
    moment = Dates([]).parse("2199-12-31T23:30:00Z")
    assert isinstance(moment, datetime)
    assert day_of(moment, ZoneInfo("Europe/Berlin")) is None


def test_a_name_of_the_machines_own_zone_says_nothing():
    assert Dates(["%d.%m.%Y %H:%M %Z"]).parse("27.11.2026 23:00 CET") is None


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ('="00123"', "00123"),
        (' ="00123" ', "00123"),
        ('=""00123""', "00123"),
        ('=""', ""),
        ('="a ""b"""', 'a "b"'),
        ('="=1+1"', "=1+1"),
    ],
)
def test_a_text_that_was_written_as_a_formula_is_that_text(cell, text):
    assert text_of_formula(cell) == text


@pytest.mark.parametrize("cell", ['="1"&"2"', "=SUM(A1)", "=00123", '="00123', '="1"+1', 'x="1"', 123, None])
def test_no_other_formula_is_evaluated(cell):
    assert text_of_formula(cell) == cell


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
