"""`arrears legal`: demands, liens and suits, kept by hand."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.allocation import read
from api.cli.holding_back import only_one, shown_rows
from api.cli.lists import Wanted, Words, to_each
from api.cli.opening import command_of
from api.cli.options import AccountArgument, AsJson, DataDir, OfficeCode, Reason, read_day
from api.cli.promises import Notes
from api.cli.tables import figure, key, prose, tabular, text, word

if TYPE_CHECKING:
    from aggregates.account import Account
    from aggregates.kernel.command import Command

app = typer.Typer(no_args_is_help=True, help="Demands, liens and suits.")

Case = Annotated[str | None, typer.Option("--case", metavar="ID", help="Default: the one that is open.")]
On = Annotated[
    date | None, typer.Option("--on", parser=read_day, metavar="DAY", help="When it was so. Default: today.")
]
Court = Annotated[str | None, typer.Option("--court", metavar="TEXT", help="Or the register of a lien.")]
Number = Annotated[str | None, typer.Option("--number", metavar="TEXT", help="The court's number of the case.")]
Cost = Annotated[
    str | None, typer.Option("--cost", metavar="AMOUNT", help="Added to those before; no part of what is owed.")
]
Document = Annotated[
    list[str] | None, typer.Option("--document", metavar="NAME", help="As it is called in your files; repeatable.")
]


@app.callback()
def group() -> None:
    """Demands, liens and suits."""


@app.command("open")
def open_case(
    *,
    account: AccountArgument,
    kind: Annotated[str, typer.Option("--kind", metavar="K", help="demand, lien or suit.")],
    invoice: Annotated[
        list[str] | None,
        typer.Option("--invoice", metavar="NUMBER", help="What it is about; repeatable. Default: all that is owed."),
    ] = None,
    on: On = None,
    court: Court = None,
    number: Number = None,
    cost: Cost = None,
    document: Document = None,
    notes: Notes = None,
    data: DataDir = None,
    office: OfficeCode = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Prepare a demand, a lien or a suit. A suit rests the chase, unless the office says no."""
    from aggregates.account.legal import OpenLegalCase

    def makes(found: "Account", _: date) -> "Sequence[Command]":
        said = _details(found, on=on, court=court, number=number, cost=cost, document=document, notes=notes)
        return [command_of(OpenLegalCase, _OPTIONS, kind=kind, invoice_numbers=tuple(invoice or ()), **said)]

    words = Words(f"The {kind} is prepared.", "It was prepared already.")
    to_each(Wanted(account, None, data, office, reason, as_json), makes, words)


@app.command("move")
def move(
    *,
    account: AccountArgument,
    state: Annotated[
        str,
        typer.Option("--state", metavar="S", help="filed, served, judgment, satisfied, released or withdrawn."),
    ],
    case: Case = None,
    on: On = None,
    court: Court = None,
    number: Number = None,
    cost: Cost = None,
    document: Document = None,
    notes: Notes = None,
    data: DataDir = None,
    office: OfficeCode = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Say that a case is in another state, in the order of its kind."""
    from aggregates.account.legal import MoveLegalCase

    def makes(found: "Account", _: date) -> "Sequence[Command]":
        case_id = only_one([*found.legal_cases.open], case, option="--case", what="legal case")
        said = _details(found, on=on, court=court, number=number, cost=cost, document=document, notes=notes)
        return [command_of(MoveLegalCase, _OPTIONS, case_id=case_id, state=state, **said)]

    words = Words(f"The case is {state}.", "It was so already.")
    to_each(Wanted(account, None, data, office, reason, as_json), makes, words)


@app.command("note")
def note(
    *,
    account: AccountArgument,
    case: Case = None,
    on: On = None,
    court: Court = None,
    number: Number = None,
    cost: Cost = None,
    document: Document = None,
    notes: Notes = None,
    data: DataDir = None,
    office: OfficeCode = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Note a court, a number, a cost or documents of a case; its state stays."""
    from aggregates.account.legal import NoteLegalCase

    def makes(found: "Account", _: date) -> "Sequence[Command]":
        case_id = only_one([*found.legal_cases.open], case, option="--case", what="legal case")
        said = _details(found, on=on, court=court, number=number, cost=cost, document=document, notes=notes)
        return [command_of(NoteLegalCase, _OPTIONS, case_id=case_id, **said)]

    words = Words("It is noted.", "There was nothing to note.")
    to_each(Wanted(account, None, data, office, reason, as_json), makes, words)


_OPTIONS = {"case_number": "--number", "documents": "--document", "invoice_numbers": "--invoice"}


def _details(
    found: "Account",
    *,
    on: date | None,
    court: str | None,
    number: str | None,
    cost: str | None,
    document: Sequence[str] | None,
    notes: str | None,
) -> Mapping[str, Any]:
    return {
        "account_id": found.id,
        "on": on,
        "court": court,
        "case_number": number,
        "cost": None if cost is None else read(cost, found.customer.currency, "--cost"),
        "documents": tuple(document or ()),
        "notes": notes,
    }


_CASES = {
    "kind": key("kind"),
    "state": word("state", 9),
    "since": word("since", 8),
    "invoices": text("of invoices", 6),
    "court": text("court", 5),
    "case_number": text("number", 7),
    "costs": figure("costs", 4),
    "documents": prose("documents", 3),
    "history": prose("states", 2),
    "id": text("id", 1),
}


@app.command("list")
@tabular
def list_cases(
    account: AccountArgument, data: DataDir = None, office: OfficeCode = None, as_json: AsJson = False
) -> None:
    """The legal cases of an account, with the history of their states."""
    of = Wanted(account, None, data, office, None, as_json)
    shown_rows(_CASES, "/v1/accounts/{id}/legal-cases", of, none="There is no legal case.")
