"""`arrears subscription`: what a customer subscribes to."""

from datetime import date
from typing import Annotated

import typer

from api.cli.allocation import account_found, read
from api.cli.offices import say_done
from api.cli.opening import command_of, commanding, issue
from api.cli.options import AccountArgument, AsJson, DataDir, OfficeCode, Reason, read_day

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
            "initial_discount": None if discount is None else read(discount, customer.currency, "--discount"),
        }
        options = {"started_on": "--started", "ends_on": "--ends", "services_agreed": "--agreed"}
        subscription = command_of(Subscription, options, **known.with_said(**given))
        result = issue(service, RecordSubscription(account_id=found, subscription=subscription), reason=reason)
    say_done(result, changed=f"Subscription {number} is recorded.", same="It was recorded so already.", as_json=as_json)
