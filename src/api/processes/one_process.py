"""Arrears in one process: every part in a thread of its own."""

import threading
from collections.abc import Mapping
from pathlib import Path

from adapters.clock import Clock
from adapters.postgres.database import Database
from api.processes import parts
from api.processes.core import CACHE_SIZE
from api.processes.service import Service
from api.processes.supervise import supervise


class OneProcess(Service):
    """A service that does its own work: `start` runs the parts until `close`."""

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

    def start(self) -> None:
        """Runs every part that has something to do here, each in a thread named like it."""
        self.projections.start_keeping()
        made = [(part.name, part.in_one_process(self, self._stop)) for part in parts.PARTS]
        for name, run in made:
            if run is not None:
                thread = threading.Thread(target=supervise, args=(name, run, self._stop), name=name, daemon=True)
                thread.start()
                self._threads.append(thread)

    def close(self) -> None:
        """Ends the parts, which finish what they have in hand and seal what is stored, and lets the database go."""
        self._stop.set()
        for thread in self._threads:
            thread.join()
        self._threads.clear()
        super().close()
