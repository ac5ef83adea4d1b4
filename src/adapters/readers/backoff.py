"""How long to wait before something that failed is tried again."""

_FIRST_SECONDS = 0.1
_LONGEST_SECONDS = 10.0


class Backoff:
    """A tenth of a second after the first failure, twice as long after each that follows, ten seconds at most."""

    def __init__(self) -> None:
        self._next = _FIRST_SECONDS

    def failed(self) -> float:
        """The seconds to wait now."""
        pause, self._next = self._next, min(2 * self._next, _LONGEST_SECONDS)
        return pause

    def worked(self) -> None:
        """The next failure is a first one again."""
        self._next = _FIRST_SECONDS
