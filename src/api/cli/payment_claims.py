"""`arrears claim`: what the customer says is paid already, and what was found of it."""

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.allocation import read
from api.cli.holding_back import only_one, shown_rows
from api.cli.lists import Wanted, Words, to_each
from api.cli.opening import command_of
from api.cli.options import AccountArgument, AsJson, DataDir, OfficeCode, Reason, read_day
from api.cli.promises import Assignee, Notes
from api.cli.tables import figure, key, prose, tabular, text, word

if TYPE_CHECKING:
    from aggregates.account import Account
    from aggregates.account.payment_claims import PaymentClaimDecision
    from aggregates.kernel.command import Command

app = typer.Typer(no_args_is_help=True, help="What customers say is paid already.")

Claim = Annotated[str | None, typer.Option("--claim", metavar="ID", help="Default: the one that is open.")]


@app.callback()
def group() -> None:
    """What customers say is paid already."""


@app.command("add")
def add_claim(
    *,
    account: AccountArgument,
    invoice: Annotated[
        list[str] | None,
        typer.Option("--invoice", metavar="NUMBER", help="What is paid; may be repeated. Default: all that is open."),
    ] = None,
    amount: Annotated[str | None, typer.Option("--amount", metavar="AMOUNT", help="What they say they paid.")] = None,
    paid: Annotated[date | None, typer.Option("--paid", parser=read_day, metavar="DAY", help="When.")] = None,
    reference: Annotated[
        str | None, typer.Option("--reference", metavar="TEXT", help="By which the payment can be found.")
    ] = None,
    assignee: Assignee = None,
    notes: Notes = None,
    data: DataDir = None,
    office: OfficeCode = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Record that the customer says it is paid. It is not chased while that is checked."""
    from aggregates.account.payment_claims import ClaimPayment

    def makes(found: "Account", _: date) -> "Sequence[Command]":
        return [
            command_of(
                ClaimPayment,
                {"invoice_numbers": "--invoice", "paid_on": "--paid"},
                account_id=found.id,
                invoice_numbers=tuple(invoice or ()),
                amount=None if amount is None else read(amount, found.customer.currency),
                paid_on=paid,
                reference=reference,
                notes=notes,
                assignee=assignee,
            )
        ]

    said = Words("It is not chased while that is checked.", "It was said already.")
    to_each(Wanted(account, None, data, office, reason, as_json), makes, said)


@app.command("accept")
def accept(
    *,
    account: AccountArgument,
    claim: Claim = None,
    data: DataDir = None,
    office: OfficeCode = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Say that it is paid and only has to be booked. Needs a --reason."""
    from aggregates.account.payment_claims import PaymentClaimDecision

    words = Words("It is to be booked, and not chased meanwhile.", "It was accepted already.")
    _decide(Wanted(account, None, data, office, reason, as_json), claim, PaymentClaimDecision.ACCEPTED, words)


@app.command("reject")
def reject(
    *,
    account: AccountArgument,
    claim: Claim = None,
    data: DataDir = None,
    office: OfficeCode = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Say that it is not paid; it is chased again. Needs a --reason."""
    from aggregates.account.payment_claims import PaymentClaimDecision

    words = Words("It is chased again.", "It was rejected already.")
    _decide(Wanted(account, None, data, office, reason, as_json), claim, PaymentClaimDecision.REJECTED, words)


def _decide(wanted: Wanted, claim: str | None, decision: "PaymentClaimDecision", words: Words) -> None:
    from aggregates.account.payment_claims import DecidePaymentClaim

    def makes(found: "Account", _: date) -> "Sequence[Command]":
        claim_id = only_one([*found.payment_claims.open], claim, option="--claim", what="payment claim")
        return [DecidePaymentClaim(account_id=found.id, claim_id=claim_id, decision=decision)]

    to_each(wanted, makes, words)


_CLAIMS = {
    "claimed_on": key("said"),
    "state": word("state", 9),
    "expected": figure("expected"),
    "until": word("until", 8),
    "invoices": text("of invoices", 7),
    "paid_on": word("paid", 4),
    "reference": text("reference", 3),
    "assignee": text("assignee", 2),
    "reason": prose("why", 5),
    "id": text("id", 1),
}


@app.command("list")
@tabular
def list_claims(
    account: AccountArgument, data: DataDir = None, office: OfficeCode = None, as_json: AsJson = False
) -> None:
    """What the customer said was paid, and what was found."""
    of = Wanted(account, None, data, office, None, as_json)
    shown_rows(_CLAIMS, "/v1/accounts/{id}/payment-claims", of, none="Nothing was said to be paid.")
