"""Who the customers are: names, and what search finds them by."""

from projections.people.projection import PeopleProjection

__all__ = ["PeopleProjection"]
