"""`arrears report …` and `arrears kpi`: what was owed, promised, done and collected, as of any day."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import partial
from typing import Annotated, Any

import typer

from api.cli.asking import answered
from api.cli.filters import FILTERS, SAVED, filter_options, given_of, with_options
from api.cli.options import Account, AsJson, AsOf, Currency, DataDir, KnownOn, OfficeCode, read_day
from api.cli.output import Format, note, note_names, print_csv, print_json, print_table, say, shown
from api.cli.questions import Ask, Refused, account_id, by_currency
from api.cli.tables import Column, figure, key, prose, tabular, take_columns, text, word

As = Annotated[Format, typer.Option("--format", help="A table for people; CSV or JSON for programs.")]
Limit = Annotated[
    int | None,
    typer.Option("--limit", min=1, metavar="N", help="At most so many rows. Default: 50 in a table, else all."),
]
_SHOWN_IN_TABLE = 50

app = typer.Typer(no_args_is_help=True, help="What was owed, promised and done, as of any day.")


def add_to(root: typer.Typer) -> None:
    root.add_typer(app, name="report")
    root.command("kpi")(kpi)


# --- aging ---------------------------------------------------------------------------------------------


@app.command("aging")
@tabular
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
    """Open items by how long they are past due; every bucket, and unapplied funds and what is disputed apart."""
    scope = {"office": office, "currency": currency, "as_of": as_of, "known_on": known_on}
    found = answered(data, lambda ask: by_currency(ask, "/v1/report/aging", **scope))
    match _chosen(format, as_json):
        case Format.JSON:
            print_json(_one_or_all(found))
        case Format.CSV:
            header = ("as_of", "currency", "bucket", "amount", "items")
            print_csv(header, ([r["as_of"], r["currency"], *b.values()] for r in found for b in r["buckets"]))
        case Format.TABLE:
            for report in _apart(found):
                _aging_table(report)


def _aging_table(report: Mapping[str, Any]) -> None:
    buckets = report["buckets"]
    rows: list[Sequence[Any]] = [(b["bucket"], _amount(b["amount"]), b["items"]) for b in buckets]
    rows += [
        ("unapplied", -_amount(report["unapplied"]), None),
        ("total", _amount(report["total"]), sum(b["items"] for b in buckets)),
        *([("disputed", _amount(report["disputed"]), report["disputed_items"])] if report["disputed_items"] else []),
    ]
    title = f"Aging as of {report['as_of']}, {report['currency']}, {report['accounts']:,} accounts"
    print_table((key("bucket"), figure("amount"), figure("items", 1)), rows, title=title)


# --- collections ---------------------------------------------------------------------------------------

_BUCKETS = "buckets"
COLUMNS: Mapping[str, Column] = {
    "number": key("account"),
    "customer_name": text("customer", 5),
    "balance": figure("balance"),
    "paid_since": figure("paid since", 3),
    _BUCKETS: figure("", 1),
    "unapplied": figure("unapplied", 2),
    "days_past_due": figure("dpd", 7),
    "stage": word("stage", 6),
    "why": prose("why", 4),
    **{name: figure(name.replace("_", " "), 1) for name in ("outstanding", "past_due", "disputed", "written_off")},
    **{name: figure(name.replace("_", " "), 1) for name in ("items", "open_promises", "broken_promises")},
    **{
        name: word(name.replace("_", " "), 1)
        for name in (
            "account_id", "office", "currency", "bucket", "oldest_due_on", "next_action_at", "last_payment_on",
            "last_contact_on", "collections_stage", "frozen", "agency", "excluded",
        )
    },
    **{
        name: text(name.replace("_", " "), 1)
        for name in ("campaign", "flags", "next_action", "segment", "frozen_subscriptions")
    },
}  # fmt: skip
"""By the name in a row, which is also what CSV calls it; a figure for each bucket in the place of `buckets`."""
IN_TABLE = ("number", "customer_name", "balance", "paid_since", _BUCKETS, "unapplied", "days_past_due", "stage", "why")
"""What a table has where nobody says which columns; what was paid since only of a past day."""
AMOUNTS = frozenset({"balance", "outstanding", "unapplied", "past_due", "disputed", "written_off", "paid_since"})


def collections_report(
    *,
    data: Any,
    as_of: date | None,
    known_on: date | None,
    office: str | None,
    currency: str | None,
    filter: str | None,  # noqa: A002
    where: list[str] | None,
    sort: str | None,
    ascending: bool | None,
    format: Format,  # noqa: A002
    as_json: bool,
    limit: int | None,
    **options: Any,
) -> None:
    wanted_columns = _named(take_columns())
    given = _filters(where or (), given_of(options))
    chosen = _chosen(format, as_json)
    wanted = _wanted(limit, chosen)
    scope = {"office": office, "currency": currency, "as_of": as_of, "known_on": known_on}
    order = {"sort": sort, "descending": None if ascending is None else str(not ascending).lower()}

    def ask_and_show(ask: Ask) -> None:
        saved = _saved(ask, filter, office) if filter is not None else {}
        filters = {**_by_http(saved.get("filters", {})), **given}
        columns = wanted_columns or tuple(saved.get("columns", ()))
        kept = {name: said for name in order if (said := saved.get(name)) is not None}
        kept = {name: str(said).lower() for name, said in kept.items()}
        ordered = {**kept, **{name: said for name, said in order.items() if said is not None}}
        found = by_currency(ask, "/v1/report/collections", limit=wanted, **scope, **ordered, **filters)
        for report in found:
            report["items"] = map(_with_every_bucket(report), report["items"])
        match chosen:
            case Format.JSON:
                print_json(_one_or_all([_in_json(report, columns) for report in found]))
            case Format.CSV:
                _collections_csv(found, columns)
            case Format.TABLE:
                for report in _apart(found):
                    _collections_table(report, columns)

    try:
        answered(data, ask_and_show)
    except Refused as refusal:
        by_name = {name.partition("=")[0] for name in where or ()}
        if refusal.field not in by_name | (given.keys() - {"bucket"}) | {"search", "sort"}:  # buckets are the office's
            raise
        raise typer.BadParameter(refusal.message) from None


_where = typer.Option(
    "--where", metavar="FILTER=VALUE", help="A filter by its name, such as flag=vip; may be repeated."
)
_sort = typer.Option("--sort", metavar="COLUMN", help="What rows are ordered by. Default: balance.")
_ascending = typer.Option("--ascending/--descending", help="Which way. Default: descending.")
with_options(
    collections_report,
    """One row for each account that owes something: balance, buckets, days past due, stage, and why it is in it.

    CSV and JSON have all of its columns: flags, what is next, promises, the latest payment and contact.
    """,
    {
        "data": DataDir, "as_of": AsOf, "known_on": KnownOn, "office": OfficeCode, "currency": Currency,
        "filter": SAVED, **filter_options(),
        "where": Annotated[list[str] | None, _where],
        "sort": Annotated[str | None, _sort],
        "ascending": Annotated[bool | None, _ascending],
        "format": As, "as_json": AsJson, "limit": Limit,
    },
    defaults={"format": Format.TABLE},
)  # fmt: skip
app.command("collections")(tabular(collections_report))


def _named(columns: Sequence[str]) -> tuple[str, ...]:
    """Columns by their names in a row; people may say the heading instead."""
    by_heading = {column.name: name for name, column in COLUMNS.items() if column.name}
    return tuple(name if name in COLUMNS else by_heading.get(name, name) for name in columns)


def _filters(where: Sequence[str], given: Mapping[str, str]) -> dict[str, Any]:
    """Those with an option of their own, and those said by name. Raises BadParameter."""
    said = {name: value for name, _, value in (each.partition("=") for each in where)}
    for name, value in said.items():
        if name not in FILTERS or not value:
            raise typer.BadParameter(f"--where {name}: expected FILTER=VALUE of {', '.join(FILTERS)}")
    return _by_http({**given, **said})


def _by_http(said: Mapping[str, Any]) -> dict[str, Any]:
    return {"q" if name == "search" else name: value for name, value in said.items()}


def _saved(ask: Ask, name: str, office: str | None) -> Mapping[str, Any]:
    """A saved filter of the office, or of the only one. Raises BadParameter where there is none of this name."""
    found = ask("/v1/filters", office=office)
    named = [each for each in found if each["name"] == name]
    if len(named) > 1:
        offices = ", ".join(each["office"] for each in named)
        raise typer.BadParameter(f"--filter {name}: expected --office, one of {offices}")
    if not named:
        known = ", ".join(dict.fromkeys(each["name"] for each in found)) or "none yet: arrears filter save NAME"
        raise typer.BadParameter(f"--filter {name}: expected one of {known}")
    return dict(named[0])


def _with_every_bucket(report: Mapping[str, Any]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """A row with the office's buckets in their order, empty ones too, and those of an earlier scheme behind them."""
    names, zero = report["bucket_names"], f"{_amount(report['outstanding']) * 0:f}"

    def filled(row: dict[str, Any]) -> dict[str, Any]:
        amounts = row["buckets"]
        every = [*names, *sorted(amounts.keys() - set(names))]
        return {**row, "buckets": {name: amounts.get(name, zero) for name in every}}

    return filled


