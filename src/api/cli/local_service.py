"""How commands find the service that runs in a data folder, and how it knows them.

A service leaves `service.json` in its folder, for its own user's eyes: where it listens, its process, and a token that
it made when it started. Whoever can read the file may read through the service, until it ends, and nothing else.
"""

import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

FILE = "service.json"

_EVERY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104


@dataclass(frozen=True, slots=True)
class LocalService:
    """A service that serves a data folder on this machine."""

    host: str
    port: int
    pid: int
    token: str


@contextmanager
def announced(folder: Path | None, *, host: str, port: int) -> Iterator[str | None]:
    """Tells the commands of this machine where the folder's service listens, and gives the token that they will show.

    None where there is no folder: the database is a server's, and there may be several services.
    """
    if folder is None:
        yield None
        return
    made = LocalService(_EVERY_ADDRESS.get(host, host), port, os.getpid(), secrets.token_urlsafe(32))
    file = folder / FILE
    with suppress(OSError):  # on a full disk there is no file; commands then answer by themselves
        _write(file, made)
    try:
        yield made.token
    finally:
        if local_service(folder) == made:
            with suppress(OSError):
                file.unlink()


def _write(file: Path, made: LocalService) -> None:
    """At once, and readable to nobody else at any moment."""
    unfinished = file.with_name(f"{FILE}.{made.pid}")
    unfinished.unlink(missing_ok=True)
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as writing:
        json.dump(asdict(made), writing)
    unfinished.replace(file)


def local_service(folder: Path) -> LocalService | None:
    """The one that the folder names, if its process is there. Whether it answers is seen by asking."""
    try:
        said = json.loads((folder / FILE).read_text(encoding="utf-8"))
        found = LocalService(str(said["host"]), int(said["port"]), int(said["pid"]), str(said["token"]))
        os.kill(found.pid, 0)
    except PermissionError:
        return None  # another user's
    except (OSError, ValueError, KeyError, TypeError):
        return None  # none, one that was killed, or not a service's
    return found
