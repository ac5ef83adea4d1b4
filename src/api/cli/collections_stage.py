"""`arrears collections-stage`: where an account stands with an outside agency."""

from typing import Annotated

import typer

from api.cli.allocation import account_found
from api.cli.offices import say_done
from api.cli.opening import command_of, commanding, issue
from api.cli.options import AccountArgument, AsJson, DataDir, OfficeCode, Reason


def add_to(root: typer.Typer) -> None:
    root.command("collections-stage")(collections_stage)


def collections_stage(
    *,
    account: AccountArgument,
    stage: Annotated[str, typer.Argument(metavar="STAGE", help="not set, pending or sent.")],
    data: DataDir = None,
    office: OfficeCode = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Say where the account stands with an outside agency; the account's history has every change."""
    from aggregates.account.collections_stage import SetCollectionsStage

    found = account_found(data, account, office)
    command = command_of(SetCollectionsStage, {"collections_stage": "STAGE"}, account_id=found, collections_stage=stage)
    with commanding(data) as service:
        done = issue(service, command, reason=reason)
    say_done(
        done,
        changed=f"Collections stage of {account}: {stage}.",
        same=f"Collections stage of {account}: {stage} already.",
        as_json=as_json,
    )
