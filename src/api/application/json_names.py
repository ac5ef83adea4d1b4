"""Names in JSON objects: one that stands twice would be understood differently by two readers."""

from collections import Counter
from typing import Any

_LONGEST_SHOWN = 100


class NameTwice(Exception):
    """A name that stands twice in one object."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name if len(name) <= _LONGEST_SHOWN else f"{name[:_LONGEST_SHOWN]}…"


def each_name_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """For `object_pairs_hook` of `json.loads`. Raises NameTwice."""
    said = dict(pairs)
    if len(said) < len(pairs):
        times = Counter(name for name, _ in pairs)
        raise NameTwice(next(name for name, count in times.items() if count > 1))
    return said
