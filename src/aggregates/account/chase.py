"""Auto-collection: the stage that the rules give the account, why, and the next step."""

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Protocol
from uuid import UUID

from pydantic import AwareDatetime

from aggregates.account.command import AccountCommand, ChasingCommand
from aggregates.account.part import AccountPart
from aggregates.account.payment_claims import PaymentClaims
from aggregates.account.receivables import CountedFrom, Receivables
from aggregates.account.shields import Why
from aggregates.account.write_offs import DebtWrittenOff, WriteOffReversed
from aggregates.kernel.aggregate import Needs, applies, decides
from aggregates.kernel.context import Context, Rule
from aggregates.kernel.event import Event
from aggregates.kernel.refusals import Refusal
from aggregates.kernel.value import LATER, Value
from aggregates.values.money import Money

# --- values ------------------------------------------------------------------------------------------


class Stage(StrEnum):
    """Where an account stands in auto-collection. No stage: nothing is owed."""

    OUTSTANDING = "outstanding"
    SCHEDULED = "scheduled"
    ENGAGED = "engaged"
    FOLLOW_UP = "follow-up"
    BLOCKED = "blocked"


class ScheduledStep(Value):
    """The next step of an account's sequence and the UTC moment it is due."""

    campaign_id: UUID
    plan_version: int
    step_id: str
    title: str
    anchor_item_id: UUID
    due_at: AwareDatetime
    required: bool


class CoveredItem(Value):
    """An open item that a message is about.

    `step_id` is the furthest step that the item's own age had come to: where it continues once it is the oldest.
    """

    item_id: UUID
    open: Money
    step_id: str | None
    counted_from: Annotated[CountedFrom | None, LATER] = None
    """With this message its steps begin to be counted from other days."""


class Engagement(Value):
    """How the account was chased: by which campaign, and since which message."""

    campaign_id: UUID | None
    plan_version: int | None
    engaged_on: date | None


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the rules say of an account at one moment."""

    stage: Stage | None
    why: Why
    campaign_id: UUID | None = None
    plan_version: int | None = None
    next_step: ScheduledStep | None = None
    anchor_item_id: UUID | None = None
    """The oldest chaseable item, whose age says which step is next."""
    passed_over: tuple[tuple[str, str], ...] = ()
    """Steps that will not be sent for the anchor, each with its reason: `missed`, `before-known`."""
    counted_from: CountedFrom | None = None
    """Of the anchor, if the next step is sent or refused now: from when its other steps are counted."""
    covered: tuple[CoveredItem, ...] = ()
    """The items that the next step's message is about if it is sent now."""
    reconsider_at: datetime | None = None
    """When this judgement can change with no event: a timed pause or hold ends."""


# --- events ------------------------------------------------------------------------------------------


class StageChanged(Event, name="account.stage-changed"):
    """The system judged the account into another auto-collection stage (None: nothing is owed), and says why."""

    stage: Stage | None
    previous: Stage | None
    why: Why
    ends_engagement: bool
    """The sequence is over for this debt; engagement days are counted anew if it is chased again."""
    campaign_id: UUID | None = None
    plan_version: int | None = None


class StepScheduled(Event, name="account.step-scheduled"):
    """The next step of the account's sequence is planned for a moment."""

    step: ScheduledStep


class StepUnscheduled(Event, name="account.step-unscheduled"):
    """The planned step will not happen as planned."""

    step_id: str
    why: Why


class ReviewScheduled(Event, name="account.review-scheduled"):
    """The judgement can change with no other event at this moment (a day-count rule comes true); None: it cannot."""

    review_at: AwareDatetime | None


class StepsPassedOver(Event, name="account.steps-passed-over"):
    """Steps that were not sent about an item and are passed over, each with its reason: missed, refused, or due before
    the item was known."""

    campaign_id: UUID
    plan_version: int
    steps: dict[str, str]
    item_id: UUID
    counted_from: Annotated[CountedFrom | None, LATER] = None
    """With the refusal of its first step the item's other steps begin to be counted from other days."""


# --- commands ----------------------------------------------------------------------------------------


class JudgeCollection(ChasingCommand, name="judge-collection"):
    """Let the rules say where the account stands and what is next."""


class MoveStage(AccountCommand, name="move-stage"):
    """Always refused: nobody moves an account between stages by hand. The refusal says what would."""

    stage: Stage


# --- decisions ---------------------------------------------------------------------------------------


class Judge(Protocol):
    """Where an account stands in auto-collection, and what is next (`policies.auto_collection`)."""

    def __call__(self, account: Any, context: Context, /) -> Judgement: ...


JUDGE: Rule[Judge] = Rule("rules of auto-collection")
AUTO_COLLECTION = "auto-collection"
"""The policy that has an account judged because of what happened to it."""


