"""Fees: each a new invoice of a fee service type, whose lines say what it is taken of; and what allows them."""

from base64 import b32encode
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import ClassVar
from uuid import UUID

from pydantic import Field

from aggregates.account.allocation import Allocations
from aggregates.account.billing import Billing, InvoiceBilled, InvoiceCorrected
from aggregates.account.command import AccountCommand, document_id
from aggregates.account.customer import Customer
from aggregates.account.part import AccountPart
from aggregates.account.payments import NoteCredit, Payments
from aggregates.account.placing import Placing
from aggregates.account.receivables import Item, ItemKind, OpenItem, Receivables
from aggregates.kernel.aggregate import Needs, applies, decides
from aggregates.kernel.command import identifier
from aggregates.kernel.context import Context
from aggregates.kernel.event import Event
from aggregates.kernel.refusals import Refusal
from aggregates.values.codes import Code, Number
from aggregates.values.fees import MOST_LINES, NOT_ALLOWED, PLACED, Fee, FeeBasis, FeeGround, FeeLimits, FeeLine
from aggregates.values.money import Money

# --- events ------------------------------------------------------------------------------------------


class FeeGroundRecorded(Event, name="account.fee-ground-recorded"):
    """What allows fees on the account was recorded: the agreement that created the debt, or law; None: nothing does."""

    ground: FeeGround | None


# --- commands ----------------------------------------------------------------------------------------


class AddFee(AccountCommand, name="add-fee", may_need_history=True, internal=True):
    """Add a fee as it was worked out. Whoever issues it worked it out by the office's rules."""

    fee_id: UUID
    """Its number follows from this."""
    basis: FeeBasis
    as_of: date
    service_type: Code
    due_today: Money
    """The account's balance as it was then."""
    lines: tuple[FeeLine, ...] = Field(min_length=1, max_length=MOST_LINES)


class WaiveFee(AccountCommand, name="waive-fee", may_need_history=True):
    """Let the customer off what is open of a fee: a credit of that fee."""

    number: Number


class RecordFeeGround(AccountCommand, name="record-fee-ground"):
    """Say what allows fees on the account, where it is a consumer's debt that is collected for others."""

    ground: FeeGround | None


# --- decisions ---------------------------------------------------------------------------------------


@dataclass(slots=True)
class Fees(AccountPart):
    """What allows fees, and which subscriptions' discounts bore one."""

    ground: FeeGround | None = None
    discounts: dict[str, UUID] = field(default_factory=dict)
    """By subscription the fee that was taken of its initial discount: once ever, unless that fee is withdrawn."""

    customer: ClassVar = Needs(Customer)
    receivables: ClassVar = Needs(Receivables)
    allocation: ClassVar = Needs(Allocations)
    billing: ClassVar = Needs(Billing)
    payments: ClassVar = Needs(Payments)
    placing: ClassVar = Needs(Placing)

    @decides(AddFee)
    def add(self, command: AddFee, context: Context) -> None:
        self.require_account()
        if command.due_today != self.receivables.balance:
            raise Refusal("fee-of-another-balance", "the account changed since the fee was worked out; add it anew")
        fee = Fee(basis=command.basis, as_of=command.as_of, lines=command.lines)
        self.charge(command.fee_id, command.service_type, fee, context)

    @decides(WaiveFee)
    def waive(self, command: WaiveFee, context: Context) -> None:
        self.require_account()
        context.require_reason()
        fee = self.receivables.one_named(command.number)
        if fee.item.kind is not ItemKind.FEE:
            raise Refusal("not-a-fee", f"invoice {command.number} is no fee")
        if not fee.open:
            raise Refusal("not-open", f"invoice {command.number} has no open amount")
        self.payments.note_credit(
            NoteCredit(
                account_id=self.whole.id,
                number=self._free_number(f"WAIVER-{command.number}"),
                issued_on=context.today,
                amount=fee.open,
                invoice_number=fee.item.name,
            ),
            context,
        )

    @decides(RecordFeeGround)
    def record_ground(self, command: RecordFeeGround, context: Context) -> None:
        self.require_account()
        if command.ground is not self.ground:
            self.emit(FeeGroundRecorded(ground=command.ground))

    def charge(self, fee_id: UUID, service_type: str, fee: Fee, context: Context) -> Item:
        """The fee invoice, due by the office's terms. Refuses what is not allowed, and a discount that bore one."""
        office = self.customer.office(context)
        office.require_fee_service_type(service_type)
        self.customer.require_currency(*(each.amount for each in fee.lines))
        currency = self.customer.currency
        limits = FeeLimits.of(office.fees, office.contact, office_currency=office.currency, currency=currency)
        if self.placing.current is not None:
            raise Refusal("placed-already", f"the account bears no fee: {PLACED}")
        if limits.forbid(self.customer.kind, self.ground):
            raise Refusal("fee-not-allowed", f"the account bears no fee: {NOT_ALLOWED}")
        if again := [each for each in fee.subscriptions() if each in self.discounts]:
            raise Refusal("discount-bore-fee", f"the discount of {', '.join(again)} bore a fee already")
        number = fee_number(office.fees.number_prefix, fee_id, self.whole.id, context.today)
        amount = Money.total((each.amount for each in fee.lines), currency)
        item = Item(
            id=document_id(self.whole.id, "invoice", number),
            number=number,
            kind=ItemKind.FEE,
            issued_on=context.today,
            due_on=context.today + timedelta(days=office.fees.terms_days),
            amount=amount,
            charges=amount,
            service_type=service_type,
        )
        if self.receivables.known_item(item.id) is not None:
            raise Refusal("duplicate-invoice", f"invoice {number} is on the account already; correct it")
        self.emit(InvoiceBilled(item=item, known_on=context.today, fee=fee), effective_on=item.issued_on)
        self.allocation.follow_item(item, context)
        return item

    def unpaid(self, fee_id: UUID) -> OpenItem | None:
        """The fee invoice of this item id, where all of it is open."""
        item = self.receivables.items.get(fee_id)
        return item if item is not None and item.open == item.item.amount else None

    def withdraw(self, fee: OpenItem, context: Context) -> None:
        """It never was owed."""
        self.billing.withdraw_item(fee, context)

    def _free_number(self, number: str) -> str:
        """Of a credit; a fee that is open again may be waived again."""
        known = {*self.receivables.funds, *self.receivables.used_up}
        at, found = 1, number
        while document_id(self.whole.id, "credit", found) in known:
            at += 1
            found = f"{number}-{at}"
        return found

    # --- apply ---

    @applies(FeeGroundRecorded)
    def _ground_recorded(self, event: FeeGroundRecorded) -> None:
        self.ground = event.ground

    @applies(InvoiceBilled)
    def _billed(self, event: InvoiceBilled) -> None:
        if event.fee is not None and (of := event.fee.subscriptions()):
            self.discounts = {**self.discounts, **dict.fromkeys(of, event.item.id)}

    @applies(InvoiceCorrected)
    def _corrected(self, event: InvoiceCorrected) -> None:
        if event.item.is_withdrawn and self.discounts:
            self.discounts = {of: fee for of, fee in self.discounts.items() if fee != event.item.id}


def fee_number(prefix: str, fee_id: UUID, account: UUID, day: date) -> str:
    """The number of a fee invoice: that of the office's scheme, its day, and what tells it apart from every other; the
    same for the same fee of the same account."""
    own = b32encode(identifier("fee", fee_id, account).bytes).decode()[:10]
    return f"{prefix}{day:%Y%m%d}-{own}"
