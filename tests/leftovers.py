"""A run of tests leaves nothing in the temporary directory.

A run of pytest has a temporary directory of its own, inside the machine's; TMPDIR names it to the processes that tests
start. What is still in it when everything is torn down makes the run fail, with the test after which it was first seen.
"""

import os
import shutil
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

_OURS = pytest.StashKey[Path]()
_BEFORE = pytest.StashKey[dict[str, str | None]]()
_FIRST_SEEN = pytest.StashKey[dict[str, str]]()
"""Names of files and folders in it, and after which test each was first seen."""

_PYTEST_ROOT = "PYTEST_DEBUG_TEMPROOT"
"""Where pytest puts `tmp_path`, of which it keeps the last three runs; it looks after those itself."""


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_BEFORE] = {name: os.environ.get(name) for name in (_PYTEST_ROOT, "TMPDIR")}
    config.stash[_OURS] = Path(tempfile.mkdtemp(prefix="arrears-"))
    config.stash[_FIRST_SEEN] = {}
    os.environ.setdefault(_PYTEST_ROOT, tempfile.gettempdir())
    _set("TMPDIR", str(config.stash[_OURS]))


def pytest_unconfigure(config: pytest.Config) -> None:
    for name, value in config.stash[_BEFORE].items():
        _set(name, value)
    shutil.rmtree(config.stash[_OURS], ignore_errors=True)


def _set(name: str, value: str | None) -> None:
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value
    tempfile.tempdir = None  # it is looked up anew


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, Any, Any]:
    try:
        return (yield)
    finally:
        for name in _names_in(item.config.stash[_OURS]):
            item.config.stash[_FIRST_SEEN].setdefault(name, item.nodeid)


@pytest.fixture(scope="session", autouse=True)
def _nothing_is_left_in_the_temporary_directory(pytestconfig: pytest.Config) -> Iterator[None]:
    """The first to be set up, so the last to be torn down."""
    yield
    seen = pytestconfig.stash[_FIRST_SEEN]
    left = [
        f"{name}, first seen after {seen.get(name, 'the last test')}" for name in _names_in(pytestconfig.stash[_OURS])
    ]
    if left:
        pytest.fail("tests left in the temporary directory:\n" + "\n".join(left), pytrace=False)


def _names_in(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))  # noqa: PTH208  names, as text
