"""What the process counts: each batch once, under labels of which there are few."""

from collections.abc import Iterator
from uuid import uuid4

import pytest
from structlog.testing import capture_logs

from adapters.eventstore.application import Arrears
from adapters.postgres.database import Database
from adapters.readers.projections import Projections
from adapters.readers.runner import Runner
from adapters.telemetry import metrics
from adapters.ticker import Ticker
from projections.agenda import AgendaProjection
from tests.adapters.eventstore.conftest import NOON, issue
from tests.adapters.eventstore.ledger import Break, Count, CountTwiceThenRefuse, OpenCase
from tests.adapters.readers.any_reader import AnyReader
from tests.adapters.readers.builders import a_step, an_item, billed, opened
from tests.adapters.readers.log import Log
from tests.adapters.telemetry.conftest import Grown


def commands(grown: Grown, command: str, outcome: str, reason: str = "") -> float:
    return grown("arrears_commands_total", command=command, outcome=outcome, reason=reason)


def test_commands_are_counted_by_name_and_by_what_came_of_them(app: Arrears, grown: Grown):
    case_id = uuid4()
    opened = issue(OpenCase(case_id=case_id))
    app.handle([opened, issue(Count(case_id=case_id)), issue(Count(case_id=case_id))])
    app.handle([opened])
    app.handle([issue(CountTwiceThenRefuse(case_id=case_id))])
    with pytest.raises(ZeroDivisionError):
        app.handle([issue(Break(case_id=case_id)), issue(Count(case_id=case_id))])
    assert commands(grown, "test-open-case", "accepted") == 1
    assert commands(grown, "test-open-case", "repeated") == 1
    assert commands(grown, "test-count", "accepted") == 3
    assert commands(grown, "test-count-then-refuse", "rejected", "test-changed-my-mind") == 1
    assert commands(grown, "test-break", "failed") == 1
    assert grown("arrears_handle_seconds_count") == 4
    assert grown("arrears_handle_seconds_sum") > 0


def test_what_could_not_be_stored_has_failed(app: Arrears, grown: Grown, monkeypatch: pytest.MonkeyPatch):
    def gone(*_: object, **__: object) -> None:
        raise ConnectionError

    monkeypatch.setattr(app._log, "append", gone)
    with pytest.raises(ConnectionError):
        app.handle([issue(OpenCase(case_id=uuid4()))])
    assert commands(grown, "test-open-case", "failed") == 1
    assert commands(grown, "test-open-case", "accepted") == 0


def test_a_batch_costs_one_increment_for_each_set_of_labels(
    app: Arrears, grown: Grown, monkeypatch: pytest.MonkeyPatch
):
    asked: list[tuple[str, ...]] = []
    labels = metrics.COMMANDS.labels

    def noted(*values: str) -> object:
        asked.append(values)
        return labels(*values)

    monkeypatch.setattr(metrics.COMMANDS, "labels", noted)
    app.handle([issue(OpenCase(case_id=uuid4())) for _ in range(50)])
    assert asked == [("test-open-case", "accepted", "")]
    assert commands(grown, "test-open-case", "accepted") == 50


def test_events_are_counted_for_each_reader(database: Database, log: Log, grown: Grown):
    class Nobody(AnyReader):
        name = "nobody"

        def handle(self, batch: object, connection: object) -> None:
            pass

    for number in range(3):
        log.append(uuid4(), billed(an_item(f"I-{number}")))
    runner = Runner(database, log.feed, Nobody())
    runner.catch_up()
    runner.release()
    assert grown("arrears_reader_events_total", reader="nobody") == 3


def test_generations_of_a_projection_are_one_reader(grown: Grown):
    metrics.count_events("agenda@1", 2)
    metrics.count_events("agenda@2", 3)
    assert grown("arrears_reader_events_total", reader="agenda") == 5


@pytest.fixture
def agenda(database: Database, log: Log) -> Iterator[Projections]:
    projections = Projections(database, log.feed, [AgendaProjection])
    projections.start()
    yield projections
    projections.close()


@pytest.fixture
def ticker(app: Arrears, database: Database, agenda: Projections) -> Iterator[Ticker]:
    ticker = Ticker(app, database)
    yield ticker
    ticker.close()


def test_ticks_are_counted(ticker: Ticker, grown: Grown):
    ticker.tick(NOON)
    assert grown("arrears_ticks_total") == 1
    assert grown("arrears_tick_due_items_total") == 0
    assert grown("arrears_tick_unknown_items_total") == 0
    metrics.count_tick(due=3, commands=2, unknown=1)
    assert grown("arrears_tick_due_items_total") == 3
    assert grown("arrears_tick_commands_total") == 2
    assert grown("arrears_tick_unknown_items_total") == 1


def test_what_a_newer_release_planned_is_counted_and_said_and_left(
    ticker: Ticker, agenda: Projections, database: Database, log: Log, grown: Grown
):
    log.append(uuid4(), opened(), a_step(due_at=NOON))
    agenda.catch_up()
    with database.connect() as connection:
        connection.execute("UPDATE read_model.agenda SET kind = 'escalation'")
    with capture_logs() as said:
        report = ticker.tick(NOON)
    assert (report.due, report.commands) == (0, 0)
    assert grown("arrears_tick_unknown_items_total") == 1
    assert [(each["log_level"], each["kinds"], each["due"]) for each in said if "kinds" in each] == [
        ("error", ["escalation"], {"escalation": 1})
    ]


def test_deliveries_are_counted_by_channel_and_result(grown: Grown):
    metrics.count_delivery("email", "sent")
    assert grown("arrears_deliveries_total", channel="email", result="sent") == 1


def test_the_format_is_the_one_that_is_asked_for():
    registry = metrics.registry_of()
    plain_type, plain = metrics.exposition(registry, None)
    open_type, openly = metrics.exposition(registry, "application/openmetrics-text; version=1.0.0")
    assert plain_type.startswith("text/plain")
    assert open_type.startswith("application/openmetrics-text")
    assert b"arrears_ticks_total" in plain
    assert b"process_resident_memory_bytes" in plain
    assert openly.endswith(b"# EOF\n")
