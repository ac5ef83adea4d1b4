"""Campaigns: whom auto-collection engages and with which messages; every version, running or paused."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from adapters.eventstore.application import AggregateNotFoundError
from aggregates.campaign import (
    Campaign,
    CampaignLaunched,
    CampaignPlan,
    CampaignRevised,
    CampaignStatus,
    EngagementRules,
    LaunchCampaign,
    PauseCampaign,
    ResumeCampaign,
    RetireCampaign,
    ReviseCampaign,
)
from aggregates.office import Office, office_id
from aggregates.values.codes import Code
from api.application.amounts import Amount
from api.http.commands import MAY_BE_REFUSED, CallerOf, Desk, ServiceOf, created
from api.http.etags import IfNoneMatch, names, not_modified, tagged
from api.http.pauses import PauseBody, PauseView, pause_view
from api.http.problems import documented, unknown
from api.http.reading import Readings
from api.http.shapes import Body, Done, JsonBody
from api.processes.service import Service

router = APIRouter(prefix="/v1/campaigns", tags=["campaigns"])

Reason = Annotated[str | None, Field(max_length=1_000)]

# --- shapes ------------------------------------------------------------------------------------------


class RulesBody(EngagementRules):
    """Whom the campaign engages, with amounts as this door writes them."""

    min_amount: Amount | None = None
    max_amount: Amount | None = None


class PlanBody(CampaignPlan):
    """What a version of a campaign says."""

    rules: RulesBody = RulesBody()

    def plan(self) -> CampaignPlan:
        return CampaignPlan(**{**dict(self), "rules": EngagementRules(**dict(self.rules))})

    @classmethod
    def of(cls, plan: CampaignPlan) -> "PlanBody":
        return cls(**{**dict(plan), "rules": RulesBody(**dict(plan.rules))})


class NewCampaign(Body):
    office: Code
    title: str = Field(min_length=1, max_length=100)
    plan: PlanBody
    reason: Reason = None


class Revision(Body):
    plan: PlanBody
    reason: Reason = None


class CampaignView(BaseModel):
    """A campaign as it is now."""

    id: UUID
    office_id: UUID
    title: str
    status: CampaignStatus
    plan_version: int
    pause: PauseView | None
    steps: int
    version: int


class PlanVersion(BaseModel):
    """A version of the plan: what it says, who made it, when and why."""

    plan_version: int
    plan: PlanBody
    recorded_at: datetime
    actor: str
    reason: str | None


class CampaignInFull(CampaignView):
    """A campaign with every version of its plan, the newest first."""

    plan: PlanBody
    versions: list[PlanVersion]


# --- reading -----------------------------------------------------------------------------------------


@router.get("", responses=documented(404))
def list_campaigns(
    *,
    service: ServiceOf,
    readings: Readings,
    office: Annotated[Code | None, Query(description="An office's code; all offices where not given.")] = None,
) -> list[CampaignView]:
    """Campaigns in the order in which accounts are matched with them."""
    return [view_of(campaign, service) for campaign in campaigns_of(service, readings.offices_named(office))]


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
    seen = view_of(campaign, service)
    etag = f'"{campaign.version}{"-paused" if seen.pause and seen.pause.in_force else ""}"'
    if names(if_none_match, etag):
        return not_modified(etag)
    tagged(response, etag)
    versions = plan_versions(service, campaign_id)
    return CampaignInFull(**dict(seen), plan=versions[0].plan, versions=versions)


def campaigns_of(service: Service, offices: list[Office]) -> list[Campaign]:
    """Every campaign of the offices, in the order of matching."""
    return [service.arrears.load(Campaign, campaign) for office in offices for campaign in office.campaign_ids]


def view_of(campaign: Campaign, service: Service) -> CampaignView:
    return CampaignView(
        id=campaign.id,
        office_id=campaign.office_id,
        title=campaign.title,
        status=campaign.status,
        plan_version=campaign.plan_version,
        pause=pause_view(campaign.pause, service.clock.now()),
        steps=len(campaign.plan.steps) if campaign.plan else 0,
        version=campaign.version,
    )


def _campaign(service: Service, campaign_id: UUID) -> Campaign:
    history = service.arrears.history(campaign_id)
    if not history or not isinstance(history[0].event, CampaignLaunched):
        raise unknown("campaign")
    try:
        return service.arrears.load(Campaign, campaign_id)
    except AggregateNotFoundError:
        raise unknown("campaign") from None


def plan_versions(service: Service, campaign_id: UUID) -> list[PlanVersion]:
    versions = []
    for recorded in service.arrears.history(campaign_id):
        event = recorded.event
        if isinstance(event, CampaignLaunched | CampaignRevised):
            versions.append(
                PlanVersion(
                    plan_version=event.plan_version if isinstance(event, CampaignRevised) else 1,
                    plan=PlanBody.of(event.plan),
                    recorded_at=recorded.recorded_at,
                    actor=recorded.meta.actor,
                    reason=recorded.meta.reason,
                )
            )
    return versions[::-1]


# --- changing ----------------------------------------------------------------------------------------


@router.post("", status_code=201, responses=MAY_BE_REFUSED)
def launch_campaign(*, body: JsonBody[NewCampaign], desk: Desk, caller: CallerOf, response: Response) -> Done:
    """Start a campaign in an office; this is its version 1."""
    command = LaunchCampaign(office_id=office_id(body.office), title=body.title, plan=body.plan.plan())
    done = desk.issue(command, caller, reason=body.reason)
    created(response, f"/v1/campaigns/{done.id}")
    return done


@router.put("/{campaign_id}/plan", responses=MAY_BE_REFUSED)
def revise_campaign(*, campaign_id: UUID, body: JsonBody[Revision], desk: Desk, caller: CallerOf) -> Done:
    """Give the campaign a new version; accounts continue by it from the step they are at."""
    command = ReviseCampaign(campaign_id=campaign_id, plan=body.plan.plan())
    return desk.issue(command, caller, reason=body.reason)


@router.post("/{campaign_id}/pause", responses=MAY_BE_REFUSED)
def pause_campaign(*, campaign_id: UUID, body: JsonBody[PauseBody], desk: Desk, caller: CallerOf) -> Done:
    """Stop the campaign's messages at once: from now, backdated, or for a time."""
    command = PauseCampaign(campaign_id=campaign_id, paused_from=body.paused_from, paused_until=body.paused_until)
    return desk.issue(command, caller, reason=body.reason)


@router.post("/{campaign_id}/resume", responses=MAY_BE_REFUSED)
def resume_campaign(*, campaign_id: UUID, desk: Desk, caller: CallerOf) -> Done:
    """Let the campaign send again, by its current rules; what was missed is not sent in a burst."""
    return desk.issue(ResumeCampaign(campaign_id=campaign_id), caller)


@router.post("/{campaign_id}/retire", responses=MAY_BE_REFUSED)
def retire_campaign(*, campaign_id: UUID, desk: Desk, caller: CallerOf) -> Done:
    """End the campaign for good."""
    return desk.issue(RetireCampaign(campaign_id=campaign_id), caller)
