"""Inbound: messages that customers wrote, receipts of ours, and messages that no account has."""

from projections.inbound.projection import InboundProjection

__all__ = ["InboundProjection"]
