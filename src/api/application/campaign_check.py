"""What a campaign would send: its plan held against its office, and every text written for a made-up account and for a
real one."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from pydantic import BaseModel

from adapters.delivery.rendering import RenderingProblem, draft_of, sample_values, text_of, values_of
from adapters.eventstore.application import AggregateNotFoundError
from adapters.rules import template_faults
from aggregates.account import Account
from aggregates.account.chase import CoveredItem
from aggregates.campaign import Campaign, CampaignPlan, LaunchCampaign, PlanFault, ReviseCampaign, Step, plan_faults
from aggregates.office import Office
from aggregates.values.business_time import local_date
from aggregates.values.contact import Channel
from api.processes.service import Service
from projections.questions.collections import Filters, accounts

_LOOKED_THROUGH = 50
"""Accounts by number among which one that owes something is chosen."""

_OF_THE_ACCOUNT = frozenset({"sms-too-long", "text-too-long"})
"""What may be wrong because of one account's name or many invoices, and not because of the template."""


class WrittenText(BaseModel):
    """A text as somebody would get it."""

    step: str
    title: str
    channel: Channel
    language: str
    account: str | None
    """The account's number; None for the made-up one."""
    subject: str | None
    body: str | None
    """None where no text can be made of it."""
    problem: str | None = None
    """Why not, or why it would not be sent."""


class FaultView(BaseModel):
    """What keeps a plan from being carried out."""

    field: str
    """As in the request: `plan.steps.0.templates.en.body`."""
    expected: str


class CheckedPlan(BaseModel):
    """What is wrong with a plan, and the texts that it would send. With faults it would be refused."""

    faults: list[FaultView]
    texts: list[WrittenText]


def check_plan(service: Service, office: Office, plan: CampaignPlan, *, account: Account | None = None) -> CheckedPlan:
    """Writes every text for a made-up account and for `account`, or one of the office's where none is named."""
    found = [_view(each) for each in plan_faults(plan, office, template_faults)]
    if any(each.field.startswith("plan.steps.") for each in found):
        return CheckedPlan(faults=found, texts=[])
    texts = list(_texts(service, office, plan, account or _some_account(service, office)))
    return CheckedPlan(
        faults=[*found, *(_view(fault) for fault, _ in texts if fault)], texts=[text for _, text in texts]
    )


def faults_of(service: Service, command: LaunchCampaign | ReviseCampaign) -> list[FaultView]:
    """Why the plan that is brought in would be refused, with its texts written too.

    What concerns the campaign and not its plan (whether there is one, say) is for the decision to say.
    """
    try:
        office_id, running = _about(service, command)
        office = service.arrears.load(Office, office_id)
    except AggregateNotFoundError:
        return []
    plan = command.plan.completed(running)
    return [] if plan == running else check_plan(service, office, plan).faults


def _about(service: Service, command: LaunchCampaign | ReviseCampaign) -> tuple[UUID, CampaignPlan | None]:
    """The office, and the plan that the campaign has now. Raises AggregateNotFoundError."""
    if isinstance(command, LaunchCampaign):
        return command.office_id, None
    campaign = service.arrears.load(Campaign, command.campaign_id)
    return campaign.office_id, campaign.plan


def _view(fault: PlanFault) -> FaultView:
    return FaultView(field=f"plan.{fault.field}", expected=fault.expected)


# --- writing -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Reader:
    """For whom texts are written: what their placeholders stand for. Without a number, nobody."""

    number: str | None
    values: Mapping[str, Any]


def _texts(
    service: Service, office: Office, plan: CampaignPlan, account: Account | None
) -> Iterator[tuple[PlanFault | None, WrittenText]]:
    """Every text for every reader, with what is wrong with its template. All are written in one go."""
    readers = [_Reader(None, sample_values(office))]
    if account is not None:
        readers.append(_Reader(account.customer.account_name, _values(service, office, account)))
    asked = [
        (index, step, language, reader)
        for index, step in enumerate(plan.steps)
        for language in step.templates
        for reader in readers
    ]
    rendered = service.renderer.render(
        [draft_of(step.templates[language], reader.values, language) for _, step, language, reader in asked]
    )
    for (index, step, language, reader), each in zip(asked, rendered, strict=True):
        template = step.templates[language]
        try:
            text = text_of(step.channel, template, each, language)
        except RenderingProblem as problem:
            yield _fault(index, step, language, reader, problem), _written(step, language, reader, problem=str(problem))
        else:
            yield None, _written(step, language, reader, subject=text.subject, body=text.body)


def _fault(index: int, step: Step, language: str, reader: _Reader, problem: RenderingProblem) -> PlanFault | None:
    if reader.number is not None and problem.code in _OF_THE_ACCOUNT:
        return None
    whose = f"account {reader.number}" if reader.number is not None else "a made-up account"
    where = f"step {step.id!r}, {language}, written for {whose}"
    return PlanFault(f"steps.{index}.templates.{language}.body", f"{where}: {problem}")


def _written(step: Step, language: str, reader: _Reader, **more: str | None) -> WrittenText:
    said = {"subject": None, "body": None, **more}
    return WrittenText(
        step=step.id, title=step.title, channel=step.channel, language=language, account=reader.number, **said
    )


def _values(service: Service, office: Office, account: Account) -> dict[str, Any]:
    """As if a message were about everything that is past due, or open where nothing is."""
    today = local_date(service.clock.now(), office.zone)
    items: Sequence[Any] = list(account.receivables.items.values())
    items = [each for each in items if each.due_on < today] or items
    covered = [CoveredItem(item_id=each.item.id, open=each.open, step_id=None) for each in items]
    return values_of(account, office, covered, today)


def _some_account(service: Service, office: Office) -> Account | None:
    """The first by number that owes something, else the first; None where the office has none that was read yet."""
    today = local_date(service.clock.now(), office.zone)
    with service.database.connect("arrears_app") as connection:
        page = accounts(
            connection,
            today=today,
            scheme=office.scheme,
            office_id=office.id,
            filters=Filters(),
            limit=_LOOKED_THROUGH,
        )
    found = next((each for each in page.rows if each.outstanding > 0), next(iter(page.rows), None))
    return None if found is None else service.arrears.load(Account, found.account_id)
