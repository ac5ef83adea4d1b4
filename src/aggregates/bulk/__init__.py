"""Bulk actions: one change to many accounts of a report, frozen when it is previewed, and undone exactly."""

from aggregates.bulk.action import BulkAction
from aggregates.bulk.part import BulkPart
from aggregates.bulk.schedule import BulkSchedule

__all__ = ["BulkAction", "BulkPart", "BulkSchedule"]
