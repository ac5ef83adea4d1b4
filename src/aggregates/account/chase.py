"""Auto-collection: the stage that the rules give the account, why, and the next step."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict

from aggregates.account.command import AccountCommand
from aggregates.kernel.event import Event
from aggregates.values.money import Money

# --- values ------------------------------------------------------------------------------------------


class Stage(StrEnum):
    """Where an account stands in auto-collection (DOMAIN section 3). No stage: nothing is owed."""

    OUTSTANDING = "outstanding"
    SCHEDULED = "scheduled"
    ENGAGED = "engaged"
    FOLLOW_UP = "follow-up"
    BLOCKED = "blocked"


class Why(BaseModel):
    """The reason for a stage: a stable code for programs, a sentence for people."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: str
    detail: str


class ScheduledStep(BaseModel):
    """The next step of an account's sequence and the UTC moment it is due."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    campaign_id: UUID
    plan_version: int
    step_id: str
    title: str
    anchor_item_id: UUID
    due_at: AwareDatetime
    required: bool


class CoveredItem(BaseModel):
    """An open item that a message is about.

    `step_id` is the furthest step that the item's own age had come to: where it continues once it is the oldest.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    item_id: UUID
    open: Money
    step_id: str | None


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
    """Steps that will never be sent about an item, each with its reason: missed, due before it was known, refused."""

    campaign_id: UUID
    plan_version: int
    steps: dict[str, str]
    item_id: UUID


# --- commands ----------------------------------------------------------------------------------------


class JudgeCollection(AccountCommand, name="judge-collection"):
    """Let the rules say where the account stands and what is next."""


class MoveStage(AccountCommand, name="move-stage"):
    """Always refused: nobody moves an account between stages by hand. The refusal says what would."""

    stage: Stage
