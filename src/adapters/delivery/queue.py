"""The table `arrears.deliveries`: which messages wait, whose they are for now, and how far the carrier has them.

A message is taken by an owner, who shows by an advisory lock of its connection that it is there. It begins to hand the
message over only where it is its owner still, in one statement: so what was taken and not begun may be taken by another
one, whatever the first does later. An office's turns are given out here too, so its messages a minute are those of all
processes together. `now` is given by whoever asks.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import Any
from uuid import UUID

from psycopg import Connection
from psycopg.rows import class_row

from projections.batch import as_json, rows_from

HOLDS = timedelta(seconds=60)
"""How long an owner keeps what it has not begun, where it is frozen: one that is gone loses it at once."""

BURST = timedelta(seconds=1)
"""Turns that nobody took are kept so long, and no longer: a queue that stood still does not leave all at once."""

_SINCE_EVER = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Queued:
    """A message that is to be delivered."""

    message_id: UUID
    account_id: UUID
    office_id: UUID
    channel: str
    position: int
    event_id: UUID
    correlation_id: UUID | None
    traceparent: str | None
    queued_at: datetime
    is_paced: bool


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message in the hands of its owner."""

    message_id: UUID
    account_id: UUID
    office_id: UUID
    channel: str
    position: int
    event_id: UUID
    correlation_id: UUID | None
    traceparent: str | None
    queued_at: datetime
    attempts: int
    takes: int
    is_claimed: bool
    begun_at: datetime | None
    letter: bytes | None
    taken_at: datetime | None
    reference: str | None


@dataclass(frozen=True, slots=True)
class Taken:
    """What was taken, in the order in which it is to leave, and when the next turn of what else is due comes."""

    deliveries: Sequence[Delivery]
    next_turn_at: datetime | None


_COLUMNS = (
    "message_id, account_id, office_id, channel, position, event_id, correlation_id, traceparent, queued_at, attempts, "
    "takes, is_claimed, begun_at, letter, taken_at, reference"
)

_ALIVE = """
    SELECT l.classid::bigint << 32 | l.objid::bigint FROM pg_locks AS l
    WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
      AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""

_KEY = "hashtextextended('arrears.sender:' || {owner}::text, 0)"

# Its own are what it left in hand when something went wrong: nothing is in its hands when it takes.
_FREE = f"""
    (d.owner IS NULL OR d.owner = %(owner)s OR d.held_until <= %(now)s
     OR NOT {_KEY.format(owner="d.owner")} = ANY (%(alive)s::bigint[]))
"""

_QUEUED = (
    "message_id uuid", "account_id uuid", "office_id uuid", "channel text", "position bigint", "event_id uuid",
    "correlation_id uuid", "traceparent text", "queued_at timestamptz", "is_paced boolean",
)  # fmt: skip
"""What is given of a message that is to be delivered."""
_VALUES = attrgetter(*(column.split(" ", 1)[0] for column in _QUEUED))

_ADD = f"""
    INSERT INTO arrears.deliveries (message_id, account_id, office_id, channel, position, event_id, correlation_id,
                                    traceparent, queued_at, is_paced, due_at)
    SELECT q.*, q.queued_at FROM ({rows_from(*_QUEUED)}) AS q
    ON CONFLICT (message_id) DO NOTHING
"""  # noqa: S608 - constants

_SET_PACES = """
    INSERT INTO arrears.delivery_paces AS pace (office_id, per_minute, next_at)
    SELECT office_id, per_minute, %s FROM unnest(%s::uuid[], %s::integer[]) AS p (office_id, per_minute)
    ON CONFLICT (office_id) DO UPDATE SET per_minute = excluded.per_minute
    WHERE pace.per_minute <> excluded.per_minute
"""

_NO_TURN_NEEDED = f"""
    SELECT d.message_id
    FROM unnest(%(channels)s::text[]) AS c (channel),
         LATERAL (SELECT d.message_id, d.due_at, d.position FROM arrears.deliveries AS d
                  WHERE d.channel = c.channel AND NOT d.waits_for_turn AND d.due_at <= %(now)s AND {_FREE}
                  ORDER BY d.due_at, d.position LIMIT %(most)s) AS d
    ORDER BY d.due_at, d.position LIMIT %(most)s
"""  # noqa: S608 - constants

_OFFICES = f"""
    SELECT p.office_id, p.next_at
    FROM arrears.delivery_paces AS p
    WHERE EXISTS (SELECT FROM unnest(%(channels)s::text[]) AS c (channel), LATERAL (
                      SELECT FROM arrears.deliveries AS d
                      WHERE d.office_id = p.office_id AND d.channel = c.channel AND d.waits_for_turn
                        AND d.due_at <= %(now)s AND {_FREE} LIMIT 1) AS any_of_it)
