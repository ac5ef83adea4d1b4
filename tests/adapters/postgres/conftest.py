"""Data folders that hold a cluster already: making one takes a second, copying one does not."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.postgres.embedded import EmbeddedPostgres


@pytest.fixture(scope="session")
def made_once() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="arrears-test-"))
    with EmbeddedPostgres(folder / "data"):
        pass
    yield folder / "data"
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def used_dir(made_once: Path, data_dir: Path) -> Path:
    """A data folder whose cluster exists and is stopped, with its owner and permissions."""
    subprocess.run(["cp", "-a", f"{made_once}/.", str(data_dir)], check=True)
    return data_dir
