"""From receivables' events to ledger entries and item versions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, ClassVar
from uuid import UUID

from psycopg import Connection

from aggregates.account.allocation import AllocationReleased, FundsAllocated
from aggregates.account.billing import InvoiceBilled, InvoiceCorrected
from aggregates.account.customer import AccountOpened, CustomerRenamed
from aggregates.account.payments import (
    CreditNoted,
    CreditWithdrawn,
    FundsRefunded,
    PaymentReceived,
    PaymentReversed,
    PaymentReversedInPart,
    RefundWithdrawn,
    ReversalWithdrawn,
)
from aggregates.account.reallocation import FundsReallocated
from aggregates.account.receivables import GoneBack, Item, Receipt, ReversalKind, WriteOffChange
from aggregates.account.transfers import PaymentTransferred, TransferReturned
from aggregates.account.write_offs import DebtWrittenOff
from aggregates.kernel.event import Recorded
from aggregates.office import OfficeOpened, TimeZoneChanged
from aggregates.values.money import Money
from projections.batch import EventProjection, Row, Table, as_json, keep_latest, on, rows_from

_OFFICES = Table(
    "ledger_offices",
    key="office_id",
    columns=["office_id uuid", "code text", "title text", "currency text", "time_zone text", "position bigint"],
)
_ACCOUNTS = Table(
    "ledger_accounts",
    key="account_id",
    columns=[
        "account_id uuid", "office_id uuid", "number text", "customer_kind text", "segment text", "country text",
        "currency text", "opened_on date", "position bigint",
    ],
)  # fmt: skip
_ITEMS = Table(
    "ledger_items",
    key="item_id, position",
    columns=[
        "item_id uuid", "position bigint", "account_id uuid", "number text", "kind text", "issued_on date",
        "due_on date", "amount_minor bigint", "charges_minor bigint", "currency text", "service_type text",
        "subscription text", "recorded_from timestamptz",
    ],
)  # fmt: skip
_ENTRIES = Table(
    "ledger_entries",
    key="position, ordinal",
    columns=[
        "position bigint", "ordinal smallint", "event_id uuid", "account_id uuid", "item_id uuid", "funds_id uuid",
        "kind text", "effective_on date", "recorded_at timestamptz", "item_minor bigint", "unapplied_minor bigint",
        "sale_minor bigint", "claim_minor bigint", "currency text",
    ],
)  # fmt: skip

_RENAME = f"""
    UPDATE ledger_accounts AS account
    SET customer_kind = changed.customer_kind,
        segment       = changed.segment,
        country       = changed.country,
        position      = changed.position
    FROM ({
    rows_from("account_id uuid", "customer_kind text", "segment text", "country text", "position bigint")
}) AS changed
    WHERE account.account_id = changed.account_id
      AND account.position   < changed.position
"""  # noqa: S608

_MOVE_OFFICE = f"""
    UPDATE ledger_offices AS office
    SET time_zone = changed.time_zone,
        position  = changed.position
    FROM ({rows_from("office_id uuid", "time_zone text", "position bigint")}) AS changed
    WHERE office.office_id = changed.office_id
      AND office.position  < changed.position
"""  # noqa: S608

# The last known version of an item ends when the next one begins, whatever a batch repeats.
_END_VERSIONS = """
    UPDATE ledger_items AS item
    SET recorded_until = version.ends
    FROM (
        SELECT item_id, position,
               lead(recorded_from, 1, 'infinity') OVER (PARTITION BY item_id ORDER BY position) AS ends
        FROM ledger_items
        WHERE item_id = ANY (%s)
    ) AS version
    WHERE item.item_id  = version.item_id
      AND item.position = version.position
      AND item.recorded_until <> version.ends
