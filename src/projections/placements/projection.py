"""From events of placements and their files to their read tables."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, ClassVar
from uuid import UUID

from psycopg import Connection

from aggregates.account.contact_history import ContactFactRecorded, ContactFactWithdrawn
from aggregates.account.disputes import DisputeOpened, DisputeResolved
from aggregates.account.payments import (
    FundsRefunded,
    PaymentReceived,
    PaymentReversed,
    PaymentReversedInPart,
    RefundWithdrawn,
    ReversalWithdrawn,
)
from aggregates.account.placement import (
    AgencyPaymentPosted,
    Placed,
    PlacementAcknowledged,
    PlacementEnded,
    PlacementSent,
)
from aggregates.account.receivables import Receipt
from aggregates.kernel.event import Recorded
from aggregates.placement_file import (
    FileAcknowledged,
    FileDelivered,
    FileDeliveryBegun,
    FileDeliveryFailed,
    FileMade,
    FileOverdue,
    FileRedelivered,
    FileRequested,
    FileState,
    FileUncertain,
)
from aggregates.values.money import Money
from projections.batch import EventProjection, Row, Table, as_json, on, rows_from
from projections.upsert import says

_AT_ONCE = 5_000
"""Rows in a statement."""

_KIND = {
    **dict.fromkeys(("placement_id", "account_id", "file_id", "bulk_id", "office_id", "payment_id"), "uuid"),
    **dict.fromkeys(
        ("placed_on", "itemization_date", "recall_on", "sent_on", "acknowledged_on", "ended_on", "delivered_on",
         "acknowledge_by", "overdue_on", "paid_on"),
        "date",
    ),
    **dict.fromkeys(
        ("balance_minor", "placed_position", "ended_position", "position", "accounts", "total_minor", "rows",
         "through_position", "requested_position", "acknowledged_accounts", "acknowledged_minor", "amount_minor",
         "commission_minor"),
        "bigint",
    ),
    **dict.fromkeys(("requested_at", "posted_at"), "timestamptz"),
    "matches": "boolean",
}  # fmt: skip
"""Columns that are not text."""

_NOTICES = Table(
    "placement_notices",
    key="position",
    columns=["position bigint", "account_id uuid", "record text", "code text", "noticed_on date"],
)
_STANDS = f"""
    INSERT INTO placement_files (file_id, state, detail, position)
    {rows_from("file_id uuid", "state text", "detail text", "position bigint")}
    ON CONFLICT (file_id) DO UPDATE SET state = excluded.state, detail = excluded.detail, position = excluded.position
    WHERE placement_files.position < excluded.position
"""
_CHANGED = f"""
    UPDATE agency_payments
    SET reversed_on = news.reversed_on,
        stands_minor = coalesce(news.stands_minor, agency_payments.stands_minor),
        paid_on = coalesce(news.paid_on, agency_payments.paid_on)
    FROM ({rows_from("payment_id uuid", "reversed_on date", "stands_minor bigint", "paid_on date")}) AS news
    WHERE agency_payments.payment_id = news.payment_id
