"""`arrears find`: which account is it?"""

from decimal import Decimal
from typing import Annotated, Any

import typer

from api.cli.asking import answered
from api.cli.ending import ExitCode
from api.cli.options import AsJson, DataDir, OfficeCode
from api.cli.output import note, note_names, print_json, print_table
from api.cli.tables import figure, key, tabular, text, word

_FOUND = (
    key("account"),
    text("customer", 5),
    word("office", 2),
    figure("balance"),
    word("currency", 6),
    figure("dpd", 3),
    word("stage", 4),
)


def add_to(root: typer.Typer) -> None:
    root.command("find")(find)


@tabular
def find(
    text: Annotated[
        str, typer.Argument(metavar="TEXT", help="A part of a name, number, phone or e-mail; or an invoice's number.")
    ],
    *,
    data: DataDir = None,
    office: OfficeCode = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1_000, metavar="N", help="At most so many.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Accounts by what is known of the customer: name, telephone, e-mail, the account's number or an invoice's.

    Exit code 1 where there is none.
    """
    found = answered(data, lambda ask: ask("/v1/accounts", q=text, office=office, limit=limit))
    rows = found["items"]
    if as_json:
        names = {"names": found["names"]} if "names" in found else {}
        print_json({"rows": [_without_empty_buckets(row) for row in rows], "next_cursor": found["next"], **names})
    elif rows:
        columns = ("number", "customer_name", "office", "balance", "currency", "days_past_due", "stage")
        print_table(_FOUND, ([_cell(row, name) for name in columns] for row in rows))
        if found["next"] is not None:
            note("There are more: --limit N, or more of the text.")
    else:
        note("No account is found by that.")
    note_names(found.get("names"))
    if not rows:
        raise typer.Exit(ExitCode.FAILED)


def _cell(row: dict[str, Any], name: str) -> Any:
    return Decimal(row[name]) if name == "balance" else row[name]


def _without_empty_buckets(row: dict[str, Any]) -> dict[str, Any]:
    amounts = sorted(row["buckets"].items(), key=lambda bucket: (len(bucket[0]), bucket[0]))
    return {**row, "buckets": {name: amount for name, amount in amounts if Decimal(amount)}}
