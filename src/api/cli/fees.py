"""`arrears fee`: fees of one account, and what allows them."""

from decimal import Decimal
from typing import Annotated, Any

import typer

from api.cli.allocation import account_found
from api.cli.asking import answered
from api.cli.offices import say_done
from api.cli.opening import by_whom, command_of, commanding, issue
from api.cli.options import AccountArgument, AsJson, AsOf, DataDir, OfficeCode, Reason, wrong_parameter
from api.cli.output import print_json, print_table, say
from api.cli.questions import account_id
from api.cli.tables import figure, key, prose, tabular, word

app = typer.Typer(no_args_is_help=True, help="Fees of an account: each a new invoice of a fee service type.")

Fee = Annotated[str, typer.Argument(metavar="FEE", help="The number of the fee invoice.")]


@app.command("add")
def add(
    *,
    account: AccountArgument,
    basis: Annotated[str, typer.Option("--basis", metavar="BASIS", help="What it is taken of: docs/fees.md.")],
    service_type: Annotated[
        str, typer.Option("--service-type", metavar="TYPE", help="One of the office's service types of fees.")
    ],
    amount: Annotated[str | None, typer.Option("--amount", metavar="AMOUNT", help="Of a fixed one.")] = None,
    percent: Annotated[str | None, typer.Option("--percent", metavar="PERCENT", help="Of any other.")] = None,
    as_of: AsOf = None,
    include_fees: Annotated[bool, typer.Option("--include-fees", help="Take it of fee invoices too.")] = False,
    include_disputed: Annotated[
        bool, typer.Option("--include-disputed", help="Take it of disputed amounts too.")
    ] = False,
    include_unfulfilled: Annotated[
        bool, typer.Option("--include-unfulfilled", help="Of subscriptions that are not fulfilled too.")
    ] = False,
    data: DataDir = None,
    office: OfficeCode = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Add a fee, as a bulk action would to this account alone."""
    from api.application.bulk import WrongParameter
    from api.application.fees import add_fee

    found = account_found(data, account, office)
    said = {
        "basis": basis,
        "amount": amount,
        "percent": percent,
        "service_type": service_type,
        "as_of": as_of,
        "include_fees": include_fees,
        "include_disputed": include_disputed,
        "include_unfulfilled": include_unfulfilled,
    }
    with commanding(data) as service:
        service.drain()
        try:
            done = add_fee(service, *by_whom(service, reason), found, said, reason=reason)
        except WrongParameter as wrong:
            raise wrong_parameter(wrong) from None
        service.drain()
    say_done(done, changed=f"Account {account} bears a fee: arrears fee list {account}", same="", as_json=as_json)


_FEES = (key("fee"), word("issued"), word("due"), figure("amount"), figure("open"), prose("taken of", 1))


@app.command("list")
@tabular
def list_fees(
    account: AccountArgument, data: DataDir = None, office: OfficeCode = None, as_json: AsJson = False
) -> None:
    """Every fee of the account with its lines, the latest first."""

    def fees(ask: Any) -> Any:
        return ask("/v1/accounts/{id}/fees", id=account_id(ask, account, office=office))

    found = answered(data, fees)
    if as_json:
        print_json(found)
        return
    if not found:
        say(f"Account {account} bears no fee that was added here.")
        return
    print_table(_FEES, ([*_cells(each), _taken_of(each)] for each in found))


def _cells(fee: dict[str, Any]) -> list[Any]:
    amounts = [Decimal(fee[name]) for name in ("amount", "open")]
    return [fee["number"], fee["issued_on"], "withdrawn" if fee["withdrawn"] else fee["due_on"], *amounts]


def _taken_of(fee: dict[str, Any]) -> str:
    lines = (f"{each['amount']} of {each['base']} {each['source'] or 'balance'}" for each in fee["lines"])
    return f"{fee['basis']}, {fee['as_of']}: {'; '.join(lines)}"


@app.command("waive")
def waive(
    *,
    account: AccountArgument,
    fee: Fee,
    data: DataDir = None,
    office: OfficeCode = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Let the customer off what is open of a fee: it is credited. Needs a --reason."""
    from aggregates.account.fees import WaiveFee

    found = account_found(data, account, office)
    with commanding(data) as service:
        done = issue(service, WaiveFee(account_id=found, number=fee), reason=reason)
    say_done(done, changed=f"Fee {fee} is waived.", same="", as_json=as_json)


@app.command("allow")
def allow(
    *,
    account: AccountArgument,
    by: Annotated[str, typer.Option("--by", metavar="agreement|law|none", help="What allows it; none: nothing does.")],
    data: DataDir = None,
    office: OfficeCode = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Record what allows fees on a consumer's debt that is collected for others."""
    from aggregates.account.fees import RecordFeeGround

    found = account_found(data, account, office)
    command = command_of(RecordFeeGround, {"ground": "--by"}, account_id=found, ground=None if by == "none" else by)
    with commanding(data) as service:
        done = issue(service, command, reason=reason)
    what = "nothing" if by == "none" else by
    say_done(
        done, changed=f"Fees on {account} are allowed by {what}.", same="It was recorded already.", as_json=as_json
    )
