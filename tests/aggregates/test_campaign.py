"""Campaigns: launched, revised, paused, resumed, retired; and the place in a sequence."""

import re
from typing import Any

import pytest
from pydantic import ValidationError

from aggregates.campaign import (
    CampaignLaunched,
    CampaignPaused,
    CampaignResumed,
    CampaignRetired,
    CampaignRevised,
    EngagementRules,
    LaunchCampaign,
    PauseCampaign,
    ResumeCampaign,
    RetireCampaign,
    ReviseCampaign,
    Step,
    Template,
)
from aggregates.kernel.command import Command, Rejected
from aggregates.kernel.refusals import Refusal
from aggregates.office import CampaignRegistered, ChangeOfficeSettings, FlagDefinition
from aggregates.values.aging import BucketScheme
from aggregates.values.money import Money
from tests.builders import CAMPAIGN, DAY, OFFICE, a_campaign, a_plan, a_revised_campaign, a_step, an_office
from tests.given import given, given_only, like
from tests.projections.history import History

ANOTHER = a_revised_campaign(a_step("other", 5))
EUR_RULES = EngagementRules(min_amount=Money(1, "EUR"))
PAUSE, RESUME, RETIRE = (command(campaign_id=CAMPAIGN) for command in (PauseCampaign, ResumeCampaign, RetireCampaign))


def test_a_campaign_is_launched_in_its_office():
    scenario = given().when(a_campaign()).then(like(CampaignLaunched, title="Reminders"), CampaignRegistered)
    assert scenario.world.office.campaign_ids == [CAMPAIGN]
    assert scenario.world.campaign.plan_version == 1


def test_a_title_is_used_once_in_an_office_whatever_its_case():
    given(a_campaign()).when(a_campaign(title="REMINDERS")).then_refused("campaign-exists")


def test_a_campaign_needs_an_office():
    given_only().when(a_campaign()).then_refused("unknown-office")


def test_a_revision_is_a_new_version():
    scenario = given(a_campaign()).when(ANOTHER).then(like(CampaignRevised, plan_version=2))
    scenario.when(ANOTHER).then_nothing_happened()
    assert scenario.world.campaign.plan == ANOTHER.plan.completed(None)


def test_rules_are_in_the_office_s_currency():
    given().when(a_campaign(rules=EUR_RULES)).then_refused("wrong-currency")
    given(a_campaign()).when(a_revised_campaign(rules=EUR_RULES)).then_refused("wrong-currency")


def a_text(body: str, subject: str | None = None) -> Step:
    return a_step("friendly", 3, templates={"en": Template(body="Well"), "es": Template(subject=subject, body=body)})


FAULTY = [
    (
        {"rules": EngagementRules(flags_any=frozenset({"legl"}))},
        "rules.flags_any: the office has no flag 'legl'; close to it: legal",
    ),
    (
        {"rules": EngagementRules(flags_none=frozenset({"nn"}))},
        "rules.flags_none: the office has no flag 'nn'; expected one of bankruptcy,",
    ),
    (
        {"rules": EngagementRules(buckets=frozenset({"31-61", "current"}))},
        "rules.buckets: the office has no bucket '31-61'; close to it: 31-60",
    ),
    (
        {"rules": EngagementRules(countries=frozenset({"GB", "UK"}))},
        "rules.countries: there is no country 'UK'; expected the code of a country (ISO 3166-1), such as US or GB",
    ),
    (
        {"steps": (a_text("a\nb {{ amount }}"),)},
        "steps.0.templates.es.body: step 'friendly', es, body, line 2: there is no placeholder 'amount'; close to it: ",
    ),
    (
        {"steps": (a_text("a", "{% if office %}"),)},
        "steps.0.templates.es.subject: step 'friendly', es, subject, line 1: Unexpected end",
    ),
]


@pytest.mark.parametrize(("faulty", "said"), FAULTY)
def test_a_plan_that_cannot_be_carried_out_is_refused_and_every_fault_says_where(faulty: dict[str, Any], said: str):
    plan = a_plan(*faulty.get("steps", ()), rules=faulty.get("rules"))
    for command in (
        LaunchCampaign(office_id=OFFICE, title="Other", plan=plan),
        ReviseCampaign(campaign_id=CAMPAIGN, plan=plan),
    ):
        scenario = given(a_campaign()).when(command).then_refused("faulty-plan")
        assert isinstance(scenario.outcome, Rejected)
        assert scenario.outcome.detail.startswith(f"the plan cannot be carried out: {said}")


def test_all_faults_of_a_plan_are_said_at_once():
    rules = EngagementRules(flags_any=frozenset({"a"}), buckets=frozenset({"b"}))
    outcome = given().when(a_campaign(a_text("{{ x }}", "{{ y }}"), rules=rules)).outcome
    assert isinstance(outcome, Rejected)
    fields = re.findall(r"(?:rules|steps)\.[a-z0-9._]+", outcome.detail)
    assert fields == ["rules.flags_any", "rules.buckets", "steps.0.templates.es.subject", "steps.0.templates.es.body"]


