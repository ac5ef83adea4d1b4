"""`arrears flag`, `arrears hold`, `arrears exclude`: what people say that holds back the chase of an account."""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from api.cli.asking import answered
from api.cli.lists import Accounts, OneAccount, Wanted, Words, to_each
from api.cli.opening import command_of
from api.cli.options import AccountArgument, AsJson, DataDir, OfficeCode, Reason, is_id, read_day
from api.cli.output import note, print_json, print_table
from api.cli.problems import Problem
from api.cli.questions import Ask, account_id
from api.cli.tables import Column, key, prose, tabular, text, word

if TYPE_CHECKING:
    from aggregates.account import Account
    from aggregates.kernel.command import Command

flags = typer.Typer(no_args_is_help=True, help="Flags that an account carries.")
holds = typer.Typer(no_args_is_help=True, help="Holds: the chase of an account rests.")
exclusions = typer.Typer(no_args_is_help=True, help="Accounts taken out of auto-collection.")

Until = Annotated[
    date | None,
    typer.Option("--until", parser=read_day, metavar="DAY", help="Its last day. Default: until it is ended."),
]
HoldId = Annotated[str | None, typer.Option("--hold", metavar="ID", help="Default: each that is in force.")]


def add_to(root: typer.Typer) -> None:
    for name, group in (("flag", flags), ("hold", holds), ("exclude", exclusions)):
        root.add_typer(group, name=name)


@flags.callback()
def _flags() -> None:
    """Flags that an account carries."""


@holds.callback()
def _holds() -> None:
    """Holds: the chase of an account rests."""


@exclusions.callback()
def _exclusions() -> None:
    """Accounts taken out of auto-collection."""


# --- flags ---------------------------------------------------------------------------------------------

Flag = Annotated[str, typer.Option("--flag", metavar="CODE", help="One that the office defines.")]


