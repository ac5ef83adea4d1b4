"""`arrears report …` and `arrears kpi`: what was owed, promised, done and collected, as of any day."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.opening import question
from api.cli.options import AsJson, AsOf, DataDir, KnownOn, OfficeCode, read_day
from api.cli.output import Format, note, note_names, print_csv, print_json, print_table, say, shown

if TYPE_CHECKING:
    from adapters.postgres.database import Connection
    from aggregates.values.aging import BucketScheme
    from api.processes.service import Service
    from projections.questions import CollectionsReport, CollectionsRow, Filters

Currency = Annotated[str | None, typer.Option("--currency", metavar="ISO", help="Where several are in use.")]
As = Annotated[Format, typer.Option("--format", help="A table for people; CSV or JSON for programs.")]
Limit = Annotated[
    int | None,
    typer.Option("--limit", min=1, metavar="N", help="At most so many rows. Default: 50 in a table, else all."),
]
AccountName = Annotated[str | None, typer.Option("--account", metavar="ID|NUMBER", help="Only this account.")]
_SHOWN_IN_TABLE = 50
_PAGE = 1_000

app = typer.Typer(no_args_is_help=True, help="What was owed, promised and done, as of any day.")


def add_to(root: typer.Typer) -> None:
    root.add_typer(app, name="report")
    root.command("kpi")(kpi)


@app.command("aging")
def aging_report(
    *,
    data: DataDir = None,
    as_of: AsOf = None,
    known_on: KnownOn = None,
    office: OfficeCode = None,
    currency: Currency = None,
    format: As = Format.TABLE,  # noqa: A002
    as_json: AsJson = False,
) -> None:
    """Open items by how long they are past due; every bucket, and unapplied funds in a column of their own."""
    from projections.questions import aging

    with question(data) as (service, connection):
        scheme, today = office_settings(service, connection, office)
        report = aging(
            connection,
            as_of=as_of or today,
            scheme=scheme,
            known_on=known_on,
            office=office,
            currency=currency,
        )
    match _chosen(format, as_json):
        case Format.JSON:
            print_json(report.model_dump(mode="json"))
        case Format.CSV:
            header = ("as_of", "currency", "bucket", "amount", "items")
            print_csv(header, ((report.as_of, report.currency, b.bucket, b.amount, b.items) for b in report.buckets))
        case Format.TABLE:
            rows: list[Sequence[Any]] = [(b.bucket, b.amount, b.items) for b in report.buckets]
            rows += [
                ("unapplied", -report.unapplied, None),
                ("total", report.total, sum(b.items for b in report.buckets)),
            ]
            title = f"Aging as of {report.as_of}, {report.currency}, {report.accounts:,} accounts"
            print_table(("bucket", "amount", "items"), rows, title=title, right=("amount", "items"))


@app.command("collections")
def collections_report(
    *,
    data: DataDir = None,
    as_of: AsOf = None,
    known_on: KnownOn = None,
    office: OfficeCode = None,
    currency: Currency = None,
    bucket: Annotated[str | None, typer.Option("--bucket", metavar="NAME", help="Of the oldest open item.")] = None,
    search: Annotated[
        str | None,
        typer.Option("--search", metavar="TEXT", help="In name, number, phone or e-mail; or an invoice's number."),
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option("--where", metavar="FILTER=VALUE", help="Any other filter, such as flag=vip; may be repeated."),
    ] = None,
    format: As = Format.TABLE,  # noqa: A002
    as_json: AsJson = False,
    limit: Limit = None,
) -> None:
    """One row for each account that owes something: balance, buckets, days past due, stage, and why it is in it.

    CSV and JSON have all of its columns: flags, what is next, promises, the latest payment and contact.
    """
    from projections.questions import collections

    filters = _filters(where or (), bucket=bucket, search=search)
    chosen = _chosen(format, as_json)
    wanted = limit or (_SHOWN_IN_TABLE if chosen is Format.TABLE else None)
    with question(data) as (service, connection):
        scheme, today = office_settings(service, connection, office)

        def page(size: int, cursor: str | None) -> Any:
            return collections(
                connection,
                today=today,
                scheme=scheme,
                as_of=as_of,
                known_on=known_on,
                office=office,
                currency=currency,
                filters=filters,
                limit=size,
                cursor=cursor,
            )

        first = page(min(wanted or _PAGE, _PAGE), None)
        found = list(_all_rows(first, page, wanted))
    match chosen:
        case Format.JSON:
            sums = first.model_dump(mode="json", exclude={"rows", "next_cursor"})
            print_json({**sums, "rows": [row.model_dump(mode="json") for row in found]})
        case Format.CSV:
            _collections_csv(found, scheme)
        case Format.TABLE:
            _collections_table(first, found, scheme)


def _filters(where: Sequence[str], **given: object) -> "Filters":
    """Those with an option of their own, and those said by name. Raises BadParameter."""
    from pydantic import ValidationError

    from projections.questions import Filters

    said = {name: value for name, _, value in (each.partition("=") for each in where)}
    for name, value in said.items():
        if name not in Filters.model_fields or not value:
            raise typer.BadParameter(f"--where {name}: expected FILTER=VALUE of {', '.join(Filters.model_fields)}")
    try:
        return Filters.model_validate({**given, **said})
    except ValidationError as error:
        wrong = error.errors()[0]
        raise typer.BadParameter(f"{wrong['loc'][0]}: {wrong['msg']}") from None


def _collections_csv(found: "Sequence[CollectionsRow]", scheme: "BucketScheme") -> None:
    from projections.collections_report.columns import IN_FILES

    buckets = _bucket_names(found, scheme)
    header = [*_spread(IN_FILES, lambda name: name, [f"bucket {name}" for name in buckets])]
    print_csv(header, ([*_spread(IN_FILES, _cells_of(row), _open_in(row, buckets))] for row in found))


def _collections_table(first: "CollectionsReport", found: "Sequence[CollectionsRow]", scheme: "BucketScheme") -> None:
    from projections.collections_report.columns import COLUMNS, IN_TABLE

    buckets = _bucket_names(found, scheme)
    figures = [*buckets, *(COLUMNS[name].head for name in IN_TABLE if COLUMNS[name].is_figure)]

    def cells(row: "CollectionsRow") -> Iterator[Any]:
        cell = _cells_of(row)
        open_in = [amount or None for amount in _open_in(row, buckets)]
        return _spread(IN_TABLE, lambda name: (cell(name) or None) if COLUMNS[name].quiet else cell(name), open_in)

    print_table(
        [*_spread(IN_TABLE, lambda name: COLUMNS[name].head, buckets)],
        ([*cells(row)] for row in found),
        title=f"Collections as of {first.as_of}, {first.currency}",
        right=figures,
    )
    say(f"{first.accounts:,} accounts owe {first.outstanding:,}, less {first.unapplied:,} unapplied: {first.balance:,}")
    _left_out(first.accounts, len(found))
    note_names(first.names)


def _spread(names: Iterable[str], cell: Callable[[str], Any], buckets: Iterable[Any]) -> Iterator[Any]:
    """A cell for each column, and one for each bucket in the place of `buckets`."""
    for name in names:
        if name == "buckets":
            yield from buckets
        else:
            yield cell(name)


def _cells_of(row: "CollectionsRow") -> Callable[[str], Any]:
    """What stands in a row under a column, in a few words."""

    def cell(name: str) -> Any:
        value = getattr(row, name)
        if name == "why":
            return value.detail if value else None
        return ", ".join(value) if isinstance(value, list) else value

    return cell


def _bucket_names(found: "Sequence[CollectionsRow]", scheme: "BucketScheme") -> list[str]:
    """Those of the office, and of an earlier scheme that an item is still in."""
    return [*dict.fromkeys([*scheme.names, *(name for row in found for name in row.buckets)])]


def _open_in(row: "CollectionsRow", buckets: Iterable[str]) -> list[Decimal]:
    return [row.buckets.get(name, Decimal()) for name in buckets]


@app.command("promises")
def promises_report(
    *,
    data: DataDir = None,
    as_of: AsOf = None,
    known_on: KnownOn = None,
    office: OfficeCode = None,
    currency: Currency = None,
    status: Annotated[
        str | None, typer.Option("--status", metavar="S", help="open, kept, partially-kept, broken or withdrawn.")
    ] = None,
    format: As = Format.TABLE,  # noqa: A002
    as_json: AsJson = False,
    limit: Limit = None,
) -> None:
    """Promises to pay, the earliest due first: what was promised, what came in, and how they were judged."""
    from aggregates.promise import PromiseStatus
    from projections.questions import promises

    if status is not None and status not in set(PromiseStatus):
        raise typer.BadParameter(f"--status {status!r}: expected one of {', '.join(PromiseStatus)}")
    chosen = _chosen(format, as_json)
    wanted = limit or (_SHOWN_IN_TABLE if chosen is Format.TABLE else None)
    with question(data) as (service, connection):
        _, today = office_settings(service, connection, office)

        def page(size: int, cursor: str | None) -> Any:
            return promises(
                connection,
                service.feed,
                as_of=as_of or today,
                known_on=known_on,
                office=office,
                currency=currency,
                status=PromiseStatus(status) if status else None,
                limit=size,
                cursor=cursor,
            )

        first = page(min(wanted or _PAGE, _PAGE), None)
        found = list(_all_rows(first, page, wanted))
        more = first.next_cursor is not None and wanted is not None and len(found) == wanted
    if chosen is Format.JSON:
        sums = first.model_dump(mode="json", exclude={"rows", "next_cursor"})
        print_json({**sums, "rows": [row.model_dump(mode="json") for row in found]})
        return
    columns = ("number", "customer_name", "made_on", "due_on", "promised", "received", "status", "level", "assignee")
    rows = ([getattr(row, name) for name in columns] for row in found)
    if chosen is Format.CSV:
        ids = ([row.promise_id, *cells] for row, cells in zip(found, rows, strict=True))
        print_csv(("promise_id", *columns), ids)
        return
    header = ("account", "customer", "made", "due", "promised", "received", "status", "level", "assignee")
    title = f"Promises to pay as of {first.as_of}, {first.currency}"
    print_table(header, rows, title=title, right=("promised", "received", "level"))
    note_names(first.names)
    if more:
        note("There are more: --limit N, or --format csv for all.")


@app.command("activity")
def activity_report(
    *,
    data: DataDir = None,
    as_of: AsOf = None,
    known_on: KnownOn = None,
    office: OfficeCode = None,
    account: AccountName = None,
    format: As = Format.TABLE,  # noqa: A002
    as_json: AsJson = False,
    limit: Limit = None,
) -> None:
    """What was done: contacts, messages and their fate, promises, payments, disputes. The newest first."""
    from projections.questions import activities, find_account

    chosen = _chosen(format, as_json)
    wanted = limit or (_SHOWN_IN_TABLE if chosen is Format.TABLE else None)
    with question(data) as (service, connection):
        _, today = office_settings(service, connection, office)
        account_id = find_account(connection, account, office=office) if account else None
        day = as_of or today
        found = activities(
            connection,
            service.feed,
            as_of=day,
            known_on=known_on,
            office=office,
            account_id=account_id,
            limit=None if wanted is None else wanted + 1,
        )
        if chosen is Format.JSON:
            rows = [each.model_dump(mode="json") for each in list(found)[:wanted]]
            print_json({"as_of": day, "account_id": account_id, "rows": rows})
            return
        if chosen is Format.CSV:
            columns = (
                "position", "occurred_at", "effective_on", "number", "kind", "channel", "direction", "disposition",
                "summary", "notes", "assignee", "follow_up_on", "actor",
            )  # fmt: skip
            kept = (row for place, row in enumerate(found) if wanted is None or place < wanted)
            print_csv(columns, ([getattr(row, name) for name in columns] for row in kept))
            return
        every = list(found)
    print_table(
        ("day", "account", "kind", "what", "by"),
        ((row.effective_on, row.number, row.kind, row.summary, row.actor) for row in every[:wanted]),
        title=f"Activity up to {day}",
    )
    if wanted is not None and len(every) > wanted:
        note("There are more: --limit N, or --format csv for all.")


def kpi(
    *,
    first: Annotated[date, typer.Option("--from", parser=read_day, metavar="DAY", help="The first day of the period.")],
    last: Annotated[date, typer.Option("--to", parser=read_day, metavar="DAY", help="The last one.")],
    data: DataDir = None,
    known_on: KnownOn = None,
    office: OfficeCode = None,
    currency: Currency = None,
    as_json: AsJson = False,
) -> None:
    """KPIs of a period: DSO three ways, days delinquent, CEI, promises kept, conversion, recovery."""
    from projections.questions import kpi as ask

    with question(data) as (_, connection):
        report = ask(connection, start=first, end=last, known_on=known_on, office=office, currency=currency)
    said = report.model_dump(mode="json")
    if as_json:
        print_json(said)
        return
    title = f"KPIs from {first} to {last}, {report.days} days, {report.currency}"
    fields = [name for name in said if name not in {"from", "to", "days", "currency"}]
    rows = ((name.replace("_", " "), _figure(getattr(report, name))) for name in fields)
    print_table(("kpi", "value"), rows, title=title, right=("value",))


# --- inside ------------------------------------------------------------------------------------------


def _chosen(format: Format, as_json: bool) -> Format:  # noqa: A002
    return Format.JSON if as_json else format


def _figure(value: Any) -> str:
    return "–" if value is None else shown(value)


def _all_rows(first: Any, page: Any, wanted: int | None) -> Iterator[Any]:
    """The rows of all pages, up to as many as are wanted."""
    given, report = 0, first
    while True:
        for row in report.rows:
            yield row
            given += 1
        if report.next_cursor is None or (wanted is not None and given >= wanted):
            return
        report = page(_PAGE if wanted is None else min(_PAGE, wanted - given), report.next_cursor)


def _left_out(accounts: int, given: int) -> None:
    if accounts > given:
        note(f"{accounts - given:,} more: --limit N, or --format csv for all.")


def office_settings(service: "Service", connection: "Connection", office: str | None) -> "tuple[BucketScheme, date]":
    """The aging buckets and today's date of the office; where none is named, those that all share, else standard."""
    from aggregates.office import Office
    from api.application.offices import scheme_of, today_in
    from api.cli.problems import Problem
    from projections.questions import office_ids

    offices = [service.arrears.load(Office, office_id) for office_id in office_ids(connection, office)]
    if not offices:
        if office is not None:
            raise Problem(f"there is no office {office!r}", hint="arrears office show")
        raise Problem("there is no office yet, and nothing to report on", hint="arrears import FILE --profile P")
    return scheme_of(offices), today_in(offices, service.clock.now())
