"""The trace of a request is found in the stored event, in the message, and as a link of whoever handled it."""

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from subprocess import run
from typing import ClassVar
from uuid import uuid4

import orjson
import pytest
import structlog
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from adapters.eventstore.application import Arrears
from adapters.eventstore.sealer import Sealer
from adapters.kafka.cloudevents import from_message, to_message
from adapters.kafka.sealed_rows import SealedRow, SealedRows
from adapters.postgres.database import Database
from adapters.readers.projections import Projections
from adapters.readers.runner import Runner
from adapters.telemetry import tracing
from adapters.telemetry.tracing import current_traceparent, trace_id_of, wanted
from aggregates.kernel.event import Meta
from tests.adapters.eventstore.conftest import issue
from tests.adapters.eventstore.ledger import Count, OpenCase
from tests.adapters.readers.any_reader import AnyReader
from tests.adapters.readers.counter import Counted, Counter
from tests.adapters.readers.log import Log

TRACE = "0af7651916cd43dd8448eb211c80319c"
TRACEPARENT = f"00-{TRACE}-b7ad6b7169203331-01"
CHILD = f"00-{TRACE}-"


def traceparent(number: int) -> str:
    return f"00-{number:032x}-00000000000000aa-01"


# --- on and off ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("env", "exporter"),
    [
        ({}, None),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}, "otlp"),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://collector:4318/v1/traces"}, "otlp"),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, "otlp"),
        ({"OTEL_TRACES_EXPORTER": "console"}, "console"),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}, None),
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, None),
        ({"OTEL_SDK_DISABLED": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}, None),
    ],
)
def test_the_environment_says_whether_there_are_traces(env: dict[str, str], exporter: str | None):
    assert wanted(env) == exporter


def test_while_off_nothing_is_made_and_nothing_travels():
    with tracing.traced("api", {}), tracing.request("GET", TRACEPARENT) as span, tracing.batch("ledger@1", []) as other:
        assert not tracing.is_on()
        assert span is None
        assert other is None
        assert current_traceparent() is None


def test_while_off_nothing_of_opentelemetry_is_loaded():
    code = """
import sys, adapters.eventstore.application, adapters.readers.runner, adapters.telemetry.health
print([name for name in sys.modules if name.startswith("opentelemetry")])
"""
    assert run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_the_service_is_named_after_its_role(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("OTEL_SERVICE_NAME", raising=False)
    with tracing.traced("project", {"OTEL_TRACES_EXPORTER": "console"}):
        assert tracing.is_on()
        with tracing.batch("ledger@1", []):
            pass
    assert not tracing.is_on()
    said = json.loads(capsys.readouterr().err)
    assert said["resource"]["attributes"]["service.name"] == "arrears-project"
    assert said["name"] == "batch ledger"


class _Collector(BaseHTTPRequestHandler):
    """Keeps what it is sent, as (path, body)."""

    taken: ClassVar[list[tuple[str, bytes]]] = []

    def do_POST(self) -> None:
        self.taken.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def test_the_last_spans_have_arrived_at_the_endpoint_when_a_process_ends(monkeypatch: pytest.MonkeyPatch):
    with ThreadingHTTPServer(("127.0.0.1", 0), _Collector) as server:
        threading.Thread(target=server.serve_forever, args=[0.05], daemon=True).start()
        endpoint = f"http://127.0.0.1:{server.server_address[1]}"
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "none")
        with tracing.traced("seal"), tracing.batch("ledger@1", []):
            pass
        server.shutdown()
    ((path, body),) = _Collector.taken
    assert path == "/v1/traces"
    assert b"arrears-seal" in body
    assert b"batch ledger" in body


# --- from the request to the log -----------------------------------------------------------------------


def test_a_request_continues_the_trace_of_its_caller(spans: InMemorySpanExporter):
    with tracing.request("POST", TRACEPARENT):
        here = current_traceparent()
    assert here is not None
    assert here.startswith(CHILD)
    assert here != TRACEPARENT
    (span,) = spans.get_finished_spans()
    assert span.parent is not None
    assert f"{span.parent.span_id:016x}" == "b7ad6b7169203331"


@pytest.mark.parametrize("given", [None, "", "nonsense", f"00-{'0' * 32}-{'0' * 16}-01", "é" * 55])
def test_a_request_without_a_trace_begins_one(spans: InMemorySpanExporter, given: str | None):
    with tracing.request("POST", given):
        assert trace_id_of(current_traceparent()) != TRACE
    (span,) = spans.get_finished_spans()
    assert span.parent is None


def test_what_is_not_to_be_sampled_is_passed_on_as_such(spans: InMemorySpanExporter):
    with tracing.request("POST", TRACEPARENT[:-2] + "00"):
        assert (current_traceparent() or "").endswith("-00")
    assert spans.get_finished_spans() == ()


