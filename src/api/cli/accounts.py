"""`arrears account show` and `arrears audit`: one account, and everything that ever happened to it."""

from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from api.cli.opening import question
from api.cli.options import AsJson, AsOf, DataDir, OfficeCode
from api.cli.output import note, print_json, print_table, say, shown

if TYPE_CHECKING:
    from adapters.postgres.database import Connection
    from api.application.account_view import AccountView

app = typer.Typer(no_args_is_help=True, help="One account.")

_AUDIT_PAGE = 1_000


def add_to(root: typer.Typer) -> None:
    root.add_typer(app, name="account")
    root.command("audit")(audit)


@app.callback()
def group() -> None:
    """One account."""


@app.command("show")
def show(
    account: Annotated[str, typer.Argument(metavar="ID|NUMBER", help="The account's id, or its number.")],
    data: DataDir = None,
    as_of: AsOf = None,
    office: OfficeCode = None,
    as_json: AsJson = False,
) -> None:
    """Everything that is known of an account, today or at the end of an earlier day."""
    from api.application.account_view import account_view, read_account
    from projections.questions import find_account

    with question(data) as (service, connection):
        account_id = find_account(connection, account, office=office)
        view = account_view(read_account(service, connection, account_id, as_of))
    if as_json:
        print_json(view.model_dump(mode="json"))
    else:
        _tell(view)


def _tell(view: "AccountView") -> None:
    say(f"{view.number}  {view.customer_name}  ({view.customer_kind}, office {view.office}), as of {view.as_of}")
    stage = view.stage.value if view.stage else "nothing owed" if not view.balance else "not judged yet"
    say(f"stage {stage}" + (f": {view.why.detail}" if view.why else ""))
    if view.next_action:
        say(f"next  {view.next_action.on} {view.next_action.title}")
    say(f"owes  {shown(view.balance)} {view.currency}, {view.days_past_due} days past due ({view.bucket})")
    if view.unapplied:
        say(f"      {shown(view.outstanding)} open, less {shown(view.unapplied)} not applied yet")
    for title, texts in (
        ("flags", view.flags),
        ("holds", [f"{h.code}" + (f" until {h.until}" if h.until else "") for h in view.holds]),
        ("disputes", [f"{d.reason_code} over {len(d.item_ids)} items since {d.opened_on}" for d in view.disputes]),
        ("promises", [f"{shown(p.remaining)} by {p.due_on}" for p in view.promises]),
        ("reached by", _points(view)),
    ):
        if texts:
            say(f"{title}: {'; '.join(texts)}")
    if view.open_items:
        say("")
        print_table(
            ("invoice", "issued", "due", "amount", "open", "dpd", "bucket", "disputed"),
            (
                (i.number, i.issued_on, i.due_on, i.amount, i.open, i.days_past_due, i.bucket, i.disputed or None)
                for i in view.open_items
            ),
            right=("amount", "open", "dpd"),
        )


def _points(view: "AccountView") -> list[str]:
    contact = view.contact
    return [
        *(f"{p.number} ({p.kind}, texts {p.sms_consent})" for p in contact.phones),
        *(f"{e.address} ({e.consent})" for e in contact.emails),
        *(f"not by {o.channel}" for o in view.opt_outs),
    ]


def audit(
    id: Annotated[  # noqa: A002
        str, typer.Argument(metavar="ID|NUMBER", help="An account's id or number, or the id of anything else.")
    ],
    data: DataDir = None,
    office: OfficeCode = None,
    as_json: AsJson = False,
) -> None:
    """Who did what, when and why: every event of an account (with its promises), a campaign, an office."""
    from projections.questions import audit as ask

    with question(data) as (service, connection):
        wanted = _id(connection, id, office)
        rows: list[Any] = []
        cursor = None
        while True:
            page = ask(connection, service.feed, wanted, limit=_AUDIT_PAGE, cursor=cursor)
            rows += page.rows
            cursor = page.next_cursor
            if cursor is None:
                break
    if as_json:
        print_json({"id": wanted, "rows": [row.model_dump(mode="json") for row in rows]})
        return
    if not rows:
        note("Nothing is recorded under this id.")
        raise typer.Exit(1)
    print_table(
        ("position", "recorded", "effective", "what", "by", "why"),
        ((r.position, r.recorded_at, r.effective_on, r.summary, _by(r), r.reason) for r in rows),
        right=("position",),
    )


def _id(connection: "Connection", text: str, office: str | None) -> UUID:
    from projections.questions import find_account

    try:
        return UUID(text)
    except ValueError:
        return find_account(connection, text, office=office)


def _by(row: Any) -> str:
    return f"{row.actor_kind}:{row.actor_id}" + (f"@{row.actor_version}" if row.actor_version else "")
