"""The account aggregate: events, commands, state, and decisions by subject (ledger, customer, chase, casework)."""

from aggregates.account import upcasters as _  # noqa: F401  registered wherever an account is read
from aggregates.account.account import Account

__all__ = ["Account"]
