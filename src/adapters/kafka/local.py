"""Apache Kafka on this machine: one to three brokers on loopback, in KRaft mode, for development and tests."""

import contextlib
import random
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from adapters.kafka.jars import KafkaUnavailable, jars, java

HOST = "127.0.0.1"

QUICK_START = ("-XX:TieredStopAtLevel=1",)
"""Half the time to start, two thirds of the throughput: for tests."""

_CLUSTER_ID = "YXJyZWFycy1sb2NhbC1rYQ"
_HEAP = "384m"
_START_SECONDS = 120.0
_STOP_SECONDS = 30.0
_LOOK_SECONDS = 0.05
_LINES_OF_LOG = 15
_PORTS = range(15_000, 32_000)
_ATTEMPTS = 1_000

# A broker must not outlive the process that started it, however that one ended: its guard hears the pipe close.
_GUARD = 'read -r _ || kill -9 "$1"'


@dataclass(frozen=True, slots=True)
class Listener:
    """Another way to a broker than the plain one. `settings` are lines of server.properties for it alone."""

    protocol: str
    settings: Mapping[str, str] = field(default_factory=dict)
    advertised: int | None = None
    """The port that clients are told to come to, where it is not the broker's own; for one broker alone."""


@dataclass
class _Broker:
    node: int
    port: int
    controller_port: int
    folder: Path
    ports: Mapping[str, int] = field(default_factory=dict)
    """Of further listeners, by name."""
    process: subprocess.Popen[bytes] | None = None
    guard: subprocess.Popen[bytes] | None = None
    log: IO[bytes] | None = field(default=None, repr=False)

    @property
    def address(self) -> str:
        return f"{HOST}:{self.port}"

    @property
    def config(self) -> Path:
        return self.folder / "server.properties"

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None


