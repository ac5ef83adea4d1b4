"""Who places calls for agents: rings an agent, and puts them through to a customer."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

from phonenumbers import NumberParseException, PhoneNumberFormat, format_number, is_valid_number, parse

from aggregates.account.dialling import DialResult


@dataclass(frozen=True, slots=True)
class CallEnded:
    """What became of a call, and for how many seconds agent and customer were connected."""

    result: DialResult
    seconds: int | None


class Dialler(ABC):
    """Places calls."""

    leads_to: str = ""

    @abstractmethod
    def place(self, agent: str, customer: str) -> str:
        """Rings the agent, and puts them through to the customer once they answer; both numbers are E.164. Returns the
        reference by which it is looked up.

        Raises CarrierRefused or CarrierUnavailable where it certainly did not place the call. Whatever else is raised
        leaves that open.
        """

    @abstractmethod
    def look_up(self, reference: str) -> CallEnded | None:
        """What became of it; None while it rings or is spoken. Raises CarrierUnavailable, CarrierUncertain."""


def international(text: str, country: str | None = None) -> str:
    """A telephone number as E.164. Raises ValueError for what is none, and for one without its country where that is
    not known."""
    try:
        number = parse(text, country)
    except NumberParseException:
        number = None
    if number is None or number.extension or not is_valid_number(number):
        raise ValueError("expected a telephone number with its country code, such as +1 212 555 2368")
    return format_number(number, PhoneNumberFormat.E164)
