"""What a billing system has in its books, as it would write them into files: any layout, any order, any corrections.

The books know the last statement of each document only, and ask the plain ledger, which goes from day to day, what
follows from these. Nothing of the reading or the booking under test is used here but the names of a profile's keys.
"""

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from uuid import UUID, uuid5

import openpyxl

from tests.aggregates.oracle import PlainLedger

_NAMES = UUID(int=7)

INVOICES, PAYMENTS, CREDITS, REVERSALS = KINDS = ("invoices", "payments", "credits", "reversals")
LEDGER = "invoices-with-settlement"

COLUMNS = {
    INVOICES: ("account_number", "invoice_number", "issued_on", "due_on", "amount"),
    PAYMENTS: ("account_number", "payment_number", "received_on", "amount", "invoice_number"),
    CREDITS: ("account_number", "credit_number", "issued_on", "amount", "invoice_number"),
    REVERSALS: ("account_number", "payment_number", "reversed_on", "reversal", "amount"),
    LEDGER: ("account_number", "invoice_number", "issued_on", "due_on", "amount", "settled_on"),
}


@dataclass(frozen=True)
class Document:
    """An entry of the books. `minor` are cents; `day` the day it is of; `other` a due day, what it names, or the kind
    of a reversal, whose number is the payment's. A payment names an invoice, several in one text, or, with what is for
    each, on a row each."""

    kind: str
    account: str
    number: str
    day: date
    minor: int
    other: date | str | tuple[tuple[str, int], ...] | None = None
    is_instalment: bool = False
    """Of an invoice that is owed in several."""

    @property
    def key(self) -> tuple[str, str]:
        """A payment may be taken back in several parts, and an invoice owed in several."""
        if self.kind == REVERSALS:
            return self.kind, f"{self.number} {self.day} {self.minor}"
        return self.kind, f"{self.number} {self.other}" if self.is_instalment else self.number

    @property
    def rows(self) -> list[tuple[object, ...]]:
        """What stands in a file for it: cells by the columns of its kind, amounts in cents."""
        if self.kind in {REVERSALS, INVOICES}:
            return [(self.account, self.number, self.day, self.other, self.minor)]
        said = self.other if isinstance(self.other, tuple) else [(self.other, self.minor)]
        return [(self.account, self.number, self.day, minor, invoice) for invoice, minor in said]

    @property
    def said(self) -> list[tuple[str, int | None]]:
        """Each invoice that a payment is for, where there are several, with what is for it."""
        if isinstance(self.other, tuple):
            return list(self.other)
        names = self.other.split(", ") if isinstance(self.other, str) else []
        return [(name, None) for name in names] if len(names) > 1 else []


@dataclass(frozen=True)
class Line:
    """A row of a ledger of invoices and, below zero, credits: what it says of one number is all there is to it."""

    account: str
    number: str
    day: date
    due: date
    minor: int
    settled: date | None = None

    @property
    def documents(self) -> list[Document]:
        """What it says there is."""
        if self.minor < 0:
            return [Document(CREDITS, self.account, self.number, self.day, -self.minor)]
        invoice = Document(INVOICES, self.account, self.number, self.day, self.minor, self.due)
        return [invoice] if self.settled is None else [invoice, self.payment(self.settled, self.minor)]

    def payment(self, day: date, minor: int) -> Document:
        return Document(PAYMENTS, self.account, f"settlement:{self.number}", day, minor, self.number)

    @property
    def rows(self) -> list[tuple[object, ...]]:
        return [(self.account, self.number, self.day, self.due, self.minor, self.settled)]


