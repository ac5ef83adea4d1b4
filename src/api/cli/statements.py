"""`arrears statement` and `arrears invoice copy`: what an account owes, and an invoice of it, as a paper or as JSON."""

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from api.cli.asking import answered
from api.cli.money import invoices
from api.cli.options import AccountArgument, AsOf, DataDir, OfficeCode
from api.cli.output import json_of, print_json, say
from api.cli.problems import Problem
from api.cli.questions import Ask, account_id


class Format(StrEnum):
    PDF = "pdf"
    JSON = "json"


Out = Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Where it is written; none is overwritten.")]
As = Annotated[
    Format | None, typer.Option("--format", help="Default: pdf with --out, json on the terminal without it.")
]


def add_to(root: typer.Typer) -> None:
    root.command("statement")(statement)


def statement(
    *,
    account: AccountArgument,
    as_of: AsOf = None,
    out: Out = None,
    format: As = None,  # noqa: A002
    data: DataDir = None,
    office: OfficeCode = None,
) -> None:
    """What an account owes, or owed at the end of a day: open items, what is disputed, unapplied money, the balance."""

    def asked(ask: Ask) -> Any:
        found = account_id(ask, account, office=office)
        return ask("/v1/accounts/{id}/statement", id=found, as_of=as_of)

    def paper(said: Any) -> bytes:
        from api.application.statement_papers import statement_pdf
        from api.application.statements import AccountStatement

        return statement_pdf(AccountStatement.model_validate(said))

    _give(answered(data, asked), paper, out, format)


@invoices.command("copy")
def copy(
    *,
    account: AccountArgument,
    number: Annotated[str, typer.Argument(metavar="NUMBER", help="The invoice's; NUMBER/DUE-DAY for one instalment.")],
    out: Out = None,
    format: As = None,  # noqa: A002
    data: DataDir = None,
    office: OfficeCode = None,
) -> None:
    """The copy of an invoice as it is recorded, paid or not."""

    def asked(ask: Ask) -> Any:
        found = account_id(ask, account, office=office)
        return ask("/v1/accounts/{id}/invoices/{number}/copy", id=found, number=number)

    def paper(said: Any) -> bytes:
        from api.application.statement_papers import invoice_copy_pdf
        from api.application.statements import InvoiceCopy

        return invoice_copy_pdf(InvoiceCopy.model_validate(said))

    _give(answered(data, asked), paper, out, format)


def _give(said: Any, paper: Callable[[Any], bytes], out: Path | None, wanted: Format | None) -> None:
    if out is None:
        if wanted is Format.PDF:
            raise typer.BadParameter("--format pdf: expected --out FILE, where it is written")
        print_json(said)
        return
    content = json_of(said, indent=2).encode() + b"\n" if wanted is Format.JSON else _set(paper, said)
    try:
        with out.open("xb") as written:
            written.write(content)
    except FileExistsError:
        raise Problem(f"{out} is there already", hint="Name another file: --out FILE") from None
    except OSError as error:
        raise Problem(f"{out} cannot be written: {error.strerror}") from None
    say(f"{out}: {len(content):,} bytes")


def _set(paper: Callable[[Any], bytes], said: Any) -> bytes:
    from adapters.documents.setting import NotPrintable

    try:
        return paper(said)
    except NotPrintable as error:
        raise Problem(error.detail, hint="--format json has it all the same") from None
