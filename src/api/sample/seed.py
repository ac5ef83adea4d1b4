"""Living through the sample portfolio: its commands on their days, ticks in between, up to this moment."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from functools import partial
from importlib.resources import as_file, files
from pathlib import Path
from zoneinfo import ZoneInfo

from adapters.clock import ManualClock, SystemClock
from adapters.eventstore.requests import Requests
from adapters.postgres.database import URL_VARIABLE
from adapters.postgres.new_folder import can_be_made_whole, made_whole
from aggregates.campaign import LaunchCampaign
from aggregates.kernel.actor import Actor
from aggregates.kernel.command import Command, Issued, Rejected, identifier
from aggregates.office import ChangeOfficeSettings, DeliveryLimits, Office, OpenOffice
from aggregates.values.business_time import local_date
from api.application.campaign_file import read_campaign
from api.application.play import live_through
from api.processes.step_by_step import StepByStep
from api.sample.stories import ACCOUNTS, CURRENCY, DAYS, OFFICE, days_of
from projections.questions.portfolio import has_accounts, messages_sent

ZONE = ZoneInfo("America/New_York")
MORNING = time(9, 0)
"""When each day's commands arrive: with the send window, so that one tick a day does."""

_UNTIL = time(9, 30)
_CHUNK = 500

Progress = Callable[[int, int], None]


class SampleUnfinished(Exception):
    """What is there is a part of the sample portfolio: whoever made it did not get to the end."""

    hint = "Take another data folder or database, or remove this one."

    def __init__(self) -> None:
        super().__init__("The sample portfolio is here in part only: its making was interrupted")


@dataclass(frozen=True, slots=True)
class Seeded:
    """What the portfolio came to."""

    accounts: int
    events: int
    messages: int


def seed(
    data: Path | None,
    *,
    now: datetime | None = None,
    accounts: int = ACCOUNTS,
    begins: Progress | None = None,
    progress: Progress | None = None,
) -> Seeded | None:
    """Fills a data folder with the sample portfolio, ending at `now`; None where accounts are there already.

    `begins` is told accounts and days before it is made, `progress` the days that are done and all of them.

    A new folder is there when all of it is, and not before. In a folder that is in use already, and on a server, it is
    made in place: raises SampleUnfinished where somebody began that and did not get to the end.
    """
    fill = partial(_fill, now=now or SystemClock().now(), accounts=accounts, begins=begins, progress=progress)
    if data is None or URL_VARIABLE in os.environ or not can_be_made_whole(data):
        return fill(data)
    with made_whole(data) as unfinished:
        return fill(unfinished)


def _fill(
    data: Path | None, *, now: datetime, accounts: int, begins: Progress | None, progress: Progress | None
) -> Seeded | None:
    today = local_date(now, ZONE)
    clock = ManualClock(datetime.combine(today, MORNING, ZONE))
    with StepByStep.open(data, clock=clock) as service:
        service.prepare()
        service.drain()
        if _has_accounts(service):
            _require_whole(service, accounts)
            return None
        if begins is not None:
            begins(accounts, DAYS)
        for done, (day, commands) in enumerate(days_of(today, accounts), 1):
            clock.set(_no_later(datetime.combine(day, MORNING, ZONE), now))
            if done == 1:
                _open_office(service)
            for start in range(0, len(commands), _CHUNK):
                _handle(service, commands[start : start + _CHUNK])
            service.drain()
            live_through(service, clock, until=_no_later(datetime.combine(day, _UNTIL, ZONE), now))
            if progress is not None:
                progress(done, DAYS)
        return _counted(service, accounts)


def _no_later(moment: datetime, now: datetime) -> datetime:
    return min(moment, now)


def _open_office(service: StepByStep) -> None:
    resource = files("api.sample") / "reminders.toml"
    with as_file(resource) as file:
        campaign = read_campaign(file)
    _handle(
        service,
        [
            _setting(OpenOffice(code="main", title="Tidewater Utilities", currency=CURRENCY, time_zone=ZONE.key)),
            _setting(ChangeOfficeSettings(office_id=OFFICE, limits=DeliveryLimits(max_per_minute=600))),
            _setting(LaunchCampaign(office_id=OFFICE, title=campaign.title, plan=campaign.plan(CURRENCY))),
        ],
    )


def _setting(command: Command) -> Issued:
    return Issued(
        command=command,
        command_id=identifier("sample", command.command_name),
        actor=Actor.person("dana.whitfield"),
        reason="Sample portfolio",
    )


def _handle(service: StepByStep, commands: list[Issued]) -> None:
    for issued, outcome in zip(commands, service.arrears.handle(commands), strict=True):
        match outcome:
            case Rejected(reason_code=code, detail=detail):
                raise RuntimeError(
                    f"the sample portfolio breaks a rule: {issued.command.command_name}: {code}: {detail}"
                )
            case _:
                pass


def _has_accounts(service: StepByStep) -> bool:
    with service.database.connect("arrears_app") as connection:
        return has_accounts(connection)


def _require_whole(service: StepByStep, accounts: int) -> None:
    """Raises SampleUnfinished where the accounts are the sample's, and its last command was never sent."""
    history = service.arrears.history(Office, OFFICE)
    if not history or history[0].meta.command_id != identifier("sample", OpenOffice.command_name):
        return
    today = local_date(history[0].recorded_at, ZONE) + timedelta(days=DAYS - 1)
    last = [issued for _, commands in days_of(today, accounts) for issued in commands][-1]
    if not Requests(partial(service.database.connect, "arrears_app")).is_done(last.command_id):
        raise SampleUnfinished


def _counted(service: StepByStep, accounts: int) -> Seeded:
    with service.database.connect("arrears_app") as connection:
        messages = messages_sent(connection)
    return Seeded(accounts=accounts, events=service.feed.head(), messages=messages)
