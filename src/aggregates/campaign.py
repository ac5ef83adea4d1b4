"""The campaign: whom auto-collection engages, with which messages, and when; every version of it."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from difflib import get_close_matches
from enum import StrEnum
from typing import Annotated, ClassVar, Self
from uuid import UUID

from pydantic import AwareDatetime, Field, model_validator

from aggregates.kernel.aggregate import Aggregate, applies, decides
from aggregates.kernel.command import Command, Target, identifier
from aggregates.kernel.context import Context
from aggregates.kernel.event import Event
from aggregates.kernel.refusals import Refusal
from aggregates.kernel.value import LATER, SetOf, Value
from aggregates.office import Office, Pause, office_of
from aggregates.values.business_time import SendWindow
from aggregates.values.codes import Code
from aggregates.values.contact import Channel
from aggregates.values.countries import A_COUNTRY, is_country
from aggregates.values.money import Money
from aggregates.values.template_text import TEMPLATE_RULES, TemplateRules


def campaign_id(office: UUID, name: str) -> UUID:
    """The campaign's aggregate id from its office and its name."""
    return identifier("campaign", office, name.casefold())


# --- values ------------------------------------------------------------------------------------------


class EngagementRules(Value):
    """Whom the campaign engages: every rule that is set must hold."""

    min_amount: Money | None = None
    """Smallest chaseable amount; smaller ones are tolerated and not chased."""
    max_amount: Money | None = None
    min_dpd: int = Field(1, ge=-60, le=3650)
    """Days past due of the oldest chaseable item; negative reminds before the due date."""
    max_dpd: int | None = None
    buckets: SetOf[str] | None = None
    flags_any: SetOf[Code] = frozenset()
    flags_none: SetOf[Code] = frozenset()
    segments: SetOf[str] | None = None
    countries: SetOf[str] | None = None
    """Codes of ISO 3166-1; releases that took any text let others in, which stay in what they stored."""


class Anchor(StrEnum):
    """What a step's days are counted from."""

    PAST_DUE = "past-due"
    ENGAGEMENT = "engagement"


class Template(Value):
    """Message text with `{{ placeholders }}`, rendered in a sandbox."""

    subject: str | None = Field(None, max_length=200)
    body: str = Field(min_length=1, max_length=20_000)


class Step(Value):
    """One step of the sequence. `id` is stable: an account's place in the sequence survives a revision."""

    id: Code
    title: str = Field(min_length=1, max_length=100)
    days: int = Field(ge=-60, le=3650)
    anchor: Anchor = Anchor.PAST_DUE
    channel: Channel
    templates: Mapping[str, Template] = Field(min_length=1)
    """By language; `en` or the first one is used where the customer's language is missing."""
    required: bool = False
    """Final notices, legal steps, escalations: never skipped after an outage, they run in order."""

    def template_for(self, language: str) -> tuple[str, Template]:
        """The language used and its template."""
        return in_language(self.templates, language)


def in_language(templates: Mapping[str, Template], language: str) -> tuple[str, Template]:
    """The language used and its template: the wanted one, else the same without its country, English, or the first."""
    for wanted in (language, language.split("-", 1)[0], "en"):
        if wanted in templates:
            return wanted, templates[wanted]
    return next(iter(templates.items()))


class ExistingDebt(StrEnum):
    """What a campaign does about debt of which a step was due before Arrears knew it, or the campaign was there."""

    FROM_THE_START = "from-the-start"
    """The first step now, the others at the distances that the plan has between them."""
    AT_ITS_AGE = "at-its-age"
    """The latest step that its age has come to, once; then on as planned."""
    LEAVE = "leave"
    """Steps due before Arrears knew the debt are passed over."""


class CampaignPlan(Value):
    """What a version of a campaign says."""

    rules: EngagementRules = EngagementRules()
    existing: Annotated[ExistingDebt | None, LATER] = None
    """None: in a command what `completed` says; in what an earlier release stored, to leave it."""
    steps: tuple[Step, ...] = Field(min_length=1, max_length=50)
    window: SendWindow | None = None
    """Narrower or other hours than the office's."""
    business_days_only: bool = True

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        ids = [step.id for step in self.steps]
        if len(set(ids)) < len(ids):
            raise ValueError("two steps have the same id")
        return self

    @property
    def about_existing(self) -> ExistingDebt:
        """What this version does about existing debt."""
        return self.existing or ExistingDebt.LEAVE

    def completed(self, running: "CampaignPlan | None") -> "CampaignPlan":
        """As it is stored: what a new campaign leaves open is the default, what a revision leaves open stays."""
        if self.existing is not None:
            return self
        existing = ExistingDebt.FROM_THE_START if running is None else running.existing
        return self if existing is None else self.model_copy(update={"existing": existing})

    def place(self, done: Collection[str]) -> int:
        """Index of the first step after everything done; ids that this version no longer has count for nothing."""
        if not done:
            return 0
        return max((index + 1 for index, step in enumerate(self.steps) if step.id in done), default=0)

    def step(self, step_id: str) -> Step | None:
        return next((step for step in self.steps if step.id == step_id), None)


