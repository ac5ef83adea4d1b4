"""A process that fills in templates and does nothing else: `python -m adapters.delivery.rendering_process`.

It is given drafts on its standard input, answers them together on its standard output, and waits for more; whoever
waits knows which ones it did not answer. What it may use is limited by the operating system; it ends when its input
does, and so with whoever started it.
"""

import resource
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

from adapters.delivery.languages import ENGLISH
from adapters.delivery.placeholders import typed
from adapters.delivery.templates import LANGUAGE, BadTemplate, compiled
from adapters.frames import read_frame, write_frame

BAD_TEMPLATE, TOO_LONG, TOO_MUCH = "bad-template", "text-too-long", "rendering-stopped"
"""Why a text was not made: it is no template, it became too long, or it used up time or memory."""

READY = {"ready": True}
"""Said once, before anything is asked."""


class _TooLong(Exception):
    """More characters than the message may have."""


def filled_in(texts: Sequence[str], values: Mapping[str, Any], most: int, language: str = ENGLISH) -> dict[str, Any]:
    """`{"texts": […]}`, each of at most `most` characters, or `{"code": …, "detail": …}`. Raises nothing."""
    try:
        said = {**typed(values), LANGUAGE: language}
        return {"texts": [_filled_in(text, said, most) for text in texts]}
    except BadTemplate as error:
        return {"code": BAD_TEMPLATE, "detail": str(error)}
    except _TooLong:
        return {"code": TOO_LONG, "detail": f"more than {most:,} characters"}
    except MemoryError:
        return {"code": TOO_MUCH, "detail": "it used up the memory that a text may use"}
    except Exception as error:  # whatever it is, this message fails by it and no other
        return {"code": BAD_TEMPLATE, "detail": f"it cannot be filled in ({type(error).__name__})"}


def _filled_in(text: str, values: Mapping[str, Any], most: int) -> str:
    parts, left = [], most
    for part in compiled(text).generate(values):
        left -= len(part)
        if left < 0:
            raise _TooLong
        parts.append(part)
    return "".join(parts)


def _limit_memory(size: int) -> None:
    if sys.platform == "linux":  # elsewhere the system does not hold itself to it
        resource.setrlimit(resource.RLIMIT_AS, (size, size))


def _limit_time(seconds: int) -> None:
    """From now on; the operating system ends the process when it has worked so long."""
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(time.process_time()) + 1 + seconds, hard))


def main() -> None:
    """Arguments: the memory that it may use in bytes, and the seconds of work for a draft."""
    memory, seconds = map(int, sys.argv[1:])
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _limit_memory(memory)
    source, target = sys.stdin.buffer, sys.stdout.buffer
    write_frame(target, [READY])
    while (drafts := read_frame(source)) is not None:
        answers = []
        for each in drafts:
            _limit_time(seconds)
            answers.append(filled_in(each["texts"], each["values"], each["most"], each["language"]))
        write_frame(target, answers)


if __name__ == "__main__":
    main()
