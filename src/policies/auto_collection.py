"""Auto-collection: where an account stands, why, and which step is next.

`judge` is a pure function of the account, its office and campaigns, and the moment. The account calls it from
inside its decisions, so that a judgement is always of the state it changes.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from aggregates.account import Account
from aggregates.account.chase import CoveredItem, Judgement, ScheduledStep, Stage
from aggregates.account.messages import MessageState
from aggregates.account.receivables import OpenItem, allocation_order
from aggregates.account.shields import Shield, Why, strongest
from aggregates.campaign import Anchor, Campaign, CampaignPlan, EngagementRules, Step
from aggregates.kernel.context import Context
from aggregates.office import Office
from aggregates.values.business_time import BusinessCalendar, day_starts, local_date, next_sending
from aggregates.values.money import Money

EVERY_DAY = BusinessCalendar(weekdays=frozenset(range(7)))


@dataclass(frozen=True, slots=True)
class Chaseable:
    """An open item, or the part of it, that nothing shields."""

    item: OpenItem
    amount: Money

    def dpd(self, today: date) -> int:
        """Days past due; negative before the due date."""
        return (today - self.item.due_on).days


def judge(account: Account, context: Context) -> Judgement:
    """The stage that status and rules give the account now, and its next step."""
    if account.receivables.balance.minor <= 0:
        return Judgement(stage=None, why=Why(code="nothing-owed", detail="nothing is owed"))
    office = account.customer.office(context)
    running = running_campaigns(office, context)
    shields = list(account.shields(office, running, context.now))
    blocking = next((shield for shield in shields if shield.covers_account), None)
    if blocking is not None:
        return _blocked(account, blocking.why)
    chaseable = chaseable_items(account, shields)
    if not chaseable:
        return _blocked(account, strongest(shield for shield in shields if shield.campaign_ids is None).why)
    moment = Moment(context.now, context.today, office, running)
    found = _campaign_for(account, chaseable, moment)
    if isinstance(found, Why):
        return Judgement(stage=Stage.OUTSTANDING, why=found, reconsider_at=_rules_change_at(chaseable, moment))
    paused = any(shield.campaign_ids and found.id in shield.campaign_ids for shield in shields)
    return _in_campaign(account, chaseable, found, moment, paused=paused)


@dataclass(frozen=True, slots=True)
class Moment:
    """When an account is judged, and by whose settings."""

    now: datetime
    """UTC."""
    today: date
    office: Office
    running: Sequence[Campaign]
    """In the order in which accounts are matched with them."""


def running_campaigns(office: Office, context: Context) -> list[Campaign]:
    """The office's campaigns that run, in the order in which accounts are matched with them."""
    found = (context.find(Campaign, campaign_id) for campaign_id in office.campaign_ids)
    return [campaign for campaign in found if campaign is not None and campaign.runs]


# --- what is shielded --------------------------------------------------------------------------------


def _blocked(account: Account, why: Why) -> Judgement:
    """The account keeps its campaign, and with it the place in the sequence, until it is judged anew."""
    chase = account.chase
    return Judgement(stage=Stage.BLOCKED, why=why, campaign_id=chase.campaign_id, plan_version=chase.plan_version)


def chaseable_items(account: Account, shields: Iterable[Shield]) -> list[Chaseable]:
    """Open items, oldest due first, less what shields cover.

    Covering money counts against items in the order in which its allocation would.
    """
    cover, shielded = account.customer.zero, set[UUID]()
    for shield in shields:
        if shield.amount is not None:
            cover += shield.amount
        elif shield.items is not None:
            shielded |= shield.items
    chaseable = []
    left_over = (item for item in account.receivables.items.values() if item.id not in shielded)
    for item in sorted(left_over, key=allocation_order):
        left = item.open
        if cover:
            covered = min(cover, left)
            cover, left = cover - covered, left - covered
        if left:
            chaseable.append(Chaseable(item, left))
    return sorted(chaseable, key=lambda part: (part.item.due_on, part.item.item.issued_on, part.item.item.number))


# --- whom a campaign engages -------------------------------------------------------------------------


