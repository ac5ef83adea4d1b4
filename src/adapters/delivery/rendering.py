"""Message text from a template: placeholders filled in a sandbox, the opt-out line added, lengths checked."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from jinja2 import StrictUndefined, TemplateError
from jinja2.sandbox import SandboxedEnvironment

from aggregates.account import Account
from aggregates.account.messages import MessageUnderWay
from aggregates.campaign import Campaign
from aggregates.office import Office
from aggregates.values.contact import Channel
from aggregates.values.money import Money

SMS_LIMIT = 140
"""Characters of an SMS with all placeholders expanded and the opt-out line included."""

OPT_OUT_LINES: Mapping[Channel, str] = {
    Channel.SMS: "Reply STOP to opt out",
    Channel.EMAIL: "To stop e-mails to this address, reply with UNSUBSCRIBE.",
}
"""12 CFR 1006.6(e): every electronic message says how to opt out of that address or number."""

_SANDBOX = SandboxedEnvironment(undefined=StrictUndefined, autoescape=False, keep_trailing_newline=False)


class RenderingProblem(Exception):
    """The text cannot be made or may not be sent; `code` says which."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Letter:
    """A message as it leaves: the text and its SHA-256."""

    channel: Channel
    to: str
    subject: str | None
    body: str

    @property
    def body_sha256(self) -> str:
        return hashlib.sha256(self.body.encode()).hexdigest()


def render(account: Account, office: Office, campaign: Campaign, message: MessageUnderWay, today: date) -> Letter:
    """The text of a queued message as of now. Raises RenderingProblem."""
    step = campaign.plan.step(message.step_id) if campaign.plan else None
    if step is None:
        raise RenderingProblem("no-template", f"campaign {campaign.title!r} has no step {message.step_id!r} any more")
    to = account.contact.details.address_of(message.point_id)
    if to is None:
        raise RenderingProblem("no-contact-point", f"{message.point_id!r} is not known any more")
    _, template = step.template_for(message.language)
    values = placeholders(account, office, message, today)
    body = _fill(template.body, values)
    opt_out = OPT_OUT_LINES.get(message.channel)
    if opt_out:
        body = f"{body} {opt_out}" if message.channel is Channel.SMS else f"{body}\n\n{opt_out}"
    if message.channel is Channel.SMS and len(body) > SMS_LIMIT:
        raise RenderingProblem("sms-too-long", f"{len(body)} characters, expected at most {SMS_LIMIT}")
    return Letter(message.channel, to, _fill(template.subject, values) if template.subject else None, body)


def placeholders(account: Account, office: Office, message: MessageUnderWay, today: date) -> dict[str, Any]:
    """What a template can name. A part payment since the queue counts, and so does what a promise covers."""
    still_open = [covered for covered in message.items if covered.item_id in account.receivables.items]
    items = [account.receivables.items[covered.item_id] for covered in still_open]
    due = Money.total(
        (min(c.open, account.receivables.items[c.item_id].open) for c in still_open), account.customer.currency
    )
    oldest = min((item.due_on for item in items), default=today)
    return {
        "customer_name": account.customer.name,
        "account_number": account.customer.number,
        "office": office.title,
        "currency": account.customer.currency,
        "amount_due": str(due.decimal()),
        "oldest_due_on": oldest.isoformat(),
        "days_past_due": max(0, (today - oldest).days),
        "invoices": [
            {"number": i.item.number, "due_on": i.due_on.isoformat(), "open": str(i.open.decimal())} for i in items
        ],
    }


def _fill(template: str, values: Mapping[str, Any]) -> str:
    try:
        return _SANDBOX.from_string(template).render(values)
    except TemplateError as error:
        raise RenderingProblem("bad-template", str(error)) from error
