"""An account with an outside agency: placed, paid through it, recalled or closed. At most one placement is open."""

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import ClassVar
from uuid import UUID

from aggregates.account.collections_stage import CollectionsStage, CollectionsStageChanged, CollectionsStages
from aggregates.account.command import document_id
from aggregates.account.contact import Contact
from aggregates.account.contact_history import ContactHistory, FactKind
from aggregates.account.customer import Customer
from aggregates.account.disputes import Disputes
from aggregates.account.flags import Flags
from aggregates.account.part import AccountPart
from aggregates.account.payments import Payments
from aggregates.account.placement import (
    AcknowledgePlacement,
    AdjustPlacement,
    AgencyCommand,
    AgencyPaymentPosted,
    ClosePlacement,
    ItemizationDate,
    MarkPlacementSent,
    PlaceAccount,
    Placed,
    Placement,
    PlacementAcknowledged,
    PlacementAdjusted,
    PlacementEnd,
    PlacementEnded,
    PlacementSent,
    PostAgencyPayment,
    RecallByRule,
    RecallPlacement,
    RejectPlacement,
    placement_file_id,
    placement_id,
)
from aggregates.account.promises import Promises
from aggregates.account.receivables import ItemKind, MeantFor, Receivables
from aggregates.account.shields import Shield, ShieldSource, Why
from aggregates.kernel.aggregate import Needs, applies, decides
from aggregates.kernel.context import Context
from aggregates.kernel.personal import ERASED
from aggregates.kernel.refusals import Refusal
from aggregates.values.contact import Channel
from aggregates.values.money import Money

_NEVER_PLACED = {FactKind.BANKRUPTCY: "bankruptcy", FactKind.DECEASED: "deceased"}
"""Facts that keep an account from being placed, and the flags that say the same."""


