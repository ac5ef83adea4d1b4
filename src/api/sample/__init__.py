"""A generated portfolio to try Arrears on: always the same, lived through up to today."""

from api.sample.seed import Seeded, seed

__all__ = ["Seeded", "seed"]