@flags.command("add")
def add_flag(
    *,
    account: OneAccount = None,
    flag: Flag,
    accounts: Accounts = None,
    data: DataDir = None,
    office: OfficeCode = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Mark accounts with a flag of their office. What is the customer's word, all of theirs carry."""
    from aggregates.account.flags import SetFlag

    to_each(
        Wanted(account, accounts, data, office, reason, as_json),
        lambda found, _: [command_of(SetFlag, {}, account_id=found.id, flag=flag)],
        Words(f"Flag {flag} is set.", "It was set already."),
    )


@flags.command("remove")
def remove_flag(
    *,
    account: OneAccount = None,
    flag: Flag,
    accounts: Accounts = None,
    data: DataDir = None,
    office: OfficeCode = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Take a flag off accounts."""
    from aggregates.account.flags import ClearFlag

    to_each(
        Wanted(account, accounts, data, office, reason, as_json),
        lambda found, _: [command_of(ClearFlag, {}, account_id=found.id, flag=flag)],
        Words(f"Flag {flag} is taken off.", "It was not set."),
    )


_FLAGS = {
    "flag": key("flag"),
    "title": text("title", 4),
    "since": word("since", 3),
    "until": word("until", 3),
    "set_by": text("set by", 2),
    "reason": prose("why", 5),
}


@flags.command("list")
@tabular
def list_flags(
    account: AccountArgument, data: DataDir = None, office: OfficeCode = None, as_json: AsJson = False
) -> None:
    """The flags that an account carries, and those that it carried."""
    shown_rows(
        _FLAGS,
        "/v1/accounts/{id}/flags",
        Wanted(account, None, data, office, None, as_json),
        none="No flag was ever set.",
    )


# --- holds ---------------------------------------------------------------------------------------------


@holds.command("start")
def start_hold(
    *,
    account: OneAccount = None,
    code: Annotated[str, typer.Option("--code", metavar="CODE", help="What for, such as illness.")],
    until: Until = None,
    since: Annotated[
        date | None,
        typer.Option("--from", parser=read_day, metavar="DAY", help="Its first day, of the past. Default: today."),
    ] = None,
    invoice: Annotated[
        list[str] | None,
        typer.Option("--invoice", metavar="NUMBER", help="Only the chase of this invoice rests; may be repeated."),
    ] = None,
    accounts: Accounts = None,
    data: DataDir = None,
    office: OfficeCode = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Let the chase of accounts rest. Of a list those are left as they are that are on the same hold already."""
    from aggregates.account.holds import PlaceHold

    def makes(found: "Account", _: date) -> "Sequence[Command]":
        command = command_of(
            PlaceHold,
            {"begins_on": "--from", "invoice_numbers": "--invoice"},
            account_id=found.id,
            code=code,
            until=until,
            begins_on=since,
            invoice_numbers=tuple(invoice) if invoice else None,
        )
        return [] if accounts is not None and found.holds.has_one_as(command) else [command]

    to_each(
        Wanted(account, accounts, data, office, reason, as_json),
        makes,
        Words(
            f"On hold ({code}){f' since {since}' if since else ''}{f' until {until}' if until else ''}.",
            "It was on this hold already.",
        ),
    )


@holds.command("end")
def end_hold(
    *,
    account: OneAccount = None,
    hold: HoldId = None,
    code: Annotated[str | None, typer.Option("--code", metavar="CODE", help="Only holds of this code.")] = None,
    accounts: Accounts = None,
    data: DataDir = None,
    office: OfficeCode = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Let the chase of accounts go on: ends each hold that is in force, or those that are named."""
    from aggregates.account.holds import ReleaseHold

    if hold is not None and not is_id(hold):
        raise typer.BadParameter(f"--hold {hold!r}: expected the id of a hold")

    def makes(found: "Account", _: date) -> "Sequence[Command]":
        if hold is not None:
            return [ReleaseHold(account_id=found.id, hold_id=UUID(hold))]
        named = [each.id for each in found.holds.in_force.values() if code in (None, each.code)]
        return [ReleaseHold(account_id=found.id, hold_id=each) for each in named]

    to_each(
        Wanted(account, accounts, data, office, reason, as_json),
        makes,
        Words("The hold has ended.", "No such hold was in force."),
    )


_HOLDS = {
    "code": key("hold"),
    "since": word("since", 4),
    "until": word("until", 4),
    "ended_on": word("ended", 3),
    "placed_by": text("placed by", 2),
    "reason": prose("why", 5),
    "invoices": text("of invoices", 4),
    "sent_meanwhile": prose("sent meanwhile", 3),
    "id": text("id", 1),
}


@holds.command("list")
@tabular
def list_holds(
    account: AccountArgument, data: DataDir = None, office: OfficeCode = None, as_json: AsJson = False
) -> None:
    """The holds of an account, in force or over."""
    shown_rows(
        _HOLDS,
        "/v1/accounts/{id}/holds",
        Wanted(account, None, data, office, None, as_json),
        none="It was never on hold.",
    )


# --- exclusion -----------------------------------------------------------------------------------------


@exclusions.command("start")
def start_exclusion(
    *,
    account: OneAccount = None,
    accounts: Accounts = None,
    data: DataDir = None,
    office: OfficeCode = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Take accounts out of auto-collection. Needs a --reason."""
    from aggregates.account.exclusion import ExcludeAccount

    to_each(
        Wanted(account, accounts, data, office, reason, as_json),
        lambda found, _: [ExcludeAccount(account_id=found.id)],
        Words("Excluded from auto-collection.", "It was excluded already."),
    )


@exclusions.command("end")
def end_exclusion(
    *,
    account: OneAccount = None,
    accounts: Accounts = None,
    data: DataDir = None,
    office: OfficeCode = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Let accounts be judged anew. Needs a --reason."""
    from aggregates.account.exclusion import LiftExclusion

    to_each(
        Wanted(account, accounts, data, office, reason, as_json),
        lambda found, _: [LiftExclusion(account_id=found.id)],
        Words("May be chased again.", "It was not excluded."),
    )


# --- inside ---


def shown_rows(columns: Mapping[str, Column], path: str, of: Wanted, *, none: str) -> None:
    """The rows that an address of one account answers with, as a table or as JSON."""

    def asked(ask: Ask) -> list[Any]:
        found = ask(path, id=account_id(ask, of.account or "", office=of.office))
        return [*(found["items"] if isinstance(found, dict) else found)]

    rows = answered(of.data, asked)
    if of.as_json:
        print_json({"rows": rows})
    elif rows:
        print_table([*columns.values()], ([_in_words(row[name]) for name in columns] for row in rows))
    else:
        note(none)


def _in_words(value: Any) -> Any:
    """A list, or an amount, as a table shows it; of a row in a row its values."""
    if isinstance(value, dict) and value.keys() == {"amount", "currency"}:
        return Decimal(value["amount"])
    if isinstance(value, bool):
        return "yes" if value else None
    if not isinstance(value, list):
        return value
    return (
        ", ".join(" ".join(map(str, each.values())) if isinstance(each, dict) else str(each) for each in value) or None
    )


def only_one(ids: Sequence[UUID], named: str | None, *, option: str, what: str) -> UUID:
    """The id that is named, else the one that there is. Raises Problem where there is none, or are several."""
    if named is not None:
        if not is_id(named):
            raise typer.BadParameter(f"{option} {named!r}: expected the id of a {what}")
        return UUID(named)
    if len(ids) != 1:
        several = f"several {what}s are open, name one by {option}: {', '.join(map(str, ids))}"
        raise Problem(several if ids else f"no {what} is open")
    return ids[0]
