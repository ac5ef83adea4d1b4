"""Facts of one import on their way into the log: sorted, compared and counted by PostgreSQL, not in memory.

The tables are temporary. They belong to the connection and vanish with it, so that an import that dies leaves
nothing behind, and personal data is at no time in a table that others read. Of what facts say there are no statistics:
those are samples, kept in a catalog that is logged and copied.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import lru_cache
from itertools import islice

import psycopg
from psycopg import sql

from adapters.billing.facts import UNNUMBERED, CustomerFact, Fact, InvoiceFact, currency_of, fact_from
from adapters.billing.profile import Kind
from adapters.billing.readers import FileNotice, Progress
from adapters.billing.rows import ParsedRow, RowNotice, RowProblem, ZoneOf
from adapters.billing.source import ImportSource, in_utc
from adapters.stop import Stop, cancelled_on, check

_BATCH = 10_000
_PAGE = 2_000
_NO_DAY = date.min
"""The staged day of a fact without a date: before every other."""

_TABLES = """
CREATE TEMPORARY TABLE import_staging (
    office         text COLLATE "C" NOT NULL,
    office_code    text COLLATE "C" NOT NULL,
    currency       text,
    account_number text COLLATE "C" NOT NULL,
    effective_on   date             NOT NULL,
    rank           smallint         NOT NULL,
    line           bigint           NOT NULL,
    kind           text             NOT NULL,
    natural_key    text COLLATE "C" NOT NULL,
    digest         bytea            NOT NULL,
    payload        text             NOT NULL,
    merges         boolean          NOT NULL,
    due_on         date
);
ALTER TABLE import_staging ALTER COLUMN payload SET STATISTICS 0;
CREATE TEMPORARY TABLE import_unread_parts (
    office         text COLLATE "C" NOT NULL,
    natural_key    text COLLATE "C" NOT NULL,
    line           bigint           NOT NULL
);
CREATE TEMPORARY TABLE import_problems (
    line        bigint           NOT NULL,
    column_name text             NOT NULL,
    value       text COLLATE "C" NOT NULL,
    expected    text             NOT NULL
);
"""
_DROP = "DROP TABLE IF EXISTS pg_temp.import_staging, pg_temp.import_problems, pg_temp.import_unread_parts"

_COPY_FACTS = """
COPY import_staging (office, office_code, currency, account_number, effective_on, rank, line, kind, natural_key, digest,
                     payload, merges, due_on)
FROM STDIN
"""
_COPY_UNREAD_PARTS = "COPY import_unread_parts (office, natural_key, line) FROM STDIN"
_COPY_PROBLEMS = "COPY import_problems (line, column_name, value, expected) FROM STDIN"

# Payments without a number that say the same are still two payments: the second of them is …#2.
_NUMBER_THE_UNNUMBERED = """
UPDATE import_staging AS staged
   SET natural_key = staged.natural_key || '#' || same.ordinal
  FROM (SELECT ctid, row_number() OVER (PARTITION BY office, natural_key ORDER BY line) AS ordinal
          FROM import_staging
         WHERE starts_with(natural_key, %s)) AS same
 WHERE staged.ctid = same.ctid AND same.ordinal > 1
"""

# The rows of invoices of which there are several due days: in this file, or known from earlier ones.
_FIND_INSTALMENTS = """
CREATE TEMPORARY TABLE import_instalments ON COMMIT DROP AS
WITH several AS (
    SELECT office, natural_key, bool_or(is_known) AS is_known
      FROM (SELECT office, natural_key, false AS is_known
              FROM import_staging
             WHERE kind = 'invoice'
             GROUP BY office, natural_key HAVING count(DISTINCT due_on) > 1
             UNION ALL
            SELECT office, 'invoice:' || instalment_of, true
              FROM arrears.import_facts
             WHERE instalment_of IS NOT NULL) AS each
     GROUP BY office, natural_key
)
SELECT office, natural_key, substr(natural_key, strpos(natural_key, ':') + 1) AS number, is_known, line, digest,
       due_on, to_char(due_on, 'YYYY-MM-DD') AS day, first_value(line) OVER first AS first_line,
       account_number = first_value(account_number) OVER first
   AND effective_on = first_value(effective_on) OVER first
   AND currency = first_value(currency) OVER first AS agrees
  FROM import_staging
  JOIN several USING (office, natural_key)
 WHERE kind = 'invoice'
