"""Every console block of the documentation is run, and what it shows is what is said."""

import json
import re
import socket
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from types import MappingProxyType

import pytest

from adapters.clock_check import TOLERANCE_VARIABLE
from adapters.kafka.local import free_ports
from tests.api.cli.conftest import INVOICES
from tests.docs.console import PAGES, ROOT, Command, Terminal, commands_of, is_as_shown
from tests.guard.sitecustomize import LATER, NOW
from tests.temporary import temporary_folder

NOT_RUN = {
    "./dev unit": "it would run the tests from a test",
    "./dev test": "it would run this test",
    "./dev chaos": "it takes ten minutes; a short trial is tests/chaos",
    "docker": "it needs a container engine; tests/deploy reads the files that it is given",
    "deploy/compose/make-env": "it writes into the checkout; tests/deploy runs it elsewhere",
    "alias cluster=": "for a container engine",
    "cluster": "for a container engine",
    "kubectl": "it needs Kubernetes",
    "head -c 32": "for Kubernetes",
    "export ARREARS_OWNER_PASSWORD=": "tests/deploy/test_logins.py runs the script",
    "psql": "tests/deploy/test_logins.py runs the script",
    "kafka-acls.sh": "it needs an authorizer; tests/adapters/kafka/test_security.py has one",
}
"""Commands that are not run, by what they begin with, and why."""

KAFKA = (
    "./dev cluster",
    "arrears tail",
    "arrears topics",
    "arrears publish",
    "kcat",
    "export KAFKA_BOOTSTRAP_SERVERS=",
)
"""What needs a cluster, or is one."""

KEEP_RUNNING = {
    "./dev run": "Arrears is at",
    "./dev arrears serve": "Arrears is at",
    "arrears serve": "Arrears is at",
    "./dev cluster": "Ctrl-C ends all of it",
    "arrears publish": "",
    "arrears tail  ": "",
    "arrears tail --from beginning": "account.payment-received",
    "arrears tail --account": "account.",
}
"""Commands that run until they are told to end, and what they say when they are ready."""

SERVES = ("./dev run", "./dev arrears serve", "arrears serve", "./dev cluster")
PORT, ANOTHER_PORT = "8000", "8001"
"""Where they serve, the first without saying so: on free ports here."""

BESIDE_A_SERVICE = ("curl", "arrears backup")

THE_DAY = datetime(2026, 11, 21, 15, tzinfo=UTC)
"""A Saturday, 10:00 in the sample's office: the day of the figures that README shows."""


STANDS = {NOW: THE_DAY.isoformat(), TOLERANCE_VARIABLE: "3e9"}  # the database's clock goes on


@cache
def at_work() -> dict[str, str]:
    """A clock that goes on from an hour of this day at which customers may be reached in every place that the pages
    speak of. The same for all of them: one finds what another left, and the latest is the latest."""
    now = datetime.now(UTC)
    seconds = (now.replace(hour=THE_DAY.hour, minute=0, second=0, microsecond=0) - now).total_seconds()
    return {LATER: str(seconds), TOLERANCE_VARIABLE: "3e9"}


FILES = {
    "my-profile.toml": "src/adapters/billing/profiles/invoices.toml",
    "reminders.toml": "src/api/sample/reminders.toml",
    "history.csv": "tests/adapters/billing/data/ibm-sample.csv",
}
"""What pages take for granted in the folder."""

BEFORE = {"docs/operations.md": "mkdir backups; cp .data/run/master.key ."}
"""What else is there before a page is followed."""

PRELUDE = """
import os, signal
signal.signal(signal.SIGINT, lambda *_: os._exit(0))
def mirror(*what): print("mirrored", *what, flush=True)
"""
"""What the examples in Python take for granted, and that they end without a word."""
PRINTED = ("mirrored", "mirrored", "collections.")


def beginning(command: Command, beginnings: Iterable[str]) -> str | None:
    """The longest of the beginnings that the command has."""
    return max((each for each in beginnings if command.text.startswith(each)), key=len, default=None)


def is_run(command: Command) -> bool:
    return beginning(command, NOT_RUN) is None


def needs_kafka(command: Command) -> bool:
    return beginning(command, KAFKA) is not None


ALL = [command for page in PAGES for command in commands_of(page)]
IN_ONE_PROCESS = sorted({each.page for each in ALL if is_run(each) and not needs_kafka(each)})
AS_A_CLUSTER = sorted({each.page for each in ALL if needs_kafka(each)} - {"README.md", "docs/subscribers.md"})


@dataclass
class Follower:
    """Somebody who does what a page says, and looks at what it shows."""

    terminal: Terminal
    instead: dict[str, str]
    """What is typed, and said, in place of what a page has: addresses that are free on this machine."""

    def follow(self, commands: Iterable[Command]) -> None:
        for command in commands:
            text, shown = self.here(command.text), self.here(command.shown)
            ready = beginning(command, KEEP_RUNNING)
            if ready is None or "--once" in text:
                said = self.terminal.run(text)
            else:
                options = f" --port {self._port()}" if beginning(command, SERVES) and "--port" not in text else ""
                said = self.terminal.keep_running(text.split("  #")[0] + options, until=KEEP_RUNNING[ready])
            assert not shown or is_as_shown(shown, said), f"{command}\nis said to show\n{shown}\nbut shows\n{said}"

    def _port(self) -> str:
        """The one that the page speaks of; another where that is taken on this machine by what runs still."""
        with socket.socket() as probe:
            is_taken = probe.connect_ex(("127.0.0.1", int(self.instead[PORT]))) == 0
        return str(free_ports(1)[0]) if is_taken else self.instead[PORT]

    def here(self, text: str) -> str:
        return re.sub("|".join(map(re.escape, self.instead)), lambda found: self.instead[found[0]], text)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """Where the commands are typed: `./dev` is that of the checkout, and the files that pages speak of are there."""
    with temporary_folder() as made:
        dev = made / "dev"
        dev.write_text(f'#!/bin/sh\nexec "{ROOT}/dev" "$@"\n', encoding="utf-8")
        dev.chmod(0o755)
        for name, source in FILES.items():
            (made / name).write_bytes((ROOT / source).read_bytes())
        (made / "invoices.csv").write_text(INVOICES, encoding="utf-8")
        yield made