def _campaign_for(account: Account, chaseable: Sequence[Chaseable], moment: Moment) -> Campaign | Why:
    """The account's own campaign while it fits, else the office's first that does, else which rule failed."""
    failures = []
    for campaign in sorted(moment.running, key=lambda campaign: campaign.id != account.chase.campaign_id):
        failed = next(_failing_rules(account, chaseable, _plan(campaign).rules, moment), None)
        if failed is None:
            return campaign
        failures.append(Why(code=failed.code, detail=f"{campaign.title}: {failed.detail}"))
    return failures[0] if failures else Why(code="no-campaign", detail="the office runs no campaign")


def _failing_rules(
    account: Account, chaseable: Sequence[Chaseable], rules: EngagementRules, moment: Moment
) -> Iterator[Why]:
    amount = Money.total((part.amount for part in chaseable), account.customer.currency)
    dpd = chaseable[0].dpd(moment.today)
    if dpd < rules.min_dpd:
        yield Why(code="min-dpd", detail=f"{_age(dpd)}, engaged from {rules.min_dpd} days past due")
    if rules.max_dpd is not None and dpd > rules.max_dpd:
        yield Why(code="max-dpd", detail=f"{_age(dpd)}, engaged up to {rules.max_dpd} days past due")
    if rules.min_amount is not None and amount < rules.min_amount:
        yield Why(code="min-amount", detail=f"{amount} is below the tolerated {rules.min_amount}")
    if rules.max_amount is not None and amount > rules.max_amount:
        yield Why(code="max-amount", detail=f"{amount} is above {rules.max_amount}")
    bucket = moment.office.scheme.bucket_of(account.receivables.days_past_due(moment.today))
    if rules.buckets is not None and bucket not in rules.buckets:
        yield Why(code="bucket", detail=f"bucket {bucket} is not engaged")
    if rules.flags_any and not rules.flags_any & account.flags.carried:
        yield Why(code="flags-any", detail=f"needs a flag of {', '.join(sorted(rules.flags_any))}")
    if rules.flags_none & account.flags.carried:
        yield Why(code="flags-none", detail=f"flagged {', '.join(sorted(rules.flags_none & account.flags.carried))}")
    if rules.segments is not None and account.customer.segment not in rules.segments:
        yield Why(code="segment", detail=f"segment {account.customer.segment or 'none'} is not engaged")
    if rules.countries is not None and account.customer.country not in rules.countries:
        yield Why(code="country", detail=f"country {account.customer.country or 'unknown'} is not engaged")


def _age(dpd: int) -> str:
    return f"{dpd} days past due" if dpd > 0 else "due today" if dpd == 0 else f"due in {-dpd} days"


def _rules_change_at(chaseable: Sequence[Chaseable], moment: Moment) -> datetime | None:
    """The next day on which a rule about days past due changes its answer by itself."""
    due_on = chaseable[0].item.due_on
    days = []
    for campaign in moment.running:
        rules = _plan(campaign).rules
        days.append(due_on + timedelta(days=rules.min_dpd))
        if rules.max_dpd is not None:
            days.append(due_on + timedelta(days=rules.max_dpd + 1))
    ahead = [day for day in days if day > moment.today]
    return day_starts(min(ahead), moment.office.zone) if ahead else None


# --- which step is next ------------------------------------------------------------------------------


def _in_campaign(
    account: Account, chaseable: list[Chaseable], campaign: Campaign, moment: Moment, *, paused: bool
) -> Judgement:
    anchor = chaseable[0].item
    step, due_on, passed_over = next_step(_plan(campaign), anchor, account.chase.engaged_on, moment.today)
    stage = _stage(account, step)
    if paused:
        why = Why(code="paused", detail=f"{campaign.title}: automation is paused")
        step, passed_over = None, ()
    elif stage is Stage.FOLLOW_UP:
        why = Why(code="sequence-finished", detail=f"{campaign.title}: every step was taken and the debt is unpaid")
    else:
        why = Why(code="engaged", detail=f"meets the rules of {campaign.title}")
    scheduled = None
    if step is not None:
        scheduled = ScheduledStep(
            campaign_id=campaign.id,
            plan_version=campaign.plan_version,
            step_id=step.id,
            title=step.title,
            anchor_item_id=anchor.id,
            due_at=_sending_time(account, campaign, due_on, moment),
            required=step.required,
        )
    return Judgement(
        stage=stage,
        why=why,
        campaign_id=campaign.id,
        plan_version=campaign.plan_version,
        next_step=scheduled,
        anchor_item_id=anchor.id,
        passed_over=passed_over,
        covered=tuple(_covered(_plan(campaign), step, chaseable, moment.today)) if step else (),
        reconsider_at=_rules_change_at(chaseable, moment),
    )


