"""Reading ahead: the next batches are fetched and decoded while the database works on this one."""

import threading
from collections import deque
from collections.abc import Collection
from concurrent.futures import Future, ThreadPoolExecutor

from adapters.readers.runner import Source
from aggregates.kernel.event import Recorded

_SMALL = 1_000
_DEPTH = 2
"""While one batch is worked on, the next is often ready before the database is: the helper goes on with one more."""


class ReadAhead:
    """A source that keeps the last batch for whoever reads it too, and has the ones after it ready."""

    def __init__(self, source: Source, names: Collection[str] | None = None) -> None:
        """Events of other than these names may come closed."""
        self._source = source
        self._names = names
        self._reading = threading.Lock()
        self._helper: ThreadPoolExecutor | None = None
        self._after, self._limit, self._batch = 0, 0, list[Recorded]()
        self._next: deque[tuple[int, int, Future[list[Recorded]]]] = deque()

    def read(self, after: int, limit: int = 1_000, names: Collection[str] | None = None) -> list[Recorded]:
        del names  # those who share the batches said before what they want
        with self._reading:
            if not self._batch or (after, limit) != (self._after, self._limit):
                self._batch = self._take(after, limit)
                self._after, self._limit = after, limit
                self._ask(after + len(self._batch), limit)
            return self._batch

    def wait(self, after: int, timeout: float = 1.0) -> bool:
        return self._source.wait(after, timeout)

    def head(self) -> int:
        return self._source.head()

    def forget(self) -> None:
        """Lets go of the batches and the helping thread."""
        with self._reading:
            self._batch = []
            self._next.clear()
            helper, self._helper = self._helper, None
        if helper is not None:
            helper.shutdown(cancel_futures=True)

    def _take(self, after: int, limit: int) -> list[Recorded]:
        if self._next and self._next[0][:2] == (after, limit):
            _, _, ready = self._next.popleft()
            if batch := ready.result():
                return batch
        while self._next:  # these begin where nobody goes on
            self._next.pop()[2].cancel()
        return self._source.read(after, limit, self._names)

    def _ask(self, after: int, limit: int) -> None:
        """Only after a full batch: there is most likely more, and a small one is read quickly anyway."""
        if len(self._batch) < limit or limit < _SMALL:
            return
        if self._helper is None:
            self._helper = ThreadPoolExecutor(1, thread_name_prefix="read-ahead")
        while len(self._next) < _DEPTH:
            begin = after + len(self._next) * limit
            self._next.append((begin, limit, self._helper.submit(self._source.read, begin, limit, self._names)))
