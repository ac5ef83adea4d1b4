"""The placement file: what an agency is told, delivered once, and what it says it received."""

from collections.abc import Iterable
from datetime import date, timedelta
from enum import StrEnum
from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import Field

from aggregates.account import Account
from aggregates.account.bulk_kinds import bulk_kind
from aggregates.account.placement import placement_file_id
from aggregates.bulk.action import BulkAction
from aggregates.kernel.aggregate import Aggregate, applies, decides
from aggregates.kernel.command import Command, Target
from aggregates.kernel.context import Context
from aggregates.kernel.event import Event
from aggregates.kernel.refusals import Refusal
from aggregates.kernel.value import LATER
from aggregates.office import Office, office_of
from aggregates.values.business_time import BusinessCalendar
from aggregates.values.codes import Code
from aggregates.values.money import Currency, Money

# --- values ------------------------------------------------------------------------------------------


class FileContents(StrEnum):
    """What a placement file tells the agency."""

    NEW = "new"
    """The accounts that were placed together."""
    UPDATES = "updates"
    """What happened to its accounts since the last such file."""
    FULL = "full"
    """Every account that it has."""


class FileState(StrEnum):
    """Where a placement file stands."""

    REQUESTED = "requested"
    MADE = "made"
    DELIVERING = "delivering"
    DELIVERED = "delivered"
    UNCERTAIN = "uncertain"
    """It may have arrived: nobody sends it again by himself."""


# --- events ------------------------------------------------------------------------------------------


class FileRequested(Event, name="placementfile.requested"):
    """An agency is to be told of accounts in a file."""

    office_id: UUID
    agency: Code
    contents: FileContents
    layout: Code | None
    """None: the agency's own."""
    name: str
    """Of the file; the agency's channel takes each name once."""
    currency: Currency
    bulk_id: UUID | None
    account_id: UUID | None
    """The one account that was placed by itself."""


class FileMade(Event, name="placementfile.made"):
    """The file was written; nobody outside has it yet."""

    accounts: int
    """Of updates: things that happened."""
    total: Money
    """Of the balances in it; of updates, how much more or less is owed by them."""
    rows: int
    sha256: str
    """Of the file as it leaves."""
    through_position: int
    """Up to which place in the log it tells what happened."""
    fingerprint: Annotated[str | None, LATER] = None
    """Of the agency's key that it is encrypted with; None: it leaves as it was written."""


class FileDeliveryBegun(Event, name="placementfile.delivery-begun"):
    """The file is being handed to the agency's channel."""


class FileDeliveryFailed(Event, name="placementfile.delivery-failed"):
    """The agency's channel certainly did not take the file; it is tried again."""

    detail: str


class FileDelivered(Event, name="placementfile.delivered"):
    """The agency's channel took the file."""

    office_id: UUID
    agency: Code
    contents: FileContents
    bulk_id: UUID | None
    account_id: UUID | None
    delivered_on: date
    acknowledge_by: date
    """The last day on which the agency is to say what it received."""


class FileUncertain(Event, name="placementfile.uncertain"):
    """The file may have arrived: the process or the line broke while it was handed over. A person decides."""

    detail: str


class FileRedelivered(Event, name="placementfile.redelivery-asked"):
    """A person wants an uncertain file to be handed over again."""


class FileAcknowledged(Event, name="placementfile.acknowledged"):
    """The agency said how much it received: as many accounts and the same total as the file had, or not."""

    accounts: int
    total: Money
    matches: bool


class FileOverdue(Event, name="placementfile.acknowledgement-overdue"):
    """The agency did not say in time that it received what the file had. Its accounts stay placed."""

    office_id: UUID
    agency: Code
    acknowledge_by: date
    differs: bool
    """It said something else, rather than nothing."""


# --- commands ----------------------------------------------------------------------------------------


class FileCommand(Command, sees=("office",)):
    """A command to one placement file."""

    file_id: UUID

    def targets(self) -> tuple[Target, ...]:
        return (Target("placementfile", self.file_id),)


class RequestBulkFile(Command, name="request-bulk-placement-file", internal=True, sees=("office",)):
    """A bulk action is over: where it placed accounts, their agency is told."""

    bulk_id: UUID

    def targets(self) -> tuple[Target, ...]:
        return Target("placementfile", placement_file_id(self.bulk_id)), Target("bulk", self.bulk_id)


class RequestFile(FileCommand, name="request-placement-file", sees=("office",)):
    """Have a file made for an agency: what changed since the last one, or everything that it has. `file_id` is the
    caller's, so that a repeat is the same file."""

    office_id: UUID
    agency: Code
    contents: FileContents
    currency: Currency | None = None
    """None: the office's."""

    def links(self) -> tuple[Target, ...]:
        return (Target("office", self.office_id),)


