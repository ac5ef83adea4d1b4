"""Messages by hand before they are sent: what a customer would get, and everything that keeps it from leaving."""

from collections.abc import Iterable
from datetime import date, datetime
from uuid import UUID, uuid4

from pydantic import BaseModel

from adapters.delivery.languages import language_of
from adapters.delivery.rendering import (
    SMS_LIMIT,
    draft_of,
    values_of,
    written_template,
)
from adapters.delivery.sms import Alphabet, sms_size
from adapters.delivery.written import Written, written_of
from adapters.eventstore.application import AggregateNotFoundError
from adapters.rules import RULES, template_faults
from aggregates.account import Account
from aggregates.account.messages import MessageResolved, MessageSent, MessageWritten, as_moment
from aggregates.account.writing import Draft, SendMessage
from aggregates.campaign import in_language
from aggregates.kernel.actor import Actor
from aggregates.kernel.aggregate import Aggregate
from aggregates.kernel.context import Context
from aggregates.kernel.personal import ERASED
from aggregates.kernel.refusals import Refusal
from aggregates.office import Office
from aggregates.template import OfficeTemplate, template_id
from aggregates.values.business_time import local_date
from aggregates.values.contact import Channel, Denied
from api.application.campaign_check import FaultView
from api.processes.service import Service


class RefusedBy(BaseModel):
    """A rule or wish that keeps a message from leaving now."""

    rule: str
    detail: str
    until: datetime | None
    """From when it may be tried again; null: not by itself."""


class SmsView(BaseModel):
    """How a network carries a text message."""

    alphabet: Alphabet
    segments: int
    most_characters: int = SMS_LIMIT


class MessagePreview(BaseModel):
    """A message as it would leave now. Nothing is sent."""

    account_id: str
    channel: Channel
    language: str | None = None
    point_id: str | None = None
    to: str | None = None
    """The address or number."""
    subject: str | None = None
    body: str | None = None
    """With all placeholders filled in and the line that says how to opt out; null where no text can be made."""
    characters: int | None = None
    sms: SmsView | None = None
    problem: str | None = None
    """Why no text can be made, or why it is not sent."""
    refused_by: list[RefusedBy] = []
    attachments: list[str] = []
    """Names of the files that it takes with it."""
    may_leave: bool
    notes: list[str]
    """What whoever sends it should know."""


def preview(service: Service, command: SendMessage) -> MessagePreview:
    """What cannot be a message is its `problem`. Raises AggregateNotFoundError."""
    account = service.arrears.load(Account, command.account_id)
    office, context = around(service, account, command.template_id)
    notes = list(notes_on(office, context.now))
    try:
        draft = account.writing.draft(command, context)
    except Refusal as refusal:
        return MessagePreview(
            account_id=str(account.id), channel=command.channel, problem=refusal.detail, may_leave=False, notes=notes
        )
    written = _written(service, account, office, draft, context.today)
    refused = [_refused(each, office) for each in draft.refused]
    return MessagePreview(
        account_id=str(account.id),
        channel=command.channel,
        language=draft.language,
        point_id=draft.point_id or None,
        to=account.contact.details.address_of(draft.point_id) if draft.point_id else None,
        subject=written.subject,
        body=written.body,
        characters=None if written.body is None else len(written.body),
        sms=_sms(written.body) if command.channel is Channel.SMS and written.body is not None else None,
        problem=written.problem,
        refused_by=refused,
        attachments=[each.name for each in draft.attachments],
        may_leave=written.problem is None and not refused,
        notes=notes,
    )


def notes_on(office: Office, now: datetime) -> Iterable[str]:
    """What is so in the office and does not keep a message by hand from leaving."""
    if office.is_paused(now):
        yield "The office's automation is paused; a message by hand leaves all the same."


def faults_of(service: Service, command: SendMessage) -> list[FaultView]:
    """Why no text can be made of it, or too long a one. What else forbids it is for the decision to say."""
    try:
        account = service.arrears.load(Account, command.account_id)
    except AggregateNotFoundError:
        return []
    if found := list(_in_its_text(command)):
        return found
    office, context = around(service, account, command.template_id)
    try:
        draft = account.writing.draft(command, context)
    except Refusal:
        return []
    problem = _written(service, account, office, draft, context.today).problem
    return [] if problem is None else [FaultView(field="text", expected=problem)]


def template_called(service: Service, account_id: UUID, name: str) -> UUID:
    """The id of the template that the account's office has, or would have, by this name. Raises
    AggregateNotFoundError."""
    office_id = service.arrears.load(Account, account_id).customer.office_id
    assert office_id is not None  # noqa: S101  an account is opened in one
    return template_id(office_id, name)


