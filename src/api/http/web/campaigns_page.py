"""Campaigns as a page: whom they engage, their steps, and whether they send."""

from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import Request
from fastapi.responses import HTMLResponse

from aggregates.campaign import Anchor, Campaign, CampaignStatus, EngagementRules, Step
from aggregates.office import Office, Pause
from api.application.campaign_check import check_plan
from api.application.campaign_forecast import forecast_of, in_words
from api.application.campaigns import campaigns_of
from api.http.campaigns import campaign_named
from api.http.commands import ServiceOf
from api.http.reading import Readings
from api.http.routing import Router
from api.http.web.rendering import moment, money, render

router = Router(include_in_schema=False)


@router.get("/campaigns")
def campaigns_page(request: Request, service: ServiceOf, readings: Readings) -> HTMLResponse:
    """Every campaign of every office."""
    now = service.clock.now()
    offices = [
        {
            "title": office.title,
            "pause": _paused(office.pause, now, office.zone, "Automation is paused"),
            "campaigns": [_campaign(campaign, office, now) for campaign in campaigns_of(service, [office])],
        }
        for office in readings.offices()
    ]
    return render(request, "campaigns.html", area="campaigns", offices=offices)


@router.get("/campaigns/{campaign_id}/texts")
def texts_page(request: Request, campaign_id: UUID, service: ServiceOf) -> HTMLResponse:
    """Every text of a campaign as it is now, written for a made-up account and for one of its office's."""
    campaign = campaign_named(service, campaign_id)
    assert campaign.plan is not None  # noqa: S101  a campaign is launched with one
    checked = check_plan(service, service.arrears.load(Office, campaign.office_id), campaign.plan)
    return render(request, "campaign_texts.html", area="campaigns", campaign=campaign, checked=checked)


@router.get("/campaigns/{campaign_id}/forecast")
def forecast_page(request: Request, campaign_id: UUID, service: ServiceOf) -> HTMLResponse:
    """What a campaign sends on which days, as it is now."""
    campaign = campaign_named(service, campaign_id)
    found = forecast_of(service, campaign)
    return render(
        request, "campaign_forecast.html", area="campaigns", campaign=campaign, found=found, said=list(in_words(found))
    )


def _campaign(campaign: Campaign, office: Office, now: datetime) -> dict[str, Any]:
    paused = _paused(campaign.pause, now, office.zone, "Paused")
    state = "retired" if campaign.status is CampaignStatus.RETIRED else "paused" if paused else "running"
    return {
        "id": campaign.id,
        "title": campaign.title,
        "plan_version": campaign.plan_version,
        "state": state,
        "state_text": paused if state == "paused" else state,
        "engages": _engages(campaign.plan.rules) if campaign.plan else "",
        "steps": [_step(step) for step in campaign.plan.steps] if campaign.plan else [],
    }


def _paused(pause: Pause | None, now: datetime, zone: ZoneInfo, words: str) -> str | None:
    """Whether and until when; a pause that begins later says so."""
    if pause is None or (pause.paused_until is not None and pause.paused_until <= now):
        return None
    begins = f" from {moment(pause.paused_from, zone)}" if pause.paused_from > now else ""
    ends = f" until {moment(pause.paused_until, zone)}" if pause.paused_until else ""
    return f"{words}{begins}{ends}"


def _engages(rules: EngagementRules) -> str:
    """The rules in words."""
    said = [f"from {rules.min_dpd} days past due" + (f" to {rules.max_dpd}" if rules.max_dpd is not None else "")]
    if rules.min_amount is not None:
        said.append(f"from {money(rules.min_amount)} {rules.min_amount.currency}")
    if rules.max_amount is not None:
        said.append(f"up to {money(rules.max_amount)} {rules.max_amount.currency}")
    for words, values in (
        ("buckets", rules.buckets),
        ("with a flag of", rules.flags_any),
        ("without the flags", rules.flags_none),
        ("segments", rules.segments),
        ("countries", rules.countries),
    ):
        if values:
            said.append(f"{words} {', '.join(sorted(values))}")
    return "Engages accounts " + "; ".join(said)


def _step(step: Step) -> dict[str, Any]:
    anchor = "past due" if step.anchor is Anchor.PAST_DUE else "after engagement"
    when = f"{step.days} days {anchor}" if step.days >= 0 else f"{-step.days} days before due"
    return {
        "title": step.title,
        "when": when,
        "channel": step.channel.value,
        "languages": ", ".join(sorted(step.templates)),
        "required": step.required,
    }
