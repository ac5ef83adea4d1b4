"""Locks the kernel holds for a process and drops when it ends, however it ends."""

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self


class FileLock:
    """`flock` on a file that stays where it is (removing a lock file would let two processes hold "the" lock)."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)

    def take(self) -> None:
        """Hold it alone; waits for the others."""
        fcntl.flock(self._fd, fcntl.LOCK_EX)

    def take_at_once(self) -> bool:
        """Hold it alone, or say False when somebody else holds it."""
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def share(self) -> None:
        """Hold it together with others; gives up holding it alone."""
        fcntl.flock(self._fd, fcntl.LOCK_SH)

    def write(self, text: str) -> None:
        """Replace the file's text. Only the holder does this."""
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, text.encode(), 0)

    def read(self) -> str:
        return os.pread(self._fd, 4096, 0).decode(errors="replace")

    def close(self) -> None:
        """Let go."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Self:
        self.take()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
