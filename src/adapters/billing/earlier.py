"""What earlier releases remembered of imports, rewritten: plain digests are keyed, and what finds a row is filled in.

Nothing of a content has to be known for that: a keyed digest is one over the plain one. A payment without a number was
known by a digest of all that was said of it; it stays known so, keyed, until a file says it again.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple
from uuid import UUID

import psycopg
from psycopg import sql

from adapters.billing.facts import UNNUMBERED
from adapters.billing.identity import Digests, folded
from adapters.billing.imported import STORED, ImportedFacts
from adapters.billing.offices import earlier_code, office_code
from adapters.eventstore.application import AggregateNotFoundError, Arrears
from aggregates.account import Account
from aggregates.office import Office

_PAGE = 5_000
REWRITTEN = sql.Identifier("pg_temp", "import_facts_rewritten")
"""For one who changes nothing: a copy in which what is stored is rewritten."""

_SOME_LEFT = "SELECT EXISTS (SELECT FROM {facts} WHERE digest_version = 1)"
_PLAIN = "SELECT office, natural_key, account_number, digest FROM {facts} WHERE digest_version = 1"
_NEXT = _PLAIN + " ORDER BY office, natural_key LIMIT %s"
_OF_ACCOUNT = _PLAIN + " AND account_number = %s"
_REWRITE = """
UPDATE {facts} AS known
   SET natural_key = said.new_key, digest = said.digest, digest_version = 2, key_version = said.key_version,
       office_code = said.office_code, folded_key = said.folded_key, folded_account = said.folded_account,
       payment_number = said.payment_number
  FROM unnest(%s::text[], %s::text[], %s::text[], %s::bytea[], %s::smallint[], %s::text[], %s::text[], %s::text[],
              %s::bytea[])
       AS said (office, natural_key, new_key, digest, key_version, office_code, folded_key, folded_account,
                payment_number)
 WHERE (known.office, known.natural_key) = (said.office, said.natural_key) AND known.digest_version = 1
"""
_COPY = (
    "DROP TABLE IF EXISTS pg_temp.import_facts_rewritten",
    "CREATE TEMPORARY TABLE import_facts_rewritten (LIKE arrears.import_facts INCLUDING ALL)",
    "INSERT INTO pg_temp.import_facts_rewritten SELECT * FROM arrears.import_facts",
    "ANALYZE pg_temp.import_facts_rewritten",
)
_FORGET = """
UPDATE arrears.import_facts SET digest = %s
 WHERE office_code = %s AND folded_account = %s AND account_number = %s AND starts_with(natural_key, 'customer:')
"""

CodeOf = Callable[[str, str], str]
"""The office of a row, from the name of the office and the number of the account."""


class _Plain(NamedTuple):
    """A row as an earlier release stored it."""

    office: str
    natural_key: str
    account_number: str
    digest: bytes


def rewritten(connection: psycopg.Connection, digests: Digests, *, default_office: str) -> ImportedFacts:
    """What was imported before; what is left of earlier releases is rewritten first, page by page."""
    return _rewritten_in(STORED, connection, digests, default_office)


def rewritten_copy(connection: psycopg.Connection, digests: Digests, *, default_office: str) -> ImportedFacts:
    """The same for one who changes nothing: where something has to be rewritten, a copy of it all."""
    with connection.transaction():
        row = connection.execute(sql.SQL(_SOME_LEFT).format(facts=STORED)).fetchone()
        if not row or not row[0]:
            return ImportedFacts(connection, digests)
        for statement in _COPY:
            connection.execute(statement.encode())
    return _rewritten_in(REWRITTEN, connection, digests, default_office)


def _rewritten_in(
    facts: sql.Identifier, connection: psycopg.Connection, digests: Digests, default_office: str
) -> ImportedFacts:
    imported = ImportedFacts(connection, digests, facts=facts)
    code_of = _CodeOfRows(imported, default_office)
    while rows := _some(connection, facts):
        _rewrite(connection, digests, rows, code_of, facts)
    return imported


def forget_person(arrears: Arrears, account_id: UUID, connection: psycopg.Connection[Any]) -> None:
    """What is remembered of imports has nothing of a person who is erased: of what was said of them as a customer
    there is no digest any more, and other digests of their account are keyed."""
    try:
        account = arrears.load(Account, account_id)
        office = None if account.customer.office_id is None else arrears.load(Office, account.customer.office_id)
    except AggregateNotFoundError:
        return
    if office is None:
        return
    number, code = account.customer.number, office.code
    found = connection.execute("SELECT EXISTS (SELECT FROM arrears.import_facts)").fetchone()
    if not found or not found[0]:
        return
    digests = Digests(arrears.import_key())
    rows = [
        _Plain(name, key, said, bytes(digest))
        for name, key, said, digest in connection.execute(
            sql.SQL(_OF_ACCOUNT).format(facts=STORED),
            [number],
        )
        if earlier_code(name) in {"", code}
    ]
    _rewrite(connection, digests, rows, lambda *_: code, STORED)
    connection.execute(_FORGET, [digests.of(b"nothing"), code, folded(number), number])


def _some(connection: psycopg.Connection, facts: sql.Identifier) -> list[_Plain]:
    with connection.transaction():
        rows = connection.execute(sql.SQL(_NEXT).format(facts=facts), [_PAGE])
        return [_Plain(office, key, account, bytes(digest)) for office, key, account, digest in rows]


def _rewrite(
    connection: psycopg.Connection[Any],
    digests: Digests,
    rows: Sequence[_Plain],
    code_of: CodeOf,
    facts: sql.Identifier,
) -> None:
    if not rows:
        return
    columns: Iterable[Any] = zip(*(_columns_of(row, digests, code_of) for row in rows), strict=True)
    with connection.transaction():
        connection.execute(sql.SQL(_REWRITE).format(facts=facts), [list(column) for column in columns])


def _columns_of(row: _Plain, digests: Digests, code_of: CodeOf) -> tuple[object, ...]:
    is_by_content = row.natural_key.startswith(UNNUMBERED)
    key = f"{UNNUMBERED}{digests.of_text('earlier', row.natural_key)}" if is_by_content else row.natural_key
    return (
        row.office,
        row.natural_key,
        key,
        digests.of(row.digest),
        1 if is_by_content else 2,
        code_of(row.office, row.account_number),
        folded(key),
        folded(row.account_number),
        digests.sealed(row.natural_key) if is_by_content else None,
    )


class _CodeOfRows:
    """The office that a name stood for. Where earlier releases made no code of it, they took the import's office: it
    is taken for that where that has the account."""

    def __init__(self, imported: ImportedFacts, default_office: str) -> None:
        self._imported = imported
        self._default = default_office
        self._codes: dict[str, str] = {}

    def __call__(self, office: str, account_number: str) -> str:
        if office not in self._codes:
            code = earlier_code(office)
            if not code:
                is_there = self._imported.opened([(self._default, account_number)])
                code = self._default if is_there else office_code(office)
            self._codes[office] = code
        return self._codes[office]