WINDOW first AS (PARTITION BY office, natural_key ORDER BY line)
"""
# Another account, issue day or currency makes no instalment.
_REFUSE_OTHERS = """
INSERT INTO import_problems (line, column_name, value, expected)
SELECT line, '', number,
       format('another number, or what line %s says: invoice %s stands there with other content', first_line, number)
  FROM import_instalments
 WHERE NOT agrees
 ORDER BY line
"""
_DELETE_OTHERS = """
DELETE FROM import_staging WHERE NOT merges AND line IN (SELECT line FROM import_instalments WHERE NOT agrees)
"""
# One of them keeps the invoice's own key: the one that has it, else the earliest that is not known as a further one.
# An earlier release stored no due day; what it imported is the one that says the same. Where only one is known and the
# file has one, nothing is an instalment: its due day is corrected.
_NAME_INSTALMENTS = """
WITH firsts AS (
    SELECT found.office, found.natural_key,
           coalesce(min(known.due_on),
                    min(found.due_on) FILTER (WHERE found.digest = known.digest),
                    min(found.due_on) FILTER (WHERE further.natural_key IS NULL)) AS due_on
      FROM import_instalments AS found
      LEFT JOIN arrears.import_facts AS known USING (office, natural_key)
      LEFT JOIN arrears.import_facts AS further
             ON further.office = found.office
            AND further.natural_key = format('instalment:%s/%s', found.number, found.day)
     WHERE agrees
     GROUP BY found.office, found.natural_key
    HAVING bool_or(found.is_known) OR count(DISTINCT found.due_on) > 1
), named AS (
    SELECT line, number, day, found.due_on IS NOT DISTINCT FROM firsts.due_on AS is_first,
           format('{"instalment":"%s",', day) AS beginning
      FROM import_instalments AS found
      JOIN firsts USING (office, natural_key)
     WHERE agrees
)
UPDATE import_staging AS staged
   SET natural_key = CASE WHEN is_first             THEN natural_key
                          WHEN kind = 'invoice'     THEN format('instalment:%s/%s', number, day)
                                                    ELSE format('settled-instalment:%s/%s', number, day) END,
       payload     = beginning || substr(payload, 2),
       digest      = CASE WHEN kind = 'invoice'     THEN digest
                                                    ELSE sha256(convert_to(beginning || substr(payload, 2), 'UTF8')) END
  FROM named
 WHERE staged.line = named.line
   AND (kind = 'invoice' AND NOT is_first OR natural_key = 'settlement:' || number)
"""

# A payment may stand on several rows, one for each invoice that it is for. They are told apart by the invoice until
# repeats and conflicts among them are found. With a row that cannot be read the rest of its payment waits: the sum of
# the others is not what came in.
_FIND_PARTS = """
CREATE TEMPORARY TABLE import_parts ON COMMIT DROP AS
SELECT ctid AS place, office, natural_key, substr(natural_key, 9) AS number, line,
       coalesce(payload::jsonb ->> 'invoice_number', '') AS invoice, first_value(line) OVER first AS first_line,
       account_number = first_value(account_number) OVER first
   AND effective_on = first_value(effective_on) OVER first
   AND currency = first_value(currency) OVER first
   AND payload::jsonb ->> 'method' IS NOT DISTINCT FROM first_value(payload::jsonb ->> 'method') OVER first
   AND payload::jsonb ->> 'payer_number' IS NOT DISTINCT FROM first_value(payload::jsonb ->> 'payer_number') OVER first
       AS agrees
  FROM import_staging
 WHERE kind = 'payment'
   AND (office, natural_key) IN (SELECT office, natural_key FROM import_staging
                                  WHERE kind = 'payment' AND starts_with(natural_key, 'payment:')
                                  GROUP BY office, natural_key HAVING count(*) > 1)
