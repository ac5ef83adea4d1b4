"""What the customer disputes: items, or a part of one."""

from dataclasses import dataclass, field
from datetime import date
from typing import Annotated, ClassVar, Self
from uuid import UUID

from pydantic import Field, model_validator

from aggregates.account.allocation import Allocations
from aggregates.account.command import AccountCommand
from aggregates.account.customer import Customer
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
from aggregates.values.money import Money

# --- values ------------------------------------------------------------------------------------------


class DisputedPart(Value):
    """An item that is disputed in part. Where less of it is open, that is what is disputed."""

    item_id: UUID
    amount: Money


class DisputedInvoice(Value):
    """An invoice that the customer disputes. `amount` is the part that they dispute; None: all of it."""

    number: Number
    amount: Money | None = None

    @model_validator(mode="after")
    def _positive(self) -> Self:
        if self.amount is not None and self.amount.minor <= 0:
            raise ValueError("amount: expected more than zero")
        return self


class Dispute(Value):
    id: UUID
    item_ids: tuple[UUID, ...]
    reason_code: str
    opened_on: date
    parts: Annotated[tuple[DisputedPart, ...] | None, LATER] = None
    """Of those items the ones that are disputed in part."""


# --- events ------------------------------------------------------------------------------------------


class DisputeOpened(Event, name="account.dispute-opened"):
    """The customer disputes these items; they are not chased until it is resolved."""

    dispute_id: UUID
    item_ids: tuple[UUID, ...]
    reason_code: str
    opened_on: date
    notes: Personal | None = None
    parts: Annotated[tuple[DisputedPart, ...] | None, LATER] = None
    """Of those items the ones that are disputed in part; the rest of them is chased. None: all of each."""


class DisputeResolved(Event, name="account.dispute-resolved"):
    """The dispute is over and its items can be chased again."""

    dispute_id: UUID
    item_ids: tuple[UUID, ...]
    resolution: str
    resolved_on: Annotated[date | None, LATER] = None
    """The first day on which the items are disputed no more; None where an earlier release did not say."""


# --- commands ----------------------------------------------------------------------------------------


class OpenDispute(AccountCommand, name="open-dispute", makes="dispute", may_need_history=True):
    """The customer disputes invoices, or parts of them (none given: all open ones). A number is all its instalments;
    one of them is `NUMBER/DUE-DAY`."""

    invoice_numbers: tuple[Number, ...] = ()
    """Invoices that are disputed whole."""
    invoices: Annotated[tuple[DisputedInvoice, ...] | None, LATER] = None
    """Further ones, each with the amount that is disputed."""
    reason_code: Code
    notes: Personal | None = Field(None, max_length=10_000)

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        numbers = [invoice.number for invoice in self.invoices or ()]
        if len({*numbers, *self.invoice_numbers}) < len(numbers) + len({*self.invoice_numbers}):
            raise ValueError("invoices: expected each invoice once")
        return self

    def named(self) -> dict[str, Money | None]:
        """By number the amount that is disputed; None: all of it."""
        whole = dict.fromkeys(self.invoice_numbers)
        return {**whole, **{invoice.number: invoice.amount for invoice in self.invoices or ()}}


class ResolveDispute(AccountCommand, name="resolve-dispute", may_need_history=True):
    """End a dispute."""

    dispute_id: UUID
    resolution: Code


# --- decisions ---------------------------------------------------------------------------------------


