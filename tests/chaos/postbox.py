"""Watches the outbox while messages arrive in it: a message that is sent again replaces its file."""

import os
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

_LOOK_SECONDS = 0.05


class Postbox:
    """The messages that left, and those that left twice. A context manager."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen: dict[str, tuple[int, int]] = {}
        self._stop = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="postbox", daemon=True)
        self.sent_again: list[str] = []

    def __enter__(self) -> Self:
        self._watcher.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stop.set()
        self._watcher.join()

    def messages(self) -> list[str]:
        """The ids of all messages that left."""
        return [path.stem for path in sorted(self._folder.glob("*.json"))]

    def _watch(self) -> None:
        while not self._stop.wait(_LOOK_SECONDS):
            self._look()
        self._look()

    def _look(self) -> None:
        if not self._folder.is_dir():
            return
        with os.scandir(self._folder) as entries:
            found = [each for each in entries if each.name.endswith(".json")]
        for each in found:
            about = each.stat()
            file = about.st_ino, about.st_mtime_ns
            if self._seen.setdefault(each.name, file) != file:
                self._seen[each.name] = file
                self.sent_again.append(each.name.removesuffix(".json"))
