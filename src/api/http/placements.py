"""Outside agencies: their terms, the accounts that they have, the files that tell them, and what comes back."""

from datetime import date
from typing import Annotated
from uuid import UUID

from fastapi import Path, Query, Response
from pydantic import Field

from adapters.placement.answers import AnswerProblem
from adapters.placement.layouts import LayoutError, layout_for
from aggregates.account.placement import ClosePlacement, PlaceAccount, RecallPlacement
from aggregates.office import RetireAgency, SetAgency, office_id
from aggregates.placement_file import RedeliverFile, RequestFile
from aggregates.values.agency import Agency, Layout, LayoutColumn
from aggregates.values.codes import Code
from api.application.issuing import Done
from api.application.placements import AgencyView, AnswersRead, agencies_of, read_answers
from api.http.bodies import CommandBody, Reason, body_of, from_body
from api.http.commands import MAY_BE_REFUSED, CallerOf, IssuingOf, created
from api.http.paging import Cursor, Limit, Page
from api.http.problems import FieldProblem, documented
from api.http.reading import AS_ASKED, OfficeOf, Question, Reader, Readings
from api.http.routing import Router
from api.http.shapes import Body, JsonBody
from projections.questions.collections.defined import check_agency, defined_by
from projections.questions.placements import (
    CommissionRow,
    PlacementFileView,
    PlacementState,
    PlacementView,
    commissions,
    placement_files,
    placements,
)

agencies = Router(prefix="/v1/agencies", tags=["agencies"])
router = Router(prefix="/v1", tags=["placements"])

AgencyCode = Annotated[Code, Path(description="The agency's code in its office.")]
AgencyOf = Annotated[Code | None, Query(description="Only of this agency.")]
MOST_CONTENT = 5_000_000


@body_of(LayoutColumn)
class LayoutColumnBody(Body):
    """A column of a placement file: its heading, and what stands in it."""


@body_of(Layout, nested={LayoutColumn: LayoutColumnBody})
class LayoutBody(Body):
    """What a placement file looks like."""


@body_of(Agency, nested={Layout: LayoutBody})
class AgencyBody(Body):
    """The terms of an agency."""


@body_of(SetAgency, address={"code"}, instead={"office_id": "office"}, nested={Agency: AgencyBody})
class AgencyTerms(CommandBody):
    """Whose agency it is, and on which terms."""

    office: Code


class AgencyRetirement(Body):
    """Whose agency it is, and why nothing more is placed with it."""

    office: Code
    reason: Reason = None


@body_of(PlaceAccount, address={"account_id"})
class NewPlacement(CommandBody):
    """The agency that gets the account."""


@body_of(RecallPlacement, address={"account_id"})
class Recall(CommandBody):
    """Why the account is taken back."""


@body_of(ClosePlacement, address={"account_id"})
class PlacementClosure(CommandBody):
    """The agency that is done with the account, and why."""


@body_of(RequestFile, address={"file_id"}, instead={"office_id": "office"})
class NewPlacementFile(CommandBody):
    """A file that an agency is to get: what changed since the last one, or everything that it has."""

    office: Code


@body_of(RedeliverFile, address={"file_id"})
class Redelivery(CommandBody):
    """Why a file is handed over again of which nobody knows whether it arrived."""


class Answers(Body):
    """A file that an agency sent: CSV or TSV with a header."""

    office: Code
    agency: Code
    content: str = Field(max_length=MOST_CONTENT)
    dry_run: bool = False
    """Only say what would come of it."""
    reason: Reason = None


# --- agencies ----------------------------------------------------------------------------------------


@agencies.get("", responses=documented(404))
def list_agencies(*, readings: Readings, office: OfficeOf = None) -> list[AgencyView]:
    """The agencies of an office, or of all, by code; those that are retired too."""
    return [each for found in readings.offices_named(office) for each in agencies_of(found)]


@agencies.put("/{code}", responses=MAY_BE_REFUSED)
def set_agency(*, code: AgencyCode, body: JsonBody[AgencyTerms], issuing: IssuingOf, caller: CallerOf) -> Done:
    """Give the office an agency, or one of its agencies other terms."""
    command = from_body(SetAgency, body, code=code, office_id=office_id(body.office))
    try:
        layout_for(command.agency)
    except LayoutError as error:
        raise FieldProblem("agency.layout", str(error).removeprefix("layout: ")) from None
    return issuing.issue(command, caller, reason=body.reason)


@agencies.post("/{code}/retire", responses=MAY_BE_REFUSED)
def retire_agency(*, code: AgencyCode, body: JsonBody[AgencyRetirement], issuing: IssuingOf, caller: CallerOf) -> Done:
    """Place nothing more with an agency. What it has stays there, and its files are read."""
    return issuing.issue(RetireAgency(office_id=office_id(body.office), code=code), caller, reason=body.reason)


# --- placements --------------------------------------------------------------------------------------