class LocalKafka:
    """Brokers with data in a folder of their own; a context manager. Nodes count from 1 and keep their ports.

    `jvm` are more options for java, `settings` more lines for each broker's server.properties. Brokers talk to each
    other in the clear; `listeners` are further ways in, by name.
    With one broker nothing is replicated; with three, topics of the cluster itself are, and two of three must answer.
    Raises KafkaUnavailable where Java or Maven is missing, or a broker does not come up.
    """

    def __init__(
        self,
        folder: Path,
        *,
        brokers: int = 1,
        jvm: Sequence[str] = (),
        settings: Mapping[str, str] | None = None,
        listeners: Mapping[str, Listener] | None = None,
    ) -> None:
        if brokers not in {1, 2, 3}:
            raise ValueError("one to three brokers")
        self.folder = folder
        self._options = tuple(jvm)
        self._settings = dict(settings or {})
        self._listeners = dict(listeners or {})
        ports = iter(free_ports((2 + len(self._listeners)) * brokers))
        self._brokers = {
            node: _Broker(
                node,
                next(ports),
                next(ports),
                folder / f"broker-{node}",
                {name: next(ports) for name in self._listeners},
            )
            for node in range(1, brokers + 1)
        }
        self._java = ""
        self._classpath = ""

    @property
    def bootstrap_servers(self) -> str:
        """host:port of every broker, with commas, as KAFKA_BOOTSTRAP_SERVERS has it."""
        return ",".join(broker.address for broker in self._brokers.values())

    def servers_at(self, listener: str) -> str:
        """The same for a further listener."""
        return ",".join(f"{HOST}:{broker.ports[listener]}" for broker in self._brokers.values())

    @property
    def nodes(self) -> tuple[int, ...]:
        return tuple(self._brokers)

    def pid(self, node: int) -> int | None:
        """The process id of a broker that runs."""
        process = self._brokers[node].process
        return process.pid if process is not None and process.poll() is None else None

    # --- all of them ---

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def start(self) -> Self:
        """Starts every broker and returns once each answers with metadata that names them all."""
        self._java, self._classpath = java(), f"{jars()}/*"
        try:
            self._format()
            for broker in self._brokers.values():
                self._launch(broker)
            self.wait_ready()
        except BaseException:
            self.stop(politely=False)
            raise
        return self

    def stop(self, *, politely: bool = True) -> None:
        """Ends every broker; a controlled shutdown takes a second or two."""
        for broker in self._brokers.values():
            if politely and broker.is_running and broker.process is not None:
                broker.process.terminate()
        for broker in self._brokers.values():
            self._end(broker, patience=_STOP_SECONDS if politely else 0.0)

    # --- one of them ---

    def start_broker(self, node: int) -> None:
        """Starts a broker that was stopped or killed, and returns once all that run know each other again."""
        if self._brokers[node].is_running:
            return
        self._launch(self._brokers[node])
        self.wait_ready()

    def stop_broker(self, node: int) -> None:
        """A controlled shutdown: leadership moves elsewhere first."""
        broker = self._brokers[node]
        if broker.process is not None:
            broker.process.terminate()
        self._end(broker, patience=_STOP_SECONDS)

    def kill_broker(self, node: int) -> None:
        """kill -9."""
        self._end(self._brokers[node], patience=0.0)

    def restart_broker(self, node: int, *, kill: bool = False) -> None:
        if kill:
            self.kill_broker(node)
        else:
            self.stop_broker(node)
        self.start_broker(node)

    def wait_ready(self, timeout: float = _START_SECONDS) -> None:
        """Returns once every running broker answers and knows all running ones."""
        running = {broker.node: broker for broker in self._brokers.values() if broker.process is not None}
        for broker in running.values():
            wait_for_metadata(broker.address, set(running), seconds=timeout, pause=partial(self._look_at, broker))

    # --- inside ---

    def _format(self) -> None:
        """Gives each broker its folder and its identity; a folder that has one keeps it."""
        formatting = []
        for broker in self._brokers.values():
            broker.folder.mkdir(parents=True, exist_ok=True)
            broker.config.write_text(self._properties(broker), encoding="utf-8")
            if not (broker.folder / "data" / "meta.properties").is_file():
                formatting.append(
                    subprocess.Popen(
                        [
                            *self._jvm("128m", *QUICK_START),
                            "kafka.tools.StorageTool",
                            *("format", "-t", _CLUSTER_ID, "-c", str(broker.config)),
                        ],
                        stdin=subprocess.DEVNULL,
                        stdout=subprocess.PIPE,
                        stderr=subprocess.STDOUT,
                    )
                )
        said = [process.communicate(timeout=_START_SECONDS)[0] for process in formatting]
        for process, output in zip(formatting, said, strict=True):
            if process.returncode != 0:
                raise KafkaUnavailable(f"Kafka's storage cannot be formatted:\n{output.decode(errors='replace')}")

    def _properties(self, broker: _Broker) -> str:
        copies = str(len(self._brokers))
        in_sync = "2" if len(self._brokers) == 3 else "1"
        voters = ",".join(f"{each.node}@{HOST}:{each.controller_port}" for each in self._brokers.values())
        further = [f",{name}://{HOST}:{port}" for name, port in broker.ports.items()]
        advertised = [
            f",{name}://{HOST}:{self._listeners[name].advertised or port}" for name, port in broker.ports.items()
        ]
        protocols = [f",{name}:{listener.protocol}" for name, listener in self._listeners.items()]
        lines = {
            "process.roles": "broker,controller",
            "node.id": str(broker.node),
            "controller.quorum.voters": voters,
            "controller.listener.names": "CONTROLLER",
            "listeners": f"PLAINTEXT://{broker.address},CONTROLLER://{HOST}:{broker.controller_port}{''.join(further)}",
            "advertised.listeners": f"PLAINTEXT://{broker.address}{''.join(advertised)}",
            "listener.security.protocol.map": f"PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT{''.join(protocols)}",
            "inter.broker.listener.name": "PLAINTEXT",
            "log.dirs": str(broker.folder / "data"),
            "auto.create.topics.enable": "false",
            "default.replication.factor": copies,
            "min.insync.replicas": in_sync,
            "offsets.topic.num.partitions": "4",
            "offsets.topic.replication.factor": copies,
            "transaction.state.log.num.partitions": "4",
            "transaction.state.log.replication.factor": copies,
            "transaction.state.log.min.isr": in_sync,
            "share.coordinator.state.topic.num.partitions": "1",
            "share.coordinator.state.topic.replication.factor": copies,
            "share.coordinator.state.topic.min.isr": in_sync,
            "group.initial.rebalance.delay.ms": "0",
            "log.cleaner.dedupe.buffer.size": "4194304",  # the default takes a third of a small heap
            "broker.session.timeout.ms": "3000",  # a killed broker loses its leadership within this
            "broker.heartbeat.interval.ms": "500",
            "replica.lag.time.max.ms": "3000",
            "num.network.threads": "2",
            "num.io.threads": "2",
            "background.threads": "2",
            **self._settings,
            **{
                f"listener.name.{name.lower()}.{key}": value
                for name, listener in self._listeners.items()
                for key, value in listener.settings.items()
            },
        }
        return "".join(f"{key}={value}\n" for key, value in lines.items())

    def _jvm(self, heap: str, *options: str) -> list[str]:
        return [
            *(self._java, f"-Xmx{heap}", "-XX:+UseSerialGC", *options),
            *("-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-Dlog4j2.level=warn", "-Djava.awt.headless=true"),
            *("-cp", self._classpath),
        ]

    def _launch(self, broker: _Broker) -> None:
        broker.log = (broker.folder / "log").open("ab")
        broker.process = subprocess.Popen(
            [*self._jvm(_HEAP, *self._options), "kafka.Kafka", str(broker.config)],
            stdin=subprocess.DEVNULL,
            stdout=broker.log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C reaches us; we stop the brokers
        )
        broker.guard = subprocess.Popen(
            ["/bin/sh", "-c", _GUARD, "guard", str(broker.process.pid)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def _end(self, broker: _Broker, *, patience: float) -> None:
        """Ends a broker by its id, by force once patience is over, and then its guard, which is told not to act."""
        process, guard, log = broker.process, broker.guard, broker.log
        broker.process = broker.guard = broker.log = None
        if process is not None:
            try:
                process.wait(patience)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if guard is not None:
            with contextlib.suppress(BrokenPipeError):
                guard.communicate(b"ended\n")
        if log is not None:
            log.close()

    def _look_at(self, broker: _Broker, seconds: float) -> None:
        """Lets a moment pass; where the broker ended meanwhile, says what its log says."""
        process = broker.process
        if process is None:
            raise KafkaUnavailable(f"Kafka broker {broker.node} was stopped while it was waited for.")
        with contextlib.suppress(subprocess.TimeoutExpired):
            code = process.wait(seconds)
            raise KafkaUnavailable(f"Kafka broker {broker.node} ended with code {code}:\n{_end_of_log(broker)}")


def wait_for_metadata(
    address: str, nodes: set[int], *, seconds: float, pause: Callable[[float], None] = time.sleep
) -> None:
    """Returns once the broker at host:port answers and knows these nodes. Raises KafkaUnavailable when time is up.

    `pause` is called between looks, and may raise.
    """
    deadline = time.monotonic() + seconds
    while not (_listens(address) and nodes <= _known_to(address)):
        if time.monotonic() > deadline:
            raise KafkaUnavailable(f"Kafka at {address} does not know of all brokers after {seconds:.0f} s.")
        pause(_LOOK_SECONDS)


def _listens(address: str) -> bool:
    host, _, port = address.rpartition(":")
    with contextlib.suppress(OSError), socket.create_connection((host, int(port)), timeout=1.0):
        return True
    return False


def _known_to(address: str) -> set[int]:
    from kafka import KafkaAdminClient
    from kafka.errors import KafkaError

    try:
        admin = KafkaAdminClient(bootstrap_servers=address, bootstrap_timeout_ms=5_000, request_timeout_ms=5_000)
    except KafkaError:
        return set()
    try:
        return {each["broker_id"] for each in admin.describe_cluster()["brokers"]}
    except KafkaError:
        return set()
    finally:
        admin.close()


def _end_of_log(broker: _Broker) -> str:
    lines = (broker.folder / "log").read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(lines[-_LINES_OF_LOG:])


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on at this moment, and that no outgoing connection is given while they are not in use:
    systems take those from 32768 on, and a broker that is started again needs the port that it had."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(_bound()) for _ in range(count)]
        return [int(each.getsockname()[1]) for each in sockets]


def _bound() -> socket.socket:
    for _ in range(_ATTEMPTS):
        candidate = socket.socket()
        try:
            candidate.bind((HOST, random.choice(_PORTS)))  # noqa: S311
        except OSError:
            candidate.close()
        else:
            return candidate
    raise KafkaUnavailable(f"No port between {_PORTS.start} and {_PORTS.stop} is free.")
