"""JSON as this door takes it: what two readers could understand differently is refused, at every depth."""

import json
from collections.abc import Sequence
from typing import Any

from api.application.json_names import NameTwice, each_name_once
from api.http.problems import FieldProblem, Problem
from api.http.texts import is_text, text_fault

MOST_DEEP = 50
"""Objects and lists inside each other; no body needs more than a few."""


def read_json(body: bytes) -> Any:
    """Raises a Problem: where it is no JSON, where a name stands twice in one object, and where a text is none that
    could be written again."""
    try:
        said = json.loads(body, object_pairs_hook=each_name_once)
        _look_through(said)
    except NameTwice as twice:
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


def _look_through(said: Any) -> None:
    """Without recursion: it is the depth that is looked for. Raises RecursionError, _NoText, FieldProblem."""
    level: list[tuple[tuple[str | int, ...], Any]] = [((), said)]
    depth = 0
    while level:
        depth += 1
        if depth > MOST_DEEP:
            raise RecursionError
        below: list[tuple[tuple[str | int, ...], Any]] = []
        for where, value in level:
            match value:
                case dict():
                    for name in value:
                        _require_text((*where, name), name)
                    below += (((*where, name), inside) for name, inside in value.items())
                case list():
                    below += (((*where, place), inside) for place, inside in enumerate(value))
                case str():
                    _require_text(where, value)
        level = below


def _require_text(where: Sequence[str | int], text: str) -> None:
    """Half of a surrogate pair is no character: nothing could write it again. `where` leads to the text; of a list, the
    list's name says what its texts are."""
    name = next((each for each in reversed(where) if isinstance(each, str)), "")
    expected = text_fault(name, text)
    if expected is None:
        return
    if any("\ud800" <= each <= "\udfff" for each in text):
        raise _NoText("a text holds half of a surrogate pair")
    raise FieldProblem(".".join(str(each) for each in where if is_text(str(each))), expected)
