"""Facts of one import on their way into the log: sorted, compared and counted by PostgreSQL, not in memory.

The tables are temporary. They belong to the connection and vanish with it, so that an import that dies leaves
nothing behind, and personal data is at no time in a table that others read. Of what facts say there are no statistics:
those are samples, kept in a catalog that is logged and copied.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import groupby, islice
from typing import Any

import psycopg
from psycopg import sql

from adapters.billing.facts import (
    UNNUMBERED,
    CustomerFact,
    InvoiceFact,
    account_currency_of,
    currency_of,
    fact_from,
)
from adapters.billing.identity import (
    AccountNumber,
    folded,
    key_in_form,
    key_of,
    number_in,
    respelled,
    respellings,
    with_account,
)
from adapters.billing.imported import ImportedFacts
from adapters.billing.profile import Kind, Scope
from adapters.billing.readers import FileNotice, Progress
from adapters.billing.rows import ParsedRow, RowNotice, RowProblem, ZoneOf
from adapters.billing.several_rows import OWN_NUMBERS, Decided, StagedRow, instalments, parts
from adapters.billing.source import ImportSource, in_utc
from adapters.billing.staged import Staged
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
    other_currency text,
    effective_on   date             NOT NULL,
    rank           smallint         NOT NULL,
    line           bigint           NOT NULL,
    kind           text             NOT NULL,
    natural_key    text COLLATE "C" NOT NULL,
    folded_key     text COLLATE "C" NOT NULL,
    folded_account text COLLATE "C" NOT NULL,
    digest         bytea            NOT NULL,
    payload        text             NOT NULL,
    merges         boolean          NOT NULL,
    due_on         date,
    is_open        boolean          NOT NULL
);
ALTER TABLE import_staging ALTER COLUMN payload SET STATISTICS 0;
CREATE TEMPORARY TABLE import_unread_parts (
    office_code    text COLLATE "C" NOT NULL,
    folded_key     text COLLATE "C" NOT NULL,
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
COPY import_staging (office, office_code, currency, account_number, other_currency, effective_on, rank, line, kind,
                     natural_key, folded_key, folded_account, digest, payload, merges, due_on, is_open)
FROM STDIN
"""
_COPY_UNREAD_PARTS = "COPY import_unread_parts (office_code, folded_key, line) FROM STDIN"
_COPY_PROBLEMS = "COPY import_problems (line, column_name, value, expected) FROM STDIN"

# Accounts and documents that the file spells in several ways, and the lines on which it first does.
_SPELLED = """
SELECT office_code, {folded}, {spelled}, min(line)
  FROM import_staging
  JOIN (SELECT office_code, {folded} FROM import_staging
         GROUP BY 1, 2 HAVING min({spelled}) <> max({spelled})) AS several USING (office_code, {folded})
 GROUP BY 1, 2, 3
 ORDER BY 4, 3
"""
_SPELLED_SO = """
SELECT staged.ctid::text, kind, staged.natural_key, payload, meant.spelled
  FROM import_staging AS staged
  JOIN unnest(%s::text[], %s::text[], %s::text[]) AS meant (office_code, said, spelled)
    ON staged.office_code = meant.office_code AND staged.{column} = meant.said
 ORDER BY line
"""
_RESPELL = """
UPDATE import_staging AS staged
   SET account_number = meant.account_number, natural_key = meant.natural_key, digest = meant.digest,
       payload = meant.payload
  FROM unnest(%s::text[], %s::text[], %s::text[], %s::bytea[], %s::text[])
       AS meant (place, account_number, natural_key, digest, payload)
 WHERE staged.ctid = meant.place::tid
"""

