"""From the events of fees and subscriptions to their read tables."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, ClassVar
from uuid import UUID

from psycopg import Connection

from aggregates.account.billing import InvoiceBilled, InvoiceCorrected
from aggregates.account.customer import SubscriptionRecorded
from aggregates.account.fees import FeeGroundRecorded
from aggregates.account.freezing import SubscriptionsFrozen, SubscriptionsUnfrozen
from aggregates.account.receivables import ItemKind
from aggregates.kernel.event import Recorded
from projections.batch import EventProjection, Row, Table, as_json, keep_latest, on, rows_from
from projections.upsert import upsert

_FEES = Table(
    "fees",
    key="item_id",
    columns=[
        "item_id uuid", "account_id uuid", "number text", "service_type text", "basis text", "as_of date",
        "issued_on date", "due_on date", "amount_minor bigint", "currency text", "is_withdrawn boolean",
        "last_position bigint",
    ],
)  # fmt: skip
_LINES = Table(
    "fee_lines",
    key="item_id, ordinal",
    columns=[
        "item_id uuid", "ordinal smallint", "source text", "source_item_id uuid", "base_minor bigint",
        "amount_minor bigint",
    ],
)  # fmt: skip

_CORRECTED = ("item_id uuid", "due_on date", "amount_minor bigint", "is_withdrawn boolean", "last_position bigint")
_CORRECT = f"""
    UPDATE fees AS fee
    SET due_on = said.due_on, amount_minor = said.amount_minor, is_withdrawn = said.is_withdrawn,
        last_position = said.last_position
    FROM ({rows_from(*_CORRECTED)}) AS said
    WHERE fee.item_id = said.item_id AND fee.last_position < said.last_position
"""  # noqa: S608

_SUBSCRIPTIONS = upsert(
    "subscriptions", "account_id, number", "account_id uuid", "number text", "service_type text", "started_on date",
    "ends_on date", "services_agreed integer", "services_done integer", "initial_discount_minor bigint",
    "cancelled_on date", "last_position bigint",
)  # fmt: skip
_FROZEN = ("account_id uuid", "number text", "frozen text", "frozen_since date", "freeze_position bigint")
_FREEZE = f"""
    UPDATE subscriptions AS known
    SET frozen = said.frozen, frozen_since = said.frozen_since, freeze_position = said.freeze_position
    FROM ({rows_from(*_FROZEN)}) AS said
    WHERE known.account_id = said.account_id AND known.number = said.number
      AND known.freeze_position < said.freeze_position
"""  # noqa: S608 - constants
_GROUNDS = upsert("fee_grounds", "account_id", "account_id uuid", "ground text", "last_position bigint")


@dataclass(slots=True)
class FeeRows:
    """What a batch says."""

    fees: list[Row] = field(default_factory=list)
    lines: list[Row] = field(default_factory=list)
    corrected: dict[UUID, Row] = field(default_factory=dict)
    subscriptions: dict[tuple[UUID, str], Row] = field(default_factory=dict)
    freezes: dict[tuple[UUID, str], Row] = field(default_factory=dict)
    grounds: dict[UUID, Row] = field(default_factory=dict)

    def freeze(self, recorded: Recorded, numbers: Iterable[str], code: str | None, since: date | None) -> None:
        """What the subscriptions are frozen for from this event on; None: nothing."""
        account_id = recorded.aggregate_id
        for each in numbers:
            keep_latest(self.freezes, (account_id, each), recorded.position, (account_id, each, code, since))

    def write(self, connection: Connection[Any]) -> None:
        _FEES.add(connection, self.fees)
        _LINES.add(connection, self.lines)
        changing = (
            (_CORRECT, self.corrected), (_SUBSCRIPTIONS, self.subscriptions), (_FREEZE, self.freezes),
            (_GROUNDS, self.grounds),
        )  # fmt: skip
        for statement, rows in changing:
            if rows:
                connection.execute(statement, [as_json(list(rows.values()))], prepare=True)


class FeesProjection(EventProjection):
    """Fees with their lines, subscriptions, and what allows fees."""

    folder: ClassVar[Path] = Path(__file__).parent
    name: ClassVar[str] = "fees"
    version: ClassVar[int] = 2
    public: ClassVar[tuple[str, ...]] = ("fees", "fee_lines", "subscriptions", "fee_grounds")

    def handle(self, batch: Sequence[Recorded], connection: Connection[Any]) -> None:
        rows = FeeRows()
        self.tell(batch, rows)
        rows.write(connection)

    @on(InvoiceBilled)
    def _billed(self, recorded: Recorded, event: InvoiceBilled, rows: FeeRows) -> None:
        fee, item = event.fee, event.item
        if fee is None:
            return
        rows.fees.append(
            (
                item.id, recorded.aggregate_id, item.number, item.service_type, fee.basis, fee.as_of, item.issued_on,
                item.due_on, item.amount.minor, item.amount.currency, False, recorded.position,
            )
        )  # fmt: skip
        rows.lines += [
            (item.id, ordinal, each.source, each.item_id, each.base.minor, each.amount.minor)
            for ordinal, each in enumerate(fee.lines, 1)
        ]

    @on(InvoiceCorrected)
    def _corrected(self, recorded: Recorded, event: InvoiceCorrected, rows: FeeRows) -> None:
        item = event.item
        if item.kind is ItemKind.FEE:
            row = (item.id, item.due_on, item.amount.minor, item.is_withdrawn)
            keep_latest(rows.corrected, item.id, recorded.position, row)

    @on(SubscriptionRecorded)
    def _subscribed(self, recorded: Recorded, event: SubscriptionRecorded, rows: FeeRows) -> None:
        said = event.subscription
        discount = None if said.initial_discount is None else said.initial_discount.minor
        rows.subscriptions[recorded.aggregate_id, said.number] = (
            recorded.aggregate_id, said.number, said.service_type, said.started_on, said.ends_on,
            said.services_agreed, said.services_done, discount, said.cancelled_on, recorded.position,
        )  # fmt: skip
        if said.cancelled_on is not None:
            rows.freeze(recorded, (said.number,), None, None)

    @on(SubscriptionsFrozen, SubscriptionsUnfrozen)
    def _frozen(self, recorded: Recorded, event: SubscriptionsFrozen | SubscriptionsUnfrozen, rows: FeeRows) -> None:
        code, since = (event.code, event.since) if isinstance(event, SubscriptionsFrozen) else (None, None)
        rows.freeze(recorded, event.numbers, code, since)

    @on(FeeGroundRecorded)
    def _ground(self, recorded: Recorded, event: FeeGroundRecorded, rows: FeeRows) -> None:
        account_id = recorded.aggregate_id
        keep_latest(rows.grounds, account_id, recorded.position, (account_id, event.ground))
