"""`arrears promise`: what a customer promised to pay, moved, taken back, and what became of it."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.allocation import account_found, read
from api.cli.asking import answered
from api.cli.holding_back import only_one
from api.cli.lists import Accounts, OneAccount, Wanted, Words, to_each
from api.cli.opening import command_of, commanding, issue
from api.cli.options import AccountArgument, AsJson, DataDir, OfficeCode, Reason, read_day
from api.cli.output import note, print_json, print_table, say
from api.cli.questions import Ask, account_id
from api.cli.tables import figure, key, prose, tabular, text, word

if TYPE_CHECKING:
    from aggregates.account import Account
    from aggregates.kernel.command import Command

app = typer.Typer(no_args_is_help=True, help="Promises to pay.")

Assignee = Annotated[
    str | None, typer.Option("--assignee", metavar="NAME", help="Who comes back to it if it is broken.")
]
Notes = Annotated[str | None, typer.Option("--notes", metavar="TEXT", help="What the customer said.")]
Grace = Annotated[
    int | None,
    typer.Option("--grace", min=0, max=60, metavar="N", help="How many days it may be late. Default: the office's."),
]
Promise = Annotated[str | None, typer.Option("--promise", metavar="ID", help="Default: the one that is open.")]


@app.callback()
def group() -> None:
    """Promises to pay."""


@app.command("add")
def add_promise(
    *,
    account: OneAccount = None,
    amount: Annotated[str, typer.Option("--amount", metavar="AMOUNT", help="In the account's currency.")],
    due: Annotated[date, typer.Option("--due", parser=read_day, metavar="DAY", help="By when.")],
    assignee: Assignee = None,
    notes: Notes = None,
    grace: Grace = None,
    accounts: Accounts = None,
    data: DataDir = None,
    office: OfficeCode = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Record that customers promised to pay. What is promised is not chased until then."""
    from uuid import uuid4

    from aggregates.kernel.command import identifier
    from aggregates.promise import MakePromise

    def makes(found: "Account", today: date) -> "Sequence[Command]":
        instalments = [{"due_on": due, "amount": read(amount, found.customer.currency)}]
        listed = identifier("promise", found.id, "list", today, due, amount)
        command = command_of(
            MakePromise,
            {"grace_days": "--grace"},
            promise_id=uuid4() if accounts is None else listed,
            account_id=found.id,
            instalments=instalments,
            assignee=assignee,
            notes=notes,
            grace_days=grace,
        )
        return [command]

    to_each(
        Wanted(account, accounts, data, office, reason, as_json),
        makes,
        Words(
            f"{amount} is promised by {due}.",
            "It was promised already.",
            () if accounts is None else ("duplicate-promise",),
        ),
    )


class Rhythm(StrEnum):
    WEEK = "week"
    TWO_WEEKS = "two-weeks"
    MONTH = "month"


