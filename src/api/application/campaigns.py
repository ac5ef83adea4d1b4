"""Campaigns as doors show them: as they are now, with every version of their plan."""

from datetime import datetime
from typing import Self
from uuid import UUID

from pydantic import BaseModel

from aggregates.campaign import (
    Campaign,
    CampaignLaunched,
    CampaignPlan,
    CampaignRevised,
    CampaignStatus,
    EngagementRules,
)
from aggregates.office import Office
from api.application.amounts import Amount
from api.application.offices import PauseView, pause_view
from api.processes.service import Service


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
    def of(cls, plan: CampaignPlan) -> Self:
        return cls(**{**dict(plan), "rules": RulesBody(**dict(plan.rules))})


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


def campaigns_of(service: Service, offices: list[Office]) -> list[Campaign]:
    """Every campaign of the offices, in the order of matching."""
    return [service.arrears.load(Campaign, campaign) for office in offices for campaign in office.campaign_ids]


def campaign_view(campaign: Campaign, now: datetime) -> CampaignView:
    return CampaignView(
        id=campaign.id,
        office_id=campaign.office_id,
        title=campaign.title,
        status=campaign.status,
        plan_version=campaign.plan_version,
        pause=pause_view(campaign.pause, now),
        steps=len(campaign.plan.steps) if campaign.plan else 0,
        version=campaign.version,
    )


def campaign_in_full(service: Service, campaign: Campaign) -> CampaignInFull:
    versions = _plan_versions(service, campaign.id)
    view = campaign_view(campaign, service.clock.now())
    return CampaignInFull(**dict(view), plan=versions[0].plan, versions=versions)


def _plan_versions(service: Service, campaign_id: UUID) -> list[PlanVersion]:
    versions = []
    for recorded in service.arrears.history(Campaign, campaign_id):
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
