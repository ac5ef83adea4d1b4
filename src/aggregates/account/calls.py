"""Calls that people make from here: judged by the contact rules before they begin, documented when they end."""

from dataclasses import dataclass, field
from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import AwareDatetime, Field

from aggregates.account.activities import Activities, ActivityKind, ActivityRecorded, Direction, EndCall
from aggregates.account.command import SHARED, AccountCommand
from aggregates.account.contact import Contact
from aggregates.account.contact_history import ContactHistory
from aggregates.account.part import AccountPart
from aggregates.kernel.aggregate import Needs, applies, decides
from aggregates.kernel.context import Context
from aggregates.kernel.event import Event
from aggregates.kernel.personal import Personal
from aggregates.kernel.refusals import Refusal
from aggregates.kernel.value import LATER, Value
from aggregates.values.contact import Channel, ContactAttempt, Denied, RuleRefusal
from aggregates.values.contact_record import Entry, Medium

# --- values ------------------------------------------------------------------------------------------


class OpenCall(Value):
    """A call that began and of which nobody said how it ended."""

    id: UUID
    agent: str
    at: AwareDatetime
    point_id: str
    number: Personal


class RefusedCall(Value):
    """The last call that contact rules refused."""

    id: UUID
    refusals: tuple[RuleRefusal, ...]


# --- events ------------------------------------------------------------------------------------------


class CallStarted(Event, name="account.call-started"):
    """A call to the customer began. Until its end is said it is undocumented."""

    call_id: UUID
    point_id: str
    number: Personal
    """In one spelling."""
    agent: str
    started_at: AwareDatetime
    overridden: Annotated[tuple[RuleRefusal, ...] | None, LATER] = None
    """House policy that a person lifted for this call; the reason says why."""


class CallRefused(Event, name="account.call-refused"):
    """Contact rules refused a call, which did not begin; every rule that refused it is named."""

    call_id: UUID
    point_id: str
    agent: str
    refusals: tuple[RuleRefusal, ...]


# --- commands ----------------------------------------------------------------------------------------


class StartCall(AccountCommand, name="start-call", makes="call", **SHARED):
    """Begin a call to the customer, if the contact rules allow it; a refusal is recorded.

    `override` lifts house policy, with a reason; nobody lifts a law, or what the customer does not want.
    """

    point_id: str | None = Field(None, max_length=100)
    """Which of the account's numbers. None: the first that may be called now."""
    override: bool = False


# --- decisions ---------------------------------------------------------------------------------------


@dataclass(slots=True)
class Calls(AccountPart):
    """Calls that have begun and not ended."""

    open: dict[UUID, OpenCall] = field(default_factory=dict)
    refused: RefusedCall | None = None

    contact: ClassVar = Needs(Contact)
    history: ClassVar = Needs(ContactHistory)
    activities: ClassVar = Needs(Activities)

    @decides(StartCall)
    def start(self, command: StartCall, context: Context) -> None:
        self.require_account()
        if command.override:
            context.require_reason()
        point_id, denied = self._point_for(command.point_id, context)
        call_id, agent = command.made_id(context.command_id), str(context.actor)
        refusals = denied.refusals if denied is not None else ()
        if denied is not None and not (command.override and all(each.may_override for each in refusals)):
            self.emit(CallRefused(call_id=call_id, point_id=point_id, agent=agent, refusals=refusals))
            return
        self.emit(
            CallStarted(
                call_id=call_id,
                point_id=point_id,
                number=self.history.point(Channel.VOICE, point_id) or "",
                agent=agent,
                started_at=context.now,
                overridden=refusals or None,
            )
        )

    def _point_for(self, wanted: str | None, context: Context) -> tuple[str, Denied | None]:
        """The number that is wanted, else the first that may be called, else the first; and what forbids it."""
        known = self.contact.details.points(Channel.VOICE)
        if wanted is not None and wanted not in known:
            raise Refusal("unknown-contact-point", f"point_id: expected one of {', '.join(known) or 'none'}")
        if not known:
            raise Refusal("unknown-contact-point", "the account has no number to call")
        found = [(each, self._denied(each, context)) for each in ([wanted] if wanted is not None else known)]
        return next((each for each in found if each[1] is None), found[0])

    def _denied(self, point_id: str, context: Context) -> Denied | None:
        attempt = ContactAttempt(Channel.VOICE, point_id, context.now, is_by_hand=True)
        verdict = self.contact.heeded(attempt, self.history.verdict(attempt, context))
        return verdict if isinstance(verdict, Denied) else None

    @decides(EndCall)
    def end(self, command: EndCall, context: Context) -> None:
        self.require_account()
        call = self.open.get(command.call_id)
        if call is None:
            raise Refusal("unknown-call", "no such call is without an end")
        self.activities.document(
            call.id,
            context,
            kind=ActivityKind.CALL,
            direction=Direction.OUTBOUND,
            said=command,
            at=call.at,
            point_id=call.point_id,
            number=call.number,
            judged=(),
        )

    # --- apply ---

    @applies(CallStarted)
    def _call_started(self, event: CallStarted) -> None:
        self.open[event.call_id] = OpenCall(
            id=event.call_id,
            agent=event.agent,
            at=event.started_at,
            point_id=event.point_id,
            number=event.number,
        )
        self.history.begin(event.call_id, Entry(event.started_at, channel=Medium.CALL, to=event.number))

    @applies(CallRefused)
    def _call_refused(self, event: CallRefused) -> None:
        self.refused = RefusedCall(id=event.call_id, refusals=event.refusals)

    @applies(ActivityRecorded)
    def _activity_recorded(self, event: ActivityRecorded) -> None:
        self.open.pop(event.activity_id, None)
