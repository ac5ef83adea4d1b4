"""The words of auto-collection: stages, why an account is in one, and what a judgement says."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict


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


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the rules say of an account at one moment."""

    stage: Stage | None
    why: Why
    campaign_id: UUID | None = None
    plan_version: int | None = None
    next_step: ScheduledStep | None = None
    passed_over: tuple[tuple[str, str], ...] = ()
    """Steps that will not be sent, each with its reason: `missed`, `before-known`."""
    covered_item_ids: tuple[UUID, ...] = ()
    """The items that a message sent now would be about."""
    reconsider_at: datetime | None = None
    """When this judgement can change with no event: a timed pause or hold ends."""
