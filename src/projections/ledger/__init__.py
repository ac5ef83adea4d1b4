"""The bitemporal ledger: what was owed on any day, as known on any day."""

from projections.ledger.projection import LedgerProjection

__all__ = ["LedgerProjection"]
