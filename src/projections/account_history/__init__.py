"""The history of accounts: the stage and why, what is next, flags and promises, as they were recorded."""

from projections.account_history.projection import AccountHistoryProjection

__all__ = ["AccountHistoryProjection"]
