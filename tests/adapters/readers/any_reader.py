"""What readers of tests have in common."""

from typing import ClassVar


class AnyReader:
    """Wants every event, and remembers nothing that may not be so."""

    interest: ClassVar[frozenset[str] | None] = None

    def forget(self) -> None:
        """There is nothing."""
