"""The collections report as a file: CSV or a workbook. Who took it, and how many rows, is recorded."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from uuid import UUID, uuid4

from adapters.workbook_file import Cell, write_csv, write_workbook
from aggregates.bulk.action import RecordExport
from aggregates.values.money import Money
from api.application.bulk import Selection, for_the_system, office_of, said_of
from api.application.issuing import Caller, Issuing
from api.application.offices import today_in
from api.processes.service import Service
from projections.collections_report.columns import IN_FILES, CollectionsRow
from projections.questions.collections import CollectionsReport, collections

_PAGE = 1_000
_BUCKETS = "buckets"


class ExportFormat(StrEnum):
    CSV = "csv"
    XLSX = "xlsx"


def export(
    service: Service,
    issuing: Issuing,
    caller: Caller,
    of: Selection,
    *,
    format: ExportFormat,  # noqa: A002
    to: Path,
) -> tuple[UUID, int]:
    """Writes what the report shows now, all of one moment, row by row, beside `to`; records it; and only then gives the
    file its name, so that none is there that is not recorded. What has this name is replaced. The id of the record and
    the number of rows. Raises ReportRefused, NotIssued, OSError."""
    beside = to.with_name(f".{to.name}.{uuid4().hex}.part")
    try:
        bulk_id, accounts = _written_and_recorded(service, issuing, caller, of, format=format, to=beside)
        beside.replace(to)
    finally:
        beside.unlink(missing_ok=True)
    return bulk_id, accounts


def _written_and_recorded(
    service: Service,
    issuing: Issuing,
    caller: Caller,
    of: Selection,
    *,
    format: ExportFormat,  # noqa: A002
    to: Path,
) -> tuple[UUID, int]:
    office = office_of(service, of.office)
    today = today_in([office], service.clock.now())
    with service.database.snapshot("arrears_app") as connection:

        def page(cursor: str | None) -> CollectionsReport:
            return collections(
                connection,
                today=today,
                scheme=office.scheme,
                as_of=of.as_of,
                office=office.code,
                currency=of.currency,
                filters=of.filters,
                limit=_PAGE,
                cursor=cursor,
            )

        first = page(None)

        def rows() -> Iterator[CollectionsRow]:
            report = first
            while True:
                yield from report.rows
                if report.next_cursor is None:
                    return
                report = page(report.next_cursor)

        buckets = office.scheme.names
        header = [*_spread([f"bucket {name}" for name in buckets])]
        cells = (_cells(row, buckets) for row in rows())
        if format is ExportFormat.CSV:
            write_csv(to, header, cells)
        else:
            write_workbook(to, "Collections", header, cells, totals=_totals(first, buckets))
    command = RecordExport(
        bulk_id=caller.new_id("bulk"),
        office_id=office.id,
        format=format.value,
        filters=said_of(of),
        as_of=first.as_of,
        currency=first.currency,
        rows=first.accounts,
        total_minor=Money.rounded(first.balance, first.currency).minor,
    )
    issuing.issue(command, for_the_system(caller))
    return command.bulk_id, first.accounts


def _spread(buckets: Sequence[str]) -> Iterator[str]:
    """The names of the columns, with one for each bucket in the place of `buckets`."""
    for name in IN_FILES:
        if name == _BUCKETS:
            yield from buckets
        else:
            yield name


def _cells(row: CollectionsRow, buckets: Sequence[str]) -> list[Cell]:
    found: list[Cell] = []
    for name in IN_FILES:
        if name == _BUCKETS:
            found += [row.buckets.get(each, Decimal()) for each in buckets]
        else:
            found.append(_cell(getattr(row, name)))
    return found


def _cell(value: object) -> Cell:
    match value:
        case list():
            return ", ".join(map(str, value))
        case StrEnum() | UUID():
            return str(value)
        case None | int() | Decimal() | str():
            return value
        case _ if hasattr(value, "detail"):
            return str(value.detail)
        case _:
            return value  # type: ignore[return-value]


def _totals(report: CollectionsReport, buckets: Sequence[str]) -> list[Cell]:
    """Of what the report sums; the first column says what the row is."""
    sums: dict[str, Cell] = {name: getattr(report, name) for name in ("balance", "outstanding", "unapplied")}
    names = [*_spread(buckets)]
    return ["Total" if place == 0 else sums.get(name) for place, name in enumerate(names)]
