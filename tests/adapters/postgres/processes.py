"""Programs that tests run in processes of their own."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.waiting import HANG

HOLD = """
import sys
from pathlib import Path
from adapters.postgres.embedded import EmbeddedPostgres
make = {"own": EmbeddedPostgres, "attach": EmbeddedPostgres.attach}[sys.argv[1]]
with make(Path(sys.argv[2])) as postgres:
    print(postgres.dsn, flush=True)
    sys.stdin.readline()
"""


@contextmanager
def holding(data_dir: Path, how: str = "own") -> Iterator[subprocess.Popen[str]]:
    """A live process that owns, or is attached to, the folder; told to leave (and waited for) at the end."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, how, str(data_dir)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline().startswith("postgresql://")
    try:
        yield process
    finally:
        process.communicate(timeout=HANG)
