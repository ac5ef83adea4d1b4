"""`arrears placement`: accounts with outside agencies, the files that tell these, and what comes back."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID, uuid4

import typer

from api.cli.allocation import account_found
from api.cli.asking import answered
from api.cli.ending import ExitCode
from api.cli.offices import find_office, say_done
from api.cli.opening import by_whom, command_of, commanding, issue
from api.cli.options import AccountArgument, AsJson, DataDir, OfficeCode, Reason, read_day
from api.cli.output import note, print_fields, print_json, print_table, say
from api.cli.problems import Problem
from api.cli.questions import Ask, account_id
from api.cli.tables import figure, key, prose, tabular, word


class Standing(StrEnum):
    """How placements stand; `projections.questions.placements` takes longer to import."""

    PENDING = "pending"
    SENT = "sent"
    RECALLED = "recalled"
    CLOSED = "closed"
    REJECTED = "rejected"


app = typer.Typer(no_args_is_help=True, help="Accounts with outside agencies: placed, recalled, paid; and their files.")

Agency = Annotated[str, typer.Option("--agency", metavar="AGENCY", help="An agency of the office.")]
OfAgency = Annotated[str | None, typer.Option("--agency", metavar="AGENCY", help="Only of this agency.")]
Office = Annotated[str, typer.Option("--office", metavar="CODE", help="Whose agency it is.")]
_MOST, _SHOWN = 500, 20

_PLACEMENTS = (
    key("account"),
    word("agency", 1),
    word("state"),
    word("placed", 2),
    figure("balance"),
    figure("paid", 3),
    figure("commission", 4),
    word("ended", 5),
)


@app.command("list")
@tabular
def list_all(
    data: DataDir = None,
    office: OfficeCode = None,
    agency: OfAgency = None,
    state: Annotated[Standing | None, typer.Option("--state", help="Only those that stand so.")] = None,
    as_json: AsJson = False,
) -> None:
    """Accounts with agencies, and those that were; the newest first."""
    page = answered(
        data, lambda ask: ask("/v1/placements", office=office, agency=agency, state=state and state.value, limit=_MOST)
    )
    found = page["items"]
    if as_json:
        print_json(found)
        return
    if not found:
        say("Nothing is placed: arrears placement add ACCOUNT --agency AGENCY")
        return
    if page["next"] is not None:
        note(f"There are more: these are the newest {len(found)}.")
    print_table(_PLACEMENTS, (_cells(each) for each in found))


def _cells(each: Mapping[str, Any]) -> list[Any]:
    amounts = [Decimal(each[name]) for name in ("balance", "paid", "commission")]
    said = [each["account"], each["agency"], each["state"], each["placed_on"]]
    return [*said, *amounts, each["ended_on"]]


@app.command("show")
@tabular
def show(account: AccountArgument, data: DataDir = None, office: OfficeCode = None, as_json: AsJson = False) -> None:
    """The placements of an account, the newest first."""

    def asked(ask: Ask) -> Any:
        found = account_id(ask, account, office=office)
        return ask("/v1/placements", account_id=found, limit=_MOST)["items"]

    found = answered(data, asked)
    if as_json:
        print_json(found)
        return
    if not found:
        say(f"Account {account} was never placed.")
        return
    for each in found:
        names = [name for name in each if name not in {"id", "account_id", "bulk_id", "office"}]
        print_fields((name.replace("_", " "), each[name]) for name in names if each[name] is not None)


@app.command("add")
def add(
    *,
    account: AccountArgument,
    agency: Agency,
    data: DataDir = None,
    office: OfficeCode = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Give an account to an agency to collect. The agency gets a file of it; our own chase rests."""
    from aggregates.account.placement import PlaceAccount

    found = account_found(data, account, office)
    command = command_of(PlaceAccount, {"agency": "--agency"}, account_id=found, agency=agency)
    with commanding(data) as service:
        done = issue(service, command, reason=reason)
        service.drain()
    say_done(done, changed=f"Account {account} is placed with {agency}.", same="It is placed already.", as_json=as_json)


