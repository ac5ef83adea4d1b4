"""How every resource issues a command: who asks and why, at most once per Idempotency-Key, and what came of it."""

import hashlib
import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any
from uuid import UUID, uuid4

import orjson
from fastapi import Depends, Header, Request, Response
from psycopg_pool import ConnectionPool

from adapters.readers.runner import NotReached
from adapters.telemetry.tracing import current_traceparent
from aggregates.account.billing import BillInvoice
from aggregates.account.command import document_id
from aggregates.account.payments import CorrectCredit, CorrectPayment, NoteCredit, ReceivePayment
from aggregates.kernel.actor import Actor
from aggregates.kernel.command import Command, Issued, Rejected, identifier
from api.http.problems import FieldProblem, Problem, documented, refused
from api.http.shapes import Done, implausible, plain
from api.processes.service import Service

MAY_BE_REFUSED = documented(404, 409)
_LONGEST_WAIT = 10.0
_WAIT = re.compile(r"(?:^|[,; ])wait=([0-9]{1,3})(?:$|[,; ])")

# --- who asks ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Caller:
    """Who issues a command, why, and how it is kept from happening twice."""

    actor: Actor
    correlation_id: UUID
    reason: str | None
    idempotency_key: str | None
    route: str
    wait: float
    """Seconds to wait until the read tables show what was done."""

    def new_id(self, kind: str) -> UUID:
        """The id of something the request makes; the same for a repeat under its Idempotency-Key."""
        if self.idempotency_key is None:
            return uuid4()
        return identifier(kind, self.actor, self.route, self.idempotency_key)


def caller(
    request: Request,
    x_actor: Annotated[
        str | None, Header(max_length=100, description="Who does this; the audit trail shows person:<it>.")
    ] = None,
    x_reason: Annotated[
        str | None, Header(max_length=1_000, description="Why; required where the audit trail has to show it.")
    ] = None,
    idempotency_key: Annotated[
        str | None,
        Header(min_length=1, max_length=200, description="The same key again: the same answer, nothing done twice."),
    ] = None,
    prefer: Annotated[
        str | None, Header(max_length=200, description="`wait=5` answers once lists and reports show what was done.")
    ] = None,
) -> Caller:
    """What the headers of a request say about who issues its command."""
    person = _text(x_actor, "X-Actor") or ("api" if request.app.state.gate.token is not None else "local")
    waiting = _WAIT.search(prefer or "")
    return Caller(
        actor=Actor.person(person),
        correlation_id=request.state.correlation_id,
        reason=_text(x_reason, "X-Reason"),
        idempotency_key=idempotency_key,
        route=f"{request.method} {request.url.path}",
        wait=min(float(waiting[1]), _LONGEST_WAIT) if waiting else 0.0,
    )


CallerOf = Annotated[Caller, Depends(caller)]


def _text(header: str | None, name: str) -> str | None:
    """Headers are bytes; people write UTF-8 into them."""
    if header is None or not header.strip():
        return None
    try:
        text = header.encode("latin-1").decode("utf-8").strip()
    except UnicodeError:
        text = header.strip()
    if not text.isprintable():
        raise FieldProblem(name, "expected printable text")
    return text


# --- natural keys ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Document:
    """What a command brings in under a number of its own, which nothing else of its kind may have."""

    id: UUID
    taken: Rejected


def document_of(command: Command) -> Document | None:
    """None for commands that bring no document in."""
    match command:
        case BillInvoice():
            kind = "invoice"
        case ReceivePayment() if not isinstance(command, CorrectPayment):
            kind = "payment"
        case NoteCredit() if not isinstance(command, CorrectCredit):
            kind = "credit"
        case _:
            return None
    return Document(
        document_id(command.account_id, kind, command.number),
        Rejected(f"duplicate-{kind}", f"{kind} {command.number} is on the account already; correct it"),
    )


# --- issuing -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Precondition:
    """What has to hold for a command to be tried. Of two that rely on the same `key`, the later one is refused."""

    holds: bool
    key: UUID
    problem: Problem


