"""A reader's batches, wherever they come from: each in one transaction with its checkpoint, poison put aside."""

from collections.abc import Callable, Collection, Sequence
from typing import Any, Generic
from uuid import UUID

from psycopg import Connection

from adapters.postgres.transactions import working_in
from adapters.readers.poison import (
    AT_ONCE,
    AnyItem,
    Handler,
    Sieve,
    is_poison,
    park_behind,
    parked_sequences,
    sequence_of,
)


class ReaderRetired(Exception):
    """The reader's checkpoint is gone: another generation took over."""


class Handling(Generic[AnyItem]):
    """What is parked is left out; when a batch fails, what fails in it is found and parked, and the rest is stored.

    `begin` runs first in each transaction (it locks the checkpoint and raises where somebody else moved it), `save`
    last (it moves the checkpoint).
    """

    def __init__(self, name: str, handler: Handler[AnyItem], parked: Collection[UUID] = ()) -> None:
        self.name = name
        self._handler = handler
        self._parked = set(parked)
        self._worked = 0
        self._failed_at: dict[UUID, int] = {}
        """Sequences that were parked here, and how many events had been worked on by then."""

    def work(
        self,
        batch: Sequence[AnyItem],
        connection: Connection[Any],
        *,
        begin: Callable[[], None],
        save: Callable[[], None],
    ) -> None:
        """Raises ReaderRetired, ReaderBroken, and whatever is no event's fault; nothing was stored then."""
        with working_in(connection):
            self._work(batch, connection, begin, save)
        self._worked += len(batch)

    def _work(
        self,
        batch: Sequence[AnyItem],
        connection: Connection[Any],
        begin: Callable[[], None],
        save: Callable[[], None],
    ) -> None:
        try:
            with connection.transaction():
                if not batch:  # nothing that the reader wants: its checkpoint moves, and that is all
                    begin()
                    save()
                    return
                self._begin(connection, begin)
                healthy = self._without_parked(batch, connection)
                if healthy:
                    self._handler.handle(healthy, connection)
                save()
        except ReaderRetired:
            raise
        except Exception as error:
            self._handler.forget()
            if not is_poison(error):
                raise
            self._sift(batch, connection, begin, save)

    def _sift(
        self,
        batch: Sequence[AnyItem],
        connection: Connection[Any],
        begin: Callable[[], None],
        save: Callable[[], None],
    ) -> None:
        """The batch once more, with what fails put aside."""
        try:
            with connection.transaction():
                self._begin(connection, begin)
                sieve = Sieve(self.name, self._handler, connection, self._parked, failed=self._failed_just_now())
                sieve.handle(batch)
                save()
        finally:
            self._handler.forget()
        self._failed_at |= dict.fromkeys(sieve.parked - self._parked, self._worked)
        self._parked = sieve.parked

    def _failed_just_now(self) -> int:
        """How many sequences failed within the last events and are parked still."""
        since = self._worked - AT_ONCE
        self._failed_at = {each: at for each, at in self._failed_at.items() if at > since and each in self._parked}
        return len(self._failed_at)

    def _begin(self, connection: Connection[Any], begin: Callable[[], None]) -> None:
        begin()
        parked = parked_sequences(connection, self.name)
        if parked != self._parked:
            self._handler.forget()
            self._parked = parked

    def _without_parked(self, batch: Sequence[AnyItem], connection: Connection[Any]) -> Sequence[AnyItem]:
        if not self._parked:
            return batch
        park_behind(connection, self.name, [each for each in batch if sequence_of(each) in self._parked])
        return [each for each in batch if sequence_of(each) not in self._parked]
