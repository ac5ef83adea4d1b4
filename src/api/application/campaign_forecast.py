"""What a campaign will send: its plan carried out for every account that owes something, as if nobody did anything.

The decisions are those that are taken when the day comes, on copies of the accounts that nobody stores. Payments,
promises and what falls due later change it, so it is about what is past due now.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from uuid import UUID

from pydantic import BaseModel

from adapters.reactor import chunks
from adapters.rules import RULES
from aggregates.account import Account
from aggregates.account.chase import Stage
from aggregates.account.messages import MessageQueued, MessageSent, TakeStep
from aggregates.campaign import Campaign, CampaignLaunched, CampaignPlan, CampaignRevised
from aggregates.kernel.actor import Actor
from aggregates.kernel.aggregate import Aggregate
from aggregates.kernel.command import identifier
from aggregates.kernel.context import Context
from aggregates.office import CampaignRegistered, Office
from aggregates.values.business_time import ONE_DAY, day_starts, local_date
from api.processes.service import Service
from policies.sequence import plan_of
from projections.questions.portfolio import accounts_that_owe

DAYS = 60
"""How far it looks ahead."""

MOST_ACCOUNTS = 10_000
"""So many are looked through, a few milliseconds each."""

_CHUNK = 250


class StepForecast(BaseModel):
    """Messages of one step on one day."""

    step: str
    title: str
    messages: int


class DayForecast(BaseModel):
    """What leaves on one day."""

    day: date
    messages: int
    steps: list[StepForecast]
    """In the order of the plan."""


class Forecast(BaseModel):
    """What a campaign sends if nobody pays, promises or changes anything."""

    as_of: date
    until: date
    max_per_day: int | None
    """The office's limit, which the days keep to."""
    accounts_owing: int
    """Of the office, whether or not anything is past due."""
    accounts_looked_at: int
    """Fewer where the office has very many: then the figures are about these."""
    accounts_written_to: int
    accounts_never_reached: int
    """In the hours of the office nobody of these may be contacted; a person is told."""
    messages: int
    days: list[DayForecast]


def forecast(service: Service, office: Office, plan: CampaignPlan, campaign: Campaign | None = None) -> Forecast:
    """Of a plan for a new campaign, which accounts are matched with last; or for a campaign that there is."""
    now = service.clock.now()
    today = local_date(now, office.zone)
    with service.database.connect("arrears_app") as connection:
        owing, of_all = accounts_that_owe(connection, office.id, most=MOST_ACCOUNTS)
    trial = _Trial.of(service, office, plan, campaign, now)
    for ids in chunks(owing, _CHUNK):
        for account in service.arrears.load_many(Account, ids):
            trial.live_through(account)
    titles = {step.id: step.title for step in plan.steps}
    days = [
        DayForecast(
            day=day,
            messages=steps.total(),
            steps=[StepForecast(step=i, title=title, messages=steps[i]) for i, title in titles.items() if steps[i]],
        )
        for day, steps in sorted(trial.sent.items())
    ]
    return Forecast(
        as_of=today,
        until=today + timedelta(days=DAYS),
        max_per_day=office.limits.max_per_day,
        accounts_owing=of_all,
        accounts_looked_at=len(owing),
        accounts_written_to=trial.written_to,
        accounts_never_reached=trial.never_reached,
        messages=sum(day.messages for day in days),
        days=days,
    )


def forecast_of(service: Service, campaign: Campaign) -> Forecast:
    """Of a campaign as it runs."""
    return forecast(service, service.arrears.load(Office, campaign.office_id), plan_of(campaign), campaign)


# --- trying it ---------------------------------------------------------------------------------------


