"""PDF files printed behind a letter, put together by a process of its own, under limits of time and memory."""

import os
import subprocess
import sys
from collections.abc import Sequence
from io import BytesIO

from adapters.delivery.carrier import CarrierRefused, CarrierUnavailable

_MODULE = "adapters.delivery.carriers.appending_process"
_MEMORY = 1024 * 1024 * 1024
_CPU_SECONDS = 10
_WALL_SECONDS = 20.0
"""Less than what a carrier of letters may take to answer."""
MOST_PAGES = 500


def appended(letter: bytes, files: Sequence[bytes]) -> bytes:
    """The letter with the pages of the files behind it. Raises CarrierRefused where one is not to be read, is
    encrypted or has too many pages, and CarrierUnavailable where no process can be started."""
    said = BytesIO()
    for each in (letter, *files):
        said.write(len(each).to_bytes(8, "big") + each)
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", _MODULE, str(_MEMORY), str(_CPU_SECONDS), str(MOST_PAGES)],
            input=said.getvalue(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # a traceback could quote the file
            env={"PYTHONPATH": os.pathsep.join(each for each in sys.path if each), "PYTHONUTF8": "1"},
            start_new_session=True,
            timeout=_WALL_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise _refused() from None
    except OSError as error:
        raise CarrierUnavailable(f"no process that puts pages together can be started: {error.strerror}") from None
    if done.returncode != 0 or not done.stdout.startswith(b"%PDF-"):
        raise _refused()
    return done.stdout


def _refused() -> CarrierRefused:
    return CarrierRefused(
        "bad-attachment",
        f"an attachment cannot be printed; expected PDF files without password, of at most {MOST_PAGES} pages in all",
    )
