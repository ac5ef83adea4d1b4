"""Schedules of bulk actions: made by themselves on a saved filter; what is too large waits for a person."""

from collections.abc import Mapping
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query, Response
from pydantic import Field

from aggregates.bulk.schedule import CancelSchedule, Period
from aggregates.values.codes import Code
from aggregates.values.money import Currency, MajorUnits
from api.application.bulk import WrongParameter
from api.application.bulk_schedules import Times, WrongSchedule, schedule_bulk
from api.application.issuing import Caller, Done, Issuing
from api.application.plausibility import MOST_COUNT
from api.http.bodies import CommandBody, Reason, body_of
from api.http.commands import MAY_BE_REFUSED, CallerOf, IssuingOf, ServiceOf, created
from api.http.paging import Cursor, Limit, Page
from api.http.problems import FieldProblem, documented, from_errors, unknown
from api.http.reading import AS_ASKED, OfficeOf, Question, Reader, Readings
from api.http.routing import Router
from api.http.shapes import Body, Day, JsonBody, Moment
from api.processes.service import Service
from projections.questions.bulk_schedules import ScheduleRun, ScheduleView, schedule, schedule_runs, schedules

router = Router(prefix="/v1/bulk-schedules", tags=["bulk actions"])


class NewSchedule(Body):
    """A kind of bulk action and its parameters, on a filter that the office keeps; when; and how large it may be."""

    office: Code | None = None
    kind: str = Field(max_length=40)
    parameters: dict[str, Any] = Field(default_factory=dict)
    """Those of the kind's own preview."""
    filter: Code
    currency: Currency | None = None
    at: Moment | None = None
    """Once, at this moment; else `every`."""
    every: Period | None = None
    on: str | None = Field(None, max_length=10)
    """Of a week the name of its day, of a month its number. None: as the first day."""
    starts_on: Day | None = None
    """None: today."""
    most_accounts: int = Field(ge=0, le=MOST_COUNT)
    """With more it waits for a person."""
    most_amount: MajorUnits | None = None
    """With more money in question (where the kind has no amount: in balance) it waits for a person."""
    reason: Reason = None


@body_of(CancelSchedule, address={"schedule_id"})
class ScheduleCancellation(CommandBody):
    """Why it is ended; it may be left out. What it did stays done."""


_CANCELLATION = ScheduleCancellation()


@router.post("", status_code=201, responses=MAY_BE_REFUSED)
def make_schedule(
    *, body: JsonBody[NewSchedule], service: ServiceOf, issuing: IssuingOf, caller: CallerOf, response: Response
) -> Done:
    """Have a bulk action done by itself, once or every period, as long as it is not too large."""
    done = scheduled(
        service,
        issuing,
        caller,
        kind=body.kind,
        said=body.parameters,
        office=body.office,
        saved=body.filter,
        currency=body.currency,
        times=Times(at=body.at, every=body.every, on=body.on, starts_on=body.starts_on),
        most_accounts=body.most_accounts,
        most_amount=body.most_amount,
        reason=body.reason,
    )
    created(response, f"/v1/bulk-schedules/{done.id}")
    return done


def scheduled(
    service: Service, issuing: Issuing, caller: Caller, *, kind: str, said: Mapping[str, Any], **more: Any
) -> Done:
    """Raises a Problem where something is not as expected."""
    try:
        return schedule_bulk(service, issuing, caller, kind=kind, said=said, **more)
    except WrongParameter as wrong:
        raise from_errors(wrong.error.errors()) from None
    except WrongSchedule as wrong_schedule:
        raise FieldProblem(wrong_schedule.field, wrong_schedule.expected) from None


@router.get("", responses=AS_ASKED)
def list_schedules(
    *,
    readings: Readings,
    office: OfficeOf = None,
    failed: Annotated[
        bool, Query(description="Only those that could not be made the last time, and were not ended.")
    ] = False,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[ScheduleView]:
    """Schedules, the newest first; those that are over too."""
    office_id = readings.office(office).id if office else None
    return readings.page(
        Question("bulk-schedules", office, *(["failed"] if failed else [])),
        lambda connection, inner: schedules(connection, office_id=office_id, failed=failed, limit=limit, cursor=inner),
        cursor,
    )


@router.get("/{schedule_id}", responses=documented(404))
def get_schedule(*, schedule_id: UUID, readings: Readings) -> ScheduleView:
    """A schedule: what it does, when next, and how large that may be."""
    return found_schedule(readings, schedule_id)


@router.get("/{schedule_id}/runs", responses=documented(404))
def list_runs(*, schedule_id: UUID, readings: Readings, limit: Limit = 50, cursor: Cursor = None) -> Page[ScheduleRun]:
    """Each time that it was due, the latest first, with the bulk action that it made."""
    found_schedule(readings, schedule_id)
    return readings.page(
        Question("bulk-schedule-runs", schedule_id),
        lambda connection, inner: schedule_runs(connection, schedule_id, limit=limit, cursor=inner),
        cursor,
    )


@router.post("/{schedule_id}/cancellation", responses=MAY_BE_REFUSED)
def cancel_schedule(
    *, schedule_id: UUID, body: JsonBody[ScheduleCancellation] = _CANCELLATION, issuing: IssuingOf, caller: CallerOf
) -> Done:
    """End it. What waits for a person still does."""
    return issuing.issue(CancelSchedule(schedule_id=schedule_id), caller, reason=body.reason)


def found_schedule(readings: Reader, schedule_id: UUID) -> ScheduleView:
    """Raises a Problem where there is none."""
    with readings.connection() as connection:
        found = schedule(connection, schedule_id)
    if found is None:
        raise unknown("bulkschedule")
    return found
