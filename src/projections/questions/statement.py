"""One account as of a day: its open items, each by its own due date, and its funds."""

from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from psycopg import Connection

from aggregates.values.aging import BucketScheme
from aggregates.values.money import Money
from projections.questions.scope import LEDGER, Answer, Scope, UnknownAccount, parameters_of, row, rows


class StatementItem(Answer):
    """An open item. `days_past_due` is 0 where it is not past due."""

    item_id: UUID
    number: str
    kind: str
    issued_on: date
    due_on: date
    amount: Decimal
    open: Decimal
    days_past_due: int
    bucket: str
    service_type: str | None


class Statement(Answer):
    """What an account owed at the end of a day. `balance` is `outstanding` less `unapplied`."""

    account_id: UUID
    number: str
    customer_name: str
    as_of: date
    currency: str
    items: tuple[StatementItem, ...]
    outstanding: Decimal
    unapplied: Decimal
    balance: Decimal


_ITEMS = """
SELECT item_id, number, kind, issued_on, due_on, amount_minor, open_minor, greatest(0, dpd) AS dpd, bucket, service_type
FROM open_items
ORDER BY due_on, issued_on, number
"""

_UNAPPLIED = """
SELECT coalesce(sum(minor), 0)::bigint AS minor FROM unapplied
"""


def find_account(connection: Connection[Any], text: str, *, office: str | None = None) -> UUID:
    """The id of the account with this id or number. Raises UnknownAccount, also where two offices have the number."""
    found = rows(
        connection,
        {"text": text.strip(), "office": office},
        """
        SELECT account_id, office.code AS office
        FROM read_model.ledger_accounts AS account
        LEFT JOIN read_model.ledger_offices AS office USING (office_id)
        WHERE (account.account_id::text = lower(%(text)s) OR account.number = %(text)s)
          AND (%(office)s::text IS NULL OR %(office)s IN (office.code, office.office_id::text))
        ORDER BY office.code
        """,
    )
    if not found:
        raise UnknownAccount(f"account: there is no {text!r}")
    if len(found) > 1:
        offices = ", ".join(str(each["office"]) for each in found)
        raise UnknownAccount(f"account: {text!r} is in several offices, name one of {offices}")
    account_id: UUID = found[0]["account_id"]
    return account_id


def statement(
    connection: Connection[Any], account_id: UUID, *, as_of: date, scheme: BucketScheme, known_on: date | None = None
) -> Statement:
    """The account's open items and funds at the end of a day. Raises UnknownAccount."""
    known = rows(
        connection,
        {"id": account_id},
        "SELECT number, customer_name, currency FROM read_model.ledger_accounts WHERE account_id = %(id)s",
    )
    if not known:
        raise UnknownAccount(f"account: there is no {account_id}")
    account = known[0]
    currency = account["currency"]
    asked = parameters_of(Scope(currency, None), as_of=as_of, known_on=known_on, scheme=scheme)
    asked["account_id"] = account_id
    found = rows(connection, asked, LEDGER, _ITEMS)
    unapplied = row(connection, asked, LEDGER, _UNAPPLIED)["minor"]
    outstanding = sum(each["open_minor"] for each in found)

    def amount(minor: int) -> Decimal:
        return Money(minor, currency).decimal()

    return Statement(
        account_id=account_id,
        number=account["number"],
        customer_name=account["customer_name"],
        as_of=as_of,
        currency=currency,
        items=tuple(
            StatementItem(
                item_id=each["item_id"],
                number=each["number"],
                kind=each["kind"],
                issued_on=each["issued_on"],
                due_on=each["due_on"],
                amount=amount(each["amount_minor"]),
                open=amount(each["open_minor"]),
                days_past_due=each["dpd"],
                bucket=scheme.names[each["bucket"]],
                service_type=each["service_type"],
            )
            for each in found
        ),
        outstanding=amount(outstanding),
        unapplied=amount(unapplied),
        balance=amount(outstanding - unapplied),
    )
