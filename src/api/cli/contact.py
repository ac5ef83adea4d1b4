"""`arrears contact`: contacts judged by the contact rules, and what is known about contacting a customer."""

import sys
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from api.cli import contact_points
from api.cli.allocation import account_found
from api.cli.asking import answered
from api.cli.ending import ExitCode
from api.cli.offices import say_done
from api.cli.opening import command_of, commanding, issue
from api.cli.options import AccountArgument, AsJson, DataDir, OfficeCode, Reason, is_id, read_day, read_moment
from api.cli.output import print_json, print_table, say, shown
from api.cli.problems import Problem, show
from api.cli.questions import Ask, account_id
from api.cli.tables import key, prose, tabular, text, word

if TYPE_CHECKING:
    from api.application.contact_check import ContactCase, ContactVerdict

app = typer.Typer(no_args_is_help=True, help="Contact rules: whether law and house policy allow a contact.")

_STANDARD_INPUT = "-"
_REFUSALS = (key("rule"), word("basis", 1), word("allowed from (UTC)", 2), prose("because"))


KINDS = (
    "contact",
    "consent",
    "call-consent",
    "hours-consent",
    "esign-consent",
    "opt-out",
    "revocation",
    "cease",
    "attorney",
    "attorney-consent",
    "attorney-silent",
    "bankruptcy",
    "deceased",
    "wrong-number",
    "dispute",
    "verification",
    "placement",
    "validation-notice",
    "reassignment-check",
    "email-notice",
    "prior-collector",
    "withdrawn",
)
"""Those of `policies.contact.case`, which takes long to import."""


def _help() -> str:
    return (
        "Judge a contact with an account as it is (ID|NUMBER --channel sms), or contacts as somebody wrote them down "
        "(--case), by every contact rule. Nothing is stored.\n\n"
        'A case is JSON: {"debtor": {…}, "role": "first_party" | "third_party", "history": [{…}, …], "contact": {…}}. '
        'An entry of the history is a contact, or its "kind" says what else happened. '
        f"Kinds are {', '.join(KINDS)}. "
        'Each has "at", a moment with its offset such as 2026-03-02T15:00:00Z, and fields of its own, which '
        "docs/contact-rules.md has with an example.\n\n"
        "An unknown field or value is an error that names its place. "
        "Exit code: 0 every contact is allowed, 1 one is refused, 2 a case cannot be read."
    )


@app.command("check", help=_help())
@tabular
def check(
    *,
    account: Annotated[
        str | None, typer.Argument(metavar="ID|NUMBER", help="An account as it is, with --channel.")
    ] = None,
    case: Annotated[
        list[str] | None,
        typer.Option(
            "--case", metavar="FILE", help="A case as JSON; - reads standard input. It may be given several times."
        ),
    ] = None,
    channel: Annotated[
        str | None, typer.Option("--channel", metavar="CHANNEL", help="sms, voice, email, letter or portal.")
    ] = None,
    to: Annotated[
        str | None,
        typer.Option("--to", metavar="POINT", help="Such as phone-1. Default: the first that may be used."),
    ] = None,
    at: Annotated[
        datetime | None, typer.Option("--at", parser=read_moment, metavar="MOMENT", help="Default: now.")
    ] = None,
    recorded: Annotated[bool, typer.Option("--recorded", help="A call by a recorded voice.")] = False,
    data: DataDir = None,
    office: OfficeCode = None,
    as_json: AsJson = False,
) -> None:
    """Judge contacts: with an account as it is, or as somebody wrote them down."""
    if (account is None) == (not case):
        raise typer.BadParameter("expected an account with --channel, or --case FILE")
    if account is not None:
        if channel is None:
            raise typer.BadParameter("--channel: expected sms, voice, email, letter or portal")
        asked = {"channel": channel, "point_id": to, "at": at, "recorded": recorded or None}
        _check_account(account, data, office, asked, as_json=as_json)
        return
    _check_cases(case or [], as_json=as_json)


