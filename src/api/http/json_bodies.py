"""JSON as this door takes it: what two readers could understand differently is refused, at every depth."""

import json
from collections import Counter
from collections.abc import Iterable
from typing import Any

from api.http.problems import FieldProblem, Problem

MOST_DEEP = 50
"""Objects and lists inside each other; no body needs more than a few."""

_LONGEST_KEY = 100


def read_json(body: bytes) -> Any:
    """Raises a Problem: where it is no JSON, where a name stands twice in one object, and where a text is none that
    could be written again."""
    try:
        said = json.loads(body, object_pairs_hook=_each_name_once)
        _look_through(said)
    except _Twice as twice:
        raise FieldProblem(twice.name, "expected once, but it stands there twice") from None
    except RecursionError:
        raise _no_json(f"it is nested more than {MOST_DEEP} deep") from None
    except json.JSONDecodeError as error:
        raise _no_json(f"{error.msg}, line {error.lineno}, column {error.colno}") from None
    except UnicodeDecodeError:
        raise _no_json("it is not UTF-8") from None
    except ValueError as error:
        raise _no_json(str(error) if isinstance(error, _NoText) else "a number has too many digits") from None
    return said


def _no_json(why: str) -> Problem:
    return Problem(400, "json", f"the body is not JSON: {why}")


class _NoText(ValueError):
    """A text that is none."""


class _Twice(Exception):
    """A name that stands twice in one object."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name if len(name) <= _LONGEST_KEY else f"{name[:_LONGEST_KEY]}…"


def _each_name_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    said = dict(pairs)
    if len(said) < len(pairs):
        times = Counter(name for name, _ in pairs)
        raise _Twice(next(name for name, count in times.items() if count > 1))
    return said


def _look_through(said: Any) -> None:
    """Without recursion: it is the depth that is looked for. Raises RecursionError, _NoText."""
    level, depth = [said], 0
    while level:
        depth += 1
        if depth > MOST_DEEP:
            raise RecursionError
        below: list[Any] = []
        for value in level:
            inside: Iterable[Any] = ()
            match value:
                case dict():
                    for name in value:
                        _require_text(name)
                    inside = value.values()
                case list():
                    inside = value
                case str():
                    _require_text(value)
            below += inside
        level = below


def _require_text(text: str) -> None:
    """Half of a surrogate pair is no character: nothing could write it again."""
    if not text.isascii() and any("\ud800" <= each <= "\udfff" for each in text):
        raise _NoText("a text holds half of a surrogate pair")
