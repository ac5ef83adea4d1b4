"""Fees and what they are taken of, subscriptions, and what allows fees."""

from projections.fees.projection import FeesProjection

__all__ = ["FeesProjection"]
