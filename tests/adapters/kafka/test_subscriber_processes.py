"""Subscribers as processes of their own, which are killed, join and leave: nothing is missing, whatever comes twice."""

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from adapters.kafka.tail import Tail
from adapters.postgres.database import Database
from api.processes.publishing import publishing
from tests.adapters.kafka.fixture import TestKafka
from tests.adapters.kafka.wire import some_accounts
from tests.adapters.readers.log import Log
from tests.waiting import HANG, wait_until

PARTITIONS = 4


@dataclass
class Group:
    """Processes that share the work of a group, and what each has handled."""

    kafka: TestKafka
    topic: str
    database: Database
    log: Log
    folder: Path
    processes: list[subprocess.Popen[str]] = field(default_factory=list)
    accounts: int = 0

    def add(self, *options: str) -> subprocess.Popen[str]:
        """Starts one more; see `mirror.py` for what may be said."""
        file = self.folder / f"{len(self.processes)}.txt"
        file.touch()
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.adapters.kafka.mirror", f"mirror-{self.topic}", str(file), *options],
            env={**os.environ, **self.kafka.env, "ARREARS_EVENTS_TOPIC": self.topic},
            stderr=subprocess.PIPE,
            text=True,
        )
        self.processes.append(process)
        return process

    def publish(self, accounts: int) -> int:
        """Four events of each account, which are new ones; the log's end."""
        head = some_accounts(self.log, accounts, start=self.accounts)
        self.accounts += accounts
        with publishing(self.database, self.kafka.env, topic=self.topic) as runner:
            runner.catch_up(timeout=HANG)
        return head

    def publish_until_handled_by(self, number: int) -> None:
        """Until the group has given partitions to one of the processes."""
        wait_until(lambda: self.publish(8) and self.handled(number), "it has partitions")

    def handled(self, number: int) -> list[int]:
        """Positions that one of the processes has handled; they are counted from 0."""
        return [int(line) for line in (self.folder / f"{number}.txt").read_text(encoding="utf-8").splitlines()]

    @property
    def everything(self) -> Counter[int]:
        return Counter(each for number in range(len(self.processes)) for each in self.handled(number))

    def wait_for(self, head: int) -> None:
        wait_until(lambda: set(self.everything) >= {*range(1, head + 1)}, "every event was handled")


@pytest.fixture
def group(kafka: TestKafka, database: Database, log: Log, tmp_path: Path) -> Iterator[Group]:
    group = Group(kafka, kafka.topic(partitions=PARTITIONS), database, log, tmp_path)
    yield group
    for process in group.processes:
        if process.poll() is None:
            process.kill()
        process.communicate()


def test_killed_between_handling_and_the_commit_an_event_comes_again_and_none_is_missing(group: Group):
    head = group.publish(10)
    killed = group.add("beginning", "15")
    assert killed.wait(HANG) == -signal.SIGKILL
    assert len(group.handled(0)) == 15
    group.add()
    group.wait_for(head)
    assert set(group.handled(0)) & set(group.handled(1)) >= {group.handled(0)[-1]}


def test_while_processes_join_leave_and_are_killed_none_is_missing(group: Group):
    group.add()
    group.publish_until_handled_by(0)
    second = group.add()
    group.publish_until_handled_by(1)
    third = group.add()
    group.publish_until_handled_by(2)
    second.terminate()
    assert second.wait(HANG) == 0
    third.kill()
    third.wait(HANG)
    group.wait_for(group.publish(10))


def test_a_group_goes_on_from_the_position_it_began_at(group: Group):
    group.publish(10)
    killed = group.add("21", "5")
    assert killed.wait(HANG) == -signal.SIGKILL
    group.add("21")
    wait_until(lambda: set(group.everything) >= {*range(21, 41)}, "everything from there on was handled")
    assert min(group.everything) == 21


def test_what_the_topic_has_no_more_ends_a_process_that_says_how_to_get_it(group: Group):
    group.publish(10)
    killed = group.add("beginning", "3")
    killed.wait(HANG)
    with Tail(group.kafka.env, topic=group.topic) as tail:
        group.kafka.delete_before(group.topic, tail.ends())
    group.publish(10)
    told = group.add()
    _, said = told.communicate(timeout=HANG)
    assert told.returncode == 3, said
    assert "arrears replay --from 1 --to " in said
    assert "accept_loss()" in said
    assert group.handled(1) == []
