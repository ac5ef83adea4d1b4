"""Billing: invoices, and what they really were."""

from dataclasses import dataclass
from datetime import date
from typing import Annotated, ClassVar, Self
from uuid import UUID

from pydantic import Field, model_validator

from aggregates.account.allocation import Allocations
from aggregates.account.command import AccountCommand, document_id, document_key, invoice_document
from aggregates.account.customer import BookingCommand, Customer
from aggregates.account.deferred import Deferred
from aggregates.account.part import AccountPart
from aggregates.account.receivables import (
    NOWHERE,
    Item,
    ItemKind,
    OpenItem,
    Place,
    Receivables,
    day_named,
    has_name,
    place_if_open,
)
from aggregates.kernel.aggregate import Needs, applies, decides
from aggregates.kernel.command import NaturalKey
from aggregates.kernel.context import Context
from aggregates.kernel.event import Event
from aggregates.kernel.personal import Personal
from aggregates.kernel.refusals import Refusal
from aggregates.kernel.value import LATER
from aggregates.values.aging import CURRENT
from aggregates.values.business_time import ONE_DAY
from aggregates.values.codes import Code, Number
from aggregates.values.fees import Fee
from aggregates.values.money import Money

# --- events ------------------------------------------------------------------------------------------


class InvoiceBilled(Event, name="account.invoice-billed"):
    """An invoice (or fee invoice) became an open item. `known_on` is the day Arrears learned of it."""

    item: Item
    known_on: date
    fee: Annotated[Fee | None, LATER] = None
    """Of a fee that Arrears added: what it is taken of, line by line."""


class InvoiceCorrected(Event, name="account.invoice-corrected"):
    """What was recorded of an invoice was wrong; it always was as it says now. `open_after` zero: settled."""

    item: Item
    previous: Item
    open_after: Money
    open_since: date | None = None
    """None: since it was issued."""
    known_on: date
    dispute_id: UUID | None = None
    steps: tuple[str, ...] = ()
    """The steps that were taken about the item, which a settled item took with it."""
    place: Annotated[Place | None, LATER] = None


# --- commands ----------------------------------------------------------------------------------------


class _InvoiceData(AccountCommand):
    least: ClassVar[int] = 1
    """Minor units."""

    number: Number
    kind: ItemKind = ItemKind.INVOICE
    issued_on: date
    due_on: date
    amount: Money
    charges: Money | None = None
    """Original charges before discount; the amount itself where there was none."""
    service_type: Code | None = None
    subscription: Number | None = None
    marked_disputed: bool = False
    information: dict[str, Personal] = Field(default_factory=dict)
    instalment: Annotated[date | None, LATER] = None
    """Of a further instalment of the invoice: the due day that tells it apart. None: the whole, or the first."""

    @property
    def document(self) -> tuple[str, str]:
        """See `invoice_document`."""
        return invoice_document(self.number, self.instalment)

    @model_validator(mode="after")
    def _plausible(self) -> Self:
        if self.amount.minor < self.least:
            raise ValueError("amount: expected more than zero (a credit is a credit note)")
        if self.charges is not None and self.charges < self.amount:
            raise ValueError("charges: expected at least the amount (they are before discount)")
        return self


class BillInvoice(BookingCommand, _InvoiceData, name="bill-invoice", may_need_history=True):
    """Add an invoice. One dated in the future waits for its day."""

    def natural_key(self) -> NaturalKey:
        return document_key(self.account_id, "invoice", self.number, self.instalment)


class CorrectInvoice(_InvoiceData, name="correct-invoice", may_need_history=True):
    """Say what an invoice really was; allocations beyond the new amount come back. An amount of zero withdraws it."""

    least = 0


class WithdrawInvoice(AccountCommand, name="withdraw-invoice", may_need_history=True):
    """Say that an invoice never was owed: it was voided. What paid it pays what else is owed."""

    number: Number
    """All its instalments; `NUMBER/DUE-DAY` for one of them."""


# --- decisions ---------------------------------------------------------------------------------------


