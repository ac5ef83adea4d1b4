"""`arrears freeze` and `unfreeze`: whether an account's chase rests for a reason of its office."""

from typing import Annotated

import typer

from api.cli.allocation import account_found
from api.cli.offices import say_done
from api.cli.opening import command_of, commanding, issue
from api.cli.options import AccountArgument, AsJson, DataDir, OfficeCode, Reason


def add_to(root: typer.Typer) -> None:
    root.command("freeze")(freeze)
    root.command("unfreeze")(unfreeze)


def freeze(
    *,
    account: AccountArgument,
    code: Annotated[str, typer.Option("--code", metavar="CODE", help="A reason of the office, such as moved.")],
    data: DataDir = None,
    office: OfficeCode = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Freeze the account for a reason of its office: its chase rests. Notes are the --reason."""
    from aggregates.account.freezing import FreezeAccount

    found = account_found(data, account, office)
    command = command_of(FreezeAccount, {}, account_id=found, code=code)
    with commanding(data) as service:
        done = issue(service, command, reason=reason)
    say_done(
        done, changed=f"Account {account} is frozen.", same=f"Account {account} was frozen already.", as_json=as_json
    )


def unfreeze(
    *,
    account: AccountArgument,
    data: DataDir = None,
    office: OfficeCode = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Roll the account back to active; it is judged anew."""
    from aggregates.account.freezing import UnfreezeAccount

    found = account_found(data, account, office)
    with commanding(data) as service:
        done = issue(service, UnfreezeAccount(account_id=found), reason=reason)
    say_done(
        done, changed=f"Account {account} is active.", same=f"Account {account} was active already.", as_json=as_json
    )
