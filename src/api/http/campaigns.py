"""Campaigns: whom auto-collection engages and with which messages; every version, running or paused."""

from uuid import UUID

from fastapi import Response

from adapters.eventstore.application import AggregateNotFoundError
from aggregates.campaign import (
    Campaign,
    LaunchCampaign,
    PauseCampaign,
    ResumeCampaign,
    RetireCampaign,
    ReviseCampaign,
)
from aggregates.office import office_id
from aggregates.values.codes import Code
from api.application.campaign_check import CheckedPlan, check_plan
from api.application.campaign_forecast import Forecast, forecast, forecast_of
from api.application.campaigns import (
    CampaignInFull,
    CampaignView,
    PlanBody,
    campaign_in_full,
    campaign_view,
    campaigns_of,
)
from api.application.issuing import Done
from api.http.bodies import CommandBody, body_of, from_body
from api.http.commands import MAY_BE_REFUSED, CallerOf, IssuingOf, ServiceOf, created
from api.http.etags import IfNoneMatch, names, not_modified, tagged
from api.http.pauses import RESUMED, PauseBody, ResumeBody
from api.http.problems import documented, unknown
from api.http.reading import OfficeOf, Readings
from api.http.routing import Router
from api.http.shapes import Body, JsonBody
from api.processes.service import Service

router = Router(prefix="/v1/campaigns", tags=["campaigns"])

# --- bodies ------------------------------------------------------------------------------------------


@body_of(LaunchCampaign, instead={"office_id": "office"})
class NewCampaign(CommandBody):
    office: Code
    plan: PlanBody


@body_of(ReviseCampaign, address={"campaign_id"})
class Revision(CommandBody):
    plan: PlanBody


class PlanToCheck(Body):
    """A version of a campaign as it might be."""

    office: Code
    plan: PlanBody


class PlanToTry(PlanToCheck):
    """The same, of a new campaign or of one that there is."""

    campaign_id: UUID | None = None
    """The campaign that would be revised; null: a new one."""


@body_of(RetireCampaign, address={"campaign_id"})
class Retirement(CommandBody):
    """Why the campaign ends; it may be left out."""


_RETIREMENT = Retirement()

# --- reading -----------------------------------------------------------------------------------------


@router.get("", responses=documented(404))
def list_campaigns(
    *,
    service: ServiceOf,
    readings: Readings,
    office: OfficeOf = None,
) -> list[CampaignView]:
    """Campaigns in the order in which accounts are matched with them."""
    now = service.clock.now()
    return [campaign_view(each, now) for each in campaigns_of(service, readings.offices_named(office))]


@router.get(
    "/{campaign_id:uuid}",  # `check` and `forecast` are none
    response_model=CampaignInFull,
    responses={304: {"description": "Still the same"}, **documented(404)},
)
def get_campaign(
    *, campaign_id: UUID, service: ServiceOf, response: Response, if_none_match: IfNoneMatch = None
) -> CampaignInFull | Response:
    """A campaign and every version of its plan."""
    campaign = campaign_named(service, campaign_id)
    is_paused = campaign.pause is not None and campaign.pause.covers(service.clock.now())
    etag = f'"{campaign.version}{"-paused" if is_paused else ""}"'
    if names(if_none_match, etag):
        return not_modified(etag)
    tagged(response, etag)
    return campaign_in_full(service, campaign)


def campaign_named(service: Service, campaign_id: UUID) -> Campaign:
    """Raises a Problem where no campaign has this id."""
    try:
        return service.arrears.load(Campaign, campaign_id)
    except AggregateNotFoundError:
        raise unknown("campaign") from None


# --- changing ----------------------------------------------------------------------------------------


@router.post("", status_code=201, responses=MAY_BE_REFUSED)
def launch_campaign(*, body: JsonBody[NewCampaign], issuing: IssuingOf, caller: CallerOf, response: Response) -> Done:
    """Start a campaign in an office; this is its version 1."""
    command = from_body(LaunchCampaign, body, office_id=office_id(body.office), plan=body.plan.plan())
    done = issuing.issue(command, caller, reason=body.reason)
    created(response, f"/v1/campaigns/{done.id}")
    _with_forecast(response, done.id)
    return done


@router.post("/check", responses=documented(404))
def check_campaign(*, body: JsonBody[PlanToCheck], service: ServiceOf, readings: Readings) -> CheckedPlan:
    """What is wrong with a plan, and all its texts, written for a made-up account and a real one. Nothing changes."""
    [office] = readings.offices_named(body.office)
    return check_plan(service, office, body.plan.plan())


@router.post("/forecast", responses=documented(404))
def forecast_plan(*, body: JsonBody[PlanToTry], service: ServiceOf, readings: Readings) -> Forecast:
    """What a plan would send, on which days, as a new campaign or as the next version of one. Nothing changes."""
    [office] = readings.offices_named(body.office)
    campaign = campaign_named(service, body.campaign_id) if body.campaign_id is not None else None
    if campaign is not None and campaign.office_id != office.id:
        raise unknown("campaign")
    return forecast(service, office, body.plan.plan(), campaign)


@router.get("/{campaign_id}/forecast", responses=documented(404))
def forecast_campaign(*, campaign_id: UUID, service: ServiceOf) -> Forecast:
    """What a campaign sends, on which days, if nobody pays, promises or changes anything."""
    return forecast_of(service, campaign_named(service, campaign_id))


def _with_forecast(response: Response, campaign_id: UUID) -> None:
    response.headers["Link"] = f'</v1/campaigns/{campaign_id}/forecast>; rel="describedby"'


@router.put("/{campaign_id}/plan", responses=MAY_BE_REFUSED)
def revise_campaign(
    *, campaign_id: UUID, body: JsonBody[Revision], issuing: IssuingOf, caller: CallerOf, response: Response
) -> Done:
    """Give the campaign a new version; accounts continue by it from the step they are at."""
    command = from_body(ReviseCampaign, body, campaign_id=campaign_id, plan=body.plan.plan())
    done = issuing.issue(command, caller, reason=body.reason)
    _with_forecast(response, campaign_id)
    return done


@router.post("/{campaign_id}/pause", responses=MAY_BE_REFUSED)
def pause_campaign(*, campaign_id: UUID, body: JsonBody[PauseBody], issuing: IssuingOf, caller: CallerOf) -> Done:
    """Stop the campaign's messages at once: from now, backdated, or for a time."""
    return issuing.issue(from_body(PauseCampaign, body, campaign_id=campaign_id), caller, reason=body.reason)


@router.post("/{campaign_id}/resume", responses=MAY_BE_REFUSED)
def resume_campaign(
    *, campaign_id: UUID, body: JsonBody[ResumeBody] = RESUMED, issuing: IssuingOf, caller: CallerOf
) -> Done:
    """Let the campaign send again, by its current rules; what was missed is not sent in a burst."""
    return issuing.issue(ResumeCampaign(campaign_id=campaign_id), caller, reason=body.reason)


@router.post("/{campaign_id}/retire", responses=MAY_BE_REFUSED)
def retire_campaign(
    *, campaign_id: UUID, body: JsonBody[Retirement] = _RETIREMENT, issuing: IssuingOf, caller: CallerOf
) -> Done:
    """End the campaign for good."""
    return issuing.issue(RetireCampaign(campaign_id=campaign_id), caller, reason=body.reason)