@contextmanager
def follower(folder: Path, *, data: str, clock: Mapping[str, str] = MappingProxyType({})) -> Iterator[Follower]:
    instead = dict(zip((PORT, ANOTHER_PORT), map(str, free_ports(2)), strict=True)) | {"/backups": f"{folder}/backups"}
    with Terminal(folder, {**clock, "ARREARS_DATA": str(folder / data)}) as terminal:
        yield Follower(terminal, instead)


def test_a_block_is_read_as_commands_and_what_they_show():
    page = "x\n\n    ```console\n    $ one |\n      two\n    said\n    $ three # what for\n    ```\n"
    assert commands_of("a page", page) == [
        Command("a page", 4, "one |\n  two", "said\n"),
        Command("a page", 7, "three # what for", ""),
    ]


@pytest.mark.parametrize(
    ("shown", "said", "is_so"),
    [
        ("a  b\n", "a b\n", True),
        (" 9 b\n10 c\n", "   9 b  \n  10 c  \n", True),
        ("a b\n", "a c\n", False),
        ("a b\n", "a b\nc\n", False),
        ("a … c\n", "a b b c\n", True),
        ("a\n…\nd\n", "a\nb\nc\nd\n", True),
        ("a\n…\nd\n", "a\nd\n", True),
        ("a\n…\nd\n", "a\nb\n", False),
    ],
)
def test_three_dots_stand_for_anything(shown: str, said: str, is_so: bool):
    assert is_as_shown(shown, said) == is_so


@pytest.mark.parametrize("beginnings", [NOT_RUN, KAFKA, KEEP_RUNNING, SERVES, BESIDE_A_SERVICE])
def test_what_is_said_of_commands_is_of_commands_that_are_there(beginnings: Iterable[str]):
    assert [each for each in beginnings if not any(command.text.startswith(each) for command in ALL)] == []


@pytest.mark.console
@pytest.mark.postgres
@pytest.mark.slow
@pytest.mark.parametrize("page", IN_ONE_PROCESS)
def test_a_page_can_be_followed(page: str, folder: Path):
    commands = [each for each in commands_of(page) if is_run(each) and not needs_kafka(each)]
    with follower(folder, data=".data/run", clock=STANDS if page == "README.md" else at_work()) as somebody:
        if any(beginning(each, BESIDE_A_SERVICE) for each in commands):
            somebody.follow(commands_of("docs/quick-start.md")[:1])
        somebody.terminal.run(BEFORE.get(page, "true"))
        somebody.follow(commands)


@pytest.mark.console
@pytest.mark.kafka
@pytest.mark.postgres
@pytest.mark.slow
def test_the_readme_and_the_guide_for_subscribers_can_be_followed_on_a_cluster(folder: Path):
    with follower(folder, data=".data/cluster", clock=STANDS) as somebody:
        somebody.follow(each for each in commands_of("README.md") if needs_kafka(each))
        said = somebody.terminal.said()
        logs = [Path(each) for each in re.findall(r"\S+\.log$", said, re.MULTILINE)]
        assert logs != []
        assert [each for each in logs if not each.exists()] == []
        (servers,) = re.findall(r"KAFKA_BOOTSTRAP_SERVERS=(\S+)", said)
        somebody.terminal.run(f"export KAFKA_BOOTSTRAP_SERVERS={servers}")
        tail = "arrears tail --from beginning --json --type account.opened 2>.notices"  # a log's lines are JSON too
        opened = somebody.terminal.keep_running(tail, until="}\n")
        somebody.instead |= {
            "127.0.0.1:9092": servers,
            "kafka-1:9092,kafka-2:9092": servers,
            "1f0c…": json.loads(opened.splitlines()[0])["account_id"],
        }
        somebody.follow(commands_of("docs/subscribers.md"))
        for number, example in enumerate(python_blocks_of("docs/subscribers.md")):
            (folder / f"example-{number}.py").write_text(PRELUDE + somebody.here(example), encoding="utf-8")
            somebody.terminal.keep_running(f"python -u example-{number}.py", until=PRINTED[number])


@pytest.mark.kafka
@pytest.mark.postgres
@pytest.mark.slow
@pytest.mark.parametrize("page", AS_A_CLUSTER)
def test_a_page_can_be_followed_on_a_cluster(page: str, folder: Path):
    with follower(folder, data=".data/cluster") as somebody:
        somebody.follow(each for each in commands_of(page) if is_run(each))


def python_blocks_of(page: str) -> list[str]:
    text = (ROOT / page).read_text(encoding="utf-8")
    return [block[1] for block in re.finditer(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)]
