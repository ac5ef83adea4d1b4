from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from adapters.clock import ManualClock
from adapters.eventstore.application import Arrears
from adapters.postgres.database import Database
from adapters.telemetry import tracing
from adapters.telemetry.metrics import OURS
from tests.adapters.eventstore.conftest import MASTER_KEY, NOON
from tests.adapters.readers.log import Log

Grown = Callable[..., float]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOON)


@pytest.fixture
def app(database: Database, clock: ManualClock) -> Iterator[Arrears]:
    with Arrears(database, master_key=MASTER_KEY, clock=clock) as app:
        yield app


@pytest.fixture
def log(database: Database) -> Iterator[Log]:
    log = Log(database)
    yield log
    log.close()


@pytest.fixture
def grown() -> Grown:
    """By how much a metric of this process has grown since the test began; other tests counted too."""
    before = {(each.name, _key(each.labels)): each.value for family in OURS.collect() for each in family.samples}

    def since(name: str, **labels: str) -> float:
        return (OURS.get_sample_value(name, labels) or 0.0) - before.get((name, _key(labels)), 0.0)

    return since


def _key(labels: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(labels.items()))


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    """Tracing is on, and what it would send is kept here."""
    kept = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(kept))
    with ExitStack() as stack:
        stack.callback(provider.shutdown)
        stack.enter_context(tracing.traced_by(provider))
        yield kept
