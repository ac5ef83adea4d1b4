"""The collections report as a file: CSV or a workbook. Who took it, and how many rows, is recorded."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from adapters.bulk.freezing import Selection, said_of
from adapters.workbook_file import Cell, write_csv, write_workbook
from aggregates.bulk.action import RecordExport
from aggregates.values.money import Money, exponent
from aggregates.values.saved_filter import SavedFilter
from api.application.bulk import office_of
from api.application.issuing import Caller, Issuing, for_the_system
from api.application.offices import today_in
from api.application.saved_filters import filters_with, order_of, saved_filter
from api.processes.service import Service
from projections.collections_report.columns import IN_FILES, CollectionsRow
from projections.questions.collections import CollectionsReport, collections
from projections.questions.collections.defined import defined_by
from projections.questions.collections.report import SUMMED, every_row

_BUCKETS = "buckets"


class ExportFormat(StrEnum):
    CSV = "csv"
    CSV_BOM = "csv-bom"
    """With a byte order mark, by which spreadsheets that take CSV for another charset see that it is UTF-8."""
    XLSX = "xlsx"

    @property
    def suffix(self) -> str:
        """Of a file's name."""
        return self.partition("-")[0]


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
    kept = saved_filter(office, of.saved) if of.saved else SavedFilter()
    of = replace(of, filters=filters_with(kept, of.filters), saved=None)
    columns = kept.columns or IN_FILES
    asked: dict[str, Any] = {
        "today": today_in([office], service.clock.now()),
        "scheme": office.scheme,
        "as_of": of.as_of,
        "office": office.code,
        "currency": of.currency,
        "filters": of.filters,
        "defined": defined_by([office]),
        "order": order_of(kept),
    }
    with service.database.snapshot("arrears_app") as connection:
        first = collections(connection, limit=1, **asked)
        rows = every_row(connection, **asked)
        buckets = office.scheme.names
        header = [*_spread(columns, [f"bucket {name}" for name in buckets])]
        cells = (_cells(row, columns, buckets) for row in rows)
        if format is not ExportFormat.XLSX:
            write_csv(to, header, cells, has_bom=format is ExportFormat.CSV_BOM)
        else:
            totals = _totals(first, columns, buckets)
            write_workbook(to, "Collections", header, cells, totals=totals, places=exponent(first.currency))
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


def _spread(columns: Sequence[str], buckets: Sequence[str]) -> Iterator[str]:
    """The names of the columns, with one for each bucket in the place of `buckets`."""
    for name in columns:
        if name == _BUCKETS:
            yield from buckets
        else:
            yield name


def _cells(row: CollectionsRow, columns: Sequence[str], buckets: Sequence[str]) -> list[Cell]:
    found: list[Cell] = []
    for name in columns:
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


def _totals(report: CollectionsReport, columns: Sequence[str], buckets: Sequence[str]) -> list[Cell]:
    """Of what the report sums; the first column says what the row is."""
    sums: dict[str, Cell] = {name: getattr(report, name) for name in SUMMED}
    names = [*_spread(columns, buckets)]
    return ["Total" if place == 0 else sums.get(name) for place, name in enumerate(names)]
