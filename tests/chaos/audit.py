"""What must hold afterwards, each as a check that says what it found wrong."""

import json
import re
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path
from uuid import UUID

from psycopg import sql

from adapters.eventstore.verify import verify
from adapters.kafka.cloudevents import Envelope
from adapters.readers.poison import sequence_of
from adapters.readers.projections import checkpoints
from aggregates.account.activities import ActivityRecorded, FollowUpCompleted, FollowUpFellDue
from aggregates.account.aging import Aged
from aggregates.account.billing import BillInvoice, InvoiceBilled
from aggregates.account.customer import AccountOpened
from aggregates.account.messages import (
    MessageDispatched,
    MessageFailed,
    MessageQueued,
    MessageSent,
    MessageUncertain,
    MessageWithdrawn,
)
from aggregates.account.payments import PaymentReceived, PaymentReversed
from aggregates.kernel.command import Rejected
from aggregates.kernel.event import Event, Recorded
from aggregates.office import Office
from aggregates.promise import (
    PromiseBroken,
    PromiseKept,
    PromiseMade,
    PromisePartiallyKept,
    PromisePaymentCounted,
    PromisePaymentTakenBack,
    PromiseWithdrawn,
)
from aggregates.values.business_time import local_date
from aggregates.work import WorkBegun, WorkFinished
from api.processes.core import Core
from projections.agenda.partition import partition_of
from projections.personal import FILLING
from tests.adapters.kafka.wire import events_among, partition_count, without_repeats
from tests.chaos.killer import Deeds
from tests.chaos.load import ACTOR, OFFICE, STEP_DAYS, Memory, accepted
from tests.chaos.postbox import Postbox

_SHOWN = 5
_PAGE = 5_000


@dataclass
class Evidence:
    """Everything that is left when all processes of the cluster have ended."""

    core: Core
    memory: Memory
    deeds: Deeds
    postbox: Postbox
    kafka_servers: str
    topic: str
    quiet_at: int
    """Where the log ended when it had been waited for long enough."""
    unrest: list[str]
    """What was still to be done when it had been waited for long enough."""
    held: Mapping[str, int] = field(default_factory=dict)
    """Bytes of memory that the largest process of each role held at the end."""
    shown: Mapping[str, Sequence[str]] | None = None
    """What was shown before the last rebuild, see `tables`; None where nothing was rebuilt, or more came since."""
    put_aside: Sequence[str] = ()
    """What had been put aside before the last rebuild."""

    @cached_property
    def log(self) -> list[Recorded]:
        """Every event, in order of position."""
        found: list[Recorded] = []
        while batch := self.core.feed.read(len(found), _PAGE):
            found += batch
        return found

    @cached_property
    def on_topic(self) -> list[Envelope]:
        """What is on the topic and reads as an event, partition by partition."""
        return events_among(self.kafka_servers, self.topic)

    @cached_property
    def wire(self) -> list[Envelope]:
        """The events on the topic, without what somebody else put there, where somebody did."""
        if not self.deeds.defaced:
            return self.on_topic
        stored = {each.position: each.event_id for each in self.log}
        count = partition_count(self.kafka_servers, self.topic)
        return [
            each
            for each in self.on_topic
            if stored.get(each.position) == each.event_id
            and each.partition == partition_of(each.account_id or each.aggregate_id, count)
        ]

    @cached_property
    def today(self) -> date:
        return local_date(self.core.clock.now(), self.core.arrears.load(Office, OFFICE).zone)

    def of(self, *kinds: type[Event]) -> Iterator[Recorded]:
        return (each for each in self.log if isinstance(each.event, kinds))

    def caused(self, *kinds: type[Event]) -> Counter[UUID | None]:
        """How many events of these kinds each event led to."""
        return Counter(each.meta.causation_id for each in self.of(*kinds))


