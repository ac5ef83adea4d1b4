"""What every command to an account shares, and how its ids follow from numbers."""

from datetime import date
from uuid import UUID

from aggregates.kernel.command import Command, Key, NaturalKey, Target, identifier


def account_id(office: UUID, number: str, other_currency: str | None = None) -> UUID:
    """The account's aggregate id from its office and its number there, in the office's currency or in another one."""
    return identifier("account", office, number, *([] if other_currency is None else [other_currency]))


def account_name(number: str, other_currency: str | None = None) -> str:
    """What people call an account: its number, and in another currency than its office's `1001/EUR`."""
    return number if other_currency is None else f"{number}/{other_currency}"


def ids_by_name(office: UUID, name: str) -> tuple[UUID, ...]:
    """The ids of the accounts that may be called so: of one that has this number, and of one in another currency."""
    number, slash, currency = name.rpartition("/")
    looks_so = bool(slash and number) and len(currency) == 3 and currency.isascii() and currency.isupper()
    return (account_id(office, name), *([account_id(office, number, currency)] if looks_so else []))


def customer_key(office: UUID, number: str) -> Key:
    """By which accounts are found that have this number, or whose customer has it."""
    return Key.of("account.customer", office, number)


def document_id(account: UUID, kind: str, number: str) -> UUID:
    """The id of an invoice, payment or credit from its number within the account."""
    return identifier(kind, account, number)


def invoice_document(number: str, instalment: date | None) -> tuple[str, str]:
    """The kind and number by which an invoice has its id. Its first instalment, or the whole, is known by the number
    alone; a further one has a kind of its own, so that no other invoice's number can be the same."""
    return ("invoice", number) if instalment is None else ("instalment", f"{number}/{instalment}")


def document_key(account: UUID, kind: str, number: str, instalment: date | None = None) -> NaturalKey:
    """The natural key of a command that brings in an invoice, or an instalment of it, a payment or a credit."""
    if instalment is None:
        return NaturalKey(kind, document_id(account, kind, number), number)
    further, number = invoice_document(number, instalment)
    return NaturalKey(kind, document_id(account, further, number), number)


SHARED = {"sees": ("office", "account"), "reaches": ("account",)}
"""Class keywords of a command whose decision reaches the other accounts of the customer."""


class AccountCommand(Command, sees=("office",)):
    """A command to one account, decided by the settings of its office."""

    account_id: UUID

    def targets(self) -> tuple[Target, ...]:
        return (Target("account", self.account_id),)


class ChasingCommand(AccountCommand, sees=("office", "campaign")):
    """A command whose decision lets the rules judge the account: it looks at the office's running campaigns too."""
