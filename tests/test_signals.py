"""Processes that tests start can be told to end, however the tests themselves were started."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

SAYS = """
import os, signal, subprocess, sys
number = int(sys.argv[1])
signal.signal(number, signal.SIG_IGN)
from tests.signals import keep_from_children
keep_from_children()
child = "import signal, sys; print(signal.getsignal(int(sys.argv[1])) is signal.SIG_IGN)"
subprocess.run([sys.executable, "-c", child, str(number)], check=True)
os.kill(os.getpid(), number)
print("goes on")
"""


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT, signal.SIGTERM])
def test_what_whoever_started_the_tests_ignores_ends_processes_of_theirs(number: signal.Signals):
    said = subprocess.run(
        [sys.executable, "-u", "-c", SAYS, str(int(number))],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout.splitlines() == ["False", "goes on"]
