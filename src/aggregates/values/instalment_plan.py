"""The calculator of instalment plans: a total, a first day and a rhythm become days and amounts."""

from calendar import monthrange
from datetime import date, timedelta
from enum import StrEnum

from aggregates.values.money import Money

MOST_INSTALMENTS = 60


class Every(StrEnum):
    """How long it is from one instalment to the next."""

    WEEK = "week"
    TWO_WEEKS = "two-weeks"
    MONTH = "month"


class NoPlan(ValueError):
    """No plan follows from what was said; `field` says of what, `expected` what would do."""

    def __init__(self, field: str, expected: str) -> None:
        super().__init__(f"{field}: {expected}")
        self.field, self.expected = field, expected


def instalment_plan(
    total: Money, *, first: date, every: Every, count: int | None = None, amount: Money | None = None
) -> list[tuple[date, Money]]:
    """Days and amounts of at most 60 instalments that are the total exactly.

    With `count` all are equal, rounded down to the currency's minor unit; with `amount` all are that. The last one
    takes the rest: with `count` it is the largest, with `amount` the smallest. Raises NoPlan.
    """
    if total.minor <= 0:
        raise NoPlan("total", "expected more than zero")
    if (count is None) == (amount is None):
        raise NoPlan("count", "expected either a count or an amount")
    if amount is not None:
        if amount.currency != total.currency:
            raise NoPlan("amount", f"expected an amount in {total.currency}")
        if amount.minor <= 0:
            raise NoPlan("amount", "expected more than zero")
        part, count = amount.minor, -(-total.minor // amount.minor)
        if count > MOST_INSTALMENTS:
            raise NoPlan("amount", f"expected at most {MOST_INSTALMENTS} instalments, not {count}")
    else:
        number = count or 0
        if not 1 <= number <= MOST_INSTALMENTS:
            raise NoPlan("count", f"expected from 1 to {MOST_INSTALMENTS}")
        part, count = total.minor // number, number
        if not part:
            raise NoPlan("count", f"expected at most {total.minor}: each instalment is of more than zero")
    parts = [part] * (count - 1)
    try:
        days = [day_of(first, every, index) for index in range(count)]
    except OverflowError:
        raise NoPlan("first", "expected a day from which the calendar does not end before the plan") from None
    return list(zip(days, [Money(each, total.currency) for each in (*parts, total.minor - sum(parts))], strict=True))


def day_of(first: date, every: Every, index: int) -> date:
    """The day of an instalment, counted from 0.

    By months it is the first one's day of the month, and the last of a month that has no such day: from 31 January on
    28 February, 31 March, 30 April. Raises OverflowError behind the end of the calendar.
    """
    if every is not Every.MONTH:
        return first + timedelta(weeks=index * (2 if every is Every.TWO_WEEKS else 1))
    years, month = divmod(first.month - 1 + index, 12)
    year = first.year + years
    if year > date.max.year:
        raise OverflowError("the calendar ends")
    return date(year, month + 1, min(first.day, monthrange(year, month + 1)[1]))
