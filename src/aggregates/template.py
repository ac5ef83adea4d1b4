"""The office's template: a text with a name for messages by hand, in one or more languages; every version of it."""

from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from pydantic import Field, field_validator

from aggregates.campaign import Template
from aggregates.kernel.aggregate import Aggregate, applies, decides
from aggregates.kernel.command import Command, Target, identifier
from aggregates.kernel.context import Context
from aggregates.kernel.event import Event
from aggregates.kernel.refusals import Refusal
from aggregates.office import Office
from aggregates.values.codes import Code
from aggregates.values.contact import Channel, Language, subject_fault
from aggregates.values.template_text import TEMPLATE_RULES, TemplateRules


def template_id(office: UUID, name: str) -> UUID:
    """The template's aggregate id from its office and its name."""
    return identifier("template", office, name)


# --- values ------------------------------------------------------------------------------------------


class Tone(StrEnum):
    """How a text speaks to the customer."""

    FRIENDLY = "friendly"
    NEUTRAL = "neutral"
    FIRM = "firm"
    FINAL = "final"


Texts = Mapping[Language, Template]
"""By language; `en` or the first one is used where the customer's language is missing."""


def subject_faults(channel: Channel, texts: Texts) -> Iterator[tuple[str, str]]:
    """Subjects that are missing, or that messages over the channel have not: each time the field, and what was
    expected."""
    for language, template in texts.items():
        if (expected := subject_fault(channel, template.subject)) is not None:
            yield f"texts.{language}.subject", expected


def text_faults(channel: Channel, texts: Texts, rules: TemplateRules) -> Iterator[tuple[str, str]]:
    """What keeps messages from being made of texts: each time the field, and what was expected."""
    yield from subject_faults(channel, texts)
    for language, template in texts.items():
        for field, text in (("subject", template.subject), ("body", template.body)):
            for line, expected in rules(text) if text else ():
                yield f"texts.{language}.{field}", f"{language}, {field}, line {line}: {expected}"


# --- events ------------------------------------------------------------------------------------------


class TemplateSaved(Event, name="template.saved"):
    """A template got its first text, or a new version of it; messages that were written before keep theirs."""

    office_id: UUID
    name: Code
    template_version: int
    channel: Channel
    tone: Tone
    texts: dict[Language, Template]


class TemplateRetired(Event, name="template.retired"):
    """No further message is written from the template, until it is saved again."""

    office_id: UUID


MOST_BYTES = 200_000
"""Of the texts of one version."""

# --- commands ----------------------------------------------------------------------------------------


class SaveTemplate(Command, name="save-template"):
    """Give the office a template, or a template its next version. The same again changes nothing."""

    office_id: UUID
    name: Code
    channel: Channel
    tone: Tone = Tone.NEUTRAL
    texts: Mapping[Language, Template] = Field(min_length=1, max_length=50)
    """Of at most 200 kB together, as JSON in UTF-8: an event that holds them is of bounded size."""

    @field_validator("texts")
    @classmethod
    def _bounded(cls, texts: Texts) -> Texts:
        if sum(len(text.model_dump_json().encode()) for text in texts.values()) > MOST_BYTES:
            raise ValueError(f"expected at most {MOST_BYTES:,} bytes in all languages together")
        return texts

    def targets(self) -> tuple[Target, ...]:
        return Target("template", template_id(self.office_id, self.name)), Target("office", self.office_id)


class RetireTemplate(Command, name="retire-template"):
    """Let no further message be written from the template."""

    template_id: UUID

    def targets(self) -> tuple[Target, ...]:
        return (Target("template", self.template_id),)


# --- state -------------------------------------------------------------------------------------------


class OfficeTemplate(Aggregate):
    """A template as it is now; `template_version` is what messages that are written from it name."""

    kind: ClassVar[str] = "template"

    office_id: UUID | None = None
    name: str = ""
    template_version: int = 0
    channel: Channel = Channel.EMAIL
    tone: Tone = Tone.NEUTRAL
    texts: Mapping[str, Template] = Field(default_factory=dict)
    is_retired: bool = False

    def links(self) -> Iterable[Target]:
        return (Target("office", self.office_id),) if self.office_id is not None else ()

    # --- decisions ---

    @decides(SaveTemplate)
    def save(self, office: Office, command: SaveTemplate, context: Context) -> None:
        found = list(text_faults(command.channel, command.texts, context.rule(TEMPLATE_RULES)))
        if found:
            said = "; ".join(f"{field}: {expected}" for field, expected in found)
            raise Refusal("faulty-template", f"no message can be made of it: {said}")
        office.register_template(self.id)
        now = (self.channel, self.tone, dict(self.texts), self.is_retired)
        if now != (command.channel, command.tone, dict(command.texts), False):
            self.emit(TemplateSaved(**command.model_dump(), template_version=self.template_version + 1))

    @decides(RetireTemplate)
    def retire(self, command: RetireTemplate, context: Context) -> None:
        if not self.exists:
            raise Refusal("unknown-template", "there is no such template")
        if not self.is_retired and self.office_id is not None:
            self.emit(TemplateRetired(office_id=self.office_id))

    # --- apply ---

    @applies(TemplateSaved)
    def _saved(self, event: TemplateSaved) -> None:
        self.office_id, self.name, self.template_version = event.office_id, event.name, event.template_version
        self.channel, self.tone, self.texts, self.is_retired = event.channel, event.tone, event.texts, False

    @applies(TemplateRetired)
    def _retired(self, event: TemplateRetired) -> None:
        self.is_retired = True
