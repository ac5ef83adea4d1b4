"""What comes back from an agency: a file of rows, each read into a command with an id that follows from what it says.

The same file again, or the same row twice, is one fact. A row that cannot be read, or that the account refuses, is
named with its line and why; the others count.
"""

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from pydantic import ValidationError

from adapters.billing.spreadsheet import unguarded
from aggregates.account.command import ids_by_name
from aggregates.account.disputes import OpenDispute
from aggregates.account.payments import ReversePayment
from aggregates.account.placement import (
    AcknowledgePlacement,
    AdjustPlacement,
    ClosePlacement,
    PostAgencyPayment,
    RejectPlacement,
)
from aggregates.account.receivables import ReversalKind
from aggregates.kernel.command import Command, identifier
from aggregates.placement_file import AcknowledgeFile
from aggregates.values.money import Money, exponent

MOST_ROWS = 1_000_000
_LONGEST_CELL = 4_000
_AMOUNT = re.compile(r"-?[0-9]{1,13}(\.[0-9]{1,4})?")


class AnswerProblem(ValueError):
    """The file as a whole cannot be read: nothing of it was done."""


@dataclass(frozen=True, slots=True)
class RowProblem:
    """A row that was rejected: its line in the file, counted from 1, and why."""

    line: int
    record: str
    account: str
    code: str
    problem: str


@dataclass(frozen=True, slots=True)
class Said:
    """A row that can be read: what it asks for, under an id that is the same for the same row."""

    line: int
    record: str
    account: str
    command: Command
    command_id: UUID


@dataclass(slots=True)
class Context:
    """Whose file it is, and how its names are looked up."""

    office_id: UUID
    agency: str
    currency_of: Mapping[UUID, str]
    """By account that is there."""
    file_named: Callable[[str], tuple[UUID, str] | None]
    """A placement file of the agency by its name or id, and its currency."""


Cells = Mapping[str, str]
Read = Callable[[Cells, UUID, str, Context], Command]

# --- the file ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Line:
    """A row as it stands in the file."""

    number: int
    cells: Cells


def lines_of(content: str) -> list[Line]:
    """The rows of a CSV or TSV with a header. Raises AnswerProblem, also where its trailer says other totals."""
    text = content.removeprefix("\ufeff")
    if "\x00" in text:
        raise AnswerProblem("expected text, found a NUL character")
    delimiter = "\t" if "\t" in text.partition("\n")[0] else ","
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        header = [name.strip().lower() for name in next(reader, [])]
        if "record" not in header:
            raise AnswerProblem("line 1: expected a header with the column record")
        if unknown := sorted({name for name in header if name} - COLUMNS):
            raise AnswerProblem(f"line 1: {unknown[0]!r} is no column; expected some of {', '.join(sorted(COLUMNS))}")
        if len(set(header)) < len(header):
            raise AnswerProblem("line 1: expected each column once")
        found = list(_lines(reader, header))
    except csv.Error as error:
        raise AnswerProblem(f"line {reader.line_num}: expected CSV: {error}") from None
    return _without_trailer(found)


COLUMNS = frozenset(
    {"record", "account_number", "reference", "amount", "currency", "commission", "date", "code", "notes",
     "agency_number", "invoice_number", "file", "accounts", "total"}
)  # fmt: skip


def _lines(reader: Any, header: Sequence[str]) -> Iterator[Line]:
    for count, cells in enumerate(reader):
        if count >= MOST_ROWS:
            raise AnswerProblem(f"expected at most {MOST_ROWS:,} rows")
        if not any(cell.strip() for cell in cells):
            continue
        if any(len(cell) > _LONGEST_CELL for cell in cells):
            raise AnswerProblem(f"line {reader.line_num}: expected at most {_LONGEST_CELL:,} characters in a cell")
        told = {name: str(unguarded(cell)).strip() for name, cell in zip(header, cells, strict=False) if name}
        yield Line(reader.line_num, told)


def _without_trailer(found: list[Line]) -> list[Line]:
    """A last row `trailer` says how many rows there are, and the sum of their payments."""
    if not found or found[-1].cells.get("record", "").lower() != "trailer":
        return found
    *rest, trailer = found
    wanted = trailer.cells.get("accounts", "")
    if wanted != str(len(rest)):
        raise AnswerProblem(f"line {trailer.number}: the trailer says {wanted or 'no number of'} rows, of {len(rest)}")
    if total := trailer.cells.get("total", ""):
        paid = [each.cells.get("amount", "") for each in rest if each.cells.get("record", "").lower() == "payment"]
        if not all(_AMOUNT.fullmatch(each) for each in (total, *paid)):
            raise AnswerProblem(f"line {trailer.number}: total: expected an amount such as 12.50")
        there = sum((Decimal(each) for each in paid), Decimal())
        if Decimal(total) != there:
            raise AnswerProblem(f"line {trailer.number}: the trailer says {total} of payments, of {there:f}")
    return rest


# --- its rows ----------------------------------------------------------------------------------------