# The rows of invoices with several due days, in this file or known from earlier ones, and their settlements.
_INSTALMENTS = """
WITH several AS (
    SELECT office_code, natural_key FROM import_staging
     WHERE kind = 'invoice'
     GROUP BY office_code, natural_key HAVING count(DISTINCT due_on) > 1
     UNION
    SELECT office_code, natural_key FROM import_staging
      JOIN (SELECT DISTINCT office_code, instalment_of AS folded_key
              FROM {facts} WHERE instalment_of IS NOT NULL) AS known USING (office_code, folded_key)
     WHERE kind = 'invoice'
), invoices AS (
    SELECT office_code, natural_key, folded_key, line FROM import_staging JOIN several USING (office_code, natural_key)
     WHERE kind = 'invoice'
)
SELECT invoices.office_code, invoices.natural_key, invoices.folded_key, staged.ctid::text, line, staged.natural_key,
       digest, kind, payload
  FROM invoices
  JOIN import_staging AS staged USING (line)
 WHERE kind IN ('invoice', 'payment')
 ORDER BY 1, 2, line, rank
"""
# The rows of payments of which there are several, and those of which one cannot be read.
_PARTS = """
WITH several AS (
    SELECT office_code, natural_key FROM import_staging
     WHERE kind = 'payment' AND starts_with(natural_key, 'payment:')
     GROUP BY office_code, natural_key HAVING count(*) > 1
     UNION
    SELECT office_code, natural_key FROM import_staging JOIN import_unread_parts USING (office_code, folded_key)
)
SELECT office_code, natural_key, folded_key, staged.ctid::text, line, natural_key, digest, kind, payload, unread
  FROM import_staging AS staged
  JOIN several USING (office_code, natural_key)
  LEFT JOIN (SELECT office_code, folded_key, min(line) AS unread
               FROM import_unread_parts GROUP BY 1, 2) AS unread_parts USING (office_code, folded_key)
 WHERE kind = 'payment'
 ORDER BY 1, 2, line
"""
_RENAME = """
UPDATE import_staging AS staged
   SET natural_key = meant.natural_key, folded_key = meant.folded_key, digest = meant.digest, payload = meant.payload
  FROM unnest(%s::text[], %s::text[], %s::text[], %s::bytea[], %s::text[])
       AS meant (place, natural_key, folded_key, digest, payload)
 WHERE staged.ctid = meant.place::tid
"""
_DELETE_PLACES = "DELETE FROM import_staging WHERE ctid = ANY (%s::tid[])"
_DELETE_LINES = "DELETE FROM import_staging WHERE NOT merges AND line = ANY (%s)"

# Every fact whose number stood on an earlier line, and whether it says the same as there.
_FIND_REPEATS = """
CREATE TEMPORARY TABLE import_repeats ON COMMIT DROP AS
SELECT place, line, rank, kind, natural_key, first_line, same, same_account
  FROM (SELECT ctid AS place, line, rank, kind, natural_key,
               first_value(line) OVER first          AS first_line,
               (account_number, other_currency) IS NOT DISTINCT FROM
                   (first_value(account_number) OVER first, first_value(other_currency) OVER first) AS same_account,
               digest = first_value(digest) OVER first AS same
          FROM import_staging
         WHERE NOT merges AND natural_key <> %s
        WINDOW first AS (PARTITION BY office_code, natural_key ORDER BY line)) AS seen
 WHERE line <> first_line
"""
_REFUSE_CONFLICTS = """
INSERT INTO import_problems (line, column_name, value, expected)
SELECT DISTINCT ON (line)
       line, '', number,
       format('another number, or what line %%s says: %%s %%s stands there with other content%%s',
              first_line, kind, number, CASE WHEN same_account THEN '' ELSE %s END)
  FROM import_repeats, regexp_replace(natural_key, E'^[^:]*:(.*\\t)?', '') AS number
 WHERE NOT same
 ORDER BY line, rank
"""
_DELETE_CONFLICTS = """
DELETE FROM import_staging WHERE NOT merges AND line IN (SELECT line FROM import_repeats WHERE NOT same)
"""
_DELETE_REPEATS = """
DELETE FROM import_staging AS staged USING import_repeats AS again WHERE staged.ctid = again.place AND again.same
"""

_SAID = """
SELECT DISTINCT office_code, folded_key
  FROM import_staging JOIN unnest(%s::text[], %s::text[]) AS wanted (office_code, folded_key)
       USING (office_code, folded_key)
"""

