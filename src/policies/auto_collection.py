"""Auto-collection: where an account stands, why, and when its next step is due.

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
from aggregates.campaign import Campaign, EngagementRules, Step
from aggregates.kernel.context import Context
from aggregates.office import Office
from aggregates.values.business_time import BusinessCalendar, day_starts, local_date, next_sending
from aggregates.values.contact import ContactAttempt, Denied
from aggregates.values.countries import is_one_of
from aggregates.values.money import Money
from policies.contact_rules import inconvenient_hours
from policies.sequence import BEFORE_KNOWN, Course, NextStep, covered_items, next_step, plan_of

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
    shields = account.shields(office, running, context.now)
    blocking = next((shield for shield in shields if shield.covers_account), None)
    if blocking is not None:
        return _blocked(account, blocking.why)
    chaseable = chaseable_items(account, shields)
    if not chaseable:
        return _blocked(account, _what_holds_back(account, [each for each in shields if each.campaign_ids is None]))
    moment = Moment(context.now, context.today, office, running)
    found = _campaign_for(account, chaseable, moment)
    if isinstance(found, Why):
        return Judgement(stage=Stage.OUTSTANDING, why=found, reconsider_at=_rules_change_at(chaseable, moment))
    return _in_campaign(account, chaseable, found, moment, shields)


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


def _what_holds_back(account: Account, shields: Sequence[Shield]) -> Why:
    """The strongest reason; where several hold back a part each, what each of them does."""
    amounts = _held_back(account, shields)
    why = strongest(shield for shield in shields if shield.said in amounts).why
    if len(amounts) > 1:
        detail = "; ".join(f"{amount} {said}" for said, amount in amounts.items())
        return Why(code=why.code, detail=detail)
    return why


def _held_back(account: Account, shields: Iterable[Shield]) -> dict[str, Money]:
    """By what is said of it, the amount that each of the shields holds back, the strongest first. What several of them
    cover is said of the strongest alone."""
    amounts: dict[str, Money] = {}
    open_of = {item.id: item.open for item in account.receivables.items.values()}
    for shield in (each for each in shields if each.items is not None):
        for item_id in (shield.items or frozenset()) & open_of.keys():
            left = open_of[item_id]
            amount = left if shield.amount is None else min(shield.amount, left)
            open_of[item_id] = left - amount
            amounts[shield.said] = amounts.get(shield.said, account.customer.zero) + amount
    left = Money.total(open_of.values(), account.customer.currency)
    for shield in shields:
        if shield.amount is not None and shield.items is None:
            amount = min(shield.amount, left)
            amounts[shield.said] = amounts.get(shield.said, account.customer.zero) + amount
            left -= amount
    order = list(dict.fromkeys(shield.said for shield in shields))
    return {said: amounts[said] for said in order if amounts.get(said)}


def chaseable_items(account: Account, shields: Iterable[Shield]) -> list[Chaseable]:
    """Open items, oldest due first, less what shields cover.

    Covering money counts against items in the order in which its allocation would.
    """
    cover, shielded, parts = account.customer.zero, set[UUID](), dict[UUID, Money]()
    for shield in shields:
        if shield.items is not None and shield.amount is not None:
            for item_id in shield.items:
                parts[item_id] = parts[item_id] + shield.amount if item_id in parts else shield.amount
        elif shield.amount is not None:
            cover += shield.amount
        elif shield.items is not None:
            shielded |= shield.items
    chaseable = []
    items = account.receivables.items.values()
    for item in sorted((i for i in items if i.id not in shielded) if shielded else items, key=allocation_order):
        left = item.open - min(parts[item.id], item.open) if item.id in parts else item.open
        if cover:
            covered = min(cover, left)
            cover, left = cover - covered, left - covered
        if left:
            chaseable.append(Chaseable(item, left))
    return sorted(chaseable, key=lambda part: (part.item.due_on, part.item.item.issued_on, part.item.item.number))


def written_about(account: Account, context: Context) -> tuple[CoveredItem, ...]:
    """What a message by hand is about: everything that is past due and not shielded, and where nothing is past due
    everything that is open. Where shields cover all of that, only disputes and unapplied money count."""
    office = account.customer.office(context)
    parts = chaseable_items(account, account.shields(office, (), context.now))
    if not parts:
        parts = chaseable_items(account, (*account.disputes.shields(), *account.receivables.shields()))
    past_due = [part for part in parts if part.dpd(context.today) > 0]
    return tuple(CoveredItem(item_id=p.item.id, open=p.amount, step_id=None) for p in past_due or parts)


# --- whom a campaign engages -------------------------------------------------------------------------


def _campaign_for(account: Account, chaseable: Sequence[Chaseable], moment: Moment) -> Campaign | Why:
    """The account's own campaign while it fits, else the office's first that does, else which rule failed."""
    failures = []
    for campaign in sorted(moment.running, key=lambda campaign: campaign.id != account.chase.campaign_id):
        failed = next(_failing_rules(account, chaseable, plan_of(campaign).rules, moment), None)
        if failed is None:
            return campaign
        failures.append(Why(code=failed.code, detail=f"{campaign.title}: {failed.detail}"))
    return failures[0] if failures else Why(code="no-campaign", detail="the office runs no campaign")


def _failing_rules(
    account: Account, chaseable: Sequence[Chaseable], rules: EngagementRules, moment: Moment
) -> Iterator[Why]:
    dpd = chaseable[0].dpd(moment.today)
    if dpd < rules.min_dpd:
        yield Why(code="min-dpd", detail=f"{_age(dpd)}, engaged from {rules.min_dpd} days past due")
    if rules.max_dpd is not None and dpd > rules.max_dpd:
        yield Why(code="max-dpd", detail=f"{_age(dpd)}, engaged up to {rules.max_dpd} days past due")
    if (wrong := _wrong_amount(account, chaseable, rules, moment)) is not None:
        yield wrong
    if rules.buckets is not None:
        bucket = moment.office.scheme.bucket_of(account.receivables.days_past_due(moment.today))
        if bucket not in rules.buckets:
            yield Why(code="bucket", detail=f"bucket {bucket} is not engaged")
    if rules.flags_any and not rules.flags_any & account.flags.carried:
        yield Why(code="flags-any", detail=f"needs a flag of {', '.join(sorted(rules.flags_any))}")
    if rules.flags_none & account.flags.carried:
        yield Why(code="flags-none", detail=f"flagged {', '.join(sorted(rules.flags_none & account.flags.carried))}")
    if rules.segments is not None and account.customer.segment not in rules.segments:
        yield Why(code="segment", detail=f"segment {account.customer.segment or 'none'} is not engaged")
    if rules.countries is not None and not is_one_of(account.customer.country, rules.countries):
        yield Why(code="country", detail=f"country {account.customer.country or 'unknown'} is not engaged")


def _wrong_amount(
    account: Account, chaseable: Sequence[Chaseable], rules: EngagementRules, moment: Moment
) -> Why | None:
    bounds = [each for each in (rules.min_amount, rules.max_amount) if each is not None]
    if not bounds:
        return None
    due = (part.amount for part in chaseable if part.dpd(moment.today) >= _reach(rules))
    amount = Money.total(due, account.customer.currency)
    if any(each.currency != amount.currency for each in bounds):
        detail = f"the campaign's amounts are in {bounds[0].currency}, the account is in {amount.currency}"
        return Why(code="other-currency", detail=detail)
    if rules.min_amount is not None and amount < rules.min_amount:
        return Why(code="min-amount", detail=f"{amount} is below the tolerated {rules.min_amount}")
    if rules.max_amount is not None and amount > rules.max_amount:
        return Why(code="max-amount", detail=f"{amount} is above {rules.max_amount}")
    return None


def _reach(rules: EngagementRules) -> int:
    """From how many days past due on an item counts towards the amount: what is past due, and where accounts are
    engaged before that, what is due by then."""
    return min(1, rules.min_dpd)


def _age(dpd: int) -> str:
    return f"{dpd} days past due" if dpd > 0 else "due today" if dpd == 0 else f"due in {-dpd} days"


def _rules_change_at(chaseable: Sequence[Chaseable], moment: Moment) -> datetime | None:
    """The next day on which a rule about days past due changes its answer by itself."""
    due_on = chaseable[0].item.due_on
    days = []
    for campaign in moment.running:
        rules = plan_of(campaign).rules
        days.append(due_on + timedelta(days=rules.min_dpd))
        if rules.max_dpd is not None:
            days.append(due_on + timedelta(days=rules.max_dpd + 1))
        if _reach(rules) < 1 and (rules.min_amount or rules.max_amount):  # else the account is judged as it ages
            days += [part.item.due_on + timedelta(days=_reach(rules)) for part in chaseable]
    ahead = [day for day in days if day > moment.today]
    return day_starts(min(ahead), moment.office.zone) if ahead else None


# --- which step is next ------------------------------------------------------------------------------


def _in_campaign(
    account: Account, chaseable: list[Chaseable], campaign: Campaign, moment: Moment, shields: Iterable[Shield]
) -> Judgement:
    anchor = chaseable[0].item
    course = Course(campaign, account.chase.engaged_on, moment.today)
    found = next_step(anchor, course)
    scheduled = _scheduled(account, campaign, anchor, found, moment)
    stage, why = _stage(account, found.step), Why(code="engaged", detail=f"meets the rules of {campaign.title}")
    passed_over = found.passed_over
    if found.step is not None and scheduled is not None:
        never = _never_leaves(account, campaign, found.step, scheduled.due_at, moment)
        if never is not None:
            stage, why, scheduled, passed_over = Stage.FOLLOW_UP, never, None, ()
        elif _is_paused(campaign, scheduled.due_at, shields):
            why = Why(code="paused", detail=f"{campaign.title}: automation is paused")
            scheduled, passed_over = None, ()
    elif stage is Stage.FOLLOW_UP:
        why = Why(
            code="sequence-finished", detail=f"{campaign.title}: {_how_it_finished(campaign, anchor, passed_over)}"
        )
    leaves = scheduled is not None and scheduled.due_at <= moment.now
    return Judgement(
        stage=stage,
        why=why,
        campaign_id=campaign.id,
        plan_version=campaign.plan_version,
        next_step=scheduled,
        anchor_item_id=anchor.id,
        passed_over=passed_over,
        counted_from=found.counted_from,
        covered=tuple(covered_items(found, [(part.item, part.amount) for part in chaseable], course)) if leaves else (),
        reconsider_at=_rules_change_at(chaseable, moment),
    )


def _scheduled(
    account: Account, campaign: Campaign, anchor: OpenItem, found: NextStep, moment: Moment
) -> ScheduledStep | None:
    step = found.step
    if step is None:
        return None
    return ScheduledStep(
        campaign_id=campaign.id,
        plan_version=campaign.plan_version,
        step_id=step.id,
        title=step.title,
        anchor_item_id=anchor.id,
        due_at=_sending_time(account, campaign, found.due_on, moment),
        required=step.required,
    )


def _stage(account: Account, step: Step | None) -> Stage:
    steps = (m for m in account.messages.under_way.values() if m.written is None)
    under_way = any(m.state is not MessageState.UNCERTAIN for m in steps)
    if step is None and not under_way:
        return Stage.FOLLOW_UP
    return Stage.ENGAGED if account.chase.engaged_on else Stage.SCHEDULED


def _is_paused(campaign: Campaign, due_at: datetime, shields: Iterable[Shield]) -> bool:
    """Whether a pause keeps the message that is due then from leaving; one that is over by then does not."""
    return any(
        shield.campaign_ids is not None
        and campaign.id in shield.campaign_ids
        and not (isinstance(shield.until, datetime) and shield.until <= due_at)
        for shield in shields
    )


def _how_it_finished(campaign: Campaign, anchor: OpenItem, passed_over: Iterable[tuple[str, str]]) -> str:
    """That every step was taken, or which were not and why."""
    reasons = {
        **dict.fromkeys(anchor.place.failed, "failed"),
        **anchor.place.passed_over,
        **dict(passed_over),
    }
    not_sent: dict[str, list[str]] = {}
    for step in plan_of(campaign).steps:
        if step.id not in anchor.steps and step.id in reasons:
            not_sent.setdefault(reasons[step.id], []).append(step.id)
    if not not_sent:
        return "every step was taken and the debt is unpaid"
    said = "; ".join(f"{', '.join(steps)} ({_REASONS.get(why, why)})" for why, steps in not_sent.items())
    return f"no step is left and the debt is unpaid; not sent: {said}"


_REASONS = {BEFORE_KNOWN: "due before the debt was known"}
"""In words, where the reason is not one itself."""


# --- when it may leave -------------------------------------------------------------------------------


def _sending_time(account: Account, campaign: Campaign, due_on: date, moment: Moment) -> datetime:
    """When the step's message may leave: in the window, on a business day, one message a day, as rules allow."""
    chase = account.chase
    now = max(moment.now, chase.not_before) if chase.not_before else moment.now
    today = local_date(now, moment.office.zone)
    return _next_sending(campaign, max(due_on, today), now, moment, same_day=chase.last_message_on != today)


