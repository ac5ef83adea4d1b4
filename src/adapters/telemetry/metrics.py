"""What this process counts, and how it is shown to Prometheus.

A batch costs one increment for each distinct set of labels in it, never one for each event. Labels are names of
commands, reasons, channels and readers, of which there are as many as the code has; nothing in them says whom a
number is about. `docs/telemetry.md` lists every metric.
"""

from collections import Counter as Tally
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    Metric,
    PlatformCollector,
    ProcessCollector,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

OURS = CollectorRegistry()
"""The metrics of this module."""

_PYTHON = CollectorRegistry()
"""Memory, processor time, open files and garbage collections of the process, under the names that all clients use."""
ProcessCollector(registry=_PYTHON)
PlatformCollector(registry=_PYTHON)
GCCollector(registry=_PYTHON)

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

COMMANDS = Counter(
    "arrears_commands",
    "Commands by what came of them: accepted, rejected (the reason says why), repeated (known already) or failed.",
    ["command", "outcome", "reason"],
    registry=OURS,
)
HANDLE_SECONDS = Histogram(
    "arrears_handle_seconds",
    "Time to load, decide and store one batch of commands.",
    buckets=_SECONDS,
    registry=OURS,
)
DELIVERIES = Counter(
    "arrears_deliveries",
    "Messages by what became of them: sent, failed, or uncertain (may have left, and is not sent again).",
    ["channel", "result"],
    registry=OURS,
)
READER_EVENTS = Counter(
    "arrears_reader_events",
    "Events that a reader of this process has read and handled, or found to be of no interest.",
    ["reader"],
    registry=OURS,
)
QUARANTINED = Counter(
    "arrears_quarantined_messages",
    "Messages on a topic that a reader of this process passed over because they are not what the log has.",
    ["reader", "topic", "reason"],
    registry=OURS,
)
TICKS = Counter("arrears_ticks", "Ticks of the clock that were worked.", registry=OURS)
TICKS_REFUSED = Counter(
    "arrears_ticks_refused",
    "Ticks that were not worked, because they said a time that had not come by the database's clock.",
    registry=OURS,
)
TICK_DUE = Counter("arrears_tick_due_items", "Agenda items that ticks found due.", registry=OURS)
TICK_COMMANDS = Counter("arrears_tick_commands", "Commands that ticks issued.", registry=OURS)
TICK_UNKNOWN = Counter(
    "arrears_tick_unknown_items",
    "Agenda items that ticks found due and left, because this release does not know their kind.",
    registry=OURS,
)

HTTP_REQUESTS = Counter(
    "arrears_http_requests",
    "Requests by what came of them: answered, refused (too much was asked at once), or dropped (the client had left).",
    ["work", "outcome"],
    registry=OURS,
)
HTTP_RUNNING = Gauge("arrears_http_running_requests", "Requests that are being worked on.", ["work"], registry=OURS)
HTTP_WAITING = Gauge("arrears_http_waiting_requests", "Requests that wait for a place.", ["work"], registry=OURS)
HTTP_CONNECTIONS = Gauge("arrears_http_connections", "Open connections.", registry=OURS)
HTTP_CLOSED = Counter(
    "arrears_http_closed_connections",
    "Connections that were closed because they held up others; the reason says how.",
    ["reason"],
    registry=OURS,
)


TOPIC_CHANGES = Counter(
    "arrears_topic_changes",
    "Times that a publisher or reader found that the topic is not what it was: made anew, divided into another number"
    " of partitions, or cut (events were deleted that the reader had not seen).",
    ["reader", "change"],
    registry=OURS,
)


class TopicChange(StrEnum):
    """What became of a topic."""

    ANEW = "anew"
    DIVIDED = "divided"
    CUT = "cut"


class Came(StrEnum):
    """What came of a request."""

    ANSWERED = "answered"
    REFUSED = "refused"
    DROPPED = "dropped"


WhatCame = tuple[str, str, str]
"""Of a command: its name, the outcome, and the reason of a rejection (else empty)."""


