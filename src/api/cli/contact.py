"""`arrears contact`: contacts judged by the contact rules."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.ending import ExitCode
from api.cli.options import AsJson
from api.cli.output import print_json, print_table, say
from api.cli.problems import show
from api.cli.tables import key, prose, tabular, word

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
        "Judge contacts as somebody wrote them down, by every contact rule. Reads no account and no database.\n\n"
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
    case: Annotated[
        list[str],
        typer.Option(
            "--case", metavar="FILE", help="A case as JSON; - reads standard input. It may be given several times."
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """Judge contacts as somebody wrote them down."""
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
