"""Issuing a command for a door: whether it may be, is plausible and was asked before, and what came of it."""

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Any, Self
from uuid import UUID, uuid4

import orjson
from pydantic import BaseModel

from adapters.eventstore.requests import Requests
from adapters.readers.runner import NotReached
from adapters.telemetry.tracing import current_traceparent
from aggregates.account import Account
from aggregates.account.calls import CallRefused, StartCall
from aggregates.account.writing import SendMessage
from aggregates.campaign import LaunchCampaign, ReviseCampaign
from aggregates.kernel.actor import Actor
from aggregates.kernel.aggregate import Aggregate
from aggregates.kernel.command import Accepted, Command, Issued, NaturalKey, Rejected, identifier
from aggregates.template import SaveTemplate
from aggregates.values.contact import RuleRefusal
from aggregates.values.money import Money
from api.application.amounts import write_amount
from api.application.authority import Authority, may_issue
from api.application.plausibility import implausible
from api.processes.service import Service

if TYPE_CHECKING:
    from api.application.campaign_check import FaultView

# --- who asks, and what is answered ------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Caller:
    """Who issues a command, why, and how it is kept from happening twice."""

    actor: Actor
    authority: Authority
    reason: str | None = None
    correlation_id: UUID | None = None
    """None: the command's own id."""
    idempotency_key: str | None = None
    """The same key again within the same `scope`: the same answer, nothing done twice."""
    scope: str = ""
    wait: float = 0.0
    """Seconds to wait until the read tables show what was done."""

    def new_id(self, kind: str) -> UUID:
        """The id of something the request makes; the same for a repeat under its idempotency key."""
        if self.idempotency_key is None:
            return uuid4()
        return identifier(kind, self.actor, self.scope, self.idempotency_key)


def for_the_system(caller: Caller) -> Caller:
    """What a person asked for and was checked before is issued as the system's own, in the person's name."""
    return replace(caller, authority=Authority.OPERATOR)


class Done(BaseModel):
    """A command was carried out. A repeat under the same Idempotency-Key gets the same answer."""

    id: UUID
    """What the command was about, or made."""
    command_id: UUID
    event_ids: list[UUID]
    """The facts that were recorded; none where everything was so already."""
    version: int
    """The version of what was changed, afterwards."""


@dataclass(frozen=True, slots=True)
class Precondition:
    """What has to hold for a command to be tried. Of two that rely on the same `key`, the later one is refused."""

    holds: bool
    key: UUID
    otherwise: str
    """What to say where it does not hold, or not any more."""

    @classmethod
    def same_version(cls, seen: Aggregate, *, holds: bool, otherwise: str) -> Self:
        """Nobody changed the aggregate since it was `seen`."""
        return cls(holds, identifier("change after", seen.id, seen.version), otherwise)


# --- why a command is not carried out ----------------------------------------------------------------


class NotIssued(Exception):
    """Nothing was changed; the message says why. Every door has its own way of showing these."""


class NotPermitted(NotIssued):
    """The caller may not issue this command."""


class ImplausibleField(NotIssued):
    """A field holds what can only be a mistake; `field` as in the command (`instalments.0.amount`)."""

    def __init__(self, field: str, expected: str) -> None:
        super().__init__(f"{field}: {expected}")
        self.field, self.expected = field, expected


class FaultyPlan(NotIssued):
    """A campaign's plan cannot be carried out, or no message can be made of a text; each fault names the field, as in
    the command, and what was expected."""

    def __init__(self, faults: "Sequence[FaultView]") -> None:
        super().__init__("\n       ".join(f"{each.field}: {each.expected}" for each in faults))
        self.faults = tuple(faults)


class KeyReused(NotIssued):
    """The idempotency key was used for a request with another content."""


class Outdated(NotIssued):
    """The precondition does not hold: somebody changed what the caller saw."""


class Refused(NotIssued):
    """The decision refused; `reason_code` is in `aggregates.kernel.refusals.REFUSALS`."""

    def __init__(self, rejected: Rejected) -> None:
        super().__init__(rejected.detail)
        self.rejected = rejected

    @property
    def reason_code(self) -> str:
        return self.rejected.reason_code


class ContactRefused(Refused):
    """Contact rules refuse the contact, which is recorded; every rule is named."""

    def __init__(self, refusals: tuple[RuleRefusal, ...]) -> None:
        detail = "; ".join(f"{each.rule} ({each.basis}): {each.detail}" for each in refusals)
        super().__init__(Rejected("contact-refused", f"contact rules refuse it: {detail}"))
        self.refusals = refusals