"""  # noqa: S608 - constants


@dataclass(slots=True)
class PlacementRows:
    """What a batch says, by statement and key: of several the last."""

    said: dict[str, dict[UUID, Row]] = field(default_factory=dict)
    stands: dict[UUID, Row] = field(default_factory=dict)
    changed: dict[UUID, Row] = field(default_factory=dict)
    notices: list[Row] = field(default_factory=list)

    def say(self, table: str, key: str, key_id: UUID, **columns: object) -> None:
        names = (key, *columns)
        statement = says(table, key, *(f"{name} {_KIND.get(name, 'text')}" for name in names))
        self.said.setdefault(statement, {})[key_id] = (key_id, *columns.values())

    def of_placement(self, recorded: Recorded, placement_id: UUID, **columns: object) -> None:
        self.say("placements", "placement_id", placement_id, **columns, position=recorded.position)

    def of_file(
        self, recorded: Recorded, state: FileState | None = None, detail: str | None = None, **c: object
    ) -> None:
        """Columns that the event says of a file, and where it stands since."""
        if c:
            self.say("placement_files", "file_id", recorded.aggregate_id, **c)
        if state is not None:
            self.stands[recorded.aggregate_id] = (recorded.aggregate_id, state, detail, recorded.position)

    def of_payment(
        self, receipt: Receipt, *, reversed_on: date | None = None, stands: Money | None = None, paid: bool = False
    ) -> None:
        """What became of a payment, if an agency collected it: of several things that are said, each the last."""
        _, _, stood, paid_on = self.changed.get(receipt.id, (None, None, None, None))
        stands_minor = stood if stands is None else stands.minor
        paid_on = receipt.received_on if paid else paid_on
        self.changed[receipt.id] = (receipt.id, reversed_on, stands_minor, paid_on)

    def notice(self, recorded: Recorded, record: str, code: str | None) -> None:
        self.notices.append((recorded.position, recorded.account_id, record, code, recorded.effective_on))

    def write(self, connection: Connection[Any]) -> None:
        found = [*self.said.items(), (_STANDS, self.stands), (_CHANGED, self.changed)]
        for statement, rows in found:
            some = list(rows.values())
            for first in range(0, len(some), _AT_ONCE):
                connection.execute(statement, [as_json(some[first : first + _AT_ONCE])], prepare=True)
        _NOTICES.add(connection, self.notices)


class PlacementsProjection(EventProjection):
    """A row for each placement, for each placement file, and for each payment that came through an agency."""

    folder: ClassVar[Path] = Path(__file__).parent
    name: ClassVar[str] = "placements"
    version: ClassVar[int] = 2
    public: ClassVar[tuple[str, ...]] = ("placements", "placement_files", "agency_payments", "placement_notices")

    def handle(self, batch: Sequence[Recorded], connection: Connection[Any]) -> None:
        rows = PlacementRows()
        self.tell(batch, rows)
        rows.write(connection)

    # --- placements ---

    @on(Placed)
    def _placed(self, recorded: Recorded, event: Placed, rows: PlacementRows) -> None:
        rows.of_placement(
            recorded,
            event.placement_id,
            account_id=recorded.account_id,
            agency=event.agency,
            file_id=event.file_id,
            bulk_id=event.bulk_id,
            placed_on=event.placed_on,
            placed_by=recorded.meta.actor,
            balance_minor=event.balance.minor,
            currency=event.balance.currency,
            itemization_type=event.itemization_date_type,
            itemization_date=event.itemization_date,
            recall_on=event.recall_on,
            placed_position=recorded.position,
        )

    @on(PlacementSent)
    def _sent(self, recorded: Recorded, event: PlacementSent, rows: PlacementRows) -> None:
        rows.of_placement(recorded, event.placement_id, sent_on=event.sent_on)

    @on(PlacementAcknowledged)
    def _taken(self, recorded: Recorded, event: PlacementAcknowledged, rows: PlacementRows) -> None:
        rows.of_placement(
            recorded,
            event.placement_id,
            acknowledged_on=event.acknowledged_on,
            agency_number=event.agency_number,
        )

    @on(PlacementEnded)
    def _ended(self, recorded: Recorded, event: PlacementEnded, rows: PlacementRows) -> None:
        rows.of_placement(
            recorded,
            event.placement_id,
            ended_on=event.ended_on,
            ended=event.end,
            code=event.code,
            ended_position=recorded.position,
        )

    # --- what agencies collected ---

    @on(AgencyPaymentPosted)
    def _posted(self, recorded: Recorded, event: AgencyPaymentPosted, rows: PlacementRows) -> None:
        rows.say(
            "agency_payments",
            "payment_id",
            event.payment_id,
            placement_id=event.placement_id,
            account_id=recorded.account_id,
            agency=event.agency,
            number=event.payment_number,
            reference=event.reference,
            amount_minor=event.amount.minor,
            commission_minor=event.commission.minor,
            currency=event.amount.currency,
            paid_on=event.paid_on,
            posted_at=recorded.recorded_at,
            position=recorded.position,
        )

    @on(PaymentReversed)
    def _reversed(self, _: Recorded, event: PaymentReversed, rows: PlacementRows) -> None:
        rows.of_payment(event.receipt, reversed_on=event.reversed_on)

    @on(PaymentReversedInPart)
    def _reversed_in_part(self, _: Recorded, event: PaymentReversedInPart, rows: PlacementRows) -> None:
        rows.of_payment(event.receipt, stands=event.remaining)

    @on(FundsRefunded)
    def _refunded(self, _: Recorded, event: FundsRefunded, rows: PlacementRows) -> None:
        rows.of_payment(event.receipt, stands=event.remaining)

    @on(ReversalWithdrawn)
    def _stands_again(self, _: Recorded, event: ReversalWithdrawn, rows: PlacementRows) -> None:
        rows.of_payment(event.receipt, stands=event.remaining)

    @on(RefundWithdrawn)
    def _not_refunded(self, _: Recorded, event: RefundWithdrawn, rows: PlacementRows) -> None:
        rows.of_payment(event.receipt, stands=event.remaining)

    @on(PaymentReceived)
    def _received_again(self, _: Recorded, event: PaymentReceived, rows: PlacementRows) -> None:
        """A payment that is corrected is taken back and received anew, under its number."""
        rows.of_payment(event.receipt, stands=event.receipt.amount, paid=True)

    # --- what agencies are told besides ---

    @on(DisputeOpened)
    def _disputed(self, recorded: Recorded, event: DisputeOpened, rows: PlacementRows) -> None:
        rows.notice(recorded, "dispute", event.reason_code)

    @on(DisputeResolved)
    def _resolved(self, recorded: Recorded, event: DisputeResolved, rows: PlacementRows) -> None:
        rows.notice(recorded, "dispute-resolved", event.resolution)

    @on(ContactFactRecorded)
    def _noticed(self, recorded: Recorded, event: ContactFactRecorded, rows: PlacementRows) -> None:
        rows.notice(recorded, "notice", event.fact.kind)

    @on(ContactFactWithdrawn)
    def _withdrawn(self, recorded: Recorded, event: ContactFactWithdrawn, rows: PlacementRows) -> None:
        rows.notice(recorded, "notice-withdrawn", event.kind)

    # --- files ---

    @on(FileRequested)
    def _requested(self, recorded: Recorded, event: FileRequested, rows: PlacementRows) -> None:
        rows.of_file(
            recorded,
            FileState.REQUESTED,
            **event.model_dump(mode="json"),
            requested_at=recorded.recorded_at,
            requested_by=recorded.meta.actor,
            requested_position=recorded.position,
        )

    @on(FileMade)
    def _made(self, recorded: Recorded, event: FileMade, rows: PlacementRows) -> None:
        said = event.model_dump(exclude={"total", "fingerprint"})
        said |= {"total_minor": event.total.minor, "fingerprint": event.fingerprint}
        rows.of_file(recorded, FileState.MADE, **said)

    @on(FileDeliveryBegun)
    def _begun(self, recorded: Recorded, _: FileDeliveryBegun, rows: PlacementRows) -> None:
        rows.of_file(recorded, FileState.DELIVERING)

    @on(FileDeliveryFailed)
    def _failed(self, recorded: Recorded, event: FileDeliveryFailed, rows: PlacementRows) -> None:
        rows.of_file(recorded, FileState.MADE, event.detail)

    @on(FileUncertain)
    def _uncertain(self, recorded: Recorded, event: FileUncertain, rows: PlacementRows) -> None:
        rows.of_file(recorded, FileState.UNCERTAIN, event.detail)

    @on(FileRedelivered)
    def _again(self, recorded: Recorded, _: FileRedelivered, rows: PlacementRows) -> None:
        rows.of_file(recorded, FileState.MADE)

    @on(FileDelivered)
    def _delivered(self, recorded: Recorded, event: FileDelivered, rows: PlacementRows) -> None:
        rows.of_file(
            recorded, FileState.DELIVERED, delivered_on=event.delivered_on, acknowledge_by=event.acknowledge_by
        )

    @on(FileAcknowledged)
    def _acknowledged(self, recorded: Recorded, event: FileAcknowledged, rows: PlacementRows) -> None:
        rows.of_file(
            recorded,
            acknowledged_accounts=event.accounts,
            acknowledged_minor=event.total.minor,
            matches=event.matches,
        )

    @on(FileOverdue)
    def _overdue(self, recorded: Recorded, _: FileOverdue, rows: PlacementRows) -> None:
        rows.of_file(recorded, overdue_on=recorded.effective_on)
