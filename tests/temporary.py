"""The one place that makes temporary folders, for tests and benchmarks."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """A folder with a short path (PostgreSQL's socket is in it), removed afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="arrears-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
