"""Which step of a plan is next about an item, the day it is due, and what is passed over."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import takewhile

from aggregates.account.chase import CoveredItem
from aggregates.account.receivables import CountedFrom, OpenItem
from aggregates.campaign import Anchor, Campaign, CampaignPlan, ExistingDebt, Step
from aggregates.values.business_time import ONE_DAY
from aggregates.values.money import Money

BEFORE_KNOWN, MISSED = "before-known", "missed"
"""Why steps are passed over; a step that is refused has the rule's id."""


@dataclass(frozen=True, slots=True)
class Course:
    """A day in the life of a campaign and of an account in it."""

    campaign: Campaign
    engaged_on: date | None
    """When the account had its first message."""
    today: date

    @property
    def plan(self) -> CampaignPlan:
        return plan_of(self.campaign)


@dataclass(frozen=True, slots=True)
class NextStep:
    """What is next about an item."""

    step: Step | None
    due_on: date
    passed_over: tuple[tuple[str, str], ...] = ()
    """Steps with their reasons, besides those of which it is recorded."""
    counted_from: CountedFrom | None = None
    """From when its other steps are counted once this one is sent or refused; None: as they are now."""


def plan_of(campaign: Campaign) -> CampaignPlan:
    if campaign.plan is None:
        raise ValueError(f"campaign {campaign.id} was never launched")
    return campaign.plan


# --- an item's own next step -------------------------------------------------------------------------


def next_step(item: OpenItem, course: Course) -> NextStep:
    """The next step about an item.

    Of steps that were missed since the debt was known and the campaign runs, the latest is sent; a required one is
    never skipped: it goes first, and later ones shift behind it. About steps that were due before, the campaign says
    what is done. What was due while an item was settled was not missed: the sequence goes on from the day it is
    reopened, at the distances of the plan.
    """
    remaining = course.plan.steps[_place(item, course) :]
    left = _left_alone(item, remaining, course)
    due, anew = _due_days(item, remaining[len(left) :], course)
    overdue = [*takewhile(lambda each: each[1] <= course.today, due)]
    begun = _existing_since(item, course)
    older = [(step, due_on) for step, due_on in overdue if due_on < begun]
    if older and course.plan.about_existing is ExistingDebt.FROM_THE_START:
        first = next((step for step, _ in overdue if not _announces(step, item, course)), None)
        if first is not None:
            return NextStep(first, course.today, counted_from=_counted_as_if(first, course.today))
    missed = [(step, due_on) for step, due_on in overdue if due_on >= begun]
    if older and not missed and course.plan.about_existing is ExistingDebt.AT_ITS_AGE:
        missed = [older.pop()]
    passed = [(step.id, BEFORE_KNOWN) for step in (*left, *(step for step, _ in older))]
    if missed:
        required = next((i for i, (step, _) in enumerate(missed) if step.required), len(missed) - 1)
        passed += [(skipped.id, MISSED) for skipped, _ in missed[:required]]
        return NextStep(*missed[required], _new(passed, item), anew)
    if len(overdue) < len(due):
        return NextStep(*due[len(overdue)], _new(passed, item), anew)
    return NextStep(None, course.today, _new(passed, item))


def _left_alone(item: OpenItem, steps: Sequence[Step], course: Course) -> list[Step]:
    """The first of these steps that were due before the debt was known, where the campaign leaves those alone: also
    of an item that was settled meanwhile, and is reopened."""
    if course.plan.about_existing is not ExistingDebt.LEAVE:
        return []
    counted_from = item.place.counted_from
    return [*takewhile(lambda step: _due_on(step, item, course, counted_from) < item.known_on, steps)]


def _due_days(
    item: OpenItem, remaining: Sequence[Step], course: Course
) -> tuple[list[tuple[Step, date]], CountedFrom | None]:
    """Each step with its day; and from when they are counted, where that is another day than up to now."""
    anew, earliest, counted_from, reopened_on = None, date.min, item.place.counted_from, item.place.reopened_on
    if remaining and reopened_on and _due_on(remaining[0], item, course, counted_from) <= reopened_on:
        taken = course.plan.place(item.steps)
        counted_from = anew = _counted_as_if(course.plan.steps[taken - 1] if taken else None, reopened_on)
        earliest = reopened_on + ONE_DAY
    return [(step, max(earliest, _due_on(step, item, course, counted_from))) for step in remaining], anew