def _next_sending(campaign: Campaign, day: date, now: datetime, moment: Moment, *, same_day: bool = True) -> datetime:
    office, plan = moment.office, plan_of(campaign)
    return next_sending(
        day,
        now=now,
        window=plan.window or office.window,
        calendar=office.calendar if plan.business_days_only else EVERY_DAY,
        zone=office.zone,
        same_day=same_day,
    )


def sends_now(office: Office, campaigns: Iterable[Campaign], now: datetime) -> bool:
    """Whether a message of any campaign that runs may leave at this moment, as far as calendar and hours go."""
    today = local_date(now, office.zone)
    moment = Moment(now, today, office, ())
    return any(campaign.runs and _next_sending(campaign, today, now, moment) <= now for campaign in campaigns)


def _never_leaves(account: Account, campaign: Campaign, step: Step, due_at: datetime, moment: Moment) -> Why | None:
    """Why the message could not leave on any of the days to come: the hours in which it is sent, and those in which the
    customer may be contacted, have none in common."""
    at, said = due_at, ""
    for _ in range(_SENDING_DAYS):
        verdict = inconvenient_hours(account, ContactAttempt(step.channel, "", at), moment.office)
        if not isinstance(verdict, Denied) or not isinstance(verdict.until, datetime):
            return None
        said = verdict.detail
        at = _next_sending(campaign, local_date(verdict.until, moment.office.zone), verdict.until, moment)
    window = plan_of(campaign).window or moment.office.window
    hours = f"{window.opens:%H:%M} to {window.closes:%H:%M} in {moment.office.zone.key}"
    return Why(
        code="hours-never-meet",
        detail=f"{campaign.title}: {step.title} can never leave: it is sent from {hours}, and then {said}",
    )


_SENDING_DAYS = 10
"""So many are looked at: a week of them, and more."""
