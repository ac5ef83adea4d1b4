"""Receivables: billing, payments and credits, their allocation, reversal and correction, and aging."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import date, timedelta
from itertools import groupby
from uuid import UUID

from aggregates.account.aging import AgeAccount, Aged, BucketMove
from aggregates.account.allocation import AllocatedPart, AllocationReleased, FundsAllocated, ReleasedPart
from aggregates.account.command import document_id
from aggregates.account.deferred import AdmitFact, DeferredFact, FactArrived, FactDeferred
from aggregates.account.receivables import (
    BillInvoice,
    CorrectCredit,
    CorrectInvoice,
    CorrectPayment,
    CreditNoted,
    CreditWithdrawn,
    Funds,
    FundsKind,
    InvoiceBilled,
    InvoiceCorrected,
    Item,
    ItemKind,
    NoteCredit,
    OpenItem,
    PaymentReceived,
    PaymentReversed,
    PromiseShare,
    Receipt,
    ReceivePayment,
    ReversalKind,
    ReversePayment,
)
from aggregates.account.state import AccountState
from aggregates.kernel.aggregate import applies
from aggregates.kernel.command import COMMANDS, DECISIONS, Command, Context, NeedsHistory, Refusal, decides
from aggregates.values.aging import CURRENT
from aggregates.values.money import Money

ONE_DAY = timedelta(days=1)


def allocation_order(item: OpenItem) -> tuple[bool, date, date, str]:
    """Oldest due first, fees last (DOMAIN section 2)."""
    return item.item.kind is ItemKind.FEE, item.due_on, item.item.issued_on, item.item.number


def _funds_order(funds: Funds) -> tuple[bool, date, str]:
    """Money that was meant for an invoice comes first, then the oldest."""
    return funds.receipt.invoice_number is None, funds.receipt.received_on, str(funds.id)


class Ledger(AccountState):
    """Decisions about what is owed."""

    # --- billing ---

    @decides(BillInvoice)
    def bill(self, command: BillInvoice, context: Context) -> None:
        self.require_open()
        self.require_currency(command.amount, command.charges)
        item = self._item(command)
        if item.id in self.items or item.id in self.settled:
            raise Refusal("duplicate-invoice", f"invoice {command.number} is on the account already; correct it")
        if command.issued_on > context.today:
            self._defer(command, command.issued_on, document_id(self.id, "deferred-invoice", command.number))
            return
        self._refuse_if_waiting("invoice", command.number)
        self.emit(InvoiceBilled(item=item, known_on=context.today), effective_on=item.issued_on)
        self.allocate_everything()

    @decides(CorrectInvoice)
    def correct(self, command: CorrectInvoice, context: Context) -> None:
        self.require_open()
        self.require_currency(command.amount, command.charges)
        item = self._item(command)
        waiting = document_id(self.id, "deferred-invoice", command.number)
        if waiting in self.deferred:
            self._defer(BillInvoice(**command.model_dump()), command.issued_on, waiting)
            return
        was = self.items.get(item.id) or self.settled.get(item.id) or self._forgotten("invoice", command.number)
        if was.item == item:
            return
        if item.issued_on > context.today:
            raise Refusal("future-correction", "issued_on: expected today or earlier for an invoice that was billed")
        allocated = was.item.amount - was.open
        if allocated and (allocated > item.amount or item.issued_on > was.item.issued_on):
            self._release_from_item(was, down_to=self.zero if item.issued_on > was.item.issued_on else item.amount)
            was = self.items[item.id]
            allocated = was.item.amount - was.open
        self.emit(
            InvoiceCorrected(
                item=item,
                previous=was.item,
                open_after=item.amount - allocated,
                open_since=max(was.open_since, item.issued_on),
                known_on=was.known_on,
                dispute_id=was.dispute_id,
                steps=tuple(was.steps),
            ),
            effective_on=item.issued_on,
        )
        self.allocate_everything()

    def _item(self, command: BillInvoice | CorrectInvoice) -> Item:
        return Item(
            id=document_id(self.id, "invoice", command.number),
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
        )

    def _forgotten(self, kind: str, number: str) -> OpenItem:
        if not self.remembers:
            raise NeedsHistory
        raise Refusal(f"unknown-{kind}", f"the account has no {kind} {number}")

    # --- money in ---

    @decides(ReceivePayment)
    def receive_payment(self, command: ReceivePayment, context: Context) -> None:
        self.require_open()
        self.require_currency(command.amount)
        payment_id = document_id(self.id, "payment", command.number)
        if payment_id in self.funds or payment_id in self.spent:
            raise Refusal("duplicate-payment", f"payment {command.number} is on the account already; correct it")
        if command.received_on > context.today:
            self._defer(command, command.received_on, document_id(self.id, "deferred-payment", command.number))
            return
        self._refuse_if_waiting("payment", command.number)
        self._receive(command)

    def _receive(self, command: ReceivePayment, settled: tuple[PromiseShare, ...] = ()) -> None:
        left = command.amount - Money.total((share.amount for share in settled), self.currency)
        receipt = Receipt(
            id=document_id(self.id, "payment", command.number),
            kind=FundsKind.PAYMENT,
            number=command.number,
            amount=command.amount,
            received_on=command.received_on,
            invoice_number=command.invoice_number,
            waits_for=self._still_unknown(command.invoice_number),
            promises=settled + self._promise_shares(left, command.received_on),
        )
        self.emit(
            PaymentReceived(receipt=receipt, method=command.method, invoice_number=command.invoice_number),
            effective_on=command.received_on,
        )
        self._allocate(self.funds[receipt.id])

    @decides(NoteCredit)
    def note_credit(self, command: NoteCredit, context: Context) -> None:
        self.require_open()
        self.require_currency(command.amount)
        credit_id = document_id(self.id, "credit", command.number)
        if credit_id in self.funds or credit_id in self.spent:
            raise Refusal("duplicate-credit", f"credit {command.number} is on the account already; correct it")
        if command.issued_on > context.today:
            self._defer(command, command.issued_on, document_id(self.id, "deferred-credit", command.number))
            return
        self._refuse_if_waiting("credit", command.number)
        self._credit(command)

    def _credit(self, command: NoteCredit) -> None:
        receipt = Receipt(
            id=document_id(self.id, "credit", command.number),
            kind=FundsKind.CREDIT,
            number=command.number,
            amount=command.amount,
            received_on=command.issued_on,
            invoice_number=command.invoice_number,
            waits_for=self._still_unknown(command.invoice_number),
        )
        self.emit(CreditNoted(receipt=receipt, invoice_number=command.invoice_number), effective_on=command.issued_on)
        self._allocate(self.funds[receipt.id])

    def _still_unknown(self, invoice_number: str | None) -> str | None:
        """The invoice number where no such invoice was ever billed, so that the money waits for it."""
        if invoice_number is None:
            return None
        item_id = document_id(self.id, "invoice", invoice_number)
        if item_id in self.items or item_id in self.settled:
            return None
        if not self.remembers:
            raise NeedsHistory
        return invoice_number

    def _promise_shares(self, amount: Money, received_on: date) -> tuple[PromiseShare, ...]:
        """Open promises share a payment in the order they are due, so that none covers the same money twice."""
        shares = []
        for promise in sorted(self.promises.values(), key=lambda p: (p.due_on, p.made_on, str(p.id))):
            share = min(amount, promise.remaining)
            if share and received_on >= promise.made_on:
                shares.append(PromiseShare(promise_id=promise.id, amount=share))
                amount -= share
        return tuple(shares)

    # --- allocation ---

    def allocate_everything(self) -> None:
        """Puts what is unapplied against what is open, wherever it may."""
        if not self.items or not any(funds.unapplied for funds in self.funds.values()):
            return
        meant_first = sorted(self.funds.values(), key=_funds_order)
        for funds in meant_first:
            if funds.unapplied:
                self._allocate(funds)

    def _allocate(self, funds: Funds) -> None:
        """As instructed, else oldest due first; never to a disputed item unless the customer named it."""
        if funds.waits:
            return
        number = funds.receipt.invoice_number
        named = self.items.get(document_id(self.id, "invoice", number)) if number else None
        others = sorted((i for i in self.items.values() if not i.dispute_id and i is not named), key=allocation_order)
        left = funds.unapplied
        parts: list[tuple[date, AllocatedPart]] = []
        for item in ([named] if named else []) + others:
            amount = min(left, item.open)
            if not amount:
                break
            left -= amount
            part = AllocatedPart(item_id=item.id, amount=amount, open_after=item.open - amount)
            parts.append((max(funds.receipt.received_on, item.open_since), part))
        parts.sort(key=lambda part: part[0])
        for allocated_on, group in groupby(parts, key=lambda part: part[0]):
            same_day = tuple(part for _, part in group)
            self.emit(
                FundsAllocated(
                    funds_id=funds.id,
                    allocated_on=allocated_on,
                    parts=same_day,
                    unapplied_after=funds.unapplied - Money.total((p.amount for p in same_day), self.currency),
                ),
                effective_on=allocated_on,
            )

    # --- reversal ---

    @decides(ReversePayment)
    def reverse_payment(self, command: ReversePayment, context: Context) -> None:
        self.require_open()
        if command.reversed_on > context.today:
            raise Refusal("future-reversal", "reversed_on: expected today or earlier")
        funds = self._funds_with_history("payment", command.number)
        if command.reversed_on < funds.receipt.received_on:
            raise Refusal("reversed-first", f"reversed_on: expected {funds.receipt.received_on} (receipt) or later")
        self._reverse(funds, command.reversal, command.reversed_on)
        self.allocate_everything()

    @decides(CorrectPayment)
    def correct_payment(self, command: CorrectPayment, context: Context) -> None:
        self.require_open()
        self.require_currency(command.amount)
        waiting = document_id(self.id, "deferred-payment", command.number)
        if waiting in self.deferred:
            self._defer(ReceivePayment(**command.model_dump()), command.received_on, waiting)
            return
        if command.received_on > context.today:
            raise Refusal("future-correction", "received_on: expected today or earlier for a payment that came in")
        funds = self._funds_with_history("payment", command.number)
        settled = self._shares_of_settled_promises(funds.receipt, command.amount)
        self._reverse(funds, ReversalKind.ERROR, funds.receipt.received_on, still_counts=settled)
        self._receive(command, settled)
        self.allocate_everything()

    def _shares_of_settled_promises(self, receipt: Receipt, amount: Money) -> tuple[PromiseShare, ...]:
        """What a corrected payment goes on counting for: promises that it had settled, up to its new amount."""
        shares = []
        for share in receipt.promises:
            if share.promise_id not in self.promises and amount:
                shares.append(share.model_copy(update={"amount": min(amount, share.amount)}))
                amount -= shares[-1].amount
        return tuple(shares)

    @decides(CorrectCredit)
    def correct_credit(self, command: CorrectCredit, context: Context) -> None:
        self.require_open()
        self.require_currency(command.amount)
        waiting = document_id(self.id, "deferred-credit", command.number)
        if waiting in self.deferred:
            self._defer(NoteCredit(**command.model_dump()), command.issued_on, waiting)
            return
        if command.issued_on > context.today:
            raise Refusal("future-correction", "issued_on: expected today or earlier for a credit that was given")
        funds = self._funds_with_history("credit", command.number)
        self._release_everything(funds, funds.receipt.received_on)
        self.emit(CreditWithdrawn(receipt=funds.receipt), effective_on=funds.receipt.received_on)
        self._credit(command)
        self.allocate_everything()

    def _funds_with_history(self, kind: str, number: str) -> Funds:
        """The payment or credit with everything it settled, which only a remembering account knows."""
        if not self.remembers:
            raise NeedsHistory
        funds_id = document_id(self.id, kind, number)
        funds = self.funds.get(funds_id) or self.spent.get(funds_id)
        if funds is None:
            raise Refusal(f"unknown-{kind}", f"the account has no {kind} {number}")
        if funds.reversed:
            raise Refusal(f"{kind}-reversed", f"{kind} {number} was taken back already")
        return funds

    def _reverse(
        self, funds: Funds, reversal: ReversalKind, reversed_on: date, *, still_counts: Sequence[PromiseShare] = ()
    ) -> None:
        """Take a payment back. One recorded in error never was."""
        on = funds.receipt.received_on if reversal is ReversalKind.ERROR else reversed_on
        self._release_everything(funds, on)
        gone = tuple(share for share in funds.receipt.promises if share not in still_counts)
        receipt = funds.receipt.model_copy(update={"promises": gone})
        self.emit(PaymentReversed(receipt=receipt, reversal=reversal, reversed_on=on), effective_on=on)

    def _release_everything(self, funds: Funds, gone_on: date) -> None:
        """Money that is gone from a day on releases then what it had settled; what it settled later, it never did."""
        amounts: dict[date, dict[UUID, Money]] = {}
        for item_id, parts in funds.allocated.items():
            for part in parts:
                day = amounts.setdefault(max(gone_on, part.allocated_on), {})
                day[item_id] = day.get(item_id, self.zero) + part.amount
        reopened = {i for i, parts in funds.allocated.items() if any(part.allocated_on < gone_on for part in parts)}
        for released_on, of_items in sorted(amounts.items()):
            self._release(funds, of_items, released_on, reopened if released_on == gone_on else frozenset())

    def _release_from_item(self, was: OpenItem, *, down_to: Money) -> None:
        """Take allocations back from an item, the newest first, until no more than `down_to` is allocated."""
        if not self.remembers:
            raise NeedsHistory
        excess = was.item.amount - was.open - down_to
        given = [
            (part, funds)
            for funds in (*self.funds.values(), *self.spent.values())
            for part in funds.allocated.get(was.id, ())
        ]
        for part, funds in sorted(given, key=lambda given: given[0].allocated_on, reverse=True):
            amount = min(excess, part.amount)
            if amount:
                excess -= amount
                self._release(funds, {was.id: amount}, part.allocated_on, frozenset())

    def _release(
        self, funds: Funds, amounts: Mapping[UUID, Money], released_on: date, reopened: AbstractSet[UUID]
    ) -> None:
        """`reopened` are the items that were settled up to that day; on the others the money never was."""
        parts = tuple(
            ReleasedPart(
                item=was.item,
                amount=amount,
                open_after=was.open + amount,
                open_since=max(was.open_since, released_on) if was.id in reopened else was.open_since,
                known_on=was.known_on,
                dispute_id=was.dispute_id,
                steps=tuple(was.steps),
            )
            for item_id, amount in amounts.items()
            for was in (self.items.get(item_id) or self.settled[item_id],)
        )
        self.emit(
            AllocationReleased(
                receipt=funds.receipt,
                released_on=released_on,
                parts=parts,
                unapplied_after=funds.unapplied + Money.total(amounts.values(), self.currency),
            ),
            effective_on=released_on,
        )

    # --- facts of the future ---

    def _refuse_if_waiting(self, kind: str, number: str) -> None:
        if document_id(self.id, f"deferred-{kind}", number) in self.deferred:
            raise Refusal(f"duplicate-{kind}", f"{kind} {number} waits for its day already; correct it")

    def _defer(self, command: Command, arrives_on: date, fact_id: UUID) -> None:
        deferred = DeferredFact(
            arrives_on=arrives_on,
            command_name=command.command_name,
            command=command.model_dump(mode="json", exclude={"information"}),
            information=getattr(command, "information", {}),
        )
        if self.deferred.get(fact_id) != deferred:
            self.emit(FactDeferred(fact_id=fact_id, **deferred.model_dump()))

    @decides(AdmitFact)
    def admit(self, command: AdmitFact, context: Context) -> None:
        self.require_open()
        fact = self.deferred.get(command.fact_id)
        if fact is None or fact.arrives_on > context.today:
            return
        besides = {"information": fact.information} if fact.information else {}
        deferred = COMMANDS[fact.command_name].model_validate({**fact.command, **besides})
        self.emit(FactArrived(fact_id=command.fact_id), effective_on=fact.arrives_on)
        DECISIONS[type(deferred)](self, deferred, context)

    # --- aging ---

    @decides(AgeAccount)
    def age(self, command: AgeAccount, context: Context) -> None:
        self.require_open()
        scheme, today = context.settings.scheme, context.today
        moves = []
        oldest = CURRENT
        for item in self.items.values():
            bucket = scheme.bucket_of((today - item.due_on).days)
            next_on = scheme.next_boundary(item.due_on, today)
            if (bucket, next_on) != (item.bucket, item.next_on):
                moves.append(BucketMove(item_id=item.id, bucket=bucket, next_on=next_on))
            oldest = max(oldest, bucket, key=scheme.rank)
        if moves or oldest != self.bucket:
            self.emit(
                Aged(
                    as_of=today,
                    moves=tuple(moves),
                    bucket=oldest,
                    previous_bucket=self.bucket,
                    days_past_due=self.days_past_due(context),
                )
            )

    # --- apply ---

    @applies(InvoiceBilled)
    def _billed(self, event: InvoiceBilled) -> None:
        item = event.item
        self.items[item.id] = OpenItem.model_construct(
            item=item, open=item.amount, open_since=item.issued_on, known_on=event.known_on,
            bucket=CURRENT, next_on=item.due_on + ONE_DAY, dispute_id=None, steps=[],
        )  # fmt: skip
        for funds in self.funds.values():
            funds.waits = funds.waits and funds.receipt.waits_for != item.number

    @applies(InvoiceCorrected)
    def _corrected(self, event: InvoiceCorrected) -> None:
        self._forget_item(event.item.id)
        corrected = OpenItem(
            item=event.item,
            open=event.open_after,
            open_since=event.open_since or event.item.issued_on,
            known_on=event.known_on,
            next_on=event.item.due_on + ONE_DAY,
            dispute_id=event.dispute_id,
            steps=list(event.steps),
        )
        self._keep_item(corrected)

    @applies(CreditNoted, PaymentReceived)
    def _received(self, event: CreditNoted | PaymentReceived) -> None:
        receipt = event.receipt
        self.spent.pop(receipt.id, None)
        self.funds[receipt.id] = Funds(receipt=receipt, unapplied=receipt.amount, waits=receipt.waits_for is not None)
        for share in receipt.promises:
            if share.promise_id in self.promises:
                self.promises[share.promise_id].remaining -= share.amount

    @applies(FundsAllocated)
    def _allocated(self, event: FundsAllocated) -> None:
        funds = self.funds[event.funds_id]
        for part in event.parts:
            funds.allocate(part.item_id, part.amount, event.allocated_on)
            item = self.items.pop(part.item_id)
            item.open = part.open_after
            self._keep_item(item)
        funds.unapplied = event.unapplied_after
        self._keep_funds(funds)

    @applies(AllocationReleased)
    def _allocation_released(self, event: AllocationReleased) -> None:
        known = self.funds.get(event.receipt.id) or self.spent.pop(event.receipt.id, None)
        funds = known or Funds(receipt=event.receipt, unapplied=self.zero)
        for part in event.parts:
            self._forget_item(part.item.id)
            self.items[part.item.id] = OpenItem(
                item=part.item,
                open=part.open_after,
                open_since=part.open_since,
                known_on=part.known_on,
                next_on=part.item.due_on + ONE_DAY,
                dispute_id=part.dispute_id,
                steps=list(part.steps),
            )
            funds.release(part.item.id, part.amount, event.released_on)
        funds.unapplied = event.unapplied_after
        self.funds[funds.id] = funds

    @applies(PaymentReversed, CreditWithdrawn)
    def _taken_back(self, event: PaymentReversed | CreditWithdrawn) -> None:
        receipt = event.receipt
        funds = self.funds.pop(receipt.id, None) or self.spent.pop(receipt.id, None)
        if funds and self.remembers:
            funds.unapplied, funds.reversed = self.zero, True
            self.spent[receipt.id] = funds
        for share in receipt.promises:
            if share.promise_id in self.promises:
                self.promises[share.promise_id].remaining += share.amount

    @applies(FactDeferred)
    def _deferred(self, event: FactDeferred) -> None:
        self.deferred[event.fact_id] = DeferredFact(
            arrives_on=event.arrives_on,
            command_name=event.command_name,
            command=event.command,
            information=event.information,
        )

    @applies(FactArrived)
    def _arrived(self, event: FactArrived) -> None:
        self.deferred.pop(event.fact_id)

    @applies(Aged)
    def _aged(self, event: Aged) -> None:
        self.bucket = event.bucket
        for move in event.moves:
            item = self.items[move.item_id]
            item.bucket, item.next_on = move.bucket, move.next_on

    def _forget_item(self, item_id: UUID) -> None:
        self.items.pop(item_id, None)
        self.settled.pop(item_id, None)

    def _keep_item(self, item: OpenItem) -> None:
        if item.open:
            self.items[item.id] = item
        elif self.remembers:
            self.settled[item.id] = item

    def _keep_funds(self, funds: Funds) -> None:
        if not funds.unapplied:
            del self.funds[funds.id]
            if self.remembers:
                self.spent[funds.id] = funds
