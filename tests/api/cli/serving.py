"""A real `arrears serve` on a data folder, for what runs beside it."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

RUNNING = ("-c", "from api.cli import main; main()")


@contextmanager
def serving(data: Path, **more: str) -> Iterator[int]:
    """The port of a running `arrears serve` with more environment, which is ended politely."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    env = {name: value for name, value in os.environ.items() if not name.startswith("ARREARS_")}
    server = subprocess.Popen(
        [sys.executable, *RUNNING, "serve", "--port", str(port), "--data", str(data)],
        env={**env, **more},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        until = time.monotonic() + 60
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=5).close()
                break
            except OSError:
                assert server.poll() is None, server.stderr.read() if server.stderr else ""
                assert time.monotonic() < until
                time.sleep(0.1)
        yield port
    finally:
        server.send_signal(signal.SIGTERM)
        _, err = server.communicate(timeout=60)
    assert "Traceback" not in err
    for line in err.splitlines():
        assert json.loads(line)["at"]  # JSON where nobody looks
