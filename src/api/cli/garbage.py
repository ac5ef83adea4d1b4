"""Garbage collection while a command begins: what it imports stays, and looking through it is a tenth of its start."""

import gc
from collections.abc import Mapping
from typing import Any

_IMPORTED = 400_000
"""Objects; all that any command imports are some 250,000."""


def collect_once_all_is_imported() -> None:
    """Nothing is collected before a process has more than it imports; from then on as usual, or as others have set."""
    usual = gc.get_threshold()
    at_first = (_IMPORTED, *usual[1:])
    gc.set_threshold(*at_first)

    def as_usual(phase: str, _: Mapping[str, Any]) -> None:
        if phase == "stop":
            gc.callbacks.remove(as_usual)
            if gc.get_threshold() == at_first:
                gc.set_threshold(*usual)

    gc.callbacks.append(as_usual)
