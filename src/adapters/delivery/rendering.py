"""Message text from a template: what its placeholders stand for, the opt-out line, and how long it may become."""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from uuid import UUID

from adapters.delivery.languages import ENGLISH, language_of
from adapters.delivery.opt_out import opt_out_line
from adapters.delivery.placeholders import example_values
from adapters.delivery.renderer import Draft, NotRendered, Rendered
from adapters.delivery.templates import placeholders_in
from aggregates.account import Account
from aggregates.account.chase import CoveredItem
from aggregates.account.messages import MessageUnderWay, WrittenText
from aggregates.account.writing import Draft as Written
from aggregates.campaign import Campaign, Template
from aggregates.kernel.personal import ERASED
from aggregates.office import Office
from aggregates.values.attachments import AttachedFile
from aggregates.values.contact import ENCODED, NOT_ENCODED, Channel
from aggregates.values.contact_record import Purpose
from aggregates.values.money import Money

SMS_LIMIT = 140
"""Characters of an SMS with all placeholders expanded and the opt-out line included."""

TEXT_LIMIT = 100_000
"""Characters of any other message, and of a subject: nobody reads more, and no carrier takes much more."""


class RenderingProblem(Exception):
    """The text cannot be made or may not be sent; `code` says which."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Text:
    """A template filled in, with everything that a message of its channel has to say."""

    subject: str | None
    body: str


@dataclass(frozen=True, slots=True)
class Attached:
    """A file that a message takes with it. `read` gives its bytes, and raises what a carrier's `send` does: whatever it
    raises, the message has not left."""

    name: str
    media_type: str
    sha256: str
    read: Callable[[], bytes] = field(compare=False)


Files = Callable[[UUID, Iterable[AttachedFile]], tuple[Attached, ...]]
"""What the files of an account's message are read by."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A message as it leaves: the text and its SHA-256, and what goes with it."""

    channel: Channel
    to: str
    subject: str | None
    body: str
    language: str = ENGLISH
    """Of the text, with the customer's country where they share it: `de`, `de-AT`."""
    country: str | None = None
    """In which a number without country code is dialled, and whose paper a letter is printed on: `AT`."""
    sender: str = ""
    """The office's title."""
    recipient: str = ""
    """The customer's name."""
    day: date | None = None
    """The office's local date."""
    attachments: tuple[Attached, ...] = ()
    """A carrier reads them before it begins to hand the message over."""

    @property
    def body_sha256(self) -> str:
        return hashlib.sha256(self.body.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Prepared:
    """A message of which nothing is missing but the text that its draft becomes."""

    draft: Draft
    template: Template
    channel: Channel
    to: str
    language: str
    country: str | None
    sender: str
    recipient: str
    day: date
    purpose: Purpose
    attachments: tuple[Attached, ...]

    def letter(self, rendered: Rendered) -> Letter:
        """With what its draft became. Raises RenderingProblem."""
        text = text_of(self.channel, self.template, rendered, self.language, purpose=self.purpose)
        return Letter(
            self.channel,
            self.to,
            text.subject,
            text.body,
            language=self.language,
            country=self.country,
            sender=self.sender,
            recipient=self.recipient,
            day=self.day,
            attachments=self.attachments,
        )


def prepare(
    account: Account,
    office: Office,
    campaign: Campaign | None,
    message: MessageUnderWay,
    today: date,
    *,
    files: Files | None = None,
) -> Prepared:
    """A queued message as of now. Raises RenderingProblem, whatever is wrong with message or template.

    `campaign` is the one whose step it is; None where it is by hand. Without `files` no message that has some is made.
    """
    text_language, template = _template_of(message, campaign)
    to = account.contact.details.address_of(message.point_id)
    if to is None:
        raise RenderingProblem("no-contact-point", f"{message.point_id!r} is not known any more")
    language = language_of(text_language, account.contact.details.language)
    return Prepared(
        draft=draft_of(template, values_of(account, office, message.items, today), language),
        template=template,
        channel=message.channel,
        to=to,
        language=language,
        country=account.contact.country,
        sender=office.title,
        recipient=account.customer.name,
        day=today,
        purpose=message.purpose,
        attachments=_attached(account, message, files),
    )


def _attached(account: Account, message: MessageUnderWay, files: Files | None) -> tuple[Attached, ...]:
    if not message.attachments:
        return ()
    if files is None:
        raise RenderingProblem("no-attachments", "the files that it takes with it cannot be reached from here")
    return files(account.id, message.attachments)


def _template_of(message: MessageUnderWay, campaign: Campaign | None) -> tuple[str, Template]:
    """In which language, and what. Raises RenderingProblem."""
    if message.written is not None:
        if ERASED in (message.written.body, message.written.subject):
            raise RenderingProblem("no-template", "the text was erased with the person")
        return message.language, written_template(message.written)
    step = campaign.plan.step(message.step_id) if campaign and campaign.plan and message.step_id else None
    if step is None:
        title = campaign.title if campaign else ""
        raise RenderingProblem("no-template", f"campaign {title!r} has no step {message.step_id!r} any more")
    return step.template_for(message.language)


def written_template(text: WrittenText) -> Template:
    """What a person wrote, as a template."""
    return Template(subject=text.subject, body=text.body)


def draft_of(template: Template, values: Mapping[str, Any], language: str) -> Draft:
    """With amounts and days in a language."""
    texts = (template.body,) if not template.subject else (template.body, template.subject)
    return Draft(texts, values, most=TEXT_LIMIT, language=language)


def text_of(
    channel: Channel,
    template: Template,
    rendered: Rendered,
    language: str,
    *,
    purpose: Purpose = Purpose.COLLECTION,
) -> Text:
    """What a draft of the template became, as a message over the channel. Raises RenderingProblem."""
    if isinstance(rendered, NotRendered):
        raise RenderingProblem(rendered.code, rendered.detail)
    body = rendered[0]
    if purpose is not Purpose.OPT_OUT_CONFIRMATION:  # which says that there is nothing to opt out of any more
        body = with_opt_out(channel, body, language)
    if channel is Channel.SMS and len(body) > SMS_LIMIT:
        raise RenderingProblem("sms-too-long", f"{len(body)} characters, expected at most {SMS_LIMIT}")
    subject = rendered[1] if template.subject and template.subject.strip() else None
    if subject is not None and len(subject.splitlines()) > 1:
        raise RenderingProblem("bad-subject", "a subject is one line")
    if subject is not None and channel is Channel.EMAIL and not subject.strip():
        raise RenderingProblem("bad-subject", "the subject is empty once it is filled in")
    if subject is not None and channel is Channel.EMAIL and ENCODED in subject:
        raise RenderingProblem("bad-subject", NOT_ENCODED)
    return Text(subject, body)


def with_opt_out(channel: Channel, body: str, language: str) -> str:
    """With the line that says how to opt out, where messages of the channel have one."""
    opt_out = opt_out_line(channel, language)
    if not opt_out:
        return body
    return f"{body} {opt_out}" if channel is Channel.SMS else f"{body}\n\n{opt_out}"


# --- what placeholders stand for ---------------------------------------------------------------------


def values_of(account: Account, office: Office, covered: Iterable[CoveredItem], today: date) -> dict[str, Any]:
    """What every placeholder stands for in a message about these items, as PLACEHOLDERS declares them.

    Of each item it is about what may be chased: a part payment since the queue counts, and so does what a promise or
    money that is not allocated covers, or a dispute. The amounts of the invoices add up to the amount that is due.
    """
    receivables, known = account.receivables, account.receivables.items
    undisputed = {i: known[i].open - receivables.disputed_of(known[i]) for c in covered if (i := c.item_id) in known}
    rows = [(known[c.item_id], min(c.open, undisputed[c.item_id])) for c in covered if undisputed.get(c.item_id)]
    due = Money.total((amount for _, amount in rows), account.customer.currency)
    oldest = min((item.due_on for item, _ in rows), default=today)
    return {
        "customer_name": account.customer.name,
        "account_number": account.customer.number,
        "office": office.title,
        "currency": account.customer.currency,
        "amount_due": str(due.decimal()),
        "oldest_due_on": oldest.isoformat(),
        "days_past_due": max(0, (today - oldest).days),
        "invoices": [
            {"number": item.item.number, "due_on": item.due_on.isoformat(), "open": str(amount.decimal())}
            for item, amount in rows
        ],
    }


def digest_of_text(account: Account, office: Office, draft: Written, today: date) -> str:
    """A digest of all that the text of a message hangs on: of the placeholders only those that it names, so what it
    does not say may change."""
    texts = [each for each in (draft.text.subject, draft.text.body) if each]
    named = frozenset[str]().union(*map(placeholders_in, texts))
    values = values_of(account, office, draft.items, today) if named else {}
    language = language_of(draft.language, account.contact.details.language)
    said = [draft.channel, texts, language, {name: values.get(name) for name in sorted(named)}]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()


def sample_values(office: Office) -> dict[str, Any]:
    """What placeholders stand for in a made-up account of the office."""
    return {**example_values(), "office": office.title, "currency": office.currency}
