"""Personal text stays encrypted in the log: read tables keep the places of the events that say it."""

from collections.abc import Collection, Mapping
from typing import Protocol

from aggregates.kernel.event import Recorded


class Opens(Protocol):
    """Opens events of the log; who asks a question that shows personal text hands it in."""

    def at(self, positions: Collection[int], /) -> Mapping[int, Recorded]:
        """The events at these positions, by position, in one query. Of a person who was erased they read `erased`."""
        ...


def without_nul(text: str | None) -> str | None:
    """What people typed may hold the character NUL, which nothing that shows texts can do with."""
    return text.replace("\x00", "") if text else text