def _check_account(
    account: str, data: Path | None, office: str | None, asked: dict[str, Any], *, as_json: bool
) -> None:
    said = {name: value for name, value in asked.items() if value is not None}

    def ask_for(ask: Ask) -> Any:
        return ask("/v1/accounts/{id}/contact-check", id=account_id(ask, account, office=office), **said)

    verdict = answered(data, ask_for)
    if as_json:
        print_json(verdict)
    elif verdict["allowed"]:
        say(f"Allowed: no rule refuses {verdict['channel']} at {verdict['point_id']}.")
    elif not verdict["refusals"]:
        say(f"There is no number or address for {verdict['channel']}.")
    else:
        refusals = verdict["refusals"]
        many = "rule" if len(refusals) == 1 else "rules"
        until = verdict["allowed_from"]
        when = f", until {shown(read_moment(until))} UTC" if until else ""
        say(f"{verdict['channel']} at {verdict['point_id']} is refused by {len(refusals)} {many}{when}.")
        print_table(
            _REFUSALS,
            (
                (
                    each["rule"],
                    each["basis"],
                    read_moment(each["allowed_from"]) if each["allowed_from"] else None,
                    f"{each['detail']} ({each['source']})",
                )
                for each in refusals
            ),
        )
    if not verdict["allowed"]:
        raise typer.Exit(ExitCode.FAILED)


def _check_cases(case: list[str], *, as_json: bool) -> None:
    from api.application.contact_check import check_contact

    cases = _cases(case)
    verdicts = [check_contact(each) for each in cases]
    named = list(zip(case, verdicts, strict=True))
    if as_json:
        said = [{"case": name, **verdict.model_dump()} for name, verdict in named]
        print_json(verdicts[0].model_dump() if len(said) == 1 else said)
    else:
        for name, verdict in named:
            _show(verdict, name if len(named) > 1 else None)
    if not all(verdict.allowed for verdict in verdicts):
        raise typer.Exit(ExitCode.FAILED)


def _cases(files: list[str]) -> "list[ContactCase]":
    """Every case; where one cannot be read, all that is wrong is said and nothing is judged. Raises typer.Exit."""
    from api.application.contact_check import read_case
    from api.application.settings import SettingsError

    read, wrong = [], []
    for file in files:
        name = "standard input" if file == _STANDARD_INPUT else Path(file).name
        try:
            said = sys.stdin.buffer.read() if file == _STANDARD_INPUT else Path(file).read_bytes()
            read.append(read_case(said.decode("utf-8-sig"), name))
        except OSError as error:
            wrong.append(f"{name} cannot be read: {error.strerror}")
        except UnicodeDecodeError:
            wrong.append(f"{name} is not text in UTF-8")
        except SettingsError as error:
            wrong.append(str(error))
    if wrong:
        show("\n".join(wrong), "docs/contact-rules.md has every field of a case.")
        raise typer.Exit(ExitCode.WRONG_USAGE)
    return read


def _show(verdict: "ContactVerdict", name: str | None) -> None:
    which = "" if name is None else f"{name}: "
    if verdict.allowed:
        say(f"{which}Allowed: no rule refuses the contact.")
        return
    rows = [(each.rule, each.basis, each.allowed_from, f"{each.detail} ({each.source})") for each in verdict.refusals]
    count = len(rows)
    say(f"{which}Refused by {count} {'rule' if count == 1 else 'rules'}.")
    print_table(_REFUSALS, rows)


# --- what is known about contacting a customer -------------------------------------------------------------

_FACTS = (word("since (UTC)", 2), key("kind"), prose("what", 1), text("id"))
_KINDS = (key("kind"), text("what"), text("with", 1), word("holds for", 2))


@app.command("kinds")
@tabular
def kinds(as_json: AsJson = False) -> None:
    """What can be recorded about contacting a customer, and what may be said of it."""
    from api.application.account_contact import fact_kinds

    found = fact_kinds()
    if as_json:
        print_json([each.model_dump() for each in found])
        return
    print_table(
        _KINDS,
        (
            (each.kind, each.says, _options(each.fields), "the account" if each.is_about_debt else "the customer")
            for each in found
        ),
    )


def _options(fields: list[str]) -> str:
    return " ".join(f"--{name.replace('_', '-')}" for name in fields)