@app.command("plan")
@tabular
def plan(
    *,
    account: AccountArgument,
    every: Annotated[Rhythm, typer.Option("--every", help="How long it is from one instalment to the next.")],
    first: Annotated[date, typer.Option("--first", parser=read_day, metavar="DAY", help="When the first one is due.")],
    count: Annotated[
        int | None, typer.Option("--count", metavar="N", help="How many equal ones; the last takes the rest.")
    ] = None,
    amount: Annotated[str | None, typer.Option("--amount", metavar="AMOUNT", help="How much each one is.")] = None,
    total: Annotated[
        str | None, typer.Option("--total", metavar="AMOUNT", help="Default: what is owed and not promised yet.")
    ] = None,
    calculate: Annotated[bool, typer.Option("--calculate", help="Only show days and amounts.")] = False,
    assignee: Assignee = None,
    notes: Notes = None,
    grace: Grace = None,
    data: DataDir = None,
    office: OfficeCode = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Record a promise in instalments, or only calculate it. The first one that is missed ends it, after its grace."""
    if (count is None) == (amount is None):
        raise typer.BadParameter("expected one of --count and --amount")
    wanted: dict[str, Any] = {"every": every.value, "first": first, "count": count, "amount": amount, "total": total}

    def asked(ask: Ask) -> tuple[str, Any]:
        found = account_id(ask, account, office=office)
        return found, ask("/v1/accounts/{id}/instalment-plan", id=found, **wanted)

    found, calculated = answered(data, asked)
    parts = calculated["instalments"]
    if not calculate:
        from uuid import uuid4

        from aggregates.promise import MakePromise
        from api.application.amounts import read_amount

        command = command_of(
            MakePromise,
            {"grace_days": "--grace"},
            promise_id=uuid4(),
            account_id=found,
            instalments=[{"due_on": each["due_on"], "amount": read_amount(each["amount"])} for each in parts],
            assignee=assignee,
            notes=notes,
            grace_days=grace,
        )
        with commanding(data) as service:
            done = issue(service, command, reason=reason)
        calculated = {"promise_id": str(done.id), **calculated}
    if as_json:
        print_json(calculated)
        return
    print_table(_PLAN, ((n, each["due_on"], Decimal(each["amount"]["amount"])) for n, each in enumerate(parts, 1)))
    whole = f"{calculated['total']['amount']} {calculated['total']['currency']}"
    say(f"{whole} in all; nothing was recorded: --calculate." if calculate else f"{whole} is promised.")


_PLAN = (figure("instalment"), key("due"), figure("amount"))


@app.command("reschedule")
def reschedule(
    *,
    account: AccountArgument,
    due: Annotated[
        list[str],
        typer.Option(
            "--due",
            metavar="DAY[=AMOUNT]",
            help="The other day; of several instalments each with its amount. The total stays.",
        ),
    ],
    promise: Promise = None,
    grace: Grace = None,
    data: DataDir = None,
    office: OfficeCode = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Move an open promise to other days, for the same amount in total. It stays the same promise."""
    from aggregates.promise import ReschedulePromise

    def makes(found: "Account", _: date) -> "Sequence[Command]":
        promise_id = only_one([*found.promises.open], promise, option="--promise", what="promise")
        total = found.promises.open[promise_id].amount if promise_id in found.promises.open else found.customer.zero
        instalments = []
        for each in due:
            day, separator, amount = each.partition("=")
            if not separator and len(due) > 1:
                raise typer.BadParameter(f"--due {each!r}: expected DAY=AMOUNT, as there are several")
            part = read(amount, found.customer.currency, "--due") if separator else total
            instalments.append({"due_on": read_day(day), "amount": part})
        return [
            command_of(
                ReschedulePromise,
                {"instalments": "--due", "grace_days": "--grace"},
                promise_id=promise_id,
                account_id=found.id,
                instalments=instalments,
                grace_days=grace,
            )
        ]

    days = ", ".join(each.partition("=")[0] for each in due)
    to_each(
        Wanted(account, None, data, office, reason, as_json),
        makes,
        Words(f"The promise is for {days}.", "It was for these days already."),
    )


@app.command("withdraw")
def withdraw(
    *,
    account: AccountArgument,
    promise: Promise = None,
    data: DataDir = None,
    office: OfficeCode = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Take an open promise back. Needs a --reason."""
    from aggregates.promise import WithdrawPromise

    def makes(found: "Account", _: date) -> "Sequence[Command]":
        promise_id = only_one([*found.promises.open], promise, option="--promise", what="promise")
        return [WithdrawPromise(promise_id=promise_id, account_id=found.id)]

    to_each(
        Wanted(account, None, data, office, reason, as_json),
        makes,
        Words("The promise is withdrawn.", "It was withdrawn already."),
    )


_PROMISES = {
    "made_on": word("made", 4),
    "due_on": key("due"),
    "status": word("status", 8),
    "promised": figure("promised"),
    "received": figure("received", 9),
    "level": figure("level", 2),
    "grace_days": figure("grace", 1),
    "assignee": text("assignee", 3),
    "notes": prose("notes", 5),
    "promise_id": text("id", 1),
}


@app.command("list")
@tabular
def list_promises(
    account: AccountArgument, data: DataDir = None, office: OfficeCode = None, as_json: AsJson = False
) -> None:
    """Every promise of an account, open or past, the earliest due first."""
    found = account_found(data, account, office)

    def asked(ask: Ask) -> list[Any]:
        return [*ask("/v1/accounts/{id}/promises", id=str(found))["items"]]

    rows = answered(data, asked)
    if as_json:
        print_json({"rows": rows})
        return
    if not rows:
        note("No promise was made.")
        return
    print_table(
        [*_PROMISES.values()],
        ([Decimal(row[n]) if n in {"promised", "received"} else row[n] for n in _PROMISES] for row in rows),
    )
