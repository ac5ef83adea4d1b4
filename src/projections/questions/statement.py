"""One account as of a day: its row in the collections report, what else was recorded, and its open items and funds."""

from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from psycopg import Connection

from aggregates.account.receivables import ItemKind
from aggregates.values.aging import BucketScheme
from aggregates.values.money import Money
from projections.answer import AmountText, Answer
from projections.collections_report.columns import CollectionsRow
from projections.questions.collections.source import ONE_ACCOUNT, row_of
from projections.questions.scope import LEDGER, Scope, UnknownAccount, parameters_of, row, rows


class StatementItem(Answer):
    """An open item. `days_past_due` is negative before its due date."""

    item_id: UUID
    number: str
    kind: ItemKind
    issued_on: date
    due_on: date
    amount: AmountText
    open: AmountText
    days_past_due: int
    bucket: str
    service_type: str | None
    subscription: str | None
    disputed: bool
    disputed_amount: AmountText
    """How much of what is open."""


class Statement(Answer):
    """What an account owed at the end of a day, and where it stood."""

    as_of: date
    row: CollectionsRow
    """As in the collections report of that day, where accounts that owe nothing are left out."""
    campaign_id: UUID | None
    plan_version: int | None
    items: tuple[StatementItem, ...]
    unapplied_of: dict[UUID, AmountText]
    """What was left of each payment and credit that had come in by then."""


_ITEMS = """
SELECT item_id, number, kind, issued_on, due_on, amount_minor, open_minor, dpd, bucket, service_type, subscription
FROM open_items
ORDER BY due_on, issued_on, number
"""

_FUNDS = """
SELECT funds_id, sum(unapplied_minor)::bigint AS minor
FROM entries
WHERE funds_id IS NOT NULL
GROUP BY funds_id
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
    if len({each["office"] for each in found}) < len(found):
        ids = ", ".join(str(each["account_id"]) for each in found)
        raise UnknownAccount(f"account: several are called {text!r}, name one by its id: {ids}")
    if len(found) > 1:
        offices = ", ".join(str(each["office"]) for each in found)
        raise UnknownAccount(f"account: {text!r} is in several offices, name one of {offices}")
    account_id: UUID = found[0]["account_id"]
    return account_id


def statement(
    connection: Connection[Any], account_id: UUID, *, as_of: date, scheme: BucketScheme, known_on: date | None = None
) -> Statement:
    """The account at the end of a day, owing or not, with its open items. Raises UnknownAccount."""
    known = rows(
        connection,
        {"id": account_id},
        "SELECT currency FROM read_model.ledger_accounts WHERE account_id = %(id)s",
    )
    if not known:
        raise UnknownAccount(f"account: there is no {account_id}")
    currency = known[0]["currency"]
    asked = parameters_of(Scope(currency, None), as_of=as_of, known_on=known_on, scheme=scheme)
    asked["account_id"] = account_id
    account = row(connection, asked, ONE_ACCOUNT)
    disputed = set(account["recorded_disputed_items"] or ())
    parts = account["recorded_disputed_parts"] or {}

    def disputed_of(item_id: UUID, open_minor: int) -> int:
        return min(open_minor, parts.get(str(item_id), open_minor)) if item_id in disputed else 0

    def amount(minor: int) -> Decimal:
        return Money(minor, currency).decimal()

    return Statement(
        as_of=as_of,
        row=row_of(account, scheme),
        campaign_id=account["recorded_campaign_id"],
        plan_version=account["recorded_plan_version"],
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
                subscription=each["subscription"],
                disputed=each["item_id"] in disputed,
                disputed_amount=amount(disputed_of(each["item_id"], each["open_minor"])),
            )
            for each in rows(connection, asked, LEDGER, _ITEMS)
        ),
        unapplied_of={each["funds_id"]: amount(each["minor"]) for each in rows(connection, asked, LEDGER, _FUNDS)},
    )
