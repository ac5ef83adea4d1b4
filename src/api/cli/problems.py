"""What can go wrong, said to people at the command line: a problem, a hint, and exit code 1."""

import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

import typer

from api import terminal
from api.cli.ending import ExitCode
from api.cli.output import note
from api.cli.signals import Told


class Problem(Exception):
    """Something that the person at the command line has to know."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def show(message: str, hint: str = "") -> None:
    """The problem and its hint, on stderr. Where it has several lines, nothing that it quotes begins one of its own."""
    first, *others = message.split("\n")
    note(f"Error: {first}")
    for each in others:
        note(f"       {each.strip()}")
    if hint:
        note(f"Hint: {hint}")


def show_defect(kind: type[BaseException], error: BaseException, at: TracebackType | None) -> None:
    """The traceback of what nobody expected, on stderr: a `sys.excepthook`."""
    sys.stderr.write(terminal.lines("".join(traceback.format_exception(kind, error, at))))


@contextmanager
def problems_shown() -> Iterator[None]:
    """Known problems become their message and exit code 1; what nobody expected keeps its traceback.

    A signal has its sentence too, and an exit code of its own.
    """
    try:
        yield
    except Told as told:
        show(told.message, told.hint)
        raise typer.Exit(told.code) from None
    except Exception as error:
        problem = known(error)
        if problem is None:
            raise
        show(problem.message, problem.hint)
        raise typer.Exit(ExitCode.FAILED) from None


def known(error: BaseException) -> Problem | None:
    """The problem behind an error, or None for a defect.

    Modules are looked up, not imported: an error whose module was never loaded cannot have been raised.
    """
    if isinstance(error, Problem):
        return error
    for module, name, hint in _KNOWN:
        kind = getattr(sys.modules.get(module), name, None)
        if kind is not None and isinstance(error, kind):
            own = getattr(error, "hint", "") or _REFUSAL_HINTS.get(getattr(error, "reason_code", ""), "")
            return Problem(getattr(error, "message", "") or str(error), hint=own or hint)
    if "psycopg" in sys.modules or isinstance(error, OSError):
        from adapters.postgres.errors import in_plain_words

        plain = in_plain_words(error)
        if plain is not None:
            return Problem(plain.message, hint=plain.hint)
    return None


_OLDER_COPY = "If an older copy was restored on purpose: docs/operations.md, section Restore."
_WAIT = "Wait for it: arrears projections status"
_REFUSAL_HINTS = {"reason-required": 'Say why: --reason "…"'}
"""What to do about a refused command, by its reason code."""

_KNOWN = (
    ("adapters.postgres.errors", "DatabaseProblem", ""),
    ("adapters.billing.readers", "FileProblem", "Nothing was brought in."),
    ("adapters.billing.profile", "ProfileError", "docs/import.md describes every key of a profile."),
    ("adapters.billing.importer", "ImportRefused", "Nothing was brought in."),
    ("adapters.eventstore.keys", "MasterKeyError", "docs/operations.md, section Keys."),
    ("adapters.eventstore.verify", "LogBehind", _OLDER_COPY),
    ("adapters.eventstore.feed", "LogHole", "Run: arrears log verify"),
    ("adapters.eventstore.mapper", "UnreadableEvent", "Run: arrears log verify"),
    ("aggregates.kernel.event", "UnknownEvent", "Run the release that wrote it, or a newer one."),
    ("adapters.readers.projections", "UnknownProjection", ""),
    ("adapters.readers.projections", "BeingBuilt", _WAIT),
    ("adapters.readers.projections", "SwitchDelayed", "Run the rebuild again; it goes on from there."),
    ("adapters.readers.runner", "NotReached", _WAIT),
    ("adapters.readers.poison", "ReaderBroken", "Nothing was skipped. This release does not fit the log: see the log."),
    ("adapters.readers.poison", "OutOfReach", "Nothing was skipped. Run it again."),
    ("adapters.kafka.jars", "KafkaUnavailable", ""),
    ("adapters.delivery.carrier", "CarrierMisconfigured", "docs/carriers.md describes every setting."),
    ("adapters.attachments.setup", "AttachmentsMisconfigured", "docs/attachments.md describes every setting."),
    ("adapters.attachments.store", "StoreAway", "Run it again."),
    ("adapters.inbound.setup", "InboundMisconfigured", "docs/inbound.md describes every setting."),
    ("adapters.inbound.matching", "NotReady", "Nothing was recorded. Run it again."),
    ("adapters.kafka.topics", "TopicsProblem", ""),
    ("api.application.issuing", "NotIssued", ""),
    ("api.application.play", "PlayRefused", ""),
    ("api.application.settings", "SettingsError", "Nothing was changed."),
    ("api.http.problems", "Problem", ""),
    ("projections.questions.scope", "ReportRefused", ""),
    ("api.contract.folder", "ContractProblem", ""),
    ("api.processes.helper", "HelperFailed", "Its own words are in the log."),
    ("api.sample.seed", "SampleUnfinished", ""),
)
"""Module, error, and a hint where the error has none of its own."""
