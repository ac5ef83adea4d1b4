"""`arrears subscription`: what a customer subscribes to."""

from datetime import date
from typing import Annotated, Any

import typer

from api.cli.allocation import account_found, read
from api.cli.asking import answered
from api.cli.offices import say_done
from api.cli.opening import command_of, commanding, issue
from api.cli.options import AccountArgument, AsJson, DataDir, OfficeCode, Reason, read_day
from api.cli.output import print_json, print_table
from api.cli.questions import Ask, account_id
from api.cli.tables import key, tabular, word

app = typer.Typer(no_args_is_help=True, help="What a customer subscribes to.")


@app.callback()
def group() -> None:
    """What a customer subscribes to."""


@app.command("record")
def record(
    *,
    account: AccountArgument,
    number: Annotated[str, typer.Argument(metavar="SUBSCRIPTION", help="Its number.")],
    service_type: Annotated[str | None, typer.Option("--service-type", metavar="TYPE")] = None,
    started: Annotated[date | None, typer.Option("--started", parser=read_day, metavar="DAY")] = None,
    ends: Annotated[
        date | None, typer.Option("--ends", parser=read_day, metavar="DAY", help="The last day of its term.")
    ] = None,
    agreed: Annotated[int | None, typer.Option("--agreed", metavar="N", help="How many services were agreed.")] = None,
    done: Annotated[int | None, typer.Option("--done", metavar="N", help="How many of them are done.")] = None,
    discount: Annotated[
        str | None, typer.Option("--discount", metavar="AMOUNT", help="The discount that it began with.")
    ] = None,
    cancelled: Annotated[
        date | None,
        typer.Option("--cancelled", parser=read_day, metavar="DAY", help="Since when it is cancelled, or will be."),
    ] = None,
    reinstated: Annotated[bool, typer.Option("--reinstated", help="It is not cancelled after all.")] = False,
    data: DataDir = None,
    office: OfficeCode = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Record a subscription; what is given is what is known of it, and what is left out stays."""
    from aggregates.account import Account
    from aggregates.account.customer import RecordSubscription, Subscription

    found = account_found(data, account, office)
    with commanding(data) as service:
        customer = service.arrears.load(Account, found).customer
        known = customer.subscriptions.get(number, Subscription(number=number))
        given = {
            "service_type": service_type,
            "started_on": started,
            "ends_on": ends,
            "services_agreed": agreed,
            "services_done": done,
            "cancelled_on": cancelled,
            "initial_discount": None if discount is None else read(discount, customer.currency, "--discount"),
        }
        options = {"started_on": "--started", "ends_on": "--ends", "services_agreed": "--agreed"}
        said = known.with_said(**given)
        if reinstated and cancelled is None:
            said["cancelled_on"] = None
        subscription = command_of(Subscription, options, **said)
        command = command_of(
            RecordSubscription, {}, account_id=found, subscription=subscription, reinstated=reinstated or None
        )
        result = issue(service, command, reason=reason)
    say_done(result, changed=f"Subscription {number} is recorded.", same="It was recorded so already.", as_json=as_json)


_COLUMNS = {
    "number": key("number"),
    "status": word("status"),
    "frozen": word("frozen", 1),
    "frozen_since": word("since", 2),
    "cancelled_on": word("cancelled", 3),
    "service_type": word("service", 4),
    "started_on": word("started", 5),
    "ends_on": word("ends", 6),
}
"""By the name in an answer."""


@app.command("list")
@tabular
def list_subscriptions(
    *,
    account: AccountArgument,
    data: DataDir = None,
    office: OfficeCode = None,
    as_json: AsJson = False,
) -> None:
    """What the customer of an account subscribes to, and whether it is active, frozen or cancelled."""

    def asked(ask: Ask) -> Any:
        return ask("/v1/accounts/{id}", id=account_id(ask, account, office=office))

    found = answered(data, asked)["subscriptions"]
    if as_json:
        print_json(found)
    else:
        print_table(tuple(_COLUMNS.values()), ([each.get(name) for name in _COLUMNS] for each in found))
