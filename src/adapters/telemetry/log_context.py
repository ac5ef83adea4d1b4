"""What stands in every line that is logged while commands are decided: which request they belong to."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from structlog import contextvars

from adapters.telemetry.tracing import trace_id_of
from aggregates.kernel.command import Issued

CORRELATION = "correlation_id"
TRACE = "trace_id"


@contextmanager
def logged_about(commands: Sequence[Issued]) -> Iterator[None]:
    """For one command its correlation id, and the trace where there is one; for several none.

    Calls share batches, so whose thread works on a batch says nothing about whose commands are in it.
    """
    bindings = _bindings(commands)
    before = contextvars.get_contextvars()
    stale = {key: before[key] for key in (CORRELATION, TRACE) if key in before and key not in bindings}
    if stale:
        contextvars.unbind_contextvars(*stale)
    bound = contextvars.bind_contextvars(**bindings)
    try:
        yield
    finally:
        contextvars.reset_contextvars(**bound)
        contextvars.bind_contextvars(**stale)


def _bindings(commands: Sequence[Issued]) -> dict[str, str]:
    if len(commands) != 1:
        return {}
    (issued,) = commands
    bindings = {CORRELATION: str(issued.correlation_id or issued.command_id)}
    if (trace_id := trace_id_of(issued.traceparent)) is not None:
        bindings[TRACE] = trace_id
    return bindings
