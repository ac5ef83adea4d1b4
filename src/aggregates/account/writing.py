"""Messages by hand: a person writes to the customer, once, outside of any sequence."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, ClassVar, Protocol, Self
from unicodedata import category
from uuid import UUID

from pydantic import AfterValidator, Field, model_validator

from aggregates.account.attachments import Attachments
from aggregates.account.chase import CoveredItem
from aggregates.account.command import AccountCommand
from aggregates.account.contact import Contact
from aggregates.account.customer import Customer
from aggregates.account.messages import WRITTEN_ABOUT, Messages, MessageWritten, WrittenText, as_moment
from aggregates.account.part import AccountPart
from aggregates.campaign import in_language
from aggregates.kernel.aggregate import Needs, decides
from aggregates.kernel.command import Target
from aggregates.kernel.context import Context, Rule
from aggregates.kernel.personal import Personal
from aggregates.kernel.refusals import Refusal
from aggregates.kernel.value import LATER
from aggregates.template import OfficeTemplate
from aggregates.values.attachments import MOST_OF_MESSAGE, AttachedFile
from aggregates.values.contact import WITH_SUBJECT, Channel, Denied, subject_fault
from aggregates.values.money import Money
from aggregates.values.template_text import TEMPLATE_RULES

# --- values ------------------------------------------------------------------------------------------

_LINES = frozenset("\n\t")


def _is_control(letter: str) -> bool:
    return category(letter) in {"Cc", "Cs"}


def in_lines(text: str) -> str:
    """Text of several lines, with line ends as ours. Raises ValueError for control characters."""
    text = text.replace("\r\n", "\n")
    if any(_is_control(letter) and letter not in _LINES for letter in text):
        raise ValueError("expected text without control characters")
    if not text.strip():
        raise ValueError("expected text, but it is empty")
    return text


def in_a_line(text: str) -> str:
    """Text of one line. Raises ValueError for control characters."""
    if any(_is_control(letter) or category(letter) in {"Zl", "Zp"} for letter in text):
        raise ValueError("expected one line without control characters")
    return text


def require_one_text(channel: Channel, *, text: str | None, template: object | None, subject: str | None) -> None:
    """Raises ValueError where a message has no text, or two, or a subject that it cannot have."""
    if (text is None) == (template is None):
        raise ValueError("text: expected a text or a template, and not both")
    if subject is not None and template is not None:
        raise ValueError("subject: a template has its own")
    if subject is not None and channel not in WITH_SUBJECT:
        raise ValueError(f"subject: {subject_fault(channel, subject)}")


@dataclass(frozen=True, slots=True)
class Draft:
    """A message by hand as it would be queued now."""

    channel: Channel
    text: WrittenText
    language: str
    template: OfficeTemplate | None
    """That the text was taken from."""
    point_id: str
    """Empty where there is none that may be used."""
    items: tuple[CoveredItem, ...]
    refused: tuple[Denied, ...]
    """Everything that keeps it from being queued, rule by rule."""
    attachments: tuple[AttachedFile, ...] = ()

    def amount(self, currency: str) -> Money:
        """What the items that it is about add up to."""
        return Money.total((item.open for item in self.items), currency)


class TextDigest(Protocol):
    """A digest of all that the text of a message hangs on: where it is the same, so is the text. Nothing is filled in
    for it."""

    def __call__(self, account: Any, office: Any, draft: Draft, today: date, /) -> str: ...


TEXT_DIGEST: Rule[TextDigest] = Rule("templates")


# --- commands ----------------------------------------------------------------------------------------


class SendMessage(AccountCommand, name="send-message", makes="message", sees=("office", "template", "account")):
    """Write to the customer now, over a channel: a text, or a template of the office in the customer's language.

    The text may have the placeholders of templates. Without `point_id` it goes to the first address or number that may
    be used. `ignore_preferences` lifts what the customer prefers, with a reason; what they do not want, and what rules
    refuse, nobody lifts. With `ignore_max_per_minute` it takes no turn among the office's messages a minute.
    """

    channel: Channel
    text: Annotated[Personal, Field(max_length=20_000), AfterValidator(in_lines)] | None = None
    subject: Annotated[Personal, Field(min_length=1, max_length=200), AfterValidator(in_a_line)] | None = None
    """Of an e-mail or a letter; a template has its own."""
    template_id: UUID | None = None
    point_id: str | None = Field(None, max_length=100)
    ignore_preferences: bool = False
    attachment_ids: Annotated[tuple[UUID, ...] | None, LATER] = Field(None, max_length=MOST_OF_MESSAGE)
    """Files of the account that it takes with it: an e-mail any, a letter PDF files, printed behind it."""
    ignore_max_per_minute: bool = False

    def links(self) -> tuple[Target, ...]:
        return () if self.template_id is None else (Target("template", self.template_id),)

    @model_validator(mode="after")
    def _goes_together(self) -> Self:
        require_one_text(self.channel, text=self.text, template=self.template_id, subject=self.subject)
        return self


# --- decisions ---------------------------------------------------------------------------------------


@dataclass(slots=True)
class Writing(AccountPart):
    """Deciding about messages by hand. Those that are under way are among all others."""

    customer: ClassVar = Needs(Customer)
    contact: ClassVar = Needs(Contact)
    messages: ClassVar = Needs(Messages)
    attachments: ClassVar = Needs(Attachments)

    @decides(SendMessage)
    def send(self, command: SendMessage, context: Context) -> None:
        self.require_account()
        if command.ignore_preferences:
            context.require_reason()
        self.queue(command, self.draft(command, context), context)

    def queue(self, command: SendMessage, draft: Draft, context: Context) -> UUID:
        """The message of a draft leaves now; its id. Refuses where anything forbids it."""
        if draft.refused:
            raise self.refusal(draft.refused, context)
        message_id = command.made_id(context.command_id)
        self.emit(
            MessageWritten(
                message_id=message_id,
                channel=command.channel,
                point_id=draft.point_id,
                language=draft.language,
                subject=draft.text.subject,
                body=draft.text.body,
                template_id=command.template_id,
                template_version=draft.template.template_version if draft.template is not None else None,
                ignores_preferences=command.ignore_preferences,
                items=draft.items,
                amount=draft.amount(self.customer.currency),
                queued_at=context.now,
                queued_on=context.today,
                attachments=draft.attachments or None,
                ignores_pace=command.ignore_max_per_minute or None,
            )
        )
        return message_id

    def draft(self, command: SendMessage, context: Context) -> Draft:
        """What would be queued, and everything that forbids it. Refuses what cannot be a message."""
        template = self._template(command, context)
        details = self.contact.details
        language, text = details.language, WrittenText(subject=command.subject, body=command.text or "")
        if template is not None:
            language, said = in_language(template.texts, language)
            if (expected := subject_fault(template.channel, said.subject)) is not None:  # it was saved earlier
                raise Refusal("faulty-template", f"template {template.name!r}: texts.{language}.subject: {expected}")
            text = WrittenText(subject=said.subject, body=said.body)
        _require_faultless(text, context)
        files = self.attachments.for_message(command.channel, command.attachment_ids or ())
        points = details.points(command.channel)
        if command.point_id is not None:
            if command.point_id not in points:
                known = ", ".join(points) or "none"
                raise Refusal(
                    "unknown-contact-point",
                    f"{command.channel} cannot use {command.point_id!r}; what it can use: {known}",
                )
            points = (command.point_id,)
        point_id, denied = self.messages.point_for(command.channel, points, context)
        refused = [self._preference(command), denied]
        return Draft(
            channel=command.channel,
            text=text,
            language=language,
            template=template,
            point_id=point_id or next(iter(points), ""),
            items=tuple(context.rule(WRITTEN_ABOUT)(self.whole, context)),
            refused=tuple(one for each in refused if each is not None for one in each.one_by_one()),
            attachments=files,
        )

    def _template(self, command: SendMessage, context: Context) -> OfficeTemplate | None:
        if command.template_id is None:
            return None
        found = context.find(OfficeTemplate, command.template_id)
        if found is None or found.office_id != self.customer.office_id:
            raise Refusal("unknown-template", "the office has no such template")
        if found.is_retired:
            raise Refusal("template-retired", f"template {found.name!r} was retired")
        if found.channel is not command.channel:
            raise Refusal("other-channel", f"template {found.name!r} is for {found.channel}, not for {command.channel}")
        return found

    def _preference(self, command: SendMessage) -> Denied | None:
        preferred = self.contact.details.preferred_channel
        if preferred in {None, command.channel} or command.ignore_preferences:
            return None
        return Denied("preferred-channel", f"the customer prefers {preferred}")

    def refusal(self, refused: Sequence[Denied], context: Context) -> Refusal:
        """Names every rule; by when it may be tried again only where all of them end by themselves."""
        first, *others = refused
        if first.rule_id == "preferred-channel":
            too = f"; {named(others)}" if others else ""
            return Refusal("preferred-channel", f"{first.detail}: whoever ignores preferences says so, and why{too}")
        zone = self.customer.office(context).zone
        ends = [as_moment(each, zone) for each in refused]
        known = [each for each in ends if each is not None]
        again = f"; it may be tried again from {max(known):%Y-%m-%d %H:%M} UTC" if len(known) == len(ends) else ""
        return Refusal("contact-refused", f"refused by {named(refused)}{again}")


def named(refused: Iterable[Denied]) -> str:
    """In words: each rule, and what it says."""
    return "; ".join(f"{each.rule_id}: {each.detail}" for each in refused)


def _require_faultless(text: WrittenText, context: Context) -> None:
    rules = context.rule(TEMPLATE_RULES)
    for field, said in (("subject", text.subject), ("text", text.body)):
        for line, expected in rules(said) if said else ():
            raise Refusal("faulty-text", f"{field}: line {line}: {expected}")
