"""Campaigns: whom auto-collection engages and with which messages; every version, running or paused."""

from uuid import UUID

from fastapi import APIRouter, Response

from adapters.eventstore.application import AggregateNotFoundError
from aggregates.campaign import (
    Campaign,
    CampaignLaunched,
    LaunchCampaign,
    PauseCampaign,
    ResumeCampaign,
    RetireCampaign,
    ReviseCampaign,
)
from aggregates.office import office_id
from aggregates.values.codes import Code
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
from api.http.pauses import PauseBody
from api.http.problems import documented, unknown
from api.http.reading import OfficeOf, Readings
from api.http.shapes import JsonBody
from api.processes.service import Service

router = APIRouter(prefix="/v1/campaigns", tags=["campaigns"])

# --- bodies ------------------------------------------------------------------------------------------


@body_of(LaunchCampaign, instead={"office_id": "office"})
class NewCampaign(CommandBody):
    office: Code
    plan: PlanBody


@body_of(ReviseCampaign, address={"campaign_id"})
class Revision(CommandBody):
    plan: PlanBody


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
    "/{campaign_id}",
    response_model=CampaignInFull,
    responses={304: {"description": "Still the same"}, **documented(404)},
)
def get_campaign(
    *, campaign_id: UUID, service: ServiceOf, response: Response, if_none_match: IfNoneMatch = None
) -> CampaignInFull | Response:
    """A campaign and every version of its plan."""
    campaign = _campaign(service, campaign_id)
    is_paused = campaign.pause is not None and campaign.pause.covers(service.clock.now())
    etag = f'"{campaign.version}{"-paused" if is_paused else ""}"'
    if names(if_none_match, etag):
        return not_modified(etag)
    tagged(response, etag)
    return campaign_in_full(service, campaign)


def _campaign(service: Service, campaign_id: UUID) -> Campaign:
    history = service.arrears.history(campaign_id)
    if not history or not isinstance(history[0].event, CampaignLaunched):
        raise unknown("campaign")
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
    return done


@router.put("/{campaign_id}/plan", responses=MAY_BE_REFUSED)
def revise_campaign(*, campaign_id: UUID, body: JsonBody[Revision], issuing: IssuingOf, caller: CallerOf) -> Done:
    """Give the campaign a new version; accounts continue by it from the step they are at."""
    command = from_body(ReviseCampaign, body, campaign_id=campaign_id, plan=body.plan.plan())
    return issuing.issue(command, caller, reason=body.reason)


@router.post("/{campaign_id}/pause", responses=MAY_BE_REFUSED)
def pause_campaign(*, campaign_id: UUID, body: JsonBody[PauseBody], issuing: IssuingOf, caller: CallerOf) -> Done:
    """Stop the campaign's messages at once: from now, backdated, or for a time."""
    return issuing.issue(from_body(PauseCampaign, body, campaign_id=campaign_id), caller, reason=body.reason)


@router.post("/{campaign_id}/resume", responses=MAY_BE_REFUSED)
def resume_campaign(*, campaign_id: UUID, issuing: IssuingOf, caller: CallerOf) -> Done:
    """Let the campaign send again, by its current rules; what was missed is not sent in a burst."""
    return issuing.issue(ResumeCampaign(campaign_id=campaign_id), caller)


@router.post("/{campaign_id}/retire", responses=MAY_BE_REFUSED)
def retire_campaign(*, campaign_id: UUID, issuing: IssuingOf, caller: CallerOf) -> Done:
    """End the campaign for good."""
    return issuing.issue(RetireCampaign(campaign_id=campaign_id), caller)
