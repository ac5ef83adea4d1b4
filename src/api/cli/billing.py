"""`arrears import` and `arrears play`: billing files, brought in at once or lived through day by day."""

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.ending import ExitCode, end_of_list
from api.cli.opening import check_text, commanding, owning, trying
from api.cli.options import AsJson, DataDir, read_day
from api.cli.output import note, print_json, say
from api.cli.progress import Bars

if TYPE_CHECKING:
    from adapters.billing.absent import CompleteOptions
    from adapters.billing.importer import ImportReport, OfficeDefaults
    from adapters.billing.taking_back import Absent

File = Annotated[
    Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, readable=True, help="A CSV or an .xlsx workbook.")
]
ProfileName = Annotated[
    str, typer.Option("--profile", metavar="P", help="A shipped profile (ibm, invoices, payments, …) or a TOML file.")
]
DefaultOffice = Annotated[
    str,
    typer.Option("--office", metavar="CODE", help="The office of rows that name none; opened if there is none yet."),
]
DefaultCurrency = Annotated[
    str | None,
    typer.Option("--currency", metavar="ISO", help="Of an office that has to be opened. Default: its rows' own."),
]
DefaultZone = Annotated[
    str | None,
    typer.Option("--time-zone", metavar="ZONE", help="Of an office that has to be opened. Default: UTC."),
]
SourceName = Annotated[
    str | None,
    typer.Option("--source", metavar="NAME", help="What the file is known as. Default: its profile's source, or name."),
]
AsOf = Annotated[
    date | None,
    typer.Option(
        "--as-of", parser=read_day, metavar="DAY", help="Of a complete file: its day. Default: today in its offices."
    ),
]
TakeBack = Annotated[
    str | None,
    typer.Option("--take-back", metavar="TOKEN", help="Of a complete file: take back what was listed under TOKEN."),
]
Force = Annotated[
    bool,
    typer.Option(
        "--force",
        help="Of a complete file: also if it is older than the last one, rows are refused, or much is absent.",
    ),
]
Strict = Annotated[bool, typer.Option("--strict", help="Bring in everything, or nothing if a row has a problem.")]


_AT_HAND = 2_000
"""Facts come account by account: those that were dealt with are not needed again, and memory is bounded."""


def add_to(app: typer.Typer) -> None:
    app.command("import")(import_file)
    app.command("play")(play)


