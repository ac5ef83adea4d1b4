"""What only several rows of a file say together: the instalments of an invoice, and a payment for several invoices."""

from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import date
from typing import NamedTuple

from adapters.billing.facts import Fact, InvoiceFact, PaymentFact
from adapters.billing.identity import key_in_form, number_in
from adapters.billing.imported import Known
from adapters.billing.rows import RowProblem
from aggregates.values.money import Money

OWN_NUMBERS = '; where each account numbers its own, the profile says so: [numbering] scope = "per-account"'
"""What a number of two accounts may mean."""


class StagedRow(NamedTuple):
    """A fact where it is staged; `place` is the row's in the table."""

    place: str
    line: int
    natural_key: str
    digest: bytes
    fact: Fact


@dataclass(slots=True)
class Decided:
    """What becomes of some staged facts."""

    changed: list[tuple[StagedRow, str, Fact]] = field(default_factory=list)
    """Each with the natural key and the fact that it has now."""
    gone: list[StagedRow] = field(default_factory=list)
    """They are part of another fact, or of a payment that is refused."""
    repeats: int = 0
    refused: list[RowProblem] = field(default_factory=list)
    """Nothing of these lines is taken."""

    def add(self, other: "Decided") -> None:
        self.changed += other.changed
        self.gone += other.gone
        self.repeats += other.repeats
        self.refused += other.refused


def instalments(rows: Sequence[StagedRow], first_known: Known | None, further_known: Set[date]) -> Decided:
    """Of all rows of an invoice number, with their settlements, by line.

    Rows that differ in account, issue day or currency are refused. Of the due days one has the invoice's own key: the
    one that has it already, else the earliest that is not known as a further one. An earlier release stored no due day;
    what it imported is the one that says the same. Where only one is known and the file has one, nothing is an
    instalment, and its due day is corrected.
    """
    decided = Decided()
    invoices = [(row, row.fact) for row in rows if isinstance(row.fact, InvoiceFact)]
    [first, *_] = invoices
    agreeing: dict[int, tuple[StagedRow, InvoiceFact]] = {}
    for row, fact in invoices:
        if _of_invoice(fact) == _of_invoice(first[1]):
            agreeing[row.line] = row, fact
        else:
            decided.refused.append(_other_content(row, first[0]))
    days = {_due(fact) for _, fact in agreeing.values()}
    if len(days) < 2 and not further_known:
        return decided
    of_first = _due_of_first(agreeing.values(), first_known, further_known)
    for row in rows:
        if row.line not in agreeing:
            continue
        due = _due(agreeing[row.line][1])
        further = None if due == of_first else due
        match row.fact:
            case InvoiceFact() as invoice if further is not None:
                meant: Fact = replace(invoice, instalment=further)
            case PaymentFact() as settled:
                meant = replace(settled, instalment=further, settled_due=due)
            case _:
                continue
        decided.changed.append((row, key_in_form(row.natural_key, meant), meant))
    return decided


def _of_invoice(fact: InvoiceFact) -> tuple[object, ...]:
    return fact.account_number, fact.issued_on, fact.amount.currency


def _due(fact: InvoiceFact) -> date:
    return fact.due_on or fact.issued_on


def _due_of_first(
    said: Iterable[tuple[StagedRow, InvoiceFact]], first_known: Known | None, further_known: Set[date]
) -> date | None:
    rows = list(said)
    if first_known is not None:
        if first_known.due_on is not None:
            return first_known.due_on
        for row, fact in rows:
            if row.digest == first_known.digest:
                return _due(fact)
    return min((due for _, fact in rows if (due := _due(fact)) not in further_known), default=None)


def parts(rows: Sequence[StagedRow], unread: int | None) -> Decided:
    """Of all rows of a payment number, by line; `unread` is a line of it that cannot be read.

    Rows that agree in all but invoice and amount are one payment: the sum, with a part for each. Where one of them is
    refused all are, since the sum of the others is not what came in.
    """
    decided = Decided()
    payments = [(row, row.fact) for row in rows if isinstance(row.fact, PaymentFact)]
    [first, *_] = payments
    alike = [each for each in payments if _of_payment(each[1]) == _of_payment(first[1])]
    is_split = len({fact.invoice_number for _, fact in alike}) > 1
    if unread is not None:
        return _refused([row for row, _ in payments], unread)
    if not is_split:
        return decided  # what repeats, or contradicts, the first of them is found as of any other document
    by_invoice: dict[str | None, StagedRow] = {}
    for row, fact in payments:
        if _of_payment(fact) != _of_payment(first[1]):
            decided.refused.append(_other_content(row, first[0]))
        elif (before := by_invoice.setdefault(fact.invoice_number, row)) is not row:
            if before.digest == row.digest:
                decided.gone.append(row)
                decided.repeats += 1
            else:
                decided.refused.append(_other_content(row, before))
    if decided.refused:
        told = {problem.line for problem in decided.refused}
        others = _refused([row for row, _ in payments if row.line not in told], min(told))
        return Decided(gone=others.gone, refused=[*decided.refused, *others.refused])
    decided.changed.append((first[0], first[0].natural_key, _joined([f for r, f in payments if r not in decided.gone])))
    decided.gone += [row for row in by_invoice.values() if row is not first[0]]
    return decided


def _joined(facts: Sequence[PaymentFact]) -> PaymentFact:
    """What rows have of references and information is of the row, and nothing is decided by it."""
    minor = sum(fact.amount.minor for fact in facts)
    return replace(
        facts[0],
        amount=Money(minor, facts[0].amount.currency),
        invoice_number=None,
        reference=None,
        information=(),
        parts=tuple(sorted((fact.invoice_number or "", fact.amount.minor) for fact in facts)),
    )


def _of_payment(fact: PaymentFact) -> tuple[object, ...]:
    return fact.account_number, fact.received_on, fact.amount.currency, fact.method, fact.payer_number


def _refused(rows: Sequence[StagedRow], line: int) -> Decided:
    said = "every row of payment {}; line {} of it is refused".format
    return Decided(refused=[RowProblem(r.line, "", _number(r), said(_number(r), line)) for r in rows], gone=list(rows))


def _other_content(row: StagedRow, first: StagedRow) -> RowProblem:
    kind, number = row.fact.kind, _number(row)
    hint = "" if row.fact.account_number == first.fact.account_number else OWN_NUMBERS
    expected = f"another number, or what line {first.line} says: {kind} {number} stands there with other content{hint}"
    return RowProblem(row.line, "", number, expected)


def _number(row: StagedRow) -> str:
    return number_in(row.natural_key)
