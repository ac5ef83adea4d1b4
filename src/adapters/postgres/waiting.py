"""Statements for somebody who may leave before they are answered: then they are cancelled."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any

import psycopg
from psycopg.errors import QueryCanceled

_CANCEL_SECONDS = 2.0


class NobodyWaits(Exception):
    """Whoever asked has left; nobody is there to be answered."""


class Waiter:
    """Somebody who waits for an answer, in whatever thread it is worked out."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._connections: set[psycopg.Connection[Any]] = set()
        self.has_left = False

    def leave(self) -> None:
        """Cancels the statements that run for it, and lets no other begin. Waits for the server, for two seconds at
        most."""
        with self._lock:  # held until the server has it: the connection is not used for anything else meanwhile
            self.has_left = True
            for connection in self._connections:
                with suppress(psycopg.Error):  # the server is away: then nothing runs there either
                    connection.cancel_safe(timeout=_CANCEL_SECONDS)

    @contextmanager
    def uses(self, connection: psycopg.Connection[Any]) -> Iterator[None]:
        """While it is entered the connection works for this one alone. Raises NobodyWaits."""
        with self._lock:
            if self.has_left:
                raise NobodyWaits
            self._connections.add(connection)
        try:
            yield
        except QueryCanceled:
            if self.has_left:
                raise NobodyWaits from None
            raise
        finally:
            with self._lock:
                self._connections.discard(connection)


_waiter: ContextVar[Waiter | None] = ContextVar("waiter", default=None)
"""For whom this context works; None: for somebody who stays."""


@contextmanager
def working_for(waiter: Waiter) -> Iterator[None]:
    """What is done in this context, and in threads that are given it, is for this one."""
    token = _waiter.set(waiter)
    try:
        yield
    finally:
        _waiter.reset(token)


@contextmanager
def for_whoever_waits(connection: psycopg.Connection[Any]) -> Iterator[None]:
    """While it is entered the connection's statements end when whoever waits leaves. Raises NobodyWaits."""
    waiter = _waiter.get()
    if waiter is None:
        yield
        return
    with waiter.uses(connection):
        yield
