"""`arrears account show` and `arrears audit`: one account, and everything that ever happened to it."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any

import typer

from api.cli.asking import answered
from api.cli.options import AccountArgument, AsJson, AsOf, DataDir, OfficeCode, read_moment
from api.cli.output import note, print_json, print_table, say, shown
from api.cli.questions import Ask, account_id
from api.cli.tables import figure, key, prose, tabular, text, word

app = typer.Typer(no_args_is_help=True, help="One account.")


def add_to(root: typer.Typer) -> None:
    root.add_typer(app, name="account")
    root.command("audit")(audit)


@app.callback()
def group() -> None:
    """One account."""


# --- the account ---------------------------------------------------------------------------------------

_OPEN_ITEMS = (
    key("invoice"),
    word("issued", 1),
    word("due", 6),
    figure("amount", 7),
    figure("open"),
    figure("dpd", 5),
    text("bucket", 3),
    figure("disputed", 2),
)


@app.command("show")
@tabular
def show(
    account: AccountArgument,
    data: DataDir = None,
    as_of: AsOf = None,
    office: OfficeCode = None,
    as_json: AsJson = False,
) -> None:
    """Everything that is known of an account, today or at the end of an earlier day."""

    def asked(ask: Ask) -> Any:
        return ask("/v1/accounts/{id}", id=account_id(ask, account, office=office), as_of=as_of)

    view = answered(data, asked)
    if as_json:
        print_json(view)
    else:
        _tell(view)


def _tell(view: Mapping[str, Any]) -> None:
    say(
        f"{view['number']}  {view['customer_name']}  ({view['customer_kind']}, office {view['office']}),"
        f" as of {view['as_of']}"
    )
    balance, unapplied = _amount(view["balance"]), _amount(view["unapplied"])
    stage = view["stage"] or ("not judged yet" if balance else "nothing owed")
    say(f"stage {stage}" + (f": {view['why']['detail']}" if view["why"] else ""))
    if view["next_action"]:
        say(f"next  {view['next_action']['on']} {view['next_action']['title']}")
    say(f"owes  {shown(balance)} {view['currency']}, {view['days_past_due']} days past due ({view['bucket']})")
    if unapplied:
        say(f"      {shown(_amount(view['outstanding']))} open, less {shown(unapplied)} not applied yet")
    for title, texts in (
        ("flags", view["flags"]),
        ("holds", [h["code"] + (f" until {h['until']}" if h["until"] else "") for h in view["holds"]]),
        (
            "disputes",
            [f"{d['reason_code']} over {len(d['item_ids'])} items since {d['opened_on']}" for d in view["disputes"]],
        ),
        ("promises", [f"{shown(_amount(p['remaining']))} by {p['due_on']}" for p in view["promises"]]),
        ("reached by", _points(view)),
    ):
        if texts:
            say(f"{title}: {'; '.join(texts)}")
    if view["open_items"]:
        say("")
        print_table(_OPEN_ITEMS, map(_item, view["open_items"]))


def _item(item: Mapping[str, Any]) -> tuple[Any, ...]:
    return (
        item["number"],
        item["issued_on"],
        item["due_on"],
        _amount(item["amount"]),
        _amount(item["open"]),
        item["days_past_due"],
        item["bucket"],
        _amount(item.get("disputed_amount", item["open"])) if item["disputed"] else None,
    )


def _points(view: Mapping[str, Any]) -> list[str]:
    contact = view["contact"]
    return [
        *(f"{p['number']} ({p['kind']}, texts {p['sms_consent']})" for p in contact["phones"]),
        *(f"{e['address']} ({e['consent']})" for e in contact["emails"]),
        *(f"not by {o['channel']}" + (f" at {o['point_id']}" if o["point_id"] else "") for o in view["opt_outs"]),
    ]


def _amount(said: Mapping[str, str]) -> Decimal:
    """An amount of the view, in the account's currency."""
    return Decimal(said["amount"])


# --- the audit trail -----------------------------------------------------------------------------------

_TRAIL = (
    figure("position"),
    word("recorded", 1),
    word("effective", 3),
    prose("what", 5),
    text("by", 2),
    prose("why", 4),
)


@tabular
def audit(
    id: Annotated[  # noqa: A002
        str, typer.Argument(metavar="ID|NUMBER", help="An account's number or id, or the id of anything else.")
    ],
    data: DataDir = None,
    office: OfficeCode = None,
    as_json: AsJson = False,
) -> None:
    """Who did what, when and why: every event of an account (with its promises), a campaign, an office."""

    def asked(ask: Ask) -> tuple[str, list[Any]]:
        wanted = account_id(ask, id, office=office)
        return wanted, [*ask("/v1/audit/{id}", id=wanted)["items"]]

    wanted, rows = answered(data, asked)
    if as_json:
        print_json({"id": wanted, "rows": rows})
        return
    if not rows:
        note("Nothing is recorded under this id.")
        raise typer.Exit(1)
    print_table(
        _TRAIL,
        (
            (r["position"], read_moment(r["recorded_at"]), r["effective_on"], r["summary"], _by(r), r["reason"])
            for r in rows
        ),
    )


def _by(row: Mapping[str, Any]) -> str:
    return f"{row['actor_kind']}:{row['actor_id']}" + (f"@{row['actor_version']}" if row["actor_version"] else "")
