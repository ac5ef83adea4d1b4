"""What stands in every line that is logged while commands are decided: which request they belong to."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from structlog import contextvars

from adapters.telemetry.tracing import trace_id_of
from aggregates.command import Issued

CORRELATION = "correlation_id"
TRACE = "trace_id"


@contextmanager
def logged_about(commands: Sequence[Issued]) -> Iterator[None]:
    """For one command its correlation id, and the trace where there is one; for several none.

    Calls share batches, so whose thread works on a batch says nothing about whose commands are in it.
    """
    before = contextvars.get_contextvars()
    contextvars.unbind_contextvars(CORRELATION, TRACE)
    try:
        if len(commands) == 1:
            (issued,) = commands
            contextvars.bind_contextvars(correlation_id=str(issued.correlation_id or issued.command_id))
            if issued.traceparent is not None:
                contextvars.bind_contextvars(trace_id=trace_id_of(issued.traceparent))
        yield
    finally:
        contextvars.unbind_contextvars(CORRELATION, TRACE)
        contextvars.bind_contextvars(**{key: before[key] for key in (CORRELATION, TRACE) if key in before})
