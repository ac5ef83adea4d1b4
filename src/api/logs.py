"""Logs of the process: structured, on stderr, JSON unless a person is looking; no personal data, no secrets."""

import logging
import os
import re
import sys
import traceback
from collections.abc import Mapping, MutableMapping
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from api import terminal

LEVEL_VARIABLE = "ARREARS_LOG_LEVEL"
LEFT_OUT = "[left out]"

_NEVER = frozenset({
    "address", "authorization", "body", "contact", "cookie", "customer_name", "dsn", "email", "idempotency_key",
    "information", "key", "lines", "master_key", "notes", "number", "password", "phone", "reason", "secret", "subject",
    "token",
})  # fmt: skip
"""Keys whose values never reach a log, wherever in a record they stand."""

_LEAST = {
    **dict.fromkeys(("aiokafka", "asyncssh", "faust", "kafka", "mode", "twilio", "urllib3"), logging.WARNING),
    "kafka.net.selector": logging.ERROR,
}
"""What is kept at least of libraries that tell of each connection: what they warn of. Kafka's client also warns where a
step of its own took a tenth of a second, as each may on a busy machine: that stood before what people were told."""

_PASSWORD_IN_URL = re.compile(r"(://[^:/@\s]*:)[^@/\s]*@")


def configure(*, default: str = "warning", stream: TextIO | None = None) -> None:
    """Sets logging up for the whole process, our own and that of libraries. Call it once, at the door.

    ARREARS_LOG_LEVEL says how much is told, else `default`. The correlation id that is bound to the context of
    a request stands in every line of it.
    """
    stream = stream or sys.stderr
    wanted = logging.getLevelNamesMapping().get((os.environ.get(LEVEL_VARIABLE) or default).upper())
    threshold = logging.WARNING if wanted is None else wanted
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        structlog.stdlib.PositionalArgumentsFormatter(),
        told_safely,
        without_secrets,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    renderer: Processor = (
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        if stream.isatty()
        else structlog.processors.JSONRenderer(ensure_ascii=False)
    )
    for_people: list[Processor] = [for_terminal] if stream.isatty() else []
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *for_people, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(threshold)
    for library, least in _LEAST.items():
        logging.getLogger(library).setLevel(max(threshold, least))


def without_secrets(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """A processor: values under telling keys are left out, passwords in addresses too."""
    del logger, method
    return _clean_mapping(event)


def _clean_mapping(given: Mapping[str, Any]) -> MutableMapping[str, Any]:
    return {key: LEFT_OUT if str(key).lower() in _NEVER else _clean(value) for key, value in given.items()}


def _clean(value: Any) -> Any:
    match value:
        case str():
            return _PASSWORD_IN_URL.sub(rf"\1{LEFT_OUT}@", value)
        case dict():
            return _clean_mapping(value)
        case list() | tuple():
            return [_clean(each) for each in value]
        case _:
            return value


def for_terminal(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """A processor: what was quoted from outside cannot move the cursor of whoever looks."""
    del logger, method
    return {key: terminal.lines(value) if isinstance(value, str) else value for key, value in event.items()}


def told_safely(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """A processor: an exception becomes its frames and its message; what libraries quote of the data is left out."""
    del logger, method
    info = event.pop("exc_info", None)
    if not info:
        return event
    error = info if isinstance(info, BaseException) else info[1] if isinstance(info, tuple) else sys.exception()
    if error is not None:
        event["exception"] = "\n".join(_lines_of(error))
    return event


def _lines_of(error: BaseException) -> list[str]:
    frames = traceback.format_list(traceback.extract_tb(error.__traceback__))
    lines = [line.rstrip() for line in frames] + [f"{type(error).__name__}: {said(error)}"]
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return [*_lines_of(cause), "and then:", *lines] if cause is not None else lines


def said(error: BaseException) -> str:
    """An error's message. Validators and the database quote values that may be personal: only what is wrong is kept."""
    module = type(error).__module__.partition(".")[0]
    if module in {"pydantic", "pydantic_core"} and hasattr(error, "errors"):
        found = error.errors(include_input=False, include_url=False, include_context=False)
        return "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['type']}" for each in found)
    if module == "psycopg":
        diagnostics = getattr(error, "diag", None)
        return str(getattr(diagnostics, "message_primary", None) or str(error).partition("\n")[0])
    return str(error)
