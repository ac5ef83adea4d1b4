"""Events that are passed on or passed over without being opened: their place, their ids and their name."""

from datetime import date, datetime
from uuid import UUID

from aggregates.kernel.event import Event, Meta, Recorded


class StillClosed(TypeError):
    """Somebody wants to look into an event that was read without opening it."""


class Closed(Recorded):
    """A recorded event of which nobody wants to know what it says."""

    __slots__ = ("named",)

    def __init__(  # noqa: PLR0917  the columns, as they come
        self,
        position: int | None,
        aggregate_id: UUID,
        version: int,
        event_id: UUID,
        account_id: UUID | None,
        named: str,
        effective_on: date,
        recorded_at: datetime,
    ) -> None:
        self.position = position
        self.aggregate_id = aggregate_id
        self.version = version
        self.event_id = event_id
        self.account_id = account_id
        self.named = named
        self.effective_on = effective_on
        self.recorded_at = recorded_at

    def __repr__(self) -> str:
        return f"<{self.named} at position {self.position}, not opened>"

    @property
    def name(self) -> str:
        return self.named

    @property
    def traceparent(self) -> str | None:
        return None

    @property
    def event(self) -> Event:  # type: ignore[override]
        raise StillClosed(f"{self.named} at position {self.position} is read without being opened")

    @property
    def meta(self) -> Meta:  # type: ignore[override]
        raise StillClosed(f"{self.named} at position {self.position} is read without being opened")
