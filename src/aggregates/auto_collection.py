"""The words of auto-collection: stages, why an account is in one, and what a judgement says."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict

from aggregates.money import Money


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
