"""What a placement file says of an account, by column: from the account, its office, and the read tables."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

from psycopg import Connection

from aggregates.account import Account
from aggregates.account.contact_history import FactKind
from aggregates.account.customer import CustomerKind
from aggregates.account.receivables import OpenItem
from aggregates.kernel.personal import ERASED
from aggregates.office import Office
from aggregates.values.agency import Agency
from aggregates.values.contact import Consent
from aggregates.values.money import Money
from projections.questions.placements import InFile, Since, since_itemization

if TYPE_CHECKING:
    from adapters.workbook_file import Cell

_PHONES = 3
_FACTS = {
    "cease": (FactKind.CEASE, "cease-contact"),
    "attorney": (FactKind.ATTORNEY, None),
    "bankruptcy": (FactKind.BANKRUPTCY, "bankruptcy"),
    "deceased": (FactKind.DECEASED, "deceased"),
}
"""By column the fact, and the flag, that say it."""
_ABOUT_CUSTOMER = ("date_of_birth", "tax_id_last4", "first_name", "middle_name", "suffix")
"""Columns that the customer's own systems may fill by their names among what they say besides."""

Row = Mapping[str, "Cell"]


def balance_of(account: Account) -> Money:
    """What an agency collects of an account."""
    return account.placing.balance


def rows_of(
    connection: Connection[Any],
    placed: Sequence[InFile],
    accounts: Mapping[UUID, Account],
    office: Office,
    agency: Agency,
    *,
    today: date,
    through: int,
) -> Iterator[tuple[Money, Row, list[Row]]]:
    """Of each account, as it was at a place in the log, its balance, its row, and the rows of its open invoices."""
    days = [(each.account_id, each.itemization_date) for each in placed]
    since = since_itemization(connection, days, through=through)
    for each in placed:
        account = accounts[each.account_id]
        row = _row(each, account, office, agency, since=since.get(each.account_id, Since()), today=today)
        invoices = [
            _invoice_row(row, item)
            for item in sorted(account.receivables.items.values(), key=lambda item: (item.due_on, item.item.number))
        ]
        yield balance_of(account), row, invoices


def _row(placed: InFile, account: Account, office: Office, agency: Agency, *, since: Since, today: date) -> Row:
    customer, receivables = account.customer, account.receivables
    currency, balance = customer.currency, balance_of(account)
    issued = [item.item.issued_on for item in receivables.items.values()]
    moved = [day for day in (*issued, placed.last_payment_on) if day is not None]
    # What there was on that day and what came since make up what is owed now; corrections are among the credits.
    credits_since = since.amount_then + since.fees - since.payments - balance.minor
    facts = {fact.kind for fact in account.contact_history.facts.values()}
    flags = account.flags.carried
    return {
        "record": "account",
        "placement_id": str(placed.placement_id),
        "client_number": agency.client_number or office.code,
        "account_number": customer.account_name,
        "customer_number": customer.customer_number,
        "debtor_type": customer.kind.value,
        **_name(account),
        **_ways(account),
        **{name: said for name in _ABOUT_CUSTOMER if (said := _told(customer.information.get(name)))},
        "original_creditor": office.title,
        "current_creditor": office.title,
        "debt_type": str(office.contact.debt_type or customer.kind.value),
        "currency": currency,
        "open_date": placed.opened_on,
        "last_transaction_date": max(moved, default=None),
        "delinquency_date": receivables.oldest_due_on(),
        "charge_off_date": receivables.charged_off_on,
        "last_payment_date": placed.last_payment_on,
        "last_payment_amount": _decimal(placed.last_payment_minor, currency),
        "itemization_date_type": placed.itemization_type,
        "itemization_date": placed.itemization_date,
        "itemization_amount": _decimal(since.amount_then, currency),
        "interest_since": _decimal(0, currency),
        "fees_since": _decimal(since.fees, currency),
        "payments_since": _decimal(since.payments, currency),
        "credits_since": _decimal(credits_since, currency),
        "current_balance": balance.decimal(),
        "interest_rate": Decimal(0),
        "days_past_due": receivables.days_past_due(today),
        "dispute": _yes(bool(account.disputes.open)),
        **{name: _yes(kind in facts or flag in flags) for name, (kind, flag) in _FACTS.items()},
        "flags": " ".join(sorted(flags)),
        "placed_on": placed.placed_on,
    }


def _name(account: Account) -> Row:
    """Of a person also the parts, the last word being the family name."""
    name = _told(account.customer.name)
    if not name or not name.strip() or account.customer.kind is not CustomerKind.CONSUMER:
        return {"name": name}
    *given, family = name.split()
    return {"name": name, "first_name": " ".join(given), "last_name": family}


def _ways(account: Account) -> Row:
    details = account.contact.details
    found: dict[str, Cell] = {"language": details.language, "country": account.customer.country}
    if address := next((each for each in details.addresses if not each.is_erased), None):
        lines = [each for each in address.lines if each]
        found |= {"address1": next(iter(lines), None), "address2": ", ".join(lines[1:]) or None}
        found |= {"city": address.city, "state": address.region, "postal": address.postal_code}
        found["country"] = address.country or found["country"]
    phones = [each for each in details.phones if each.number != ERASED]
    for place, phone in enumerate(phones[:_PHONES], 1):
        found[f"phone{place}"] = phone.number
        found[f"phone{place}_type"] = phone.kind.value
        found[f"phone{place}_consent"] = _consents(phone.voice_consent, phone.sms_consent)
    if email := next((each for each in details.emails if each.address != ERASED), None):
        found |= {"email": email.address, "email_consent": email.consent.value}
    return found


def _consents(voice: Consent, sms: Consent) -> str:
    return voice.value if voice is sms else f"voice {voice.value}, sms {sms.value}"


def _invoice_row(of: Row, item: OpenItem) -> Row:
    said = item.item
    kept = ("placement_id", "client_number", "account_number", "currency")
    return {
        **{name: of[name] for name in kept},
        "record": "invoice",
        "invoice_number": said.name,
        "invoice_date": said.issued_on,
        "invoice_due_date": said.due_on,
        "invoice_amount": said.amount.decimal(),
        "invoice_balance": item.open.decimal(),
        "invoice_kind": said.kind.value,
        "dispute": _yes(item.dispute_id is not None),
    }


def _told(text: str | None) -> str | None:
    return None if text in (None, "", ERASED) else text


def _decimal(minor: int | None, currency: str) -> Decimal | None:
    return None if minor is None else Money(minor, currency).decimal()


def _yes(said: bool) -> str:
    return "Y" if said else "N"