@dataclass(frozen=True, slots=True)
class _Place:
    """A column as it is printed."""

    column: Column
    in_files: str
    cell: Callable[[Mapping[str, Any]], Any]


def _spread(names: Iterable[str], buckets: Sequence[str]) -> list[_Place]:
    """The columns that are named, with one for each bucket in the place of `buckets`. Raises BadParameter."""
    found: list[_Place] = []
    for name in names:
        if name == _BUCKETS or name in buckets:
            of = buckets if name == _BUCKETS else [name]
            found += [_Place(figure(each, 1), f"bucket {each}", partial(_open_in, each)) for each in of]
        elif name in COLUMNS:
            found.append(_Place(COLUMNS[name], name, partial(_cell_of, name)))
        else:
            raise typer.BadParameter(f"--columns {name}: expected some of {', '.join(COLUMNS)}")
    return found


def _collections_csv(found: Sequence[dict[str, Any]], columns: Sequence[str]) -> None:
    from projections.collections_report.columns import IN_FILES

    rows = [row for report in found for row in report["items"]]
    buckets = [*dict.fromkeys(name for report in found for name in _buckets_of(report, rows))]
    places = _spread(columns or IN_FILES, buckets)
    print_csv([each.in_files for each in places], ([each.cell(row) for each in places] for row in rows))


