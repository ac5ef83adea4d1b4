"""The worklist: everything that has to be done about accounts, and by whom."""

from projections.worklist.projection import WorklistProjection

__all__ = ["WorklistProjection"]
