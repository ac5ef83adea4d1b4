"""What tests need beyond Python and its packages: declared by the fixtures that they use, or by marks of their own.

A need, its mark and the fixture that brings it have one name. A test that uses the fixture, even through others, gets
the mark; one that starts the program itself carries it (`pytestmark = pytest.mark.postgres`). A test without any is
marked `unit`: `./dev unit` runs those. Whoever starts a program without declaring it fails, in every run.
"""

import os
import subprocess
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.api.http.browser import NAMES as CHROMIUM_NAMES
from tests.guard import sitecustomize as guard


@dataclass(frozen=True, slots=True)
class Need:
    """Something that a test starts or runs, and the programs by which that is seen."""

    what: str
    programs: tuple[str, ...]
    is_prepared: bool = True
    """Whether `./dev prepare NAME` makes it available."""


NEEDS = {
    "postgres": Need("PostgreSQL, which comes with the packages", ("initdb", "pg_ctl", "postgres"), is_prepared=False),
    "mount": Need("to mount a file system of a few hundred megabytes, as root", ("mount", "umount"), is_prepared=False),
    "kafka": Need("Apache Kafka, started where none is named, and kcat", ("java", "kcat", "docker")),
    "browser": Need("Chromium", CHROMIUM_NAMES),
    "console": Need("curl and jq, which pages of the documentation use", ("curl", "jq")),
    "promtool": Need("promtool, which comes with Prometheus", ("promtool",)),
}


def needs_of(item: pytest.Item) -> frozenset[str]:
    used = set(getattr(item, "fixturenames", ()))
    return frozenset(name for name in NEEDS if name in used or item.get_closest_marker(name) is not None)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--prepare", metavar="PROGRAM", help="calls `PROGRAM prepare NEED…` for what the selected tests need; see ./dev"
    )


def pytest_configure(config: pytest.Config) -> None:
    for name, need in NEEDS.items():
        config.addinivalue_line("markers", f"{name}: needs {need.what}")
    config.addinivalue_line("markers", "unit: needs none of these; run by ./dev unit")
    folder, before = str(Path(guard.__file__).parent), os.environ.get("PYTHONPATH")
    if before is None or folder not in before.split(os.pathsep):
        os.environ["PYTHONPATH"] = folder if not before else f"{folder}{os.pathsep}{before}"


def pytest_itemcollected(item: pytest.Item) -> None:
    for name in needs_of(item) or {"unit"}:
        item.add_marker(name)


def pytest_collection_finish(session: pytest.Session) -> None:
    program = session.config.getoption("prepare")
    if program is None or session.config.option.collectonly:
        return
    wanted = {name for item in session.items for name in needs_of(item) if NEEDS[name].is_prepared}
    if wanted:
        with _uncaptured(session.config):
            subprocess.run([program, "prepare", *sorted(wanted)], check=True)


def _uncaptured(config: pytest.Config) -> AbstractContextManager[None]:
    manager = config.pluginmanager.getplugin("capturemanager")
    suspended: Callable[[], AbstractContextManager[None]] = manager.global_and_fixture_disabled
    return suspended()


# --- nothing else is started -------------------------------------------------------------------------------


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, Any, Any]:
    with forbidden(_programs_beside(needs_of(item))):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    with forbidden(_programs_beside(needs_of(item))):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown() -> Generator[None, Any, Any]:
    """Whatever was started may be ended, for fixtures of a file and of the run too."""
    with forbidden(()):
        return (yield)


def _programs_beside(declared: Iterable[str]) -> Iterator[str]:
    return (program for name in NEEDS.keys() - set(declared) for program in NEEDS[name].programs)


@contextmanager
def forbidden(programs: Iterable[str]) -> Iterator[None]:
    """To start one of these raises UndeclaredNeed, here and in processes that inherit the environment."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(guard.FORBIDDEN, ",".join(programs))
        yield