"""  # noqa: S608 - constants

# Whoever else takes of the same office at this moment has its turns: the others are looked at.
_LOCK_PACES = """
    SELECT office_id, per_minute, next_at FROM arrears.delivery_paces
    WHERE office_id = ANY (%(offices)s) AND next_at <= %(now)s ORDER BY office_id FOR UPDATE SKIP LOCKED
"""

_IN_TURN = f"""
    SELECT d.message_id, d.office_id
    FROM unnest(%(offices)s::uuid[], %(turns)s::integer[]) AS o (office_id, turns),
         LATERAL (SELECT d.message_id, d.office_id, d.due_at, d.position
                  FROM unnest(%(channels)s::text[]) AS c (channel), LATERAL (
                      SELECT d.message_id, d.office_id, d.due_at, d.position FROM arrears.deliveries AS d
                      WHERE d.office_id = o.office_id AND d.channel = c.channel AND d.waits_for_turn
                        AND d.due_at <= %(now)s AND {_FREE}
                      ORDER BY d.due_at, d.position LIMIT o.turns) AS d
                  ORDER BY d.due_at, d.position LIMIT o.turns) AS d
    ORDER BY d.due_at, d.position
"""  # noqa: S608 - constants

_TAKE = f"""
    UPDATE arrears.deliveries AS d
    SET owner = %(owner)s, held_until = %(now)s + %(holds)s, takes = takes + 1
    WHERE d.message_id = ANY (%(messages)s) AND d.due_at <= %(now)s AND {_FREE}
    RETURNING {_COLUMNS}
"""  # noqa: S608 - constants

_MOVE_PACES = """
    UPDATE arrears.delivery_paces AS pace SET next_at = moved.next_at
    FROM unnest(%s::uuid[], %s::timestamptz[]) AS moved (office_id, next_at) WHERE pace.office_id = moved.office_id
"""

_BEGIN = """
    WITH done AS (
        UPDATE arrears.deliveries SET taken_at = %(taken_at)s, reference = %(reference)s
        WHERE message_id = %(done)s AND owner = %(owner)s)
    UPDATE arrears.deliveries
    SET begun_at = %(now)s, held_until = %(until)s, letter = %(letter)s, taken_at = NULL, reference = NULL
    WHERE message_id = %(message)s AND owner = %(owner)s AND begun_at IS NULL
"""

_PUT_BACK = """
    UPDATE arrears.deliveries AS d
    SET owner = NULL, held_until = NULL, begun_at = NULL, letter = NULL, due_at = back.due_at, attempts = back.attempts,
        problem = back.problem
    FROM unnest(%(messages)s::uuid[], %(due)s::timestamptz[], %(attempts)s::integer[], %(problems)s::text[])
         AS back (message_id, due_at, attempts, problem)
    WHERE d.message_id = back.message_id AND d.owner = %(owner)s
