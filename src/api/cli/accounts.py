"""`arrears account`: opening one, what is known of it, all of a customer; `arrears audit`: all that ever happened."""

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any

import typer

from api.cli.asking import answered
from api.cli.ending import ExitCode
from api.cli.offices import say_done
from api.cli.opening import commanding, issue
from api.cli.options import AccountArgument, AsJson, AsOf, DataDir, OfficeCode, Reason, read_moment
from api.cli.output import note, note_names, print_json, print_table, say, shown
from api.cli.questions import Ask, account_id
from api.cli.tables import figure, key, prose, tabular, text, word

app = typer.Typer(no_args_is_help=True, help="Accounts: one, and all of a customer.")


def add_to(root: typer.Typer) -> None:
    root.add_typer(app, name="account")
    root.command("audit")(audit)


@app.callback()
def group() -> None:
    """Accounts: one, and all of a customer."""


# --- opening one ---------------------------------------------------------------------------------------


class Kind(StrEnum):
    CONSUMER = "consumer"
    COMMERCIAL = "commercial"


@app.command("open")
def open_account(
    *,
    number: Annotated[str, typer.Argument(metavar="NUMBER", help="The account's number in its office.")],
    name: Annotated[str, typer.Option("--name", metavar="TEXT", help="The customer's.")],
    customer: Annotated[
        str | None,
        typer.Option("--customer", metavar="NUMBER", help="Whose it is. Default: as known, else its own number."),
    ] = None,
    currency: Annotated[
        str | None, typer.Option("--currency", metavar="ISO", help="Default: that in which the office works.")
    ] = None,
    kind: Annotated[Kind, typer.Option("--kind")] = Kind.CONSUMER,
    country: Annotated[str | None, typer.Option("--country", metavar="ISO", help="Such as US.")] = None,
    data: DataDir = None,
    office: Annotated[str, typer.Option("--office", metavar="CODE", help="Whose account it is.")] = "main",
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Open an account, or change who its customer is. In another currency it is an account of its own, NUMBER/EUR."""
    from pydantic import ValidationError

    from aggregates.account.customer import CustomerKind, OpenAccount
    from aggregates.values.patterns import message_of
    from api.application.offices import is_other_currency
    from api.cli.offices import find_office

    with commanding(data) as service:
        to = find_office(service, office)
        wanted = currency or to.currency
        try:
            command = OpenAccount(
                office_id=to.id,
                number=number,
                customer_name=name,
                currency=wanted,
                other_currency=is_other_currency(service, to.id, wanted),
                customer_number=customer,
                customer_kind=CustomerKind(kind.value),
                country=country,
            )
        except ValidationError as error:
            wrong = error.errors()[0]
            raise typer.BadParameter(f"{wrong['loc'][0]}: {message_of(wrong)}") from None
        done = issue(service, command, reason=reason)
    say_done(done, changed=f"Account {number} is as you said.", same="It was so already.", as_json=as_json)


# --- a customer's accounts -----------------------------------------------------------------------------

_ACCOUNTS = (
    key("account"),
    text("customer", 5),
    word("office", 2),
    figure("balance"),
    word("currency", 6),
    figure("dpd", 3),
    word("stage", 4),
)


@app.command("list")
@tabular
def list_accounts(
    customer: Annotated[str, typer.Option("--customer", metavar="NUMBER", help="Whose accounts.")],
    data: DataDir = None,
    office: OfficeCode = None,
    as_json: AsJson = False,
) -> None:
    """All accounts of a customer. Exit code 1 where there is none."""

    def asked(ask: Ask) -> tuple[Any, list[Any]]:
        found = ask("/v1/accounts", customer=customer, office=office)
        return found.get("names"), [*found["items"]]

    names, rows = answered(data, asked)
    if as_json:
        print_json({"rows": rows})
    elif rows:
        columns = ("number", "customer_name", "office", "balance", "currency", "days_past_due", "stage")
        print_table(
            _ACCOUNTS, ([Decimal(row[name]) if name == "balance" else row[name] for name in columns] for row in rows)
        )
    else:
        note(f"No customer has the number {customer!r}.")
    note_names(names)
    if not rows:
        raise typer.Exit(ExitCode.FAILED)


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
    if "written_off" in view:
        say(f"      {shown(_amount(view['written_off']))} written off, claim kept")
    for title, texts in (
        (
            f"other accounts of customer {view.get('customer_number')}",
            [f"{other['number']} ({other['currency']})" for other in view.get("accounts", ())],
        ),
        ("flags", view["flags"]),
        *([("frozen", [view["frozen"]])] if view.get("frozen") else []),
        (
            "subscriptions",
            [
                f"{each['number']} ({each['status']}{' for ' + each['frozen'] if each.get('frozen') else ''})"
                for each in view["subscriptions"]
            ],
        ),
        *([("collections stage", [view["collections_stage"]])] if view.get("collections_stage") else []),
        ("holds", [h["code"] + (f" until {h['until']}" if h["until"] else "") for h in view["holds"]]),
        ("legal cases", [f"{c['kind']}, {c['state']} since {c['since']}" for c in view.get("legal_cases", ())]),
        (
            "complaints",
            [
                f"{c['kind']} of {c['received_on']}, "
                + (f"answered {c['answered_on']}" if c["answered_on"] else f"to be answered by {c['answer_by']}")
                + (", overdue" if c["is_overdue"] and not c["answered_on"] else "")
                for c in view.get("complaints", ())
            ],
        ),
        (
            "said to be paid",
            [
                (f"{shown(_amount(c['amount']))}, " if c["amount"] else "")
                + (f"{len(c['item_ids'])} items, " if c["item_ids"] else "")
                + f"checked until {c['until']}"
                for c in view.get("payment_claims", ())
            ],
        ),
        (
            "disputes",
            [
                f"{d['reason_code']} over {len(d['item_ids'])} items since {d['opened_on']}"
                + (f", to be resolved by {d['answer_by']}" if d.get("answer_by") else "")
                for d in view["disputes"]
            ],
        ),
        ("promises", [f"{shown(_amount(p['remaining']))} by {p['due_on']}" for p in view["promises"]]),
        (
            "not documented",
            [f"{u['kind']} by {u['agent']} ({u['id']})" for u in view.get("undocumented", ())],
        ),
        ("said about contact", [f"{f['says']} ({f['id']})" for f in view.get("contact_facts", ())]),
        ("used no more", view.get("retired_points", [])),
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
