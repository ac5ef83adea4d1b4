"""One trial: a cluster under load, its processes ended at random, and the audit afterwards."""

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from adapters.delivery.intake import Intake
from adapters.kafka.connection import events_topic
from adapters.kafka.local import QUICK_START, free_ports
from adapters.kafka.publisher import reader_name
from adapters.postgres.errors import DatabaseProblem
from adapters.reactor import Reactor
from api.processes.core import PROJECTIONS, Core
from api.processes.local_cluster import LocalCluster
from tests.chaos.audit import Evidence, Verdict, audit, endings, put_aside, repeats, tables
from tests.chaos.killer import Deeds, Killer, memory_of
from tests.chaos.load import Load, accepted
from tests.chaos.postbox import Postbox
from tests.chaos.quiet import wait_until_quiet
from tests.temporary import temporary_folder
from tests.waiting import wait_until

Says = Callable[[str], None]

_REST_SECONDS = 300.0
"""How long all may take to be done before the last rebuild, so that what is shown then can be compared."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much of everything."""

    seed: int
    kills: int
    roles: Sequence[str] = ()
    """Whose members are killed, unless it is all of them."""
    freezes: int = 1
    broker_restarts: int = 1
    postgres_crashes: int = 1
    at_start: int = 2
    """Of the kills, those while the first processes start and build tables."""
    in_work: int = 2
    """Of the kills, those right after work over many accounts was begun."""
    rebuilds: int = 2
    """Rebuilds of all projections that are begun meanwhile; one is killed when the next begins."""
    defacings: int = 1
    """How often somebody else writes to the topic of events."""
    topics: int = 0
    """How often the topic of events is deleted and made anew."""
    brokers: int = 1
    count: Mapping[str, int] = field(default_factory=lambda: {"project": 2, "react": 2})
    rate: float = 12.0
    longest_pause: float = 3.0
    """Between two kills, in seconds."""
    quiet_within: float = 120.0
    settings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Result:
    """What happened, in figures, and what the audit says."""

    plan: Plan
    deeds: Deeds
    members: Counter[str]
    """Processes, by role."""
    seconds: float
    commands: int
    accepted: int
    lost_answers: int
    events: Mapping[str, int]
    """By name."""
    messages: int
    sent: int
    uncertain: int
    on_topic: int
    repeats: int
    starts: int
    """Of processes, those that began the trial included."""
    verdicts: list[Verdict]

    @property
    def broken(self) -> list[Verdict]:
        return [each for each in self.verdicts if not each.holds]


def run(plan: Plan, says: Says = lambda _: None) -> Result:
    """Carries the plan out in a folder that is removed."""
    began = time.monotonic()

    def tell(what: str) -> None:
        says(f"{time.monotonic() - began:6.1f} s  {what}")

    with _cluster(plan, tell) as cluster, Core.open(None, env=cluster.env) as core:
        with Postbox(cluster.folder / "outbox") as postbox:
            load = Load(core.arrears, seed=plan.seed, rate=plan.rate)
            killer = Killer(
                cluster,
                seed=plan.seed,
                begin_work=load.begin_work,
                is_unfinished=lambda: _is_unfinished(core),
                head=lambda: _head(core),
                says=tell,
            )
            load.start()
            try:
                killer.work_at_start(plan.at_start)
                _wait_for_views(core)
                killer.work(
                    kills=plan.kills - plan.at_start - plan.in_work,
                    rebuilds=plan.rebuilds,
                    works=plan.in_work,
                    freezes=plan.freezes,
                    brokers=plan.broker_restarts,
                    postgres=plan.postgres_crashes,
                    defacings=plan.defacings,
                    topics=plan.topics,
                    roles=plan.roles,
                    longest_pause=plan.longest_pause,
                )
            finally:
                load.stop()
            tell("load stopped, waiting until everything is quiet")
            readers = _readers(cluster)
            rested_at, shown = 0, None
            aside: list[str] = []
            if plan.rebuilds:
                rested_at, restless = wait_until_quiet(core.database, readers, seconds=_REST_SECONDS)
                aside = put_aside(core)
                if restless:
                    tell(f"what is shown before the last rebuild is not compared: {restless}")
                else:
                    shown = tables(core)
                killer.finish_rebuild()
            quiet_at, unrest = wait_until_quiet(core.database, readers, seconds=plan.quiet_within)
            if quiet_at != rested_at:
                shown = None
            held = memory_of(cluster)
            for member in cluster.members:
                cluster.end(member, wait=False)
            for member in cluster.members:
                cluster.end(member)
        tell("auditing")
        evidence = Evidence(
            core,
            load.memory,
            killer.deeds,
            postbox,
            cluster.kafka.bootstrap_servers,
            events_topic(cluster.env),
            quiet_at,
            unrest,
            held,
            shown,
            aside,
        )
        verdicts = audit(evidence)
        ended = list(endings(evidence.log).values())
        return Result(
            plan=plan,
            deeds=killer.deeds,
            members=Counter(member.role for member in cluster.members),
            seconds=time.monotonic() - began,
            commands=len(load.memory.answered),
            accepted=len(accepted(load.memory)),
            lost_answers=load.memory.lost,
            events=Counter(each.name for each in evidence.log),
            messages=len(ended),
            sent=ended.count(["sent"]),
            uncertain=ended.count(["uncertain"]),
            on_topic=len(evidence.wire),
            repeats=repeats(evidence.wire),
            starts=sum(member.starts for member in cluster.members),
            verdicts=verdicts,
        )


@contextmanager
def _cluster(plan: Plan, says: Says) -> Iterator[LocalCluster]:
    with temporary_folder() as folder:
        cluster = LocalCluster(
            folder,
            count=plan.count,
            brokers=plan.brokers,
            api_port=free_ports(1)[0],
            env={**os.environ, "PYTHONFAULTHANDLER": "1"},  # a process that is aborted says where it stood
            settings=plan.settings,
            jvm=QUICK_START,
        )
        try:
            cluster.start(says)
            yield cluster
        finally:
            cluster.stop()


def _wait_for_views(core: Core) -> None:
    """Until the projections are made, whoever was killed meanwhile."""

    def are_made() -> bool:
        with core.database.connect("arrears_app") as connection:
            row = connection.execute("SELECT count(*) FROM read_model.projections WHERE state = 'live'").fetchone()
        return row is not None and int(row[0]) == len(PROJECTIONS)

    wait_until(are_made, "the projections are made")


def _head(core: Core) -> int:
    """Where the log ends; 0 where the database does not say just now."""
    try:
        return core.feed.head()
    except DatabaseProblem:
        return 0


def _is_unfinished(core: Core) -> bool:
    """Whether a generation was begun and is not shown; also where the database does not say just now."""
    try:
        return any(each.state == "building" for each in core.projections.status())
    except DatabaseProblem:
        return True


def _readers(cluster: LocalCluster) -> set[str]:
    return {Reactor.name, Intake.name, reader_name(events_topic(cluster.env))}
