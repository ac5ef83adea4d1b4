"""Who ends processes at the worst moments: members of any role, Kafka's brokers, PostgreSQL."""

import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from random import Random

import psutil
from kafka import KafkaAdminClient

from adapters.kafka.connection import events_topic
from api.processes.local_cluster import LocalCluster, Member
from tests.adapters.kafka.defaced import broken, deface
from tests.adapters.kafka.wire import partition_count, records
from tests.waiting import wait_until

FROZEN_SECONDS = 13.0
"""Longer than a consumer's session: its partitions are given to others, and then it comes back."""

_LONGEST_WAIT_FOR_A_LETTER_SECONDS = 1.0
_MAY_END_SECONDS = 30.0
_AT_WORK_SECONDS = 8.0
_AT_WORK_SHARE = 0.8
_LONGEST_PAUSE_AT_START_SECONDS = 4.0
_BUILDERS_SHARE = 0.7
_LONGEST_WORK_SECONDS = 0.5
_REBUILD_LIVES_SECONDS = (2.0, 10.0)
_REBUILD_ATTEMPTS = 10


@dataclass
class Deeds:
    """What was done, and who did not end when told to."""

    kills: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By role and signal."""
    frozen: Counter[str] = field(default_factory=Counter)
    brokers: Counter[str] = field(default_factory=Counter)
    """Restarts, by how the broker was ended."""
    postgres: int = 0
    at_start: int = 0
    """Of the kills, those while the first processes were starting and building tables."""
    in_work: int = 0
    """Of the kills, those right after work over many accounts was begun."""
    defaced: int = 0
    """Messages that are none of ours, or not in their place, that were put on the topic of events."""
    made_anew: int = 0
    """How often the topic of events was deleted and made anew."""
    rebuilds: Counter[str] = field(default_factory=Counter)
    """Rebuilds of projections beside the running cluster, by whether they were finished or killed."""
    slow_to_end: list[str] = field(default_factory=list)

    @property
    def killed(self) -> int:
        return self.kills.total()


@dataclass(frozen=True, slots=True)
class _Pending:
    """Something that was begun and has to be ended, or looked after, later."""

    name: str
    process: "subprocess.Popen[bytes]"
    at: float


class Killer:
    """Seeded: the same seed chooses the same victims, as far as they run at that moment."""

    def __init__(
        self,
        cluster: LocalCluster,
        *,
        seed: int,
        begin_work: Callable[[], None],
        is_unfinished: Callable[[], bool],
        head: Callable[[], int] = lambda: 0,
        says: Callable[[str], None] = lambda _: None,
    ) -> None:
        """`begin_work` lets something be asked of every account; `is_unfinished` says whether a generation of a
        projection was begun and is not shown; `head` where the log ends."""
        self._head = head
        self._begin_work = begin_work
        self._is_unfinished = is_unfinished
        self.deeds = Deeds()
        self._cluster = cluster
        self._random = Random(f"{seed}-killer")
        self._says = says
        self._members = Counter(each.role for each in cluster.members)
        self._told_to_end: list[_Pending] = []
        self._frozen: list[_Pending] = []
        self._restarting: threading.Thread | None = None
        self._rebuilding: subprocess.Popen[bytes] | None = None
        self._kill_rebuild_at = 0.0
        self._failed: list[BaseException] = []

    def work_at_start(self, kills: int) -> None:
        """Kills members while they start and build what is not there yet, most often those that build."""
        for _ in range(kills):
            time.sleep(self._random.uniform(0, _LONGEST_PAUSE_AT_START_SECONDS))
            roles = ("project",) if self._random.random() < _BUILDERS_SHARE else ()
            self._end(*self._somebody(roles, age=0.0), signal.SIGKILL)
            self.deeds.at_start += 1

    def work(
        self,
        *,
        kills: int,
        rebuilds: int,
        works: int,
        freezes: int,
        brokers: int,
        postgres: int,
        defacings: int = 0,
        topics: int = 0,
        roles: Sequence[str] = (),
        longest_pause: float = 3.0,
    ) -> None:
        """That many of each, in a random order, with random pauses between them; everything runs again afterwards, but
        for a rebuild that was killed: see `finish_rebuild`.

        `roles` are those whose members are killed, unless it is all.
        """
        acts: list[Callable[[], object]] = [
            *[partial(self._kill, roles)] * kills,
            *[self._rebuild] * rebuilds,
            *[self._kill_in_work] * works,
            *[self._freeze] * freezes,
            *[self._restart_broker] * brokers,
            *[self._crash_postgres] * postgres,
            *[self._deface] * defacings,
            *[self._make_topic_anew] * topics,
        ]
        self._random.shuffle(acts)
        try:
            for act in acts:
                time.sleep(self._random.uniform(0, longest_pause))
                self._look_after()
                act()
        finally:
            self._wait_for_broker()
            while self._frozen or self._told_to_end:
                self._look_after()
                time.sleep(0.1)
            self._stop_rebuild()
        if self._failed:
            raise self._failed[0]

    def finish_rebuild(self) -> None:
        """Whoever asked for one asks again until it is there, and nothing is left of those that were killed.

        Raises RuntimeError where that does not come about.
        """
        for _ in range(_REBUILD_ATTEMPTS):
            self._note_rebuild(_how_it_ended(self._cluster.run("projections", "rebuild")))
            if not self._is_unfinished():
                return
        raise RuntimeError(f"no rebuild of {_REBUILD_ATTEMPTS} came to its end")

    # --- deeds ---

    def _kill(self, roles: Sequence[str]) -> None:
        how = self._random.choice((signal.SIGKILL, signal.SIGTERM))
        member, process = self._somebody(roles)
        if member.role == "deliver":
            self._wait_for_a_letter()
        self._end(member, process, how)

    def _kill_in_work(self) -> None:
        """Lets something be asked of every account, and kills one of those who ask while they are at it."""
        self._begin_work()
        time.sleep(self._random.uniform(0, _LONGEST_WORK_SECONDS))
        self._end(*self._somebody(("react",), age=0.0), signal.SIGKILL)
        self.deeds.in_work += 1

    def _rebuild(self) -> None:
        """Builds every projection anew beside the cluster. It is killed after some seconds, if it takes that long."""
        self._stop_rebuild()
        self._rebuilding = self._cluster.run("projections", "rebuild")
        self._kill_rebuild_at = time.monotonic() + self._random.uniform(*_REBUILD_LIVES_SECONDS)
        self._says("      rebuild of every projection begun")

    def _stop_rebuild(self) -> None:
        process, self._rebuilding = self._rebuilding, None
        if process is not None:
            self._note_rebuild("killed" if process.poll() is None else _how_it_ended(process))
            process.kill()
            process.wait()

    def _note_rebuild(self, how: str) -> None:
        self.deeds.rebuilds[how] += 1
        self._says(f"      rebuild {how}")

    def _end(self, member: Member, process: "subprocess.Popen[bytes]", how: signal.Signals) -> None:
        process.send_signal(how)
        self.deeds.kills[member.role, how.name] += 1
        if how == signal.SIGTERM:
            self._told_to_end.append(_Pending(member.name, process, time.monotonic()))
        self._says(f"{self.deeds.killed:>4}  {how.name} {member.name}")

    def _freeze(self) -> None:
        """Stops a process of several without ending it: others take over, and then it goes on with what it was doing,
        believing it is still its turn."""
        member, process = self._somebody([each for each, count in self._members.items() if count > 1])
        process.send_signal(signal.SIGSTOP)
        self.deeds.frozen[member.role] += 1
        self._frozen.append(_Pending(member.name, process, time.monotonic()))
        self._says(f"      frozen {member.name}")

    def _restart_broker(self) -> None:
        """Beside what else is done; one broker at a time."""
        self._wait_for_broker()
        node, kill = self._random.choice(self._cluster.kafka.nodes), self._random.random() < 0.5
        how = "killed" if kill else "stopped"

        def restart() -> None:
            try:
                self._cluster.kafka.restart_broker(node, kill=kill)
            except BaseException as error:
                self._failed.append(error)

        self._restarting = threading.Thread(target=restart, name="broker", daemon=True)
        self._restarting.start()
        self.deeds.brokers[how] += 1
        self._says(f"      broker {node} {how} and started again")

    def _crash_postgres(self) -> None:
        self._cluster.postgres.crash_and_recover()
        self.deeds.postgres += 1
        self._says("      PostgreSQL crashed and started again")

    def _deface(self) -> None:
        """Somebody else writes to the topic: broken messages, forged ones, and copies in the wrong partition."""
        self._wait_for_broker()
        servers, topic = self._cluster.kafka.bootstrap_servers, events_topic(self._cluster.env)
        genuine = records(servers, topic, at_most=1)
        if not genuine:
            return
        messages = list(broken(genuine[0], self._head()))
        self._random.shuffle(messages)
        partitions = partition_count(servers, topic)
        chosen = messages[: self._random.randint(1, len(messages))]
        self.deeds.defaced += deface(servers, topic, partitions, chosen, in_a_transaction=False)
        self._says(f"      {self.deeds.defaced} messages of somebody else on the topic")

    def _make_topic_anew(self) -> None:
        """Deletes the topic of events with all that is on it, and makes it again."""
        self._wait_for_broker()
        topic = events_topic(self._cluster.env)
        admin = KafkaAdminClient(bootstrap_servers=self._cluster.kafka.bootstrap_servers)
        try:
            admin.delete_topics([topic])
            wait_until(lambda: topic not in admin.list_topics(), "the topic is gone")
        finally:
            admin.close()
        apply = ("topics", "apply", "--copies", str(min(3, len(self._cluster.kafka.nodes))))
        wait_until(lambda: self._cluster.run(*apply).wait() == 0, "the topic is there again")
        self.deeds.made_anew += 1
        self._says("      topic of events deleted and made anew")

    # --- inside ---

    def _somebody(
        self, roles: Sequence[str] = (), *, age: float | None = None
    ) -> tuple[Member, "subprocess.Popen[bytes]"]:
        """A member that runs, of a random role: mostly one that is past its start and at work, unless its `age` in
        seconds is said. Waits where none is."""
        if age is None:
            age = _AT_WORK_SECONDS if self._random.random() < _AT_WORK_SHARE else 0.0
        while True:
            running: dict[str, list[tuple[Member, subprocess.Popen[bytes]]]] = {
                each.role: [] for each in self._cluster.members if not roles or each.role in roles
            }
            for member, process in self._running():
                if member.role in running and _age(process) >= age:
                    running[member.role].append((member, process))
            role = self._random.choice(list(running))
            if running[role]:
                return self._random.choice(running[role])
            time.sleep(0.1)

    def _wait_for_a_letter(self) -> None:
        """The worst moment for a sender is right after a message left, when it has not said so yet."""
        outbox = self._cluster.folder / "outbox"
        until = time.monotonic() + _LONGEST_WAIT_FOR_A_LETTER_SECONDS
        before = len(list(outbox.glob("*.json")))
        while len(list(outbox.glob("*.json"))) == before and time.monotonic() < until:
            time.sleep(0.001)

    def _running(self) -> Iterator[tuple[Member, "subprocess.Popen[bytes]"]]:
        busy = {each.process for each in (*self._frozen, *self._told_to_end)}
        for member in self._cluster.members:
            process = member.process
            if process is not None and process.poll() is None and process not in busy:
                yield member, process

    def _look_after(self) -> None:
        """Thaws what was frozen long enough; notes who has not ended in time, and ends it."""
        now = time.monotonic()
        if now >= self._kill_rebuild_at:
            self._stop_rebuild()
        for each in self._frozen[:]:
            if now - each.at >= FROZEN_SECONDS:
                each.process.send_signal(signal.SIGCONT)
                self._frozen.remove(each)
        for each in self._told_to_end[:]:
            if each.process.poll() is not None:
                self._told_to_end.remove(each)
            elif now - each.at >= _MAY_END_SECONDS:
                self.deeds.slow_to_end.append(
                    f"{each.name} had not ended {_MAY_END_SECONDS:.0f} s after SIGTERM; it was in\n"
                    f"{self._where_it_stood(each)}"
                )
                self._told_to_end.remove(each)

    def _where_it_stood(self, pending: _Pending) -> str:
        """Ends a process that has a `faulthandler`; the stacks of its threads, as it says them."""
        log = self._cluster.logs / f"{pending.name}.log"
        before = log.stat().st_size
        pending.process.send_signal(signal.SIGABRT)
        pending.process.wait()
        with log.open("rb") as file:
            file.seek(before)
            return file.read().decode(errors="replace")

    def _wait_for_broker(self) -> None:
        if self._restarting is not None:
            self._restarting.join()
            self._restarting = None


def _how_it_ended(process: "subprocess.Popen[bytes]") -> str:
    return "finished" if process.wait() == 0 else "failed"


def _age(process: "subprocess.Popen[bytes]") -> float:
    """Seconds since it was started."""
    try:
        return time.time() - psutil.Process(process.pid).create_time()
    except psutil.Error:
        return 0.0


def memory_of(cluster: LocalCluster) -> dict[str, int]:
    """Bytes that the largest process of each role holds."""
    found: dict[str, int] = {}
    for member in cluster.members:
        if member.process is not None and member.process.poll() is None:
            with suppress(psutil.Error):
                held = psutil.Process(member.process.pid).memory_info().rss
                found[member.role] = max(held, found.get(member.role, 0))
    return found
