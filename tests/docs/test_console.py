"""Every console block of the documentation is run, and what it shows is what is said."""

import json
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from adapters.kafka.local import free_ports
from tests.api.cli.conftest import INVOICES
from tests.docs.console import PAGES, ROOT, Command, Terminal, commands_of, is_as_shown
from tests.guard.sitecustomize import NOW
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
    "./dev cluster": "Ctrl-C ends all of it",
    "arrears publish": "",
    "arrears tail  ": "",
    "arrears tail --from beginning": "account.payment-received",
    "arrears tail --account": "account.",
}
"""Commands that run until they are told to end, and what they say when they are ready."""

SERVES = ("./dev run", "./dev arrears serve", "./dev cluster")
PORT = "8000"
"""Where they serve: on a free port here."""

BESIDE_A_SERVICE = ("curl",)

THE_DAY = "2026-11-21T15:00:00+00:00"
"""A Saturday, 10:00 in the sample's office: the day of the figures that the pages show."""

FILES = {
    "my-profile.toml": "src/adapters/billing/profiles/invoices.toml",
    "reminders.toml": "src/api/sample/reminders.toml",
    "history.csv": "tests/adapters/billing/data/ibm-sample.csv",
}
"""What pages take for granted in the folder."""

PRELUDE = "def mirror(*what): print('mirrored', *what, flush=True)\n"
"""What the examples in Python take for granted."""
PRINTED = ("mirrored", "collections.")


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
                options = f" --port {self.instead[PORT]}" if beginning(command, SERVES) else ""
                said = self.terminal.keep_running(text.split("  #")[0] + options, until=KEEP_RUNNING[ready])
            assert not shown or is_as_shown(shown, said), f"{command}\nis said to show\n{shown}\nbut shows\n{said}"

    def here(self, text: str) -> str:
        for there, here in self.instead.items():
            text = text.replace(there, here)
        return text


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
def follower(folder: Path, *, data: str) -> Iterator[Follower]:
    (port,) = free_ports(1)
    with Terminal(folder, {NOW: THE_DAY, "ARREARS_DATA": str(folder / data)}) as terminal:
        yield Follower(terminal, {PORT: str(port)})


def test_a_block_is_read_as_commands_and_what_they_show():
    page = "x\n\n    ```console\n    $ one |\n      two\n    said\n    $ three # what for\n    ```\n"
    assert commands_of("page.md", page) == [
        Command("page.md", 4, "one |\n  two", "said\n"),
        Command("page.md", 7, "three # what for", ""),
    ]


@pytest.mark.parametrize(
    ("shown", "said", "is_so"),
    [
        ("a  b\n", "a b\n", True),
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
    with follower(folder, data=".data/run") as somebody:
        if any(beginning(each, BESIDE_A_SERVICE) for each in commands):
            somebody.follow(commands_of("docs/quick-start.md")[:1])
        somebody.follow(commands)


@pytest.mark.console
@pytest.mark.kafka
@pytest.mark.postgres
@pytest.mark.slow
def test_the_readme_and_the_guide_for_subscribers_can_be_followed_on_a_cluster(folder: Path):
    with follower(folder, data=".data/cluster") as somebody:
        somebody.follow(each for each in commands_of("README.md") if needs_kafka(each))
        said = somebody.terminal.said()
        logs = [Path(each) for each in re.findall(r"\S+\.log$", said, re.MULTILINE)]
        assert logs != []
        assert [each for each in logs if not each.exists()] == []
        (servers,) = re.findall(r"KAFKA_BOOTSTRAP_SERVERS=(\S+)", said)
        somebody.terminal.run(f"export KAFKA_BOOTSTRAP_SERVERS={servers}")
        opened = somebody.terminal.run("arrears tail --from beginning --once --json --type account.opened")
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
