"""What was imported before: the last revision and digest of every fact, by office and natural key."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import psycopg

from adapters.billing.staging import Key, Staged

_KNOWN = """
SELECT office, natural_key, revision, digest, account_number
  FROM unnest(%s::text[], %s::text[]) AS wanted (office, natural_key)
  JOIN arrears.import_facts USING (office, natural_key)
"""
_RECORD = """
INSERT INTO arrears.import_facts AS known (office, natural_key, account_number, revision, digest)
SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::integer[], %s::bytea[])
    ON CONFLICT (office, natural_key) DO UPDATE
   SET account_number = excluded.account_number, revision = excluded.revision, digest = excluded.digest
 WHERE known.revision < excluded.revision
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


class Known(NamedTuple):
    """What was imported last under a natural key."""

    revision: int
    digest: bytes
    account: str
    """What people call its account: `1001`, `1001/EUR`."""


def imported(connection: psycopg.Connection, keys: Iterable[Key]) -> dict[Key, Known]:
    """What was imported under these, with one query."""
    wanted = list(keys)
    with connection.transaction():
        rows = connection.execute(_KNOWN, [[o for o, _ in wanted], [k for _, k in wanted]]).fetchall()
    return {(office, key): Known(revision, bytes(digest), account) for office, key, revision, digest, account in rows}


def classify(connection: psycopg.Connection, chunk: Sequence[Staged]) -> list[Classified]:
    """The chunk in its order."""
    known = imported(connection, (staged.key for staged in chunk))
    classified = []
    for staged in chunk:
        before = known.get(staged.key)
        if before is None:
            classified.append(Classified(staged, Change.NEW, 1))
        elif before.digest == staged.digest:
            classified.append(Classified(staged, Change.UNCHANGED, before.revision, before.account))
        else:
            classified.append(Classified(staged, Change.CHANGED, before.revision + 1, before.account))
    return classified


def record(
    connection: psycopg.Connection, imported: Sequence[Classified], account_name: Callable[[Staged], str]
) -> None:
    """Remember facts whose commands were accepted, and of which accounts they are. A repeat, or one that lags behind,
    changes nothing."""
    fresh = [one for one in imported if one.change is not Change.UNCHANGED]
    if not fresh:
        return
    with connection.transaction():
        connection.execute(
            _RECORD,
            [
                [one.staged.office for one in fresh],
                [one.staged.natural_key for one in fresh],
                [account_name(one.staged) for one in fresh],
                [one.revision for one in fresh],
                [one.staged.digest for one in fresh],
            ],
        )