"""


WRITE_OFF_KINDS: Mapping[WriteOffChange, str] = {
    WriteOffChange.WRITTEN_OFF: "write-off",
    WriteOffChange.RECOVERED: "recovery",
    WriteOffChange.REVERSED: "write-off-reversal",
}
"""Entries of these kinds are apart from what money did: together they are what is written off."""


@dataclass(slots=True)
class LedgerRows:
    """What a batch adds to the ledger's tables."""

    offices: list[Row] = field(default_factory=list)
    time_zones: dict[UUID, Row] = field(default_factory=dict)
    accounts: list[Row] = field(default_factory=list)
    renamed: dict[UUID, Row] = field(default_factory=dict)
    items: list[Row] = field(default_factory=list)
    corrected: set[UUID] = field(default_factory=set)
    entries: list[Row] = field(default_factory=list)

    def item(self, recorded: Recorded, item: Item) -> None:
        self.items.append(
            (
                item.id, recorded.position, recorded.aggregate_id, item.number, item.kind, item.issued_on,
                item.due_on, item.amount.minor, item.charges.minor, item.amount.currency, item.service_type,
                item.subscription, recorded.recorded_at,
            )
        )  # fmt: skip

    def entry(
        self,
        recorded: Recorded,
        kind: str,
        effective_on: date,
        currency: str,
        *,
        ordinal: int = 0,
        item_id: UUID | None = None,
        funds_id: UUID | None = None,
        item_minor: int = 0,
        unapplied_minor: int = 0,
        sale_minor: int = 0,
        claim_minor: int = 0,
    ) -> None:
        self.entries.append(
            (
                recorded.position, ordinal, recorded.event_id, recorded.aggregate_id, item_id, funds_id, kind,
                effective_on, recorded.recorded_at, item_minor, unapplied_minor, sale_minor, claim_minor,
                currency,
            )
        )  # fmt: skip

    def receipt(self, recorded: Recorded, kind: str, receipt: Receipt, on_day: date, *, sign: int = 1) -> None:
        """A payment or credit comes into the account's unapplied funds (+1), or leaves them (-1)."""
        minor = sign * receipt.amount.minor
        self.entry(recorded, kind, on_day, receipt.amount.currency, funds_id=receipt.id, unapplied_minor=minor)

    def written_off(
        self,
        recorded: Recorded,
        change: WriteOffChange,
        effective_on: date,
        amount: Money,
        *,
        ordinal: int,
        item_id: UUID,
        write_off_id: UUID,
        keeps_claim: bool,
    ) -> None:
        """So much more of an item is written off; no money moves."""
        self.entry(
            recorded, WRITE_OFF_KINDS[change], effective_on, amount.currency, ordinal=ordinal, item_id=item_id,
            funds_id=write_off_id, item_minor=-amount.minor, claim_minor=amount.minor if keeps_claim else 0,
        )  # fmt: skip

    def part(self, recorded: Recorded, kind: str, receipt: Receipt, part: GoneBack, *, sign: int) -> None:
        """The same of a part of it, on its own day."""
        minor = sign * part.amount.minor
        self.entry(recorded, kind, part.gone_on, part.amount.currency, funds_id=receipt.id, unapplied_minor=minor)

    def write(self, connection: Connection[Any]) -> None:
        _OFFICES.add(connection, self.offices)
        _ACCOUNTS.add(connection, self.accounts)
        _ITEMS.add(connection, self.items)
        _ENTRIES.add(connection, self.entries)
        if self.time_zones:
            connection.execute(_MOVE_OFFICE, [as_json(list(self.time_zones.values()))])
        if self.renamed:
            connection.execute(_RENAME, [as_json(list(self.renamed.values()))], prepare=True)
        if self.corrected:
            connection.execute(_END_VERSIONS, [list(self.corrected)], prepare=True)


