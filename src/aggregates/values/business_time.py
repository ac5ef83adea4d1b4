"""When an office works and may send: business days, holidays and a daily send window in its own time zone."""

from datetime import UTC, date, datetime, time, timedelta
from functools import cache, lru_cache
from typing import Annotated, Self
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, Field, model_validator

from aggregates.kernel.value import SetOf, Value

ONE_DAY = timedelta(days=1)


@cache
def _zones() -> frozenset[str]:
    """Looked up once: it walks through a whole folder."""
    return frozenset(available_timezones())


def _known_zone(name: str) -> str:
    if name not in _zones():
        raise ValueError("expected an IANA time zone such as America/New_York")
    return name


TimeZone = Annotated[str, AfterValidator(_known_zone)]


class SendWindow(Value):
    """The local hours in which messages may leave: from `opens`, before `closes`."""

    opens: time = time(9, 0)
    closes: time = time(18, 0)

    @model_validator(mode="after")
    def _opens_first(self) -> Self:
        if self.opens.tzinfo is not None or self.closes.tzinfo is not None:
            raise ValueError("opens and closes are local times: expected no offset from UTC")
        if self.opens >= self.closes:
            raise ValueError("the send window must open before it closes")
        return self


class BusinessCalendar(Value):
    """Working weekdays (0 is Monday) and the holidays between them."""

    weekdays: SetOf[Annotated[int, Field(ge=0, le=6)]] = Field(frozenset({0, 1, 2, 3, 4}), min_length=1)
    holidays: SetOf[date] = frozenset()

    def is_open(self, day: date) -> bool:
        return day.weekday() in self.weekdays and day not in self.holidays

    def on_or_after(self, day: date) -> date:
        while not self.is_open(day):
            day += timedelta(days=1)
        return day


def local_date(moment: datetime, zone: ZoneInfo) -> date:
    return moment.astimezone(zone).date()


@lru_cache(maxsize=1_024)  # whoever asks about many accounts asks at one moment, and most of them are in the same zones
def local_times(moment: datetime, zones: tuple[ZoneInfo, ...]) -> tuple[datetime, ...]:
    """What the clocks of these zones say at a moment, in their order."""
    return tuple(moment.astimezone(zone) for zone in zones)


def moment_at(day: date, at: time, zone: ZoneInfo) -> datetime:
    """The UTC moment of a local wall-clock time."""
    return datetime.combine(day, at, zone).astimezone(UTC)


def day_starts(day: date, zone: ZoneInfo) -> datetime:
    """The UTC moment at which a local day begins."""
    return moment_at(day, time.min, zone)


def next_sending(
    day: date, *, now: datetime, window: SendWindow, calendar: BusinessCalendar, zone: ZoneInfo, same_day: bool = True
) -> datetime:
    """The first moment on or after `day` and `now` that a message may leave.

    `same_day` False keeps today out, for an account that has had its message of the day.
    """
    local = now.astimezone(zone)
    first = max(day, local.date() if same_day else local.date() + timedelta(days=1))
    first = calendar.on_or_after(first)
    if first > local.date() or local.time() < window.opens:
        return moment_at(first, window.opens, zone)
    if local.time() < window.closes:
        return now
    return moment_at(calendar.on_or_after(first + timedelta(days=1)), window.opens, zone)
