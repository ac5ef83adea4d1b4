"""Group commit: calls that arrive while a batch is under way become the next batch."""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Item = TypeVar("Item")
Answer = TypeVar("Answer")


@dataclass(eq=False, slots=True)
class _Call(Generic[Item, Answer]):
    items: Sequence[Item]
    answers: Sequence[Answer] | None = None
    error: BaseException | None = None
    done: threading.Event = field(default_factory=threading.Event)

    def answer(self, answers: Sequence[Answer]) -> None:
        self.answers = answers
        self.done.set()

    def fail(self, error: BaseException) -> None:
        self.error = error
        self.done.set()


class GroupCommit(Generic[Item, Answer]):
    """Runs `work` on one batch at a time; whoever finds nobody working works for all who wait.

    `work` gives one answer for each item, in order. What it raises is raised to every caller of that batch.
    """

    def __init__(self, work: Callable[[Sequence[Item]], Sequence[Answer]], *, size: int) -> None:
        self._work = work
        self._size = size
        self._waiting: deque[_Call[Item, Answer]] = deque()
        self._lock = threading.Lock()
        self._working = False

    def run(self, items: Sequence[Item]) -> list[Answer]:
        answers: list[Answer] = []
        for start in range(0, len(items), self._size):
            answers += self._run_chunk(items[start : start + self._size])
        return answers

    def _run_chunk(self, items: Sequence[Item]) -> Sequence[Answer]:
        call: _Call[Item, Answer] = _Call(items)
        with self._lock:
            self._waiting.append(call)
            leads = not self._working
            self._working = True
        if not leads:
            leads = self._wait(call)
        if leads:
            self._lead()
        if call.error is not None:
            raise call.error
        return call.answers or ()

    def _wait(self, call: _Call[Item, Answer]) -> bool:
        """Until answered, or chosen to lead the next batch (then True)."""
        try:
            call.done.wait()
        except BaseException:  # the caller was interrupted: its turn, if it has come, goes to the next
            with self._lock:
                if call in self._waiting:
                    chosen = call.done.is_set()
                    self._waiting.remove(call)
                    if chosen:
                        self._hand_over()
            raise
        return call.answers is None and call.error is None

    def _hand_over(self) -> None:
        """To the first who waits; the caller holds the lock."""
        if self._waiting:
            self._waiting[0].done.set()
        else:
            self._working = False

    def _lead(self) -> None:
        """Works off one batch, which holds the leader's own call, and hands over to the first who waits."""
        with self._lock:
            calls = [self._waiting.popleft()]
            count = len(calls[0].items)
            while self._waiting and count + len(self._waiting[0].items) <= self._size:
                calls.append(self._waiting.popleft())
                count += len(calls[-1].items)
        try:
            answers = self._work([item for call in calls for item in call.items])
            start = 0
            for call in calls:
                call.answer(answers[start : start + len(call.items)])
                start += len(call.items)
        except BaseException as error:
            for call in calls:
                call.fail(error)
        finally:
            with self._lock:
                self._hand_over()
