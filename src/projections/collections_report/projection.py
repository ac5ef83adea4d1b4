"""From events to the collections report."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar, cast
from uuid import UUID

import orjson
from psycopg import Connection

from aggregates.account.aging import Aged
from aggregates.account.allocation import AllocationReleased, FundsAllocated
from aggregates.account.billing import InvoiceBilled, InvoiceCorrected
from aggregates.account.customer import AccountOpened, CustomerRenamed
from aggregates.account.disputes import DisputeOpened, DisputeResolved
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
from aggregates.account.transfers import PaymentTransferred, TransferReturned
from aggregates.account.write_offs import DebtWrittenOff
from aggregates.campaign import (
    CampaignLaunched,
    CampaignPaused,
    CampaignResumed,
    CampaignRetired,
    CampaignRevised,
    CampaignStatus,
)
from aggregates.kernel.event import Event, Recorded
from projections.batch import Row, as_json, on
from projections.collections_report.columns import REPORT_VERSION, STORED, comments, definitions
from projections.collections_report.events import AccountEvents
from projections.collections_report.state import AS_READ, Account, AccountRow, Campaign, OpenItem, typed, values_of
from projections.upsert import upsert

_CACHED_ACCOUNTS, _CACHED_ITEMS = 10_000, 20_000
"""What is kept at hand between batches: so many accounts, with so many open items in all."""
_PER_EVENT = 5, 15
"""A rebuild keeps more: so many accounts and items for each event of its batches."""

_PUT_ACCOUNTS = upsert("collections_report", "account_id", *(f"{n} {column.kind}" for n, column in STORED.items()))
_PUT_ITEMS = upsert("open_items", "item_id", *typed(OpenItem))
_PUT_CAMPAIGNS = upsert("campaigns", "campaign_id", *typed(Campaign))

_GET_ACCOUNTS = f"""
    SELECT {AS_READ},
           (SELECT json_agg(item)::text FROM open_items AS item WHERE item.account_id = account.account_id)
    FROM collections_report AS account WHERE account_id = ANY (%s)
