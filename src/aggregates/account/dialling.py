"""Calls that a carrier places: it rings the agent, and puts them through to the customer.

That it is asked is stored before it is. A death in between leaves a call of which nobody knows whether it was placed;
it is never placed a second time by itself, and its agent says how it ended as of any call.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from pydantic import Field

from aggregates.account.activities import ActivityRecorded
from aggregates.account.calls import Calls
from aggregates.account.command import AccountCommand
from aggregates.account.part import AccountPart
from aggregates.kernel.aggregate import Needs, applies, decides
from aggregates.kernel.context import Context
from aggregates.kernel.event import Event
from aggregates.kernel.personal import Personal
from aggregates.kernel.refusals import Refusal
from aggregates.kernel.value import Value

WITHIN = timedelta(minutes=2)
"""Of its beginning a call is placed; contact rules were asked then."""

# --- values ------------------------------------------------------------------------------------------


class DialState(StrEnum):
    """How far the carrier is with a call."""

    ASKED = "asked"
    """Nobody knows yet whether it took it; after a while nobody ever will."""
    PLACED = "placed"
    """It rings, or is spoken."""
    OVER = "over"
    NOT_PLACED = "not-placed"
    """The carrier certainly did not take it: the agent dials."""


class DialResult(StrEnum):
    """How a placed call ended, as the carrier says."""

    ANSWERED = "answered"
    BUSY = "busy"
    NO_ANSWER = "no-answer"
    FAILED = "failed"
    AGENT_AWAY = "agent-away"
    """The agent did not answer, and the customer was not called."""

    @property
    def is_connected(self) -> bool:
        """Agent and customer were connected."""
        return self is DialResult.ANSWERED


class DialledCall(Value):
    """A call that a carrier was asked to place, until it is documented."""

    state: DialState
    reference: str | None = None
    """The carrier's."""
    result: DialResult | None = None
    seconds: int | None = None
    """How long agent and customer were connected."""


# --- events ------------------------------------------------------------------------------------------


class CallDialled(Event, name="account.call-dialled"):
    """A carrier is asked to ring the agent and to put them through. Without a result after it nobody knows whether it
    did; it is not repeated."""

    call_id: UUID


class CallPlaced(Event, name="account.call-placed"):
    """The carrier took the call: it rings the agent, and then the customer."""

    call_id: UUID
    carrier_reference: str


class CallNotPlaced(Event, name="account.call-not-placed"):
    """The carrier certainly did not take the call. `detail` is in its words, which may quote a number."""

    call_id: UUID
    code: str
    detail: Personal


class CallOver(Event, name="account.call-over"):
    """The carrier says that the call has ended, and how. Its agent documents it."""

    call_id: UUID
    result: DialResult
    seconds: int | None
    """How long agent and customer were connected."""


# --- commands ----------------------------------------------------------------------------------------


class DialCall(AccountCommand, name="dial-call", internal=True):
    """Say that a carrier is about to be asked to place a call that has begun."""

    call_id: UUID


class ReportCallPlaced(AccountCommand, name="report-call-placed", internal=True):
    """The carrier took the call."""

    call_id: UUID
    carrier_reference: str


class ReportCallNotPlaced(AccountCommand, name="report-call-not-placed", internal=True):
    """The carrier certainly did not take the call."""

    call_id: UUID
    code: str
    detail: Personal


class ReportCallOver(AccountCommand, name="report-call-over", internal=True):
    """The call has ended, as the carrier says."""

    call_id: UUID
    result: DialResult
    seconds: int | None = Field(None, ge=0)


# --- decisions ---------------------------------------------------------------------------------------


@dataclass(slots=True)
class Dialling(AccountPart):
    """What carriers say of calls that are not documented yet."""

    calls_dialled: dict[UUID, DialledCall] = field(default_factory=dict)

    calls: ClassVar = Needs(Calls)

    @decides(DialCall)
    def dial(self, command: DialCall, context: Context) -> None:
        self.require_account()
        call = self.calls.open.get(command.call_id)
        if call is None:
            raise Refusal("unknown-call", "no such call is without an end")
        if call.id in self.calls_dialled:
            raise Refusal("dialled-already", "a carrier was asked to place this call before; start another one")
        if context.now - call.at > WITHIN:
            raise Refusal("call-too-old", "the call began too long ago to be placed; start another one")
        self.emit(CallDialled(call_id=call.id))

    @decides(ReportCallPlaced)
    def report_placed(self, command: ReportCallPlaced, _: Context) -> None:
        self.require_account()
        if self._state(command.call_id) is DialState.ASKED:
            self.emit(CallPlaced(call_id=command.call_id, carrier_reference=command.carrier_reference))

    @decides(ReportCallNotPlaced)
    def report_not_placed(self, command: ReportCallNotPlaced, _: Context) -> None:
        self.require_account()
        if self._state(command.call_id) is DialState.ASKED:
            self.emit(CallNotPlaced(call_id=command.call_id, code=command.code, detail=command.detail))

    @decides(ReportCallOver)
    def report_over(self, command: ReportCallOver, _: Context) -> None:
        self.require_account()
        if self._state(command.call_id) is DialState.PLACED:
            self.emit(CallOver(call_id=command.call_id, result=command.result, seconds=command.seconds))

    def _state(self, call_id: UUID) -> DialState | None:
        found = self.calls_dialled.get(call_id)
        return found.state if found is not None else None

    # --- apply ---

    @applies(CallDialled)
    def _dialled(self, event: CallDialled) -> None:
        self.calls_dialled[event.call_id] = DialledCall(state=DialState.ASKED)

    @applies(CallPlaced)
    def _placed(self, event: CallPlaced) -> None:
        self.calls_dialled[event.call_id] = DialledCall(state=DialState.PLACED, reference=event.carrier_reference)

    @applies(CallNotPlaced)
    def _not_placed(self, event: CallNotPlaced) -> None:
        self.calls_dialled[event.call_id] = DialledCall(state=DialState.NOT_PLACED)

    @applies(CallOver)
    def _over(self, event: CallOver) -> None:
        known = self.calls_dialled[event.call_id]
        self.calls_dialled[event.call_id] = known.model_copy(
            update={"state": DialState.OVER, "result": event.result, "seconds": event.seconds}
        )

    @applies(ActivityRecorded)
    def _documented(self, event: ActivityRecorded) -> None:
        self.calls_dialled.pop(event.activity_id, None)