class LedgerProjection(EventProjection):
    """Item versions and signed entries, from which every report of a past day is computed."""

    folder: ClassVar[Path] = Path(__file__).parent
    name: ClassVar[str] = "ledger"
    version: ClassVar[int] = 3
    public: ClassVar[tuple[str, ...]] = ("ledger_offices", "ledger_accounts", "ledger_items", "ledger_entries")

    def handle(self, batch: Sequence[Recorded], connection: Connection[Any]) -> None:
        rows = LedgerRows()
        self.tell(batch, rows)
        rows.write(connection)

    # --- whose ---

    @on(OfficeOpened)
    def _office_opened(self, recorded: Recorded, event: OfficeOpened, rows: LedgerRows) -> None:
        rows.offices.append(
            (recorded.aggregate_id, event.code, event.title, event.currency, event.time_zone, recorded.position)
        )

    @on(TimeZoneChanged)
    def _time_zone_changed(self, recorded: Recorded, event: TimeZoneChanged, rows: LedgerRows) -> None:
        office_id = recorded.aggregate_id
        keep_latest(rows.time_zones, office_id, recorded.position, (office_id, event.time_zone))

    @on(AccountOpened)
    def _account_opened(self, recorded: Recorded, event: AccountOpened, rows: LedgerRows) -> None:
        rows.accounts.append(
            (
                recorded.aggregate_id, event.office_id, event.account_name, event.customer_kind, event.segment,
                event.country, event.currency, recorded.effective_on, recorded.position,
            )
        )  # fmt: skip

    @on(CustomerRenamed)
    def _renamed(self, recorded: Recorded, event: CustomerRenamed, rows: LedgerRows) -> None:
        account_id = recorded.aggregate_id
        row = (account_id, event.customer_kind, event.segment, event.country)
        keep_latest(rows.renamed, account_id, recorded.position, row)

    # --- what is owed ---

    @on(InvoiceBilled)
    def _billed(self, recorded: Recorded, event: InvoiceBilled, rows: LedgerRows) -> None:
        item = event.item
        rows.item(recorded, item)
        minor = item.amount.minor
        rows.entry(
            recorded, "invoice", item.issued_on, item.amount.currency,
            item_id=item.id, item_minor=minor, sale_minor=minor,
        )  # fmt: skip

    @on(InvoiceCorrected)
    def _corrected(self, recorded: Recorded, event: InvoiceCorrected, rows: LedgerRows) -> None:
        """The invoice always was as it says now: the old amount goes, and the new one stands, at its own issue date."""
        rows.item(recorded, event.item)
        rows.corrected.add(event.item.id)
        was, now = event.previous, event.item
        if (was.amount, was.issued_on) == (now.amount, now.issued_on):
            return
        for ordinal, (item, sign) in enumerate(((was, -1), (now, 1))):
            minor = sign * item.amount.minor
            rows.entry(
                recorded, "correction", item.issued_on, item.amount.currency,
                ordinal=ordinal, item_id=item.id, item_minor=minor, sale_minor=minor,
            )  # fmt: skip

    # --- what came in ---

    @on(PaymentReceived)
    def _payment_received(self, recorded: Recorded, event: PaymentReceived, rows: LedgerRows) -> None:
        """Money that came from another account of the office has a kind of its own: it did not come in twice."""
        kind = "payment" if event.receipt.transferred_from is None else "transfer-in"
        rows.receipt(recorded, kind, event.receipt, event.receipt.received_on)

    @on(PaymentTransferred)
    def _transferred(self, recorded: Recorded, event: PaymentTransferred, rows: LedgerRows) -> None:
        rows.entry(
            recorded, "transfer-out", event.transferred_on, event.amount.currency,
            funds_id=event.receipt.id, unapplied_minor=-event.amount.minor,
        )  # fmt: skip

    @on(TransferReturned)
    def _returned(self, recorded: Recorded, event: TransferReturned, rows: LedgerRows) -> None:
        """Back out of what went, so that the two add up to nothing where it never did."""
        rows.entry(
            recorded, "transfer-out", event.returned_on, event.amount.currency,
            funds_id=event.receipt.id, unapplied_minor=event.amount.minor,
        )  # fmt: skip

    @on(CreditNoted)
    def _credit_noted(self, recorded: Recorded, event: CreditNoted, rows: LedgerRows) -> None:
        rows.receipt(recorded, "credit", event.receipt, event.receipt.received_on)

    @on(PaymentReversed)
    def _payment_reversed(self, recorded: Recorded, event: PaymentReversed, rows: LedgerRows) -> None:
        """A payment recorded in error never was; its entry says so, so that reports can tell it from a chargeback."""
        kind = "error" if event.reversal is ReversalKind.ERROR else "reversal"
        rows.receipt(recorded, kind, event.receipt, event.reversed_on, sign=-1)

    @on(PaymentReversedInPart)
    def _payment_reversed_in_part(self, recorded: Recorded, event: PaymentReversedInPart, rows: LedgerRows) -> None:
        rows.part(recorded, "reversal", event.receipt, event.part, sign=-1)

    @on(ReversalWithdrawn)
    def _reversal_withdrawn(self, recorded: Recorded, event: ReversalWithdrawn, rows: LedgerRows) -> None:
        """What was taken out as an error came in after all; else less was taken back."""
        kind = "payment" if event.part.reversal is ReversalKind.ERROR else "reversal"
        rows.part(recorded, kind, event.receipt, event.part, sign=1)

    @on(FundsRefunded)
    def _refunded(self, recorded: Recorded, event: FundsRefunded, rows: LedgerRows) -> None:
        rows.part(recorded, "refund", event.receipt, event.part, sign=-1)

    @on(RefundWithdrawn)
    def _refund_withdrawn(self, recorded: Recorded, event: RefundWithdrawn, rows: LedgerRows) -> None:
        rows.part(recorded, "refund", event.receipt, event.part, sign=1)

    @on(CreditWithdrawn)
    def _credit_withdrawn(self, recorded: Recorded, event: CreditWithdrawn, rows: LedgerRows) -> None:
        rows.receipt(recorded, "withdrawal", event.receipt, event.receipt.received_on, sign=-1)

    # --- what it was put against ---

    @on(FundsAllocated)
    def _allocated(self, recorded: Recorded, event: FundsAllocated, rows: LedgerRows) -> None:
        for ordinal, part in enumerate(event.parts):
            minor = -part.amount.minor
            rows.entry(
                recorded, "allocation", event.allocated_on, part.amount.currency,
                ordinal=ordinal, item_id=part.item_id, funds_id=event.funds_id, item_minor=minor, unapplied_minor=minor,
            )  # fmt: skip

    @on(AllocationReleased)
    def _released(self, recorded: Recorded, event: AllocationReleased, rows: LedgerRows) -> None:
        for ordinal, part in enumerate(event.parts):
            minor = part.amount.minor
            rows.entry(
                recorded, "release", event.released_on, part.amount.currency,
                ordinal=ordinal, item_id=part.item.id, funds_id=event.receipt.id,
                item_minor=minor, unapplied_minor=minor,
            )  # fmt: skip

    @on(FundsReallocated)
    def _reallocated(self, recorded: Recorded, event: FundsReallocated, rows: LedgerRows) -> None:
        """What was put there and never was goes on its own day, as of now; as it was known before, it stays."""
        for ordinal, move in enumerate(event.moves):
            minor = -move.amount.minor
            rows.entry(
                recorded, "allocation" if minor < 0 else "release", move.moved_on, move.amount.currency,
                ordinal=ordinal, item_id=move.item_id, funds_id=move.funds_id, item_minor=minor, unapplied_minor=minor,
            )  # fmt: skip
        for ordinal, of in enumerate(event.write_offs or (), start=len(event.moves)):
            rows.written_off(
                recorded, of.change, of.moved_on, of.amount,
                ordinal=ordinal, item_id=of.item_id, write_off_id=of.write_off_id, keeps_claim=of.keeps_claim,
            )  # fmt: skip

    @on(DebtWrittenOff)
    def _written_off(self, recorded: Recorded, event: DebtWrittenOff, rows: LedgerRows) -> None:
        for ordinal, part in enumerate(event.parts):
            rows.written_off(
                recorded, WriteOffChange.WRITTEN_OFF, event.written_off_on, part.amount,
                ordinal=ordinal, item_id=part.item_id, write_off_id=event.write_off_id, keeps_claim=event.keeps_claim,
            )  # fmt: skip
