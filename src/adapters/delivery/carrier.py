"""What a carrier is: something that takes a message, and may know whether it took one."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from adapters.delivery.rendering import Letter
from adapters.readers.poison import HelperAway
from aggregates.account.inbound import Receipt
from aggregates.values.contact import Channel


@dataclass(frozen=True, slots=True)
class Told:
    """What a refusal says of the number or address, as a report of the carrier's does, with the same code."""

    receipt: Receipt
    code: str


class CarrierRefused(Exception):
    """The carrier certainly did not take the message, and never will. `detail` may be in its words; `told` is what it
    says of the number or address for good."""

    def __init__(self, code: str, detail: str, *, told: Told | None = None) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.told = told


class CarrierUnavailable(HelperAway):
    """The carrier certainly did not take the message now, and may take it later. The text is shown to whoever operates
    Arrears: it names the carrier and what is wrong, and nobody's address."""


class CarrierAway(CarrierUnavailable):
    """It takes nothing from anybody now: no message is to blame, and the next one would not be taken either."""


class CarrierUncertain(HelperAway):
    """Nobody knows whether the carrier took the message. The text names nobody's address either."""


class CarrierMisconfigured(Exception):
    """The settings of a carrier do not fit together; the message names the variable."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """What is known of a message that was claimed and has no result: since when, and how it reads now.

    `letter` makes the text anew, which need not be what was sent; None where it cannot be made any more.
    """

    since: datetime
    letter: Callable[[], Letter | None]


class Carrier(ABC):
    """Sends messages over the channels that it carries.

    `send` raises CarrierRefused or CarrierUnavailable where it certainly did not take the message. Whatever else is
    raised leaves it open whether the message left; CarrierUncertain says so in words that quote nobody.
    """

    name: str = "another carrier"
    """By which people know it: `smtp`."""
    channels: frozenset[Channel] = frozenset()
    """What it may be given."""
    leads_to: str = ""
    """Where messages go, without secrets: a server, a folder."""

    is_idempotent: bool
    """Whether its contract promises that a message id which it took before does not leave a second time.

    Only then a message is handed to it again that another process may still be handing to it.
    """
    answers_within: timedelta
    """How long `send` takes at most. After that nobody waits for the process that called it."""

    def check(self) -> None:
        """Asked before a message is claimed. Raises CarrierUnavailable where none could be sent now."""
        return

    @abstractmethod
    def send(self, message_id: UUID, letter: Letter) -> str:
        """Takes the message and returns the carrier's reference, which names nobody."""

    @abstractmethod
    def took(self, message_id: UUID, attempt: Attempt) -> Letter | bool | None:
        """Whether a message was taken before: as it was sent, False for certainly not, None where nobody knows."""

    def lines(self) -> "Sequence[Carrier]":
        """Carriers that may be used at the same time, each by one thread: this one, and others like it where that is
        faster. As many messages may be in flight when the process dies."""
        return (self,)

    def close(self) -> None:
        """Lets go of connections, those of its lines too. It may be used again."""
        return
