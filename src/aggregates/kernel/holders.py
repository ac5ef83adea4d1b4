"""Which aggregates hold a key: what the log says of it, in the order of the log."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

from aggregates.kernel.command import Key
from aggregates.kernel.event import Recorded


class Holding(NamedTuple):
    """An aggregate that holds a key, as the `ordinal`th, counted from 1."""

    key: Key
    ordinal: int
    aggregate_id: UUID


class Holders:
    """The aggregates that ever came to hold each key, the first one first. It follows from the log alone.

    One that came to hold a key is found by it for good: whether it still is what it was found for, its state says.
    """

    def __init__(self, known: Mapping[Key, Sequence[UUID]] | None = None) -> None:
        self._by_key: dict[Key, list[UUID]] = {key: list(ids) for key, ids in (known or {}).items()}

    def of(self, key: Key) -> Sequence[UUID]:
        return self._by_key.get(key, ())

    def note(self, events: Iterable[Recorded]) -> list[Holding]:
        """Takes in what events say; returns what is new of it."""
        new: list[Holding] = []
        for recorded in events:
            for key in recorded.event.found_by():
                holders = self._by_key.setdefault(key, [])
                if recorded.aggregate_id not in holders:
                    holders.append(recorded.aggregate_id)
                    new.append(Holding(key, len(holders), recorded.aggregate_id))
        return new