# --- what is wrong with a plan -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PlanFault:
    """Something in a plan that its office does not know, or that cannot be filled in."""

    field: str
    """As the plan has it: `steps.0.templates.en.body`."""
    expected: str
    """For people, and where in the plan."""


def plan_faults(plan: CampaignPlan, office: Office, template_rules: TemplateRules) -> Iterator[PlanFault]:
    """Everything that keeps the plan from being carried out in the office."""
    for field, named, known in (
        ("flags_any", plan.rules.flags_any, office.flags),
        ("flags_none", plan.rules.flags_none, office.flags),
        ("buckets", plan.rules.buckets or (), office.scheme.names),
    ):
        for name in sorted(set(named).difference(known)):
            yield PlanFault(f"rules.{field}", _unknown(field.partition("_")[0].removesuffix("s"), name, known))
    for code in sorted(plan.rules.countries or ()):
        if not is_country(code):
            yield PlanFault("rules.countries", f"there is no country {code!r}; expected {A_COUNTRY}")
    for index, step in enumerate(plan.steps):
        for language, template in step.templates.items():
            for field, text in (("subject", template.subject), ("body", template.body)):
                for line, expected in template_rules(text) if text else ():
                    where = f"step {step.id!r}, {language}, {field}, line {line}"
                    yield PlanFault(f"steps.{index}.templates.{language}.{field}", f"{where}: {expected}")


def _unknown(kind: str, name: str, known: Collection[str]) -> str:
    close = get_close_matches(name, known)
    hint = f"close to it: {', '.join(close)}" if close else f"expected one of {', '.join(known)}"
    return f"the office has no {kind} {name!r}; {hint}"


class CampaignStatus(StrEnum):
    RUNNING = "running"
    RETIRED = "retired"


# --- events ------------------------------------------------------------------------------------------


class CampaignLaunched(Event, name="campaign.launched"):
    """A campaign began to engage accounts of its office; this is its version 1."""

    office_id: UUID
    title: str
    plan: CampaignPlan
    launched_on: Annotated[date | None, LATER] = None
    """The office's local date; None in what an earlier release stored."""


class CampaignRevised(Event, name="campaign.revised"):
    """The campaign got a new version; accounts continue by it from the step they are at."""

    office_id: UUID
    plan_version: int
    plan: CampaignPlan


class CampaignPaused(Event, name="campaign.paused"):
    """No message of this campaign leaves from `paused_from` (may be in the past) until `paused_until`."""

    office_id: UUID
    paused_from: AwareDatetime
    paused_until: AwareDatetime | None


class CampaignResumed(Event, name="campaign.resumed"):
    """The campaign sends again, by its current rules; what was missed is not sent in a burst."""

    office_id: UUID
    resumed_at: AwareDatetime


class CampaignRetired(Event, name="campaign.retired"):
    """The campaign ended for good; its accounts are matched with other campaigns."""

    office_id: UUID


# --- commands ----------------------------------------------------------------------------------------


class CampaignCommand(Command, sees=("office",)):
    """A command to one campaign."""

    campaign_id: UUID

    def targets(self) -> tuple[Target, ...]:
        return (Target("campaign", self.campaign_id),)


class LaunchCampaign(Command, name="launch-campaign"):
    """Start a campaign in an office."""

    office_id: UUID
    title: str = Field(min_length=1, max_length=100)
    plan: CampaignPlan

    def targets(self) -> tuple[Target, ...]:
        return Target("campaign", campaign_id(self.office_id, self.title)), Target("office", self.office_id)


class ReviseCampaign(CampaignCommand, name="revise-campaign"):
    """Give the campaign a new version."""

    plan: CampaignPlan


class PauseCampaign(CampaignCommand, name="pause-campaign"):
    """Stop the campaign's messages: from now, or backdated, or for a time."""

    paused_from: AwareDatetime | None = None
    paused_until: AwareDatetime | None = None


class ResumeCampaign(CampaignCommand, name="resume-campaign"):
    """Let the campaign send again."""


