"""Promises to pay: one row per promise, and what it was on any day."""

from projections.promises.projection import PromisesProjection

__all__ = ["PromisesProjection"]
