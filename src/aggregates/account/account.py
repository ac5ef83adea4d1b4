"""The account: a customer's receivables with one office, in one currency."""

from typing import ClassVar

from aggregates.account.casework import Casework
from aggregates.account.chase_decisions import Chased


class Account(Chased, Casework):
    """What is owed, who owes it, what was said about it, and where it stands in auto-collection."""

    kind: ClassVar[str] = "account"
