"""Click-to-call: a call that has begun is placed by the voice carrier, and looked at until it has ended."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Self
from uuid import UUID, uuid4

import structlog
from pydantic import BaseModel

from adapters.delivery.carrier import CarrierRefused, CarrierUnavailable
from adapters.delivery.dialler import Dialler, international
from aggregates.account import Account
from aggregates.account.calls import OpenCall, StartCall
from aggregates.account.dialling import (
    DialCall,
    DialledCall,
    DialResult,
    DialState,
    ReportCallNotPlaced,
    ReportCallOver,
    ReportCallPlaced,
)
from aggregates.kernel.command import Rejected, identifier
from aggregates.office import Office
from api.application.account_view import account_now
from api.application.authority import Authority
from api.application.issuing import Caller, Done, ImplausibleField, Issuing, Refused
from api.processes.service import Service

if TYPE_CHECKING:
    from aggregates.values.dispositions import DispositionDefinition


_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class CallView(BaseModel):
    """A call that is not documented yet. `number` is personal."""

    id: UUID
    point_id: str
    number: str
    state: DialState | None
    """How far the carrier is with it; null: it was not asked, the agent dials."""
    result: DialResult | None
    """How it ended, as the carrier says."""
    seconds: int | None
    disposition: str | None
    """The office's disposition that fits, to begin with."""


_RESULTS: Mapping[DialResult, tuple[str, ...]] = {
    DialResult.ANSWERED: ("answered",),
    DialResult.BUSY: ("busy",),
    DialResult.NO_ANSWER: ("rang-out",),
    DialResult.FAILED: ("not-in-service", "failed"),
    DialResult.AGENT_AWAY: ("failed",),
}
"""What dispositions say of the attempt, by what the carrier says of it."""


# --- who places calls --------------------------------------------------------------------------------


def dialler_of(service: Service) -> Dialler | None:
    """Who places calls, as the environment says; nobody where the clock is set and history is lived through.

    Raises CarrierMisconfigured.
    """
    env = service.env
    said = tuple(sorted((name, env[name]) for name in env if name.startswith("ARREARS_TWILIO_") and env[name]))
    return None if service.clock.is_set or not said else _twilio(said)


@lru_cache(maxsize=4)
def _twilio(said: tuple[tuple[str, str], ...]) -> Dialler:
    """Kept with its connections, as long as the settings are the same. Raises CarrierMisconfigured."""
    from adapters.delivery.carriers.twilio import Twilio
    from adapters.delivery.carriers.twilio_calls import TwilioCalls

    return TwilioCalls(lambda: Twilio.from_env(dict(said)))


def agents_number(text: str) -> str:
    """As E.164. Raises ImplausibleField."""
    try:
        return international(text)
    except ValueError as error:
        raise ImplausibleField("agent_phone", str(error)) from None


