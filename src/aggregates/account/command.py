"""What every command to an account shares, and how its ids follow from numbers."""

from collections.abc import Mapping
from uuid import UUID

from aggregates.kernel.command import Command, identifier

# --- commands ----------------------------------------------------------------------------------------


def account_id(office: UUID, number: str) -> UUID:
    """The account's aggregate id from its office and its number there."""
    return identifier("account", office, number)


def document_id(account: UUID, kind: str, number: str) -> UUID:
    """The id of an invoice, payment or credit from its number within the account."""
    return identifier(kind, account, number)


class AccountCommand(Command):
    """A command to one account."""

    account_id: UUID

    def targets(self) -> Mapping[str, UUID]:
        return {"account": self.account_id}