# What documents' rows say about a customer: the latest is kept, true from the first.
_MERGE = """
WITH said AS (
    SELECT ctid,
           min(effective_on) OVER (PARTITION BY office_code, natural_key)                          AS since,
           row_number()      OVER (PARTITION BY office_code, natural_key ORDER BY effective_on DESC, line DESC) AS place
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


_Group = tuple[tuple[str, str], list[StagedRow], int | None]
"""Office and folded key, the rows, and a line of the same that cannot be read."""


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
        imported: ImportedFacts,
        code_of: Callable[[str], str],
        currency_of_office: Callable[[str], str | None],
        zone_of: ZoneOf = in_utc,
        stop: Stop | None = None,
    ) -> None:
        """`code_of`: the office that a name stands for. `currency_of_office`: in which an office works, by its code;
        None where only the file can say that, and so is in one alone."""
        self._zone_of = zone_of
        self.imported = imported
        self._code_of = code_of
        self._currency_of_office = currency_of_office
        self._connection = connection
        self._stop = stop or Stop()
        self._default_office = default_office
        self._currencies: dict[str, str | None] = {}
        """In which offices work, by code."""
        self._indexed: set[tuple[str, ...]] = set()
        self._is_by_key = False
        with connection.transaction():
            connection.execute(_DROP)
            connection.execute(_TABLES)

    @property
    def connection(self) -> psycopg.Connection:
        """Where the facts are staged."""
        return self._connection

    def code_of(self, office: str) -> str:
        """The office that a name stands for."""
        return self._code_of(office)

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
                self._copy_facts(batch, merging, per_account=source.profile.numbering.scope is Scope.PER_ACCOUNT)
                self._copy_problems(problem for row in batch for problem in row.problems)
                self._copy_unread_parts(batch, per_account=source.profile.numbering.scope is Scope.PER_ACCOUNT)
                said = [notice for row in batch for notice in row.notices]
                noticed += len(said)
                notices += said[: _NOTICES_KEPT - len(notices)]
            with cancelled_on(self._stop, self._connection):
                self._connection.execute("ANALYZE import_staging")
                respelled = self._respell()
                repeats = self._take_in()
        noticed += len(respelled)
        notices += respelled[: _NOTICES_KEPT - len(notices)]
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

    def says(self, wanted: Collection[tuple[str, str]]) -> set[tuple[str, str]]:
        """Those of these, by office and folded key, that stand anywhere in the file."""
        if not self._is_by_key:
            with self._connection.transaction(), cancelled_on(self._stop, self._connection):
                self._connection.execute("CREATE INDEX ON import_staging (office_code, folded_key)")
            self._is_by_key = True
        with self._connection.transaction():
            return set(self._connection.execute(_SAID, _columns(wanted)).fetchall())

    def drop(self) -> None:
        """Forget everything that was staged."""
        with self._connection.transaction():
            self._connection.execute(_DROP)

    def _copy_facts(self, batch: Sequence[ParsedRow], merging: frozenset[str], *, per_account: bool) -> None:
        keyed = self.imported.digests.of
        offices = {fact.office or self._default_office for parsed in batch for fact in parsed.facts}
        codes = {office: self._code_of(office) for office in offices}
        self._look_up_currencies(codes.values())
        with self._connection.cursor().copy(_COPY_FACTS) as copy:
            for parsed in batch:
                for fact in parsed.facts:
                    payload, digest = fact.sealed()
                    office = fact.office or self._default_office
                    account = self._account(codes[office], fact.account_number, account_currency_of(fact))
                    natural_key = key_of(fact, account, per_account=per_account)
                    copy.write_row((
                        office,
                        codes[office],
                        currency_of(fact),
                        *account,
                        fact.effective_on or _NO_DAY,
                        fact.rank,
                        parsed.row.line,
                        fact.kind,
                        natural_key,
                        folded(natural_key),
                        folded(fact.account_number),
                        keyed(digest),
                        payload.decode(),
                        fact.kind in merging,
                        fact.due_on or fact.issued_on if isinstance(fact, InvoiceFact) else None,
                        parsed.is_open,
                    ))  # fmt: skip

    def _look_up_currencies(self, codes: Iterable[str]) -> None:
        """While rows are copied, nothing can be asked."""
        for code in codes:
            if code not in self._currencies:
                self._currencies[code] = self._currency_of_office(code)

    def _account(self, code: str, number: str, currency: str | None) -> AccountNumber:
        """The account of a row, which says no currency or one."""
        of_office = self._currencies[code]
        return AccountNumber(number, None if None in (currency, of_office) or currency == of_office else currency)

    def _copy_unread_parts(self, batch: Sequence[ParsedRow], *, per_account: bool) -> None:
        rows = []
        for parsed in batch:
            if (unread := parsed.part_of) is not None:
                code, key = self._code_of(unread.office or self._default_office), f"payment:{unread.number}"
                if per_account:
                    self._look_up_currencies([code])
                    key = with_account(key, self._account(code, unread.account_number, unread.currency))
                rows.append((code, folded(key), parsed.row.line))
        with self._connection.cursor().copy(_COPY_UNREAD_PARTS) as copy:  # while it lasts, nothing can be asked
            for row in rows:
                copy.write_row(row)

    def _copy_problems(self, problems: Iterable[RowProblem]) -> None:
        with self._connection.cursor().copy(_COPY_PROBLEMS) as copy:
            for line, column, value, expected in problems:
                copy.write_row((line, column.replace("\0", "␀"), value.replace("\0", "␀"), expected))

    def _respell(self) -> list[RowNotice]:
        """Makes one spelling of those that differ in case, Unicode form or outer spaces alone, unless each is known."""
        accounts = self._spelled("folded_account", "account_number")
        known = self.imported.accounts((code, like) for code, like in accounts)
        opened = self.imported.opened((code, each) for (code, _), lines in accounts.items() for each in lines)
        meant = {
            (code, said): spelled
            for (code, like), lines in accounts.items()
            for said, spelled in respellings(
                list(lines), known.get((code, like), set()) | {each for each in lines if (code, each) in opened}
            ).items()
        }
        self._respell_so("account_number", meant)
        notices = _respelled(accounts, meant, "account {}".format)
        keys = self._spelled("folded_key", "natural_key")
        documents = self.imported.by_key(keys)
        meant = {
            (code, said): spelled
            for (code, like), lines in keys.items()
            for said, spelled in respellings(
                list(lines), {each.natural_key for each in documents.get((code, like), ())}
            ).items()
        }
        self._respell_so("natural_key", meant)
        return notices + _respelled(keys, meant, _shown)

    def _spelled(self, like: str, spelled: str) -> dict[tuple[str, str], dict[str, int]]:
        """By office and what they are folded to, the spellings of numbers that have several, each with its line."""
        found: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
        query = sql.SQL(_SPELLED).format(folded=sql.Identifier(like), spelled=sql.Identifier(spelled))
        for code, number, said, line in self._connection.execute(query):
            found[code, number][said] = line
        return found

    def _respell_so(self, column: str, meant: Mapping[tuple[str, str], str]) -> None:
        query = sql.SQL(_SPELLED_SO).format(column=sql.Identifier(column))
        for some in _parts([(code, said, spelled) for (code, said), spelled in meant.items()]):
            rows = self._connection.execute(query, _columns(some)).fetchall()
            for part in _parts(rows):
                self._connection.execute(_RESPELL, _columns(self._as_meant(column, row) for row in part))

    def _as_meant(self, column: str, row: tuple[str, str, str, str, str]) -> tuple[object, ...]:
        """Place, account number, natural key, digest and payload of a fact under another spelling."""
        place, kind, natural_key, payload, spelled = row
        fact = fact_from(kind, payload)
        if column == "account_number":
            fact = respelled(fact, account_number=spelled, number=fact.number)
            natural_key = key_in_form(natural_key, fact)
        else:
            fact = respelled(fact, account_number=fact.account_number, number=number_in(spelled))
            natural_key = spelled
        payload_now, digest = fact.sealed()
        return place, fact.account_number, natural_key, self.imported.digests.of(digest), payload_now.decode()

    def _take_in(self) -> int:
        run = self._connection.execute
        self._decide(sql.SQL(_INSTALMENTS).format(facts=self.imported.table), self._instalments)
        joined = self._decide(sql.SQL(_PARTS), lambda groups: [parts(rows, unread) for _, rows, unread in groups])
        run(_FIND_REPEATS, [UNNUMBERED])
        run(_REFUSE_CONFLICTS, [OWN_NUMBERS])
        repeats = joined + run(_DELETE_REPEATS).rowcount
        run(_DELETE_CONFLICTS)
        run(_MERGE)
        return repeats

    def _decide(self, query: sql.SQL | sql.Composed, decide: Callable[[Sequence[_Group]], Iterable[Decided]]) -> int:
        """Works out what rows of one number are together, some numbers at a time. Returns how many were repeats."""
        repeats = 0
        with self._connection.cursor("import_groups") as cursor:
            cursor.itersize = _PAGE
            groups = _groups(cursor.execute(query))
            while some := list(islice(groups, _PAGE)):
                check(self._stop)
                decided = Decided()
                for each in decide(some):
                    decided.add(each)
                self._carry_out(decided)
                repeats += decided.repeats
        return repeats

    def _instalments(self, groups: Sequence[_Group]) -> Iterator[Decided]:
        keys = [key for key, _, _ in groups]
        first = self.imported.by_key(keys)
        further = self.imported.further_instalments(keys)
        for key, rows, _ in groups:
            like = first.get(key, ())
            exact = (known for known in like if known.natural_key == rows[0].natural_key)
            yield instalments(rows, next(exact, like[0] if like else None), further.get(key, set()))

    def _carry_out(self, decided: Decided) -> None:
        run, keyed = self._connection.execute, self.imported.digests.of
        self._copy_problems(decided.refused)
        renamed = []
        for row, natural_key, fact in decided.changed:
            payload, digest = fact.sealed()
            renamed.append((row.place, natural_key, folded(natural_key), keyed(digest), payload.decode()))
        run(_DELETE_PLACES, [[row.place for row in decided.gone]])
        if renamed:
            run(_RENAME, _columns(renamed))
        run(_DELETE_LINES, [[problem.line for problem in decided.refused]])

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
            "SELECT {}, effective_on, line, office, office_code, natural_key, folded_key, digest, kind, payload,"
            " other_currency, is_open FROM import_staging"
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


def _groups(rows: Iterable[Sequence[Any]]) -> Iterator[_Group]:
    for (code, _), some in groupby(rows, key=lambda row: (row[0], row[1])):
        of_group = list(some)
        unread = of_group[0][9] if len(of_group[0]) > 9 else None
        staged = [StagedRow(r[3], r[4], r[5], bytes(r[6]), fact_from(r[7], r[8])) for r in of_group]
        yield (code, of_group[0][2]), staged, unread


def _parts(rows: Sequence[Any]) -> Iterator[Sequence[Any]]:
    return (rows[start : start + _PAGE] for start in range(0, len(rows), _PAGE))


def _columns(rows: Iterable[Sequence[Any]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]


def _respelled(
    said: Mapping[tuple[str, str], Mapping[str, int]], meant: Mapping[tuple[str, str], str], shown: Callable[[str], str]
) -> list[RowNotice]:
    """Of each spelling that is taken for another one, what it is taken for, on the first line that has it."""
    notices = []
    for (code, _), lines in said.items():
        for each, line in lines.items():
            if (spelled := meant.get((code, each))) is not None:
                where = f"as line {lines[spelled]} has it" if spelled in lines else "as it was imported before"
                notices.append(RowNotice(line, shown(each), f"taken for {shown(spelled)}, {where}"))
    return notices


def _shown(key: str) -> str:
    """What it is, and its number."""
    return f"{key.partition(':')[0]} {number_in(key)}"


def _staged(row: tuple[date, int, str, str, str, str, bytes, str, str, str | None, bool]) -> Staged:
    effective_on, line, office, code, natural_key, folded_key, digest, kind, payload, other_currency, is_open = row
    fact = fact_from(kind, payload)
    if isinstance(fact, CustomerFact) and fact.seen_on not in (None, effective_on):
        fact = replace(fact, seen_on=effective_on)  # merged: said by a later row, true from the first
    return Staged(line, office, code, natural_key, folded_key, digest, fact, other_currency, is_open=is_open)


def _account_end(staged: Sequence[Staged], size: int) -> int:
    """Where to cut `staged`, longer than `size`: behind an account, else behind a day of one, else at `size`."""

    def account(each: Staged) -> tuple[object, ...]:
        return each.office_code, each.fact.account_number

    def day(each: Staged) -> tuple[object, ...]:
        return *account(each), each.effective_on

    for whole in (account, day):
        cut = size
        while cut and whole(staged[cut - 1]) == whole(staged[size]):
            cut -= 1
        if cut:
            return cut
    return size
