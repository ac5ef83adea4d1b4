"""Data folders that hold a cluster already: making one takes a second, copying one does not."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.postgres.embedded import EmbeddedPostgres
from tests.temporary import temporary_folder


@pytest.fixture(scope="session")
def made_once() -> Iterator[Path]:
    with temporary_folder() as folder:
        with EmbeddedPostgres(folder / "data"):
            pass
        yield folder / "data"


@pytest.fixture
def used_dir(made_once: Path, data_dir: Path) -> Path:
    """A data folder whose cluster exists and is stopped, with its owner and permissions."""
    subprocess.run(["cp", "-a", f"{made_once}/.", str(data_dir)], check=True)
    return data_dir