@dataclass(slots=True)
class Chase(AccountPart):
    """Where the account stands in auto-collection. The rules themselves are handed in with the context."""

    stage: Stage | None = None
    why: Why | None = None
    campaign_id: UUID | None = None
    plan_version: int | None = None
    engaged_on: date | None = None
    scheduled: ScheduledStep | None = None
    review_at: datetime | None = None
    not_before: datetime | None = None
    """A contact rule forbids the next step until then."""
    last_message_on: date | None = None
    before_write_offs: dict[UUID, Engagement] = field(default_factory=dict)
    """How it was chased when a write-off, by its id, took the last of its debt: so again where that is reversed."""

    receivables: ClassVar = Needs(Receivables)
    payment_claims: ClassVar = Needs(PaymentClaims)

    @decides(JudgeCollection)
    def judge_collection(self, command: JudgeCollection, context: Context) -> None:
        self.require_account()
        self._settle_and_judge(context)

    @decides(MoveStage)
    def move_stage(self, command: MoveStage, context: Context) -> None:
        self.require_account()
        stage = self.stage.value if self.stage else "no stage"
        why = self.why.detail if self.why else "nothing was judged yet"
        raise Refusal(
            "stage-is-judged",
            f"stages follow from status and rules, nobody sets them: the account is in {stage} because {why}",
        )

    def judgement(self, context: Context) -> Judgement:
        return context.rule(JUDGE)(self.whole, context)

    def record(self, judgement: Judgement) -> None:
        """Turn a judgement into events: only what differs from what is known."""
        if judgement.passed_over and judgement.campaign_id and judgement.plan_version and judgement.anchor_item_id:
            self.emit(
                StepsPassedOver(
                    campaign_id=judgement.campaign_id,
                    plan_version=judgement.plan_version,
                    steps=dict(judgement.passed_over),
                    item_id=judgement.anchor_item_id,
                )
            )
        planned, next_step = self.scheduled, judgement.next_step
        if next_step is None:
            if planned is not None:
                self.emit(StepUnscheduled(step_id=planned.step_id, why=judgement.why))
        elif not self._still_planned(planned, next_step):
            self.emit(StepScheduled(step=next_step))
        if judgement.reconsider_at != self.review_at:
            self.emit(ReviewScheduled(review_at=judgement.reconsider_at))
        if self._differs(judgement):
            self.emit(
                StageChanged(
                    stage=judgement.stage,
                    previous=self.stage,
                    why=judgement.why,
                    ends_engagement=judgement.stage in (None, Stage.OUTSTANDING),
                    campaign_id=judgement.campaign_id,
                    plan_version=judgement.plan_version,
                )
            )

    def _differs(self, judgement: Judgement) -> bool:
        """Whether the stage, its reason or the plan is another.

        Of a block, what each thing holds back counts too; what other reasons say in figures changes every day.
        """
        known = (self.stage, self.why and self.why.code, self.campaign_id, self.plan_version)
        if known != (judgement.stage, judgement.why.code, judgement.campaign_id, judgement.plan_version):
            return True
        return judgement.stage is Stage.BLOCKED and self.why != judgement.why

    def _still_planned(self, planned: ScheduledStep | None, wanted: ScheduledStep) -> bool:
        """The same step planned for a moment that is no later: it is not planned anew each time we look."""
        if planned is None or planned.model_copy(update={"due_at": wanted.due_at}) != wanted:
            return False
        not_before = self.not_before
        return planned.due_at <= wanted.due_at and (not_before is None or planned.due_at >= not_before)

    def judge(self, context: Context) -> None:
        """What the rules say now, as events: only what differs from what is known."""
        self.record(self.judgement(context))

    def judge_at_once(self, context: Context) -> None:
        """At the end of a decision: what auto-collection would ask for because of it is a part of it."""
        self._settle_and_judge(context)
        self.whole.answer_for(AUTO_COLLECTION)

    def _settle_and_judge(self, context: Context) -> None:
        self.payment_claims.settle()
        self.judge(context)

    # --- apply ---

    @applies(StageChanged)
    def _stage_changed(self, event: StageChanged) -> None:
        self.stage, self.why = event.stage, event.why
        self.campaign_id, self.plan_version = event.campaign_id, event.plan_version
        if event.ends_engagement:
            self.engaged_on = None

    @applies(DebtWrittenOff)
    def _written_off(self, event: DebtWrittenOff) -> None:
        """After the receivables: that nothing is open any more is known."""
        if self.campaign_id is not None and not self.receivables.outstanding:
            before = Engagement(
                campaign_id=self.campaign_id, plan_version=self.plan_version, engaged_on=self.engaged_on
            )
            self.before_write_offs = {**self.before_write_offs, event.write_off_id: before}

    @applies(WriteOffReversed)
    def _write_off_reversed(self, event: WriteOffReversed) -> None:
        before = self.before_write_offs.get(event.write_off_id)
        if before is None:
            return
        self.before_write_offs = {
            each: how for each, how in self.before_write_offs.items() if each != event.write_off_id
        }
        if self.engaged_on is None:
            self.engaged_on = before.engaged_on
            if self.campaign_id is None:
                self.campaign_id, self.plan_version = before.campaign_id, before.plan_version

    @applies(StepScheduled)
    def _step_scheduled(self, event: StepScheduled) -> None:
        self.scheduled = event.step

    @applies(StepUnscheduled)
    def _step_unscheduled(self, event: StepUnscheduled) -> None:
        self.scheduled = None

    @applies(ReviewScheduled)
    def _review_scheduled(self, event: ReviewScheduled) -> None:
        self.review_at = event.review_at

    @applies(StepsPassedOver)
    def _steps_passed_over(self, event: StepsPassedOver) -> None:
        item = self.receivables.items.get(event.item_id)
        if item is not None:
            passed_over = {**item.place.passed_over, **event.steps}
            counted_from = event.counted_from or item.place.counted_from
            item.place = item.place.model_copy(update={"passed_over": passed_over, "counted_from": counted_from})
        self.not_before = None
