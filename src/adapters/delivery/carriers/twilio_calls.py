"""Calls of agents through Twilio: it calls the agent, and dials the customer once they answer."""

import threading
from collections.abc import Callable, Mapping
from typing import Any

from twilio.twiml.voice_response import VoiceResponse

from adapters.delivery.carriers.twilio import Twilio
from adapters.delivery.dialler import CallEnded, Dialler
from aggregates.account.dialling import DialResult

_RING_SECONDS = 30
_LONGEST_SECONDS = 4 * 3600

_ENDED: Mapping[str, DialResult] = {
    "completed": DialResult.ANSWERED,
    "busy": DialResult.BUSY,
    "no-answer": DialResult.NO_ANSWER,
    "failed": DialResult.FAILED,
    "canceled": DialResult.NO_ANSWER,
}
"""Twilio's words for calls that have ended. Any other one says that a call goes on."""


class TwilioCalls(Dialler):
    """By the account, number and address that messages use. Used by any thread: each has a connection of its own."""

    def __init__(self, make: Callable[[], Twilio]) -> None:
        """Raises what `make` raises."""
        self._make = make
        self._here = threading.local()
        self.leads_to = self._twilio.leads_to

    @property
    def _twilio(self) -> Twilio:
        if not hasattr(self._here, "twilio"):
            self._here.twilio = self._make()
        made: Twilio = self._here.twilio
        return made

    def place(self, agent: str, customer: str) -> str:
        client, sender = self._twilio.client, self._twilio.sender
        twiml = put_through(customer, sender)
        call = self._twilio.asking(
            lambda: client.calls.create(to=agent, from_=sender, twiml=twiml, timeout=_RING_SECONDS)
        )
        return self._twilio.reference_of(call)

    def look_up(self, reference: str) -> CallEnded | None:
        """The agent's call first: once that has ended, the customer's, which it began."""
        client = self._twilio.client
        agents = self._twilio.asking(lambda: client.calls(reference).fetch())
        if agents.status not in _ENDED:
            return None
        customers = self._twilio.asking(lambda: client.calls.list(parent_call_sid=reference, limit=1))
        if not customers:
            return CallEnded(DialResult.AGENT_AWAY, None)
        result = _ENDED.get(customers[0].status)
        return None if result is None else CallEnded(result, _seconds(customers[0]) if result.is_connected else None)


def put_through(customer: str, sender: str) -> str:
    """TwiML. The agent hears how it rings, and the customer sees the office's number."""
    response = VoiceResponse()
    dial = response.dial(answer_on_bridge=True, caller_id=sender, timeout=_RING_SECONDS, time_limit=_LONGEST_SECONDS)
    dial.number(customer)
    return str(response)


def _seconds(call: Any) -> int | None:
    said = str(call.duration or "")
    return int(said) if said.isdecimal() else None