Check = Callable[[Evidence], Iterator[str]]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check says, and what it found wrong."""

    says: str
    findings: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        return not self.findings

    def __str__(self) -> str:
        more = len(self.findings) - _SHOWN
        shown = [*self.findings[:_SHOWN], *([f"and {more} more"] if more > 0 else [])]
        return "\n    ".join([f"{self.says}: {'holds' if self.holds else 'BROKEN'}", *shown])


def audit(evidence: Evidence) -> list[Verdict]:
    return [Verdict(says, list(check(evidence))) for says, check in CHECKS.items()]


def everything_came_to_rest(evidence: Evidence) -> Iterator[str]:
    yield from evidence.unrest
    for each in evidence.log[evidence.quiet_at :]:
        yield f"{each.name} at position {each.position} came at {each.recorded_at}, when all was quiet"


# --- the log -----------------------------------------------------------------------------------------


def the_log_is_whole(evidence: Evidence) -> Iterator[str]:
    with evidence.core.database.connect("arrears_app", autocommit=True) as connection:
        yield from map(str, verify(connection, checkpoints=checkpoints(connection)))
        row = connection.execute(
            "SELECT count(*), coalesce(max(position), 0), count(DISTINCT event_id) FROM arrears.events"
        ).fetchone()
    if row is None or len({*row, len(evidence.log)}) > 1:
        yield f"events, last position, distinct ids, events read: {row}, {len(evidence.log)}"


def accepted_commands_left_their_events_once(evidence: Evidence) -> Iterator[str]:
    stored = Counter(each.event_id for each in evidence.log if each.meta.actor == str(ACTOR))
    promised = Counter(event_id for _, outcome in accepted(evidence.memory) for event_id in outcome.event_ids)
    for event_id in stored | promised:
        if stored[event_id] != promised[event_id]:
            yield f"event {event_id}: promised {promised[event_id]} times, stored {stored[event_id]} times"


def refused_commands_left_nothing(evidence: Evidence) -> Iterator[str]:
    refused = {each.issued.command_id for each in evidence.memory.answered if isinstance(each.outcome, Rejected)}
    for each in evidence.log:
        if each.meta.command_id in refused:
            yield f"{each.name} at position {each.position} comes from a refused command"


def repeated_commands_have_one_outcome(evidence: Evidence) -> Iterator[str]:
    yield from evidence.memory.contradictions
    yield from evidence.memory.failures


# --- what is shown -----------------------------------------------------------------------------------


def every_view_is_the_fold_of_the_log(evidence: Evidence) -> Iterator[str]:
    """Rebuilds every projection from the store and compares all of its tables, hidden ones too."""
    live = tables(evidence.core)
    evidence.core.projections.rebuild_all(afresh=True)
    rebuilt = tables(evidence.core)
    yield from _differences(live, rebuilt)
    if evidence.shown is not None:
        yield from (f"before the last rebuild, {each}" for each in _differences(evidence.shown, rebuilt))


def _differences(shown: Mapping[str, Sequence[str]], rebuilt: Mapping[str, Sequence[str]]) -> Iterator[str]:
    for table in sorted(shown.keys() | rebuilt.keys()):
        was, now = Counter(shown.get(table, [])), Counter(rebuilt.get(table, []))
        if was != now:
            extra, lacking = list((was - now).elements()), list((now - was).elements())
            yield (
                f"{table}: {len(extra)} rows that the log does not say, {len(lacking)} that it says and are not there; "
                f"such as {_difference(extra, lacking)}"
            )


def _difference(extra: Sequence[str], lacking: Sequence[str]) -> str:
    """A row that is there and should not be, or the other way round; where both have it, in what they differ."""
    there = json.loads((extra or lacking)[0])
    named = {name: value for name, value in there.items() if name in _NAMES_OF_ROWS}
    for said in map(json.loads, lacking if extra else []):
        if named.items() <= said.items():
            differs = {name: [value, said[name]] for name, value in there.items() if value != said[name]}
            return f"{json.dumps(named)}: {json.dumps(differs)}"
    return json.dumps(there)[:600]


_NAMES_OF_ROWS = {"account_id", "promise_id", "event_id", "ref_id", "kind", "day"}


def tables(core: Core) -> dict[str, list[str]]:
    """The rows of every table of the live generations, by projection and table."""
    found: dict[str, list[str]] = {}
    with core.database.connect("arrears_app") as connection:
        tables = connection.execute(
            "SELECT name, schemaname, tablename FROM read_model.projections"
            " JOIN pg_tables ON schemaname = schema WHERE state = 'live' AND tablename <> %s",
            [FILLING],  # how far the log was when a crash had emptied the tables
        ).fetchall()
        for name, schema, table in tables:
            rows = sql.SQL("SELECT to_jsonb(t)::text FROM {} AS t").format(sql.Identifier(schema, table))
            found[f"{name}.{table}"] = [row for (row,) in connection.execute(rows)]
    return found


def readers_are_at_the_end_and_well(evidence: Evidence) -> Iterator[str]:
    with evidence.core.database.connect("arrears_app") as connection:
        for reader, position, trouble in connection.execute(
            "SELECT reader, position, trouble FROM read_model.checkpoints ORDER BY reader"
        ):
            if position != len(evidence.log):
                yield f"{reader} is at {position} of {len(evidence.log)}"
            if trouble is not None:
                yield f"{reader} says: {trouble}"


def no_generation_is_left_unfinished(evidence: Evidence) -> Iterator[str]:
    """Each projection has one generation, which is shown, and no schema is left of others."""
    with evidence.core.database.connect("arrears_app") as connection:
        for reader, state in connection.execute(
            "SELECT reader, state FROM read_model.projections WHERE state <> 'live' ORDER BY reader"
        ):
            yield f"{reader} is {state}"
        for (schema,) in connection.execute(
            "SELECT nspname FROM pg_namespace WHERE nspname ~ '^read_.+_[0-9]+$'"
            " AND nspname NOT IN (SELECT schema FROM read_model.projections)"
        ):
            yield f"schema {schema} belongs to no generation"


def work_asked_every_account(evidence: Evidence) -> Iterator[str]:
    """Work over many accounts is finished, and has asked each account once that was opened before what caused it."""
    opened = [each.position or 0 for each in evidence.of(AccountOpened)]
    finished = Counter(each.aggregate_id for each in evidence.of(WorkFinished))
    with evidence.core.database.connect("arrears_app") as connection:
        rows = connection.execute("SELECT work_id, accounts, done + refused, failed FROM arrears.work").fetchall()
    counted = {work: tuple(counts) for work, *counts in rows}
    for begun in evidence.of(WorkBegun):
        work, event = begun.aggregate_id, begun.event
        assert isinstance(event, WorkBegun)
        if finished[work] != 1:
            yield f"work {work} finished {finished[work]} times"
        meant, cause = bisect_right(opened, event.cause_position), event.cause_position
        if counted.get(work) != (meant, meant, 0):
            yield f"work {work} because of {cause}: {meant} were meant; counted, asked, failed: {counted.get(work)}"


def nothing_was_put_aside(evidence: Evidence) -> Iterator[str]:
    yield from dict.fromkeys((*evidence.put_aside, *put_aside(evidence.core)))


def put_aside(core: Core) -> list[str]:
    """What readers have put aside. A rebuild forgets what its projection had."""
    with core.database.connect("arrears_app") as connection:
        found = connection.execute(
            "SELECT reader, position, event_name, error_class, error_text "
            "FROM read_model.dead_letters LEFT JOIN personal.error_texts USING (reader, position) ORDER BY 1, 2"
        ).fetchall()
    return [f"{reader}, {name} at position {at}: {error}: {text}" for reader, at, name, error, text in found]


# --- the topic ---------------------------------------------------------------------------------------


def the_topic_is_the_log(evidence: Evidence) -> Iterator[str]:
    """Without repeats: every event once, each key in the order of the store."""
    kept = without_repeats(evidence.wire)
    missing = set(range(1, len(evidence.log) + 1)) - {each.position for each in kept}
    if missing:
        yield f"{len(missing)} events are not there for a reader who drops repeats: {sorted(missing)[:_SHOWN]}"
    wire: dict[UUID, list[UUID]] = defaultdict(list)
    stored: dict[UUID, list[UUID]] = defaultdict(list)
    for envelope in kept:
        wire[envelope.account_id or envelope.aggregate_id].append(envelope.event_id)
    for recorded in evidence.log:
        stored[sequence_of(recorded)].append(recorded.event_id)
    for key in wire.keys() | stored.keys():
        if wire[key] != stored[key]:
            yield f"key {key}: {len(wire[key])} events on the topic, {len(stored[key])} in the store, or another order"


def nothing_but_repeats_besides(evidence: Evidence) -> Iterator[str]:
    """What comes again is what was there before, in the same partition; and no event is called late."""
    stored = {each.position: each.event_id for each in evidence.log}
    partition_of: dict[int, int] = {}
    for each in evidence.wire:
        if stored.get(each.position) != each.event_id:
            yield f"position {each.position} on the topic is event {each.event_id}, which the store does not have there"
        if partition_of.setdefault(each.position, each.partition) != each.partition:
            yield f"position {each.position} is in two partitions"
        if each.late:
            yield f"position {each.position} is called late, and no account was held back"


def nobody_else_s_messages_are_more_than_were_put_there(evidence: Evidence) -> Iterator[str]:
    foreign = len(evidence.on_topic) - len(evidence.wire)
    if foreign > evidence.deeds.defaced:
        yield f"{foreign} messages on the topic are no events of the log, and {evidence.deeds.defaced} were put there"


def processes_stay_within_their_limits(evidence: Evidence) -> Iterator[str]:
    """Of memory, as the manifests have them."""
    for role, held in evidence.held.items():
        [limit] = _LIMIT.findall((_ROLES / f"{role}.yaml").read_text(encoding="utf-8"))
        if held > int(limit[0]) * _UNITS[limit[1]]:
            yield f"{role} holds {held / 2**20:.0f} MiB, and may hold {limit[0]}{limit[1]}"


_ROLES = Path(__file__).parents[2] / "deploy/kubernetes/roles"
_LIMIT = re.compile(r"limits: \{.*memory: ([0-9]+)(Mi|Gi)")
_UNITS = {"Mi": 2**20, "Gi": 2**30}


def repeats(wire: Sequence[Envelope]) -> int:
    return len(wire) - len({each.position for each in wire})


# --- messages ----------------------------------------------------------------------------------------

_ENDINGS = {MessageSent: "sent", MessageFailed: "failed", MessageWithdrawn: "withdrawn", MessageUncertain: "uncertain"}


def endings(log: Sequence[Recorded]) -> dict[UUID, list[str]]:
    """What became of each queued message. Its sender may be taken for lost, and say later what it did: that counts."""
    found: dict[UUID, list[str]] = {}
    for recorded in log:
        event = recorded.event
        if isinstance(event, MessageQueued):
            found.setdefault(event.message_id, [])
        elif isinstance(event, MessageSent | MessageFailed | MessageWithdrawn | MessageUncertain):
            before = found.setdefault(event.message_id, [])
            if before == ["uncertain"]:
                before.clear()
            before.append(_ENDINGS[type(event)])
    return found


def each_message_ended_once(evidence: Evidence) -> Iterator[str]:
    for message_id, ended in endings(evidence.log).items():
        if len(ended) != 1:
            yield f"message {message_id}: {', '.join(ended) or 'nothing became of it'}"
    for kind in (MessageQueued, MessageDispatched):
        for message_id, times in Counter(e.event.message_id for e in evidence.of(kind)).items():  # type: ignore[attr-defined]
            if times > 1:
                yield f"message {message_id}: {kind.event_name} {times} times"


def what_left_is_what_the_log_says(evidence: Evidence) -> Iterator[str]:
    left = Counter(UUID(name) for name in evidence.postbox.messages())
    ended = endings(evidence.log)
    for message_id, how in ended.items():
        if how == ["sent"] and not left[message_id]:
            yield f"message {message_id} is said to have left and did not"
        if how in (["failed"], ["withdrawn"], []) and left[message_id]:
            yield f"message {message_id} left, and the log says {how or 'nothing'}"
    yield from (f"message {message_id} left and was never queued" for message_id in left.keys() - ended.keys())


def no_message_left_twice(evidence: Evidence) -> Iterator[str]:
    yield from (f"message {message_id} was sent again" for message_id in evidence.postbox.sent_again)
    on_a_day = Counter((e.aggregate_id, e.event.sent_on) for e in evidence.of(MessageSent))  # type: ignore[attr-defined]
    for (account, day), count in on_a_day.items():
        if count > 1:
            yield f"account {account} got {count} messages on {day}"


# --- what time brings, and what follows from what ----------------------------------------------------


def what_was_due_was_done(evidence: Evidence) -> Iterator[str]:
    """Follow-ups whose day has come were called up once; accounts that nobody touched have aged and were reminded."""
    called = Counter(e.event.activity_id for e in evidence.of(FollowUpFellDue))  # type: ignore[attr-defined]
    done = {e.event.activity_id for e in evidence.of(FollowUpCompleted)}  # type: ignore[attr-defined]
    for each in evidence.of(ActivityRecorded):
        event = each.event
        if not isinstance(event, ActivityRecorded) or event.follow_up_on is None or event.activity_id in done:
            continue
        times = called[event.activity_id]
        if times != (event.follow_up_on <= evidence.today):
            yield f"follow-up {event.activity_id} of {event.follow_up_on} was called up {times} times"
    yield from _left_alone(evidence)


def _left_alone(evidence: Evidence) -> Iterator[str]:
    """Accounts that were opened and billed and nothing else: they owe what is due, so time alone does the rest."""
    commands = [each.issued.command for each in evidence.memory.answered]
    touched = {getattr(each, "account_id", None) for each in commands if not isinstance(each, BillInvoice)}
    due: dict[UUID, list[date]] = defaultdict(list)
    for each in evidence.log:
        if isinstance(each.event, InvoiceBilled) and each.aggregate_id not in touched:
            due[each.aggregate_id].append(each.event.item.due_on)
    aged = Counter(each.aggregate_id for each in evidence.of(Aged))
    reminded = Counter(each.aggregate_id for each in evidence.of(MessageQueued))
    step_days = {evidence.today - timedelta(days=days) for days in STEP_DAYS}
    for account, days in due.items():
        if min(days) < evidence.today and not aged[account]:
            yield f"account {account} has been past due since {min(days)} and never aged"
        if min(days) in step_days and reminded[account] != 1:
            yield f"account {account} has a reminder today and got {reminded[account]}"


def promises_are_judged(evidence: Evidence) -> Iterator[str]:
    """Once their days and their grace are over they are kept or broken, and a broken one leads to one task."""
    closed = (PromiseKept, PromisePartiallyKept, PromiseBroken, PromiseWithdrawn)
    judged = {each.aggregate_id for each in evidence.of(*closed)}
    for each in evidence.of(PromiseMade):
        event = each.event
        if isinstance(event, PromiseMade) and each.aggregate_id not in judged:
            over_on = max(i.due_on for i in event.instalments) + timedelta(days=event.grace_days + 1)
            if over_on <= evidence.today:
                yield f"promise {each.aggregate_id} should have been judged on {over_on}"
    tasks = evidence.caused(ActivityRecorded)
    for each in evidence.of(PromiseBroken, PromisePartiallyKept):
        if tasks[each.event_id] != 1:
            yield f"{each.name} at position {each.position} led to {tasks[each.event_id]} tasks"


def payments_count_once_towards_promises(evidence: Evidence) -> Iterator[str]:
    counted, taken_back = evidence.caused(PromisePaymentCounted), evidence.caused(PromisePaymentTakenBack)
    for each in evidence.of(PaymentReceived, PaymentReversed):
        event = each.event
        if isinstance(event, PaymentReceived):
            what, times = "counted", counted[each.event_id]
        elif isinstance(event, PaymentReversed):
            what, times = "taken back", taken_back[each.event_id]
        else:
            continue
        if times != len(event.receipt.promises):
            yield f"{each.name} at position {each.position}: {what} {times} times of {len(event.receipt.promises)}"


def processes_ended_when_told(evidence: Evidence) -> Iterator[str]:
    yield from evidence.deeds.slow_to_end


CHECKS: dict[str, Check] = {
    "Once the load has stopped nothing is left to be sealed, read, worked or sent": everything_came_to_rest,
    "The log: positions from 1 without a gap, the chain of seals, each version of each aggregate": the_log_is_whole,
    "Every accepted command's events are stored once, and no others": accepted_commands_left_their_events_once,
    "No event of a refused command is stored": refused_commands_left_nothing,
    "A command sent again has the same outcome": repeated_commands_have_one_outcome,
    "Every reader is at the end of the log and says no trouble": readers_are_at_the_end_and_well,
    "Nothing was put aside": nothing_was_put_aside,
    "Each projection has one generation, and none is unfinished": no_generation_is_left_unfinished,
    "Work over many accounts is finished and asked each account once": work_asked_every_account,
    "Every view is the fold of the log": every_view_is_the_fold_of_the_log,
    "The topic without repeats is the log, key by key": the_topic_is_the_log,
    "Whatever else of the log is on the topic is a repeat": nothing_but_repeats_besides,
    "What else is on the topic was put there by somebody else": nobody_else_s_messages_are_more_than_were_put_there,
    "Each queued message was sent, failed, withdrawn or is uncertain, once": each_message_ended_once,
    "What left is what the log says": what_left_is_what_the_log_says,
    "No message left twice, and no account got two on a day": no_message_left_twice,
    "What was due was done once": what_was_due_was_done,
    "Promises are judged, and a broken one leads to one task": promises_are_judged,
    "A payment counts once towards each promise": payments_count_once_towards_promises,
    "Processes ended within 30 s of SIGTERM": processes_ended_when_told,
    "Processes hold less memory than their limits in deploy": processes_stay_within_their_limits,
}