# --- issuing -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Issuing:
    """Takes a command to the one write path; raises what keeps it from being carried out."""

    service: Service
    requests: Requests

    def issue(
        self,
        command: Command,
        caller: Caller,
        *,
        command_id: UUID | None = None,
        about: UUID | None = None,
        reason: str | None = None,
        effective_on: date | None = None,
        precondition: Precondition | None = None,
    ) -> Done:
        """Carries the command out; its id follows from the idempotency key where it is not given.

        `about` is the id to answer with where that is not what the command makes, brings in or is sent to. Raises
        NotPermitted, ImplausibleField, FaultyPlan, KeyReused, Outdated, Refused.
        """
        if not may_issue(caller.authority, command):
            raise NotPermitted(f"{command.command_name} is for Arrears itself")
        if not command.is_internal and (found := implausible(command)) is not None:
            raise ImplausibleField(*found)
        reason = reason or caller.reason
        if command_id is None:
            command_id = self._command_id(command, caller, reason=reason, effective_on=effective_on)
        if precondition is not None and not precondition.holds and not self.requests.is_done(command_id):
            raise Outdated(precondition.otherwise)
        if (faults := self._faults(command)) and not self.requests.is_done(command_id):
            raise FaultyPlan(faults)
        natural_key = command.natural_key()
        issued = Issued(
            command,
            command_id=command_id,
            actor=caller.actor,
            reason=reason,
            effective_on=effective_on,
            correlation_id=caller.correlation_id,
            key=_key(natural_key, precondition),
            traceparent=current_traceparent(),
        )
        accepted = self._accepted(issued, natural_key, precondition)
        if isinstance(command, StartCall):
            self._require_begun(command, command.made_id(command_id))
        if caller.wait:
            with suppress(NotReached):  # it is done all the same; lists show it a little later
                self.service.wait_until_shown(timeout=caller.wait)
        return Done(
            id=about or _answered_id(command, command_id, natural_key),
            command_id=command_id,
            event_ids=list(accepted.event_ids),
            version=accepted.version,
        )

    def _require_begun(self, command: StartCall, call_id: UUID) -> None:
        """That a call was refused is recorded; whoever asked is told. Raises ContactRefused."""
        calls = self.service.arrears.load(Account, command.account_id).calls
        if call_id in calls.open:
            return
        if calls.refused is not None and calls.refused.id == call_id:
            raise ContactRefused(calls.refused.refusals)
        for recorded in self.service.arrears.history(Account, command.account_id):  # it was asked before
            if isinstance(recorded.event, CallRefused) and recorded.event.call_id == call_id:
                raise ContactRefused(recorded.event.refusals)

    def _faults(self, command: Command) -> "list[FaultView]":
        """Of texts. No other command needs templates, and what writes them is imported here alone."""
        match command:
            case LaunchCampaign() | ReviseCampaign():
                from api.application.campaign_check import faults_of

                return faults_of(self.service, command)
            case SaveTemplate():
                from api.application import templates

                return templates.faults_of(self.service, command)
            case SendMessage():
                from api.application import written_messages

                return written_messages.faults_of(self.service, command)
            case _:
                return []

    def _accepted(self, issued: Issued, natural_key: NaturalKey | None, precondition: Precondition | None) -> Accepted:
        [outcome] = self.service.arrears.handle([issued])
        if isinstance(outcome, Accepted):
            return outcome
        if outcome.reason_code != "duplicate":
            raise Refused(outcome)
        if precondition is not None:
            raise Outdated(precondition.otherwise)
        raise Refused(_taken(natural_key) if natural_key is not None else outcome)

    def _command_id(self, command: Command, caller: Caller, *, reason: str | None, effective_on: date | None) -> UUID:
        """Derived from the idempotency key; the same key with another content is a mistake of the caller's."""
        if caller.idempotency_key is None:
            return uuid4()
        command_id = identifier("http", caller.actor, caller.scope, caller.idempotency_key)
        # The key goes into the hash: personal data in the content cannot be guessed from it.
        content = orjson.dumps(
            [caller.idempotency_key, command.command_name, _plain(command), reason, effective_on],
            option=orjson.OPT_SORT_KEYS,
        )
        if not self.requests.keep(command_id, hashlib.sha256(content).digest()):
            raise KeyReused("this Idempotency-Key was used for a request with another content; send a new key")
        return command_id


def _key(natural_key: NaturalKey | None, precondition: Precondition | None) -> UUID | None:
    if natural_key is not None:
        return natural_key.id
    return precondition.key if precondition is not None and precondition.holds else None


def _taken(key: NaturalKey) -> Rejected:
    return Rejected(f"duplicate-{key.kind}", f"{key.kind} {key.number} is on the account already; correct it")


def _answered_id(command: Command, command_id: UUID, natural_key: NaturalKey | None) -> UUID:
    if command.makes is not None:
        return command.made_id(command_id)
    return natural_key.id if natural_key is not None else command.targets()[0].id


def _plain(value: Any) -> Any:
    """A value for JSON: money as decimal text with its currency, sets as sorted lists."""
    match value:
        case Money():
            return write_amount(value)
        case BaseModel():
            fields = (
                (name, field.exclude_if, getattr(value, name)) for name, field in type(value).model_fields.items()
            )
            return {name: _plain(said) for name, left_out, said in fields if left_out is None or not left_out(said)}
        case dict():
            return {str(key): _plain(each) for key, each in value.items()}
        case set() | frozenset():
            return sorted((_plain(each) for each in value), key=str)
        case list() | tuple():
            return [_plain(each) for each in value]
        case _:
            return value