"""


# --- what is to be delivered ---------------------------------------------------------------------------


def add(connection: Connection[Any], queued: Sequence[Queued]) -> None:
    """Puts messages into the queue, each once."""
    connection.execute(_ADD, [as_json([_VALUES(each) for each in queued])], prepare=True)


def set_paces(connection: Connection[Any], per_minute: dict[UUID, int]) -> None:
    """From now on so many messages a minute leave, by office."""
    offices = sorted(per_minute)
    connection.execute(_SET_PACES, [_SINCE_EVER, offices, [per_minute[each] for each in offices]], prepare=True)


def is_any_due(connection: Connection[Any], now: datetime) -> bool:
    """Whether a message could be delivered now, or is being delivered, but for the turn that it waits for."""
    row = connection.execute(
        "SELECT EXISTS (SELECT FROM arrears.deliveries WHERE due_at <= %s)", [now], prepare=True
    ).fetchone()
    return row is not None and bool(row[0])


# --- owners --------------------------------------------------------------------------------------------


def appear(connection: Connection[Any], owner: UUID) -> None:
    """For as long as this connection lives the owner is there."""
    connection.execute(f"SELECT pg_advisory_lock_shared({_KEY.format(owner='%s')})", [owner])


def take(
    connection: Connection[Any],
    owner: UUID,
    channels: Collection[str],
    *,
    most: int,
    now: datetime,
    burst: timedelta = BURST,
) -> Taken:
    """Messages of these channels that are due and in nobody's hands, at most so many, each at its office's turn."""
    asked: dict[str, Any] = {
        "owner": owner, "channels": sorted(channels), "most": most, "now": now, "holds": HOLDS,
        "alive": [row[0] for row in connection.execute(_ALIVE, prepare=True)],
    }  # fmt: skip
    with connection.transaction():
        messages: list[UUID] = [row[0] for row in connection.execute(_NO_TURN_NEEDED, asked, prepare=True)]
        waiting = dict(connection.execute(_OFFICES, asked, prepare=True).fetchall())
        due = [office for office, next_at in waiting.items() if next_at <= now]
        if due and len(messages) < most:
            messages += _in_turn(connection, {**asked, "offices": due}, most - len(messages), burst)
        deliveries: list[Delivery] = []
        if messages:
            with connection.cursor(row_factory=class_row(Delivery)) as cursor:
                deliveries = cursor.execute(_TAKE, {**asked, "messages": messages}, prepare=True).fetchall()
    later = [next_at for next_at in waiting.values() if next_at > now]
    order = {message_id: n for n, message_id in enumerate(messages)}
    return Taken(sorted(deliveries, key=lambda each: order[each.message_id]), min(later, default=None))


def _in_turn(connection: Connection[Any], asked: dict[str, Any], most: int, burst: timedelta) -> list[UUID]:
    """Those whose turn it is. Offices share what can be taken, so a large one leaves room for the others."""
    paces = connection.execute(_LOCK_PACES, asked, prepare=True).fetchall()
    if not paces:
        return []
    share, now = max(1, most // len(paces)), asked["now"]
    first, apart, turns = {}, {}, {}
    for office, per_minute, next_at in paces:
        apart[office] = timedelta(minutes=1) / per_minute
        first[office] = max(next_at, now - burst)
        turns[office] = min(share, (now - first[office]) // apart[office] + 1)
    found = connection.execute(
        _IN_TURN, {**asked, "offices": list(turns), "turns": list(turns.values())}, prepare=True
    ).fetchall()
    used = {office: sum(of == office for _, of in found) for office in turns}
    moved = {office: first[office] + count * apart[office] for office, count in used.items() if count}
    connection.execute(_MOVE_PACES, [list(moved), list(moved.values())], prepare=True)
    return [message_id for message_id, _ in found]


def note_claims(connection: Connection[Any], owner: UUID, messages: Collection[UUID]) -> None:
    """They are about to be claimed in the log; whoever finds them claimed knows that it was from here."""
    connection.execute(
        "UPDATE arrears.deliveries SET is_claimed = true WHERE message_id = ANY (%s) AND owner = %s AND NOT is_claimed",
        [list(messages), owner],
        prepare=True,
    )


@dataclass(frozen=True, slots=True)
class Begun:
    """A message that is about to be handed to its carrier; `letter` as it is, encrypted."""

    message_id: UUID
    letter: bytes | None
    now: datetime
    until: datetime
    """When whoever is frozen meanwhile is given up."""


@dataclass(frozen=True, slots=True)
class Done:
    """A message that the carrier took."""

    message_id: UUID
    taken_at: datetime
    reference: str | None


def begin(connection: Connection[Any], owner: UUID, begun: Begun, *, after: Done | None = None) -> bool:
    """Notes on the disk that the message is handed over from now on, and what became of the one before it. False where
    another one has it meanwhile: it must not be handed over."""
    asked = {
        "owner": owner,
        "message": begun.message_id,
        "letter": begun.letter,
        "now": begun.now,
        "until": begun.until,
        "done": after.message_id if after else None,
        "taken_at": after.taken_at if after else None,
        "reference": after.reference if after else None,
    }
    return connection.execute(_BEGIN, asked, prepare=True).rowcount == 1


def note_taken(connection: Connection[Any], owner: UUID, done: Done) -> None:
    """Notes that the carrier took what was begun, where the log cannot be told now."""
    connection.execute(
        "UPDATE arrears.deliveries SET taken_at = %s, reference = %s "
        "WHERE message_id = %s AND owner = %s AND begun_at IS NOT NULL",
        [done.taken_at, done.reference, done.message_id, owner],
        prepare=True,
    )


@dataclass(frozen=True, slots=True)
class Back:
    """A message that goes back into the queue."""

    message_id: UUID
    due_at: datetime
    attempts: int
    problem: str | None = None


def put_back(connection: Connection[Any], owner: UUID, back: Iterable[Back]) -> None:
    """They were certainly not taken by their carrier; whoever comes next may hand them over."""
    rows = list(back)
    if rows:
        connection.execute(
            _PUT_BACK,
            {
                "owner": owner,
                "messages": [each.message_id for each in rows],
                "due": [each.due_at for each in rows],
                "attempts": [each.attempts for each in rows],
                "problems": [each.problem for each in rows],
            },
            prepare=True,
        )


def finish(connection: Connection[Any], messages: Collection[UUID]) -> None:
    """The log says what became of them."""
    connection.execute("DELETE FROM arrears.deliveries WHERE message_id = ANY (%s)", [list(messages)], prepare=True)


def let_go(
    connection: Connection[Any], owner: UUID, messages: Collection[UUID], *, due_at: datetime | None = None
) -> None:
    """They are nobody's again, and are what they were; not looked at before `due_at`, where it is given."""
    if messages:
        connection.execute(
            "UPDATE arrears.deliveries SET owner = NULL, held_until = NULL, due_at = coalesce(%s, due_at) "
            "WHERE message_id = ANY (%s) AND owner = %s",
            [due_at, list(messages), owner],
            prepare=True,
        )