@router.get("/placements", responses=AS_ASKED)
def list_placements(
    *,
    readings: Readings,
    office: OfficeOf = None,
    agency: AgencyOf = None,
    account_id: Annotated[UUID | None, Query(description="Only of this account.")] = None,
    state: Annotated[PlacementState | None, Query(description="Only those that stand so.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[PlacementView]:
    """Accounts with agencies, and those that were; the newest first."""
    _require_known(readings, office, agency)
    if account_id is not None:
        readings.office_and_currency_of(account_id)
    return readings.page(
        Question("placements", office, agency, account_id, state),
        lambda connection, inner: placements(
            connection, office=office, agency=agency, account_id=account_id, state=state, limit=limit, cursor=inner
        ),
        cursor,
    )


@router.get("/placements/commission", responses=AS_ASKED)
def report_commission(
    *,
    readings: Readings,
    office: OfficeOf = None,
    agency: AgencyOf = None,
    since: Annotated[date | None, Query(description="Paid on this day or later.")] = None,
    until: Annotated[date | None, Query(description="Paid on this day or earlier.")] = None,
) -> list[CommissionRow]:
    """What each agency collected, and what it keeps of that."""
    _require_known(readings, office, agency)
    with readings.connection() as connection:
        return commissions(connection, office=office, agency=agency, since=since, until=until)


@router.post("/placements/answers", responses=MAY_BE_REFUSED)
def read_agency_file(
    *, body: JsonBody[Answers], readings: Readings, issuing: IssuingOf, caller: CallerOf
) -> AnswersRead:
    """Bring in what an agency's file says, row by row, each once. Rejected rows are named, and the rest count."""
    office = readings.office(body.office)
    try:
        return read_answers(
            issuing,
            caller,
            office,
            body.agency,
            body.content,
            dry_run=body.dry_run,
            reason=body.reason,
        )
    except AnswerProblem as problem:
        raise FieldProblem("content", str(problem)) from None


@router.post("/accounts/{account_id}/placement", responses=MAY_BE_REFUSED)
def place_account(*, account_id: UUID, body: JsonBody[NewPlacement], issuing: IssuingOf, caller: CallerOf) -> Done:
    """Give the account to an agency to collect. The agency gets a file of it."""
    return issuing.issue(from_body(PlaceAccount, body, account_id=account_id), caller, reason=body.reason)


@router.post("/accounts/{account_id}/placement/recall", responses=MAY_BE_REFUSED)
def recall_placement(*, account_id: UUID, body: JsonBody[Recall], issuing: IssuingOf, caller: CallerOf) -> Done:
    """Take the account back. The agency is told in the next file of updates."""
    return issuing.issue(from_body(RecallPlacement, body, account_id=account_id), caller, reason=body.reason)


@router.post("/accounts/{account_id}/placement/close", responses=MAY_BE_REFUSED)
def close_placement(
    *, account_id: UUID, body: JsonBody[PlacementClosure], issuing: IssuingOf, caller: CallerOf
) -> Done:
    """The agency is done with the account, as it said otherwise than by a file."""
    return issuing.issue(from_body(ClosePlacement, body, account_id=account_id), caller, reason=body.reason)


def _require_known(readings: Reader, office: str | None, agency: str | None) -> None:
    """Raises a Problem for an office or an agency that there is not: its list would be empty."""
    offices = readings.offices_named(office)
    with readings.connection() as connection:
        check_agency(connection, agency, defined_by(offices))


# --- files -------------------------------------------------------------------------------------------


@router.get("/placement-files", responses=AS_ASKED)
def list_placement_files(
    *,
    readings: Readings,
    office: OfficeOf = None,
    agency: AgencyOf = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[PlacementFileView]:
    """Files for agencies: what is in each, whether it arrived, and what the agency says it received; newest first."""
    _require_known(readings, office, agency)
    return readings.page(
        Question("placement-files", office, agency),
        lambda connection, inner: placement_files(connection, office=office, agency=agency, limit=limit, cursor=inner),
        cursor,
    )


@router.post("/placement-files", status_code=201, responses=MAY_BE_REFUSED)
def request_file(*, body: JsonBody[NewPlacementFile], issuing: IssuingOf, caller: CallerOf, response: Response) -> Done:
    """Have a file made and delivered: what changed since the last one (`updates`), or everything (`full`)."""
    command = from_body(RequestFile, body, file_id=caller.new_id("placement-file"), office_id=office_id(body.office))
    created(response, "/v1/placement-files")
    return issuing.issue(command, caller, reason=body.reason)


@router.post("/placement-files/{file_id}/redeliver", responses=MAY_BE_REFUSED)
def redeliver_file(*, file_id: UUID, body: JsonBody[Redelivery], issuing: IssuingOf, caller: CallerOf) -> Done:
    """Hand a file over again of which nobody knows whether it arrived. Say why."""
    return issuing.issue(RedeliverFile(file_id=file_id), caller, reason=body.reason)
