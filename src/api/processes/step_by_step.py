"""Arrears driven step by step: nothing runs by itself, and every effect is there when a call returns."""

import time
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path

from adapters.billing.absent import NOTHING_SAID, CompleteOptions
from adapters.billing.importer import Done, ImportReport, OfficeDefaults, run_import
from adapters.billing.profile import load_profile
from adapters.billing.readers import Progress
from adapters.billing.source import ImportSource
from adapters.clock import Clock, ManualClock
from adapters.delivery.carrier import Carrier
from adapters.delivery.queue import is_any_due
from adapters.delivery.sender import Sender
from adapters.eventstore.connections import Connections
from adapters.placement.sender import Sent
from adapters.postgres.database import Database
from adapters.readers.runner import LIVE_BATCH, NotReached, Runner
from adapters.stop import check, pause
from adapters.ticker import TickReport
from adapters.work.worker import Turn
from api.processes import parts
from api.processes.core import CACHE_SIZE
from api.processes.parts.clock import ticker_of
from api.processes.parts.part import Reading, Steps
from api.processes.service import Service

_PATIENCE_SECONDS = 600.0
_LOOK = timedelta(seconds=0.1)
_SEALED_SOON = 0.01
_MUCH = 2_000
"""Events after which the database's view of its tables may be out of date."""

_BURST = timedelta(seconds=10)
"""Whoever sets the clock lets the messages of so long leave at a time, instead of setting it for each of them."""


