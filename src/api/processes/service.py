"""The one place where everything is wired: database, event store, readers, policies, ticks and delivery.

A `Service` is Arrears in one process. The doors (HTTP, CLI) are handed one.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path

import structlog

from adapters.billing.importer import Done, ImportReport, OfficeDefaults, dry_run, run_import, stage
from adapters.billing.profile import load_profile
from adapters.billing.readers import Progress
from adapters.billing.source import ImportSource
from adapters.clock import Clock, ManualClock
from adapters.delivery.carrier import Carrier
from adapters.delivery.deliverer import AT_ONCE, Deliverer
from adapters.delivery.outbox import Outbox
from adapters.eventstore.sealer import Sealer
from adapters.eventstore.verify import Finding, verify
from adapters.postgres.database import Database
from adapters.reactor import Reactor
from adapters.readers.projections import Progress as BuildProgress
from adapters.readers.projections import Status, checkpoints, silent
from adapters.readers.runner import LIVE_BATCH, NotReached, Runner
from adapters.ticker import Ticker, TickReport
from adapters.work.worker import Turn, Worker
from api.processes.core import CACHE_SIZE, Core, anchored
from policies.table import POLICIES

_TICK_SECONDS = 2.0
_RESTART_SECONDS = 1.0
_PATIENCE_SECONDS = 600.0

log = structlog.get_logger("arrears.service")


def _silent(done: int, total: int) -> None:
    """No progress is shown."""


class Service(Core):
    """Everything that runs, by name. A context manager; `start` runs it live, `drain` step by step.

    Where others run everything, in processes of their own, it is a door to them: see `be_a_door`.
    """

    def __init__(
        self,
        database: Database,
        *,
        data_dir: Path | None,
        env: Mapping[str, str],
        clock: Clock | None = None,
        cache_size: int = CACHE_SIZE,
    ) -> None:
        super().__init__(database, data_dir=data_dir, env=env, clock=clock, cache_size=cache_size)
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._is_door = False
        self._drained = -1
        self.sealer = Sealer(database, anchor=self.anchor, on_sealed=self.feed.announce)
        self._closing.callback(self.sealer.close)
        self._reactor = Runner(database, self.feed, Reactor(self.arrears, POLICIES))
        self._closing.callback(self._reactor.release)
        outbox = Outbox(outbox_folder(env, data_dir))
        self._deliverer = self._delivery(outbox)
        self._closing.callback(self._stop_delivering)
        self.ticker = Ticker(self.arrears, database)
        self._closing.callback(self.ticker.close)
        self._worker = Worker(database, self.arrears)
        self._closing.callback(self._worker.close)

    def close(self) -> None:
        """Stops what runs, seals what is stored, and lets the database go."""
        self._stop.set()
        for thread in self._threads:
            thread.join()
        self._threads.clear()
        self._closing.close()

    def deliver_through(self, carrier: Carrier) -> None:
        """Sends messages through another carrier than the local outbox; before `start`."""
        self._stop_delivering()
        self._deliverer = self._delivery(carrier)

    def _stop_delivering(self) -> None:
        self._deliverer.release()

    def _delivery(self, carrier: Carrier) -> Runner:
        return Runner(self.database, self.feed, Deliverer(self.arrears, carrier, self._wait_until), at_once=AT_ONCE)

    def _poke(self) -> None:
        self.sealer.poke()

    # --- live ---

    def be_a_door(self) -> None:
        """Nothing runs here: what was written is waited for until others have sealed and projected it."""
        self._is_door = True

    def start(self) -> None:
        """Runs everything in threads of this process until `close`."""
        self.projections.start()
        for name, run in (
            ("sealer", self.sealer.run),
            ("projections", self.projections.run),
            ("policies", self._reactor.run),
            ("delivery", self._deliverer.run),
            ("ticks", self._tick_until),
            ("work", self._worker.run),
        ):
            thread = threading.Thread(target=self._supervise, args=(name, run), name=name, daemon=True)
            thread.start()
            self._threads.append(thread)

    def _supervise(self, name: str, run: Callable[[threading.Event], None]) -> None:
        """Whatever fails is said aloud and begins again; nothing is skipped by it."""
        while not self._stop.is_set():
            try:
                run(self._stop)
            except Exception:
                log.exception("part failed and is started again", part=name)
                self._stop.wait(_RESTART_SECONDS)

    def _tick_until(self, stop: threading.Event) -> None:
        while not stop.is_set():
            try:
                self.projections.wait_for(self.feed.head(), names=["agenda"], timeout=60.0, stop=stop)
            except NotReached:
                if stop.is_set():
                    return
                raise
            self.ticker.tick(self.clock.now())
            stop.wait(_TICK_SECONDS)

    def _wait_until(self, moment: datetime) -> None:
        """Time passes by itself in service; where history is lived through it is set."""
        if isinstance(self.clock, ManualClock):
            self.clock.set(max(moment, self.clock.now()))
        else:
            self._stop.wait((moment - self.clock.now()).total_seconds())

    def settle(self, timeout: float = 5.0) -> None:
        """Returns once the projections show everything stored before this call. Raises NotReached."""
        deadline = time.monotonic() + timeout
        if not self._threads and not self._is_door:
            self.drain()
            return
        self.sealer.poke()
        while self._unsealed():
            if time.monotonic() > deadline:
                raise NotReached("stored events are not sealed yet")
            time.sleep(0.002)
        self.projections.wait_for(self.feed.head(), timeout=max(0.0, deadline - time.monotonic()))

    def _unsealed(self) -> bool:
        with self.database.connect("arrears_app") as connection:
            row = connection.execute("SELECT EXISTS (SELECT FROM arrears.events WHERE position IS NULL)").fetchone()
        return row is not None and bool(row[0])

    # --- step by step ---

    def drain(self) -> None:
        """Seals, projects, reacts, delivers and does work over many accounts until nothing is left to do now.

        Raises NotReached where open work may not go on for ten minutes.
        """
        last_chunk = time.monotonic()
        while True:
            self._catch_up()
            turn = self._worker.turn()
            if turn is Turn.IDLE:
                return
            if turn is Turn.CHUNK:
                last_chunk = time.monotonic()
            elif time.monotonic() - last_chunk > _PATIENCE_SECONDS:
                raise NotReached("open work does not go on: arrears work list")
            else:
                time.sleep(turn.value)

    def _catch_up(self) -> None:
        """Everything but work over many accounts."""
        while True:
            while self.sealer.seal_once():
                pass
            head = self.feed.head()
            if head == self._drained and (self.sealer.is_active or not self._unsealed()):
                return
            at = max(self._drained, 0)
            while at < head:  # one batch after the other for all of them: it is decoded once
                at = min(at + LIVE_BATCH, head)
                self.projections.catch_up(at)
                self._reactor.catch_up(at)
                self._deliverer.catch_up(at)
            self._drained = head

    def tick(self, now: datetime | None = None) -> TickReport:
        """Lets one tick happen and everything it leads to. `now` None is the clock's."""
        self.prepare()
        if now is not None and isinstance(self.clock, ManualClock):
            self.clock.set(now)
        self.drain()
        report = self.ticker.tick(now or self.clock.now())
        self.drain()
        return report

    def prepare(self, progress: BuildProgress = silent) -> None:
        """Builds projections that are missing or outdated."""
        self.projections.start(progress)

    # --- billing files ---

    def import_file(
        self,
        path: Path,
        profile: str,
        *,
        defaults: OfficeDefaults,
        strict: bool = False,
        check_only: bool = False,
        reading: Progress | None = None,
        done: Done | None = None,
    ) -> ImportReport:
        """Brings a billing file in and judges the accounts for today. `check_only` says what it would do.

        Raises ProfileError, FileProblem, ImportRefused.
        """
        source = ImportSource(path, load_profile(profile))
        self.prepare()
        with self.database.connect("arrears_app") as connection:
            if check_only:
                return dry_run(*stage(connection, source, defaults, reading))
            report = run_import(
                self.arrears, connection, source, defaults=defaults, strict=strict, reading=reading, done=done
            )
        self.tick()
        return report

    # --- looking after it ---

    @property
    def runners(self) -> tuple[Runner, ...]:
        """The readers that do something, rather than show something: policies and delivery."""
        return self._reactor, self._deliverer

    def status(self) -> list[Status]:
        return self.projections.status()

    def rebuild(self, name: str, progress: BuildProgress = silent) -> None:
        """Builds a projection anew beside the live one and switches. Raises UnknownProjection, BeingBuilt."""
        self.projections.rebuild(name, progress)

    def verify(self, progress: Callable[[int, int], None] = _silent) -> Iterator[Finding]:
        """Proves the log against itself and against what readers remember of it."""
        with self.database.connect("arrears_app") as connection:
            remembered = [*checkpoints(connection), *anchored(self.anchor)]
        with self.database.connect("arrears_app", autocommit=True) as connection:
            yield from verify(connection, checkpoints=remembered, progress=progress)


def outbox_folder(env: Mapping[str, str], data_dir: Path | None) -> Path:
    """Where messages are put that would be sent: ARREARS_OUTBOX, or beside the data."""
    return Path(env.get("ARREARS_OUTBOX") or (data_dir or Path.cwd()) / "outbox")
