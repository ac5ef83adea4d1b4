"""When messages may leave: windows, weekends, holidays, zones that change their clocks."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from aggregates.office import OfficeOpened
from aggregates.values.business_time import (
    BusinessCalendar,
    SendWindow,
    day_starts,
    local_date,
    moment_at,
    next_sending,
)

NEW_YORK, BERLIN = ZoneInfo("America/New_York"), ZoneInfo("Europe/Berlin")
WEEKDAYS, WINDOW = BusinessCalendar(), SendWindow()
MONDAY, FRIDAY, SATURDAY = date(2026, 3, 2), date(2026, 3, 6), date(2026, 3, 7)

MOMENTS = st.integers(0, 2 * 365 * 24 * 60).map(lambda n: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=n))


def ny(day: date, hour: int, minute: int = 0) -> datetime:
    return datetime.combine(day, time(hour, minute), NEW_YORK).astimezone(UTC)


def sending(day: date, now: datetime, *, same_day: bool = True, calendar: BusinessCalendar = WEEKDAYS) -> datetime:
    return next_sending(day, now=now, window=WINDOW, calendar=calendar, zone=NEW_YORK, same_day=same_day)


def test_inside_the_window_a_message_may_leave_now():
    assert sending(MONDAY, ny(MONDAY, 11, 30)) == ny(MONDAY, 11, 30)


def test_the_window_includes_its_opening_and_excludes_its_close():
    assert sending(MONDAY, ny(MONDAY, 9)) == ny(MONDAY, 9)
    assert sending(MONDAY, ny(MONDAY, 17, 59)) == ny(MONDAY, 17, 59)
    assert sending(MONDAY, ny(MONDAY, 18)) == ny(date(2026, 3, 3), 9)


def test_before_the_window_it_waits_for_the_opening():
    assert sending(MONDAY, ny(MONDAY, 0)) == ny(MONDAY, 9)


def test_a_later_day_means_its_opening():
    assert sending(FRIDAY, ny(MONDAY, 12)) == ny(FRIDAY, 9)


def test_a_day_in_the_past_means_now():
    assert sending(date(2026, 1, 1), ny(MONDAY, 12)) == ny(MONDAY, 12)


def test_on_friday_evening_it_waits_for_monday():
    assert sending(FRIDAY, ny(FRIDAY, 18)) == ny(date(2026, 3, 9), 9)


def test_on_a_saturday_it_waits_for_monday():
    assert sending(SATURDAY, ny(SATURDAY, 12)) == ny(date(2026, 3, 9), 9)


def test_a_holiday_is_passed_over():
    holidays = BusinessCalendar(holidays=frozenset({date(2026, 3, 9), date(2026, 3, 10)}))
    assert sending(SATURDAY, ny(SATURDAY, 12), calendar=holidays) == ny(date(2026, 3, 11), 9)


def test_who_had_a_message_today_gets_the_next_one_on_the_next_business_day():
    assert sending(FRIDAY, ny(FRIDAY, 12), same_day=False) == ny(date(2026, 3, 9), 9)


@pytest.mark.parametrize(
    ("zone", "day", "opens"),
    [
        (NEW_YORK, date(2026, 3, 6), datetime(2026, 3, 6, 14, tzinfo=UTC)),
        (NEW_YORK, date(2026, 3, 9), datetime(2026, 3, 9, 13, tzinfo=UTC)),  # summer time began on the 8th
        (NEW_YORK, date(2026, 11, 2), datetime(2026, 11, 2, 14, tzinfo=UTC)),  # and ended on November 1st
        (BERLIN, date(2026, 3, 27), datetime(2026, 3, 27, 8, tzinfo=UTC)),
        (BERLIN, date(2026, 3, 30), datetime(2026, 3, 30, 7, tzinfo=UTC)),  # began on the 29th
        (BERLIN, date(2026, 10, 26), datetime(2026, 10, 26, 8, tzinfo=UTC)),
    ],
)
def test_the_window_opens_at_nine_on_the_wall_clock_in_summer_and_winter(zone: ZoneInfo, day: date, opens: datetime):
    now = opens - timedelta(days=2)
    assert next_sending(day, now=now, window=WINDOW, calendar=WEEKDAYS, zone=zone) == opens


def test_a_wall_clock_time_that_does_not_exist_is_the_moment_after_the_gap():
    """In New York 2:30 on March 8th 2026 is skipped."""
    moment = moment_at(date(2026, 3, 8), time(2, 30), NEW_YORK)
    assert moment.astimezone(NEW_YORK).hour == 3


def test_the_days_on_which_clocks_change_have_23_and_25_hours():
    def hours(day: date) -> float:
        return (day_starts(day + timedelta(days=1), NEW_YORK) - day_starts(day, NEW_YORK)).total_seconds() / 3600

    assert (hours(date(2026, 3, 8)), hours(date(2026, 11, 1)), hours(MONDAY)) == (23, 25, 24)


@given(
    MOMENTS,
    st.sampled_from([NEW_YORK, BERLIN]),
)
def test_a_day_starts_on_itself(moment: datetime, zone: ZoneInfo):
    day = local_date(moment, zone)
    assert local_date(day_starts(day, zone), zone) == day
    assert day_starts(day, zone) <= moment < day_starts(day + timedelta(days=1), zone)


@given(
    moment=MOMENTS,
    ahead=st.integers(-5, 20),
    zone=st.sampled_from([NEW_YORK, BERLIN, ZoneInfo("Pacific/Auckland")]),
    weekdays=st.frozensets(st.integers(0, 6), min_size=1),
    same_day=st.booleans(),
)
def test_a_message_leaves_in_the_window_on_a_business_day_and_never_early(
    moment: datetime, ahead: int, zone: ZoneInfo, weekdays: frozenset[int], same_day: bool
):
    calendar = BusinessCalendar(weekdays=weekdays)
    today = local_date(moment, zone)
    day = today + timedelta(days=ahead)
    found = next_sending(day, now=moment, window=WINDOW, calendar=calendar, zone=zone, same_day=same_day)
    local = found.astimezone(zone)
    assert found >= moment
    assert local.date() >= day
    assert calendar.is_open(local.date())
    assert WINDOW.opens <= local.time() < WINDOW.closes
    assert same_day or local.date() > today


def test_a_window_opens_before_it_closes():
    with pytest.raises(ValidationError, match="must open before it closes"):
        SendWindow(opens=time(18), closes=time(9))


def test_a_calendar_has_a_working_day():
    with pytest.raises(ValidationError):
        BusinessCalendar(weekdays=frozenset())


def test_a_zone_has_a_name_of_the_tz_database():
    with pytest.raises(ValidationError, match="IANA"):
        OfficeOpened(code="a", title="A", currency="USD", time_zone="New York")
