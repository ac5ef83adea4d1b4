"""The shape of a read model: batches of recorded events in, rows in Postgres out."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

from psycopg import Connection

from aggregates.kernel.event import Recorded


class Projection(ABC):
    """A reader of the log that keeps tables.

    Every generation of a projection lives in a database schema of its own, which is the first on the search
    path whenever `create`, `handle` and `complete` run: its SQL names plain tables. The tables in `public` are
    seen by everyone else as views `read_model.<table>` on the live generation (`personal.<table>` where they hold
    personal data).

    `handle` runs inside the transaction that stores the checkpoint. It may be given events that it has seen
    before: every row remembers the last position that touched it, so that a repeat changes nothing. What an
    instance keeps between batches is only ever a cache: `forget` may drop it at any time.
    """

    name: ClassVar[str]
    version: ClassVar[int]
    """Raised when the tables or their meaning change; the next start builds a new generation beside the live one."""
    public: ClassVar[tuple[str, ...]]
    is_personal: ClassVar[bool] = False
    """Whether its tables hold personal data: see `PersonalProjection`."""

    @property
    def interest(self) -> frozenset[str] | None:
        """Names of the events that mean something to it, so that others need not be opened; None: all."""
        return None

    @abstractmethod
    def create(self, connection: Connection[Any]) -> None:
        """Creates the tables of a new generation."""

    @abstractmethod
    def handle(self, batch: Sequence[Recorded], connection: Connection[Any]) -> None:
        """Writes what a batch of events, in order of position, means for the tables; a few statements a batch."""

    def complete(self, connection: Connection[Any]) -> None:  # noqa: B027 - nothing to do for most
        """Makes what a rebuild is quicker without, such as indexes for readers; once, before the tables are seen."""

    def forget(self) -> None:  # noqa: B027 - nothing to do for most
        """Drops whatever the instance remembers of the tables: a batch was rolled back, or somebody else wrote."""
