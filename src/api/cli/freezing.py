"""`arrears freeze` and `unfreeze`: whether an account, or one of its subscriptions, is frozen."""

from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.allocation import account_found
from api.cli.offices import say_done
from api.cli.opening import command_of, commanding, issue
from api.cli.options import AccountArgument, AsJson, DataDir, OfficeCode, Reason

if TYPE_CHECKING:
    from aggregates.account import Account

SubscriptionNumber = Annotated[
    str | None,
    typer.Option("--subscription", metavar="NUMBER", help="Only this subscription; the account stays as it is."),
]


def add_to(root: typer.Typer) -> None:
    root.command("freeze")(freeze)
    root.command("unfreeze")(unfreeze)


def freeze(
    *,
    account: AccountArgument,
    code: Annotated[str, typer.Option("--code", metavar="CODE", help="A reason of the office, such as moved.")],
    subscription: SubscriptionNumber = None,
    data: DataDir = None,
    office: OfficeCode = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Freeze the account and all its subscriptions, or one subscription, for a reason of the office.

    The chase of a frozen account rests. Notes are the --reason.
    """
    from aggregates.account.freezing import FreezeAccount, FreezeSubscription

    found = account_found(data, account, office)
    command: FreezeAccount | FreezeSubscription
    if subscription is None:
        what, command = f"Account {account}", command_of(FreezeAccount, {}, account_id=found, code=code)
    else:
        what, named = f"Subscription {subscription}", {"number": "--subscription"}
        command = command_of(FreezeSubscription, named, account_id=found, number=subscription, code=code)
    with commanding(data) as service:
        done = issue(service, command, reason=reason)
    say_done(done, changed=f"{what} is frozen.", same=f"{what} was frozen already.", as_json=as_json)


def unfreeze(
    *,
    account: AccountArgument,
    subscription: SubscriptionNumber = None,
    data: DataDir = None,
    office: OfficeCode = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Roll the account back to active, with the subscriptions that its freeze took along, or one subscription.

    The account is judged anew. A subscription that was cancelled or changed meanwhile is named, and left as it is.
    """
    from aggregates.account import Account
    from aggregates.account.freezing import UnfreezeAccount, UnfreezeSubscription

    found = account_found(data, account, office)
    with commanding(data) as service:
        if subscription is not None:
            command = command_of(
                UnfreezeSubscription, {"number": "--subscription"}, account_id=found, number=subscription
            )
            what, left = f"Subscription {subscription}", ""
            done = issue(service, command, reason=reason)
        else:
            what, left = f"Account {account}", _left(service.arrears.load(Account, found))
            done = issue(service, UnfreezeAccount(account_id=found), reason=reason)
    say_done(done, changed=f"{what} is active.{left}", same=f"{what} was active already.", as_json=as_json)


def _left(account: "Account") -> str:
    """What the rollback of the account leaves as it is, in words."""
    left = account.freezing.left()
    return "".join(f" Subscription {number} is left as it is: {why.in_words}." for number, why in left.items())