def test_the_trace_is_stored_with_the_event_and_goes_with_the_message(app: Arrears, database: Database):
    case_id = uuid4()
    app.handle([issue(OpenCase(case_id=case_id), traceparent=TRACEPARENT), issue(Count(case_id=case_id))])
    Sealer(database).seal_once()
    traced, untraced = app.feed.read(0)
    assert (traced.meta.traceparent, untraced.meta.traceparent) == (TRACEPARENT, None)
    rows = SealedRows(database)
    first, second = rows.read(0)
    rows.close()
    assert isinstance(first, SealedRow)
    assert isinstance(second, SealedRow)
    assert (first.traceparent, second.traceparent) == (TRACEPARENT, None)
    message = to_message(first)
    assert dict(message.headers)["ce_traceparent"] == TRACEPARENT.encode()
    assert "ce_traceparent" not in dict(to_message(second).headers)
    assert from_message(message.headers, message.value).recorded().meta == traced.meta


def test_without_a_trace_the_stored_bytes_are_what_they_were(log: Log):
    recorded = log.recorded(uuid4(), Counted())
    (fact,), _ = log._mapper.encode([recorded])
    assert orjson.loads(fact.meta).keys() == {"actor", "command_id", "correlation_id"}
    assert Meta.model_validate_json(fact.meta) == recorded.meta


# --- batches -------------------------------------------------------------------------------------------


def test_a_projection_s_span_links_to_the_traces_of_its_events(
    app: Arrears, database: Database, spans: InMemorySpanExporter
):
    app.handle([issue(OpenCase(case_id=uuid4()), traceparent=TRACEPARENT) for _ in range(2)])
    app.handle([issue(OpenCase(case_id=uuid4()))])
    Sealer(database).seal_once()
    projections = Projections(database, app.feed, [Counter])
    projections.start()
    projections.close()
    (span,) = spans.get_finished_spans()
    assert span.name == "batch counter"
    assert span.parent is None
    assert [f"{link.context.trace_id:032x}" for link in span.links] == [TRACE]
    assert dict(span.attributes or {}) == {"arrears.reader": "counter", "arrears.generation": "1", "arrears.events": 3}


def test_a_span_has_twenty_links_at_most(spans: InMemorySpanExporter):
    class Caused:
        def __init__(self, number: int) -> None:
            self.traceparent = traceparent(number)

    with tracing.batch("ledger@1", [Caused(1 + number % 30) for number in range(90)]):
        pass
    (span,) = spans.get_finished_spans()
    assert [link.context.trace_id for link in span.links] == list(range(1, 21))


def test_what_is_no_trace_is_no_link(spans: InMemorySpanExporter):
    class Caused:
        traceparent = "nonsense"

    with tracing.batch("ledger@1", [Caused()]):
        pass
    (span,) = spans.get_finished_spans()
    assert span.links == ()


def test_the_publisher_s_closed_rows_link_too(app: Arrears, database: Database, spans: InMemorySpanExporter):
    class Publisher(AnyReader):
        name = "publisher"

        def handle(self, batch: object, connection: object) -> None:
            pass

    app.handle([issue(OpenCase(case_id=uuid4()), traceparent=TRACEPARENT)])
    Sealer(database).seal_once()
    rows = SealedRows(database)
    runner = Runner(database, rows, Publisher())
    runner.catch_up()
    runner.release()
    rows.close()
    (span,) = spans.get_finished_spans()
    assert len(span.links) == 1


def test_a_batch_that_fails_says_what_kind_of_failure_it_was_and_quotes_nothing(spans: InMemorySpanExporter):
    with pytest.raises(ValueError, match="Ada"), tracing.batch("ledger@1", []):
        raise ValueError("Ada Lovelace")
    (span,) = spans.get_finished_spans()
    assert span.status.status_code is StatusCode.ERROR
    assert "Ada" not in span.to_json()
    assert (span.attributes or {})["error.type"] == "ValueError"


# --- logs ----------------------------------------------------------------------------------------------


def told_while_deciding(app: Arrears, monkeypatch: pytest.MonkeyPatch, *commands: object) -> dict[str, object]:
    told: dict[str, object] = {}
    append = app._log.append

    def noted(*arguments: object, **more: object) -> None:
        told.update(structlog.contextvars.get_contextvars())
        append(*arguments, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(app._log, "append", noted)
    app.handle(commands)  # type: ignore[arg-type]
    return told


def test_what_is_logged_while_a_command_is_decided_has_its_correlation_and_trace(
    app: Arrears, monkeypatch: pytest.MonkeyPatch
):
    correlation_id = uuid4()
    command = issue(OpenCase(case_id=uuid4()), correlation_id=correlation_id, traceparent=TRACEPARENT)
    with structlog.contextvars.bound_contextvars(correlation_id="another's", trace_id="another's", job="import"):
        told = told_while_deciding(app, monkeypatch, command)
        assert structlog.contextvars.get_contextvars() == {
            "correlation_id": "another's",
            "trace_id": "another's",
            "job": "import",
        }
    assert told == {"correlation_id": str(correlation_id), "trace_id": TRACE, "job": "import"}


def test_a_batch_of_several_is_nobody_s_in_particular(app: Arrears, monkeypatch: pytest.MonkeyPatch):
    commands = [issue(OpenCase(case_id=uuid4())) for _ in range(2)]
    with structlog.contextvars.bound_contextvars(correlation_id="mine"):
        assert told_while_deciding(app, monkeypatch, *commands) == {}
        assert structlog.contextvars.get_contextvars() == {"correlation_id": "mine"}
