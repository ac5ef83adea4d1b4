"""All projections of an installation: built, kept up to date, rebuilt beside the live ones, waited for."""

import gc
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from uuid import UUID

import psycopg
from psycopg import Connection

from adapters.eventstore.seals import Checkpoint
from adapters.postgres.database import Database
from adapters.postgres.errors import DatabaseProblem, explained
from adapters.readers import generations, poison
from adapters.readers.generations import Generation, GenerationReader, State
from adapters.readers.handling import ReaderRetired
from adapters.readers.poison import DeadLetter, dead_letters
from adapters.readers.read_ahead import ReadAhead
from adapters.readers.runner import (
    LIVE_BATCH,
    REBUILD_BATCH,
    NotReached,
    Retried,
    Runner,
    Source,
    lag_of,
)
from adapters.readers.watermark import Watermark
from adapters.stop import Stop, cancelled_on, check, pause
from projections.base import Projection
from projections.personal import PersonalProjection

_UNFINISHED = "nobody builds it: it goes on with 'arrears projections rebuild {name}', else the next start removes it"
_SWITCH_ATTEMPTS = 30
_STANDBY_SECONDS = 0.5

Progress = Callable[[str, int, int], None]
"""Told the projection's name, the position reached, and the position aimed at."""


def silent(name: str, position: int, target: int) -> None:
    """No progress is shown."""


class UnknownProjection(LookupError):
    """There is no projection of this name."""


class BeingBuilt(Exception):
    """Another process builds this projection right now."""


class SwitchDelayed(Exception):
    """A new generation is complete and could not be shown yet; building again goes on from there."""


@dataclass(frozen=True, slots=True)
class Status:
    """How a generation of a projection stands. `parked` counts sequences (accounts) that are put aside."""

    name: str
    generation: int
    version: int
    wanted_version: int
    """The version of this release's code."""
    state: State
    checkpoint: int
    head: int
    lag_events: int
    lag_seconds: float
    parked: int
    trouble: str | None


