"""Tryton's dunning, the peer of what the desk sends and of fees: on the same PostgreSQL with the same settings.

Tryton is under the GPL. It is installed into an environment of its own and only called, in a process of its own
(`tryton_run.py`); nothing of it is part of ours.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from adapters.postgres.embedded import EmbeddedPostgres
from tests.benchmarks.harness import Row, benchmark
from tests.temporary import temporary_folder

ROOT = Path(__file__).parents[2]
LOCK = Path(__file__).with_name("tryton.lock")
ENVIRONMENT = ROOT / ".tools" / "tryton"
REMINDER_LINES, FEE_LINES = 10_000, 2_000
REMINDERS = f"Tryton's generate and process of {REMINDER_LINES:,} lines"
FEES = f"Tryton's fee run of {FEE_LINES:,} lines"
PLAIN: tuple[str, ...] = ()
OPTIMIZED = ("-O",)
"""Options of Tryton's Python: -O leaves out the assertions of which its models are full."""

_PROGRAM = Path(__file__).with_name("tryton_run.py")
_FILLED = "tryton"
_SAID = 2_000
"""Characters at the end of what a failed program said."""


@benchmark("tryton")
def tryton() -> list[Row]:
    """Tryton alone, with and without python -O: dunnings generated and processed, and the same with a posted fee."""
    reminders, reminders_plain = reminder_rates(OPTIMIZED, PLAIN)
    fees, fees_plain = fee_rates(OPTIMIZED, PLAIN)
    return [
        Row(f"{REMINDERS}, -O", reminders, "lines/s", "without -O", reminders_plain, None),
        Row(f"{FEES}, -O", fees, "lines/s", "without -O", fees_plain, None),
    ]


def reminder_rates(*pythons: tuple[str, ...], lines: int = REMINDER_LINES) -> list[float]:
    """Lines a second from the first overdue line to the last processed dunning, by Pythons with these options.

    Processing writes what state a dunning is in; nothing is judged, rendered or handed to a carrier, as ours is.
    """
    return _rates("reminders", lines, pythons)


def fee_rates(*pythons: tuple[str, ...], lines: int = FEE_LINES) -> list[float]:
    """The same where each dunning is charged a fee, which is posted."""
    return _rates("fees", lines, pythons)


def _rates(task: str, lines: int, pythons: tuple[tuple[str, ...], ...]) -> list[float]:
    """Each is measured on a copy of the same database."""
    python = environment()
    rates = []
    with temporary_folder() as folder, EmbeddedPostgres(folder) as server:
        _execute(server.dsn, sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(_FILLED)))
        _run([str(python), "-I", str(_PROGRAM), "fill", _FILLED, task, str(lines)], server.dsn)
        for n, options in enumerate(pythons):
            copy = f"{_FILLED}_{n}"
            create = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
            _execute(server.dsn, create.format(sql.Identifier(copy), sql.Identifier(_FILLED)))
            _execute(make_conninfo(server.dsn, dbname=copy), sql.SQL("VACUUM ANALYZE"))
            said = _run([str(python), "-I", *options, str(_PROGRAM), "measure", copy, task, str(lines)], server.dsn)
            rates.append(lines / answer(said)["seconds"])
    return rates


def _execute(dsn: str, statement: sql.SQL | sql.Composed) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(statement)


def _run(command: list[str], dsn: str) -> str:
    """What it printed; Tryton adds the name of the database to the server's address."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("TRYTOND_", "PG"))}
    environ["TRYTOND_DATABASE__URI"] = urlsplit(dsn)._replace(path="/").geturl()
    return _output(command, environ)


def _output(command: list[str], environ: dict[str, str]) -> str:
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environ)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr[-_SAID:]}")
    return done.stdout


def answer(said: str) -> dict[str, Any]:
    """The last line, as JSON: modules may have printed something before."""
    found: dict[str, Any] = json.loads(said.strip().splitlines()[-1])
    return found


# --- the environment ---------------------------------------------------------------------------------------


class NoTryton(Exception):
    """Tryton's environment cannot be made."""


def environment(folder: Path = ENVIRONMENT, lock: Path = LOCK, path: str | None = None) -> Path:
    """The Python of Tryton's environment: made on the first call, and again when the lock or our Python changes.

    `path` is where uv is looked for; by default where ./dev puts it, then PATH. Raises NoTryton.
    """
    python, stamp = folder / "bin" / "python", folder / "made-for"
    wanted = f"{sys.version}\n{folder}\n{lock.read_text(encoding='utf-8')}"
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return python
    uv = shutil.which("uv", path=path or f"{ROOT / '.tools' / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}")
    if uv is None:
        raise NoTryton(f"uv is expected in {ROOT / '.tools' / 'bin'} or on PATH, to install {lock.name} into {folder}")
    make = [uv, "venv", "--quiet", "--clear", "--no-config", "--no-python-downloads", "--python", sys.executable]
    install = [uv, "pip", "sync", "--quiet", "--compile-bytecode", "--require-hashes", "--python", str(python)]
    try:
        _output([*make, str(folder)], dict(os.environ))
        _output([*install, str(lock)], dict(os.environ))
    except RuntimeError as error:
        expected = f"the packages that {lock} names are expected from the package index"
        raise NoTryton(f"Tryton's environment could not be made in {folder}; {expected}. {error}") from error
    stamp.write_text(wanted, encoding="utf-8")
    return python
