"""The activity history: everything that was done about an account, in order."""

from projections.activity_history.projection import ActivityHistoryProjection

__all__ = ["ActivityHistoryProjection"]