class RequestSingleFile(FileCommand, name="request-single-placement-file", internal=True, sees=("office",)):
    """An account was placed by itself: its agency is told."""

    account_id: UUID

    def targets(self) -> tuple[Target, ...]:
        return (*super().targets(), Target("account", self.account_id))


class RecordFileMade(FileCommand, name="record-placement-file-made", internal=True):
    """The file was written."""

    accounts: int = Field(ge=0)
    total: Money
    rows: int = Field(ge=0)
    sha256: str
    through_position: int = Field(ge=0)
    fingerprint: str | None = None


class BeginFileDelivery(FileCommand, name="begin-placement-file-delivery", internal=True):
    """The file is handed over now."""


class RecordFileDelivery(FileCommand, name="record-placement-file-delivery", internal=True):
    """What came of handing it over."""

    arrived: bool | None
    """None: nobody knows."""
    detail: str = ""


class RedeliverFile(FileCommand, name="redeliver-placement-file"):
    """Hand a file over again of which nobody knows whether it arrived; say why."""


class AcknowledgeFile(FileCommand, name="acknowledge-placement-file"):
    """What the agency says it received."""

    accounts: int = Field(ge=0)
    total: Money


class RemindFile(FileCommand, name="remind-placement-file", internal=True):
    """The days in which the agency says what it received may be over."""


# --- state -------------------------------------------------------------------------------------------