"""  # noqa: S608


_Methods = dict[type[Event], Callable[[Any, Event, Any], None]]


class UnknownSubject(LookupError):
    """An event about an account or campaign whose beginning this projection has not seen."""


class CollectionsReportProjection(AccountEvents):
    """One row per account, and one per open item.

    A batch loads the accounts that it touches in one query, changes them event by event, and writes them in one
    statement per table. An event at or below the account's last position was seen before and is passed over.
    """

    folder: ClassVar[Path] = Path(__file__).parent
    name: ClassVar[str] = "collections_report"
    version: ClassVar[int] = REPORT_VERSION
    public: ClassVar[tuple[str, ...]] = ("collections_report", "open_items", "campaigns")

    def __init__(self) -> None:
        self._accounts: OrderedDict[UUID, Account] = OrderedDict()
        self._items = 0
        self._campaigns: dict[UUID, Campaign] = {}
        self._knows_campaigns = False

    def create(self, connection: Connection[Any]) -> None:
        stored = tuple(STORED)
        self.run_schema(connection, columns=definitions(stored), comments=comments("collections_report", stored))

    def forget(self) -> None:
        self._accounts.clear()
        self._items = 0
        self._campaigns.clear()
        self._knows_campaigns = False

    def handle(self, batch: Sequence[Recorded], connection: Connection[Any]) -> None:
        methods = cast(_Methods, self._methods)
        mine = [recorded for recorded in batch if type(recorded.event) in methods]
        self._load({recorded.account_id for recorded in mine if recorded.account_id is not None}, connection)
        touched: dict[UUID, Account | Campaign] = {}
        for recorded in mine:
            subject = self._subject_of(recorded)
            if subject.begin(recorded):
                methods[type(recorded.event)](self, recorded.event, subject)
                touched[recorded.aggregate_id] = subject
        self._write(touched.values(), connection)
        self._make_room(len(batch))

    # --- accounts in and out ---

    def _subject_of(self, recorded: Recorded) -> Account | Campaign:
        """The account, or the campaign, that an event changes."""
        known = (self._accounts if recorded.account_id is not None else self._campaigns).get(recorded.aggregate_id)
        if known is not None:
            return known
        if isinstance(recorded.event, AccountOpened):
            account = self._accounts[recorded.aggregate_id] = Account(_opened(recorded, recorded.event))
            return account
        if isinstance(recorded.event, CampaignLaunched):
            campaign = self._campaigns[recorded.aggregate_id] = _launched(recorded, recorded.event)
            return campaign
        raise UnknownSubject(f"{recorded.name} at position {recorded.position}: nothing was heard of it before")

    def _load(self, account_ids: set[UUID], connection: Connection[Any]) -> None:
        """Brings in what is not at hand. Those at hand move to the end, away from being dropped."""
        missing = []
        for account_id in account_ids:
            if account_id in self._accounts:
                self._accounts.move_to_end(account_id)
            else:
                missing.append(account_id)
        if missing:
            for *columns, items in connection.execute(_GET_ACCOUNTS, [missing], prepare=True, binary=True):
                account = Account(AccountRow.stored(columns))
                if items is not None:
                    account.items = {item["item_id"]: OpenItem(**item) for item in orjson.loads(items)}
                    self._count_items(account)
                self._accounts[UUID(account.row.account_id)] = account
        if not self._knows_campaigns:
            for (row,) in connection.execute("SELECT row_to_json(c)::text FROM campaigns AS c", prepare=True):
                campaign = Campaign(**orjson.loads(row))
                self._campaigns[UUID(campaign.campaign_id)] = campaign
            self._knows_campaigns = True

    def _make_room(self, events: int) -> None:
        """Lets go of the accounts that were touched longest ago."""
        accounts, items = max(_CACHED_ACCOUNTS, _PER_EVENT[0] * events), max(_CACHED_ITEMS, _PER_EVENT[1] * events)
        while len(self._accounts) > accounts or self._items > items:
            _, dropped = self._accounts.popitem(last=False)
            self._items -= dropped.counted_items

    def _count_items(self, account: Account) -> None:
        self._items += len(account.items) - account.counted_items
        account.counted_items = len(account.items)

    def _write(self, touched: Iterable[Account | Campaign], connection: Connection[Any]) -> None:
        rows: list[Row] = []
        items: list[Row] = []
        settled: list[UUID] = []
        campaigns: list[Row] = []
        for subject in touched:
            if isinstance(subject, Campaign):
                campaigns.append(values_of(subject))
                continue
            subject.add_up()
            rows.append(subject.row.values())
            for item_id in subject.changed_items:
                item = subject.items.get(item_id)
                if item is None:
                    settled.append(UUID(item_id))
                else:
                    items.append(values_of(item))
            subject.changed_items.clear()
            self._count_items(subject)
        for statement, changed in ((_PUT_ACCOUNTS, rows), (_PUT_ITEMS, items), (_PUT_CAMPAIGNS, campaigns)):
            if changed:
                connection.execute(statement, [as_json(changed)], prepare=True)
        if settled:
            connection.execute("DELETE FROM open_items WHERE item_id = ANY (%s)", [settled], prepare=True)

    # --- the customer ---

    @on(AccountOpened)
    def _account_opened(self, event: AccountOpened, account: Account) -> None:
        account.row.number = event.account_name

    @on(CustomerRenamed)
    def _renamed(self, event: CustomerRenamed, account: Account) -> None:
        row = account.row
        row.customer_kind, row.segment, row.country = event.customer_kind.value, event.segment, event.country

    # --- receivables ---

    @on(InvoiceBilled)
    def _billed(self, event: InvoiceBilled, account: Account) -> None:
        account.open_item(event.item, event.item.amount.minor)

    @on(InvoiceCorrected)
    def _corrected(self, event: InvoiceCorrected, account: Account) -> None:
        if event.open_after:
            account.open_item(event.item, event.open_after.minor, event.dispute_id)
        else:
            account.settle_item(str(event.item.id))

    @on(FundsAllocated)
    def _allocated(self, event: FundsAllocated, account: Account) -> None:
        for part in event.parts:
            account.row.unapplied -= part.amount.minor
            if part.open_after:
                account.change_item(str(part.item_id)).open = part.open_after.minor
            else:
                account.settle_item(str(part.item_id))

    @on(AllocationReleased)
    def _released(self, event: AllocationReleased, account: Account) -> None:
        for part in event.parts:
            account.row.unapplied += part.amount.minor
            account.open_item(part.item, part.open_after.minor, part.dispute_id)

    @on(FundsReallocated)
    def _reallocated(self, event: FundsReallocated, account: Account) -> None:
        for move in event.moves:
            account.row.unapplied -= move.amount.minor
        for moved in event.items:
            item_id = str(moved.item_id)
            if not moved.open_after:
                account.settle_item(item_id)
                continue
            if moved.item is not None:
                account.open_item(moved.item, moved.open_after.minor, moved.dispute_id)
            item = account.change_item(item_id)
            item.open, item.bucket = moved.open_after.minor, moved.bucket

        for each in event.write_offs or ():
            if each.keeps_claim:
                account.row.written_off += each.amount.minor

    @on(DebtWrittenOff)
    def _written_off(self, event: DebtWrittenOff, account: Account) -> None:
        for part in event.parts:
            if part.open_after:
                account.change_item(str(part.item_id)).open = part.open_after.minor
            else:
                account.settle_item(str(part.item_id))
        if event.keeps_claim:
            account.row.written_off += event.amount.minor

    @on(CreditNoted)
    def _credited(self, event: CreditNoted, account: Account) -> None:
        account.row.unapplied += event.receipt.amount.minor

    @on(PaymentReceived)
    def _paid(self, event: PaymentReceived, account: Account) -> None:
        super()._paid(event, account)
        account.row.unapplied += event.receipt.amount.minor

    @on(PaymentReversed)
    def _reversed(self, event: PaymentReversed, account: Account) -> None:
        """All its allocations were released before, so all of it is unapplied now."""
        super()._reversed(event, account)
        account.row.unapplied -= event.receipt.amount.minor

    @on(PaymentReversedInPart)
    def _reversed_in_part(self, event: PaymentReversedInPart, account: Account) -> None:
        super()._reversed_in_part(event, account)
        account.row.unapplied -= event.part.amount.minor

    @on(FundsRefunded)
    def _refunded(self, event: FundsRefunded, account: Account) -> None:
        account.row.unapplied -= event.part.amount.minor

    @on(ReversalWithdrawn)
    def _reversal_withdrawn(self, event: ReversalWithdrawn, account: Account) -> None:
        super()._reversal_withdrawn(event, account)
        account.row.unapplied += event.part.amount.minor

    @on(RefundWithdrawn)
    def _refund_withdrawn(self, event: RefundWithdrawn, account: Account) -> None:
        account.row.unapplied += event.part.amount.minor

    @on(PaymentTransferred)
    def _transferred(self, event: PaymentTransferred, account: Account) -> None:
        super()._transferred(event, account)
        account.row.unapplied -= event.amount.minor

    @on(TransferReturned)
    def _returned(self, event: TransferReturned, account: Account) -> None:
        super()._returned(event, account)
        account.row.unapplied += event.amount.minor

    @on(CreditWithdrawn)
    def _withdrawn(self, event: CreditWithdrawn, account: Account) -> None:
        account.row.unapplied -= event.receipt.amount.minor

    @on(Aged)
    def _aged(self, event: Aged, account: Account) -> None:
        for move in event.moves:
            account.change_item(str(move.item_id)).bucket = move.bucket

    # --- casework ---

    @on(DisputeOpened)
    def _dispute_opened(self, event: DisputeOpened, account: Account) -> None:
        parts = {str(part.item_id): part.amount.minor for part in event.parts or ()}
        account.row.dispute_parts(parts)
        for item_id in map(str, event.item_ids):
            if item_id in account.items:
                item = account.change_item(item_id)
                item.dispute_id, item.disputed_part = str(event.dispute_id), parts.get(item_id)

    @on(DisputeResolved)
    def _dispute_resolved(self, event: DisputeResolved, account: Account) -> None:
        item_ids = [*map(str, event.item_ids)]
        account.row.end_dispute(item_ids)
        for item_id in item_ids:
            if item_id in account.items:
                item = account.change_item(item_id)
                item.dispute_id = item.disputed_part = None

    # --- campaigns ---

    @on(CampaignLaunched)
    def _campaign_launched(self, event: CampaignLaunched, campaign: Campaign) -> None:
        campaign.title = event.title

    @on(CampaignRevised)
    def _campaign_revised(self, event: CampaignRevised, campaign: Campaign) -> None:
        campaign.plan_version = event.plan_version

    @on(CampaignPaused)
    def _campaign_paused(self, event: CampaignPaused, campaign: Campaign) -> None:
        campaign.paused_from, campaign.paused_until = event.paused_from, event.paused_until

    @on(CampaignResumed)
    def _campaign_resumed(self, _: CampaignResumed, campaign: Campaign) -> None:
        campaign.paused_from = campaign.paused_until = None

    @on(CampaignRetired)
    def _campaign_retired(self, _: CampaignRetired, campaign: Campaign) -> None:
        campaign.status = CampaignStatus.RETIRED.value


def _opened(recorded: Recorded, event: AccountOpened) -> AccountRow:
    return AccountRow(
        account_id=str(recorded.account_id),
        office_id=str(event.office_id),
        number=event.account_name,
        currency=event.currency,
        customer_kind=event.customer_kind.value,
        last_position=0,
        updated_at=recorded.recorded_at,
        segment=event.segment,
        country=event.country,
    )


def _launched(recorded: Recorded, event: CampaignLaunched) -> Campaign:
    return Campaign(
        campaign_id=str(recorded.aggregate_id),
        office_id=str(event.office_id),
        title=event.title,
        plan_version=1,
        status=CampaignStatus.RUNNING.value,
        paused_from=None,
        paused_until=None,
        last_position=0,
    )
