"""Commands to one account, or to each of a list: an account a line, an outcome a line, safe to repeat."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from api.cli.asking import answered
from api.cli.ending import end_of_list
from api.cli.opening import commanding, issue
from api.cli.output import print_json, say
from api.cli.problems import Problem
from api.cli.questions import Ask, Refused, account_id

if TYPE_CHECKING:
    from aggregates.account import Account
    from aggregates.kernel.command import Command
    from api.processes.step_by_step import StepByStep

OneAccount = Annotated[
    str | None, typer.Argument(metavar="[ID|NUMBER]", help="The account's number, or its id.", show_default=False)
]
Accounts = Annotated[
    str | None,
    typer.Option(
        "--accounts", metavar="FILE", help="Several instead: a file with one account a line; - is standard input."
    ),
]

Makes = Callable[["Account", date], "Sequence[Command]"]
"""The commands to an account, by what it is and the day in its office; none where everything is so already."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a verb is asked to do, to whom."""

    account: str | None
    accounts: str | None
    data: Path | None
    office: str | None
    reason: str | None
    as_json: bool
    on: date | None = None


@dataclass(frozen=True, slots=True)
class Words:
    """What is said of an account afterwards."""

    changed: str
    same: str
    same_codes: Sequence[str] = ()
    """Refusals that only say that it was done before."""


@dataclass(frozen=True, slots=True)
class Told:
    """What was done with an account of a list."""

    detail: str
    is_new: bool = True
    """Whether anything was recorded; else everything was so already."""
    more: Mapping[str, Any] = field(default_factory=dict)
    """What JSON says besides, such as the id of what was made."""


Does = Callable[["StepByStep", UUID], Told]
"""What is done with an account."""


@dataclass(frozen=True, slots=True)
class _Named:
    """An account as a line names it."""

    text: str
    id: UUID | None
    problem: str = ""


def to_each(wanted: Wanted, makes: Makes, words: Words) -> None:
    """Issues what `makes` says. One account's problem ends a list's command with an exit code of its own
    (`ending.end_of_list`) and keeps nothing from the others."""
    require_one_or_list(wanted)
    if wanted.account is not None:
        _to_one(wanted, makes, words)
        return

    def does(service: "StepByStep", account: UUID) -> Told:
        event_ids = _carried_out(service, account, makes, wanted, words)
        return Told(words.changed if event_ids else words.same, is_new=bool(event_ids))

    each_of(wanted, does)


def require_one_or_list(wanted: Wanted) -> None:
    """Raises BadParameter unless an account is named, or a list."""
    if (wanted.account is None) == (wanted.accounts is None):
        raise typer.BadParameter("expected an account, or --accounts FILE")


def each_of(wanted: Wanted, does: Does) -> None:
    """Does it with each account of a list: an outcome a line, the same one only once."""
    outcomes: list[dict[str, Any]] = []
    seen: set[UUID] = set()
    names = _found(wanted, [*lines_of(wanted.accounts or "")])
    with commanding(wanted.data) as service:
        for named in names:
            outcomes.append(_outcome(service, named, does, seen))
            if not wanted.as_json:
                said = outcomes[-1]
                say(f"{said['account']}  {'refused: ' if said['outcome'] == 'refused' else ''}{said['detail']}")
    if wanted.as_json:
        print_json(outcomes)
    refused = sum(each["outcome"] == "refused" for each in outcomes)
    end_of_list(done=len(outcomes) - refused, refused=refused)


def _to_one(wanted: Wanted, makes: Makes, words: Words) -> None:
    [named] = _found(wanted, [wanted.account or ""])
    if named.id is None:
        raise Refused(named.problem)
    with commanding(wanted.data) as service:
        event_ids = _carried_out(service, named.id, makes, wanted, words)
    if wanted.as_json:
        print_json({"changed": bool(event_ids), "event_ids": event_ids})
    else:
        say(words.changed if event_ids else words.same)


def _outcome(service: "StepByStep", named: _Named, does: Does, seen: set[UUID]) -> dict[str, Any]:
    from api.application.issuing import NotIssued

    if named.id is None:
        return {"account": named.text, "outcome": "refused", "reason_code": "unknown-account", "detail": named.problem}
    if named.id in seen:
        return {"account": named.text, "outcome": "same", "reason_code": None, "detail": "It is in the list before."}
    seen.add(named.id)
    try:
        told = does(service, named.id)
    except (NotIssued, Problem, typer.BadParameter) as error:
        code = getattr(error, "reason_code", None) or None
        return {"account": named.text, "outcome": "refused", "reason_code": code, "detail": _said(error)}
    outcome = "done" if told.is_new else "same"
    return {"account": named.text, "outcome": outcome, "reason_code": None, "detail": told.detail, **told.more}


def _said(error: Exception) -> str:
    return error.format_message() if isinstance(error, typer.BadParameter) else str(error)


def _carried_out(service: "StepByStep", account: UUID, makes: Makes, wanted: Wanted, words: Words) -> list[UUID]:
    """The facts that were recorded."""
    from adapters.eventstore.application import AggregateNotFoundError
    from aggregates.account import Account
    from aggregates.office import Office
    from api.application.issuing import Refused as NotDone
    from api.application.offices import today_in

    try:
        found = service.arrears.load(Account, account)
    except AggregateNotFoundError:
        raise Problem("there is no such account") from None
    office_id = found.customer.office_id
    offices = [] if office_id is None else [service.arrears.load(Office, office_id)]
    event_ids: list[UUID] = []
    for command in makes(found, today_in(offices, service.clock.now())):
        try:
            event_ids += issue(service, command, reason=wanted.reason, effective_on=wanted.on).event_ids
        except NotDone as refused:
            if refused.reason_code not in words.same_codes:
                raise
    return event_ids


def _found(wanted: Wanted, texts: Sequence[str]) -> list[_Named]:
    def asked(ask: Ask) -> list[_Named]:
        return [_named(ask, text, wanted.office) for text in texts]

    return answered(wanted.data, asked)


def _named(ask: Ask, text: str, office: str | None) -> _Named:
    try:
        return _Named(text, UUID(account_id(ask, text, office=office)))
    except Refused as refusal:
        if refusal.reason_code == "unknown-office":
            raise
        return _Named(text, None, refusal.message)


def lines_of(file: str) -> Iterator[str]:
    """The accounts of a list; empty lines are none. Raises Problem where it is no text, or cannot be read."""
    try:
        with _opened(file) as lines:
            yield from (text for line in lines if (text := line.decode("utf-8-sig").strip()))
    except UnicodeDecodeError:
        raise Problem(f"--accounts {file}: expected text in UTF-8") from None
    except OSError as error:
        raise Problem(f"--accounts {file}: {error.strerror or error}") from None


@contextmanager
def _opened(file: str) -> Iterator[Any]:
    if file == "-":
        yield sys.stdin.buffer
    else:
        with Path(file).open("rb") as lines:
            yield lines
