"""Bulk actions: one change to many accounts of a report, frozen when it is previewed, and undone exactly."""

from aggregates.bulk.action import BulkAction
from aggregates.bulk.part import BulkPart

__all__ = ["BulkAction", "BulkPart"]
