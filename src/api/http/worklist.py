"""The worklist: what has to be done, the most urgent first; put off, given to others; and days that agents close."""

from typing import Annotated
from uuid import UUID

from fastapi import Query, Response
from pydantic import Field

from adapters.readers.runner import NotReached
from aggregates.account.worklist import ReassignWorklistItem, SnoozeWorklistItem
from aggregates.values.codes import Code
from api.application.issuing import Done
from api.application.worklist import close_day
from api.http.bodies import CommandBody, body_of, from_body
from api.http.commands import MAY_BE_REFUSED, CallerOf, IssuingOf, ServiceOf, created
from api.http.paging import Cursor, Limit, NamedPage, Page
from api.http.problems import Problem
from api.http.reading import AS_ASKED, OfficeOf, Question, Reader, Readings
from api.http.routing import Router
from api.http.shapes import Body, JsonBody
from projections.questions.bulk import BulkView, bulk_actions
from projections.questions.bulk_schedules import ScheduleView, schedules
from projections.questions.worklist import ClosedDay, WorklistItem, closed_days, worklist

router = Router(prefix="/v1", tags=["worklist"])
items = Router(prefix="/v1/accounts/{account_id}/worklist/{item_id}", tags=["worklist"])

_MOST_WAITING = 100

Agent = Annotated[str | None, Query(max_length=100, description="Whose, and what is nobody's: dana.")]


@body_of(SnoozeWorklistItem, address={"account_id", "item_id"})
class Snooze(CommandBody):
    """Until when it is put off, and why."""


@body_of(ReassignWorklistItem, address={"account_id", "item_id"})
class Assignment(CommandBody):
    """Who does it; nobody: then everybody sees it."""


class DayToClose(Body):
    """Whose day of today is closed. The office may be left out where there is only one."""

    agent: str = Field(min_length=1, max_length=100)
    office: Code | None = None
    reason: str | None = Field(None, max_length=1_000)


class WorklistPage(NamedPage[WorklistItem]):
    """What is to be done about accounts; and bulk actions that wait for a person, or could not be made."""

    waiting: list[BulkView]
    """What schedules made and is too large to be done without a person: on the first page, unless the list is of one
    kind or account."""
    failed: list[ScheduleView]
    """Schedules that could not be made the last time, on the same page: until a later time goes well, or they are
    ended."""


@router.get("/worklist", responses=AS_ASKED)
def list_worklist(
    *,
    service: ServiceOf,
    readings: Readings,
    agent: Agent = None,
    kind: Annotated[str | None, Query(max_length=40, description="Such as follow-up or undocumented.")] = None,
    office: OfficeOf = None,
    account_id: Annotated[UUID | None, Query(description="Only about this account.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> WorklistPage:
    """Follow-ups, contacts without an outcome, cases and uncertain messages, the highest score first; each says of what
    its score is made."""
    now = service.clock.now()
    if office is not None:
        readings.office(office)
    if account_id is not None:
        readings.office_and_currency_of(account_id)
    page = readings.named_page(
        Question("worklist", agent, kind, office, account_id),
        lambda connection, inner: worklist(
            connection,
            now=now,
            agent=agent,
            kind=kind,
            office=office,
            account_id=account_id,
            limit=limit,
            cursor=inner,
        ),
        cursor,
    )
    is_whole = cursor is None and kind is None and account_id is None
    waiting = waiting_bulk(readings, office) if is_whole else []
    failed = failed_schedules(readings, office) if is_whole else []
    return WorklistPage(**dict(page), waiting=waiting, failed=failed)


def waiting_bulk(readings: Reader, office: str | None) -> list[BulkView]:
    """Bulk actions of schedules that wait for a person, the newest first."""
    office_id = readings.office(office).id if office else None
    with readings.connection() as connection:
        return list(bulk_actions(connection, office_id=office_id, waiting=True, limit=_MOST_WAITING).rows)


def failed_schedules(readings: Reader, office: str | None) -> list[ScheduleView]:
    """Schedules of bulk actions that could not be made the last time, the newest first."""
    office_id = readings.office(office).id if office else None
    with readings.connection() as connection:
        return list(schedules(connection, office_id=office_id, failed=True, limit=_MOST_WAITING).rows)


@items.post("/snooze", responses=MAY_BE_REFUSED)
def snooze(*, account_id: UUID, item_id: UUID, body: JsonBody[Snooze], issuing: IssuingOf, caller: CallerOf) -> Done:
    """Put something off. Say why."""
    command = from_body(SnoozeWorklistItem, body, account_id=account_id, item_id=item_id)
    return issuing.issue(command, caller, about=item_id, reason=body.reason)


@items.put("/assignee", responses=MAY_BE_REFUSED)
def assign(
    *, account_id: UUID, item_id: UUID, body: JsonBody[Assignment], issuing: IssuingOf, caller: CallerOf
) -> Done:
    """Give something to somebody else."""
    command = from_body(ReassignWorklistItem, body, account_id=account_id, item_id=item_id)
    return issuing.issue(command, caller, about=item_id, reason=body.reason)


@router.get("/closed-days", responses=AS_ASKED)
def list_closed_days(
    *,
    readings: Readings,
    office: OfficeOf = None,
    agent: Annotated[str | None, Query(max_length=100, description="Whose.")] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[ClosedDay]:
    """Days that agents closed, the newest first."""
    if office is not None:
        readings.office(office)
    return readings.page(
        Question("closed-days", agent, office),
        lambda connection, inner: closed_days(connection, office=office, agent=agent, limit=limit, cursor=inner),
        cursor,
    )


@router.post("/closed-days", status_code=201, responses=MAY_BE_REFUSED)
def close(
    *,
    body: JsonBody[DayToClose],
    service: ServiceOf,
    issuing: IssuingOf,
    caller: CallerOf,
    response: Response,
) -> Done:
    """Close an agent's day. Refused (409, contacts-undocumented) while contacts of theirs are not documented: the
    problem has them in `contacts`."""
    created(response, "/v1/closed-days")
    try:
        return close_day(service, issuing, caller, agent=body.agent, office=body.office, reason=body.reason)
    except NotReached as error:
        raise Problem(503, "unavailable", f"{error}; try again", headers={"Retry-After": "5"}) from None