class PlacementFile(Aggregate):
    """One file for one agency."""

    kind: ClassVar[str] = "placementfile"
    state_version: ClassVar[int] = 2

    office_id: UUID | None = None
    agency: str = ""
    contents: FileContents = FileContents.NEW
    layout: str | None = None
    name: str = ""
    currency: str = "USD"
    bulk_id: UUID | None = None
    account_id: UUID | None = None
    state: FileState = FileState.REQUESTED
    accounts: int = 0
    total: Money | None = None
    sha256: str = ""
    through_position: int = 0
    fingerprint: str | None = None
    detail: str = ""
    """Why it was not delivered."""
    acknowledge_by: date | None = None
    matches: bool | None = None
    """Whether what the agency said it received is what was in it."""
    is_overdue: bool = False

    def links(self) -> Iterable[Target]:
        return (Target("office", self.office_id),) if self.office_id else ()

    # --- decisions ---

    @decides(RequestBulkFile)
    def request_for_bulk(self, bulk: BulkAction, command: RequestBulkFile, context: Context) -> None:
        if self.exists or bulk.office_id is None or not (kind := bulk_kind(bulk.action)).places:
            return
        self._request(
            office_of(context, bulk.office_id),
            str(bulk.parameters["agency"]),
            FileContents.NEW,
            context,
            layout=kind.file_layout,
            currency=bulk.currency or None,
            bulk_id=bulk.id,
        )

    @decides(RequestFile)
    def request(self, command: RequestFile, context: Context) -> None:
        if self.exists:
            return
        office = office_of(context, command.office_id)
        if command.agency not in office.agencies:
            office.require_agency(command.agency)
        self._request(office, command.agency, command.contents, context, currency=command.currency)

    @decides(RequestSingleFile)
    def request_single(self, account: Account, command: RequestSingleFile, context: Context) -> None:
        current = account.placing.current
        if not self.exists and current is not None and current.file_id == self.id:
            self._request(
                account.customer.office(context),
                current.agency,
                FileContents.NEW,
                context,
                currency=account.customer.currency,
                account_id=account.id,
            )

    def _request(
        self,
        office: Office,
        agency: str,
        contents: FileContents,
        context: Context,
        *,
        layout: str | None = None,
        currency: str | None = None,
        bulk_id: UUID | None = None,
        account_id: UUID | None = None,
    ) -> None:
        ending = office.agencies[agency].format.value
        self.emit(
            FileRequested(
                office_id=office.id,
                agency=agency,
                contents=contents,
                layout=layout,
                name=f"{agency}-{contents}-{context.today}-{self.id.hex[:12]}.{ending}",
                currency=currency or office.currency,
                bulk_id=bulk_id,
                account_id=account_id,
            )
        )

    @decides(RecordFileMade)
    def record_made(self, command: RecordFileMade, context: Context) -> None:
        self._require()
        if self.state in {FileState.REQUESTED, FileState.MADE}:
            self.emit(FileMade(**command.model_dump(exclude={"file_id", "total"}), total=command.total))

    @decides(BeginFileDelivery)
    def begin_delivery(self, command: BeginFileDelivery, context: Context) -> None:
        self._require()
        if self.state is FileState.MADE:
            self.emit(FileDeliveryBegun())

    @decides(RecordFileDelivery)
    def record_delivery(self, command: RecordFileDelivery, context: Context) -> None:
        office_id = self._require()
        if self.state in {FileState.DELIVERED, FileState.REQUESTED}:
            return
        if command.arrived:
            self._delivered_to(office_of(context, office_id), context)
        elif command.arrived is None:
            if self.state is not FileState.UNCERTAIN:
                self.emit(FileUncertain(detail=command.detail))
        elif self.state is not FileState.MADE or self.detail != command.detail:
            self.emit(FileDeliveryFailed(detail=command.detail))

    def _delivered_to(self, office: Office, context: Context) -> None:
        days = office.agencies[self.agency].acknowledged_within
        self.emit(
            FileDelivered(
                office_id=office.id,
                agency=self.agency,
                contents=self.contents,
                bulk_id=self.bulk_id,
                account_id=self.account_id,
                delivered_on=context.today,
                acknowledge_by=business_days_after(context.today, days, office.calendar),
            )
        )

    @decides(RedeliverFile)
    def redeliver(self, command: RedeliverFile, context: Context) -> None:
        self._require()
        context.require_reason()
        if self.state is FileState.DELIVERED:
            raise Refusal("placement-file-delivered", f"file {self.name} was delivered already")
        if self.state is FileState.UNCERTAIN:
            self.emit(FileRedelivered())

    @decides(AcknowledgeFile)
    def acknowledge(self, command: AcknowledgeFile, context: Context) -> None:
        self._require()
        if self.state in {FileState.REQUESTED, FileState.MADE} or self.total is None:
            raise Refusal("placement-file-waits", f"file {self.name} was not delivered yet")
        if self.state is not FileState.DELIVERED:
            self._delivered_to(office_of(context, self._require()), context)  # who says what it received has it
        matches = (command.accounts, command.total) == (self.accounts, self.total)
        if self.matches is not True and not (self.matches is False and not matches):
            self.emit(FileAcknowledged(accounts=command.accounts, total=command.total, matches=matches))

    @decides(RemindFile)
    def remind(self, command: RemindFile, context: Context) -> None:
        if self.office_id is None or self.acknowledge_by is None or self.matches or self.is_overdue:
            return
        if context.today > self.acknowledge_by:
            self.emit(
                FileOverdue(
                    office_id=self.office_id,
                    agency=self.agency,
                    acknowledge_by=self.acknowledge_by,
                    differs=self.matches is False,
                )
            )

    def _require(self) -> UUID:
        """The office. Refuses where there is no such file."""
        if self.office_id is None:
            raise Refusal("unknown-placementfile", "there is no such placement file")
        return self.office_id

    # --- apply ---

    @applies(FileRequested)
    def _requested(self, event: FileRequested) -> None:
        self.office_id, self.agency, self.contents = event.office_id, event.agency, event.contents
        self.layout, self.name, self.currency = event.layout, event.name, event.currency
        self.bulk_id, self.account_id = event.bulk_id, event.account_id

    @applies(FileMade)
    def _made(self, event: FileMade) -> None:
        self.state, self.accounts, self.total = FileState.MADE, event.accounts, event.total
        self.sha256, self.through_position = event.sha256, event.through_position
        self.fingerprint = event.fingerprint

    @applies(FileDeliveryBegun)
    def _delivery_begun(self, _: FileDeliveryBegun) -> None:
        self.state = FileState.DELIVERING

    @applies(FileDeliveryFailed)
    def _delivery_failed(self, event: FileDeliveryFailed) -> None:
        self.state, self.detail = FileState.MADE, event.detail

    @applies(FileDelivered)
    def _delivered(self, event: FileDelivered) -> None:
        self.state, self.detail, self.acknowledge_by = FileState.DELIVERED, "", event.acknowledge_by

    @applies(FileUncertain)
    def _uncertain(self, event: FileUncertain) -> None:
        self.state, self.detail = FileState.UNCERTAIN, event.detail

    @applies(FileRedelivered)
    def _redelivered(self, _: FileRedelivered) -> None:
        self.state = FileState.MADE

    @applies(FileAcknowledged)
    def _acknowledged(self, event: FileAcknowledged) -> None:
        self.matches = event.matches

    @applies(FileOverdue)
    def _overdue(self, _: FileOverdue) -> None:
        self.is_overdue = True


def business_days_after(day: date, count: int, calendar: BusinessCalendar) -> date:
    """The last of so many business days after a day."""
    for _ in range(count):
        day = calendar.on_or_after(day + timedelta(days=1))
    return day
