"""Ending when told to: at once where nothing is at hand, and between two batches of what goes on for long."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

import typer

from adapters.stop import Stop, Stopped

_ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Told(KeyboardInterrupt):
    """The process was told to end by a signal. (As a KeyboardInterrupt it cancels the statement under way.)"""

    def __init__(self, number: int, *, goes_on: bool = False) -> None:
        """`goes_on`: the command was ended between two batches, and another run does the rest."""
        name = signal.Signals(number).name
        self.number = number
        self.message = f"ended by {name}; what was stored by then stays" if goes_on else f"ended by {name}"
        self.hint = "The same command again goes on from there." if goes_on else ""
        super().__init__(self.message)

    @property
    def code(self) -> int:
        """The exit code, as a shell gives it: 130 for Ctrl-C, 143 for SIGTERM."""
        return 128 + self.number


def end_when_told() -> None:
    """From here on signals that end a process raise Told in the main thread: what is open is closed."""
    for each in _ENDING:
        if signal.getsignal(each) in {signal.SIG_DFL, signal.default_int_handler}:
            signal.signal(each, _raise)


def _raise(number: int, _: FrameType | None) -> NoReturn:
    raise Told(number)


@contextmanager
def until_told(stop: Stop | None = None) -> Iterator[Stop]:
    """An event that the first signal sets, for whatever looks at it between its batches; the second raises Told.

    Stopped, where it comes of that, becomes Told. For the main thread; elsewhere signals are none of our business.
    """
    stop = stop or Stop()
    told: list[int] = []

    def handle(number: int, _: FrameType | None) -> None:
        told.append(number)
        if len(told) > 1:
            raise Told(number)
        stop.set()

    in_charge = threading.current_thread() is threading.main_thread()
    before = {each: signal.signal(each, handle) for each in _ENDING} if in_charge else {}
    try:
        yield stop
    except Stopped:
        if not told:
            raise
        raise Told(told[0], goes_on=True) from None
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


@contextmanager
def ended_as_told(because: Callable[[], Exception | None] = lambda: None) -> Iterator[None]:
    """For services: to be told to end is how they end, and nothing needs to be said about it.

    Raises what `because` gives, where a service told itself to end.
    """
    try:
        yield
    except Told as told:
        if (error := because()) is not None:
            raise error from None
        raise typer.Exit(told.code) from None
