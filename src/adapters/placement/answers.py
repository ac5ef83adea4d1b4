"""What comes back from an agency: a file of rows, each read into a command with an id that follows from what it says.

The same file again, or the same row twice, is one fact. A row that cannot be read, or that the account refuses, is
named with its line and why; the others count.
"""

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from pydantic import ValidationError

from adapters.billing.spreadsheet import unguarded
from aggregates.account import Account
from aggregates.account.command import ids_by_name
from aggregates.account.disputes import OpenDispute
from aggregates.account.payments import ReversePayment
from aggregates.account.placement import (
    AcknowledgePlacement,
    AdjustPlacement,
    ClosePlacement,
    PostAgencyPayment,
    RejectPlacement,
    placement_id,
)
from aggregates.account.placing import Placing
from aggregates.account.receivables import ReversalKind
from aggregates.kernel.command import Command, identifier
from aggregates.placement_file import AcknowledgeFile
from aggregates.values.money import DECIMAL, Money
from aggregates.values.patterns import message_of

MOST_ROWS = 1_000_000
_LONGEST_CELL = 4_000


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
    is_over: bool = False
    """It is about a placement before the one that is open: all that can be is that it was brought in then."""
    said_before: tuple[UUID, ...] = ()
    """The ids that the same would have of earlier placements, where it does not say of which it is."""


@dataclass(slots=True)
class Context:
    """Whose file it is, and how its names are looked up."""

    office_id: UUID
    agency: str
    accounts: Mapping[UUID, Account]
    """By id, those that are there."""
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
     "agency_number", "invoice_number", "placement_id", "file", "accounts", "total"}
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
        if not all(DECIMAL.fullmatch(each) for each in (total, *paid)):
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

    about: _About | None = None
    try:
        if record == "acknowledgement":
            command: Command = _file_acknowledged(cells, context)
        elif record in RECORDS:
            found = [each for each in ids_by_name(context.office_id, account) if each in context.accounts]
            if not account:
                return problem("bad-row", "account_number: expected the account's number")
            if not found:
                return problem("unknown-account", f"account_number: there is no {account!r}")
            of = context.accounts[found[-1]]
            about = _about(cells, of.placing, of.id, context.agency) if record in OF_PLACEMENT else None
            command = RECORDS[record](cells, of.id, of.customer.currency, context)
        else:
            expected = ", ".join(("acknowledgement", *RECORDS))
            return problem("bad-row", f"record: expected one of {expected}, not {record!r}")
    except ValidationError as wrong:
        first = wrong.errors()[0]
        where = ".".join(map(str, first["loc"]))
        message = message_of(first).removeprefix("Value error, ").replace("Input should", "expected to")
        return problem("bad-row", f"{where}: {message}" if where else message)
    except ValueError as wrong:
        return problem("bad-row", str(wrong))
    if about is None:
        return Said(line.number, record, account, command, _key(command, context))
    nth = [_key(command, context, placement) for placement in about.placements]
    is_over = about.is_over and record in ENDS_WITH_PLACEMENT
    before = () if about.is_said else tuple(nth[:-1])
    return Said(line.number, record, account, command, nth[-1], is_over, before)


@dataclass(frozen=True, slots=True)
class _About:
    """The placements of the account up to the one that a row is about, the last of them."""

    placements: Sequence[UUID | None]
    is_over: bool
    is_said: bool
    """Whether the row says which it is."""


def _about(cells: Cells, placing: Placing, account_id: UUID, agency: str) -> _About:
    """By its id, or by its day; else the placement with the agency that is open, or was the last one."""
    all_of_them = [placement_id(account_id, nth) for nth in range(1, placing.placements + 1)]
    current = placing.current if placing.current is not None and placing.current.agency == agency else None
    named, day = cells.get("placement_id"), _day(cells) if cells.get("date") else None
    if named:
        found = next((each for each in all_of_them if str(each) == named.lower()), None)
        if found is None:
            raise ValueError(f"placement_id: the account has no placement {named!r}")
    elif current is not None and (day is None or day >= current.placed_on):
        found = current.id
    else:
        found = placing.ended.get(agency)
    nth = all_of_them.index(found) if found in all_of_them else 0
    # The first has no id in its key: so it was before accounts could be placed again.
    placements = [None, *all_of_them[1 : nth + 1]]
    return _About(placements, current is not None and found != current.id, bool(named) or day is not None)


def _key(command: Command, context: Context, placement: UUID | None = None) -> UUID:
    of = () if placement is None else (placement,)
    said = command.model_dump_json()
    return identifier("agency-row", context.office_id, context.agency, command.command_name, said, *of)


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
OF_PLACEMENT = frozenset({"accepted", "dispute", "closure", "rejection"})
"""Records that may be said again of another placement of the account; others have a reference of the agency's."""
ENDS_WITH_PLACEMENT = OF_PLACEMENT - {"dispute"}
"""Records that say nothing of an account that is not with the agency any more."""


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
    try:
        return Money.parse(text, currency)
    except ValueError as problem:
        raise ValueError(f"{name}: {problem}") from None


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
