"""Messages: one row per message that was queued, by a campaign or by hand, and what became of it."""

from projections.messages.projection import MessagesProjection

__all__ = ["MessagesProjection"]
