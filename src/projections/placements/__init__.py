"""Accounts with outside agencies, the files that told these, and what they collected."""

from projections.placements.projection import PlacementsProjection

__all__ = ["PlacementsProjection"]