def count_commands(what_came: Iterable[WhatCame], *, seconds: float) -> None:
    """A batch of commands was handled; `seconds` is the time that all of it took."""
    for labels, count in Tally(what_came).items():
        COMMANDS.labels(*labels).inc(count)
    HANDLE_SECONDS.observe(seconds)


def count_delivery(channel: str, result: str) -> None:
    """A message was sent, failed, or is uncertain."""
    DELIVERIES.labels(channel, result).inc()


def count_events(reader: str, count: int) -> None:
    """A reader has handled a batch of events. Generations of a projection count as one reader."""
    if count:
        READER_EVENTS.labels(reader.partition("@")[0]).inc(count)


def count_quarantined(reader: str, topic: str, reason: str, count: int) -> None:
    """A reader passed over messages."""
    QUARANTINED.labels(reader, topic, reason).inc(count)


def count_topic_change(reader: str, change: TopicChange) -> None:
    """A publisher or reader found that the topic is not what it was."""
    TOPIC_CHANGES.labels(reader.partition("@")[0], change.value).inc()


def count_tick(*, due: int, commands: int, unknown: int) -> None:
    """A tick was worked."""
    TICKS.inc()
    TICK_DUE.inc(due)
    TICK_COMMANDS.inc(commands)
    TICK_UNKNOWN.inc(unknown)


def count_refused_tick() -> None:
    """A tick said a time that had not come."""
    TICKS_REFUSED.inc()


def count_request(work: str, came: Came) -> None:
    """A request came to its end."""
    HTTP_REQUESTS.labels(work, came.value).inc()


def count_closed(reason: str) -> None:
    """A connection was closed that would have held up others."""
    HTTP_CLOSED.labels(reason).inc()


Counted = Sequence[Sequence[Any]]
"""What a process has counted, as JSON: of each sample its metric, its name, its labels, and the value."""

_OF_HELPERS: dict[str, Counted] = {}
"""By helper, what it said last."""

_BEGAN = "_created"
"""How names of samples end that say since when something is counted."""


def counted() -> Counted:
    """What this process has counted so far, for the one that shows it."""
    return [[metric.name, each.name, each.labels, each.value] for metric in OURS.collect() for each in metric.samples]


def heard(helper: str, said: Counted) -> None:
    """What a helper of this process has counted so far: it is shown with what is counted here."""
    _OF_HELPERS[helper] = said


class _WithHelpers(Collector):
    """The metrics of this module, each summed over this process and its helpers."""

    def collect(self) -> Iterable[Metric]:
        heard_of: dict[str, list[Sample]] = {}
        for said in list(_OF_HELPERS.values()):
            for metric_name, name, labels, value in said:
                heard_of.setdefault(metric_name, []).append(Sample(name, labels, value))
        for metric in OURS.collect():
            metric.samples = _summed([*metric.samples, *heard_of.get(metric.name, ())])
            yield metric


def _summed(samples: Iterable[Sample]) -> list[Sample]:
    summed: dict[tuple[str, tuple[tuple[str, str], ...]], Sample] = {}
    for each in samples:
        key = (each.name, tuple(each.labels.items()))
        before = summed.get(key)
        if before is None:
            summed[key] = each
        elif each.name.endswith(_BEGAN):
            summed[key] = before._replace(value=min(before.value, each.value))
        else:
            summed[key] = before._replace(value=before.value + each.value)
    return list(summed.values())


def registry_of(collectors: Iterable[Collector] = ()) -> CollectorRegistry:
    """Everything this process and its helpers count, and what `collectors` find when they are asked."""
    registry = CollectorRegistry(support_collectors_without_names=True)
    shown: tuple[Collector, ...] = (_WithHelpers(), _PYTHON, *collectors)
    for each in shown:
        registry.register(each)
    return registry


def exposition(registry: CollectorRegistry, accept: str | None) -> tuple[str, bytes]:
    """Media type and text of all metrics, in the version of the format that an Accept header asks for."""
    encode, media_type = choose_encoder(accept or "")
    return media_type, encode(registry)
