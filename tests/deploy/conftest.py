import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.deploy.files import ROOT, run

Promtool = Callable[..., str]


@pytest.fixture(scope="session")
def promtool() -> Promtool:
    """Runs it with these arguments: what it says. Fails the test where it ends with an error."""
    found = shutil.which("promtool", path=f"{os.environ['PATH']}{os.pathsep}{ROOT / '.tools/promtool/usr/bin'}")
    if found is None:
        pytest.fail(
            "promtool is missing: ./dev test fetches it, or install Prometheus (Debian: apt-get install prometheus)",
            pytrace=False,
        )

    def promtool(*arguments: str | Path) -> str:
        return run(found, *arguments)

    return promtool
