"""What the customer disputes."""

from dataclasses import dataclass, field
from datetime import date
from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import Field

from aggregates.account.allocation import Allocations
from aggregates.account.command import AccountCommand
from aggregates.account.part import AccountPart
from aggregates.account.receivables import DisputedItems, OpenItem, Receivables
from aggregates.account.shields import Shield, ShieldSource, Why
from aggregates.kernel.aggregate import Needs, applies, decides
from aggregates.kernel.context import Context
from aggregates.kernel.event import Event
from aggregates.kernel.personal import Personal
from aggregates.kernel.refusals import Refusal
from aggregates.kernel.value import LATER, Value
from aggregates.values.codes import Code, Number

# --- values ------------------------------------------------------------------------------------------


class Dispute(Value):
    id: UUID
    item_ids: tuple[UUID, ...]
    reason_code: str
    opened_on: date


# --- events ------------------------------------------------------------------------------------------


class DisputeOpened(Event, name="account.dispute-opened"):
    """The customer disputes these items; they are not chased until it is resolved."""

    dispute_id: UUID
    item_ids: tuple[UUID, ...]
    reason_code: str
    opened_on: date
    notes: Personal | None = None


class DisputeResolved(Event, name="account.dispute-resolved"):
    """The dispute is over and its items can be chased again."""

    dispute_id: UUID
    item_ids: tuple[UUID, ...]
    resolution: str
    resolved_on: Annotated[date | None, LATER] = None
    """The first day on which the items are disputed no more; None where an earlier release did not say."""


# --- commands ----------------------------------------------------------------------------------------


class OpenDispute(AccountCommand, name="open-dispute", makes="dispute"):
    """The customer disputes invoices (none given: all open ones). A number is all its instalments; one of them is
    `NUMBER/DUE-DAY`."""

    invoice_numbers: tuple[Number, ...] = ()
    reason_code: Code
    notes: Personal | None = Field(None, max_length=10_000)


class ResolveDispute(AccountCommand, name="resolve-dispute", may_need_history=True):
    """End a dispute."""

    dispute_id: UUID
    resolution: Code


# --- decisions ---------------------------------------------------------------------------------------


@dataclass
class Disputes(AccountPart):
    """Open disputes; each open item says which one it is under."""

    open: dict[UUID, Dispute] = field(default_factory=dict)

    receivables: ClassVar = Needs(Receivables)
    allocation: ClassVar = Needs(Allocations)

    def shields(self) -> list[Shield]:
        """What is disputed is not chased."""
        return [
            Shield(
                ShieldSource.DISPUTE,
                Why(code="dispute", detail="everything owed is disputed"),
                items=frozenset(dispute.item_ids),
                said="disputed",
            )
            for dispute in self.open.values()
        ]

    @decides(OpenDispute)
    def open_dispute(self, command: OpenDispute, context: Context) -> None:
        self.require_account()
        undisputed = tuple(item.id for item in self._wanted(command.invoice_numbers) if item.dispute_id is None)
        if not undisputed:
            raise Refusal("nothing-to-dispute", "no open invoice is left that is not disputed already")
        self.emit(
            DisputeOpened(
                dispute_id=command.made_id(context.command_id),
                item_ids=undisputed,
                reason_code=command.reason_code,
                opened_on=context.effective_on,
                notes=command.notes,
            )
        )
        self.allocation.follow_dispute(context.effective_on, context)

    def _wanted(self, numbers: tuple[str, ...]) -> list[OpenItem]:
        """The open items that they name, each once; all where none is given. A number is all its instalments."""
        items = self.receivables.items
        if not numbers:
            return list(items.values())
        by_name = self.receivables.by_name()
        wanted: dict[UUID, OpenItem] = {}
        for number in numbers:
            found = {item.id: item for item in by_name.find(number) if item.id in items}
            if not found:
                raise Refusal("not-open", f"invoice {number} has no open amount to dispute")
            wanted |= found
        return list(wanted.values())

    @decides(ResolveDispute)
    def resolve_dispute(self, command: ResolveDispute, context: Context) -> None:
        self.require_account()
        dispute = self.open.get(command.dispute_id)
        if dispute is None:
            raise Refusal("unknown-dispute", "no such dispute is open")
        resolved_on = max(context.effective_on, dispute.opened_on)
        goes_on = self.allocation.goes_on(resolved_on)
        self.emit(
            DisputeResolved(
                dispute_id=dispute.id,
                item_ids=dispute.item_ids,
                resolution=command.resolution,
                resolved_on=resolved_on,
            )
        )
        self.allocation.follow(resolved_on, context, goes_on=goes_on)

    # --- apply ---

    @applies(DisputeOpened)
    def _dispute_opened(self, event: DisputeOpened) -> None:
        self.open[event.dispute_id] = Dispute(
            id=event.dispute_id, item_ids=event.item_ids, reason_code=event.reason_code, opened_on=event.opened_on
        )
        self.receivables.disputes[event.dispute_id] = DisputedItems(item_ids=event.item_ids, begins_on=event.opened_on)
        for item_id in event.item_ids:
            self.receivables.items[item_id].dispute_id = event.dispute_id

    @applies(DisputeResolved)
    def _dispute_resolved(self, event: DisputeResolved) -> None:
        self.open.pop(event.dispute_id)
        self.receivables.end_dispute(event.dispute_id, event.resolved_on)
        for item in (*self.receivables.items.values(), *self.receivables.settled.values()):
            if item.dispute_id == event.dispute_id:
                item.dispute_id = None