@dataclass(frozen=True, slots=True)
class ClickToCall:
    """Begins calls, has them placed where somebody does that, and looks at how they end."""

    service: Service
    issuing: Issuing
    dialler: Dialler | None

    @classmethod
    def of(cls, service: Service, issuing: Issuing) -> Self:
        """Raises CarrierMisconfigured."""
        return cls(service, issuing, dialler_of(service))

    def start(
        self, command: StartCall, caller: Caller, *, agent_phone: str | None = None, reason: str | None = None
    ) -> Done:
        """Begins a call if contact rules allow it, and has it placed where an agent says at which number they are.

        A call that could not be placed has begun all the same: its number can be dialled by hand. Raises what issuing
        raises; Refused (no-voice-carrier) before anything where nobody places calls.
        """
        agent = agents_number(agent_phone) if agent_phone else None
        if agent is not None and self.dialler is None:
            raise Refused(Rejected("no-voice-carrier", "no carrier places calls here; dial the number yourself"))
        done = self.issuing.issue(command, caller, reason=reason)
        if agent is not None and self.dialler is not None:
            self._place(command.account_id, done.id, agent, self.dialler, _system(caller))
        return done

    def _place(self, account_id: UUID, call_id: UUID, agent: str, dialler: Dialler, system: Caller) -> None:
        """Asks the carrier once. Where that breaks in the middle nobody knows, and it is left at that."""
        account = account_now(self.service, account_id)
        call = account.calls.open.get(call_id)
        if call is None or call_id in account.dialling.calls_dialled:
            return  # the same request again
        about = {"account_id": account_id, "call_id": call_id}
        customer = _customers_number(account, call)
        self.issuing.issue(DialCall.model_validate(about), system, command_id=uuid4())
        if customer is None:
            self._report(ReportCallNotPlaced(**about, code="bad-number", detail="it cannot be dialled"), system)
            return
        try:
            reference = dialler.place(agent, customer)
        except CarrierRefused as error:
            self._report(ReportCallNotPlaced(**about, code=error.code, detail=error.detail), system)
        except CarrierUnavailable as error:
            self._report(ReportCallNotPlaced(**about, code="carrier-away", detail=str(error)), system)
        except Exception as error:  # whatever it is, it may ring
            _log.warning("a call may have been placed", call_id=str(call_id), why=type(error).__name__)
        else:
            self._report(ReportCallPlaced(**about, carrier_reference=reference), system)

    def look_up(self, account_id: UUID, call_id: UUID, caller: Caller) -> CallView:
        """Asks the carrier how far a placed call is, and records how it ended. Raises UnknownAccount, Refused."""
        dialled = account_now(self.service, account_id).dialling.calls_dialled.get(call_id)
        if self.dialler is not None and dialled is not None and dialled.state is DialState.PLACED and dialled.reference:
            try:
                ended = self.dialler.look_up(dialled.reference)
            except Exception as error:  # the call goes on, whatever the carrier says of it now
                _log.warning("a call cannot be looked up", call_id=str(call_id), why=type(error).__name__)
                ended = None
            if ended is not None:
                about = {"account_id": account_id, "call_id": call_id}
                self._report(ReportCallOver(**about, result=ended.result, seconds=ended.seconds), _system(caller))
        return call_of(self.service, account_id, call_id)

    def _report(self, report: ReportCallPlaced | ReportCallNotPlaced | ReportCallOver, system: Caller) -> None:
        """Once, whoever reports it."""
        self.issuing.issue(report, system, command_id=identifier("dialling", report.command_name, report.call_id))


def _system(caller: Caller) -> Caller:
    """What follows from what somebody asked for, in their name."""
    return replace(caller, authority=Authority.OPERATOR, idempotency_key=None, reason=None, wait=0.0)


def _customers_number(account: Account, call: OpenCall) -> str | None:
    """None where it cannot be dialled from here."""
    try:
        return international(call.number, account.contact.country)
    except ValueError:
        return None


# --- reading -----------------------------------------------------------------------------------------


def call_of(service: Service, account_id: UUID, call_id: UUID) -> CallView:
    """Raises UnknownAccount, and Refused where no such call is without an end."""
    account = account_now(service, account_id)
    call = account.calls.open.get(call_id)
    if call is None:
        raise Refused(Rejected("unknown-call", "no such call is without an end"))
    dialled = account.dialling.calls_dialled.get(call_id)
    office_id = account.customer.office_id
    dispositions = service.arrears.load(Office, office_id).dispositions if office_id is not None else {}
    return CallView(
        id=call.id,
        point_id=call.point_id,
        number=call.number,
        state=dialled.state if dialled is not None else None,
        result=dialled.result if dialled is not None else None,
        seconds=dialled.seconds if dialled is not None else None,
        disposition=fitting(dialled, dispositions),
    )


def fitting(dialled: DialledCall | None, dispositions: "Mapping[str, DispositionDefinition]") -> str | None:
    """The first disposition of the office that says what the carrier says."""
    if dialled is None or dialled.result is None:
        return None
    for wanted in _RESULTS[dialled.result]:
        for code, defined in dispositions.items():
            if defined.result == wanted:
                return code
    return None
