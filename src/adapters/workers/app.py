"""The Faust app: partitions, streams and ticks. Everything that must not be lost is kept elsewhere.

At least once, one batch at a time, no tables, no leader topic. Faust takes an event that failed for done, so nothing
that fails leaves an agent.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any, TypeVar

import faust
import structlog
import uvloop
from aiokafka.abc import AbstractTokenProvider
from faust.auth import OAuthCredentials
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread
from kafka.errors import KafkaError
from mode.threads import WorkerThread

from adapters.kafka.connection import bootstrap_servers, events_topic, group_of, ticks_topic
from adapters.kafka.jars import KafkaUnavailable
from adapters.kafka.membership import NoPartitions, partitions_of_nobody
from adapters.kafka.security import Login, Security, security
from adapters.kafka.topic_runner import WORKER_VARIABLE
from adapters.workers import header_names  # noqa: F401  Faust's client is to read whatever is on a topic
from adapters.workers.policies import PolicyWorker
from adapters.workers.ticks import TickWorker

BATCH = 1_000
_FILL_SECONDS = 0.1
"""Faust hands over what came in this time, or a full batch at once: less time, and a backlog goes in small ones."""
_TICK_FILL_SECONDS = 0.1
_CONFIRM_SECONDS = 0.1
_LISTEN_SECONDS = 5.0
_IDLE_SECONDS = 30.0
"""Whoever has no partitions for so long asks whether somebody else has them."""
_SESSION_SECONDS = 10.0
_HEARTBEAT_SECONDS = 3.0
_REQUEST_SECONDS = 40.0
_START_SECONDS = 100.0
_LEAVE_SECONDS = 12.0
"""For what is at hand, and for leaving the group; a process is given 30 s to end."""

Result = TypeVar("Result")

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class _LeftBehind(WorkerThread):
    """The thread of Faust's consumer, which must not keep a process alive that has ended otherwise."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.daemon = True


AIOKafkaConsumerThread.Worker = _LeftBehind


class _App(faust.App):
    """Faust's app, which makes no folder for tables: there are none."""

    async def on_first_start(self) -> None:
        """Faust's own makes its data folder, and does nothing else."""


class WorkerEnded(RuntimeError):
    """Faust gave up. The process ends, and whoever looks after it starts another."""


def run_workers(
    policies: PolicyWorker,
    ticks: TickWorker,
    *,
    env: Mapping[str, str],
    stop: threading.Event,
) -> None:
    """Works on the partitions that the group gives to this process until `stop` is set. Leaves the group and starts
    again where the topic was made anew, and where the group gives it nothing that nobody has. Raises WorkerEnded, and
    TopicUnfit where the topic is divided otherwise by then.

    Faust does not always end when it is told to (a broker is away, or its own threads wait for each other). Nothing
    depends on its doing so, so it is left behind then.
    """
    while policies.begin():
        _run_worker(policies, ticks, env=env, stop=stop)
        if stop.is_set():
            break
        _log.warning("Faust starts again", why=str(policies.must_leave))
    policies.close()
    ticks.close()


def _run_worker(policies: PolicyWorker, ticks: TickWorker, *, env: Mapping[str, str], stop: threading.Event) -> None:
    """Until `stop` is set, or the worker has to leave."""
    leaving = threading.Event()
    ended: Future[None] = Future()

    def run() -> None:
        try:
            run_loop(_work(policies, ticks, env=env, stop=stop, leaving=leaving))
        except BaseException as error:
            ended.set_exception(error)
        else:
            ended.set_result(None)
        finally:
            leaving.set()

    threading.Thread(target=run, name="faust", daemon=True).start()
    leaving.wait()
    wait([ended], timeout=_LEAVE_SECONDS)
    if ended.done():
        ended.result()
        return
    _log.warning("Faust did not end in time and is left behind", seconds=_LEAVE_SECONDS)
    if not stop.is_set():
        stop.set()
        raise WorkerEnded("Faust did not leave its group, and would keep its partitions from the next one")


def run_loop(work: Coroutine[Any, Any, Result]) -> Result:
    """Runs it in an event loop of its own: Faust makes three tasks for each message, which uvloop does faster."""
    return uvloop.run(work)