WINDOW first AS (PARTITION BY office, natural_key ORDER BY line)
"""
_KEEP_SPLIT = """
DELETE FROM import_parts
 WHERE (office, natural_key) NOT IN (SELECT office, natural_key FROM import_parts
                                      WHERE agrees
                                      GROUP BY office, natural_key HAVING count(DISTINCT invoice) > 1)
"""
_NAME_PARTS = """
UPDATE import_staging AS staged
   SET natural_key = staged.natural_key || chr(31) || parts.invoice
  FROM import_parts AS parts
 WHERE staged.ctid = parts.place AND parts.agrees
"""
_REFUSE_UNLIKE_PARTS = """
INSERT INTO import_problems (line, column_name, value, expected)
SELECT line, '', number,
       format('another number, or what line %s says: payment %s stands there with other content', first_line, number)
  FROM import_parts
 WHERE NOT agrees
 ORDER BY line
"""
_REFUSE_PARTS_OF_UNREAD = """
WITH unread AS (
    SELECT office, natural_key, min(line) AS line FROM import_unread_parts GROUP BY office, natural_key
     UNION
    SELECT parts.office, parts.natural_key, min(problems.line)
      FROM import_parts AS parts
      JOIN import_problems AS problems USING (line)
     GROUP BY parts.office, parts.natural_key
), gone AS (
    DELETE FROM import_staging AS staged
     USING unread
     WHERE staged.office = unread.office AND split_part(staged.natural_key, chr(31), 1) = unread.natural_key
       AND staged.kind = 'payment'
    RETURNING staged.line, substr(unread.natural_key, 9) AS number, unread.line AS unread_line
)
INSERT INTO import_problems (line, column_name, value, expected)
SELECT line, '', number, format('every row of payment %s; line %s of it is refused', number, unread_line)
  FROM gone
 WHERE line NOT IN (SELECT line FROM import_problems)
 ORDER BY line
"""
_JOIN_PARTS = """
WITH parts AS (
    SELECT ctid AS place, office, split_part(natural_key, chr(31), 1) AS natural_key, line, currency,
           payload::jsonb AS said, split_part(natural_key, chr(31), 2) AS invoice
      FROM import_staging
     WHERE kind = 'payment' AND strpos(natural_key, chr(31)) > 0
), joined AS (
    SELECT office, natural_key, min(line) AS line,
           jsonb_agg(jsonb_build_array(invoice, said -> 'amount' -> 'minor') ORDER BY invoice) AS parts,
           jsonb_build_object('minor', sum((said -> 'amount' -> 'minor')::bigint), 'currency', min(currency)) AS amount
      FROM parts
     GROUP BY office, natural_key
), gone AS (
    DELETE FROM import_staging AS staged
     USING parts JOIN joined USING (office, natural_key)
     WHERE staged.ctid = parts.place AND parts.line <> joined.line
), whole AS (
    SELECT place, natural_key,
           ((said - ARRAY['invoice_number', 'reference', 'information'])
            || jsonb_build_object('amount', amount, 'parts', joined.parts))::text AS payload
      FROM parts
      JOIN joined USING (office, natural_key, line)
)
UPDATE import_staging AS staged
   SET natural_key = whole.natural_key, payload = whole.payload, digest = sha256(convert_to(whole.payload, 'UTF8'))
  FROM whole
 WHERE staged.ctid = whole.place
"""

# Every fact whose number stood on an earlier line, and whether it says the same as there.
_FIND_REPEATS = """
CREATE TEMPORARY TABLE import_repeats ON COMMIT DROP AS
SELECT place, line, rank, kind, natural_key, first_line, same
  FROM (SELECT ctid AS place, line, rank, kind, natural_key,
               first_value(line) OVER first          AS first_line,
               digest = first_value(digest) OVER first AS same
          FROM import_staging
         WHERE NOT merges
        WINDOW first AS (PARTITION BY office, natural_key ORDER BY line)) AS seen
 WHERE line <> first_line
"""
_REFUSE_CONFLICTS = """
INSERT INTO import_problems (line, column_name, value, expected)
SELECT DISTINCT ON (line)
       line, '', number,
       format('another number, or what line %s says: %s %s stands there with other content', first_line, kind, number)
  FROM import_repeats,
       substr(split_part(natural_key, chr(31), 1), strpos(natural_key, ':') + 1) AS number
 WHERE NOT same
 ORDER BY line, rank