@dataclass
class Books:
    """The last statement of every document."""

    stated: dict[tuple[str, str], Document] = field(default_factory=dict)
    lines: dict[tuple[str, str], Document] = field(default_factory=dict)
    """What there is by the ledger's lines."""
    ever: dict[tuple[str, str], Document] = field(default_factory=dict)
    """What they said last of each document, also of those that they took back."""

    def enter(self, lines: Iterable[Line]) -> tuple[int, int, int]:
        """Takes down what a file of these says: how many are new, changed or taken back, and as they were."""
        new = changed = same = 0
        for line in lines:
            said = {each.key: each for each in line.documents}
            for key in {(kind, line.number) for kind in (INVOICES, CREDITS)} | {
                (PAYMENTS, f"settlement:{line.number}")
            }:
                if key in said and self.lines.get(key) == said[key]:
                    same += 1
                elif key in said and key not in self.ever:
                    new += 1
                elif key in said or key in self.lines:
                    changed += 1
                self.lines.pop(key, None)
            self.lines |= said
            self.ever |= said
        return new, changed, same

    def absent(self, lines: Iterable[Line]) -> dict[tuple[str, str], Document]:
        """What there is by other lines than these."""
        numbers = {each.number for each in lines}
        return {k: each for k, each in self.lines.items() if k[1].removeprefix("settlement:") not in numbers}

    def state(self, documents: Iterable[Document]) -> tuple[int, int, int]:
        """Takes these down; how many are new, changed, and as they were. An invoice of nothing that nobody knows is
        no news."""
        new = changed = same = 0
        for each in documents:
            before = self.stated.get(each.key)
            if before == each or (before is None and not each.minor):
                same += 1
                continue
            new, changed = (new + 1, changed) if before is None else (new, changed + 1)
            self.stated[each.key] = each
        return new, changed, same

    @property
    def accounts(self) -> set[str]:
        return {each.account for each in (*self.stated.values(), *self.ever.values())}

    def taken_back(self, payment: str) -> list[Document]:
        """The reversals of a payment."""
        return [each for each in self.stated.values() if (each.kind, each.number) == (REVERSALS, payment)]

    def ledger(self, account: str, *, until: date = date.max) -> PlainLedger:
        """Of one account, told of nothing that is dated after a day."""
        ledger = PlainLedger()
        for each in (*self.stated.values(), *self.lines.values()):
            if each.account != account or each.day > until:
                continue
            if each.kind == INVOICES:
                ledger.items[_id(each)] = {
                    "number": each.number, "amount": each.minor, "issued": each.day, "due": each.other, "fee": False,
                    "days": [each.other], "part": "",
                }  # fmt: skip
            elif each.kind in {PAYMENTS, CREDITS}:
                back = self.taken_back(each.number) if each.kind == PAYMENTS else []
                back = [reversal for reversal in back if reversal.day <= until]
                never = any(reversal.other == "error" for reversal in back)
                is_gone = sum(reversal.minor for reversal in back) == each.minor
                parts = [{"on": r.day, "amount": r.minor, "item": None, "why": r.other} for r in back]
                ledger.money.append({
                    "id": _id(each), "amount": each.minor, "on": each.day, "kind": each.kind.removesuffix("s"),
                    "number": each.number, "never": never, "sent": [],
                    "named": each.other if isinstance(each.other, str) else None, "said": each.said,
                    "gone": (each.day if never else max(r.day for r in back)) if is_gone else None,
                    "back": parts if not is_gone or len(back) > 1 else [],
                })  # fmt: skip
        return ledger

    def owed(self, account: str, day: date) -> tuple[int, int]:
        """What is open at the end of a day, and what of the money is unapplied."""
        ledger = self.ledger(account)
        put = sum(amount for (on, _, _), amount in ledger.put().items() if on <= day)
        billed = sum(item["amount"] for item in ledger.items.values() if item["issued"] <= day)
        there = sum(
            m["amount"] - sum(part["amount"] for part in m["back"] if part["on"] <= day)
            for m in ledger.money
            if m["on"] <= day and not (m["gone"] and m["gone"] <= day)
        )
        return billed - put, there - put

    def open_items(self, account: str) -> dict[tuple[str, date], int]:
        """By number and due day."""
        ledger = self.ledger(account)
        of = ledger.items
        return {(of[item]["number"], of[item]["due"]): minor for item, minor in ledger.open_items().items()}


def _id(document: Document) -> UUID:
    return uuid5(_NAMES, "/".join((*document.key, document.account)))


# --- files -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Layout:
    """How a file is written."""

    encoding: str = "utf-8"
    delimiter: str = ","
    decimal: str = "."
    dates: str = "%Y-%m-%d"
    is_workbook: bool = False
    is_typed: bool = False
    """A workbook whose days and amounts are days and numbers, rather than texts."""

    def profile(self, kind: str, folder: Path, top: str = "") -> Path:
        lines = [f'kind = "{kind}"', f'dates = ["{self.dates}"]', top]
        if not self.is_workbook:
            lines += [f'encoding = "{self.encoding}"', f'delimiter = "{self.delimiter}"'.replace("\t", "\\t")]
        if self.decimal == ",":
            lines += ['decimal = ","']
        lines += ["[columns]", *(f'{name} = "{name}"' for name in COLUMNS[kind]), "[defaults]", 'currency = "USD"']
        path = folder / f"{kind}.toml"
        path.write_text("\n".join([*lines, ""]), encoding="utf-8")
        return path

    def write(self, kind: str, rows: Sequence[Document | Line], folder: Path) -> Path:
        """A file of these, in this order."""
        cells_of = [row for each in rows for row in each.rows]
        path = folder / f"{kind}.{'xlsx' if self.is_workbook else 'csv'}"
        if self.is_workbook:
            book = openpyxl.Workbook()
            sheet = book.active
            assert sheet is not None
            sheet.append(COLUMNS[kind])
            for row in cells_of:
                sheet.append([self._typed(name, cell) for name, cell in zip(COLUMNS[kind], row, strict=True)])
            book.save(path)
            return path
        text = io.StringIO()
        text.write(self.delimiter.join(COLUMNS[kind]) + "\r\n")
        for row in cells_of:
            cells = [self._text(name, cell) for name, cell in zip(COLUMNS[kind], row, strict=True)]
            text.write(self.delimiter.join(f'"{c}"' if self.delimiter in c else c for c in cells) + "\r\n")
        path.write_bytes(text.getvalue().encode(self.encoding))
        return path

    def _text(self, name: str, cell: object) -> str:
        if isinstance(cell, date):
            return cell.strftime(self.dates)
        if name == "amount":
            assert isinstance(cell, int)
            whole, cents = divmod(abs(cell), 100)
            mark = "," if self.decimal == "." else "."
            return ("-" if cell < 0 else "") + f"{whole:,}".replace(",", mark) + f"{self.decimal}{cents:02}"
        return "" if cell is None else str(cell)

    def _typed(self, name: str, cell: object) -> object:
        if self.is_typed and isinstance(cell, date):
            return cell
        if self.is_typed and name == "amount":
            assert isinstance(cell, int)
            return cell / 100
        return self._text(name, cell)


def repeated(rows: Sequence[Document], times: Sequence[int]) -> list[Document]:
    """Each row as often as said, in turns."""
    return [row for turn in range(max(times, default=0)) for row, n in zip(rows, times, strict=True) if turn < n]


def changed(document: Document, **what: object) -> Document:
    return replace(document, **what)  # type: ignore[arg-type]