async def _work(
    policies: PolicyWorker,
    ticks: TickWorker,
    *,
    env: Mapping[str, str],
    stop: threading.Event,
    leaving: threading.Event,
) -> None:
    app = make_app(env)
    with (
        ThreadPoolExecutor(1, thread_name_prefix="policies") as policy_thread,
        ThreadPoolExecutor(1, thread_name_prefix="ticks") as tick_thread,
    ):
        loop = asyncio.get_running_loop()

        async def handle_policies(messages: Sequence[Any]) -> None:
            await loop.run_in_executor(policy_thread, policies.take, messages)

        async def handle_ticks(messages: Sequence[Any]) -> None:
            await loop.run_in_executor(tick_thread, ticks.take, messages)

        add_agent(app, "policies", events_topic(env), handle_policies, within=_FILL_SECONDS)
        add_agent(app, "ticks", ticks_topic(env), handle_ticks, within=_TICK_FILL_SECONDS)
        try:
            await _start(app, stop)
            idle = _Idle(app.conf.id, env)
            while not stop.is_set() and policies.must_leave is None:
                if app.should_stop or app.crashed:
                    raise WorkerEnded(f"Faust ended: {app.crash_reason!r}")
                owned = frozenset(
                    each.partition for each in app.consumer.assignment() if each.topic == events_topic(env)
                )
                if owned and not app.rebalancing:
                    await loop.run_in_executor(policy_thread, policies.confirm, owned)
                if idle.is_due():
                    await loop.run_in_executor(policy_thread, policies.look)
                    await loop.run_in_executor(policy_thread, idle.look, policies, bool(owned))
                await asyncio.sleep(_CONFIRM_SECONDS)
        except BaseException:
            stop.set()
            raise
        finally:
            leaving.set()
            await app.stop()


class _Idle:
    """Looks every few seconds whether a worker has partitions. One without any may be one too many; or its group has
    forgotten it, which Faust does not always notice."""

    def __init__(self, group: str, env: Mapping[str, str]) -> None:
        self._group = group
        self._env = env
        self._looked_at = self._had_some_at = time.monotonic()

    def is_due(self) -> bool:
        return time.monotonic() - self._looked_at > _LISTEN_SECONDS

    def look(self, policies: PolicyWorker, has_some: bool) -> None:
        self._looked_at = now = time.monotonic()
        if has_some:
            self._had_some_at = now
        if now - self._had_some_at <= _IDLE_SECONDS:
            return
        self._had_some_at = now
        try:
            left = partitions_of_nobody(self._env, self._group, events_topic(self._env))
        except (KafkaError, KafkaUnavailable) as error:
            _log.warning("who has which partition is not known", said=str(error))
            return
        if left:
            policies.leave(
                NoPartitions(f"no partitions for {_IDLE_SECONDS:.0f} seconds, and nobody has {sorted(left)}")
            )


async def _start(app: faust.App, stop: threading.Event) -> None:
    """Returns early where it is asked to stop. Raises WorkerEnded, and what Faust raises."""
    starting = asyncio.ensure_future(app.start())
    until = time.monotonic() + _START_SECONDS
    while not starting.done():
        if stop.is_set() or time.monotonic() > until:
            starting.cancel()
            break
        await asyncio.wait([starting], timeout=_CONFIRM_SECONDS)
    else:
        starting.result()
        return
    if not stop.is_set():
        raise WorkerEnded(f"Faust did not start within {_START_SECONDS:.0f} s")


def add_agent(
    app: faust.App,
    name: str,
    topic: str,
    handle: Callable[[Sequence[Any]], Coroutine[Any, Any, None]],
    *,
    within: float,
    batch: int = BATCH,
) -> None:
    """An agent that hands over batches of messages, one after the other."""
    source = app.topic(topic, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw")

    async def agent(stream: Any) -> None:
        async for events in stream.take_events(batch, within=within):
            await handle([event.message for event in events])

    app.agent(source, name=name, concurrency=1)(agent)


def make_app(env: Mapping[str, str], *, group: str | None = None, **settings: Any) -> faust.App:
    """An app without web server, tables and topics of its own."""
    worker_id = env.get(WORKER_VARIABLE)
    return _App(
        group or group_of("react", env),
        **{
            "broker": ";".join(f"kafka://{each}" for each in bootstrap_servers(env)),
            "broker_credentials": _credentials(security(env)),
            "broker_session_timeout": _SESSION_SECONDS,
            "broker_heartbeat_interval": _HEARTBEAT_SECONDS,
            "broker_request_timeout": _REQUEST_SECONDS,
            "broker_commit_interval": 1.0,
            "broker_max_poll_records": BATCH,
            "consumer_auto_offset_reset": "earliest",
            "consumer_group_instance_id": worker_id,
            "key_serializer": "raw",
            "value_serializer": "raw",
            "processing_guarantee": "at_least_once",
            "stream_wait_empty": False,
            "topic_allow_declare": False,
            "topic_disable_leader": True,
            "web_enabled": False,
            "web_in_thread": False,
            "worker_redirect_stdouts": False,
            **settings,
        },
    )


def _credentials(protected: Security) -> Any:
    """The same as for the other clients, as Faust wants it."""
    login = protected.login
    if login is None:
        return faust.SSLCredentials(protected.tls) if protected.tls is not None else None
    if login.token_file is not None:
        return OAuthCredentials(oauth_cb=_Tokens(login), ssl_context=protected.tls)
    return faust.SASLCredentials(
        mechanism=login.mechanism, username=login.username, password=login.password, ssl_context=protected.tls
    )


class _Tokens(AbstractTokenProvider):  # type: ignore[misc]
    """Asked at each login, on Faust's event loop, which reading a file must not hold."""

    def __init__(self, login: Login) -> None:
        super().__init__()
        self._login = login

    async def token(self) -> str:
        return await asyncio.to_thread(self._login.token)
