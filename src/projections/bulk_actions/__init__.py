"""Bulk actions and the accounts that they are about, with what came of each."""

from projections.bulk_actions.projection import BulkActionsProjection

__all__ = ["BulkActionsProjection"]
