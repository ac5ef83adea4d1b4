"""Living through history: every calendar day its facts arrive, then that day's ticks run."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from adapters.billing.importer import Importer, ImportReport, OfficeDefaults, finish, stage, write_refused
from adapters.billing.profile import load_profile
from adapters.billing.source import ImportSource
from adapters.billing.staged import Staged
from adapters.clock import ManualClock
from adapters.stop import check
from aggregates.values.business_time import day_starts
from api.processes.step_by_step import StepByStep
from projections.questions.portfolio import has_accounts

DAY_BEGINS = time(0, 0, 1)
_TICKS_A_MOMENT = 10

DayDone = Callable[[date, date], None]
"""Told the day that was lived through and the last one."""


def _silent(day: date, last: date) -> None:
    """No progress is shown."""


class PlayRefused(Exception):
    """History can only be lived through from its beginning, in a folder that holds no accounts yet."""


@dataclass(frozen=True, slots=True)
class PlayReport:
    """What a play did: its facts, and how many days and ticks it took."""

    facts: ImportReport
    days: int
    ticks: int


def play(
    service: StepByStep,
    path: Path,
    profile: str,
    *,
    first: date,
    last: date,
    defaults: OfficeDefaults,
    progress: DayDone = _silent,
) -> PlayReport:
    """Lives from `first` through `last`. Facts dated before `first` are there on `first`; later ones are left out.

    The service's clock has to be a ManualClock: what is recorded has the time of the day it arrives.
    Raises PlayRefused, ProfileError, FileProblem, ImportRefused, and Stopped.
    """
    clock = service.clock
    if not isinstance(clock, ManualClock):
        raise PlayRefused("a play sets the clock itself")
    if last < first:
        raise PlayRefused(f"--to {last}: expected {first} or later")
    source = ImportSource(path, load_profile(profile))
    zone = ZoneInfo(defaults.zone)
    clock.set(datetime.combine(first, DAY_BEGINS, zone))
    service.prepare()
    _require_no_accounts(service)
    with service.database.connect("arrears_app") as connection:
        staging, loaded = stage(service.arrears, connection, source, defaults, None, stop=service.stop)
        report = ImportReport.of(loaded)
        importer = Importer(service.arrears, staging, defaults)
        importer.check_offices()
        arriving = _Arrivals(staging.by_day(until=last), first)
        day, ticks = first, 0
        while day <= last:
            clock.set(max(clock.now(), datetime.combine(day, DAY_BEGINS, zone)))
            for chunk in arriving.on(day):
                check(service.stop)
                importer.bring_in(chunk, report)
            service.drain()
            ticks += live_through(service, clock, until=day_starts(day + timedelta(days=1), zone))
            progress(day, last)
            day += timedelta(days=1)
        report.left_out = sum(loaded.facts.values()) - arriving.taken
        finish(report, staging)
        write_refused(report, source, staging, service.stop)
    return PlayReport(report, (last - first).days + 1, ticks)


def live_through(service: StepByStep, clock: ManualClock, *, until: datetime) -> int:
    """Ticks now and at each later moment before `until` at which something is due; returns how many ticks."""
    ticks = again = 0
    while True:
        done = service.ticker.tick(clock.now())
        service.drain()
        ticks += 1
        again = again + 1 if done.events else 0
        if 0 < again < _TICKS_A_MOMENT:
            continue
        due = service.ticker.next_due(after=clock.now())
        if due is None or due >= until:
            return ticks
        clock.set(due)
        again = 0


class _Arrivals:
    """The staged facts, handed out on the day they arrive."""

    def __init__(self, days: Iterator[tuple[date | None, list[Staged]]], first: date) -> None:
        self._days = days
        self._first = first
        self._waiting: tuple[date, list[Staged]] | None = None
        self.taken = 0

    def on(self, day: date) -> Iterator[list[Staged]]:
        """The facts of a day; on the first day also those without a date and those dated before."""
        while True:
            if self._waiting is None:
                dated, chunk = next(self._days, (date.max, []))
                self._waiting = (max(dated or self._first, self._first), chunk)
            arrives, chunk = self._waiting
            if arrives > day or not chunk:
                return
            self._waiting = None
            self.taken += len(chunk)
            yield chunk


def _require_no_accounts(service: StepByStep) -> None:
    service.drain()
    with service.database.connect("arrears_app") as connection:
        if has_accounts(connection):
            raise PlayRefused("this data folder holds accounts already; live through history in a new one")
