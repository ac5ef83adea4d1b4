"""A carrier's lines, and letters that are handed over on them beside each other."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from uuid import UUID

from adapters.delivery import queue
from adapters.delivery.carrier import Carrier, CarrierUnavailable
from adapters.delivery.queue import Delivery, Done
from adapters.delivery.rendering import Letter
from adapters.postgres.kept_connection import KeptConnection


class Line:
    """A carrier's line, and the connection to the queue on which it is noted what is handed over there."""

    def __init__(self, carrier: Carrier, connection: KeptConnection) -> None:
        self.carrier = carrier
        self.connection = connection
        self.before: Done | None = None
        """What was taken last, of which the queue does not know yet."""
        self.away: CarrierUnavailable | None = None
        self.is_used = False

    def begin(self) -> None:
        """A batch is about to be sent."""
        self.before, self.away, self.is_used = None, None, False

    def note_taken(self, owner: UUID) -> None:
        """Notes what was taken last, where nothing was begun after it that would have."""
        if self.before is not None:
            queue.note_taken(self.connection.get(), owner, self.before)
            self.before = None


class HandingOver:
    """Letters that lines take from each other's hands, as long as the last look is not long ago."""

    def __init__(
        self,
        letters: Iterable[tuple[Delivery, Letter]],
        lines: Sequence[Line],
        pool: ThreadPoolExecutor,
        hand_over: Callable[[Line, Delivery, Letter], None],
        *,
        until: float,
        stop: threading.Event,
    ) -> None:
        self._waiting = deque(letters)
        self.messages = frozenset(delivery.message_id for delivery, _ in self._waiting)
        self._hand_over = hand_over
        self._until = until
        self._stop = stop
        self._working = [pool.submit(self._work, line) for line in lines[: len(self._waiting)]]

    def _work(self, line: Line) -> None:
        line.is_used = True
        while line.away is None and time.monotonic() < self._until and not self._stop.is_set():
            try:
                delivery, letter = self._waiting.popleft()
            except IndexError:
                return
            self._hand_over(line, delivery, letter)

    def ended(self) -> list[Delivery]:
        """Waits for the lines, and returns what they left. Raises what one of them raised."""
        wait(self._working)
        for each in self._working:
            each.result()
        return [delivery for delivery, _ in self._waiting]
