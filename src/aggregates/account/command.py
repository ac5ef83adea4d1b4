"""What every command to an account shares, and how its ids follow from numbers."""

from uuid import UUID

from aggregates.kernel.command import Command, NaturalKey, Target, identifier


def account_id(office: UUID, number: str) -> UUID:
    """The account's aggregate id from its office and its number there."""
    return identifier("account", office, number)


def document_id(account: UUID, kind: str, number: str) -> UUID:
    """The id of an invoice, payment or credit from its number within the account."""
    return identifier(kind, account, number)


def document_key(account: UUID, kind: str, number: str) -> NaturalKey:
    """The natural key of a command that brings in an invoice, payment or credit."""
    return NaturalKey(kind, document_id(account, kind, number), number)


class AccountCommand(Command, sees=("office",)):
    """A command to one account, decided by the settings of its office."""

    account_id: UUID

    def targets(self) -> tuple[Target, ...]:
        return (Target("account", self.account_id),)


class ChasingCommand(AccountCommand, sees=("office", "campaign")):
    """A command whose decision lets the rules judge the account: it looks at the office's running campaigns too."""