def _in_json(report: Mapping[str, Any], columns: Sequence[str]) -> dict[str, Any]:
    said = _with_rows(report, without={"bucket_names"})
    if columns:
        _spread(columns, report["bucket_names"])
        said["rows"] = [{name: row.get(name, row["buckets"].get(name)) for name in columns} for row in said["rows"]]
    return said


def _collections_table(report: dict[str, Any], columns: Sequence[str]) -> None:
    rows = [*report["items"]]
    is_past = any(row.get("paid_since") is not None for row in rows)
    shown_here = columns or [name for name in IN_TABLE if name != "paid_since" or is_past]
    places = _spread(shown_here, _buckets_of(report, rows))
    quiet = () if columns else ("unapplied", _BUCKETS)

    def cells(row: Mapping[str, Any]) -> Iterator[Any]:
        for place in places:
            value = place.cell(row)
            is_quiet = place.in_files in quiet or place.in_files.startswith("bucket ")
            yield (value or None) if is_quiet else value

    print_table(
        [place.column for place in places],
        ([*cells(row)] for row in rows),
        title=f"Collections as of {report['as_of']}, {report['currency']}",
    )
    accounts, (outstanding, unapplied, balance) = (
        report["accounts"],
        (_amount(report[name]) for name in ("outstanding", "unapplied", "balance")),
    )
    say(f"{accounts:,} accounts owe {outstanding:,}, less {unapplied:,} unapplied: {balance:,}")
    if _amount(report["paid_since"]):
        say(f"Paid since: {_amount(report['paid_since']):,}")
    if accounts > len(rows):
        note(f"{accounts - len(rows):,} more: --limit N, or --format csv for all.")
    note_names(report.get("names"))


def _cell_of(name: str, row: Mapping[str, Any]) -> Any:
    """What stands in a row under a column, in a few words."""
    value: Any = row.get(name)
    if name == "why":
        return value["detail"] if value else None
    if name in AMOUNTS:  # what is not there is none, of what came later: files have it as an empty cell
        return None if value is None else _amount(value)
    return ", ".join(value) if isinstance(value, list) else value