def import_file(
    *,
    file: File,
    profile: ProfileName,
    data: DataDir = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and change nothing.")] = False,
    strict: Strict = False,
    office: DefaultOffice = "main",
    currency: DefaultCurrency = None,
    time_zone: DefaultZone = None,
    source: SourceName = None,
    as_of: AsOf = None,
    take_back: TakeBack = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Bring a billing file in: customers, invoices, payments, credits, reversals.

    Everything comes in under its own dates, so reports of any past day are right at once. Nothing is sent for the
    past. The same file again changes nothing; a corrected file changes only what differs. A complete file lists what
    it does not have any more, and takes it back when that list is confirmed.
    """
    from adapters.billing.absent import CompleteOptions

    if dry_run and take_back is not None:
        raise typer.BadParameter("--take-back changes what is there; expected it without --dry-run")
    defaults = _defaults(office, currency, time_zone)
    complete = CompleteOptions(as_of=as_of, take_back=take_back, force=force)
    report = (
        _tried(data, file, profile, defaults=defaults, source=source, complete=complete)
        if dry_run
        else _brought_in(data, file, profile, defaults=defaults, source=source, complete=complete, strict=strict)
    )
    if as_json:
        print_json(_as_dict(report, dry_run=dry_run))
    else:
        _tell(report, file, dry_run=dry_run)
    _end(report)


def _brought_in(
    data: Path | None,
    file: Path,
    profile: str,
    *,
    defaults: "OfficeDefaults",
    source: str | None,
    complete: "CompleteOptions",
    strict: bool,
) -> "ImportReport":
    with commanding(data, cache_size=_AT_HAND) as service, Bars() as bars:
        return service.import_file(
            file,
            profile,
            defaults=defaults,
            strict=strict,
            source=source,
            complete=complete,
            reading=bars.bar("Reading"),
            trying=bars.bar("Trying"),
            done=bars.bar("Bringing in"),
        )


def _tried(
    data: Path | None,
    file: Path,
    profile: str,
    *,
    defaults: "OfficeDefaults",
    source: str | None,
    complete: "CompleteOptions",
) -> "ImportReport":
    from api.application.dry_run import dry_run

    with trying(data, cache_size=_AT_HAND) as core, Bars() as bars:
        return dry_run(
            core,
            file,
            profile,
            defaults=defaults,
            source=source,
            complete=complete,
            reading=bars.bar("Reading"),
            done=bars.bar("Trying"),
        )


def play(
    *,
    file: File,
    profile: ProfileName,
    first: Annotated[
        date, typer.Option("--from", parser=read_day, metavar="DAY", help="The first day to live through.")
    ],
    last: Annotated[date, typer.Option("--to", parser=read_day, metavar="DAY", help="The last one.")],
    data: DataDir = None,
    office: DefaultOffice = "main",
    currency: DefaultCurrency = None,
    time_zone: DefaultZone = None,
    as_json: AsJson = False,
) -> None:
    """Live through history: every day its facts arrive, then that day's ticks run.

    Needs a data folder without accounts; offices and campaigns may be there, and are what the days are lived by.
    """
    from datetime import datetime, time
    from zoneinfo import ZoneInfo

    from adapters.clock import ManualClock
    from api.application.play import play as live_through

    defaults = _defaults(office, currency, time_zone)
    clock = ManualClock(datetime.combine(first, time.min, ZoneInfo(defaults.zone)))
    days = max(1, (last - first).days + 1)
    alone = "play lives through history on a clock of its own, in an empty data folder of its own"
    with owning(data, because=alone, clock=clock) as service, Bars() as bars:
        report = live_through(
            service,
            file,
            profile,
            first=first,
            last=last,
            defaults=defaults,
            progress=lambda day, _: bars.show(f"Living through {day:%Y}", (day - first).days + 1, days),
        )
    if as_json:
        print_json({"days": report.days, "ticks": report.ticks, **_as_dict(report.facts, dry_run=False)})
    else:
        say(f"Lived through {report.days:,} days with {report.ticks:,} ticks, from {first} to {last}.")
        _tell(report.facts, file, dry_run=False)
    _end(report.facts)


def _defaults(office: str, currency: str | None, time_zone: str | None) -> "OfficeDefaults":
    from adapters.billing.currencies import CURRENCIES
    from adapters.billing.importer import OfficeDefaults
    from aggregates.values.business_time import TimeZone
    from aggregates.values.codes import Code

    for option, kind, value in (("--office", Code, office), ("--time-zone", TimeZone, time_zone or "UTC")):
        check_text(kind, option, value)
    if currency is not None and currency not in CURRENCIES:
        raise typer.BadParameter(f"--currency {currency!r}: expected an ISO 4217 code such as USD")
    return OfficeDefaults(code=office, currency=currency, time_zone=time_zone)


def _as_dict(report: "ImportReport", *, dry_run: bool) -> dict[str, object]:
    return {
        "dry_run": dry_run,
        "rows": report.rows,
        "facts": report.facts,
        "brought_in": report.brought_in,
        "corrected": report.corrected,
        "unchanged": report.unchanged,
        "deferred": report.deferred,
        "repeats": report.repeats,
        "left_out": report.left_out,
        "refused": report.refused,
        "problems": [str(problem) for problem in report.problems],
        "noticed": report.noticed,
        "notices": [str(notice) for notice in report.notices],
        "rejects": report.rejects,
        "rejects_kept": report.rejects_kept,
        **({} if report.absent is None else {"absent": _absent_as_dict(report.absent)}),
    }


def _absent_as_dict(absent: "Absent") -> dict[str, object]:
    return {
        "meaning": "settled" if absent.is_settled else "withdrawn",
        "count": absent.count,
        "sums": absent.sums,
        "token": absent.token,
        "rows": [
            {
                "kind": row.kind,
                "number": row.shown_number,
                "account": row.account.name,
                "office": row.office_code,
                "day": row.said_on,
                "amount": row.amount,
            }
            for row in absent.rows
        ],
        "doubts": absent.doubts,
        "refusal": absent.refusal,
        "taken_back": absent.taken_back,
        "left": absent.left,
        "left_rows": absent.left_rows,
    }


def _end(report: "ImportReport") -> None:
    taken = report.brought_in + report.corrected + report.unchanged + report.deferred + report.repeats
    absent = report.absent
    if absent is not None and absent.refusal is not None:
        raise typer.Exit(ExitCode.FAILED)
    left = 0 if absent is None else absent.left
    end_of_list(done=taken + (0 if absent is None else absent.taken_back), refused=report.refused + left)


def _tell(report: "ImportReport", file: Path, *, dry_run: bool) -> None:
    from adapters.billing.readers import FileNotice

    facts = ", ".join(f"{count:,} {_plural(kind, count)}" for kind, count in report.facts.items() if count)
    say(f"{file.name}: {report.rows:,} rows, {facts or 'nothing in them'}")
    for count, what in (
        (report.brought_in, "would be brought in" if dry_run else "brought in"),
        (report.corrected, "would be corrected" if dry_run else "corrected"),
        (report.unchanged, "as they were"),
        (report.deferred, "in the future, waiting for their day"),
        (report.repeats, "repeated in the file, taken once"),
        (report.left_out, "after the last day, left out"),
    ):
        if count:
            say(f"  {count:>9,} {what}")
    of_file = [notice for notice in report.notices if isinstance(notice, FileNotice)]
    for about in of_file:
        note(f"  {about}")
    if count := report.noticed - len(of_file):
        note(f"  {count:>9,} taken, to be looked at:")
        for notice in report.notices[len(of_file) :]:
            note(f"    {notice}")
        if report.noticed > len(report.notices):
            note("    …")
    if report.refused:
        _tell_refused(report)
    if report.absent is not None:
        _tell_absent(report.absent, dry_run=dry_run)


def _tell_refused(report: "ImportReport") -> None:
    note(f"  {report.refused:>9,} {_plural('row', report.refused)} refused:")
    for problem in report.problems:
        note(f"    {problem}")
    if report.refused > len(report.problems):
        note("    …")
    for kept in report.rejects_kept:
        note(f"  {kept} was changed since it was written, and stays as it is.")
    if report.rejects is not None:
        note(f"  They are in {report.rejects}: correct them there, and import that file with the same profile.")


def _tell_absent(absent: "Absent", *, dry_run: bool) -> None:
    if absent.refusal is not None:
        note(f"Refused: {absent.refusal}.")
    if absent.taken_back or absent.left:
        say(f"  {absent.taken_back:>9,} {'settled' if absent.is_settled else 'taken back'}")
        if absent.left:
            note(f"  {absent.left:>9,} not, and left as they are:")
            for each in absent.left_rows:
                note(f"    {each}")
        return
    if not absent.count:
        return
    sums = ", ".join(str(amount) for amount in absent.sums.values())
    to_be = "taken for settled" if absent.is_settled else "taken back"
    say(f"  {absent.count:>9,} absent, to be {to_be}{f': {sums}' if sums else ''}")
    for row in absent.rows:
        amount = "" if row.amount is None else f", {row.amount}"
        say(f"    {row.kind} {row.shown_number} of account {row.account.name}, {row.said_on}{amount}")
    if absent.count > len(absent.rows):
        say("    …")
    for doubt in absent.doubts:
        note(f"  {doubt}; --take-back needs --force.")
    again = "Import the file" if dry_run else "Nothing of it is taken back yet: import the file again"
    say(f"  {again} with --take-back {absent.token} to do so.")


def _plural(noun: str, count: int) -> str:
    return noun if count == 1 else f"{noun}s"
