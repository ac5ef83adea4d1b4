"""Which of what was done is asked for: by type, channel, direction, agent, outcome, days and words."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from psycopg import Connection

from aggregates.account.activities import Direction
from aggregates.values.contact import Channel
from aggregates.values.dispositions import STANDARD_DISPOSITIONS
from projections.questions.scope import BadQuestion

MEDIA: Mapping[str, Channel] = {
    "call": Channel.VOICE,
    "sms": Channel.SMS,
    "email": Channel.EMAIL,
    "letter": Channel.LETTER,
    "portal": Channel.PORTAL,
}
"""Types that are media: what a person did and what a campaign sent by one are found together."""

TYPES: Mapping[str, tuple[str, ...]] = {
    "call": ("call", "call-started", "call-refused", "call-not-placed", "call-over"),
    "sms": ("sms",),
    "email": ("email",),
    "letter": ("letter",),
    "portal": ("portal-visit",),
    "message": ("message-%",),
    "note": ("note",),
    "task": ("task",),
    "follow-up": ("follow-up-%",),
    "promise": ("promise-%",),
    "payment": ("payment%", "funds-%", "reversal-%", "refund-%", "transfer-%"),
    "credit": ("credit%",),
    "write-off": ("written-off", "write-off-%"),
    "invoice": ("invoice-%",),
    "attachment": ("attachment-%",),
    "dispute": ("dispute-%",),
    "hold": ("hold-%",),
    "flag": ("flag-%",),
    "stage": ("stage-changed", "collections-stage-changed"),
    "placement": ("placed", "placement-%", "agency-payment-posted"),
    "freeze": ("frozen", "unfrozen", "subscriptions-%"),
    "exclusion": ("excluded", "exclusion-lifted"),
    "contact": ("contact-%", "call-refused", "consent", "opted-%", "wishes-shared"),
}
"""Types of what was done, and the kinds of rows that each has; `%` stands for anything."""

MESSAGES = "message-%"

WHERE = """
  AND (%(patterns)s::text[] IS NULL OR activity.kind LIKE ANY (%(patterns)s)
       OR (activity.kind LIKE %(messages)s AND activity.channel = %(medium)s))
  AND (%(channel)s::text IS NULL OR activity.channel = %(channel)s)
  AND (%(direction)s::text IS NULL OR activity.direction = %(direction)s)
  AND (%(agents)s::text[] IS NULL OR activity.actor = ANY (%(agents)s))
  AND (%(outcome)s::text IS NULL OR activity.disposition = %(outcome)s)
  AND (%(since)s::date IS NULL OR activity.effective_on >= %(since)s)
  AND (%(until)s::date IS NULL OR activity.effective_on <= %(until)s)
"""

_AGENT = "SELECT 1 FROM read_model.activity_history WHERE actor = ANY (%s) LIMIT 1"
_OUTCOME = "SELECT 1 FROM read_model.activity_history WHERE disposition = %s LIMIT 1"

# As many looks into the index as there are values, however long the history is.
_VALUES = """
    WITH RECURSIVE found (value) AS (
        SELECT min({column}) FROM read_model.activity_history
        UNION ALL
        SELECT (SELECT min({column}) FROM read_model.activity_history WHERE {column} > found.value) FROM found
        WHERE found.value IS NOT NULL
    )
    SELECT value FROM found WHERE value IS NOT NULL LIMIT %s
"""
_AGENTS, _OUTCOMES = (_VALUES.replace("{column}", column) for column in ("actor", "disposition"))
_MOST_AGENTS, _MOST_OUTCOMES = 50, 100


@dataclass(frozen=True, slots=True)
class ActivityFilters:
    """What is not said is not filtered by. Days are included."""

    type: str | None = None
    channel: str | None = None
    direction: str | None = None
    agent: str | None = None
    """As the audit trail says it, `person:dana`, or `dana`."""
    outcome: str | None = None
    """The code of a disposition."""
    since: date | None = None
    until: date | None = None
    text: str | None = None
    """Words that stand in what happened or in what was said or written, in any case."""
    defined: tuple[str, ...] = ()
    """Codes of dispositions that offices define, whether or not a contact ended so yet."""

    def asked(self, connection: Connection[Any]) -> dict[str, object]:
        """The parameters of `WHERE`. Raises BadQuestion where a value is not known, with those that are."""
        _require("type", self.type, TYPES)
        _require("channel", self.channel, [each.value for each in Channel])
        _require("direction", self.direction, [each.value for each in Direction])
        if self.since is not None and self.until is not None and self.until < self.since:
            raise BadQuestion(f"to: expected {self.since} or later")
        agents = None if self.agent is None else known_agents(connection, self.agent)
        self._require_outcome(connection)
        medium = MEDIA.get(self.type or "")
        return {
            "patterns": None if self.type is None else list(TYPES[self.type]),
            "messages": MESSAGES,
            "medium": medium and medium.value,
            "channel": self.channel,
            "direction": self.direction,
            "agents": agents,
            "outcome": self.outcome,
            "since": self.since,
            "until": self.until,
        }

    def _require_outcome(self, connection: Connection[Any]) -> None:
        """One that an office defines, or that a contact had."""
        if self.outcome is None or self.outcome in STANDARD_DISPOSITIONS or self.outcome in self.defined:
            return
        if not _column(connection, _OUTCOME, [self.outcome]):
            known = {row[0] for row in _column(connection, _OUTCOMES, [_MOST_OUTCOMES])}
            _require("outcome", self.outcome, sorted(known | {*STANDARD_DISPOSITIONS, *self.defined}))

    def matches(self, summary: str, notes: str | None) -> bool:
        """Whether the words stand in one of the two."""
        if self.text is None:
            return True
        wanted = self.text.casefold()
        return wanted in summary.casefold() or wanted in (notes or "").casefold()


def known_agents(connection: Connection[Any], agent: str, *, called: str = "agent") -> list[str]:
    """Who is meant, as the audit trail says it; `called`: the field. Raises BadQuestion where nobody who did anything
    is called so."""
    found = [agent] if ":" in agent else [f"person:{agent}", f"service:{agent}"]
    if not _column(connection, _AGENT, [found]):
        known = ", ".join(row[0] for row in _column(connection, _AGENTS, [_MOST_AGENTS]))
        raise BadQuestion(f"{called}: expected one of {known or 'none: nothing was done yet'}")
    return found


def _column(connection: Connection[Any], query: str, parameters: list[object] | None = None) -> list[tuple[Any, ...]]:
    from psycopg.rows import tuple_row

    with connection.cursor(row_factory=tuple_row) as cursor:
        return cursor.execute(query.encode(), parameters).fetchall()


def _require(field: str, value: str | None, known: "Mapping[str, Any] | list[str]") -> None:
    if value is not None and value not in known:
        raise BadQuestion(f"{field}: expected one of {', '.join(known)}")


EVERYTHING = ActivityFilters()