@dataclass(frozen=True, slots=True)
class CommandDesk:
    """Takes commands to the one write path and turns refusals into problems."""

    service: Service
    pool: ConnectionPool[Any]

    def issue(
        self,
        command: Command,
        caller: Caller,
        *,
        about: UUID | None = None,
        makes: str | None = None,
        reason: str | None = None,
        effective_on: date | None = None,
        precondition: Precondition | None = None,
    ) -> Done:
        """Carries the command out. The answer's id is `about`, or the id of what the command `makes` (activity, hold,
        dispute), or its document's, else the first target's.

        Raises a Problem where the command is refused.
        """
        if (found := implausible(command)) is not None:
            raise FieldProblem(*found)
        reason = reason or caller.reason
        command_id = self._command_id(command, caller, reason=reason, effective_on=effective_on)
        if precondition is not None and not precondition.holds and not self._is_done(command_id):
            raise precondition.problem
        document = document_of(command)
        key = document.id if document else precondition.key if precondition and precondition.holds else None
        issued = Issued(
            command,
            command_id=command_id,
            actor=caller.actor,
            reason=reason,
            effective_on=effective_on,
            correlation_id=caller.correlation_id,
            key=key,
            traceparent=current_traceparent(),
        )
        [outcome] = self.service.arrears.handle([issued])
        if isinstance(outcome, Rejected):
            if precondition is not None and outcome.reason_code == "duplicate":
                raise precondition.problem
            raise refused(document.taken if document and outcome.reason_code == "duplicate" else outcome)
        if caller.wait:
            with suppress(NotReached):  # it is done all the same; lists show it a little later
                self.service.wait_until_shown(timeout=caller.wait)
        first = command.targets()[0].id
        made = identifier(makes, first, issued.command_id) if makes else None  # as the decision makes it
        return Done(
            id=about or made or (document.id if document else first),
            command_id=issued.command_id,
            event_ids=list(outcome.event_ids),
            version=outcome.version,
        )

    def _is_done(self, command_id: UUID) -> bool:
        """A repeat gets its answer whatever happened since."""
        with self.pool.connection() as connection:
            found = connection.execute("SELECT FROM arrears.commands WHERE command_id = %s", [command_id]).fetchone()
        return found is not None

    def _command_id(self, command: Command, caller: Caller, *, reason: str | None, effective_on: date | None) -> UUID:
        """Derived from the Idempotency-Key; the same key with another content is a mistake of the caller's."""
        if caller.idempotency_key is None:
            return uuid4()
        command_id = identifier("http", caller.actor, caller.route, caller.idempotency_key)
        # The key goes into the hash: personal data in the content cannot be guessed from it.
        content = orjson.dumps(
            [caller.idempotency_key, command.command_name, plain(command), reason, effective_on],
            option=orjson.OPT_SORT_KEYS,
        )
        digest = hashlib.sha256(content).digest()
        with self.pool.connection() as connection:
            connection.execute(
                "INSERT INTO arrears.http_requests (command_id, content) VALUES (%s, %s) ON CONFLICT DO NOTHING",
                [command_id, digest],
            )
            row = connection.execute(
                "SELECT content FROM arrears.http_requests WHERE command_id = %s", [command_id]
            ).fetchone()
        if row is None or bytes(row[0]) != digest:
            raise Problem(
                422,
                "idempotency-key-reused",
                "this Idempotency-Key was used for a request with another content; send a new key",
                errors=[{"field": "Idempotency-Key", "expected": "a new key for a new request"}],
            )
        return command_id


def desk(request: Request) -> CommandDesk:
    """The app's command desk."""
    found: CommandDesk = request.app.state.desk
    return found


Desk = Annotated[CommandDesk, Depends(desk)]


def service_of(request: Request) -> Service:
    """The service that the app is a door of."""
    found: Service = request.app.state.service
    return found


ServiceOf = Annotated[Service, Depends(service_of)]


def created(response: Response, location: str) -> None:
    response.status_code = 201
    response.headers["Location"] = location
