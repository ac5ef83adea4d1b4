"""A worker: takes one chunk of some work at a time, wherever it runs."""

import threading
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from functools import partial
from types import MappingProxyType
from typing import Any, Protocol
from uuid import UUID

import structlog
from psycopg import Connection

from adapters.eventstore.application import Arrears
from adapters.postgres.database import Database
from adapters.postgres.errors import explained
from adapters.postgres.kept_connection import KeptConnection
from adapters.readers.backoff import Backoff
from adapters.readers.poison import is_poison, said
from adapters.stop import Stopped
from adapters.work import rows
from adapters.work.rows import Asked, Counts, LastEvent, WorkRow
from aggregates.account.bulk import ApplyBulkAction, BulkOutcome, UndoBulkAction
from aggregates.bulk.action import BulkAction, FinishBulk, FinishBulkUndo
from aggregates.kernel.actor import Actor
from aggregates.kernel.command import COMMANDS, Accepted, Command, Issued, Outcome, identifier
from aggregates.kernel.event import Recorded
from aggregates.work import FinishWork, Work, WorkBegun, account_command_id

_ENDS_BULK = frozenset({ApplyBulkAction.command_name, UndoBulkAction.command_name})
"""With their work a bulk action, or its undo, is over. Other work about its rows comes after that."""

CHUNK = 250
"""Accounts of one chunk: what a payment that comes meanwhile waits for at most."""
_RETRIES = 2
"""Of a chunk as a whole; after them its accounts are asked one by one."""
_RETRY_SECONDS = 0.5
_AWAY_SECONDS = 10.0

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class InBackground(Protocol):
    """Something that is work of its own and asks no accounts. It may be done again where a process died over it."""

    def __call__(self, begun: Recorded, /) -> None: ...
    def fail(self, begun: Recorded, detail: str, /) -> None:
        """It cannot be done because of a defect."""


class Turn(Enum):
    """What came of a turn; the value is how many seconds it makes sense to wait before the next one."""

    CHUNK = 0.0
    """A chunk was done, or a piece of work ended."""
    WAITING = 0.02
    """There is open work, and no chunk of it may be taken just now."""
    IDLE = 0.25
    """No work is open."""


class Worker:
    """Used by one thread. Any number of workers, of any number of processes, share the work.

    A chunk is a transaction that holds the work's row; its commands are stored in transactions of their own before it
    ends. Whoever dies between the two lets go of the row with its connection, the chunk is done again by whoever comes
    next, and the commands' ids make that harmless.
    """

    def __init__(
        self, database: Database, arrears: Arrears, background: Mapping[str, InBackground] = MappingProxyType({})
    ) -> None:
        """`background`: by the name of its command, what is done in one step and asks no accounts."""
        self._arrears, self._background = arrears, background
        self._connection = KeptConnection(partial(database.connect, "arrears_app", autocommit=True), _by_index)

    def run(self, stop: threading.Event) -> None:
        """Works until `stop` is set, which it looks at between chunks. What fails is logged and tried again."""
        backoff = Backoff()
        try:
            while not stop.is_set():
                try:
                    turn = self.turn()
                except Exception as error:
                    self._connection.close()
                    if not stop.is_set():
                        _log.error("work stands still", error=type(error).__name__, said=said(error))
                    stop.wait(backoff.failed())
                else:
                    backoff.worked()
                    if turn is not Turn.CHUNK:
                        stop.wait(turn.value)
        finally:
            self.close()

    @explained()
    def turn(self) -> Turn:
        """One chunk, if there is one to be taken. Raises what is no account's fault; nothing of the turn is stored
        then, but for commands, which are repeated."""
        connection = self._connection.get()
        if not rows.is_any_open(connection):
            return Turn.IDLE
        with connection.transaction():
            work = rows.take(connection)
            if work is None:
                return Turn.WAITING
            self._next_chunk(work, connection)
            return Turn.CHUNK

    def close(self) -> None:
        """Lets the connection go; the next turn makes another."""
        self._connection.close()

    # --- inside ---

    def _next_chunk(self, work: WorkRow, connection: Connection[Any]) -> None:
        begun, *ended = self._arrears.history(Work, work.work_id)
        if ended:  # cancelled; or finished by somebody who died before the row said so
            if work.command in self._background:
                self._background[work.command].fail(begun, "the work was cancelled")
            rows.close(connection, work)
            return
        if work.command in self._background:
            self._do(self._background[work.command], begun, work, connection)
            return
        if work.accounts is None:
            rows.count_accounts(connection, work)
        accounts = self._with_changed(work, rows.next_accounts(connection, work, CHUNK))
        if not accounts:
            if work.is_followed:
                rows.advance(connection, work, work.last_account_id, Counts(), None)
            else:
                self._finish(begun, work, connection)
            return
        outcomes = self._ask(begun, work, accounts, connection)
        if outcomes is not None:
            rows.advance(connection, work, accounts[-1].account_id, _counts(outcomes), _last_event(accounts, outcomes))

    def _with_changed(self, work: WorkRow, accounts: Sequence[Asked]) -> Sequence[Asked]:
        """Whoever confirmed a bulk action had found some of its accounts changed: they are told."""
        if work.bulk_id is None or work.command != ApplyBulkAction.command_name or not accounts:
            return accounts
        left = self._arrears.load(BulkAction, work.bulk_id).left
        return [Asked(each.account_id, {**each.arguments, "has_changed": each.account_id in left}) for each in accounts]

    def _do(self, step: InBackground, begun: Recorded, work: WorkRow, connection: Connection[Any]) -> None:
        """All of it; what is a defect of its own ends it, after some tries. What is away holds up no other work."""
        try:
            step(begun)
        except Stopped:
            raise
        except Exception as error:
            if not is_poison(error):
                _log.error("work stands still", work=str(work.work_id), error=type(error).__name__, said=said(error))
                rows.postpone(connection, work, _AWAY_SECONDS, counts=False)
                return
            _log.error("work failed", work=str(work.work_id), error=type(error).__name__, said=said(error))
            if work.attempts < _RETRIES:
                rows.postpone(connection, work, _RETRY_SECONDS * 2**work.attempts)
                return
            step.fail(begun, "a defect: the log of the process has it")
        self._finish(begun, work, connection)

    def _finish(self, begun: Recorded, work: WorkRow, connection: Connection[Any]) -> None:
        """Refused where it was cancelled in this moment: it has ended all the same."""
        ended: list[tuple[str, Command]] = [
            (
                "work-finished",
                FinishWork(work_id=work.work_id, done=work.done, refused=work.refused, failed=work.failed),
            )
        ]
        if (
            work.bulk_id is not None and work.command in _ENDS_BULK
        ):  # first: whoever finds the work finished does not come here
            ended.insert(0, ("bulk-work-finished", _finished_bulk(work.bulk_id, work, rows.outcomes(connection, work))))
        self._arrears.handle(
            [
                Issued(
                    command=command,
                    command_id=identifier(name, work.work_id),
                    actor=Actor.parse(begun.meta.actor),
                    causation_id=begun.event_id,
                    correlation_id=begun.meta.correlation_id,
                    traceparent=begun.meta.traceparent,
                )
                for name, command in ended
            ]
        )
        rows.close(connection, work)

    def _ask(
        self, begun: Recorded, work: WorkRow, accounts: Sequence[Asked], connection: Connection[Any]
    ) -> list[Outcome | None] | None:
        """What came of each account, None where it failed; no list where the chunk is to be tried again."""
        if work.attempts > _RETRIES:
            return [self._ask_one(begun, each) for each in accounts]
        try:
            return list(self._arrears.handle(_issued(begun, accounts)))
        except Exception as error:
            if not is_poison(error):
                raise
            _log.warning("a chunk of work failed", work=str(work.work_id), error=type(error).__name__, said=said(error))
            rows.postpone(connection, work, _RETRY_SECONDS * 2**work.attempts)
            return None

    def _ask_one(self, begun: Recorded, account: Asked) -> Outcome | None:
        try:
            (outcome,) = self._arrears.handle(_issued(begun, [account]))
        except Exception as error:
            if not is_poison(error):
                raise
            _log.error(
                "an account is left out of work",
                work=str(begun.aggregate_id),
                account=str(account.account_id),
                error=type(error).__name__,
                said=said(error),
            )
            return None
        return outcome