@dataclass(slots=True)
class Placing(AccountPart):
    """The agency that has the account, and those that had it."""

    current: Placement | None = None
    ended: dict[str, UUID] = field(default_factory=dict)
    """By agency its last placement that is over: money may come in for that still."""
    placements: int = 0
    """How many there were."""

    customer: ClassVar = Needs(Customer)
    contact: ClassVar = Needs(Contact)
    contact_history: ClassVar = Needs(ContactHistory)
    receivables: ClassVar = Needs(Receivables)
    flags: ClassVar = Needs(Flags)
    disputes: ClassVar = Needs(Disputes)
    promises: ClassVar = Needs(Promises)
    payments: ClassVar = Needs(Payments)
    stages: ClassVar = Needs(CollectionsStages)

    def shields(self) -> list[Shield]:
        """What an agency collects is not chased by us."""
        if self.current is None:
            return []
        detail = f"placed with agency {self.current.agency} since {self.current.placed_on}"
        return [Shield(ShieldSource.PLACEMENT, Why(code="placed", detail=detail))]

    @property
    def balance(self) -> Money:
        """What an agency is given to collect: what is owed, and what is written off with the claim kept."""
        return self.receivables.balance + self.receivables.claims

    @property
    def itemization_date(self) -> tuple[ItemizationDate, date] | None:
        """The day of the latest open invoice, later fees being itemized by themselves; where none is open, that of the
        latest write-off; None where nothing is owed."""
        items = [each.item for each in self.receivables.items.values()]
        if dated := [each.issued_on for each in items if each.kind is ItemKind.INVOICE] or [e.issued_on for e in items]:
            return ItemizationDate.LAST_STATEMENT, max(dated)
        charged_off = self.receivables.charged_off_on
        return None if charged_off is None else (ItemizationDate.CHARGE_OFF, charged_off)

    # --- placing and taking back ---

    @decides(PlaceAccount)
    def place_account(self, command: PlaceAccount, context: Context) -> None:
        self.require_account()
        self.place(command.agency, context)

    def place(self, agency: str, context: Context, *, bulk_id: UUID | None = None) -> None:
        """Refuses what must not be placed, and what an agency could not itemize."""
        terms = self.customer.office(context).require_agency(agency)
        if self.current is not None:
            raise Refusal("placed-already", f"the account is with agency {self.current.agency}; recall it first")
        self._require_placeable()
        itemized_by, itemized_on = self._require_itemization(context)
        this = placement_id(self.whole.id, self.placements + 1)
        after = terms.recall_after_days
        self.emit(
            Placed(
                placement_id=this,
                agency=agency,
                file_id=placement_file_id(bulk_id or this),
                bulk_id=bulk_id,
                placed_on=context.today,
                balance=self.balance,
                itemization_date_type=itemized_by,
                itemization_date=itemized_on,
                recall_on=None if after is None else context.today + timedelta(days=after),
            )
        )
        self._set_stage(CollectionsStage.PENDING)

    def _require_placeable(self) -> None:
        standing = {fact.kind for fact in self.contact_history.facts.values()}
        for kind, flag in _NEVER_PLACED.items():
            if kind in standing or flag in self.flags.carried:
                raise Refusal("not-placeable", f"the account is not placed: {flag}")
        if self.disputes.open:
            raise Refusal("not-placeable", "the account is not placed: a dispute is not resolved")
        if self.promises.open:
            raise Refusal("not-placeable", "the account is not placed: a promise to pay is open")
        if self.balance.minor <= 0:
            raise Refusal("nothing-to-place", "the account owes nothing that could be placed")

    def _require_itemization(self, context: Context) -> tuple[ItemizationDate, date]:
        """12 CFR 1006.34(c): the agency's validation notice names the consumer and itemizes the debt from a day on."""
        details, missing = self.contact.details, list[str]()
        if self.customer.name in ("", ERASED):
            missing.append("the customer's name")
        if not details.points(Channel.LETTER) and not details.points(Channel.EMAIL):
            missing.append("an address or e-mail address for the validation notice")
        itemized = self.itemization_date
        if itemized is None or itemized[1] > context.today:
            missing.append("an open invoice of today or an earlier day")
        if missing or itemized is None:
            raise Refusal("itemization-missing", f"an agency could not itemize the debt: expected {', '.join(missing)}")
        return itemized

    @decides(RecallPlacement)
    def recall(self, command: RecallPlacement, context: Context) -> None:
        self._require_open(None)
        context.require_reason()
        self.end(PlacementEnd.RECALLED, context, code=command.code)

    @decides(RecallByRule)
    def recall_by_rule(self, command: RecallByRule, context: Context) -> None:
        current = self.current
        if current is None or current.id != command.placement_id or current.recall_on is None:
            return
        if context.today >= current.recall_on:
            self.end(PlacementEnd.RECALLED, context, code="placement-term")

    def end(
        self,
        end: PlacementEnd,
        context: Context,
        *,
        code: str | None = None,
        notes: str | None = None,
        stage: CollectionsStage = CollectionsStage.NOT_SET,
    ) -> None:
        """The open placement is over, and the account has this stage. What an agency never took is still to be
        placed."""
        current = self._require_open(None)
        self.emit(
            PlacementEnded(
                placement_id=current.id,
                agency=current.agency,
                end=end,
                code=code,
                notes=notes,
                ended_on=context.today,
            )
        )
        rejected = end is PlacementEnd.REJECTED
        self._set_stage(CollectionsStage.PENDING if rejected else stage)

    @decides(MarkPlacementSent)
    def mark_sent(self, command: MarkPlacementSent, context: Context) -> None:
        current = self.current
        if current is None or current.file_id != command.file_id or current.sent_on is not None:
            return
        self.emit(
            PlacementSent(
                placement_id=current.id, agency=current.agency, file_id=command.file_id, sent_on=context.today
            )
        )
        self._set_stage(CollectionsStage.SENT)

    # --- what the agency says ---

    @decides(AcknowledgePlacement)
    def acknowledge(self, command: AcknowledgePlacement, context: Context) -> None:
        current = self._require_open(command.agency)
        if current.acknowledged_on is None:
            self.emit(
                PlacementAcknowledged(
                    placement_id=current.id,
                    agency=current.agency,
                    agency_number=command.agency_number,
                    acknowledged_on=context.today,
                )
            )

    @decides(RejectPlacement)
    def reject(self, command: RejectPlacement, context: Context) -> None:
        self._require_open(command.agency)
        self.end(PlacementEnd.REJECTED, context, code=command.code, notes=command.notes)

    @decides(ClosePlacement)
    def close(self, command: ClosePlacement, context: Context) -> None:
        self._require_open(command.agency)
        self.end(PlacementEnd.CLOSED, context, code=command.code, notes=command.notes)

    @decides(AdjustPlacement)
    def adjust(self, command: AdjustPlacement, context: Context) -> None:
        known = self._require_known(command)
        self.customer.require_currency(command.amount)
        self.emit(
            PlacementAdjusted(
                placement_id=known,
                agency=command.agency,
                reference=command.reference,
                amount=command.amount,
                adjusted_on=command.adjusted_on,
                notes=command.notes,
            )
        )

    @decides(PostAgencyPayment)
    def post_payment(self, command: PostAgencyPayment, context: Context) -> None:
        """All of it is the customer's payment: what the agency keeps of it is between it and the office."""
        known = self._require_known(command)
        self.customer.require_currency(command.amount)
        if command.paid_on > context.today:
            raise Refusal("agency-payment-day", "paid_on: expected today or an earlier day")
        terms = self.customer.office(context).agencies[command.agency]
        commission = command.commission
        if commission is None:
            commission = command.amount.share(terms.commission_bp, 10_000)
        self.customer.require_currency(commission)
        if commission > command.amount:
            raise Refusal("commission-too-large", f"commission: expected at most {command.amount}")
        number = command.payment_number
        if self.receivables.known_funds(document_id(self.whole.id, "payment", number)) is not None:
            raise Refusal("duplicate-payment", f"payment {number} is on the account already; correct it")
        funds = self.payments.book(
            number, command.amount, command.paid_on, method=f"agency:{command.agency}", meant_for=MeantFor()
        )
        self.payments.allocation.follow_money(funds, context)
        self.emit(
            AgencyPaymentPosted(
                placement_id=known,
                agency=command.agency,
                payment_id=funds.id,
                payment_number=number,
                reference=command.reference,
                amount=command.amount,
                commission=commission,
                paid_on=command.paid_on,
            ),
            effective_on=command.paid_on,
        )

    # --- inside ---

    def _set_stage(self, stage: CollectionsStage) -> None:
        if self.stages.stage is not stage:
            self.emit(CollectionsStageChanged(stage=stage, previous=self.stages.stage))

    def _require_open(self, agency: str | None) -> Placement:
        """Refuses where the account is not placed, or with another agency than this one."""
        self.require_account()
        if self.current is None or agency not in (None, self.current.agency):
            raise Refusal("not-placed", f"the account is not with {'an agency' if agency is None else agency}")
        return self.current

    def _require_known(self, command: AgencyCommand) -> UUID:
        """The placement with the agency that is open, or was the last one."""
        self.require_account()
        if self.current is not None and self.current.agency == command.agency:
            return self.current.id
        if command.agency not in self.ended:
            raise Refusal("not-placed", f"the account never was with {command.agency}")
        return self.ended[command.agency]

    # --- apply ---

    @applies(Placed)
    def _placed(self, event: Placed) -> None:
        self.placements += 1
        self.current = Placement(
            id=event.placement_id,
            agency=event.agency,
            file_id=event.file_id,
            placed_on=event.placed_on,
            balance=event.balance,
            recall_on=event.recall_on,
        )

    @applies(PlacementSent)
    def _sent(self, event: PlacementSent) -> None:
        self.current = self.current and self.current.model_copy(update={"sent_on": event.sent_on})

    @applies(PlacementAcknowledged)
    def _acknowledged(self, event: PlacementAcknowledged) -> None:
        self.current = self.current and self.current.model_copy(update={"acknowledged_on": event.acknowledged_on})

    @applies(PlacementAdjusted, AgencyPaymentPosted)
    def _noted(self, event: PlacementAdjusted | AgencyPaymentPosted) -> None:
        """What it says of money is the payments' own."""

    @applies(PlacementEnded)
    def _ended(self, event: PlacementEnded) -> None:
        self.current = None
        self.ended = {**self.ended, event.agency: event.placement_id}
