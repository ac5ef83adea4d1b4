"""What was imported before: the last revision and digest of every fact, by office and natural key."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import NamedTuple

import psycopg

from adapters.billing.facts import Fact, InvoiceFact
from adapters.billing.staging import Key, Staged

_KNOWN = """
SELECT office, natural_key, revision, digest, account_number, due_on
  FROM unnest(%s::text[], %s::text[]) AS wanted (office, natural_key)
  JOIN arrears.import_facts USING (office, natural_key)
"""
_RECORD = """
INSERT INTO arrears.import_facts AS known (office, natural_key, account_number, revision, digest, due_on, instalment_of)
SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::integer[], %s::bytea[], %s::date[], %s::text[])
    ON CONFLICT (office, natural_key) DO UPDATE
   SET account_number = excluded.account_number, revision = excluded.revision, digest = excluded.digest,
       due_on = excluded.due_on
 WHERE known.revision < excluded.revision
    OR known.due_on IS NULL AND known.digest = excluded.digest
"""


class Change(StrEnum):
    NEW = "new"
    UNCHANGED = "unchanged"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class Classified:
    """A staged fact beside what was imported before. `revision` is the one it has, or will have once recorded."""

    staged: Staged
    change: Change
    revision: int
    account_before: str | None = None
    """The account of the revision before, which a correction may have left."""
    is_new_of_it: bool = False
    """Whether an earlier release stored less of it than is stored now."""


class Known(NamedTuple):
    """What was imported last under a natural key."""

    revision: int
    digest: bytes
    account_number: str
    due_on: date | None = None
    """Of an invoice; None where an earlier release stored it."""


def imported(connection: psycopg.Connection, keys: Iterable[Key]) -> dict[Key, Known]:
    """What was imported under these, with one query."""
    wanted = list(keys)
    with connection.transaction():
        rows = connection.execute(_KNOWN, [[o for o, _ in wanted], [k for _, k in wanted]]).fetchall()
    return {
        (office, key): Known(revision, bytes(digest), account, due_on)
        for office, key, revision, digest, account, due_on in rows
    }


def classify(connection: psycopg.Connection, chunk: Sequence[Staged]) -> list[Classified]:
    """The chunk in its order."""
    known = imported(connection, (staged.key for staged in chunk))
    classified = []
    for staged in chunk:
        before = known.get(staged.key)
        if before is None:
            classified.append(Classified(staged, Change.NEW, 1))
        elif before.digest == staged.digest:
            stored_less = isinstance(staged.fact, InvoiceFact) and before.due_on is None
            classified.append(Classified(staged, Change.UNCHANGED, before.revision, before.account_number, stored_less))
        else:
            classified.append(Classified(staged, Change.CHANGED, before.revision + 1, before.account_number))
    return classified


def record(connection: psycopg.Connection, imported: Sequence[Classified]) -> None:
    """Remember facts whose commands were accepted. A repeat, or one that lags behind, changes nothing."""
    fresh = [one for one in imported if one.change is not Change.UNCHANGED or one.is_new_of_it]
    if not fresh:
        return
    with connection.transaction():
        connection.execute(
            _RECORD,
            [
                [one.staged.office for one in fresh],
                [one.staged.natural_key for one in fresh],
                [one.staged.fact.account_number for one in fresh],
                [one.revision for one in fresh],
                [one.staged.digest for one in fresh],
                [_due_on(one.staged.fact) for one in fresh],
                [_instalment_of(one.staged.fact) for one in fresh],
            ],
        )


def _due_on(fact: Fact) -> date | None:
    return (fact.due_on or fact.issued_on) if isinstance(fact, InvoiceFact) else None


def _instalment_of(fact: Fact) -> str | None:
    return fact.invoice_number if isinstance(fact, InvoiceFact) and fact.instalment else None