@app.command("record")
def record(
    *,
    account: AccountArgument,
    kind: Annotated[str, typer.Argument(metavar="KIND", help="Such as cease or attorney: contact kinds has them.")],
    at: Annotated[
        datetime | None, typer.Option("--at", parser=read_moment, metavar="MOMENT", help="When. Default: now.")
    ] = None,
    channel: Annotated[str | None, typer.Option("--channel", metavar="CHANNEL")] = None,
    number: Annotated[str | None, typer.Option("--number", metavar="NUMBER", help="A telephone number.")] = None,
    address: Annotated[str | None, typer.Option("--address", metavar="ADDRESS", help="An e-mail address.")] = None,
    form: Annotated[str | None, typer.Option("--form", metavar="FORM", help="written or verbal.")] = None,
    refusal_to_pay: Annotated[
        bool | None, typer.Option("--refusal-to-pay", help="They wrote that they will not pay.")
    ] = None,
    clear: Annotated[bool | None, typer.Option("--clear/--unclear", help="Whether it certainly revokes.")] = None,
    reassigned: Annotated[
        bool | None, typer.Option("--reassigned/--not-reassigned", help="What the check of a number said.")
    ] = None,
    chapter: Annotated[str | None, typer.Option("--chapter", metavar="N", help="Of the bankruptcy.")] = None,
    case_number: Annotated[str | None, typer.Option("--case-number", metavar="TEXT", help="The court's.")] = None,
    filed_on: Annotated[date | None, typer.Option("--filed-on", parser=read_day, metavar="DAY")] = None,
    died_on: Annotated[date | None, typer.Option("--died-on", parser=read_day, metavar="DAY")] = None,
    name: Annotated[str | None, typer.Option("--name", metavar="TEXT", help="The attorney's.")] = None,
    reached_at: Annotated[
        str | None, typer.Option("--reached-at", metavar="TEXT", help="The attorney's number or address.")
    ] = None,
    notes: Annotated[str | None, typer.Option("--notes", metavar="TEXT")] = None,
    data: DataDir = None,
    office: OfficeCode = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Record what was said, or turned out, about contacting the customer; it holds until it is withdrawn."""
    from aggregates.account.contact_history import RecordContactFact

    found = account_found(data, account, office)
    with commanding(data) as service:
        command = command_of(
            RecordContactFact,
            {"kind": "KIND"},
            account_id=found,
            kind=kind,
            at=at,
            channel=channel,
            number=number,
            address=address,
            form=form,
            refusal_to_pay=refusal_to_pay,
            clear=clear,
            reassigned=reassigned,
            chapter=chapter,
            case_number=case_number,
            filed_on=filed_on,
            died_on=died_on,
            name=name,
            reached_at=reached_at,
            notes=notes,
        )
        done = issue(service, command, reason=reason)
    say_done(done, changed=f"Recorded: {done.id}.", same="It was known already.", as_json=as_json)


@app.command("facts")
@tabular
def facts(account: AccountArgument, data: DataDir = None, office: OfficeCode = None, as_json: AsJson = False) -> None:
    """What stands about contacting the customer of an account."""

    def asked(ask: Ask) -> Any:
        return ask("/v1/accounts/{id}", id=account_id(ask, account, office=office))

    found = answered(data, asked).get("contact_facts", [])
    if as_json:
        print_json(found)
    elif not found:
        say("Nothing is recorded.")
    else:
        print_table(_FACTS, ((read_moment(each["at"]), each["kind"], each["says"], each["id"]) for each in found))


@app.command("withdraw")
def withdraw(
    *,
    account: AccountArgument,
    fact: Annotated[str, typer.Argument(metavar="FACT", help="Its id: contact facts has it.")],
    data: DataDir = None,
    office: OfficeCode = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """A fact about contacting the customer holds no more, or never did."""
    from aggregates.account.contact_history import WithdrawContactFact

    if not is_id(fact):
        raise Problem(f"FACT {fact!r}: expected an id")
    found = account_found(data, account, office)
    with commanding(data) as service:
        done = issue(service, WithdrawContactFact(account_id=found, fact_id=UUID(fact)), reason=reason)
    say_done(done, changed="It holds no more.", same="It held no more already.", as_json=as_json)


Point = Annotated[str, typer.Argument(metavar="POINT", help="A number of the account, such as phone-1.")]


@app.command("retire")
def retire(
    *,
    account: AccountArgument,
    point: Point,
    data: DataDir = None,
    office: OfficeCode = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """A number is somebody else's: it is used no more, on any of the customer's accounts."""
    from aggregates.account.contact_history import RetirePoint

    found = account_found(data, account, office)
    with commanding(data) as service:
        done = issue(service, RetirePoint(account_id=found, point_id=point), reason=reason)
    say_done(done, changed=f"{point} is used no more.", same="It was retired already.", as_json=as_json)


@app.command("restore")
def restore(
    *,
    account: AccountArgument,
    point: Point,
    data: DataDir = None,
    office: OfficeCode = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """A number is the customer's after all."""
    from aggregates.account.contact_history import RestorePoint

    found = account_found(data, account, office)
    with commanding(data) as service:
        done = issue(service, RestorePoint(account_id=found, point_id=point), reason=reason)
    say_done(done, changed=f"{point} may be used again.", same="It was not retired.", as_json=as_json)


contact_points.register(app)
