"""The clock of a process and the database's: held against each other, and what is shown of them."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from adapters.clock import Clock, ManualClock, SystemClock
from adapters.clock_check import TOLERANCE, ClockCheck, ClockDiffers, tolerance_of
from adapters.eventstore.application import Arrears
from adapters.postgres.database import Connection, Database
from adapters.postgres.errors import DatabaseProblem
from adapters.ticker import Ticker
from projections.agenda.queries import advance_clock, set_clock
from tests.adapters.readers.log import MASTER_KEY, rows

HOUR = timedelta(hours=1)
LONG_AGO = datetime(2001, 1, 1, tzinfo=UTC)


class WrongClock(SystemClock):
    """Goes wrong by so much."""

    def __init__(self, by: timedelta) -> None:
        self.by = by

    def now(self) -> datetime:
        return super().now() + self.by


@pytest.fixture
def connection(database: Database) -> Iterator[Connection]:
    with database.connect("arrears_app", autocommit=True) as connection:
        yield connection


def shown(database: Database) -> list[datetime]:
    return [row[0] for row in rows(database, "SELECT now FROM read_model.clock")]


# --- held against the database's ---


@pytest.mark.parametrize(
    "clock", [SystemClock(), WrongClock(timedelta(seconds=20)), ManualClock(datetime.min.replace(tzinfo=UTC))]
)
def test_a_clock_that_agrees_or_that_is_set_is_right(connection: Connection, clock: Clock):
    assert ClockCheck(clock).problem(connection) is None


@pytest.mark.parametrize(("by", "how"), [(HOUR, "ahead of"), (-HOUR, "behind")])
def test_a_clock_that_differs_says_by_how_much_until_it_agrees_again(connection: Connection, by: timedelta, how: str):
    clock = WrongClock(by)
    check = ClockCheck(clock)
    problem = check.problem(connection)
    assert problem is not None
    assert f"s {how} the database's; there are no ticks" in problem
    with pytest.raises(ClockDiffers, match="This machine's clock is"):
        check.require(connection)
    clock.by = timedelta(0)
    check.require(connection)


def test_how_much_is_tolerated_is_said_in_seconds():
    assert tolerance_of({}) == TOLERANCE
    assert tolerance_of({"ARREARS_CLOCK_TOLERANCE": "2.5"}) == timedelta(seconds=2.5)
    for wrong in ("0", "-1", "soon", "inf", "nan", "1e300"):
        with pytest.raises(DatabaseProblem, match="a number of seconds above 0"):
            tolerance_of({"ARREARS_CLOCK_TOLERANCE": wrong})


def test_a_tick_by_a_clock_that_differs_does_nothing(database: Database):
    clock = WrongClock(HOUR)
    with Arrears(database, master_key=MASTER_KEY, clock=clock) as arrears:
        ticker = Ticker(arrears, database)
        with pytest.raises(ClockDiffers):
            ticker.tick(clock.now())
        ticker.close()
    assert shown(database) == []


# --- what time it is for those who look ---


def test_a_clock_that_runs_does_not_go_back(connection: Connection, database: Database):
    now = datetime.now(UTC)
    for moment in (now - HOUR, now, now - 2 * HOUR):
        advance_clock(connection, moment, tolerance=TOLERANCE)
    assert shown(database) == [now]


def test_what_is_ahead_of_the_database_s_clock_as_well_is_put_right(connection: Connection, database: Database):
    now = datetime.now(UTC)
    set_clock(connection, now + 48 * HOUR)
    advance_clock(connection, now, tolerance=TOLERANCE)
    assert shown(database) == [now]


def test_a_clock_that_is_set_goes_where_it_is_set(connection: Connection, database: Database):
    now = datetime.now(UTC)
    for moment in (now + HOUR, now - HOUR):
        set_clock(connection, moment)
        assert shown(database) == [moment]