class Projections:
    """Runs the given projections. Each generation gets an instance of its own from the factory (a class will do).

    `replay` is a second source for rebuilds, so that live readers of this process need not wait for its batches.
    Building and catching up raise Stopped soon after `stop` is set; the next start, or rebuild, goes on from there.
    """

    def __init__(
        self,
        database: Database,
        source: Source,
        factories: Sequence[Callable[[], Projection]],
        *,
        replay: Source | None = None,
        batch: int = LIVE_BATCH,
        rebuild_batch: int = REBUILD_BATCH,
        stop: Stop | None = None,
    ) -> None:
        self._database = database
        self._stop = stop or Stop()
        self._source = source
        self._replay = replay or source
        self._batch = batch
        self._rebuild_batch = rebuild_batch
        self._factories = {factory().name: factory for factory in factories}
        self._runners: dict[str, Runner] = {}
        self._has_views = False
        self._lock = threading.Lock()
        self.watermark = Watermark(database)

    @property
    def names(self) -> list[str]:
        return list(self._factories)

    # --- start-up ---

    @explained()
    def start(self, progress: Progress = silent) -> list[str]:
        """Builds what is missing or of an older version, all together in one pass, and returns their names.

        What another process is building already is waited for. A live generation of a newer release is left alone.
        """
        built: list[str] = []
        waiting = self._outdated()
        while waiting:
            built += self._build(waiting, progress, afresh=False, only_if=_is_outdated)
            waiting = [name for name in self._outdated() if name in waiting]
            if waiting:
                pause(self._stop, _STANDBY_SECONDS)
        self._refresh_dashboard()
        return built

    @explained()
    def start_keeping(self, progress: Progress = silent) -> list[str]:
        """As `start`, for a process that goes on to keep the tables up to date. It also removes what nobody needs.

        That is a generation that was begun, has no builder any more, and would show what the live one shows.
        """
        built = self.start(progress)
        self._drop_unfinished()
        return built

    def _drop_unfinished(self) -> None:
        """Looked up first, so that the lock is taken where there is something to drop, and again once it is held."""
        with self._connect() as connection:
            found = {g.name for g in generations.generations(connection) if g.state == "building"}
        for name in self._factories.keys() & found:
            with generations.building(self._database, name) as connection:
                if connection is not None:
                    generations.drop_unfinished(connection, self._make(name))

    def _refresh_dashboard(self) -> None:
        """The views of this release, also where no projection was built; once for a process."""
        if not self._has_views:
            with self._database.connect("arrears_app", autocommit=True) as connection:
                self._has_views = generations.refresh_dashboard(connection)

    def _outdated(self) -> list[str]:
        with self._connect() as connection:
            return [name for name, make in self._factories.items() if _is_outdated(connection, make())]

    def are_built(self) -> bool:
        """Whether a live generation of this release's version, or a newer one, is there for each."""
        return not self._outdated()

    # --- live ---

    def run(self, stop: threading.Event) -> None:
        """Keeps all live generations up to date until `stop` is set; follows when a rebuild elsewhere takes over."""
        threads = [
            threading.Thread(target=self._follow, args=(name, stop), name=f"projection {name}", daemon=True)
            for name in self._factories
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _follow(self, name: str, stop: threading.Event) -> None:
        while not stop.is_set():
            try:
                self._live_runner(name).run(stop)
            except ReaderRetired:
                self._retired(name)
                stop.wait(_STANDBY_SECONDS / 10)
            except (psycopg.Error, DatabaseProblem):
                stop.wait(_STANDBY_SECONDS)

    @explained()
    def catch_up(self, to: int | None = None, *, names: Sequence[str] | None = None, timeout: float = 600.0) -> int:
        """Brings the live generations up to a position (None: the log's end now), in turns, and returns it.

        Raises NotReached.
        """
        target = self._source.head() if to is None else to
        names = names or self.names
        self._find_live(names)
        for name in names:
            self._catch_up(name, target, timeout)
        return target

    def _find_live(self, names: Sequence[str]) -> None:
        """Makes the runners of live generations that are not known yet, with one connection for all of them."""
        with self._lock:
            unknown = [name for name in names if name not in self._runners]
        if len(unknown) < 2:
            return
        with self._connect() as connection:
            for name in unknown:
                with suppress(ReaderRetired):  # a look of its own says so again
                    runner = self._runner(*self._live_in(connection, name))
                    with self._lock:
                        self._runners.setdefault(name, runner)

    def stands_at(self) -> int:
        """Up to where all live generations have read; 0 where one is missing."""
        with self._connect() as connection:
            live = [
                each.reader
                for each in generations.generations(connection)
                if each.state == "live" and each.name in self._factories
            ]
            row = connection.execute(
                "SELECT min(position), count(*) FROM read_model.checkpoints WHERE reader = ANY(%s)", [live]
            ).fetchone()
        return int(row[0]) if row is not None and row[1] == len(self._factories) else 0

    def _catch_up(self, name: str, target: int, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        while True:
            try:
                self._live_runner(name).catch_up(target, timeout=timeout)
            except ReaderRetired:
                self._retired(name)
                if time.monotonic() > deadline:
                    raise
                pause(self._stop, 0.01)
            else:
                return

    def _live_runner(self, name: str) -> Runner:
        """The runner of the live generation; always the same one until that turns out to be retired."""
        with self._lock:
            if name in self._runners:
                return self._runners[name]
        projection, live = self.live(name)
        with self._lock:
            return self._runners.setdefault(name, self._runner(projection, live))

    def live(self, name: str) -> tuple[Projection, Generation]:
        """An instance for the live generation, for whoever keeps it up to date. Raises ReaderRetired where there is
        none of this release's version."""
        with self._connect() as connection:
            return self._live_in(connection, name)

    def _live_in(self, connection: Connection, name: str) -> tuple[Projection, Generation]:
        projection = self._make(name)
        live = generations.generation_in(connection, name, "live")
        if live is None or live.version != projection.version:
            raise ReaderRetired(f"{name} has no live generation of version {projection.version}")
        return projection, live

    def _retired(self, name: str) -> None:
        """Another generation took over: the next look finds it."""
        with self._lock:
            runner = self._runners.pop(name, None)
        if runner is not None:
            runner.release()

    def _runner(self, projection: Projection, generation: Generation, *, replay: Source | None = None) -> Runner:
        def announce(position: int) -> None:
            if replay is None:
                self.watermark.announce(generation.name, position)

        return Runner(
            self._database,
            replay or self._source,
            GenerationReader(projection, generation),
            batch=self._rebuild_batch if replay is not None else self._batch,
            search_path=generation.search_path,
            on_progress=announce,
            stop=self._stop,
        )

    def close(self) -> None:
        """Lets go of the locks and connections."""
        with self._lock:
            runners, self._runners = list(self._runners.values()), {}
        for runner in runners:
            runner.release()
        self.watermark.close()

    # --- rebuild ---

    @explained()
    def rebuild(self, name: str, progress: Progress = silent, *, afresh: bool = False) -> Generation:
        """Builds a new generation from the whole log beside the live one, and shows it instead when it has caught up.

        Interrupted at any moment, the next call goes on where it stopped (`afresh`: from the beginning). Raises
        UnknownProjection, and BeingBuilt where another process is at it.
        """
        self._make(name)
        if not self._build([name], progress, afresh=afresh):
            raise BeingBuilt(f"{name} is being built by another process")
        with self._connect() as connection:
            return next(g for g in generations.generations(connection, name) if g.state == "live")

    @explained()
    def rebuild_all(self, progress: Progress = silent, *, afresh: bool = False) -> list[str]:
        """Rebuilds every projection in one pass over the log; returns those that were (others are being built)."""
        return self._build(self.names, progress, afresh=afresh)

    def _build(
        self, names: Sequence[str], progress: Progress, *, afresh: bool, only_if: "_Needed | None" = None
    ) -> list[str]:
        """In one pass: they read the same batches, which are decoded once. Leaves out what others are building.

        `only_if` is asked for each of them when nobody else can build it any more: another process may have, since it
        was looked up.
        """
        with ExitStack() as stack:
            mine: list[tuple[Projection, Connection]] = []
            for name in names:
                with ExitStack() as lock:
                    connection = lock.enter_context(generations.building(self._database, name))
                    projection = self._make(name)
                    if connection is not None and (only_if is None or only_if(connection, projection)):
                        mine.append((projection, connection))
                        stack.push(lock.pop_all())
            ahead = ReadAhead(self._replay, _wanted([projection for projection, _ in mine]))
            stack.callback(ahead.forget)
            builds: list[_Build] = []
            for projection, connection in mine:
                generation = generations.start_building(connection, projection, afresh=afresh)
                runner = self._runner(projection, generation, replay=ahead)
                stack.callback(runner.release)
                builds.append(_Build(projection, generation, runner, connection))
            with _without_collector():
                self._read_all(builds, ahead, progress)
            for build in builds:
                self._go_live(build, progress)
            return [build.generation.name for build in builds]

    def _read_all(self, builds: Sequence["_Build"], ahead: Source, progress: Progress) -> None:
        """Up to the log's end, those that are behind first."""
        head = ahead.head()
        positions = {build.generation.name: 0 for build in builds}
        while builds:
            for build in builds:
                name = build.generation.name
                check(self._stop)
                aim = min(head, min(positions.values()) + self._rebuild_batch)
                positions[name] = max(build.runner.catch_up(aim), aim)
                progress(name, positions[name], head)
            if min(positions.values()) >= head:
                grown = ahead.head()
                if grown - head < self._rebuild_batch:
                    return
                head = grown

    def _go_live(self, build: "_Build", progress: Progress) -> None:
        """Joins the live generation and takes its place: held still, caught up with, replaced in one transaction."""
        name = build.generation.name
        build.runner.catch_up()
        with cancelled_on(self._stop, build.connection):  # indexes of large tables
            generations.complete(build.connection, build.projection, build.generation)
        position = self._take_its_place(build)
        build.runner.release()
        self.watermark.announce(name, position)
        generations.drop_retired(build.connection, name)
        progress(name, position, position)

    def _take_its_place(self, build: "_Build") -> int:
        """The switch; a long query on the views delays it, and is not waited for while the live one is held."""
        for attempt in range(1, _SWITCH_ATTEMPTS + 1):
            build.runner.catch_up()
            try:
                with build.connection.transaction():
                    live = generations.hold_live(build.connection, build.generation.name)
                    position = build.runner.catch_up(live)
                    generations.switch(build.connection, build.generation)
                    return position
            except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):
                pause(self._stop, 0.1 * attempt)
        raise SwitchDelayed(
            f"{build.generation.name} is built; long queries on the old tables keep it from being shown"
        )

    # --- looking ---

    @explained()
    def status(self, name: str | None = None) -> list[Status]:
        """How every generation stands, of one projection or of all."""
        if name is not None:
            self._make(name)
        with self._database.snapshot("arrears_app") as connection:  # a generation may be dropped meanwhile
            found = [g for g in generations.generations(connection, name) if g.name in self._factories]
            return [self._status(connection, g) for g in found if g.state != "retired"]

    def _status(self, connection: Connection, generation: Generation) -> Status:
        lag = lag_of(connection, generation.reader)
        row = connection.execute(
            "SELECT trouble, (SELECT count(DISTINCT sequence_id) FROM read_model.dead_letters d "
            "WHERE d.reader = c.reader AND d.state = 'parked') FROM read_model.checkpoints c WHERE reader = %s",
            [generation.reader],
        ).fetchone()
        trouble, parked = row if row is not None else (None, 0)
        if generation.state == "building" and not generations.is_being_built(connection, generation.name):
            trouble = _UNFINISHED.format(name=generation.name)
        return Status(
            name=generation.name,
            generation=generation.generation,
            version=generation.version,
            wanted_version=self._make(generation.name).version,
            state=generation.state,
            checkpoint=lag.position,
            head=lag.head,
            lag_events=lag.events,
            lag_seconds=lag.seconds,
            parked=parked,
            trouble=trouble,
        )

    def is_being_filled(self, name: str) -> bool:
        """Whether PostgreSQL emptied the tables of a projection with personal data, and they are filled again."""
        with self._connect() as connection:
            live = generations.generation_in(connection, name, "live")
            return live is not None and live.is_personal and generations.is_being_filled(connection, live)

    def erase(self, account_id: UUID, connection: Connection) -> None:
        """Takes out what read tables hold of a person, in the transaction that destroys the person's key."""
        for make in self._factories.values():
            projection = make()
            if isinstance(projection, PersonalProjection):
                generations.erase(connection, projection, account_id)
        poison.forget(connection, account_id=account_id)

    def wait_for(
        self,
        position: int,
        *,
        names: Sequence[str] | None = None,
        timeout: float = 5.0,
        stop: threading.Event | None = None,
    ) -> None:
        """Returns once the live generations show everything up to a position. Raises NotReached, also when `stop` was
        set meanwhile. What is filled again after a crash is not waited for: that may take long, and answers say so."""
        deadline = time.monotonic() + timeout
        for name in names or self._factories:
            if self._factories[name]().is_personal and self.is_being_filled(name):
                continue
            if not self.watermark.wait(name, position, timeout=max(0.0, deadline - time.monotonic()), stop=stop):
                raise NotReached(f"{name} does not show position {position} yet")

    # --- dead letters of the live generations ---

    def dead_letters(self, name: str | None = None, *, state: str = "parked") -> list[DeadLetter]:
        reader = None if name is None else self._sure_runner(name).name
        with self._connect() as connection:
            return dead_letters(connection, reader=reader, state=state)

    def retry(self, name: str, sequence_id: UUID) -> Retried:
        """Handles an account's parked events again; see `Runner.retry`."""
        return self._sure_runner(name).retry(sequence_id)

    def discard(self, name: str, position: int, *, on_discard: Callable[[DeadLetter], None]) -> Retried:
        """Gives up a parked event; see `Runner.discard`."""
        return self._sure_runner(name).discard(position, on_discard=on_discard)

    def _sure_runner(self, name: str) -> Runner:
        """The runner of the generation that is live at this moment."""
        self._make(name)
        with self._connect() as connection:
            live = generations.generation_in(connection, name, "live")
        if live is None or self._live_runner(name).name != live.reader:
            self._retired(name)
        return self._live_runner(name)

    # --- inside ---

    def check(self, names: Iterable[str]) -> None:
        """Raises UnknownProjection."""
        for name in names:
            self._make(name)

    def _make(self, name: str) -> Projection:
        if name not in self._factories:
            raise UnknownProjection(f"there is no projection {name!r}; there are {', '.join(self._factories)}")
        return self._factories[name]()

    def _connect(self) -> Connection:
        return self._database.connect("arrears_app", autocommit=True)


_Needed = Callable[[Connection, Projection], bool]
"""Whether a projection has to be built."""


def _is_outdated(connection: Connection, projection: Projection) -> bool:
    """Whether there is no live generation, or one of an older version only."""
    live = generations.generation_in(connection, projection.name, "live")
    return live is None or live.version < projection.version


@dataclass(frozen=True, slots=True)
class _Build:
    projection: Projection
    generation: Generation
    runner: Runner
    connection: Connection


def _wanted(projections: Sequence[Projection]) -> frozenset[str] | None:
    """The events that mean something to some of them; None: all."""
    interests = [projection.interest for projection in projections]
    return frozenset().union(*(names or () for names in interests)) if None not in interests else None


@contextmanager
def _without_collector() -> Iterator[None]:
    """Events are trees, which need no collector; looking for cycles among a batch's objects takes most of its time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def checkpoints(connection: Connection) -> list[Checkpoint]:
    """How far every reader has read, to be compared with the log at start-up."""
    rows = connection.execute("SELECT reader, position, seal_hash FROM read_model.checkpoints ORDER BY reader")
    return [Checkpoint(reader, position, None if seal is None else bytes(seal)) for reader, position, seal in rows]