# --- once more ---


class NotAgain(Exception):
    """Nobody can write this message again; the text says why."""


def again(service: Service, account_id: UUID, message_id: UUID) -> SendMessage:
    """The same text, in its language and of its template, over the same channel to the same address or number, as
    another message. Raises NotAgain for one that is under way or left, for one that was not written by hand, for one
    of an erased person, and for one whose template says something else by now."""
    written, has_left = None, False
    for recorded in service.arrears.history(Account, account_id):
        match recorded.event:
            case MessageWritten(message_id=about) as event if about == message_id:
                written = event
            case MessageSent(message_id=about) | MessageResolved(message_id=about, was_sent=True):
                has_left = has_left or about == message_id
    if written is None:
        raise NotAgain("no message by hand has this id")
    account = service.arrears.load(Account, account_id)
    if message_id in account.messages.under_way:
        raise NotAgain("the message is under way")
    if has_left:
        raise NotAgain("the message left")
    if ERASED in (written.body, written.subject):
        raise NotAgain("its text was erased with the person")
    if written.template_id is not None:
        _require_same_template(service, account, written)
    is_free = written.template_id is None
    return SendMessage(
        account_id=account_id,
        channel=written.channel,
        text=written.body if is_free else None,
        subject=written.subject if is_free else None,
        template_id=written.template_id,
        point_id=written.point_id,
        ignore_preferences=written.ignores_preferences,
        attachment_ids=_still_kept(account, written),
        ignore_max_per_minute=bool(written.ignores_pace),
    )


def _still_kept(account: Account, written: MessageWritten) -> tuple[UUID, ...] | None:
    """Raises NotAgain where a file that the message took with it was removed since."""
    ids = tuple(each.id for each in written.attachments or ())
    if any(each not in account.attachments.kept for each in ids):
        raise NotAgain("a file that it took with it was removed since; write another message")
    return ids or None


def _require_same_template(service: Service, account: Account, written: MessageWritten) -> None:
    """Raises NotAgain where another text than the message's would be taken from its template now."""
    assert written.template_id is not None  # noqa: S101  asked for those only
    template = service.arrears.load(OfficeTemplate, written.template_id)
    if template.is_retired:
        raise NotAgain(f"its template {template.name} was retired since; write another message")
    if template.template_version != written.template_version:
        raise NotAgain(f"its template {template.name} was changed since; write another message")
    language, _ = in_language(template.texts, account.contact.details.language)
    if language != written.language:
        raise NotAgain(f"the message is in {written.language}, and the customer reads {language} now; write another")


# --- inside ------------------------------------------------------------------------------------------


def _in_its_text(command: SendMessage) -> Iterable[FaultView]:
    for field, text in (("subject", command.subject), ("text", command.text)):
        for line, expected in template_faults(text) if text else ():
            yield FaultView(field=field, expected=f"line {line}: {expected}")


def around(service: Service, account: Account, template_id: UUID | None = None) -> tuple[Office, Context]:
    """The account's office, and what a decision would know now."""
    assert account.customer.office_id is not None  # noqa: S101  an account is opened in one
    office, now = service.arrears.load(Office, account.customer.office_id), service.clock.now()
    today = local_date(now, office.zone)
    named = [template_id] if template_id is not None else []
    seen: dict[UUID, Aggregate] = {each.id: each for each in service.arrears.load_many(OfficeTemplate, named)}
    others = service.arrears.load_many(Account, list(account.customer.accounts))
    return office, Context(
        now=now,
        today=today,
        actor=Actor.service("preview"),
        effective_on=today,
        command_id=uuid4(),
        seen={office.id: office, **seen, **{each.id: each for each in others}},
        rules=RULES,
    )


def _written(service: Service, account: Account, office: Office, draft: Draft, today: date) -> Written:
    template = written_template(draft.text)
    language = language_of(draft.language, account.contact.details.language)
    values = values_of(account, office, draft.items, today)
    [rendered] = service.renderer.render([draft_of(template, values, language)])
    return written_of(draft.channel, template, rendered, language)


def _refused(denied: Denied, office: Office) -> RefusedBy:
    return RefusedBy(rule=denied.rule_id, detail=denied.detail, until=as_moment(denied, office.zone))


def _sms(body: str) -> SmsView:
    size = sms_size(body)
    return SmsView(alphabet=size.alphabet, segments=size.segments)
