"""What every command to an account shares, and how its ids follow from numbers."""

from datetime import date
from uuid import UUID

from aggregates.kernel.command import Command, NaturalKey, Target, identifier


def account_id(office: UUID, number: str) -> UUID:
    """The account's aggregate id from its office and its number there."""
    return identifier("account", office, number)


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


class AccountCommand(Command, sees=("office",)):
    """A command to one account, decided by the settings of its office."""

    account_id: UUID

    def targets(self) -> tuple[Target, ...]:
        return (Target("account", self.account_id),)


class ChasingCommand(AccountCommand, sees=("office", "campaign")):
    """A command whose decision lets the rules judge the account: it looks at the office's running campaigns too."""
