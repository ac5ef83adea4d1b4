"""Facts of the future: received now, true on their day."""

from dataclasses import dataclass, field
from datetime import date
from uuid import UUID

from pydantic import Field

from aggregates.account.command import AccountCommand, document_id
from aggregates.account.part import AccountPart
from aggregates.kernel.aggregate import DECISIONS, applies, decides
from aggregates.kernel.command import COMMANDS, Command
from aggregates.kernel.context import Context
from aggregates.kernel.event import Event
from aggregates.kernel.personal import Personal
from aggregates.kernel.refusals import Refusal
from aggregates.kernel.value import Value

# --- values ------------------------------------------------------------------------------------------


class DeferredFact(Value):
    """A command about the future, kept until its day. What its document says besides is apart: it is personal."""

    arrives_on: date
    command_name: str
    command: dict[str, object]
    information: dict[str, Personal] = Field(default_factory=dict)


# --- events ------------------------------------------------------------------------------------------


class FactDeferred(Event, name="account.fact-deferred"):
    """A fact dated in the future was received and waits for its day."""

    fact_id: UUID
    arrives_on: date
    command_name: str
    command: dict[str, object]
    information: dict[str, Personal] = Field(default_factory=dict)
    """What the document says besides."""


class FactArrived(Event, name="account.fact-arrived"):
    """The day of a deferred fact has come; what it says follows."""

    fact_id: UUID


class FactWithdrawn(Event, name="account.fact-withdrawn"):
    """A fact that waited for its day never was; nothing follows on that day."""

    fact_id: UUID


# --- commands ----------------------------------------------------------------------------------------


class AdmitFact(AccountCommand, name="admit-fact", reaches=("account",), may_need_history=True, internal=True):
    """Carry out a deferred fact whose day has come."""

    fact_id: UUID


# --- decisions ---------------------------------------------------------------------------------------


@dataclass(slots=True)
class Deferred(AccountPart):
    """What waits for its day."""

    facts: dict[UUID, DeferredFact] = field(default_factory=dict)

    def refuse_if_waiting(self, kind: str, number: str) -> None:
        """`kind` is `invoice`, `instalment`, `payment` or `credit`."""
        if document_id(self.whole.id, f"deferred-{kind}", number) in self.facts:
            kind = "invoice" if kind == "instalment" else kind
            raise Refusal(f"duplicate-{kind}", f"{kind} {number} waits for its day already; correct it")

    def defer(self, command: Command, arrives_on: date, fact_id: UUID) -> None:
        """Keeps the command for its day. Its `information`, if it has any, is personal and kept apart; what it opens
        the account with, if it does, was used by now."""
        said = command.model_dump(mode="json", exclude={"opens"})
        information = said.pop("information", {})
        deferred = DeferredFact(
            arrives_on=arrives_on, command_name=command.command_name, command=said, information=information
        )
        if self.facts.get(fact_id) != deferred:
            self.emit(FactDeferred(fact_id=fact_id, **deferred.model_dump()))

    def withdraw(self, *fact_ids: UUID) -> bool:
        """Those of these that wait do so no more. Whether any of them did."""
        waiting = [fact_id for fact_id in fact_ids if fact_id in self.facts]
        for fact_id in waiting:
            self.emit(FactWithdrawn(fact_id=fact_id))
        return bool(waiting)

    @decides(AdmitFact)
    def admit(self, command: AdmitFact, context: Context) -> None:
        self.require_account()
        fact = self.facts.get(command.fact_id)
        if fact is None or fact.arrives_on > context.today:
            return
        besides = {"information": fact.information} if fact.information else {}
        deferred = COMMANDS[fact.command_name].model_validate({**fact.command, **besides})
        self.emit(FactArrived(fact_id=command.fact_id), effective_on=fact.arrives_on)
        DECISIONS[type(deferred)](self.whole, deferred, context)

    # --- apply ---

    @applies(FactDeferred)
    def _deferred(self, event: FactDeferred) -> None:
        self.facts[event.fact_id] = DeferredFact(
            arrives_on=event.arrives_on,
            command_name=event.command_name,
            command=event.command,
            information=event.information,
        )

    @applies(FactArrived, FactWithdrawn)
    def _waits_no_more(self, event: FactArrived | FactWithdrawn) -> None:
        self.facts.pop(event.fact_id)
