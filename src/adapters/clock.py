"""The one clock: what time it is, handed in at the door."""

import threading
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    @property
    def is_set(self) -> bool:
        """Whether somebody sets it, instead of the time that passes."""
        ...

    def now(self) -> datetime:
        """The current moment; aware, in UTC."""
        ...

    def wait_until(self, moment: datetime, stop: threading.Event) -> None:
        """Returns once that moment has come, or when `stop` is set."""
        ...


class SystemClock:
    """The machine's clock."""

    is_set = False

    def now(self) -> datetime:
        return datetime.now(UTC)

    def wait_until(self, moment: datetime, stop: threading.Event) -> None:
        stop.wait(max(0.0, (moment - self.now()).total_seconds()))


class ManualClock:
    """A clock that stands until it is set: for tests, and for living through history."""

    is_set = True

    def __init__(self, moment: datetime) -> None:
        self.set(moment)

    def now(self) -> datetime:
        return self._moment

    def wait_until(self, moment: datetime, stop: threading.Event) -> None:
        """Nobody else sets it meanwhile, so it goes there by itself; never back."""
        del stop
        self.set(max(moment, self._moment))

    def set(self, moment: datetime) -> None:
        """Raises ValueError for a moment without a time zone."""
        if moment.tzinfo is None:
            raise ValueError(f"{moment} has no time zone")
        self._moment = moment.astimezone(UTC)
