"""The account aggregate: events, commands, state, and decisions by subject (ledger, customer, chase, casework)."""

from aggregates.account.account import Account

__all__ = ["Account"]
