"""Reading ahead: the next batch is fetched and decoded while the database works on this one."""

import threading
from collections.abc import Collection
from concurrent.futures import Future, ThreadPoolExecutor

from adapters.readers.runner import Source
from aggregates.event import Recorded


class ReadAhead:
    """A source that keeps the last batch for whoever reads it too, and has the one after it ready."""

    def __init__(self, source: Source, names: Collection[str] | None = None) -> None:
        """Events of other than these names may come closed."""
        self._source = source
        self._names = names
        self._reading = threading.Lock()
        self._helper: ThreadPoolExecutor | None = None
        self._after, self._limit, self._batch = 0, 0, list[Recorded]()
        self._next: tuple[int, int, Future[list[Recorded]]] | None = None

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
            self._batch, self._next = [], None
            helper, self._helper = self._helper, None
        if helper is not None:
            helper.shutdown(cancel_futures=True)

    def _take(self, after: int, limit: int) -> list[Recorded]:
        ready, self._next = self._next, None
        if ready is not None and ready[:2] == (after, limit) and (batch := ready[2].result()):
            return batch
        return self._source.read(after, limit, self._names)

    def _ask(self, after: int, limit: int) -> None:
        """Only after a full batch: there is most likely more, and a small one is read quickly anyway."""
        if len(self._batch) < limit or limit < 1_000:
            return
        if self._helper is None:
            self._helper = ThreadPoolExecutor(1, thread_name_prefix="read-ahead")
        self._next = (after, limit, self._helper.submit(self._source.read, after, limit, self._names))