@dataclass
class _Trial:
    """The office with the campaign in it as it would be, and what was sent by it so far."""

    campaign: Campaign
    office: Office
    seen: dict[UUID, Aggregate]
    now: datetime
    until: date
    sent: dict[date, Counter[str]] = field(default_factory=dict)
    """By day and step."""
    written_to: int = 0
    never_reached: int = 0

    @classmethod
    def of(
        cls, service: Service, office: Office, plan: CampaignPlan, campaign: Campaign | None, now: datetime
    ) -> "_Trial":
        office, today = office.model_copy(), local_date(now, office.zone)
        others = [service.arrears.load(Campaign, each) for each in office.campaign_ids]
        if campaign is None:
            campaign = Campaign.blank(identifier("campaign that is tried", office.id))
            plan = plan.completed(None)
            campaign.apply(CampaignLaunched(office_id=office.id, title="This", plan=plan, launched_on=today))
            office.apply(CampaignRegistered(campaign_id=campaign.id))
        else:
            campaign, plan = campaign.model_copy(), plan.completed(campaign.plan)
            if plan != campaign.plan:
                version = campaign.plan_version + 1
                campaign.apply(CampaignRevised(office_id=office.id, plan_version=version, plan=plan))
        seen: dict[UUID, Aggregate] = {each.id: each for each in (*others, campaign, office)}
        return cls(campaign, office, seen, now, today + timedelta(days=DAYS))

    def live_through(self, account: Account) -> None:
        """Every step of the account that comes until the last day."""
        now, messages = self.now, 0
        account.chase.judge(self._context(account, now))
        tried = set[tuple[str, datetime]]()
        while (planned := account.chase.scheduled) is not None and planned.campaign_id == self.campaign.id:
            if (planned.step_id, planned.due_at) in tried:
                break
            tried.add((planned.step_id, planned.due_at))
            now = self._leaves_at(max(planned.due_at, now))
            if local_date(now, self.office.zone) > self.until:
                break
            messages += self._take(account, planned.step_id, now)
        self.written_to += messages > 0
        self.never_reached += account.chase.stage is Stage.FOLLOW_UP and _is_never_reached(account)

    def _leaves_at(self, due_at: datetime) -> datetime:
        """On the first day on which the office's limit leaves room."""
        most, zone = self.office.limits.max_per_day, self.office.zone
        while most is not None and self.sent.get(day := local_date(due_at, zone), Counter()).total() >= most:
            due_at = max(due_at + ONE_DAY, day_starts(day + ONE_DAY, zone))
        return due_at

    def _take(self, account: Account, step_id: str, now: datetime) -> int:
        """The messages that leave, one or none: it may be put off by a rule, or be refused."""
        account.messages.take_step(TakeStep(account_id=account.id, step_id=step_id), self._context(account, now))
        queued = [each.event for each in account.collect() if isinstance(each.event, MessageQueued)]
        for message in queued:
            self.sent.setdefault(message.queued_on, Counter())[message.step_id] += 1
            account.emit(_as_sent(message))
            account.chase.judge(self._context(account, now))
        account.collect()
        return len(queued)

    def _context(self, account: Account, now: datetime) -> Context:
        today = local_date(now, self.office.zone)
        return Context(
            now=now,
            today=today,
            actor=Actor.service("forecast"),
            effective_on=today,
            command_id=identifier("forecast", account.id, account.version),
            seen=self.seen,
            rules=RULES,
        )


def _is_never_reached(account: Account) -> bool:
    return account.chase.why is not None and account.chase.why.code == "hours-never-meet"


def _as_sent(message: MessageQueued) -> MessageSent:
    return MessageSent(
        message_id=message.message_id,
        step_id=message.step_id,
        step_title=message.step_title,
        channel=message.channel,
        subject=None,
        body="",
        body_sha256="",
        carrier_reference=None,
        sent_at=message.queued_at,
        sent_on=message.queued_on,
    )


def in_words(found: Forecast) -> Iterator[str]:
    """What it comes to; its days are shown by whoever asks."""
    accounts = _count(found.accounts_written_to, "account")
    what = f"{_count(found.messages, 'message')} to {accounts} until {found.until}"
    limit = f", at most {found.max_per_day:,} a day" if found.max_per_day is not None else ""
    yield f"If nobody pays, it sends {what}{limit}."
    if found.accounts_looked_at < found.accounts_owing:
        yield f"That is of the first {found.accounts_looked_at:,} of {found.accounts_owing:,} accounts that owe."
    if found.accounts_never_reached:
        never = _count(found.accounts_never_reached, "account")
        yield f"{never} may never be contacted in these hours: a person is told."


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