@dataclass(slots=True)
class Billing(AccountPart):
    """Decisions about invoices."""

    customer: ClassVar = Needs(Customer)
    receivables: ClassVar = Needs(Receivables)
    allocation: ClassVar = Needs(Allocations)
    deferred: ClassVar = Needs(Deferred)

    @decides(BillInvoice)
    def bill(self, command: BillInvoice, context: Context) -> None:
        self.customer.require_open(command.opens, command.issued_on, context)
        self.customer.require_currency(command.amount, command.charges)
        item = self._item(command)
        if item.id in self.receivables.items or item.id in self.receivables.settled:
            raise Refusal("duplicate-invoice", f"invoice {item.name} is on the account already; correct it")
        if command.instalment is not None:
            self._refuse_same_day(command)
        if command.issued_on > context.today:
            self.deferred.defer(command, command.issued_on, self._waiting_id(command))
            return
        self.deferred.refuse_if_waiting(*command.document)
        self.emit(InvoiceBilled(item=item, known_on=context.today), effective_on=item.issued_on)
        self.allocation.follow_item(item, context)

    @decides(CorrectInvoice)
    def correct(self, command: CorrectInvoice, context: Context) -> None:
        self.require_account()
        self.customer.require_currency(command.amount, command.charges)
        item = self._item(command)
        waiting = self._waiting_id(command)
        if not command.amount and self.deferred.withdraw(waiting):
            return
        if waiting in self.deferred.facts:
            self.deferred.defer(BillInvoice(**command.model_dump()), command.issued_on, waiting)
            return
        was = (
            self.receivables.items.get(item.id)
            or self.receivables.settled.get(item.id)
            or self._forgotten("invoice", item.name)
        )
        if was.item != item:
            self._correct(was, item, context)

    @decides(WithdrawInvoice)
    def withdraw(self, command: WithdrawInvoice, context: Context) -> None:
        self.require_account()
        context.require_reason()
        if waiting := self._waiting_named(command.number):
            self.receivables.require_history()
            self.deferred.withdraw(*waiting)
            if not self.receivables.named(command.number):
                return
        owed = [item.id for item in self._all_named(command.number) if not item.item.is_withdrawn]
        if not owed:
            raise Refusal("invoice-withdrawn", f"invoice {command.number} was withdrawn already")
        for item_id in owed:
            was = self.receivables.items.get(item_id) or self.receivables.settled[item_id]
            self.withdraw_item(was, context)

    def withdraw_item(self, was: OpenItem, context: Context) -> None:
        """It never was owed."""
        nothing = {"amount": self.customer.zero, "charges": self.customer.zero}
        self._correct(was, was.item.model_copy(update=nothing), context)

    def _all_named(self, name: str) -> list[OpenItem]:
        """All instalments that an invoice has or had, or the one that is named."""
        if day_named(name) is not None:
            return [self.receivables.one_named(name)]
        found = self.receivables.named(name)
        if not found or self.receivables.has_instalments:
            self.receivables.require_history()
        return found or [self._forgotten("invoice", name)]

    def _correct(self, was: OpenItem, item: Item, context: Context) -> None:
        previous = was.item
        is_untouched = self._is_untouched(was)
        if item.issued_on > context.today:
            raise Refusal("future-correction", "issued_on: expected today or earlier for an invoice that was billed")
        allocated = was.item.amount - was.open
        if allocated and (allocated > item.amount or item.issued_on > was.item.issued_on):
            self.allocation.release_from_item(
                was,
                down_to=self.customer.zero if item.issued_on > was.item.issued_on else item.amount,
                context=context,
            )
            was = self.receivables.items[item.id]
            allocated = was.item.amount - was.open
        self.emit(
            InvoiceCorrected(
                item=item,
                previous=previous,
                open_after=item.amount - allocated,
                open_since=(
                    item.issued_on if was.open_since == previous.issued_on else max(was.open_since, item.issued_on)
                ),
                known_on=was.known_on,
                dispute_id=was.dispute_id,
                steps=tuple(was.steps),
                place=place_if_open(was, item.amount - allocated, context.today),
            ),
            effective_on=item.issued_on,
        )
        if _of_money(item) != _of_money(previous) and not (item.is_withdrawn and is_untouched):
            self.allocation.follow_change(item.id, min(previous.issued_on, item.issued_on), context)

    def _is_untouched(self, was: OpenItem) -> bool:
        """Whether no money ever was put against it and none is left that could be: nobody misses it."""
        never = was.open == was.item.amount and was.moved_on is None and was.open_since == was.item.issued_on
        return never and not self.receivables.unapplied and not self.allocation.people_decided

    def _item(self, command: BillInvoice | CorrectInvoice) -> Item:
        return Item(
            id=document_id(self.whole.id, *command.document),
            number=command.number,
            kind=command.kind,
            issued_on=command.issued_on,
            due_on=command.due_on,
            amount=command.amount,
            charges=command.charges or command.amount,
            service_type=command.service_type,
            subscription=command.subscription,
            marked_disputed=command.marked_disputed,
            information=command.information,
            instalment=command.instalment,
        )

    def waits_for_its_day(self, name: str) -> bool:
        """Whether an invoice, or an instalment, of that name is dated in the future."""
        return bool(self._waiting_named(name))

    def _waiting_named(self, name: str) -> list[UUID]:
        """Of invoices and instalments of that name that wait for their day."""
        waiting = {
            fact_id: BillInvoice.model_validate(fact.command)
            for fact_id, fact in self.deferred.facts.items()
            if fact.command_name == BillInvoice.command_name
        }
        return [fact_id for fact_id, command in waiting.items() if has_name(self._item(command), name)]

    def _waiting_id(self, command: BillInvoice | CorrectInvoice) -> UUID:
        """Of what waits for its day."""
        kind, number = command.document
        return document_id(self.whole.id, f"deferred-{kind}", number)

    def _refuse_same_day(self, command: BillInvoice) -> None:
        """An instalment of the number is due on that day already, under the number alone."""
        first = self.receivables.known_item(self.receivables.item_id(command.number))
        if first is not None and first.due_on == command.instalment:
            name = f"{command.number}/{command.instalment}"
            raise Refusal("duplicate-invoice", f"invoice {name} is on the account already; correct it")

    def _forgotten(self, kind: str, number: str) -> OpenItem:
        self.receivables.require_history()
        raise Refusal(f"unknown-{kind}", f"the account has no {kind} {number}")

    # --- apply ---

    @applies(InvoiceBilled)
    def _billed(self, event: InvoiceBilled) -> None:
        item = event.item
        self.receivables.items[item.id] = OpenItem(
            item=item, open=item.amount, open_since=item.issued_on, known_on=event.known_on,
            bucket=CURRENT, next_on=item.due_on + ONE_DAY, dispute_id=None, steps=[],
        )  # fmt: skip
        self.receivables.has_instalments |= item.instalment is not None
        self._waited_for(item)

    @applies(InvoiceCorrected)
    def _corrected(self, event: InvoiceCorrected) -> None:
        was = self.receivables.items.get(event.item.id)  # of one that was settled nobody else knows when money moved
        self.receivables.forget_item(event.item.id)
        corrected = OpenItem(
            item=event.item,
            open=event.open_after,
            open_since=event.open_since or event.item.issued_on,
            known_on=event.known_on,
            next_on=event.item.due_on + ONE_DAY,
            dispute_id=event.dispute_id,
            moved_on=self.receivables.allocated_through if was is None else was.moved_on,
            steps=list(event.steps),
            place=event.place or NOWHERE,
        )
        self.receivables.keep_item(corrected)
        if event.item.is_withdrawn:
            self.receivables.went(event.item.issued_on)  # money that names it goes elsewhere from that day on
        self._waited_for(event.item)

    def _waited_for(self, item: Item) -> None:
        for funds in self.receivables.funds.values():
            funds.waits = funds.waits and not has_name(item, funds.receipt.waits_for)
            if funds.unknown:
                funds.unknown = tuple(name for name in funds.unknown if not has_name(item, name))


def _of_money(item: Item) -> tuple[object, ...]:
    """What of an item says which money goes there."""
    return item.amount, item.issued_on, item.due_on, item.kind