def _stage(account: Account, step: Step | None) -> Stage:
    under_way = any(m.state is not MessageState.UNCERTAIN for m in account.messages.under_way.values())
    if step is None and not under_way:
        return Stage.FOLLOW_UP
    return Stage.ENGAGED if account.chase.engaged_on else Stage.SCHEDULED


def next_step(
    plan: CampaignPlan, anchor: OpenItem, engaged_on: date | None, today: date
) -> tuple[Step | None, date, tuple[tuple[str, str], ...]]:
    """The next step for the oldest item, the day it is due, and the steps passed over with their reasons.

    Steps due before Arrears knew the item are never sent. Of steps missed since, the latest is sent; a required
    one is never skipped: it goes first, and later ones shift behind it.
    """
    overdue: list[tuple[Step, date]] = []
    ahead: tuple[Step, date] | None = None
    for step in plan.steps[plan.place(anchor.steps) :]:
        due_on = _due_on(step, anchor, engaged_on, today)
        if due_on > today:
            ahead = (step, due_on)
            break
        overdue.append((step, due_on))
    passed = [(step.id, "before-known") for step, due_on in overdue if due_on < anchor.known_on]
    missed = [(step, due_on) for step, due_on in overdue if due_on >= anchor.known_on]
    if missed:
        required = next((i for i, (step, _) in enumerate(missed) if step.required), len(missed) - 1)
        step, due_on = missed[required]
        passed += [(skipped.id, "missed") for skipped, _ in missed[:required]]
        return step, due_on, tuple(passed)
    if ahead is not None:
        return *ahead, tuple(passed)
    return None, today, tuple(passed)


def _due_on(step: Step, anchor: OpenItem, engaged_on: date | None, today: date) -> date:
    counted_from = anchor.due_on if step.anchor is Anchor.PAST_DUE else engaged_on or today
    return counted_from + timedelta(days=step.days)


def _sending_time(account: Account, campaign: Campaign, due_on: date, moment: Moment) -> datetime:
    """When the step's message may leave: in the window, on a business day, one message a day, as rules allow."""
    office, plan, chase = moment.office, _plan(campaign), account.chase
    now = max(moment.now, chase.not_before) if chase.not_before else moment.now
    return next_sending(
        max(due_on, local_date(now, office.zone)),
        now=now,
        window=plan.window or office.window,
        calendar=office.calendar if plan.business_days_only else EVERY_DAY,
        zone=office.zone,
        same_day=chase.last_message_on != local_date(now, office.zone),
    )


def _covered(plan: CampaignPlan, step: Step, chaseable: Sequence[Chaseable], today: date) -> Iterator[CoveredItem]:
    """One message is about every due item; a step before the due date also about those that are due by then."""
    reach = min(1, step.days) if step.anchor is Anchor.PAST_DUE else 1
    up_to = [s.id for s in plan.steps].index(step.id)
    for number, part in enumerate(chaseable):
        dpd = part.dpd(today)
        if number == 0:
            yield CoveredItem(item_id=part.item.id, open=part.amount, step_id=step.id)
        elif dpd >= reach:
            own = [s.id for s in plan.steps[: up_to + 1] if s.anchor is Anchor.ENGAGEMENT or s.days <= dpd]
            yield CoveredItem(item_id=part.item.id, open=part.amount, step_id=own[-1] if own else None)


def _plan(campaign: Campaign) -> CampaignPlan:
    if campaign.plan is None:
        raise ValueError(f"campaign {campaign.id} was never launched")
    return campaign.plan