class StepByStep(Service):
    """A service for one who works alone, or beside others: what others do already is waited for, the rest is done here.

    For commands, imports, tests, and for living through history on a clock that is set.
    """

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
        super().__init__(
            database, data_dir=data_dir, env=env, clock=clock, cache_size=cache_size, may_make_key=may_make_key
        )
        self._drained = -1
        self._since_analyzed = 0
        """Events that were read since the database looked at its tables, as far as is known here."""
        self.sealer = parts.SEAL.sealer(self)
        self._readers: dict[str, Steps] = {
            part.name: part.from_store(self, self.stop) for part in parts.PARTS if isinstance(part, Reading)
        }
        self._senders = self._deliveries()
        self.ticker = ticker_of(self)
        self._worker = parts.REACT.worker(self)
        self._sender = parts.DELIVER.sender(self)
        self._looks = Connections(lambda: database.connect("arrears_app", autocommit=True))
        self.closing.callback(self._looks.close)

    def close(self) -> None:
        """Lets everything go, the database last."""
        self.stop.set()
        super().close()

    def deliver_through(self, carrier: Carrier) -> None:
        """Sends messages through another carrier than the local outbox from now on."""
        for each in self._senders:
            each.close()
        self._senders = self._deliveries(carrier)

    def _deliveries(self, carrier: Carrier | None = None) -> list[Sender]:
        return parts.DELIVER.senders(self, carrier, burst=_BURST if self.clock.is_set else None)

    @property
    def runners(self) -> tuple[Runner, ...]:
        """The readers that do something, rather than show something: policies and delivery."""
        return tuple(each for each in self._readers.values() if isinstance(each, Runner))

    # --- steps ---

    def drain(self) -> None:
        """Seals, projects, reacts, delivers and does work over many accounts until nothing is left to do now.

        Raises NotReached where open work may not go on for ten minutes, and Stopped.
        """
        last_chunk = time.monotonic()
        while True:
            self._catch_up()
            check(self.stop)
            if self._deliver():
                continue
            turn = self._worker.turn()
            if turn is Turn.IDLE:
                if self._sender.turn() is Sent.SOME:
                    continue
                return
            if turn is Turn.CHUNK:
                last_chunk = time.monotonic()
            elif time.monotonic() - last_chunk > _PATIENCE_SECONDS:
                raise NotReached("open work does not go on: arrears work list")
            else:
                pause(self.stop, turn.value)

    def _catch_up(self) -> None:
        """Everything but work over many accounts."""
        while True:
            while self.sealer.seal_once():
                check(self.stop)
            if not self.sealer.is_active and self.has_unsealed():  # another process is about to seal it
                pause(self.stop, _SEALED_SOON)
                continue
            head = self.feed.head()
            if head == self._drained:
                return
            at = self._drained if self._drained >= 0 else self._all_stand_at(head)
            while at < head:  # one batch after the other for all of them: it is decoded once
                batch = self.feed.read(at, LIVE_BATCH)
                at = min(at + len(batch), head)
                for reader in self._readers.values():
                    reader.catch_up(at)
                self._since_analyzed += len(batch)
            self._drained = head
            self._analyze(head)

    def _analyze(self, head: int) -> None:
        """Lets the database look at what tables hold once that is much more than it saw. It does so by itself, but not
        within a command that takes less than a minute, and questions about many accounts are planned by it."""
        if self._since_analyzed < max(_MUCH, head // 5):
            return
        with self.database.connect(autocommit=True) as connection:
            connection.execute("ANALYZE")
        self._since_analyzed = 0

    def _all_stand_at(self, head: int) -> int:
        """Where the last of the readers stands; short of the head, so that each begins, and looks at what it has."""
        return min(max(head - 1, 0), *(reader.stands_at() for reader in self._readers.values()))

    def _deliver(self) -> bool:
        """Delivers what is due, and waits for what others deliver. Whether there was something; what its carrier did
        not take is due later, and left to whoever comes then. Raises CarrierUnavailable."""
        if not self._is_to_deliver():
            return self._wait_for_deliveries()
        next_turns = []
        for each in self._senders:
            turned = each.turn(self.stop)
            if turned.count:
                return True
            if turned.next_turn_at is not None:
                next_turns.append(turned.next_turn_at)
        if not next_turns:
            return self._wait_for_deliveries()  # they are in somebody's hands, if there are any
        moment = min(next_turns) + (_BURST if self.clock.is_set else timedelta())
        while (now := self.clock.now()) < moment:
            self.clock.wait_until(min(moment, now + _LOOK) if not self.clock.is_set else moment, self.stop)
            check(self.stop)
        return True

    def _is_to_deliver(self) -> bool:
        """Whether nobody else does: another one's carriers need not be those of this process."""
        intake = self._readers[parts.DELIVER.name]
        intake.catch_up(self._drained)
        return isinstance(intake, Runner) and intake.is_active

    def _wait_for_deliveries(self) -> bool:
        with self._looks.use() as connection:
            if not is_any_due(connection, self.clock.now()):
                return False
        pause(self.stop, _LOOK.total_seconds())
        return True

    def tick(self, now: datetime | None = None) -> TickReport:
        """Lets one tick happen and everything it leads to. `now` None is the clock's. Raises ClockDiffers, Stopped."""
        self.prepare()
        if now is not None and isinstance(self.clock, ManualClock):
            self.clock.set(now)
        self.drain()
        report = self.ticker.tick(now or self.clock.now())
        self.drain()
        return report

    def wait_until_shown(self, timeout: float = 5.0) -> None:
        del timeout
        self.drain()

    # --- billing files ---

    def import_file(
        self,
        path: Path,
        profile: str,
        *,
        defaults: OfficeDefaults,
        strict: bool = False,
        source: str | None = None,
        complete: CompleteOptions = NOTHING_SAID,
        reading: Progress | None = None,
        trying: Done | None = None,
        done: Done | None = None,
    ) -> ImportReport:
        """Brings a billing file in and judges the accounts for today; `strict`: all of it, or nothing.
        `source`: what the file is known as, if not as its profile says.

        Raises ProfileError, FileProblem, ImportRefused, and Stopped between chunks, which stay.
        """
        file = ImportSource(path, load_profile(profile), source)
        self.prepare()
        with ExitStack() as closing:
            connection = closing.enter_context(self.database.connect("arrears_app"))
            report = run_import(
                self.arrears,
                connection,
                file,
                defaults=defaults,
                besides=complete.of(file, defaults, self.stop),
                trial=closing.enter_context(self.trial()) if strict else None,
                reading=reading,
                trying=trying,
                done=done,
                stop=self.stop,
            )
        self.tick()
        return report
