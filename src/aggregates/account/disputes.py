"""What the customer disputes: items, or a part of one."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Annotated, ClassVar, Self
from uuid import UUID

from pydantic import Field, model_validator

from aggregates.account.allocation import Allocations
from aggregates.account.command import AccountCommand, document_key
from aggregates.account.customer import Customer
from aggregates.account.part import AccountPart
from aggregates.account.payments import NoteCredit, Payments
from aggregates.account.receivables import DisputedItems, OpenItem, Receivables
from aggregates.account.shields import Shield, ShieldSource, Why
from aggregates.kernel.aggregate import Needs, applies, decides
from aggregates.kernel.command import NaturalKey
from aggregates.kernel.context import Context
from aggregates.kernel.event import Event
from aggregates.kernel.personal import Personal
from aggregates.kernel.refusals import Refusal
from aggregates.kernel.value import LATER, Value
from aggregates.values.codes import Code, Number
from aggregates.values.money import Money
from aggregates.values.names import Assignee

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


class Side(StrEnum):
    """In whose favour a dispute ended: what is disputed is not owed, or it stands."""

    CUSTOMER = "customer"
    CREDITOR = "creditor"


DISPUTE_REASONS: Mapping[str, str] = {
    "already-paid": "Paid already",
    "duplicate": "Billed twice",
    "goods-returned": "Goods were returned",
    "not-delivered": "Not delivered",
    "not-ordered": "Not ordered",
    "other": "Something else",
    "price": "Another price was agreed",
    "quality": "Quality",
    "wrong-amount": "Wrong amount",
    "wrong-customer": "Somebody else owes it",
}
"""Reasons by code, for offices that say none of their own; with these, others are taken too."""


class Dispute(Value):
    id: UUID
    item_ids: tuple[UUID, ...]
    reason_code: str
    opened_on: date
    parts: Annotated[tuple[DisputedPart, ...] | None, LATER] = None
    """Of those items the ones that are disputed in part."""
    assignee: Annotated[str | None, LATER] = None
    answer_by: Annotated[date | None, LATER] = None
    """By when it is to be resolved."""
    is_overdue: Annotated[bool | None, LATER] = None


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
    assignee: Annotated[str | None, LATER] = None
    answer_by: Annotated[date | None, LATER] = None
    """By when it is to be resolved."""


class DisputeOverdue(Event, name="account.dispute-overdue"):
    """The dispute was not resolved by its day."""

    dispute_id: UUID
    answer_by: date
    assignee: str | None = None


class DisputeResolved(Event, name="account.dispute-resolved"):
    """The dispute is over and its items can be chased again."""

    dispute_id: UUID
    item_ids: tuple[UUID, ...]
    resolution: str
    resolved_on: Annotated[date | None, LATER] = None
    """The first day on which the items are disputed no more; None where an earlier release did not say."""
    in_favour_of: Annotated[Side | None, LATER] = None


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
    assignee: Annotated[Assignee | None, LATER] = None
    answer_by: Annotated[date | None, LATER] = None
    """By when it is to be resolved; then it is a task for its assignee."""

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
    in_favour_of: Annotated[Side | None, LATER] = None
    credit_number: Annotated[Number | None, LATER] = None
    """In favour of the customer, of one invoice: what is disputed of it is let off by a credit of this number."""

    @model_validator(mode="after")
    def _for_the_customer(self) -> Self:
        if self.credit_number is not None and self.in_favour_of is not Side.CUSTOMER:
            raise ValueError("credit_number: expected only in favour of the customer")
        return self

    def natural_key(self) -> NaturalKey | None:
        """Of the credit, where it brings one in."""
        return None if self.credit_number is None else document_key(self.account_id, "credit", self.credit_number)


class RemindDispute(AccountCommand, name="remind-dispute", internal=True):
    """The day by which a dispute is to be resolved may be over."""

    dispute_id: UUID


# --- decisions ---------------------------------------------------------------------------------------


@dataclass(slots=True)
class Disputes(AccountPart):
    """Open disputes; each open item says which one it is under."""

    open: dict[UUID, Dispute] = field(default_factory=dict)

    customer: ClassVar = Needs(Customer)
    receivables: ClassVar = Needs(Receivables)
    allocation: ClassVar = Needs(Allocations)
    payments: ClassVar = Needs(Payments)

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
        self._require_reason(command.reason_code, context)
        if command.answer_by is not None and command.answer_by < context.effective_on:
            raise Refusal("dispute-day", f"answer_by: expected {context.effective_on} or later")
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
                assignee=command.assignee,
                answer_by=command.answer_by,
            )
        )
        self.allocation.follow_dispute(context.effective_on, context)

    def _require_reason(self, code: str, context: Context) -> None:
        """Where the office says which reasons there are, it is one of them."""
        known = self.customer.office(context).casework.dispute_reasons
        if known and code not in known:
            raise Refusal("unknown-dispute-reason", f"reason_code: expected one of {', '.join(sorted(known))}")

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
        credit = self._credit(dispute, command, resolved_on)
        goes_on = self.allocation.goes_on(resolved_on)
        self.emit(
            DisputeResolved(
                dispute_id=dispute.id,
                item_ids=dispute.item_ids,
                resolution=command.resolution,
                resolved_on=resolved_on,
                in_favour_of=command.in_favour_of,
            )
        )
        self.allocation.follow(resolved_on, context, goes_on=goes_on)
        if credit is not None:
            self.payments.note_credit(credit, context)

    def _credit(self, dispute: Dispute, command: ResolveDispute, day: date) -> NoteCredit | None:
        """What the customer is let off: of one open item what is disputed."""
        if command.credit_number is None:
            return None
        items = [self.receivables.items[each] for each in dispute.item_ids if each in self.receivables.items]
        if len(items) != 1:
            raise Refusal(
                "no-single-item", f"credit_number: expected one open invoice under the dispute, not {len(items)}"
            )
        [item] = items
        return NoteCredit(
            account_id=command.account_id,
            number=command.credit_number,
            amount=self.receivables.disputed_of(item),
            issued_on=day,
            invoice_number=item.item.name,
        )

    @decides(RemindDispute)
    def remind(self, command: RemindDispute, context: Context) -> None:
        self.require_account()
        dispute = self.open.get(command.dispute_id)
        if dispute is None or dispute.answer_by is None or dispute.is_overdue or dispute.answer_by >= context.today:
            return
        self.emit(DisputeOverdue(dispute_id=dispute.id, answer_by=dispute.answer_by, assignee=dispute.assignee))

    # --- apply ---

    @applies(DisputeOpened)
    def _dispute_opened(self, event: DisputeOpened) -> None:
        self.open[event.dispute_id] = Dispute(
            id=event.dispute_id,
            item_ids=event.item_ids,
            reason_code=event.reason_code,
            opened_on=event.opened_on,
            parts=event.parts,
            assignee=event.assignee,
            answer_by=event.answer_by,
        )
        self.receivables.disputes[event.dispute_id] = DisputedItems(
            item_ids=event.item_ids,
            begins_on=event.opened_on,
            amounts={part.item_id: part.amount for part in event.parts or ()},
        )
        for item_id in event.item_ids:
            self.receivables.items[item_id].dispute_id = event.dispute_id

    @applies(DisputeOverdue)
    def _dispute_overdue(self, event: DisputeOverdue) -> None:
        dispute = self.open[event.dispute_id]
        self.open[dispute.id] = dispute.model_copy(update={"is_overdue": True})

    @applies(DisputeResolved)
    def _dispute_resolved(self, event: DisputeResolved) -> None:
        self.open.pop(event.dispute_id)
        self.receivables.end_dispute(event.dispute_id, event.resolved_on)
        for item in (*self.receivables.items.values(), *self.receivables.settled.values()):
            if item.dispute_id == event.dispute_id:
                item.dispute_id = None
