"""PostgreSQL in a data folder, for as long as somebody uses it."""

import atexit
import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FrameType, TracebackType
from typing import Self
from urllib.parse import quote

import psycopg

from adapters.postgres.cluster import DATABASE, USER, Cluster
from adapters.postgres.errors import (
    DataFolderInUse,
    DataFolderUnusable,
    DiskFull,
    explained,
    folder_unusable,
    in_plain_words,
)
from adapters.postgres.file_locks import FileLock
from adapters.postgres.postmaster import Postmaster, read_postmaster

_ENDING_SIGNALS = (signal.SIGTERM, signal.SIGHUP)


class EmbeddedPostgres:
    """The server of one data folder.

    `EmbeddedPostgres(folder)` owns the folder: a second owner is refused with `DataFolderInUse`.
    `EmbeddedPostgres.attach(folder)` joins whoever is there and starts the server only when nobody is; for readers.
    Whoever leaves last stops the server. A server that outlived its owner (kill -9) is used again.

    Layout: `lock` (held by the owner, holds its process id), `lock.users` (shared by all), `lock.turn` (held while
    starting or stopping), `lock.making` (where `made_whole` made the folder), `postgres` (the cluster), `postgres/log`.
    """

    def __init__(self, data_dir: Path, *, settings: Mapping[str, str] | None = None) -> None:
        self.data_dir = data_dir.expanduser().absolute()
        self._cluster = Cluster(self.data_dir / "postgres", settings or {})
        self._owns = True
        self._owner_lock: FileLock | None = None
        self._users_lock: FileLock | None = None
        self._postmaster: Postmaster | None = None
        self._process = os.getpid()
        self._restore_signals: list[Callable[[], object]] = []

    @classmethod
    def attach(cls, data_dir: Path) -> Self:
        """Join the server of a folder that another process may own; the folder must hold a cluster already."""
        joined = cls(data_dir)
        joined._owns = False
        return joined

    @property
    def dsn(self) -> str:
        """Connects from this process or from any other that is handed it, for as long as the server runs."""
        if self._postmaster is None:
            raise RuntimeError("the server is not started; use `with EmbeddedPostgres(folder) as postgres:`")
        return f"postgresql://{USER}@/{DATABASE}?host={quote(str(self._postmaster.socket_folder), safe='')}"

    @explained()
    def start(self) -> Self:
        """Start the server or join it. Raises a `DatabaseProblem` that says what is wrong."""
        if self._postmaster is not None:
            return self
        self._process = os.getpid()
        self._open_folder()
        self._end_politely_on_signals()
        try:
            if self._owns:
                self._become_owner()
            self._start_or_join()
        except BaseException:
            self._let_go()
            raise
        atexit.register(self.stop)
        return self

    def stop(self) -> None:
        """Leave; stop the server if nobody else uses it. Harmless when repeated, and in a forked child."""
        if self._process != os.getpid() or self._postmaster is None:
            return
        atexit.unregister(self.stop)
        postmaster, self._postmaster = self._postmaster, None
        try:
            if self.data_dir.exists():
                with self._turn():
                    if self._users_lock is None or self._users_lock.take_at_once():
                        self._cluster.stop(read_postmaster(self._cluster.folder) or postmaster)
            else:
                self._cluster.stop(postmaster)
        finally:
            self._let_go()

    @property
    def is_alive(self) -> bool:
        """Whether the server that was started or joined still runs."""
        return self._postmaster is not None and self._postmaster.is_alive

    @explained()
    def revive(self) -> bool:
        """Starts the server again, at the same address, where it died under its users; whether that was needed.

        For the owner of the folder.
        """
        with self._turn():
            if self._postmaster is None or self._postmaster.is_alive:
                return False
            running = self._cluster.running()
            self._postmaster = running or self._cluster.start(self._postmaster.socket_folder)
            return running is None

    @explained()
    def crash_and_recover(self) -> None:
        """Ends the server as a crash would, under whoever uses it, and starts it again at the same address."""
        if self._postmaster is None:
            raise RuntimeError("the server is not started")
        with self._turn():
            self._postmaster.crash()
            self._postmaster = self._cluster.start(self._postmaster.socket_folder)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    # --- inside ------------------------------------------------------------------------------------------------

    def _open_folder(self) -> None:
        if not self._owns and not self._cluster.exists:
            raise DataFolderUnusable(
                f"There is no Arrears data in {self.data_dir}", hint="Import something first, or name another folder."
            )
        try:
            self.data_dir.mkdir(parents=True, exist_ok=True)
            self._lock_file("turn").close()
        except OSError as error:
            if isinstance(in_plain_words(error), DiskFull):
                raise
            raise folder_unusable(self.data_dir, error) from error

    def _become_owner(self) -> None:
        lock = FileLock(self.data_dir / "lock")
        if not lock.take_at_once():
            said = lock.read().strip()
            lock.close()
            pid = int(said) if said.isdigit() else None
            raise DataFolderInUse(
                f"The data folder {self.data_dir} is in use by process {pid or '(unknown)'}",
                pid=pid,
                hint="Stop it first, or use another folder. Other commands run beside it.",
            )
        self._owner_lock = lock
        lock.write(f"{os.getpid()}\n")

    def _start_or_join(self) -> None:
        """Only somebody alone with the folder may start a server; one who is not alone must be able to join.

        Process ids mean nothing across containers that share a folder; the lock and the socket do.
        """
        with self._turn():
            users = self._users_lock = self._lock_file("users")
            if users.take_at_once():
                if not self._cluster.exists:
                    self._cluster.make()
                self._postmaster = self._cluster.running() or self._cluster.start()
                users.share()
            else:
                users.share()
                self._postmaster = self._reachable()

    def _reachable(self) -> Postmaster:
        postmaster = read_postmaster(self._cluster.folder)
        if postmaster is not None:
            self._postmaster = postmaster
            with contextlib.suppress(psycopg.Error):
                psycopg.connect(self.dsn, connect_timeout=10).close()
                return postmaster
            self._postmaster = None
        raise DataFolderInUse(
            f"Another process uses {self.data_dir}, but its PostgreSQL server does not answer",
            pid=None,
            hint="Stop the processes that use this folder, then try again; the data is recovered at the next start.",
        )

    def _turn(self) -> FileLock:
        return self._lock_file("turn")

    def _lock_file(self, name: str) -> FileLock:
        return FileLock(self.data_dir / f"lock.{name}")

    def _let_go(self) -> None:
        for lock in (self._users_lock, self._owner_lock):
            if lock is not None:
                lock.close()
        self._users_lock = self._owner_lock = None
        while self._restore_signals:
            self._restore_signals.pop()()

    def _end_politely_on_signals(self) -> None:
        """A process told to end unwinds (and so stops the server) unless somebody else already decides what it does."""
        if threading.current_thread() is not threading.main_thread():
            return
        for number in _ENDING_SIGNALS:
            if signal.getsignal(number) is signal.SIG_DFL:
                signal.signal(number, _exit)
                self._restore_signals.append(lambda number=number: _restore(number))  # type: ignore[misc]


def _exit(number: int, _: FrameType | None) -> None:
    sys.exit(128 + number)


def _restore(number: signal.Signals) -> None:
    """Back to the default, unless somebody replaced our handler, or we are not where signals can be set."""
    if threading.current_thread() is threading.main_thread() and signal.getsignal(number) is _exit:
        signal.signal(number, signal.SIG_DFL)
