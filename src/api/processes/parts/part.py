"""What a part is: what it does, what it needs, and how it is made for a thread or for a process of its own."""

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from enum import Enum, StrEnum
from typing import TYPE_CHECKING, ClassVar, Protocol

if TYPE_CHECKING:
    from api.processes.core import Core

Run = Callable[[threading.Event], None]
"""Works until the event is set, and has finished what it had in hand when it returns."""


class HowMany(StrEnum):
    """How many processes of a part there may be in a cluster."""

    ANY = "any number of processes may run"
    ONE_WORKS = "one process works, others stand by"
    SHARE = "processes share the partitions"


class Need(Enum):
    """What a process of its own needs, beside the database."""

    KEY = "the master key"
    TABLES = "read tables that are built"
    KAFKA = "Kafka, and its topics"


class Helper(StrEnum):
    """A process beside that of `arrears serve`, for some of the parts: what they compute keeps no answer waiting."""

    DECIDING = "deciding"
    """What decides and sends: it shares the accounts that it has at hand."""
    PROJECTING = "projecting"
    """What keeps the read tables: it shares the events that it has read."""


class Steps(Protocol):
    """A reader of the store: run in a thread, or driven step by step."""

    def run(self, stop: threading.Event) -> None: ...

    def catch_up(self, to: int | None = None) -> int:
        """Does what there is to do up to a position of the log, or waits for the process that does it."""
        ...

    def stands_at(self) -> int:
        """Up to which position it is done, whoever did it."""
        ...


class Part:
    """A part of Arrears. `name` is its command, and its role in health, metrics, traces, containers and manifests."""

    name: ClassVar[str]
    does: ClassVar[str]
    """In a sentence: the command's help and the table of `docs/cluster.md`."""
    how_many: ClassVar[HowMany]
    needs: ClassVar[frozenset[Need]]
    has_loop: ClassVar[bool] = True
    """Whether it is stuck when nothing looks at its stop event for long."""
    helper: ClassVar[Helper | None] = None
    """Where `arrears serve` runs it; None: in its own process, which answers people."""
    shows_installation: ClassVar[bool] = False
    """Whether its process shows the figures of the whole installation, which come from the database."""

    @property
    def help(self) -> str:
        """What it does and how many there may be, as the command line says it."""
        return f"{self.does}. {self.how_many.capitalize()}."

    def is_wanted(self, env: Mapping[str, str]) -> bool:
        """Whether it has something to do where processes are set up so."""
        del env
        return True

    def readers(self, env: Mapping[str, str]) -> Sequence[str]:
        """The readers of the log that its process works for: while one stands still, the process is not ready."""
        del env
        return ()

    def in_thread(self, core: "Core", stop: threading.Event) -> Run | None:
        """Made for a thread beside the other parts, reading from the store; None where there is nothing to run.

        What it opens is closed with `core`.
        """
        del core, stop
        return None


class Worker(Part, ABC):
    """A part that is a loop, and a process of its own in a cluster."""

    at_work: ClassVar[str]
    """What its process says that it is doing."""

    @abstractmethod
    def alone(self, core: "Core", stop: threading.Event) -> Run:
        """Made for a process of its own. What it opens is closed with `core`.

        Where it reads or writes topics it raises KafkaUnavailable, and TopicUnfit where one is missing.
        """


class Reading(Worker):
    """A part that reads the log: from the store in one process, from its topics in a cluster."""

    @abstractmethod
    def from_store(self, core: "Core", stop: threading.Event) -> Steps:
        """The reader of the store. What it opens is closed with `core`."""

    def in_thread(self, core: "Core", stop: threading.Event) -> Run:
        return self.from_store(core, stop).run