def _announces(step: Step, item: OpenItem, course: Course) -> bool:
    """It says what is to come, of an item that is past due."""
    return step.anchor is Anchor.PAST_DUE and step.days <= 0 and item.due_on < course.today


def _place(item: OpenItem, course: Course) -> int:
    """How many steps of the plan lie behind the item: taken, or passed over for good."""
    plan, place = course.plan, item.place
    if not (place.passed_over or place.failed):
        return plan.place(item.steps)
    done = {*item.steps}
    leaves = plan.about_existing is ExistingDebt.LEAVE
    done |= {step_id for step_id, why in place.passed_over.items() if leaves or why != BEFORE_KNOWN}
    done |= {step_id for step_id, version in place.failed.items() if version >= course.campaign.plan_version}
    return plan.place(done)


def _existing_since(item: OpenItem, course: Course) -> date:
    """The first day on which a step about the item could be sent; what was due before was not missed.

    Where history is lived through, a campaign may have been launched on a later day than it is then.
    """
    launched_on = course.campaign.launched_on
    if launched_on is None or launched_on > course.today or course.plan.about_existing is ExistingDebt.LEAVE:
        return item.known_on
    return max(item.known_on, launched_on)


def _new(passed: list[tuple[str, str]], item: OpenItem) -> tuple[tuple[str, str], ...]:
    """Without those of which it is recorded already."""
    return tuple((step_id, why) for step_id, why in passed if item.place.passed_over.get(step_id) != why)


def _due_on(step: Step, item: OpenItem, course: Course, counted_from: CountedFrom | None) -> date:
    if step.anchor is Anchor.PAST_DUE:
        since = counted_from.due_on if counted_from else item.due_on
    else:
        since = counted_from.engaged_on if counted_from else course.engaged_on or course.today
    return since + timedelta(days=step.days)


def _counted_as_if(step: Step | None, on: date) -> CountedFrom:
    """From when steps are counted, so that this one is due on a day. None: the item itself is."""
    if step is None:
        return CountedFrom(due_on=on, engaged_on=on)
    since = on - timedelta(days=step.days)
    return CountedFrom(due_on=since, engaged_on=on if step.anchor is Anchor.PAST_DUE else since)


# --- what a message is about -------------------------------------------------------------------------


def covered_items(
    found: NextStep, chaseable: Sequence[tuple[OpenItem, Money]], course: Course
) -> Iterator[CoveredItem]:
    """One message is about every due item; a step before the due date also about those that are due by then.

    The first of them is the one that the step was found for; each other gets the mark of the furthest step that its own
    days have come to.
    """
    step = found.step
    if step is None:
        return
    reach = min(1, step.days) if step.anchor is Anchor.PAST_DUE else 1
    up_to = [each.id for each in course.plan.steps].index(step.id)
    for number, (item, amount) in enumerate(chaseable):
        if number == 0:
            yield CoveredItem(item_id=item.id, open=amount, step_id=step.id, counted_from=found.counted_from)
        elif (course.today - item.due_on).days >= reach:
            step_id, counted_from = _mark(item, up_to, course)
            yield CoveredItem(item_id=item.id, open=amount, step_id=step_id, counted_from=counted_from)


def _mark(item: OpenItem, up_to: int, course: Course) -> tuple[str | None, CountedFrom | None]:
    """Where an item is once a message of the step at index `up_to` was about it too."""
    steps, own = course.plan.steps, next_step(item, course)
    if own.counted_from is not None:
        if own.step is not None and own.due_on <= course.today and steps.index(own.step) <= up_to:
            return own.step.id, own.counted_from
        taken = course.plan.place(item.steps)
        return (steps[taken - 1].id if taken else None), None
    reached = [
        step.id
        for step in steps[: up_to + 1]
        if step.anchor is Anchor.ENGAGEMENT or _due_on(step, item, course, item.place.counted_from) <= course.today
    ]
    return (reached[-1] if reached else None), None
