"""Schedules of bulk actions for every door: a kind on a saved filter, once or every period, up to a stated size."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from aggregates.bulk.schedule import Period, Recurrence, ScheduleBulk
from aggregates.kernel.command import identifier
from aggregates.kernel.deciding import rejected
from aggregates.kernel.refusals import Refusal
from aggregates.office import Office
from aggregates.values.money import Money
from api.application.bulk import kind_of, office_of, parameters_of
from api.application.issuing import Caller, Done, Issuing, Refused, for_the_system
from api.application.offices import today_in
from api.processes.service import Service
from projections.questions.scope import SeveralCurrencies, UnknownOffice, scope_of

DAYS_OF_WEEK = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


class WrongSchedule(ValueError):
    """What was said does not make a schedule; `field` says of what, `expected` what would do."""

    def __init__(self, field: str, expected: str) -> None:
        super().__init__(f"{field}: {expected}")
        self.field, self.expected = field, expected


@dataclass(frozen=True, slots=True)
class Times:
    """When something is due: at a moment, or every period from a day on."""

    at: datetime | None = None
    every: Period | None = None
    on: str | None = None
    """Of a week the name of its day, of a month its number."""
    starts_on: date | None = None
    """None: today."""

    def recurrence(self, today: date) -> Recurrence | None:
        """None of a single moment. Raises WrongSchedule."""
        if (self.at is None) == (self.every is None):
            raise WrongSchedule("at", "expected either a moment, or every day, week or month")
        if self.every is None:
            if self.on is not None or self.starts_on is not None:
                raise WrongSchedule("on" if self.on is not None else "starts_on", "expected none beside a moment")
            return None
        return Recurrence(every=self.every, on=_day_of(self.every, self.on), starts_on=self.starts_on or today)


def _day_of(every: Period, said: str | None) -> int | None:
    if said is None:
        return None
    match every:
        case Period.DAY:
            raise WrongSchedule("on", "expected none where it is every day")
        case Period.WEEK:
            found = [place for place, name in enumerate(DAYS_OF_WEEK, 1) if said.lower() in {name, name[:3]}]
            if not found:
                raise WrongSchedule("on", f"expected a day of the week, one of {', '.join(DAYS_OF_WEEK)}")
            return found[0]
        case Period.MONTH:
            if not (said.isascii() and said.isdigit() and len(said) <= 2 and 1 <= int(said) <= 31):
                raise WrongSchedule("on", "expected a day of the month from 1 to 31")
            return int(said)


def schedule_bulk(
    service: Service,
    issuing: Issuing,
    caller: Caller,
    *,
    kind: str,
    said: Mapping[str, Any],
    office: str | None,
    saved: str,
    currency: str | None,
    times: Times,
    most_accounts: int,
    most_amount: str | None,
    reason: str | None = None,
) -> Done:
    """Makes a schedule. `currency` None: the only one in which the office's accounts are, now and each time; the most
    amount is in it.

    Raises WrongSchedule, WrongParameter, NotIssued.
    """
    parameters = parameters_of(kind_of(kind), said)
    found = office_of(service, office)
    currency = _currency(service, found, currency)
    try:
        parameters.check_amounts(currency)
    except Refusal as refusal:
        raise Refused(rejected(refusal)) from None
    today = today_in([found], service.clock.now())
    command = ScheduleBulk(
        schedule_id=caller.new_id("bulk-schedule"),
        office_id=found.id,
        kind=kind,
        parameters=parameters.model_dump(mode="json"),
        filter=saved,
        currency=currency,
        at=times.at,
        recurrence=times.recurrence(today),
        most_accounts=most_accounts,
        most_minor=None if most_amount is None else _most(most_amount, currency).minor,
    )
    command_id = identifier("bulk-scheduled", command.schedule_id)
    return issuing.issue(command, for_the_system(caller), command_id=command_id, reason=reason)


def _most(said: str, currency: str) -> Money:
    """Raises WrongSchedule."""
    try:
        most = Money.parse(said, currency)
    except ValueError as wrong:
        raise WrongSchedule("most_amount", str(wrong)) from None
    if most.minor < 0:
        raise WrongSchedule("most_amount", "expected no less than nothing")
    return most


def _currency(service: Service, office: Office, named: str | None) -> str:
    """Later accounts in another one change nothing of what was meant. Raises WrongSchedule."""
    with service.database.connect("arrears_app") as connection:
        try:
            return scope_of(connection, office=office.code, currency=named).currency
        except SeveralCurrencies as several:
            raise WrongSchedule("currency", f"expected one of {', '.join(several.currencies)}") from None
        except UnknownOffice:  # the office was opened just now
            return named or office.currency