def _buckets_of(report: Mapping[str, Any], rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """Those of the office, and of an earlier scheme that an item is still in."""
    return [*dict.fromkeys([*report["bucket_names"], *(name for row in rows for name in row["buckets"])])]


def _open_in(bucket: str, row: Mapping[str, Any]) -> Decimal:
    return _amount(row["buckets"].get(bucket, "0"))


# --- roll rates ----------------------------------------------------------------------------------------

_ROLLED = ("stayed", "next", "further", "younger", "paid", "written_off")
_ROLL_RATES = (key("bucket"), figure("amount"), *(figure(f"{name.replace('_', ' ')} %", 1) for name in _ROLLED))


@app.command("roll-rates")
@tabular
def roll_rates_report(
    *,
    first: Annotated[date, typer.Option("--from", parser=read_day, metavar="DAY", help="The end of the first day.")],
    last: Annotated[date, typer.Option("--to", parser=read_day, metavar="DAY", help="The end of the later one.")],
    data: DataDir = None,
    known_on: KnownOn = None,
    office: OfficeCode = None,
    currency: Currency = None,
    format: As = Format.TABLE,  # noqa: A002
    as_json: AsJson = False,
) -> None:
    """What became of the amount in each bucket: shares that stayed, moved on, were paid, were written off."""
    asked = {"from": first, "to": last, "known_on": known_on, "office": office, "currency": currency}
    found = answered(data, lambda ask: by_currency(ask, "/v1/report/roll-rates", **asked))
    match _chosen(format, as_json):
        case Format.JSON:
            print_json(_one_or_all(found))
        case Format.CSV:
            header = ("from", "to", "currency", "bucket", "amount", *_ROLLED)
            said = ([r["from"], r["to"], r["currency"], *_rolled(row)] for r in found for row in r["rows"])
            print_csv(header, said)
        case Format.TABLE:
            for report in _apart(found):
                title = f"Roll rates from {report['from']} to {report['to']}, {report['currency']}"
                print_table(_ROLL_RATES, (_rates(row) for row in report["rows"]), title=title)


def _rolled(row: Mapping[str, Any]) -> list[Any]:
    """The amounts of a bucket."""
    return [row["bucket"], _amount(row["amount"]), *(_amount(row["became"][name]) for name in _ROLLED)]


def _rates(row: Mapping[str, Any]) -> list[Any]:
    rates = row["rates"] or {}
    return [row["bucket"], _amount(row["amount"]), *(_figure(rates.get(name)) for name in _ROLLED)]


# --- promises ------------------------------------------------------------------------------------------

_PROMISES: Mapping[str, Column] = {
    "number": key("account"),
    "customer_name": text("customer", 4),
    "made_on": word("made", 2),
    "due_on": word("due", 8),
    "promised": figure("promised"),
    "received": figure("received", 9),
    "status": word("status", 7),
    "level": figure("level", 1),
    "assignee": text("assignee", 3),
}
"""By the name in a row; the names are those of CSV."""

STATES = ("open", "kept", "partially-kept", "broken", "withdrawn")


@app.command("promises")
@tabular
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
    if status is not None and status not in STATES:
        raise typer.BadParameter(f"--status {status!r}: expected one of {', '.join(STATES)}")
    chosen = _chosen(format, as_json)
    wanted = _wanted(limit, chosen)
    scope = {"office": office, "currency": currency, "as_of": as_of, "known_on": known_on, "status": status}

    def ask_and_show(ask: Ask) -> None:
        found = by_currency(ask, "/v1/promises", limit=wanted, **scope)
        match chosen:
            case Format.JSON:
                print_json(_one_or_all([_with_rows(report) for report in found]))
            case Format.CSV:
                header = ("promise_id", *_PROMISES, "currency")
                print_csv(header, ([row[name] for name in header] for report in found for row in report["items"]))
            case Format.TABLE:
                for report in _apart(found):
                    _promises_table(report)

    answered(data, ask_and_show)


def _promises_table(report: Mapping[str, Any]) -> None:
    def cell(row: Mapping[str, Any], name: str) -> Any:
        return _amount(row[name]) if name in {"promised", "received"} else row[name]

    title = f"Promises to pay as of {report['as_of']}, {report['currency']}"
    print_table([*_PROMISES.values()], ([cell(row, n) for n in _PROMISES] for row in report["items"]), title=title)
    note_names(report.get("names"))
    if report["next"] is not None:
        note("There are more: --limit N, or --format csv for all.")


# --- activity ------------------------------------------------------------------------------------------

_ACTIVITY = (word("day", 4), key("account"), word("kind", 2), prose("what", 3), text("by", 1))
_ACTIVITY_IN_CSV = (
    "position", "occurred_at", "effective_on", "number", "kind", "channel", "direction", "disposition", "summary",
    "notes", "assignee", "follow_up_on", "actor",
)  # fmt: skip


@app.command("activity")
@tabular
def activity_report(
    *,
    data: DataDir = None,
    as_of: AsOf = None,
    known_on: KnownOn = None,
    office: OfficeCode = None,
    account: Account = None,
    type: Annotated[  # noqa: A002
        str | None, typer.Option("--type", metavar="TYPE", help="Such as call or sms; what a campaign sent by it too.")
    ] = None,
    channel: Annotated[str | None, typer.Option("--channel", metavar="CHANNEL", help="Such as voice.")] = None,
    direction: Annotated[str | None, typer.Option("--direction", metavar="WAY", help="Such as outbound.")] = None,
    agent: Annotated[str | None, typer.Option("--agent", metavar="NAME", help="Who did it.")] = None,
    outcome: Annotated[str | None, typer.Option("--outcome", metavar="CODE", help="A disposition.")] = None,
    since: Annotated[date | None, typer.Option("--from", parser=read_day, metavar="DAY")] = None,
    until: Annotated[date | None, typer.Option("--to", parser=read_day, metavar="DAY")] = None,
    words: Annotated[
        str | None, typer.Option("--text", metavar="WORDS", help="What stands in it; of one account.")
    ] = None,
    format: As = Format.TABLE,  # noqa: A002
    as_json: AsJson = False,
    limit: Limit = None,
) -> None:
    """What was done: contacts, messages and their fate, promises, payments, disputes. The newest first."""
    chosen = _chosen(format, as_json)
    wanted = _wanted(limit, chosen)

    def ask_and_show(ask: Ask) -> None:
        whose = account_id(ask, account, office=office) if account else None
        scope = {"office": office, "account_id": whose, "as_of": as_of, "known_on": known_on}
        filters = {"type": type, "channel": channel, "direction": direction, "agent": agent, "outcome": outcome}
        days = {"from": since, "to": until, "text": words}
        found = ask("/v1/activity", limit=wanted, **scope, **filters, **days)
        match chosen:
            case Format.JSON:
                print_json({"as_of": found["as_of"], "account_id": whose, "rows": [*found["items"]]})
            case Format.CSV:
                print_csv(_ACTIVITY_IN_CSV, ([row[name] for name in _ACTIVITY_IN_CSV] for row in found["items"]))
            case Format.TABLE:
                rows = (
                    [row[n] for n in ("effective_on", "number", "kind", "summary", "actor")] for row in found["items"]
                )
                print_table(_ACTIVITY, rows, title=f"Activity up to {found['as_of']}")
                if found["next"] is not None:
                    note("There are more: --limit N, or --format csv for all.")

    answered(data, ask_and_show)


# --- KPIs ----------------------------------------------------------------------------------------------


@tabular
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
    asked = {"from": first, "to": last, "known_on": known_on, "office": office, "currency": currency}
    found = answered(data, lambda ask: by_currency(ask, "/v1/kpi", **asked))
    if as_json:
        print_json(_one_or_all(found))
        return
    for said in _apart(found):
        title = f"KPIs from {first} to {last}, {said['days']} days, {said['currency']}"
        fields = [name for name in said if name not in {"from", "to", "days", "currency"}]
        rows = ((name.replace("_", " "), _figure(said[name])) for name in fields)
        print_table((text("kpi"), figure("value")), rows, title=title)


# --- inside ------------------------------------------------------------------------------------------


def _chosen(format: Format, as_json: bool) -> Format:  # noqa: A002
    return Format.JSON if as_json else format


def _wanted(limit: int | None, chosen: Format) -> int | None:
    return limit or (_SHOWN_IN_TABLE if chosen is Format.TABLE else None)


def _amount(said: str) -> Decimal:
    """An amount of an answer."""
    return Decimal(said)


def _figure(value: Any) -> str:
    return "–" if value is None else shown(_amount(value) if isinstance(value, str) else value)


def _with_rows(report: Mapping[str, Any], *, without: Iterable[str] = ()) -> dict[str, Any]:
    """A report as this door prints it: all of its rows, and no pages."""
    left_out = {"items", "next", *without}
    return {**{name: value for name, value in report.items() if name not in left_out}, "rows": [*report["items"]]}


def _one_or_all(found: Sequence[Any]) -> Any:
    """As JSON: the report, or a list with one for each currency."""
    return found[0] if len(found) == 1 else list(found)


def _apart(found: Iterable[Any]) -> Iterator[Any]:
    """Each report, an empty line between them."""
    for place, report in enumerate(found):
        if place:
            say("")
        yield report
