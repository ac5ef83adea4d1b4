"""`arrears find`: which account is it?"""

from typing import Annotated

import typer

from api.cli.opening import question
from api.cli.options import AsJson, DataDir, OfficeCode
from api.cli.output import note, note_names, print_json, print_table
from api.cli.reports import office_settings


def add_to(root: typer.Typer) -> None:
    root.command("find")(find)


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
    from projections.questions import Filters, accounts, office_ids

    with question(data) as (service, connection):
        scheme, today = office_settings(service, connection, office)
        found = accounts(
            connection,
            today=today,
            scheme=scheme,
            office_id=office_ids(connection, office)[0] if office else None,
            filters=Filters(search=text),
            limit=limit,
        )
    if as_json:
        print_json(found.model_dump(mode="json"))
    elif found.rows:
        print_table(
            ("account", "customer", "office", "balance", "currency", "dpd", "stage"),
            (
                (r.number, r.customer_name, r.office, r.balance, r.currency, r.days_past_due, r.stage)
                for r in found.rows
            ),
            right=("balance", "dpd"),
        )
        if found.next_cursor is not None:
            note("There are more: --limit N, or more of the text.")
    else:
        note("No account is found by that.")
    note_names(found.names)
    if not found.rows:
        raise typer.Exit(1)