def test_flags_and_buckets_are_those_that_the_office_has_now():
    own = ChangeOfficeSettings(
        office_id=OFFICE, flags={"key": FlagDefinition(title="Key account")}, scheme=BucketScheme.of([10, 20])
    )
    rules = EngagementRules(flags_none=frozenset({"key"}), buckets=frozenset({"11-20"}))
    given().when(a_campaign(rules=rules)).then_refused("faulty-plan")
    given(own).when(a_campaign(rules=rules)).then(CampaignLaunched, CampaignRegistered)
    changed = given(own, a_campaign(rules=rules), ChangeOfficeSettings(office_id=OFFICE, flags={}))
    changed.when(a_revised_campaign(rules=rules)).then_nothing_happened()
    changed.when(a_revised_campaign(a_step("other", 5), rules=rules)).then_refused("faulty-plan")


def test_without_rules_of_templates_no_campaign_is_launched():
    history = History().opened()
    with pytest.raises(Refusal, match="no-rules: there are no rules of templates here"):
        history.give(a_campaign())


def test_a_campaign_is_paused_and_resumed():
    scenario = given(a_campaign()).when(PAUSE).then(CampaignPaused)
    scenario.when(PAUSE).then_nothing_happened()
    assert scenario.world.campaign.is_paused(scenario.world.now)
    scenario.when(RESUME).then(CampaignResumed).when(RESUME).then_nothing_happened()
    assert not scenario.world.campaign.is_paused(scenario.world.now)


def test_a_pause_that_is_over_does_not_end_the_one_in_force():
    scenario = given(a_campaign(), PAUSE)
    now = scenario.world.now
    over = PauseCampaign(campaign_id=CAMPAIGN, paused_from=now - 9 * DAY, paused_until=now - DAY)
    scenario.when(over).then_refused("paused-now")


def test_a_retired_campaign_has_ended_for_good():
    scenario = given(a_campaign()).when(RETIRE).then(CampaignRetired)
    assert not scenario.world.campaign.runs
    for command in (ANOTHER, PAUSE, RESUME, RETIRE):
        scenario.when(command).then_refused("campaign-retired")


@pytest.mark.parametrize("command", [PAUSE, RESUME, RETIRE, ANOTHER], ids=lambda command: command.command_name)
def test_nothing_is_decided_about_a_campaign_that_does_not_exist(command: Command):
    given_only(an_office()).when(command).then_refused("unknown-campaign")


# --- the place in a sequence ---

PLAN = a_plan(a_step("a", 1), a_step("b", 5), a_step("c", 9))


@pytest.mark.parametrize(
    ("done", "place"),
    [([], 0), (["a"], 1), (["b"], 2), (["b", "a"], 2), (["c"], 3), (["x"], 0), (["a", "x"], 1)],
)
def test_a_place_is_after_the_furthest_step_done_that_the_plan_knows(done: list[str], place: int):
    assert PLAN.place(done) == place


def test_two_steps_with_one_id_are_refused():
    with pytest.raises(ValidationError, match="the same id"):
        a_plan(a_step("a", 1), a_step("a", 5))


def test_a_plan_has_steps_and_a_step_a_template():
    with pytest.raises(ValidationError):
        a_plan().model_validate({"steps": ()})
    with pytest.raises(ValidationError):
        a_step("a", 1, templates={})


@pytest.mark.parametrize(
    ("language", "used"), [("de", "de"), ("de-AT", "de"), ("pt-BR", "pt-BR"), ("pt", "en"), ("ja", "en")]
)
def test_the_template_is_in_the_customer_s_language_or_english(language: str, used: str):
    step = a_step("a", 1, templates={name: Template(body=name) for name in ("de", "pt-BR", "en")})
    assert step.template_for(language) == (used, Template(body=used))


def test_without_english_the_first_template_is_used():
    step = a_step("a", 1, templates={"de": Template(body="de"), "fr": Template(body="fr")})
    assert step.template_for("ja") == ("de", Template(body="de"))


def test_what_is_a_set_is_refused_where_it_names_something_twice():
    with pytest.raises(ValidationError, match="expected each member once"):
        EngagementRules.model_validate({"flags_any": ["vip", "vip"]})
    with pytest.raises(ValidationError, match="expected each member once"):
        EngagementRules.model_validate_json('{"flags_any": ["vip", "vip"]}')
    assert EngagementRules.model_validate_json('{"flags_any": ["b", "a"]}', strict=True).flags_any == {"a", "b"}
    assert EngagementRules.model_validate({"flags_any": ["b", "a"]}).model_dump_json(include={"flags_any"}) == (
        '{"flags_any":["a","b"]}'
    )
