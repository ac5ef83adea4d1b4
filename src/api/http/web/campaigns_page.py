"""Campaigns as a page: whom they engage, their steps, and whether they send; they are paused and resumed there."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from aggregates.campaign import (
    Anchor,
    Campaign,
    CampaignStatus,
    EngagementRules,
    PauseCampaign,
    ResumeCampaign,
    RetireCampaign,
    Step,
)
from aggregates.kernel.command import Command
from aggregates.office import Office, Pause, PauseOfficeAutomation, ResumeOfficeAutomation
from api.application.campaign_check import check_plan
from api.application.campaign_forecast import forecast_of, in_words
from api.application.campaigns import campaigns_of
from api.application.issuing import Caller, Issuing, NotIssued
from api.http.campaigns import campaign_named
from api.http.commands import CallerOf, IssuingOf, ServiceOf
from api.http.problems import FieldProblem, Problem, not_issued
from api.http.reading import Reader, Readings
from api.http.routing import Router
from api.http.web.forms import Fields, FormOf, made, moment_of, once_of, reason_of
from api.http.web.rendering import moment, money, render
from api.processes.service import Service

router = Router(include_in_schema=False)
form = APIRouter(include_in_schema=False)

HERE = "/campaigns"


@router.get(HERE)
def campaigns_page(request: Request, service: ServiceOf, readings: Readings) -> HTMLResponse:
    """Every campaign of every office, with forms by which they are paused, resumed and ended."""
    return _page(request, service, readings)


def _pause(campaign: Campaign, fields: Fields, zone: ZoneInfo) -> PauseCampaign:
    return made(PauseCampaign, campaign_id=campaign.id, **_times(fields, zone))


def _resume(campaign: Campaign, _: Fields, __: ZoneInfo) -> ResumeCampaign:
    return ResumeCampaign(campaign_id=campaign.id)


def _retire(campaign: Campaign, _: Fields, __: ZoneInfo) -> RetireCampaign:
    return RetireCampaign(campaign_id=campaign.id)


CAMPAIGN_FORMS: Mapping[str, Callable[[Campaign, Fields, ZoneInfo], Command]] = {
    "pause": _pause,
    "resume": _resume,
    "retire": _retire,
}


def _pause_all(office: Office, fields: Fields) -> PauseOfficeAutomation:
    return made(PauseOfficeAutomation, office_id=office.id, **_times(fields, office.zone))


def _resume_all(office: Office, _: Fields) -> ResumeOfficeAutomation:
    return ResumeOfficeAutomation(office_id=office.id)


AUTOMATION_FORMS: Mapping[str, Callable[[Office, Fields], Command]] = {"pause": _pause_all, "resume": _resume_all}
"""Of an office, whose automatic messages all stop, whichever campaign's they are."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A form of the page that somebody sent."""

    request: Request
    fields: Fields
    service: Service
    readings: Reader
    issuing: Issuing
    caller: Caller


def read_sent(
    *,
    request: Request,
    fields: FormOf,
    service: ServiceOf,
    readings: Readings,
    issuing: IssuingOf,
    caller: CallerOf,
) -> Sent:
    return Sent(request, fields, service, readings, issuing, caller)


SentOf = Annotated[Sent, Depends(read_sent)]


@form.post(f"{HERE}/{{campaign_id}}/{{what}}")
def change(campaign_id: UUID, what: str, sent: SentOf) -> Response:
    """A campaign is paused, sends again, or ends."""
    if what not in CAMPAIGN_FORMS:
        raise FieldProblem("what", f"expected one of {', '.join(CAMPAIGN_FORMS)}")

    def makes() -> Command:
        campaign = campaign_named(sent.service, campaign_id)
        zone = sent.service.arrears.load(Office, campaign.office_id).zone
        return CAMPAIGN_FORMS[what](campaign, sent.fields, zone)

    return _carried_out(sent, makes)


@form.post(f"{HERE}/of/{{code}}/{{what}}")
def change_office(code: str, what: str, sent: SentOf) -> Response:
    """All automation of an office is paused, or goes on."""
    if what not in AUTOMATION_FORMS:
        raise FieldProblem("what", f"expected one of {', '.join(AUTOMATION_FORMS)}")
    return _carried_out(sent, lambda: AUTOMATION_FORMS[what](sent.readings.office(code), sent.fields))


def _carried_out(sent: Sent, makes: Callable[[], Command]) -> Response:
    """The same page sent twice does it once."""
    try:
        once = replace(sent.caller, idempotency_key=once_of(sent.fields) or sent.caller.idempotency_key)
        sent.issuing.issue(makes(), once, reason=reason_of(sent.fields))
    except (Problem, NotIssued) as error:
        problem = not_issued(error) if isinstance(error, NotIssued) else error
        return _page(sent.request, sent.service, sent.readings, told=problem.detail, status=problem.status)
    return RedirectResponse(HERE, 303)


def _times(fields: Fields, zone: ZoneInfo) -> dict[str, object]:
    """From when and until when, as the clocks of the office show it."""
    return {name: moment_of(name, fields, zone) for name in ("paused_from", "paused_until")}


def _page(
    request: Request, service: Service, readings: Reader, *, told: str | None = None, status: int = 200
) -> HTMLResponse:
    now = service.clock.now()
    offices = [
        {
            "title": office.title,
            "code": office.code,
            "pause": _paused(office.pause, now, office.zone, "Automation is paused"),
            "campaigns": [_campaign(campaign, office, now) for campaign in campaigns_of(service, [office])],
        }
        for office in readings.offices()
    ]
    return render(request, "campaigns.html", status=status, area="campaigns", offices=offices, told=told, once=uuid4())


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
