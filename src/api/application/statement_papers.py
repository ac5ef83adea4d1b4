"""Statements and copies of invoices as PDF, with amounts and days in the customer's language."""

from collections.abc import Callable, Iterable, Sequence
from datetime import date

from adapters.delivery.languages import language_of, written
from adapters.documents.setting import Column, Figures, Head, Table, figures_pdf, paper_of
from aggregates.values.money import Money
from api.application.statement_words import Words, words_in
from api.application.statements import AccountStatement, InvoiceCopy, InvoicePart, Paper, StatementItem

Write = Callable[[Money | date | int], str]


def statement_pdf(statement: AccountStatement) -> bytes:
    """Raises NotPrintable."""
    words, language = words_in(statement.language)
    write = _writer(language_of(language, statement.language))
    tables = [_open_items(statement, words, write)]
    if statement.disputed_items:
        tables.append(_disputed(statement, words, write))
    if statement.unapplied_money:
        tables.append(_unapplied(statement, words, write))
    tables += [_aging(statement, words, write), _summary(statement, words, write)]
    claimed = statement.still_claimed
    notes = [f"{words.still_claimed}: {write(claimed)} {statement.currency}"] if claimed else []
    figures = Figures(_facts(statement, words, write), tables, notes)
    return figures_pdf(_head(statement, words.statement, language), figures)


def invoice_copy_pdf(copy: InvoiceCopy) -> bytes:
    """Raises NotPrintable."""
    words, language = words_in(copy.language)
    write = _writer(language_of(language, copy.language))
    facts = [(words.invoice, copy.number), (words.issued, write(copy.issued_on)), *_facts(copy, words, write)]
    names = ("before_discount", *_names(copy.parts))
    columns = _figures(*(getattr(words, name) for name in names))
    parts = [[write(each.due_on), *_amounts(each, names, write)] for each in copy.parts]
    total = [words.total, *_totals(copy.parts, names, copy.currency, write)]
    tables = [Table(words.instalments, [Column(words.due, grows=True), *columns], [*parts, total])]
    if copy.lines:
        lines = [[each.source or words.balance, write(each.base), write(each.amount)] for each in copy.lines]
        shown = [Column(words.taken_of, grows=True), *_figures(words.base, words.amount)]
        tables.append(Table(words.taken_of, shown, [*lines, [words.total, "", write(copy.charged)]]))
    notes = [] if copy.charged else [words.withdrawn]
    title = f"{words.invoice_copy} {copy.number}"
    return figures_pdf(_head(copy, title, language), Figures(facts, tables, notes))


# --- their parts -------------------------------------------------------------------------------------


def _head(paper: Paper, title: str, language: str) -> Head:
    return Head(
        title=title,
        sender=paper.office_title,
        sender_lines=paper.office_address,
        address=[paper.customer_name, *paper.customer_address],
        language=language_of(language, paper.language),
        paper=paper_of(paper.country),
        day=paper.as_of,
        numbered=True,
    )


def _facts(paper: Paper, words: Words, write: Write) -> list[tuple[str, str]]:
    of_customer = [] if paper.customer_number == paper.account_number else [(words.customer, paper.customer_number)]
    return [
        (words.account, paper.account_number),
        *of_customer,
        (words.as_of, write(paper.as_of)),
        (words.currency, paper.currency),
    ]


def _names(items: Sequence[StatementItem | InvoicePart]) -> tuple[str, ...]:
    """The figures that are shown of each; what is written off only where anything is."""
    return ("charged", "paid", *(("written_off",) if any(each.written_off for each in items) else ()), "open")


def _amounts(item: StatementItem | InvoicePart, names: Iterable[str], write: Write) -> list[str]:
    return [write(getattr(item, name)) for name in names]


def _totals(
    items: Sequence[StatementItem | InvoicePart], names: Iterable[str], currency: str, write: Write
) -> list[str]:
    return [write(Money.total((getattr(each, name) for each in items), currency)) for name in names]


def _open_items(statement: AccountStatement, words: Words, write: Write) -> Table:
    names = _names(statement.items)
    columns = [
        Column(words.invoice, grows=True),
        Column(words.issued),
        *_items_columns(words),
        *_figures(*(getattr(words, name) for name in names)),
    ]
    rows = [
        [each.number, write(each.issued_on), *_ages(each, write), *_amounts(each, names, write)]
        for each in statement.items
    ]
    totals = _totals(statement.items, names, statement.currency, write)
    return Table(words.open_items, columns, [*rows, [words.total, "", "", "", *totals]])


def _disputed(statement: AccountStatement, words: Words, write: Write) -> Table:
    names = (*_names(statement.disputed_items), "disputed")
    columns = [
        Column(words.invoice, grows=True),
        *_items_columns(words),
        *_figures(*(getattr(words, name) for name in names)),
    ]
    rows = [[each.number, *_ages(each, write), *_amounts(each, names, write)] for each in statement.disputed_items]
    totals = _totals(statement.disputed_items, names, statement.currency, write)
    return Table(words.in_dispute, columns, [*rows, [words.total, "", "", *totals]])


def _items_columns(words: Words) -> list[Column]:
    return [Column(words.due), Column(words.days_past_due, is_figure=True)]


def _ages(item: StatementItem, write: Write) -> list[str]:
    """When it was due, and how long ago that is."""
    return [write(item.due_on), write(max(0, item.days_past_due))]


def _unapplied(statement: AccountStatement, words: Words, write: Write) -> Table:
    rows = [[each.number, write(each.received_on), write(each.unapplied)] for each in statement.unapplied_money]
    return Table(
        words.unapplied,
        [Column(words.number, grows=True), Column(words.received), *_figures(words.amount)],
        [*rows, [words.total, "", write(statement.unapplied)]],
    )


def _aging(statement: AccountStatement, words: Words, write: Write) -> Table:
    rows = [[each.bucket, write(each.amount)] for each in statement.aging]
    total = Money.total((each.amount for each in statement.aging), statement.currency)
    return Table(
        words.age,
        [Column(words.days_past_due, grows=True), *_figures(words.open)],
        [*rows, [words.total, write(total)]],
    )


def _summary(statement: AccountStatement, words: Words, write: Write) -> Table:
    rows = [[words.open_items, write(statement.open)]]
    if statement.disputed_items:
        rows.append([words.in_dispute, write(statement.in_dispute)])
    if statement.unapplied:
        rows.append([words.unapplied, write(-statement.unapplied)])
    return Table(
        words.summary,
        [Column("", grows=True), *_figures(f"{words.amount}, {statement.currency}")],
        [*rows, [words.balance, write(statement.balance)]],
    )


def _figures(*titles: str) -> Iterable[Column]:
    return [Column(title, is_figure=True) for title in titles]


def _writer(language: str) -> Write:
    def write(value: Money | date | int) -> str:
        return str(written(value.decimal() if isinstance(value, Money) else value, language))

    return write
