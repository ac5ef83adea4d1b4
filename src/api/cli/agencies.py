"""`arrears agency`: the outside agencies of an office, and on which terms they collect."""

from pathlib import Path
from typing import Annotated, Any

import typer

from api.cli.asking import answered
from api.cli.offices import find_office, say_done
from api.cli.opening import command_of, commanding, issue
from api.cli.options import AsJson, DataDir, OfficeCode, Reason
from api.cli.output import print_json, print_table, say
from api.cli.problems import Problem
from api.cli.tables import figure, key, tabular, text, word

app = typer.Typer(no_args_is_help=True, help="Outside agencies that accounts are placed with.")

Code = Annotated[str, typer.Argument(metavar="CODE", help="The agency's code in its office.")]
Office = Annotated[str, typer.Option("--office", metavar="CODE", help="Whose agency it is.")]
Title = Annotated[str | None, typer.Option("--title", help="What people call it.")]
LayoutOf = Annotated[
    str | None, typer.Option("--layout", metavar="NAME|FILE", help="arm, full or collect; or a TOML file of its own.")
]
Format = Annotated[str | None, typer.Option("--format", metavar="FORMAT", help="csv or tsv.")]
Channel = Annotated[
    str | None, typer.Option("--channel", metavar="CHANNEL", help="folder, sftp or https; docs/placement.md.")
]
Client = Annotated[str | None, typer.Option("--client-number", help="What the agency knows this office as.")]
Key = Annotated[
    str | None,
    typer.Option(
        "--key", metavar="FILE", help="Its OpenPGP public key, that files are encrypted with; `none`: no more."
    ),
]
Commission = Annotated[str | None, typer.Option("--commission", metavar="PERCENT", help="Of what it collects.")]
RecallAfter = Annotated[
    str | None,
    typer.Option("--recall-after", metavar="DAYS", help="Placements are recalled then; `never`: they are not."),
]
Within = Annotated[
    int | None, typer.Option("--acknowledged-within", metavar="DAYS", help="Business days for its acknowledgement.")
]

_AGENCIES = (
    key("agency"),
    word("office", 4),
    text("title", 1),
    word("layout", 3),
    word("channel", 2),
    word("key", 6),
    figure("commission", 3),
    word("retired", 5),
)


@app.command("list")
@tabular
def list_all(data: DataDir = None, office: OfficeCode = None, as_json: AsJson = False) -> None:
    """Every agency, by its code."""
    found = answered(data, lambda ask: ask("/v1/agencies", office=office))
    if as_json:
        print_json(found)
        return
    if not found:
        say("There is no agency yet: arrears agency add CODE --title NAME")
        return
    names = ("code", "office", "title", "layout", "channel", "fingerprint", "commission")
    print_table(_AGENCIES, ([*(each[name] for name in names), "yes" if each["retired"] else None] for each in found))


@app.command(
    "add", help="Give the office an agency. Where its files go is said by variables of the process: docs/placement.md."
)
@app.command("set", help="Change terms of an agency; what is not said stays. One that was retired is used again.")
def terms(
    *,
    context: typer.Context,
    code: Code,
    title: Title = None,
    layout: LayoutOf = None,
    format: Format = None,  # noqa: A002
    channel: Channel = None,
    client_number: Client = None,
    key: Key = None,
    commission: Commission = None,
    recall_after: RecallAfter = None,
    acknowledged_within: Within = None,
    data: DataDir = None,
    office: Office = "main",
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """The terms of an agency, new or known."""
    is_new = context.info_name == "add"
    if is_new and title is None:
        raise typer.BadParameter("--title: expected what people call it")
    said = {
        "title": title, "layout": layout, "format": format, "channel": channel, "client_number": client_number,
        "key": key, "commission": commission, "recall_after": recall_after, "acknowledged_within": acknowledged_within,
    }  # fmt: skip
    _set(code, said, data=data, office=office, reason=reason, as_json=as_json, is_new=is_new)


def _set(
    code: str, said: dict[str, Any], *, data: Any, office: str, reason: str | None, as_json: bool, is_new: bool
) -> None:
    from aggregates.office import SetAgency

    with commanding(data) as service:
        of = find_office(service, office)
        known = of.agencies.get(code)
        if is_new and known is not None:
            raise Problem(f"office {office!r} has an agency {code!r} already", hint=f"arrears agency set {code}")
        if not is_new and known is None:
            raise Problem(f"office {office!r} has no agency {code!r}", hint="arrears agency list")
        said_of = {**(known.model_dump(mode="json") if known is not None else {}), "retired": False, **_terms(said)}
        command = command_of(SetAgency, {"public_key": "--key"}, office_id=of.id, code=code, agency=said_of)
        done = issue(service, command, reason=reason)
    say_done(done, changed=f"Agency {code} is set.", same="It is so already.", as_json=as_json)


def _terms(said: dict[str, Any]) -> dict[str, Any]:
    """What was said, as the agency has it."""
    from api.application.placements import basis_points, with_layout

    named = said.pop("layout")
    text = None
    if named is not None and (named.endswith(".toml") or "/" in named):
        try:
            text = Path(named).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise typer.BadParameter(f"--layout: {named} cannot be read: {error}") from None
    terms = {name: value for name, value in said.items() if value is not None}
    try:
        if "key" in terms:
            terms["public_key"] = _key(terms.pop("key"))
        if "commission" in terms:
            terms["commission_bp"] = basis_points(terms.pop("commission"))
        if "recall_after" in terms:
            terms["recall_after_days"] = _days(terms.pop("recall_after"))
        return with_layout(terms, named, text)
    except ValueError as wrong:
        raise typer.BadParameter(f"--{wrong}") from None


def _key(named: str) -> str:
    if named == "none":
        return ""
    try:
        return Path(named).read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        raise ValueError(f"key: {named} is no file with a key as ASCII text") from None


def _days(text: str) -> int | None:
    if text == "never":
        return None
    if not text.isdigit() or len(text) > 4:
        raise ValueError(f"recall-after: expected a number of days or never, not {text!r}")
    return int(text)


@app.command("retire")
def retire(
    code: Code, data: DataDir = None, office: Office = "main", reason: Reason = None, as_json: AsJson = False
) -> None:
    """Place nothing more with an agency. What it has stays there, and its files are read."""
    from aggregates.office import RetireAgency

    with commanding(data) as service:
        done = issue(service, RetireAgency(office_id=find_office(service, office).id, code=code), reason=reason)
    say_done(done, changed=f"Agency {code} is retired.", same="It was retired already.", as_json=as_json)