class RetireCampaign(CampaignCommand, name="retire-campaign"):
    """End the campaign for good."""


# --- state -------------------------------------------------------------------------------------------


NO_OFFICE = UUID(int=0)
"""The office of a campaign that was not launched yet."""


class Campaign(Aggregate):
    """One campaign; `plan_version` is what every message it sends names."""

    kind: ClassVar[str] = "campaign"

    office_id: UUID = NO_OFFICE
    title: str = ""
    plan: CampaignPlan | None = None
    plan_version: int = 0
    launched_on: date | None = None
    status: CampaignStatus = CampaignStatus.RUNNING
    pause: Pause | None = None

    @property
    def is_over(self) -> bool:
        return self.status is CampaignStatus.RETIRED

    def links(self) -> Iterable[Target]:
        return (Target("office", self.office_id),) if self.exists else ()

    @property
    def runs(self) -> bool:
        return self.exists and self.status is CampaignStatus.RUNNING

    def is_paused(self, moment: datetime) -> bool:
        return self.pause is not None and self.pause.covers(moment)

    # --- decisions ---

    def _require_running(self) -> None:
        if not self.exists:
            raise Refusal("unknown-campaign", "there is no such campaign")
        if self.status is CampaignStatus.RETIRED:
            raise Refusal("campaign-retired", f"campaign {self.title!r} has ended for good")

    @decides(LaunchCampaign)
    def launch(self, office: Office, command: LaunchCampaign, context: Context) -> None:
        if self.exists:
            raise Refusal("campaign-exists", f"the office has a campaign {command.title!r} already; revise it")
        _require_currency(command.plan, office)
        _require_faultless(command.plan, office, context)
        office.register_campaign(self.id)
        self.emit(
            CampaignLaunched(
                office_id=command.office_id,
                title=command.title,
                plan=command.plan.completed(None),
                launched_on=context.today,
            )
        )

    @decides(ReviseCampaign)
    def revise(self, command: ReviseCampaign, context: Context) -> None:
        self._require_running()
        plan = command.plan.completed(self.plan)
        if plan != self.plan:
            office = office_of(context, self.office_id)
            _require_currency(plan, office)
            _require_faultless(plan, office, context)
            self.emit(CampaignRevised(office_id=self.office_id, plan_version=self.plan_version + 1, plan=plan))

    @decides(PauseCampaign)
    def pause_messages(self, command: PauseCampaign, context: Context) -> None:
        self._require_running()
        pause = Pause.from_command(command.paused_from, command.paused_until, context.now)
        pause.refuse_to_end(self.pause, context.now)
        if pause != self.pause:
            self.emit(CampaignPaused(office_id=self.office_id, **pause.model_dump()))

    @decides(ResumeCampaign)
    def resume_messages(self, command: ResumeCampaign, context: Context) -> None:
        self._require_running()
        if self.pause is not None:
            self.emit(CampaignResumed(office_id=self.office_id, resumed_at=context.now))

    @decides(RetireCampaign)
    def retire(self, command: RetireCampaign, context: Context) -> None:
        self._require_running()
        self.emit(CampaignRetired(office_id=self.office_id))

    # --- apply ---

    @applies(CampaignLaunched)
    def _launched(self, event: CampaignLaunched) -> None:
        self.office_id, self.title = event.office_id, event.title
        self.plan, self.plan_version, self.launched_on = event.plan, 1, event.launched_on

    @applies(CampaignRevised)
    def _revised(self, event: CampaignRevised) -> None:
        self.plan, self.plan_version = event.plan, event.plan_version

    @applies(CampaignPaused)
    def _paused(self, event: CampaignPaused) -> None:
        self.pause = Pause(paused_from=event.paused_from, paused_until=event.paused_until)

    @applies(CampaignResumed)
    def _resumed(self, event: CampaignResumed) -> None:
        self.pause = None

    @applies(CampaignRetired)
    def _retired(self, event: CampaignRetired) -> None:
        self.status = CampaignStatus.RETIRED


def _require_currency(plan: CampaignPlan, office: Office) -> None:
    for amount in (plan.rules.min_amount, plan.rules.max_amount):
        if amount is not None and amount.currency != office.currency:
            raise Refusal("wrong-currency", f"the office works in {office.currency}, a rule is in {amount.currency}")


def _require_faultless(plan: CampaignPlan, office: Office, context: Context) -> None:
    found = list(plan_faults(plan, office, context.rule(TEMPLATE_RULES)))
    if found:
        said = "; ".join(f"{each.field}: {each.expected}" for each in found)
        raise Refusal("faulty-plan", f"the plan cannot be carried out: {said}")