"""
_DELETE_CONFLICTS = """
DELETE FROM import_staging WHERE NOT merges AND line IN (SELECT line FROM import_repeats WHERE NOT same)
"""
_DELETE_REPEATS = """
DELETE FROM import_staging AS staged USING import_repeats AS again WHERE staged.ctid = again.place AND again.same
"""

# What documents' rows say about a customer: the latest is kept, true from the first.
_MERGE = """
WITH said AS (
    SELECT ctid,
           min(effective_on) OVER (PARTITION BY office, natural_key)                               AS since,
           row_number()      OVER (PARTITION BY office, natural_key ORDER BY effective_on DESC, line DESC) AS place
      FROM import_staging
     WHERE merges
), gone AS (
    DELETE FROM import_staging AS staged USING said WHERE staged.ctid = said.ctid AND said.place > 1
)
UPDATE import_staging AS staged
   SET effective_on = said.since
  FROM said
 WHERE staged.ctid = said.ctid AND said.place = 1 AND staged.effective_on <> said.since
"""

_BY_ACCOUNT = ("office_code", "account_number", "effective_on", "rank", "line", "natural_key")
_BY_DAY = ("effective_on", "office_code", "account_number", "rank", "line", "natural_key")


Key = tuple[str, str]
"""Office and natural key."""


@dataclass(frozen=True, slots=True)
class Staged:
    """A fact with the line it stands on. `office` is the file's, or the import's where the file has none; `office_code`
    is the office that it names, however it is written."""

    line: int
    office: str
    office_code: str
    natural_key: str
    digest: bytes
    fact: Fact

    @property
    def key(self) -> Key:
        return self.office, self.natural_key

    @property
    def effective_on(self) -> date | None:
        return self.fact.effective_on


@dataclass(slots=True)
class OfficeRows:
    """What a file has of an office: its first line, and how many rows there are in each currency."""

    line: int
    currencies: dict[str, int] = field(default_factory=dict)


_NOTICES_KEPT = 20


@dataclass(frozen=True, slots=True)
class Loaded:
    """What was found in the file."""

    rows: int
    refused: int
    """Rows with at least one problem."""
    repeats: int
    """Facts that stood in the file before, word for word, and are taken once."""
    facts: Mapping[str, int] = field(default_factory=dict)
    """By kind, without repeats."""
    first_on: date | None = None
    last_on: date | None = None
    notices: Sequence[FileNotice | RowNotice] = ()
    """Those about the file, and the first few about rows that are taken."""
    noticed: int = 0
    """How many there are."""


class Staging:
    """The staged facts of one import. One at a time per connection; `drop` or the connection's end clears it."""

    def __init__(
        self,
        connection: psycopg.Connection,
        *,
        default_office: str,
        zone_of: ZoneOf = in_utc,
        stop: Stop | None = None,
    ) -> None:
        self._zone_of = zone_of
        self._connection = connection
        self._stop = stop or Stop()
        self._default_office = default_office
        self._indexed: set[tuple[str, ...]] = set()
        with connection.transaction():
            connection.execute(_DROP)
            connection.execute(_TABLES)

    def load(self, source: ImportSource, progress: Progress | None = None) -> Loaded:
        """Read the whole file. Raises `FileProblem` and `Stopped`, and then nothing is staged."""
        merging = frozenset() if source.profile.kind is Kind.CUSTOMERS else frozenset({"customer", "subscription"})
        rows = noticed = 0
        notices: list[RowNotice] = []
        with self._connection.transaction():
            parsed = source.rows(progress, zone_of=self._zone_of)
            while batch := list(islice(parsed, _BATCH)):
                check(self._stop)
                rows += len(batch)
                self._copy_facts(batch, merging)
                self._copy_unread_parts(batch)
                self._copy_problems(problem for row in batch for problem in row.problems)
                said = [notice for row in batch for notice in row.notices]
                noticed += len(said)
                notices += said[: _NOTICES_KEPT - len(notices)]
            with cancelled_on(self._stop, self._connection):
                self._connection.execute("ANALYZE import_staging")
                repeats = self._take_in()
        of_file = source.table.notices
        return replace(self._counted(rows, repeats), notices=[*of_file, *notices], noticed=len(of_file) + noticed)

    def refuse(self, problems: Iterable[RowProblem]) -> None:
        """Add problems that were found later, such as a command that was rejected; their rows are refused too."""
        with self._connection.transaction():
            self._copy_problems(problems)

    def by_account(self, size: int = 1_000, *, until: date | None = None) -> Iterator[list[Staged]]:
        """The facts account by account, each in the order of its days, in chunks of at most `size`.

        An account of at most `size` facts is never cut. `until` leaves out what is dated later.
        """
        waiting: list[Staged] = []
        for page in self._pages(_BY_ACCOUNT, until=until):
            waiting += page
            while len(waiting) > size:
                cut = _account_end(waiting, size)
                yield waiting[:cut]
                del waiting[:cut]
        if waiting:
            yield waiting

    def by_day(
        self, size: int = 1_000, *, since: date | None = None, until: date | None = None
    ) -> Iterator[tuple[date | None, list[Staged]]]:
        """(day, facts) day by day, in chunks of one day and at most `size`; None is for facts without a date."""
        chunk: list[Staged] = []
        for page in self._pages(_BY_DAY, since=since, until=until):
            for staged in page:
                if chunk and (len(chunk) >= size or chunk[0].effective_on != staged.effective_on):
                    yield chunk[0].effective_on, chunk
                    chunk = []
                chunk.append(staged)
        if chunk:
            yield chunk[0].effective_on, chunk

    def offices(self) -> dict[str, OfficeRows]:
        """By code, all that the file names."""
        query = """
            SELECT office_code, currency, min(line), count(DISTINCT line) FROM import_staging
             GROUP BY office_code, currency ORDER BY count(DISTINCT line) DESC, currency
        """
        found: dict[str, OfficeRows] = {}
        with self._connection.transaction():
            for code, currency, line, count in self._connection.execute(query):
                rows = found.setdefault(code, OfficeRows(line))
                rows.line = min(rows.line, line)
                if currency is not None:
                    rows.currencies[currency] = count
        return found

    def problems(self) -> Iterator[RowProblem]:
        """All problems, by line, read in pages."""
        query = "SELECT line, column_name, value, expected FROM import_problems ORDER BY line, ctid"
        with self._connection.transaction(), self._connection.cursor("import_problems_by_line") as cursor:
            cursor.itersize = _PAGE
            for row in cursor.execute(query):
                yield RowProblem(*row)

    def refused(self) -> int:
        """How many rows have a problem."""
        with self._connection.transaction():
            row = self._connection.execute("SELECT count(DISTINCT line) FROM import_problems").fetchone()
        return int(row[0]) if row else 0

    def drop(self) -> None:
        """Forget everything that was staged."""
        with self._connection.transaction():
            self._connection.execute(_DROP)

    def _copy_facts(self, batch: Sequence[ParsedRow], merging: frozenset[str]) -> None:
        with self._connection.cursor().copy(_COPY_FACTS) as copy:
            for parsed in batch:
                for fact in parsed.facts:
                    payload, digest = fact.sealed()
                    office = fact.office or self._default_office
                    copy.write_row((
                        office,
                        office_code(office) or self._default_office,
                        currency_of(fact),
                        fact.account_number,
                        fact.effective_on or _NO_DAY,
                        fact.rank,
                        parsed.row.line,
                        fact.kind,
                        fact.natural_key,
                        digest,
                        payload.decode(),
                        fact.kind in merging,
                        fact.due_on or fact.issued_on if isinstance(fact, InvoiceFact) else None,
                    ))  # fmt: skip

    def _copy_unread_parts(self, batch: Sequence[ParsedRow]) -> None:
        with self._connection.cursor().copy(_COPY_UNREAD_PARTS) as copy:
            for parsed in batch:
                if parsed.part_of is not None:
                    office, number = parsed.part_of
                    copy.write_row((office or self._default_office, f"payment:{number}", parsed.row.line))

    def _copy_problems(self, problems: Iterable[RowProblem]) -> None:
        with self._connection.cursor().copy(_COPY_PROBLEMS) as copy:
            for line, column, value, expected in problems:
                copy.write_row((line, column.replace("\0", "␀"), value.replace("\0", "␀"), expected))

    def _take_in(self) -> int:
        run = self._connection.execute
        run(_NUMBER_THE_UNNUMBERED, [UNNUMBERED])
        run(_FIND_INSTALMENTS)
        run(_REFUSE_OTHERS)
        run(_DELETE_OTHERS)
        run(_NAME_INSTALMENTS)
        run(_FIND_PARTS)
        run(_KEEP_SPLIT)
        run(_REFUSE_UNLIKE_PARTS)
        run(_NAME_PARTS)
        run(_FIND_REPEATS)
        run(_REFUSE_CONFLICTS)
        repeats = run(_DELETE_REPEATS).rowcount
        run(_DELETE_CONFLICTS)
        run(_REFUSE_PARTS_OF_UNREAD)
        run(_JOIN_PARTS)
        run(_MERGE)
        return repeats

    def _counted(self, rows: int, repeats: int) -> Loaded:
        with self._connection.transaction():
            facts = self._connection.execute("SELECT kind, count(*) FROM import_staging GROUP BY kind").fetchall()
            span = self._connection.execute(
                "SELECT min(effective_on), max(effective_on) FROM import_staging WHERE effective_on > %s", [_NO_DAY]
            ).fetchone()
        first_on, last_on = span or (None, None)
        return Loaded(rows, self.refused(), repeats, dict(facts), first_on, last_on)

    def _pages(
        self, order: tuple[str, ...], *, since: date | None = None, until: date | None = None
    ) -> Iterator[list[Staged]]:
        """Pages by their last key, so that no transaction stays open while the caller works on one."""
        self._index(order)
        columns = sql.SQL(", ").join(map(sql.Identifier, order))
        query = sql.SQL(
            "SELECT {}, effective_on, line, office, office_code, natural_key, digest, kind, payload FROM import_staging"
            " WHERE ({}) > ({}) AND effective_on >= %s AND effective_on <= %s ORDER BY {} LIMIT {}"
        ).format(columns, columns, sql.SQL(", ").join([sql.Placeholder()] * len(order)), columns, sql.Literal(_PAGE))
        last = tuple({"effective_on": _NO_DAY, "rank": -1, "line": -1}.get(name, "") for name in order)
        between = [since or _NO_DAY, until or date.max]
        while True:
            with self._connection.transaction():
                rows = self._connection.execute(query, [*last, *between]).fetchall()
            if rows:
                yield [_staged(row[len(order) :]) for row in rows]
            if len(rows) < _PAGE:
                return
            last = tuple(rows[-1][: len(order)])

    def _index(self, order: tuple[str, ...]) -> None:
        if order not in self._indexed:
            with self._connection.transaction(), cancelled_on(self._stop, self._connection):
                columns = sql.SQL(", ").join(map(sql.Identifier, order))
                self._connection.execute(sql.SQL("CREATE UNIQUE INDEX ON import_staging ({})").format(columns))
            self._indexed.add(order)


@lru_cache(maxsize=1_000)
def office_code(name: str) -> str:
    """An office's code from what a file calls it; empty where nothing of that can be in a code."""
    return re.sub(r"[^a-z0-9]+", "-", name.casefold()).strip("-")[:40]


def _staged(row: tuple[date, int, str, str, str, bytes, str, str]) -> Staged:
    effective_on, line, office, code, natural_key, digest, kind, payload = row
    fact = fact_from(kind, payload)
    if isinstance(fact, CustomerFact) and fact.seen_on not in (None, effective_on):
        fact = replace(fact, seen_on=effective_on)  # merged: said by a later row, true from the first
    return Staged(line, office, code, natural_key, digest, fact)


def _account_end(staged: Sequence[Staged], size: int) -> int:
    """Where to cut `staged`, longer than `size`, so that no account is cut, or `size` where that cannot be."""
    cut = size
    after = staged[size]
    while cut and (staged[cut - 1].office_code, staged[cut - 1].fact.account_number) == (
        after.office_code,
        after.fact.account_number,
    ):
        cut -= 1
    return cut or size
