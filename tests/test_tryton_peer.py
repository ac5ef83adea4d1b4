"""The environment of the peer of benchmarks is made once, made again when that is due, and its lack is explained."""

from pathlib import Path

import pytest

from tests.benchmarks.tryton_peer import NoTryton, answer, environment

MAKES = 'for last; do :; done\nif [ "$1" = venv ]; then mkdir -p "$last/bin"; else cp "$last" "$0.installed"; fi\n'
FAILS = 'echo "no answer from the index" >&2; exit 2\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "tryton"


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    path = tmp_path / "tryton.lock"
    path.write_text("trytond==1\n")
    return path


def uv(tmp_path: Path, does: str) -> str:
    """A folder with a program of that name, to be looked for there."""
    programs = tmp_path / "programs"
    programs.mkdir(exist_ok=True)
    program = programs / "uv"
    program.write_text(f'#!/bin/sh\necho "$1" >>"$0.calls"\n{does}')
    program.chmod(0o755)
    return str(programs)


def calls(tmp_path: Path) -> list[str]:
    return (tmp_path / "programs" / "uv.calls").read_text().split()


def test_the_environment_is_made_once(tmp_path: Path, folder: Path, lock: Path):
    programs = uv(tmp_path, MAKES)

    pythons = {environment(folder, lock, programs) for _ in range(2)}

    assert pythons == {folder / "bin" / "python"}
    assert calls(tmp_path) == ["venv", "pip"]
    assert (tmp_path / "programs" / "uv.installed").read_text() == lock.read_text()


def test_the_environment_is_made_again_for_another_lock(tmp_path: Path, folder: Path, lock: Path):
    programs = uv(tmp_path, MAKES)
    environment(folder, lock, programs)

    lock.write_text("trytond==2\n")
    environment(folder, lock, programs)

    assert calls(tmp_path) == ["venv", "pip"] * 2


def test_without_the_package_index_it_is_said_what_was_expected(tmp_path: Path, folder: Path, lock: Path):
    programs = uv(tmp_path, FAILS)

    with pytest.raises(NoTryton, match=r"tryton\.lock names are expected(.|\n)*no answer from the index"):
        environment(folder, lock, programs)


def test_what_failed_half_way_is_not_taken_for_made(tmp_path: Path, folder: Path, lock: Path):
    programs = uv(tmp_path, f'if [ "$1" = pip ]; then {FAILS.strip()}; fi\n{MAKES}')
    for _ in range(2):
        with pytest.raises(NoTryton):
            environment(folder, lock, programs)

    assert calls(tmp_path) == ["venv", "pip"] * 2


def test_without_uv_it_is_said_where_it_is_expected(tmp_path: Path, folder: Path, lock: Path):
    with pytest.raises(NoTryton, match="uv is expected"):
        environment(folder, lock, str(tmp_path))


def test_the_answer_is_the_last_line():
    assert answer('a module says something\n{"seconds": 2.5}\n') == {"seconds": 2.5}
