"""The collections stage: where the account stands with an outside agency. People set it where it is not placed; no rule
looks at it."""

from dataclasses import dataclass
from enum import StrEnum

from aggregates.account.command import AccountCommand
from aggregates.account.part import AccountPart
from aggregates.account.placement import Placed, PlacementEnded
from aggregates.kernel.aggregate import applies, decides
from aggregates.kernel.context import Context
from aggregates.kernel.event import Event
from aggregates.kernel.refusals import Refusal

# --- values ------------------------------------------------------------------------------------------


class CollectionsStage(StrEnum):
    """Where an account stands with an outside agency."""

    NOT_SET = "not set"
    PENDING = "pending"
    """It is to be placed."""
    SENT = "sent"


# --- events ------------------------------------------------------------------------------------------


class CollectionsStageChanged(Event, name="account.collections-stage-changed"):
    """Somebody said where the account stands with an outside agency."""

    stage: CollectionsStage
    previous: CollectionsStage


# --- commands ----------------------------------------------------------------------------------------


class SetCollectionsStage(AccountCommand, name="set-collections-stage"):
    """Say where the account stands with an outside agency: not set, pending or sent."""

    collections_stage: CollectionsStage


# --- decisions ---------------------------------------------------------------------------------------


@dataclass(slots=True)
class CollectionsStages(AccountPart):
    """Where the account stands with an outside agency."""

    stage: CollectionsStage = CollectionsStage.NOT_SET
    agency: str | None = None
    """The agency that has the account: then the stage follows from the placement."""

    def require_unplaced(self) -> None:
        """Refuses where an agency has the account."""
        if self.agency is not None:
            raise Refusal("placed-already", f"the account is with agency {self.agency}: its stage follows from that")

    @decides(SetCollectionsStage)
    def set_stage(self, command: SetCollectionsStage, context: Context) -> None:
        self.require_account()
        self.require_unplaced()
        if command.collections_stage is not self.stage:
            self.emit(CollectionsStageChanged(stage=command.collections_stage, previous=self.stage))

    # --- apply ---

    @applies(CollectionsStageChanged)
    def _changed(self, event: CollectionsStageChanged) -> None:
        self.stage = event.stage

    @applies(Placed)
    def _placed(self, event: Placed) -> None:
        self.agency = event.agency

    @applies(PlacementEnded)
    def _ended(self, _: PlacementEnded) -> None:
        self.agency = None
