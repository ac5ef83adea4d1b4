"""The account aggregate: a file for each subject, with its events, commands, state and decisions."""

from aggregates.account import upcasters as _  # noqa: F401  registered wherever an account is read
from aggregates.account.account import Account

__all__ = ["Account"]
