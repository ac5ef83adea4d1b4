"""What a command does not do before it begins: load, make or look through what it has no use for."""

import gc
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
import typer
from typer.main import get_command
from typer.testing import CliRunner

from aggregates.kernel.value import Value
from api.cli import app
from api.cli.garbage import collect_once_all_is_imported

LOADED = """
import sys
from api.cli.lean import load_structlog_alone
load_structlog_alone()
import api.processes.step_by_step
print(*sorted({"rich.traceback", "pygments", "openpyxl"} & sys.modules.keys()))
import rich.traceback
"""


def test_what_only_few_commands_need_is_not_loaded():
    assert subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True).stdout == "\n"


def test_a_group_is_made_when_it_is_asked_for():
    commands = get_command(app).commands  # type: ignore[attr-defined]
    made = commands["office"]
    assert (made.name, commands["office"] is made) == ("office", True)
    assert isinstance(commands.data["worklist"], typer.Typer)
    assert {"office", "worklist", "import"} <= set(commands)


@pytest.mark.parametrize(("given", "usage"), [([], "Usage: arrears [OPTIONS]"), (["bulk"], "Usage: arrears bulk [OPT")])
def test_without_arguments_the_help_is_shown_and_nothing_else(given: list[str], usage: str):
    said = CliRunner().invoke(app, given, prog_name="arrears")
    assert (usage in said.stdout, said.stderr, said.exit_code) == (True, "", 2)


def test_garbage_is_collected_as_usual_after_the_first_time(monkeypatch: pytest.MonkeyPatch):
    usual, others = gc.get_threshold(), gc.callbacks[:]
    try:
        collect_once_all_is_imported()
        assert gc.get_threshold()[0] > 250_000
        gc.collect()
        assert (gc.get_threshold(), gc.callbacks) == (usual, others)

        collect_once_all_is_imported()
        gc.set_threshold(9_000, 5, 5)
        gc.collect()
        assert gc.get_threshold() == (9_000, 5, 5)
    finally:
        gc.set_threshold(*usual)
        gc.callbacks[:] = others


def test_a_value_is_the_same_for_all_who_use_its_class_first():
    """The validator of a class is made at its first use, which may be that of several threads at once."""
    classes = [type(f"Fresh{n}", (Value,), {"__annotations__": {"amount": int}}) for n in range(100)]
    together = Barrier(8)

    def use(_: int) -> list[int]:
        together.wait()
        return [each.model_validate({"amount": "7"}).amount for each in classes]  # type: ignore[attr-defined]

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(use, range(8))) == [[7] * 100] * 8
