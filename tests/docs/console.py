"""Console blocks of the documentation: read, and run as somebody would who follows it."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from tests.waiting import HANG, wait_until

ROOT = Path(__file__).parents[2]
PAGES = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "README.md", *(ROOT / "docs").rglob("*.md")))

_BLOCK = re.compile(r"^(?P<indent> *)```console\n(?P<text>.*?)^ *```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Command:
    """What is typed after a prompt, and what the page shows below it."""

    page: str
    line: int
    text: str
    shown: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}: {self.text}"


def commands_of(page: str, text: str | None = None) -> list[Command]:
    """Every command of a page's console blocks, in order."""
    text = (ROOT / page).read_text(encoding="utf-8") if text is None else text
    found: list[Command] = []
    for block in _BLOCK.finditer(text):
        first = text.count("\n", 0, block.start()) + 2
        lines = [line.removeprefix(block["indent"]) for line in block["text"].splitlines()]
        for number, line in enumerate(lines, first):
            if line.startswith("$ "):
                found.append(Command(page, number, line.removeprefix("$ "), ""))
                continue
            if not found or found[-1].line < first:
                raise ValueError(f"{page}:{number}: a console block begins with a prompt")
            last = found.pop()
            goes_on = not last.shown and last.text.rstrip().endswith(("\\", "|"))
            said = (f"{last.text}\n{line}", "") if goes_on else (last.text, f"{last.shown}{line}\n")
            found.append(Command(page, last.line, *said))
    return found


def is_as_shown(shown: str, said: str) -> bool:
    """Whether a command said what the page shows. `…` stands for anything within a line, or for any lines.

    How wide the columns of a table are is not compared.
    """
    pattern = "".join(
        r"(?:.*\n)*?" if line.strip() == "…" else rf" *{_line(line)} *\n" for line in shown.rstrip().splitlines()
    )
    return re.fullmatch(pattern, said.rstrip() + "\n") is not None


def _line(line: str) -> str:
    return " +".join(".*".join(map(re.escape, word.split("…"))) for word in line.split())


class Terminal:
    """A shell in a folder. Variables stay; what keeps running is ended, as by Ctrl+C, at the end."""

    def __init__(self, folder: Path, env: Mapping[str, str]) -> None:
        self._folder = folder
        kept = {n: v for n, v in os.environ.items() if not n.startswith(("ARREARS_", "KAFKA_", "COLUMNS"))}
        path = f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}"
        self._env = {**kept, "PATH": path, **env}
        self._running: list[tuple[str, subprocess.Popen[bytes], IO[bytes]]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with ExitStack() as all_of_them:
            for text, process, output in self._running:
                all_of_them.callback(self._end, text, process, output)

    def run(self, text: str) -> str:
        """What the command says. AssertionError where it fails."""
        kept = self._folder / ".environment"
        keeping = f'set -o allexport\n{text}\nended=$?; env --null > "{kept}"; exit $ended'
        done = subprocess.run(
            ["bash", "-c", keeping],
            cwd=self._folder,
            env=self._env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=HANG,
        )
        assert done.returncode == 0, f"{text}\nended with {done.returncode} and said:\n{done.stdout}"
        self._env = dict(each.split("=", 1) for each in kept.read_text().split("\0") if each)
        kept.unlink()
        return done.stdout

    def keep_running(self, text: str, *, until: str) -> str:
        """Starts what does not end by itself, and returns what it says once it has said `until`."""
        output = (self._folder / f".output-{len(self._running)}").open("w+b")
        process = subprocess.Popen(
            ["bash", "-c", f"exec {text}"],
            cwd=self._folder,
            env=self._env,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._running.append((text, process, output))

        def has_said_it() -> bool:
            said = _said(output)
            assert process.poll() is None, f"{text}\nended with {process.returncode} and said:\n{said}"
            return until in said

        wait_until(has_said_it, f"{text} says {until!r}")
        return _said(output)

    def said(self) -> str:
        """What the latest of those that keep running has said by now."""
        return _said(self._running[-1][2])

    def _end(self, text: str, process: subprocess.Popen[bytes], output: IO[bytes]) -> None:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(HANG)
        finally:
            process.kill()
            said = _said(output)
            output.close()
        assert process.returncode in {0, 130, -signal.SIGINT}, f"{text}\nended with {process.returncode}:\n{said}"
        assert "Traceback" not in said, said


def _said(output: IO[bytes]) -> str:
    output.flush()
    return Path(output.name).read_text(encoding="utf-8", errors="replace")