@dataclass
class Disputes(AccountPart):
    """Open disputes; each open item says which one it is under."""

    open: dict[UUID, Dispute] = field(default_factory=dict)

    customer: ClassVar = Needs(Customer)
    receivables: ClassVar = Needs(Receivables)
    allocation: ClassVar = Needs(Allocations)

    def shields(self) -> list[Shield]:
        """What is disputed is not chased."""
        shields = []
        for dispute in self.open.values():
            parts = dispute.parts or ()
            whole = frozenset(dispute.item_ids) - {part.item_id for part in parts}
            if whole:
                why = Why(code="dispute", detail="everything owed is disputed")
                shields.append(Shield(ShieldSource.DISPUTE, why, items=whole, said="is disputed"))
            for part in parts:
                item = self.receivables.items.get(part.item_id)
                if item is not None:
                    shields.append(self._of_part(item))
        return shields

    def _of_part(self, item: OpenItem) -> Shield:
        amount = self.receivables.disputed_of(item)
        said = f"of {item.item.amount} of invoice {item.item.number} is disputed"
        why = Why(code="dispute", detail=f"{amount} {said}")
        return Shield(ShieldSource.DISPUTE, why, items=frozenset({item.id}), amount=amount, said=said)

    @decides(OpenDispute)
    def open_dispute(self, command: OpenDispute, context: Context) -> None:
        self.require_account()
        wanted = self._wanted(command, context.effective_on)
        undisputed = {item.id: amount for item, amount in wanted if item.dispute_id is None}
        if not undisputed:
            raise Refusal("nothing-to-dispute", "no open invoice is left that is not disputed already")
        parts = tuple(DisputedPart(item_id=i, amount=amount) for i, amount in undisputed.items() if amount is not None)
        self.emit(
            DisputeOpened(
                dispute_id=command.made_id(context.command_id),
                item_ids=tuple(undisputed),
                reason_code=command.reason_code,
                opened_on=context.effective_on,
                notes=command.notes,
                parts=parts or None,
            )
        )
        self.allocation.follow_dispute(context.effective_on, context)

    def _wanted(self, command: OpenDispute, day: date) -> list[tuple[OpenItem, Money | None]]:
        """Open items, each with the part that is disputed. Refuses to lose any of it."""
        items, by_name = self.receivables.items, self.receivables.by_name()
        wanted: dict[UUID, tuple[OpenItem, Money | None]] = {}
        for number, amount in command.named().items():
            found = [item for item in by_name.find(number) if item.id in items]
            if not found:
                raise Refusal("not-open", f"invoice {number} has no open amount to dispute")
            if amount is not None:
                [item] = found if len(found) == 1 else [self.receivables.one_named(number)]
                self._require_open(item, amount, day)
                found = [item]
            for item in found:
                if wanted.setdefault(item.id, (item, amount))[1] != amount:
                    raise Refusal("disputed-in-part", f"invoice {number} is named twice, once with an amount")
        wanted = wanted or {item.id: (item, None) for item in items.values()}
        for item, _ in wanted.values():
            part = self.receivables.part_of(item)
            if part is not None:
                already = f"{part} of invoice {item.item.number} is disputed already"
                raise Refusal("disputed-in-part", f"{already}: resolve that dispute first, then open one of it all")
        return list(wanted.values())

    def _require_open(self, item: OpenItem, amount: Money, day: date) -> None:
        """Refuses more than what is open, or was on the day: what was put there since may be taken back."""
        self.customer.require_currency(amount)
        most = item.open
        if amount > most and item.moved_on is not None and item.moved_on >= day:
            most = max(most, self.allocation.open_before(day, item))
        if amount > most:
            raise Refusal(
                "dispute-too-large", f"amount: expected at most {most}, what is open of invoice {item.item.number}"
            )

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
            id=event.dispute_id,
            item_ids=event.item_ids,
            reason_code=event.reason_code,
            opened_on=event.opened_on,
            parts=event.parts,
        )
        self.receivables.disputes[event.dispute_id] = DisputedItems(
            item_ids=event.item_ids,
            begins_on=event.opened_on,
            amounts={part.item_id: part.amount for part in event.parts or ()},
        )
        for item_id in event.item_ids:
            self.receivables.items[item_id].dispute_id = event.dispute_id

    @applies(DisputeResolved)
    def _dispute_resolved(self, event: DisputeResolved) -> None:
        self.open.pop(event.dispute_id)
        self.receivables.end_dispute(event.dispute_id, event.resolved_on)
        for item in (*self.receivables.items.values(), *self.receivables.settled.values()):
            if item.dispute_id == event.dispute_id:
                item.dispute_id = None
