"""The roles of a cluster, wired: each a function that works until `stop` is set.

Every role is one process of several; how many of a kind there may be is up to whoever runs them. Some share the work by
partition (`react`, `project`, `deliver`), of others one is active and the rest stand by (`seal`, `publish`, `clock`).
"""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial

from adapters.delivery.carrier import Carrier
from adapters.delivery.deliverer import AT_ONCE, Deliverer
from adapters.eventstore.sealer import Sealer
from adapters.kafka.connection import events_topic, group_of, ticks_topic
from adapters.kafka.publisher import TopicUnfit
from adapters.kafka.seats import Seat
from adapters.kafka.topic_runner import TopicRunner
from adapters.kafka.topics import Topics
from adapters.reactor import Reactor
from adapters.readers.generations import GenerationReader
from adapters.ticker import Ticker
from adapters.work.worker import Worker
from adapters.workers.app import run_workers
from adapters.workers.clock import ClockWork
from adapters.workers.policies import PolicyWorker
from adapters.workers.ticks import TickWorker
from api.processes.core import Core
from policies.table import POLICIES

TICK_SECONDS = 2.0


def seal(core: Core, stop: threading.Event) -> None:
    """Gives events their place in the log; one process does, the others stand by."""
    sealer = Sealer(core.database, anchor=core.anchor)
    try:
        sealer.run(stop)
    finally:
        sealer.close()


def project(core: Core, stop: threading.Event, *, names: Sequence[str] = ()) -> None:
    """Keeps read tables up to date, those named or all; the processes share the partitions. Builds what is missing.

    Raises TopicUnfit, as all do who read or write a topic.
    """
    core.projections.check(names)
    partitions_of(events_topic(core.env), core.env)
    core.projections.start()
    chosen = names or core.projections.names
    readers = {name: partial(projection_seat, core, name) for name in chosen}
    runner = TopicRunner(
        core.database, core.arrears.event_mapper, readers, group=group_of("project", core.env, names), env=core.env
    )
    runner.run(stop)


def projection_seat(core: Core, name: str) -> Seat:
    """The seat of a projection's live generation. Raises ReaderRetired where there is none."""
    projection, generation = core.projections.live(name)
    return Seat(
        core.database,
        GenerationReader(projection, generation),
        search_path=generation.search_path,
        on_progress=partial(core.projections.watermark.announce, name),
    )


def react(core: Core, stop: threading.Event) -> None:
    """Applies policies, works ticks and does work over many accounts; the processes share the partitions, and take
    turns with the work. Raises WorkerEnded."""
    partitions = shared_partitions(core.env)
    reactor = Reactor(core.arrears, POLICIES)
    ticker = Ticker(core.arrears, core.database)
    policies = PolicyWorker(core.database, core.arrears, reactor, env=core.env, partitions=partitions, stop=stop)
    ticks = TickWorker(core.database, ticker, partitions=partitions, stop=stop)
    with working(core):
        try:
            run_workers(policies, ticks, env=core.env, stop=stop)
        finally:
            ticker.close()


@contextmanager
def working(core: Core) -> Iterator[None]:
    """A thread beside the role's own loop that does work over many accounts. It runs on an event of its own: by looking
    at the role's it would give a sign of life for a loop that hangs."""
    ending = threading.Event()
    thread = threading.Thread(target=Worker(core.database, core.arrears).run, args=[ending], name="work", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ending.set()
        thread.join()


def deliver(core: Core, stop: threading.Event, *, carrier: Carrier) -> None:
    """Sends queued messages; the processes share the partitions."""

    partitions_of(events_topic(core.env), core.env)

    def wait_until(moment: datetime) -> None:
        stop.wait(max(0.0, (moment - core.clock.now()).total_seconds()))

    runner = TopicRunner(
        core.database,
        core.arrears.event_mapper,
        {Deliverer.name: lambda: Seat(core.database, Deliverer(core.arrears, carrier, wait_until))},
        group=group_of("deliver", core.env),
        env=core.env,
        batch=AT_ONCE,
    )
    runner.run(stop)


def clock(core: Core, stop: threading.Event, *, every: float = TICK_SECONDS) -> None:
    """Says what time it is to each partition; one process does, the others stand by."""
    partitions_of(ticks_topic(core.env), core.env)
    clockwork = ClockWork(core.database, core.clock, env=core.env)
    try:
        clockwork.run(stop, every=every)
    finally:
        clockwork.close()


def partitions_of(topic: str, env: Mapping[str, str]) -> int:
    """How many partitions a topic has. Raises KafkaUnavailable, and TopicUnfit where there is no such topic."""
    with Topics(env) as topics:
        count = topics.partitions(topic)
    if not count:
        raise TopicUnfit(f"Kafka has no topic {topic}. Make it: arrears topics apply")
    return count


def shared_partitions(env: Mapping[str, str]) -> int:
    """How many partitions events and ticks have. Raises TopicUnfit where a topic is missing, or they differ."""
    counts = {topic: partitions_of(topic, env) for topic in (events_topic(env), ticks_topic(env))}
    if len(set(counts.values())) > 1:
        said = ", ".join(f"{topic} has {count} partitions" for topic, count in counts.items())
        raise TopicUnfit(f"{said}; they have to have the same number")
    return next(iter(counts.values()))
