"""The whole cluster on one machine: PostgreSQL, Kafka and a process for every part, for development and trials."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from adapters.eventstore.keys import FILE_NAME, FILE_VARIABLE, KEY_VARIABLE, master_key_of
from adapters.kafka.connection import SERVERS_VARIABLE
from adapters.kafka.local import HOST, LocalKafka, free_ports
from adapters.kafka.topics import Topics, read_topics
from adapters.postgres.database import DATA_VARIABLE, URL_VARIABLE, Database
from adapters.postgres.embedded import EmbeddedPostgres
from adapters.postgres.keeper import Keeper, ServerLost
from adapters.postgres.migrations import migrate
from adapters.telemetry.health import PORT_VARIABLE
from api.processes import parts
from api.processes.supervise import RESTART_SECONDS

_COMMAND = (sys.executable, "-c", "from api.cli import main; main()")
_POSTGRES = {"max_connections": "200"}
_PATIENCE_SECONDS = 30.0


@dataclass
class Member:
    """A process of a role. It is started again when it ends without having been told to."""

    role: str
    number: int
    health_port: int
    arguments: Sequence[str] = ()
    process: subprocess.Popen[bytes] | None = None
    wanted: bool = True
    starts: int = 0
    log: IO[bytes] | None = field(default=None, repr=False)

    @property
    def name(self) -> str:
        return f"{self.role}-{self.number}"

    @property
    def health(self) -> str:
        """Where it answers `/live`, `/ready` and `/metrics`."""
        return f"http://{HOST}:{self.health_port}"

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None


class LocalCluster:
    """Everything in one data folder, with `kafka`, `logs` and `outbox` in it. A context manager.

    `count` says how many processes of a role there are (one each, unless said otherwise). One that has
    nothing to do has none. Raises KafkaUnavailable, DatabaseProblem, InboundMisconfigured.
    """

    def __init__(
        self,
        folder: Path,
        *,
        count: Mapping[str, int] | None = None,
        brokers: int = 1,
        api_port: int = 8000,
        env: Mapping[str, str] = os.environ,
        settings: Mapping[str, str] | None = None,
        jvm: Sequence[str] = (),
    ) -> None:
        """`settings` are more ones for PostgreSQL, `jvm` more options for Kafka's."""
        self.folder = folder
        self.postgres = EmbeddedPostgres(folder, settings={**_POSTGRES, **(settings or {})})
        self._keeper = Keeper(self.postgres)
        self.kafka = LocalKafka(folder / "kafka", brokers=brokers, jvm=jvm)
        self._given = dict(env)
        self.env: dict[str, str] = {}
        """What the processes are started with: where everything is."""
        wanted = [
            (part.name, number)
            for part in parts.PARTS
            if part.is_wanted(env)
            for number in range(1, (count or {}).get(part.name, 1) + 1)
        ]
        self.members = [
            Member(role, number, port, ("--port", str(api_port + number - 1)) if role == parts.API.name else ())
            for (role, number), port in zip(wanted, free_ports(len(wanted)), strict=True)
        ]
        self.failure: ServerLost | None = None
        """Why nobody looks after the processes any more."""
        self._watching = threading.Event()
        self._watcher: threading.Thread | None = None
        self._turn = threading.RLock()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def start(self, says: Callable[[str], None] = lambda _: None) -> Self:
        """Starts what the roles need, and then a process for each; `says` is told what is being started."""
        try:
            says("PostgreSQL")
            self.postgres.start()
            says(f"Kafka, {len(self.kafka.nodes)} broker{'s' if len(self.kafka.nodes) > 1 else ''}")
            self.kafka.start()
            self._prepare()
            self.logs.mkdir(exist_ok=True)
            for member in self.members:
                says(member.name)
                self.launch(member)
            self._watcher = threading.Thread(target=self._watch, name="watcher", daemon=True)
            self._watcher.start()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Ends the processes as an orchestrator would, then Kafka, then PostgreSQL."""
        self._watching.set()
        if self._watcher is not None:
            self._watcher.join()
        for member in self.members:
            self.end(member, wait=False)
        for member in self.members:
            self.end(member)
        self.kafka.stop()
        self.postgres.stop()

    @property
    def logs(self) -> Path:
        """The folder of what the processes say."""
        return self.folder / "logs"

    def log_of(self, member: Member) -> Path:
        return self.logs / f"{member.name}.log"

    def member(self, role: str, number: int = 1) -> Member:
        return next(each for each in self.members if (each.role, each.number) == (role, number))

    def launch(self, member: Member) -> None:
        """Starts a member's process, with its output in a file of the folder."""
        with self._turn:
            if member.is_running:
                return
            if member.log is not None:
                member.log.close()
            member.log = self.log_of(member).open("ab")
            member.wanted = True
            member.starts += 1
            member.process = subprocess.Popen(
                [*_COMMAND, member.role, *member.arguments],
                env={**self.env, PORT_VARIABLE: str(member.health_port)},
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=member.log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C reaches us; we end the others
            )

    def run(self, *arguments: str) -> "subprocess.Popen[bytes]":
        """Starts a command beside the cluster, for the caller to wait for. Its output goes to the folder's logs."""
        with (self.folder / "logs" / "commands.log").open("ab") as log:
            return subprocess.Popen(
                [*_COMMAND, *arguments],
                env=self.env,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def end(self, member: Member, *, wait: bool = True) -> None:
        """SIGTERM; kills it where that is not enough."""
        with self._turn:
            was_wanted, member.wanted = member.wanted, False
            process = member.process
        if process is None:
            return
        if was_wanted:
            process.terminate()
        if not wait:
            return
        try:
            process.wait(_PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if member.log is not None:
            member.log.close()
            member.log = None

    # --- inside ---

    def _prepare(self) -> None:
        """The schema, the topics and the master key."""
        self.env = {
            **{name: text for name, text in self._given.items() if name not in {DATA_VARIABLE, KEY_VARIABLE}},
            URL_VARIABLE: self.postgres.dsn,
            SERVERS_VARIABLE: self.kafka.bootstrap_servers,
            FILE_VARIABLE: str(self.folder / FILE_NAME),
            "ARREARS_OUTBOX": str(self.folder / "outbox"),
            "ARREARS_ATTACHMENTS_URL": self._given.get("ARREARS_ATTACHMENTS_URL") or str(self.folder / "attachments"),
        }
        with Database(self.postgres.dsn) as database:
            migrate(database)
            with database.connect("arrears_app") as connection:
                master_key_of(connection, {}, data_dir=self.folder, may_make=True)
        copies = min(3, len(self.kafka.nodes))
        with Topics(self.env) as topics:
            for change in topics.plan([topic.with_copies(copies) for topic in read_topics()]):
                topics.apply(change)

    def _watch(self) -> None:
        while not self._watching.wait(RESTART_SECONDS):
            with self._turn:
                try:
                    self._keeper.look()
                except ServerLost as lost:
                    self.failure = lost
                    return
                ended = [each for each in self.members if each.wanted and not each.is_running]
            for member in ended:
                self.launch(member)
