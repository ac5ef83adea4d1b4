"""What an agent asks and says in a call: nothing of the debt before it is clear who listens."""

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel

from adapters.delivery.languages import ENGLISH
from adapters.delivery.renderer import Draft, NotRendered, RendererUnavailable
from adapters.delivery.rendering import TEXT_LIMIT, values_of
from aggregates.account.messages import WRITTEN_ABOUT
from aggregates.kernel.value import LATER
from aggregates.values.call_script import REQUIRED_LINES, STANDARD_SCRIPT
from aggregates.values.contact_record import Role
from api.application.account_view import AccountRead, AccountView, account_view
from api.application.written_messages import around
from api.processes.service import Service


class StepKind(StrEnum):
    """In the order in which they come."""

    WHO = "who"
    """For the customer by name."""
    FACT = "second-fact"
    REQUIRED = "required"
    """The law requires that it is said."""
    SAY = "say"
    """The office wants it to be said."""


class ScriptStep(BaseModel):
    """One thing that is asked or said."""

    kind: StepKind
    text: str
    known: Annotated[str | None, LATER] = None
    """What we have, to compare the answer with."""
    source: Annotated[str | None, LATER] = None
    """The law that wants it."""
    problem: Annotated[str | None, LATER] = None
    """Why it is not filled in: it stands there as the office wrote it."""


class CallScript(BaseModel):
    """What is asked and said in a call about an account, in this order."""

    language: str
    """The customer's; the script is as the office wrote it."""
    steps: list[ScriptStep]


def call_script_of(service: Service, read: AccountRead) -> CallScript:
    view, role = account_view(read), read.office.contact.role
    required = REQUIRED_LINES[role]
    own = read.office.call_script or STANDARD_SCRIPT[role]
    before_the_debt = "15 USC 1692c(b)" if role is Role.THIRD_PARTY else None
    said = _filled_in(service, read, [*(line.text for line in required), *own])
    laws = [*(line.source for line in required), *(None for _ in own)]
    return CallScript(
        language=view.contact.language,
        steps=[
            ScriptStep(kind=StepKind.WHO, text=f"May I speak with {view.customer_name}?", source=before_the_debt),
            _second_fact(view),
            *(
                ScriptStep(
                    kind=StepKind.REQUIRED if law else StepKind.SAY, text=text, source=law, problem=problem or None
                )
                for law, (text, problem) in zip(laws, said, strict=True)
            ),
        ],
    )


def _second_fact(view: AccountView) -> ScriptStep:
    """One that we have and that somebody else would not know."""
    addresses = (view.contact.address_of(each.id) for each in view.contact.addresses)
    emails = (view.contact.address_of(each.id) for each in view.contact.emails)
    if known := next(filter(None, addresses), None):
        asked = "postal code"
    elif known := next(filter(None, emails), None):
        asked = "e-mail address"
    else:
        asked, known = "customer number", view.customer_number or view.number
    text = f"To be sure that I speak with the right person: would you tell me your {asked}?"
    return ScriptStep(kind=StepKind.FACT, text=text, known=", ".join(known.splitlines()))


def _filled_in(service: Service, read: AccountRead, lines: list[str]) -> list[tuple[str, str]]:
    """Each line, and why it is as it was written; what one of them lacks keeps no other from being said."""
    office, context = around(service, read.account)
    about = context.rule(WRITTEN_ABOUT)(read.account, context)
    values = values_of(read.account, office, about, context.today)
    drafts = [Draft((line,), values, most=TEXT_LIMIT, language=ENGLISH) for line in lines]
    try:
        made = service.renderer.render(drafts)
    except RendererUnavailable as error:
        made = [NotRendered("unavailable", str(error)) for _ in lines]
    return [
        (line, each.detail or each.code) if isinstance(each, NotRendered) else (each[0], "")
        for line, each in zip(lines, made, strict=True)
    ]