@app.command("recall")
def recall(
    *,
    account: AccountArgument,
    code: Annotated[str | None, typer.Option("--code", metavar="CODE", help="Why, in a word of your own.")] = None,
    data: DataDir = None,
    office: OfficeCode = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Take an account back. Its agency is told in the next file of updates."""
    from aggregates.account.placement import RecallPlacement

    found = account_found(data, account, office)
    command = command_of(RecallPlacement, {"code": "--code"}, account_id=found, code=code)
    with commanding(data) as service:
        done = issue(service, command, reason=reason)
    say_done(done, changed=f"Account {account} is recalled.", same="It was recalled already.", as_json=as_json)


@app.command("close")
def close(
    *,
    account: AccountArgument,
    agency: Agency,
    code: Annotated[str | None, typer.Option("--code", metavar="CODE", help="Why, as the agency says.")] = None,
    data: DataDir = None,
    office: OfficeCode = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """The agency is done with an account, as it said otherwise than by a file."""
    from aggregates.account.placement import ClosePlacement

    found = account_found(data, account, office)
    names = {"agency": "--agency", "code": "--code"}
    command = command_of(ClosePlacement, names, account_id=found, agency=agency, code=code)
    with commanding(data) as service:
        done = issue(service, command, reason=reason)
    say_done(done, changed=f"Placement of {account} is closed.", same="It was closed already.", as_json=as_json)


# --- files -------------------------------------------------------------------------------------------

_FILES = (
    key("file"),
    word("contents", 3),
    word("state"),
    figure("accounts", 1),
    figure("total", 2),
    word("acknowledged", 1),
    prose("detail", 4),
)


@app.command("files")
@tabular
def files(data: DataDir = None, office: OfficeCode = None, agency: OfAgency = None, as_json: AsJson = False) -> None:
    """Files for agencies: what is in each, whether it arrived, and whether the agency says it received that."""
    found = answered(data, lambda ask: ask("/v1/placement-files", office=office, agency=agency, limit=_MOST))["items"]
    if as_json:
        print_json(found)
        return
    if not found:
        say("No placement file was asked for yet.")
        return
    print_table(
        _FILES,
        (
            (
                each["name"],
                each["contents"],
                each["state"],
                each["accounts"],
                None if each["total"] is None else Decimal(each["total"]),
                _acknowledged(each),
                each["detail"],
            )
            for each in found
        ),
    )


def _acknowledged(each: Mapping[str, Any]) -> str | None:
    if each["matches"]:
        return "yes"
    if each["matches"] is False:
        return f"differs: {each['acknowledged_accounts']}, {each['acknowledged_total']}"
    return "overdue" if each["overdue_on"] else None


@app.command("file")
def file(
    *,
    agency: Agency,
    contents: Annotated[str, typer.Argument(metavar="CONTENTS", help="updates or full.")],
    data: DataDir = None,
    office: Office = "main",
    currency: Annotated[str | None, typer.Option("--currency", metavar="CODE", help="Default: the office's.")] = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Send an agency a file: what changed since the last one (updates), or everything that it has (full)."""
    from aggregates.placement_file import RequestFile

    with commanding(data) as service:
        names = {"contents": "CONTENTS", "agency": "--agency", "currency": "--currency"}
        command = command_of(
            RequestFile, names, file_id=uuid4(), office_id=find_office(service, office).id, agency=agency,
            contents=contents, currency=currency,
        )  # fmt: skip
        done = issue(service, command, reason=reason)
        service.drain()
    say_done(done, changed=f"A file of {contents} is made for {agency}.", same="It was asked for.", as_json=as_json)


@app.command("redeliver")
def redeliver(
    name: Annotated[str, typer.Argument(metavar="FILE", help="Its name or id.")],
    data: DataDir = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Hand a file over again of which nobody knows whether it arrived. Say why."""
    from aggregates.placement_file import RedeliverFile

    known = answered(data, lambda ask: ask("/v1/placement-files", limit=_MOST))["items"]
    found = next((each for each in known if name in (each["name"], each["id"])), None)
    if found is None:
        raise Problem(f"there is no placement file {name!r}", hint="arrears placement files")
    with commanding(data) as service:
        done = issue(service, RedeliverFile(file_id=UUID(found["id"])), reason=reason)
        service.drain()
    say_done(done, changed=f"{name} is handed over again.", same="It waits for its delivery.", as_json=as_json)


# --- what comes back ---------------------------------------------------------------------------------

_PROBLEMS = (figure("line"), word("record"), word("account"), prose("problem", 1))


@app.command("read")
@tabular
def read(
    *,
    path: Annotated[Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="CSV or TSV.")],
    agency: Agency,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would come of it.")] = False,
    data: DataDir = None,
    office: Office = "main",
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Bring in what an agency's file says. Each row counts once; exit code 1 where some were rejected."""
    from adapters.placement.answers import AnswerProblem
    from api.application.placements import read_answers

    try:
        content = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise Problem(f"{path}: expected text in UTF-8") from None
    with commanding(data) as service:
        issuing, caller = by_whom(service, reason)
        of = find_office(service, office)
        try:
            came = read_answers(issuing, caller, of, agency, content, dry_run=dry_run, reason=reason)
        except AnswerProblem as problem:
            raise Problem(f"{path}: {problem}", hint="nothing of it was brought in") from None
        service.drain()
    if as_json:
        print_json(came.model_dump(mode="json"))
    else:
        done = ", ".join(f"{count:,} {record}" for record, count in sorted(came.done.items())) or "nothing new"
        paid = "".join(f"; {each.total:,f} {each.currency} paid" for each in came.paid)
        say(f"{'Would bring in' if dry_run else 'Brought in'}: {done}{paid}.")
        if came.known:
            note(f"{came.known:,} rows had been brought in before.")
        if came.problems:
            note(f"{came.rejected:,} rows are rejected:")
            print_table(_PROBLEMS, ((e.line, e.record, e.account, e.problem) for e in came.problems[:_SHOWN]))
            if came.rejected > _SHOWN:
                note("There are more: --json for all.")
    if came.rejected:
        raise typer.Exit(ExitCode.FAILED)


_COMMISSION = (
    key("agency"),
    word("currency"),
    figure("payments", 1),
    figure("collected"),
    figure("commission"),
    figure("net"),
    figure("taken back", 2),
)


@app.command("commission")
@tabular
def commission(
    *,
    data: DataDir = None,
    office: OfficeCode = None,
    agency: OfAgency = None,
    since: Annotated[
        date | None, typer.Option("--from", parser=read_day, metavar="DAY", help="Paid then or later.")
    ] = None,
    until: Annotated[
        date | None, typer.Option("--to", parser=read_day, metavar="DAY", help="Paid then or earlier.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """What each agency collected, and what it keeps of that."""
    asked: dict[str, Any] = {"office": office, "agency": agency, "since": since, "until": until}
    found = answered(data, lambda ask: ask("/v1/placements/commission", **asked))
    if as_json:
        print_json(found)
        return
    if not found:
        say("No agency has paid anything.")
        return
    amounts = ("collected", "commission", "net")
    print_table(
        _COMMISSION,
        (
            [
                *(each[name] for name in ("agency", "currency", "payments")),
                *(Decimal(each[name]) for name in amounts),
                each["taken_back"] or None,
            ]
            for each in found
        ),
    )