def said_by(line: Line, context: Context) -> Said | RowProblem:
    """What a row asks for."""
    cells = line.cells
    record, account = cells.get("record", "").lower(), cells.get("account_number", "")

    def problem(code: str, text: str) -> RowProblem:
        return RowProblem(line.number, record, account, code, text)

    try:
        if record == "acknowledgement":
            command: Command = _file_acknowledged(cells, context)
        elif record in RECORDS:
            found = [each for each in ids_by_name(context.office_id, account) if each in context.currency_of]
            if not account:
                return problem("bad-row", "account_number: expected the account's number")
            if not found:
                return problem("unknown-account", f"account_number: there is no {account!r}")
            command = RECORDS[record](cells, found[-1], context.currency_of[found[-1]], context)
        else:
            expected = ", ".join(("acknowledgement", *RECORDS))
            return problem("bad-row", f"record: expected one of {expected}, not {record!r}")
    except ValidationError as wrong:
        first = wrong.errors()[0]
        where = ".".join(map(str, first["loc"]))
        message = first["msg"].removeprefix("Value error, ").replace("Input should", "expected to")
        return problem("bad-row", f"{where}: {message}" if where else message)
    except ValueError as wrong:
        return problem("bad-row", str(wrong))
    key = identifier("agency-row", context.office_id, context.agency, command.command_name, command.model_dump_json())
    return Said(line.number, record, account, command, key)


def names_in(lines: Iterable[Line]) -> list[str]:
    """The accounts that rows name, each once."""
    return list(dict.fromkeys(each.cells.get("account_number", "") for each in lines))


def _file_acknowledged(cells: Cells, context: Context) -> AcknowledgeFile:
    name = _needed(cells, "file")
    known = context.file_named(name)
    if known is None:
        raise ValueError(f"file: there is no placement file {name!r} for {context.agency}")
    file_id, currency = known
    accounts = _needed(cells, "accounts")
    if not accounts.isdigit() or len(accounts) > 9:
        raise ValueError(f"accounts: expected a number, not {accounts!r}")
    return AcknowledgeFile(
        file_id=file_id, accounts=int(accounts), total=_amount({**cells, "amount": _needed(cells, "total")}, currency)
    )


def _accepted(cells: Cells, account_id: UUID, _: str, context: Context) -> Command:
    return AcknowledgePlacement(
        account_id=account_id, agency=context.agency, agency_number=cells.get("agency_number") or None
    )


def _payment(cells: Cells, account_id: UUID, currency: str, context: Context) -> Command:
    commission = cells.get("commission")
    return PostAgencyPayment(
        account_id=account_id,
        agency=context.agency,
        reference=_needed(cells, "reference"),
        amount=_amount(cells, currency),
        paid_on=_day(cells),
        commission=_amount({**cells, "amount": commission}, currency, "commission") if commission else None,
    )


def _reversal(cells: Cells, account_id: UUID, currency: str, context: Context) -> Command:
    code = cells.get("code") or ReversalKind.NSF.value
    if code not in {*ReversalKind}:
        raise ValueError(f"code: expected one of {', '.join(ReversalKind)}, not {code!r}")
    return ReversePayment(
        account_id=account_id,
        number=f"{context.agency}:{_needed(cells, 'reference')}",
        reversal=ReversalKind(code),
        reversed_on=_day(cells),
        amount=_amount(cells, currency) if cells.get("amount") else None,
    )


def _adjustment(cells: Cells, account_id: UUID, currency: str, context: Context) -> Command:
    return AdjustPlacement(
        account_id=account_id,
        agency=context.agency,
        reference=_needed(cells, "reference"),
        amount=_amount(cells, currency),
        adjusted_on=_day(cells),
        notes=cells.get("notes") or None,
    )


def _dispute(cells: Cells, account_id: UUID, _: str, context: Context) -> Command:
    invoice = cells.get("invoice_number")
    return OpenDispute(
        account_id=account_id,
        invoice_numbers=(invoice,) if invoice else (),
        reason_code=cells.get("code") or "other",
        notes=cells.get("notes") or f"Told by agency {context.agency}.",
    )


def _closure(cells: Cells, account_id: UUID, _: str, context: Context) -> Command:
    return ClosePlacement(
        account_id=account_id,
        agency=context.agency,
        code=cells.get("code") or None,
        notes=cells.get("notes") or None,
    )


def _rejection(cells: Cells, account_id: UUID, _: str, context: Context) -> Command:
    return RejectPlacement(
        account_id=account_id,
        agency=context.agency,
        code=cells.get("code") or None,
        notes=cells.get("notes") or None,
    )


RECORDS: Mapping[str, Read] = {
    "accepted": _accepted,
    "payment": _payment,
    "reversal": _reversal,
    "adjustment": _adjustment,
    "dispute": _dispute,
    "closure": _closure,
    "rejection": _rejection,
}
"""What a row may say of an account, by its `record`."""


def _needed(cells: Cells, name: str) -> str:
    if not cells.get(name):
        raise ValueError(f"{name}: expected one")
    return cells[name]


def _day(cells: Cells) -> date:
    text = _needed(cells, "date")
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"date: expected a day such as 2026-03-31, not {text!r}") from None


def _amount(cells: Cells, currency: str, name: str = "amount") -> Money:
    """Exact, and in the account's currency."""
    text = _needed(cells, "amount")
    said = cells.get("currency")
    if said and said != currency:
        raise ValueError(f"currency: the account is in {currency}, the row says {said!r}")
    if not _AMOUNT.fullmatch(text):
        raise ValueError(f"{name}: expected an amount such as 12.50, not {text!r}")
    amount = Decimal(text)
    money = Money.rounded(amount, currency)
    if money.decimal() != amount:
        raise ValueError(f"{name}: expected at most {exponent(currency)} decimal places, not {text!r}")
    return money


@dataclass(slots=True)
class Came:
    """What came of a file."""

    done: dict[str, int] = field(default_factory=dict)
    """Rows that were brought in, by their `record`."""
    known: int = 0
    """Rows that had been brought in before."""
    problems: list[RowProblem] = field(default_factory=list)
    paid: dict[str, Money] = field(default_factory=dict)
    """By currency the payments that were brought in."""
