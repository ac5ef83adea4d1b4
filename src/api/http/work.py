"""Work over many accounts: how far it is, and stopping it."""

from typing import Annotated
from uuid import UUID

from fastapi import Query

from aggregates.work import CancelWork
from api.application.issuing import Done
from api.http.bodies import CommandBody, body_of, from_body
from api.http.commands import MAY_BE_REFUSED, CallerOf, IssuingOf
from api.http.paging import Cursor, Limit, Page
from api.http.problems import documented, unknown
from api.http.reading import AS_ASKED, OfficeOf, Question, Readings
from api.http.routing import Router
from api.http.shapes import JsonBody
from projections.questions.work import WorkProgress, WorkState, work, works

router = Router(prefix="/v1/work", tags=["work"])


@body_of(CancelWork, address={"work_id"})
class Cancellation(CommandBody):
    """Why it is stopped. What was done stays done."""


@router.get("", responses=AS_ASKED)
def list_work(
    *,
    readings: Readings,
    office: OfficeOf = None,
    state: Annotated[WorkState | None, Query(description="Only work in this state.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[WorkProgress]:
    """What rule changes ask of every account of an office, and how far that is; the newest first."""
    office_id = readings.office(office).id if office else None
    return readings.page(
        Question("work", office, state),
        lambda connection, inner: works(connection, office_id=office_id, state=state, limit=limit, cursor=inner),
        cursor,
    )


@router.get("/{work_id}", responses=documented(404))
def get_work(*, work_id: UUID, readings: Readings) -> WorkProgress:
    """How far a piece of work is."""
    with readings.connection() as connection:
        found = work(connection, work_id)
    if found is None:
        raise unknown("work")
    return found


@router.post("/{work_id}/cancellation", responses=MAY_BE_REFUSED)
def cancel_work(*, work_id: UUID, body: JsonBody[Cancellation], issuing: IssuingOf, caller: CallerOf) -> Done:
    """Stop a piece of work before its next chunk of accounts."""
    return issuing.issue(from_body(CancelWork, body, work_id=work_id), caller, reason=body.reason)
