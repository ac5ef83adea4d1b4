"""Templates of an office as doors show them, and what they would say."""

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from adapters.eventstore.application import AggregateNotFoundError
from aggregates.account import Account
from aggregates.campaign import CampaignPlan, Step, Template
from aggregates.office import Office
from aggregates.template import OfficeTemplate, SaveTemplate, TemplateSaved, Texts, Tone, subject_faults
from aggregates.values.contact import Channel
from api.application.campaign_check import FaultView, WrittenText, check_plan
from api.application.settings import model_from, read_toml
from api.processes.service import Service


class TemplateView(BaseModel):
    """A template as it is now."""

    id: UUID
    office_id: UUID
    name: str
    channel: Channel
    tone: Tone
    languages: list[str]
    template_version: int
    retired: bool


class TemplateVersion(BaseModel):
    """A version of a template: what it says, who saved it, when and why."""

    template_version: int
    channel: Channel
    tone: Tone
    texts: dict[str, Template]
    recorded_at: datetime
    actor: str
    reason: str | None


class TemplateInFull(TemplateView):
    """A template with every version of it, the newest first."""

    texts: dict[str, Template]
    versions: list[TemplateVersion]


class CheckedTemplate(BaseModel):
    """What is wrong with a template, and its texts, written for a made-up account and for a real one."""

    faults: list[FaultView]
    texts: list[WrittenText]


def templates_of(service: Service, offices: Iterable[Office]) -> list[OfficeTemplate]:
    """Every template of the offices, by name; retired ones too."""
    return [
        each
        for office in offices
        for each in sorted(
            service.arrears.load_many(OfficeTemplate, office.template_ids), key=lambda template: template.name
        )
    ]


def template_view(template: OfficeTemplate) -> TemplateView:
    assert template.office_id is not None  # noqa: S101  a template is saved in one
    return TemplateView(
        id=template.id,
        office_id=template.office_id,
        name=template.name,
        channel=template.channel,
        tone=template.tone,
        languages=sorted(template.texts),
        template_version=template.template_version,
        retired=template.is_retired,
    )


def template_in_full(service: Service, template: OfficeTemplate) -> TemplateInFull:
    versions = [
        TemplateVersion(
            template_version=recorded.event.template_version,
            channel=recorded.event.channel,
            tone=recorded.event.tone,
            texts=dict(recorded.event.texts),
            recorded_at=recorded.recorded_at,
            actor=recorded.meta.actor,
            reason=recorded.meta.reason,
        )
        for recorded in service.arrears.history(OfficeTemplate, template.id)
        if isinstance(recorded.event, TemplateSaved)
    ]
    return TemplateInFull(**dict(template_view(template)), texts=dict(template.texts), versions=versions[::-1])


def check_template(
    service: Service, office: Office, *, name: str, channel: Channel, texts: Texts, account: Account | None = None
) -> CheckedTemplate:
    """As if it were the only step of a campaign: a text is a text."""
    subjects = [FaultView(field=field, expected=expected) for field, expected in subject_faults(channel, texts)]
    step = Step(id=name, title=name, days=0, channel=channel, templates=texts)
    checked = check_plan(service, office, CampaignPlan(steps=(step,)), account=account)
    faults = [
        FaultView(
            field=each.field.replace("plan.steps.0.templates", "texts"),
            expected=each.expected.removeprefix(f"step {name!r}, "),
        )
        for each in checked.faults
    ]
    others = [each for each in faults if not any(each.expected.endswith(said.expected) for said in subjects)]
    return CheckedTemplate(faults=[*subjects, *others], texts=checked.texts)


def faults_of(service: Service, command: SaveTemplate) -> list[FaultView]:
    """Why the template would be refused, with its texts written too."""
    try:
        office = service.arrears.load(Office, command.office_id)
    except AggregateNotFoundError:
        return []
    return check_template(service, office, name=command.name, channel=command.channel, texts=command.texts).faults


# --- as people write them --------------------------------------------------------------------------------


class TemplateFile(BaseModel):
    """A template as TOML; the keys are those of `SaveTemplate`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    office: str = "main"
    channel: str
    tone: str = Tone.NEUTRAL
    texts: dict[str, Any]

    def command(self, office_id: UUID, *, source: Path | None = None) -> SaveTemplate:
        """Raises SettingsError."""
        said = {**self.model_dump(exclude={"office"}), "office_id": office_id}
        return model_from(SaveTemplate, said, source=source)


def read_template(file: Path) -> TemplateFile:
    """Raises SettingsError where the file is not TOML, or a field is not as expected."""
    said = model_from(TemplateFile, read_toml(file), source=file)
    said.command(UUID(int=0), source=file)
    return said
