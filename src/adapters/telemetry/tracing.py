"""Traces: what one request set going, from the door through the log and Kafka to every reader.

Off unless the environment asks for it, and then nothing of OpenTelemetry is loaded. What travels is one text, a W3C
`traceparent`: from the request into the command, into the event's meta, into the message's header. A reader handles
events of many traces in one batch, so its span belongs to none of them and links to them.
"""

import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Literal, Protocol

import structlog

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span, SpanContext, Tracer

ENDPOINT_VARIABLES = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
EXPORTER_VARIABLE = "OTEL_TRACES_EXPORTER"
DISABLED_VARIABLE = "OTEL_SDK_DISABLED"
NAME_VARIABLE = "OTEL_SERVICE_NAME"
MOST_LINKS = 20

Exporter = Literal["otlp", "console"]

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class Caused(Protocol):
    """An event, as far as a trace has to know it."""

    @property
    def traceparent(self) -> str | None: ...


_tracer: "Tracer | None" = None
_NOTHING: AbstractContextManager[None] = nullcontext()

# --- on and off ----------------------------------------------------------------------------------------


def wanted(env: Mapping[str, str] = os.environ) -> Exporter | None:
    """Where the environment wants traces to go; None: nowhere. An exporter that is not known counts as none."""
    if env.get(DISABLED_VARIABLE, "").lower() == "true":
        return None
    match env.get(EXPORTER_VARIABLE, "").strip().lower():
        case "":
            return "otlp" if any(env.get(name) for name in ENDPOINT_VARIABLES) else None
        case "otlp":
            return "otlp"
        case "console":
            return "console"
        case "none":
            return None
        case other:
            _log.warning("no traces are sent: unknown exporter", exporter=other, known=["otlp", "console", "none"])
            return None


@contextmanager
def traced(role: str, env: Mapping[str, str] = os.environ) -> Iterator[None]:
    """Sends the traces of a process while it is entered, if the environment wants them; the last ones at its end.

    The service is called `arrears-<role>`, unless OTEL_SERVICE_NAME says otherwise. OpenTelemetry's own variables
    say where to, how much, and with which headers.
    """
    exporter = wanted(env)
    if exporter is None:
        yield
        return
    provider = _provider(env.get(NAME_VARIABLE) or f"arrears-{role}", exporter)
    try:
        with traced_by(provider):
            yield
    finally:
        provider.shutdown()


@contextmanager
def traced_by(provider: "TracerProvider") -> Iterator[None]:
    """Gives spans to this provider while it is entered."""
    global _tracer  # noqa: PLW0603  one for the process, as its logs are
    before, _tracer = _tracer, provider.get_tracer("arrears")
    try:
        yield
    finally:
        _tracer = before


def _provider(service: str, exporter: Exporter) -> "TracerProvider":
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter

    to: SpanExporter
    if exporter == "otlp":
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        to = OTLPSpanExporter()
    else:
        to = ConsoleSpanExporter(out=sys.stderr)
    provider = TracerProvider(resource=Resource.create({"service.name": service}), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(to))
    return provider


def is_on() -> bool:
    return _tracer is not None


# --- what travels --------------------------------------------------------------------------------------


def current_traceparent() -> str | None:
    """The W3C trace context of the span that this thread or task is in; None where tracing is off or there is none."""
    if _tracer is None:
        return None
    from opentelemetry.trace import get_current_span

    here = get_current_span().get_span_context()
    if not here.is_valid:
        return None
    return f"00-{here.trace_id:032x}-{here.span_id:016x}-{int(here.trace_flags):02x}"


def trace_id_of(traceparent: str | None) -> str | None:
    """The id that all spans of a trace share: 32 hexadecimal digits."""
    return None if traceparent is None else traceparent[3:35]


def _context_of(traceparent: str) -> "Context":
    """An empty one where the text is no traceparent: it may come from outside."""
    from opentelemetry.context import Context
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    return TraceContextTextMapPropagator().extract({"traceparent": traceparent}, Context())


# --- spans ---------------------------------------------------------------------------------------------


def batch(reader: str, events: Sequence[Caused]) -> AbstractContextManager[object]:
    """Around a reader's work on a batch: a span that links to the traces of at most twenty events in it."""
    tracer = _tracer
    if tracer is None:
        return _NOTHING
    return _batch(tracer, reader, events)


@contextmanager
def _batch(tracer: "Tracer", reader: str, events: Sequence[Caused]) -> Iterator[object]:
    from opentelemetry.context import Context
    from opentelemetry.trace import Link, SpanKind

    name, _, generation = reader.partition("@")
    with (
        tracer.start_as_current_span(
            f"batch {name}",
            context=Context(),
            kind=SpanKind.CONSUMER,
            links=[Link(cause) for cause in _causes(events)],
            attributes={"arrears.reader": name, "arrears.generation": generation, "arrears.events": len(events)},
            record_exception=False,
            set_status_on_exception=False,
        ) as span,
        _failing(span),
    ):
        yield span


def _causes(events: Iterable[Caused]) -> list["SpanContext"]:
    from opentelemetry.trace import get_current_span

    found: dict[str, SpanContext] = {}
    for each in events:
        text = each.traceparent
        if text is None or text in found:
            continue
        cause = get_current_span(_context_of(text)).get_span_context()
        if cause.is_valid:
            found[text] = cause
            if len(found) == MOST_LINKS:
                break
    return list(found.values())


@contextmanager
def request(method: str, traceparent: str | None) -> Iterator["Span | None"]:
    """Around a request from outside: continues its trace, or begins one. None where tracing is off."""
    tracer = _tracer
    if tracer is None:
        yield None
        return
    from opentelemetry.context import Context
    from opentelemetry.trace import SpanKind

    with (
        tracer.start_as_current_span(
            method,
            context=_context_of(traceparent) if traceparent else Context(),
            kind=SpanKind.SERVER,
            attributes={"http.request.method": method},
            record_exception=False,
            set_status_on_exception=False,
        ) as span,
        _failing(span),
    ):
        yield span


@contextmanager
def _failing(span: "Span") -> Iterator[None]:
    """A span says of a failure what kind it was, and not its text, which may quote somebody's data."""
    from opentelemetry.trace import Status, StatusCode

    try:
        yield
    except BaseException as error:
        span.set_status(Status(StatusCode.ERROR, type(error).__name__))
        span.set_attribute("error.type", type(error).__name__)
        raise
