"""What a carrier is: something that takes a message, and may know whether it took one."""

from datetime import timedelta
from typing import Protocol
from uuid import UUID

from adapters.delivery.rendering import Letter


class CarrierRefused(Exception):
    """The carrier certainly did not take the message."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


class Carrier(Protocol):
    """Sends messages. An exception other than CarrierRefused leaves it open whether the message left."""

    @property
    def is_idempotent(self) -> bool:
        """Whether its contract promises that a message id which it took before does not leave a second time.

        Only then a message is handed to it again that another process may still be handing to it.
        """
        ...

    @property
    def answers_within(self) -> timedelta:
        """How long `send` takes at most. After that nobody waits for the process that called it."""
        ...

    def send(self, message_id: UUID, letter: Letter) -> str:
        """Takes the message and returns the carrier's reference."""
        ...

    def took(self, message_id: UUID) -> Letter | bool | None:
        """Whether a message was taken before: as it was sent, False for certainly not, None where nobody knows."""
        ...
