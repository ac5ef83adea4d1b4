"""What every process of Arrears has, whatever it does: the database, the log, and its projections."""

import gc
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from functools import cached_property, partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from adapters.billing.earlier import forget_person
from adapters.clock import Clock, SystemClock
from adapters.clock_check import tolerance_of
from adapters.eventstore.application import Arrears
from adapters.eventstore.feed import Feed
from adapters.eventstore.keys import master_key_of
from adapters.eventstore.seals import Checkpoint, read_anchor
from adapters.eventstore.trial import Trial
from adapters.eventstore.verify import check_not_behind
from adapters.postgres.database import Database, open_database
from adapters.postgres.migrations import migrate, pending, require_current, shipped
from adapters.readers.projections import Projections, checkpoints
from adapters.rules import RULES
from adapters.stop import Stop
from api.processes.restarts import Restarts
from projections.account_history.projection import AccountHistoryProjection
from projections.activity_history.projection import ActivityHistoryProjection
from projections.agenda.projection import AgendaProjection
from projections.audit_trail.projection import AuditTrailProjection
from projections.bulk_actions.projection import BulkActionsProjection
from projections.collections_report.projection import CollectionsReportProjection
from projections.fees.projection import FeesProjection
from projections.inbound.projection import InboundProjection
from projections.ledger.projection import LedgerProjection
from projections.messages.projection import MessagesProjection
from projections.people.projection import PeopleProjection
from projections.placements.projection import PlacementsProjection
from projections.promises.projection import PromisesProjection
from projections.worklist.projection import WorklistProjection

if TYPE_CHECKING:
    from adapters.attachments.store import AttachmentStore
    from adapters.delivery.renderer import Renderer

PROJECTIONS = (
    CollectionsReportProjection,
    AgendaProjection,
    LedgerProjection,
    AccountHistoryProjection,
    ActivityHistoryProjection,
    AuditTrailProjection,
    PromisesProjection,
    MessagesProjection,
    InboundProjection,
    PeopleProjection,
    BulkActionsProjection,
    WorklistProjection,
    FeesProjection,
    PlacementsProjection,
)

ANCHOR = "last-seal.json"
"""The file of a data folder that remembers the log's last seal."""

CACHE_SIZE = 20_000
"""Weight of the aggregates at hand: some ten thousand accounts with an open item each."""

_COLLECT_AFTER = (100_000, 50, 100)
"""Thousands of cached aggregates make a full garbage collection long; with the usual thresholds half of all time
goes into looking through them again and again."""


class Opened:
    """An open database and what is closed before it. A context manager."""

    def __init__(self, database: Database, *, data_dir: Path | None, env: Mapping[str, str]) -> None:
        """Takes over the database. `data_dir` is the folder that it is in, None for a server's."""
        self.database = database
        self.data_dir = data_dir
        self.env = env
        self.stop = Stop()
        """Set once it is to end; whatever is made for it looks at this."""
        self.closing = ExitStack()
        self.closing.callback(database.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Lets everything go, the database last."""
        self.closing.close()


class Core(Opened):
    """The write path and the read tables of a database: what parts are made from."""

    def __init__(
        self,
        database: Database,
        *,
        data_dir: Path | None,
        env: Mapping[str, str],
        clock: Clock | None = None,
        cache_size: int = CACHE_SIZE,
        may_make_key: bool = False,
    ) -> None:
        """Takes over the database; use `open`. Raises SchemaNotCurrent, LogBehind, MasterKeyError.

        `may_make_key`: where the log has nothing yet, a master key is made in the data folder.
        """
        super().__init__(database, data_dir=data_dir, env=env)
        if gc.get_freeze_count() == 0:  # all that is imported, and stays
            gc.freeze()
        gc.set_threshold(*_COLLECT_AFTER)
        self.clock: Clock = clock or SystemClock()
        self.clock_tolerance = tolerance_of(env)
        self.restarts = Restarts()
        self._wakes: list[Callable[[], None]] = []
        with database.connect("arrears_app") as connection:
            require_current(connection)
            check_not_behind(connection, [*checkpoints(connection), *anchored(self.anchor)])
            key = master_key_of(connection, env, data_dir=data_dir, may_make=may_make_key)
        self._master_key, self._cache_size = key, cache_size
        self.arrears = Arrears(
            database,
            master_key=key,
            clock=self.clock,
            rules=RULES,
            cache_size=cache_size,
            on_stored=self.stored,
        )
        self.closing.callback(self.arrears.close)
        self.arrears.keys.check_master()
        self.feed: Feed = self.arrears.feed
        self.projections = Projections(database, self.feed, PROJECTIONS, stop=self.stop)
        self.closing.callback(self.projections.close)
        self.arrears.keys.also_erase(self.projections.erase)
        self.arrears.keys.also_erase(partial(forget_person, self.arrears))

    @classmethod
    def open(
        cls,
        data_dir: Path | None,
        *,
        env: Mapping[str, str] = os.environ,
        clock: Clock | None = None,
        reading: bool = False,
        cache_size: int = CACHE_SIZE,
    ) -> Self:
        """Opens the data folder, or the server that ARREARS_DATABASE_URL names. `cache_size`: see `Arrears`.

        `reading` joins a folder that another process serves. A new folder is migrated at once; everything else only
        by `arrears migrate`. Raises DatabaseProblem, MasterKeyError, LogBehind.
        """
        database = open_database(data_dir, env, reading=reading)
        try:
            if database.is_embedded and len(pending(database)) == len(shipped()):
                migrate(database)
            core = cls(
                database,
                data_dir=data_dir if database.is_embedded else None,
                env=env,
                clock=clock,
                cache_size=cache_size,
                may_make_key=not reading,
            )
        except BaseException:
            database.close()
            raise
        return core

    @property
    def anchor(self) -> Path | None:
        """Where the last seal is remembered outside the database; only beside a data folder."""
        return self.data_dir / ANCHOR if self.data_dir else None

    @cached_property
    def renderer(self) -> "Renderer":
        """What fills in templates; most processes and commands never do."""
        from adapters.delivery.renderer import Renderer

        renderer = Renderer()
        self.closing.callback(renderer.close)
        return renderer

    @cached_property
    def attachments(self) -> "AttachmentStore":
        """The files of accounts. Raises AttachmentsMisconfigured."""
        from adapters.attachments.setup import store_of

        return store_of(self.env, self.data_dir, self.arrears.keys)

    @contextmanager
    def trial(self) -> Iterator[Trial]:
        """The same write path, of which nothing is stored."""
        with closing(
            Trial(
                self.database,
                master_key=self._master_key,
                clock=self.clock,
                rules=RULES,
                cache_size=self._cache_size,
            )
        ) as trial:
            yield trial

    def when_stored(self, wake: Callable[[], None]) -> None:
        """Calls `wake` after each append of this process and its helpers. (The sealer of another one sees it by
        itself.)"""
        self._wakes.append(wake)

    def stored(self) -> None:
        """Something was appended, here or by a helper."""
        for wake in self._wakes:
            wake()


def anchored(anchor: Path | None) -> list[Checkpoint]:
    """The seal that is remembered outside, if there is one."""
    found = read_anchor(anchor) if anchor is not None else None
    return [] if found is None else [found]
