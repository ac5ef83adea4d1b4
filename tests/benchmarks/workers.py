"""Policies in Faust workers, beside Faust agents that do next to nothing on the same topic."""

import asyncio
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import uuid4

from kafka import KafkaConsumer, KafkaProducer

from adapters.kafka.cloudevents import glance
from adapters.kafka.connection import events_topic, group_of
from adapters.kafka.partition_counts import shared_partitions
from adapters.kafka.topics import Change, Topics, read_topics
from adapters.reactor import Reactor
from adapters.ticker import Ticker
from adapters.workers.app import add_agent, make_app, run_loop, run_workers
from adapters.workers.policies import PolicyWorker
from adapters.workers.ticks import TickWorker
from aggregates.account.billing import InvoiceBilled
from policies.table import POLICIES
from tests.benchmarks.harness import Row, benchmark
from tests.benchmarks.stage import Stage, billed, real_mix, staged, until

_INVOICES = 10_000
_ACCOUNTS = 15_000
_TABLE_EVENTS = 10_000
_COMMANDS_BESIDE_COUNTING = 0.2
"""2,500 commands a second were asked for where the counting agent made 12,000 events; both go with the machine."""


@benchmark("faust")
def policies() -> list[Row]:
    """Policies through Faust: on the real mix of events, and where every event causes a command."""
    with staged(real_mix(_INVOICES)) as stage:
        table = run_loop(_table(stage, min(_TABLE_EVENTS, stage.events)))
        ours, counting = _beside_counting(stage)
    with staged(billed(_ACCOUNTS)) as stage:
        commands, counting_these = _beside_counting(_only(stage, InvoiceBilled.event_name))
    return [
        Row("policies through Faust, real mix", ours, "events/s", "Faust agent that counts, take(1000)", counting, 0.5),
        Row("policies through Faust, real mix", ours, "events/s", "Faust agent, table, per event", table, 1.0),
        Row("policies through Faust, a command for every event", commands, "commands/s", "limit", 2_500, 2_500, True),
        Row(
            "policies through Faust, a command for every event", commands, "commands/s",
            "Faust agent that counts, take(1000)", counting_these, _COMMANDS_BESIDE_COUNTING,
        ),
    ]  # fmt: skip


def _only(stage: Stage, name: str) -> Stage:
    """A topic on which there is one kind of event."""
    source, target = events_topic(stage.env), "bench.only"
    with Topics(stage.env) as topics:
        (usual,) = (each for each in read_topics() if each.name == source)
        topics.apply(Change(target, "create", create=replace(usual.with_copies(1), name=target)))
    servers = stage.env["KAFKA_BOOTSTRAP_SERVERS"]
    consumer = KafkaConsumer(source, bootstrap_servers=servers, auto_offset_reset="earliest")
    producer = KafkaProducer(bootstrap_servers=servers, linger_ms=20)
    seen = sent = 0
    while seen < stage.events:
        for records in consumer.poll(timeout_ms=1_000, max_records=5_000).values():
            for record in records:
                seen += 1
                if glance(dict(record.headers)).name == name:
                    sent += 1
                    producer.send(
                        target, record.value, key=record.key, headers=list(record.headers), partition=record.partition
                    )
    producer.flush()
    producer.close()
    consumer.close()
    return replace(stage, env={**stage.env, "ARREARS_EVENTS_TOPIC": target}, events=sent)


# --- ours -----------------------------------------------------------------------------------------------------


class _Timed(PolicyWorker):
    """Notes when the first batch came and how many events came by when."""

    first: float | None = None
    last = 0.0
    given = 0

    def take(self, messages: Sequence[Any]) -> None:
        if self.first is None:
            self.first = time.perf_counter()
        super().take(messages)
        self.given += len(messages)
        self.last = time.perf_counter()


def _beside_counting(stage: Stage) -> tuple[float, float]:
    """Ours, and the counting agent before and after it: the machine is not always equally fast."""
    before = run_loop(_counting(stage))
    ours = _ours(stage)
    return ours, (before + run_loop(_counting(stage))) / 2


def _ours(stage: Stage) -> float:
    """Events a second, from the first batch to the last."""
    stage.begin_anew("policies", group_of("react", stage.env))
    with stage.service() as service:
        stop = threading.Event()
        reactor = Reactor(service.arrears, POLICIES)
        ticker = Ticker(service.arrears, service.database)
        partitions = shared_partitions(stage.env)
        worker = _Timed(service.database, service.arrears, reactor, env=stage.env, partitions=partitions, stop=stop)
        ticks = TickWorker(service.database, ticker, partitions=partitions, stop=stop)
        thread = threading.Thread(target=lambda: run_workers(worker, ticks, env=stage.env, stop=stop))
        thread.start()
        until(lambda: worker.given >= stage.events, 300)
        stop.set()
        thread.join()
        ticker.close()
    return stage.events / (worker.last - (worker.first or 0.0))


# --- peers ----------------------------------------------------------------------------------------------------


async def _counting(stage: Stage) -> float:
    """An agent that counts batches of a thousand."""
    seen: list[tuple[float, int]] = []
    done = asyncio.Event()

    async def count(messages: Sequence[Any]) -> None:
        seen.append((time.perf_counter(), len(messages)))
        if sum(number for _, number in seen) >= stage.events:
            done.set()

    app = make_app(stage.env, group=f"bench-{uuid4().hex[:8]}")
    add_agent(app, "count", events_topic(stage.env), count, within=0.02)
    await app.start()
    await done.wait()
    await app.stop()
    return sum(number for _, number in seen[1:]) / (seen[-1][0] - seen[0][0])


async def _table(stage: Stage, events: int) -> float:
    """An agent that counts each event in a table, as Faust's own examples do."""
    app = make_app(
        stage.env, group=f"bench-{uuid4().hex[:8]}", topic_allow_declare=True, topic_partitions=12, store="memory://"
    )
    table = app.Table("counts", default=int, partitions=12)
    times: list[float] = []
    done = asyncio.Event()

    async def agent(stream: Any) -> None:
        async for event in stream.events():
            table[event.key.decode()] += 1
            times.append(time.perf_counter())
            if len(times) >= events:
                done.set()

    app.agent(app.topic(events_topic(stage.env), key_type=bytes, value_type=bytes), name="table")(agent)
    await app.start()
    await done.wait()
    await app.stop()
    return (len(times) - 1) / (times[-1] - times[0])