def _by_index(connection: Connection[Any]) -> None:
    """A plan made while a table was small must not read all of it once it is large."""
    for name in ("enable_seqscan", "enable_hashjoin", "enable_mergejoin"):
        connection.execute("SELECT set_config(%s, 'off', false)", [name])


def _finished_bulk(bulk_id: UUID, work: WorkRow, outcomes: Mapping[str | None, int]) -> Command:
    """The end of a bulk action, or of its undo, with what came of its rows."""
    failed = outcomes.get(None, 0)
    if work.command == UndoBulkAction.command_name:
        done, changed = (outcomes.get(each, 0) for each in (BulkOutcome.DONE, BulkOutcome.CHANGED))
        return FinishBulkUndo(bulk_id=bulk_id, done=done, changed=changed, failed=failed)
    counts = {each.value: outcomes.get(each, 0) for each in BulkOutcome}
    return FinishBulk.model_validate({"bulk_id": bulk_id, **counts, "failed": failed})


def _issued(begun: Recorded, accounts: Sequence[Asked]) -> list[Issued]:
    """The work's command to each account, in the name of the policy that asked, because of what that met. It was
    checked when the work began; what differs is the account, and what was frozen of it."""
    event, actor = begun.event, Actor.parse(begun.meta.actor)
    assert isinstance(event, WorkBegun)  # noqa: S101
    first = {**event.arguments, **accounts[0].arguments, "account_id": accounts[0].account_id}
    command = COMMANDS[event.command].model_validate(first)
    why = command.why if isinstance(command, ApplyBulkAction) else None
    return [
        Issued(
            command=command.model_copy(update={**each.arguments, "account_id": each.account_id}),
            command_id=account_command_id(begun.aggregate_id, each.account_id),
            actor=actor,
            reason=why,
            causation_id=event.cause_event_id,
            correlation_id=begun.meta.correlation_id,
            traceparent=begun.meta.traceparent,
        )
        for each in accounts
    ]


def _counts(outcomes: Iterable[Outcome | None]) -> Counts:
    done = refused = failed = 0
    for outcome in outcomes:
        if outcome is None:
            failed += 1
        elif isinstance(outcome, Accepted):
            done += 1
        else:
            refused += 1
    return Counts(done, refused, failed)


def _last_event(accounts: Sequence[Asked], outcomes: Sequence[Outcome | None]) -> LastEvent | None:
    """Commands are stored in their order, so the last one that led to something has the last event."""
    for account, outcome in zip(reversed(accounts), reversed(outcomes), strict=True):
        if isinstance(outcome, Accepted) and outcome.event_ids:
            return LastEvent(account.account_id, outcome.version)
    return None
