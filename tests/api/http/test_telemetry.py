"""Metrics at the door, and the trace of a request through everything that it sets going."""

import io
import json
import logging
from collections.abc import Callable, Iterator
from uuid import UUID

import pytest
import structlog
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from adapters.kafka.cloudevents import to_message
from adapters.kafka.sealed_rows import SealedRow, SealedRows
from adapters.telemetry import tracing
from aggregates.account import Account
from api import logs
from api.http.app import create_app
from api.processes.step_by_step import StepByStep
from tests.api.http.client import Client, usd

TOKEN = "correct horse battery staple"
TRACE = "0af7651916cd43dd8448eb211c80319c"
TRACEPARENT = f"00-{TRACE}-b7ad6b7169203331-01"


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    kept = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(kept))
    with tracing.traced_by(provider):
        yield kept
    provider.shutdown()


@pytest.fixture
def lines() -> Iterator[Callable[[], list[dict[str, str]]]]:
    before, level = logging.getLogger().handlers[:], logging.getLogger().level
    stream = io.StringIO()
    logs.configure(default="info", stream=stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    logging.getLogger().handlers[:] = before
    logging.getLogger().setLevel(level)
    structlog.reset_defaults()


def pay(client: Client, account: str, number: str, **headers: str) -> None:
    body = {"number": number, "amount": usd("1.00"), "received_on": "2026-03-16"}
    client.done("POST", f"{account}/payments", body, headers=headers)


# --- metrics -------------------------------------------------------------------------------------------


def test_the_door_shows_what_the_process_counts_and_how_far_readers_are(
    client: Client, account: str, service: StepByStep
):
    service.drain()
    response = client.get("/metrics")
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/plain; version=")
    assert 'arrears_commands_total{command="bill-invoice",outcome="accepted",reason=""}' in response.text
    assert 'arrears_reader_lag_events{partition="",reader="ledger",state="live"} 0.0' in response.text
    assert "arrears_database_up 1.0" in response.text
    assert account.rpartition("/")[2] not in response.text


def test_metrics_ask_for_the_token_where_there_is_one(new_client: Callable[..., Client]):
    client = new_client(TOKEN)
    assert client.get("/metrics").status_code == 401
    assert client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200


# --- traces --------------------------------------------------------------------------------------------


def test_a_request_s_trace_is_in_the_log_on_the_wire_and_linked_to_by_projections(
    client: Client, account: str, service: StepByStep, spans: InMemorySpanExporter
):
    service.drain()
    before = service.feed.head()
    spans.clear()
    pay(client, account, "P-1", traceparent=TRACEPARENT)
    (request,) = spans.get_finished_spans()
    assert (request.name, trace_of(request)) == ("POST /v1/accounts/{account_id}/payments", TRACE)
    assert (request.attributes or {})["http.response.status_code"] == 201
    service.drain()
    stored = service.feed.read(before)
    assert {recorded.name for recorded in stored} >= {"account.payment-received"}
    assert {tracing.trace_id_of(recorded.meta.traceparent) for recorded in stored} == {TRACE}
    rows = SealedRows(service.database)
    row = rows.read(before)[0]
    rows.close()
    assert isinstance(row, SealedRow)
    assert TRACE.encode() in dict(to_message(row).headers)["ce_traceparent"]
    batches = {span.name: span for span in spans.get_finished_spans() if span.name.startswith("batch ")}
    for reader in ("ledger", "agenda", "policies"):
        assert TRACE in {f"{link.context.trace_id:032x}" for link in batches[f"batch {reader}"].links}


def test_a_request_without_a_trace_begins_one_of_its_own(
    client: Client, account: str, service: StepByStep, spans: InMemorySpanExporter
):
    pay(client, account, "P-1")
    (request,) = spans.get_finished_spans()
    (first, *_) = [
        event
        for event in service.arrears.history(Account, account_id(account))
        if event.name == "account.payment-received"
    ]
    assert request.parent is None
    assert tracing.trace_id_of(first.meta.traceparent) == trace_of(request)


def test_without_tracing_a_traceparent_is_not_kept(client: Client, account: str, service: StepByStep):
    pay(client, account, "P-1", traceparent=TRACEPARENT)
    assert {event.meta.traceparent for event in service.arrears.history(Account, account_id(account))} == {None}


def test_a_span_has_no_ids_and_no_data_of_people(client: Client, account: str, spans: InMemorySpanExporter):
    client.get(f"{account}?secret=Ada")
    client.get("/nowhere/Ada")
    client.request("BREW", "/v1/Ada")
    assert not any("Ada" in span.to_json() or account in span.to_json() for span in spans.get_finished_spans())


def test_what_is_logged_about_a_request_has_its_correlation_and_trace(
    client: Client, spans: InMemorySpanExporter, lines: Callable[[], list[dict[str, str]]]
):
    correlation = "7d6f5a0e-3f1c-4b52-9d3e-0f2d4c6b8a10"
    client.get("/health/live", headers={"X-Correlation-Id": correlation, "traceparent": TRACEPARENT})
    (line,) = [each for each in lines() if each["event"] == "request"]
    assert (line["correlation_id"], line["trace_id"]) == (correlation, TRACE)


def test_the_framework_s_own_telemetry_sends_nothing(service: StepByStep, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("FASTAPI_OTEL_AUTO_CONFIGURE", "true")
    telemetry = create_app(service, None)._telemetry
    assert [telemetry[each] for each in ("tracing", "metrics", "logs", "auto_configure")] == [False] * 4


def account_id(address: str) -> UUID:
    return UUID(address.rpartition("/")[2])


def trace_of(span: ReadableSpan) -> str:
    return f"{span.context.trace_id:032x}"
