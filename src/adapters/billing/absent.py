"""Complete files: what earlier files of the same source and office said, and this one does not, is listed; what of it
somebody confirms is taken back.

What the file says is a temporary table of keys, and what it does not say is a difference of tables, made by PostgreSQL:
memory is bounded, and the work is that of the source's own facts in the file's offices.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import psycopg
from psycopg import sql

from adapters.billing.facts import PaymentFact
from adapters.billing.identity import folded, key_in_form
from adapters.billing.imported import Change
from adapters.billing.importer import (
    ACTOR,
    CHUNK,
    PROBLEMS_SHOWN,
    Importer,
    ImportRefused,
    ImportReport,
    OfficeDefaults,
)
from adapters.billing.profile import Complete
from adapters.billing.source import ImportSource
from adapters.billing.staged import Key, Staged
from adapters.billing.taking_back import MOST_PERCENT, RANK, STANDING, Absent, Standing
from adapters.eventstore.application import AggregateNotFoundError, Arrears
from adapters.stop import Stop, cancelled_on, check
from aggregates.account import Account
from aggregates.account.allocation import SettleAllocation
from aggregates.account.command import document_id, invoice_document
from aggregates.kernel.command import Issued, Rejected, identifier
from aggregates.office import Office, office_id
from aggregates.values.money import Money

_TABLES = """
DROP TABLE IF EXISTS pg_temp.import_seen, pg_temp.import_absent;
CREATE TEMPORARY TABLE import_seen (office text NOT NULL, natural_key text NOT NULL);
CREATE TEMPORARY TABLE import_absent (
    office text NOT NULL, office_code text NOT NULL, natural_key text NOT NULL, folded_key text NOT NULL,
    account_number text NOT NULL, account_id uuid, revision integer NOT NULL, said_on date, minor bigint, currency text,
    due_on date, payment_number bytea, source text, said_in text, other_currency text, as_of date NOT NULL, place bigint
);
"""
_SEE = "INSERT INTO import_seen SELECT * FROM unnest(%s::text[], %s::text[])"
_SEEN = ("CREATE INDEX ON import_seen (natural_key, office)", "ANALYZE import_seen")

# What a complete file of a day has to have, or it is absent. A settlement is expected as its invoice is.
_WITHDRAWN = """
SELECT {columns} FROM {facts} AS known
 WHERE office_code = %(office_code)s AND source = %(source)s AND said_in = %(said_in)s AND NOT withdrawn
   AND NOT starts_with(natural_key, 'customer:') AND NOT starts_with(natural_key, 'subscription:')
   AND minor IS DISTINCT FROM 0
   AND coalesce((SELECT invoice.said_on FROM {facts} AS invoice
                  WHERE invoice.office = known.office
                    AND invoice.natural_key = CASE
                        WHEN starts_with(known.natural_key, 'settlement:')
                        THEN 'invoice:' || substr(known.natural_key, 12)
                        WHEN starts_with(known.natural_key, 'settled-instalment:')
                        THEN 'instalment:' || substr(known.natural_key, 20) END), said_on) <= %(as_of)s
"""
_NOT_SETTLED = """
SELECT {columns} FROM {facts} AS known
 WHERE office_code = %(office_code)s AND source = %(source)s AND said_in = %(said_in)s AND NOT withdrawn
   AND (starts_with(natural_key, 'invoice:') OR starts_with(natural_key, 'instalment:'))
   AND minor > 0 AND said_on <= %(as_of)s
   AND NOT EXISTS (SELECT FROM {facts} AS settled
                    WHERE settled.office_code = known.office_code AND NOT settled.withdrawn
                      AND settled.folded_key = CASE
                          WHEN starts_with(known.natural_key, 'invoice:')
                          THEN 'settlement:' || substr(known.folded_key, 9)
                          ELSE 'settled-instalment:' || substr(known.folded_key, 12) END)
"""
_KNOWN = "SELECT count(*) FROM ({expected}) AS expected"
_LIST = """
INSERT INTO import_absent
SELECT expected.*, %(as_of)s FROM ({expected}) AS expected
 WHERE NOT EXISTS (SELECT FROM import_seen AS seen
                    WHERE seen.office = expected.office AND seen.natural_key = expected.natural_key)
"""
_ORDER = """
UPDATE import_absent AS absent SET place = ordered.place
  FROM (SELECT ctid AS row, row_number() OVER (ORDER BY office_code, account_number, natural_key) AS place
          FROM import_absent) AS ordered
 WHERE absent.ctid = ordered.row
"""
_PAGE = "SELECT {columns}, as_of, place FROM import_absent WHERE place > %s ORDER BY place LIMIT %s"
_IS_OPEN = """
UPDATE import_absent AS absent SET minor = found.minor
  FROM unnest(%s::bigint[], %s::bigint[]) AS found (place, minor) WHERE absent.place = found.place
"""
_DELETE = "DELETE FROM import_absent WHERE place = ANY (%s)"
_SUMS = "SELECT currency, count(*), sum(minor)::bigint FROM import_absent GROUP BY currency ORDER BY currency"
_BY_OFFICE = "SELECT office_code, count(*) FROM import_absent GROUP BY office_code ORDER BY office_code"
_WHAT_IS_LISTED = (
    'SELECT office, natural_key, revision, as_of FROM import_absent ORDER BY office, natural_key COLLATE "C"'
)

_LAST = """
SELECT as_of, taken_back FROM arrears.import_complete_files
 WHERE office_code = %s AND source = %s AND said_in = %s
"""
_CAME = """
INSERT INTO arrears.import_complete_files AS last (office_code, source, said_in, as_of) VALUES (%s, %s, %s, %s)
    ON CONFLICT (office_code, source, said_in) DO UPDATE SET as_of = greatest(last.as_of, excluded.as_of)
"""
_DONE = """
UPDATE arrears.import_complete_files SET taken_back = %s
 WHERE office_code = ANY (%s) AND source = %s AND said_in = %s
"""
_IS_CONFIRMED = "SELECT EXISTS (SELECT FROM arrears.import_take_backs WHERE token = %s)"
_UNCONFIRM = "DELETE FROM arrears.import_take_backs WHERE token = %s"
_CONFIRM = """
INSERT INTO arrears.import_take_backs (token, place, office, natural_key, revision, minor, as_of)
SELECT %s, row_number() OVER (ORDER BY office_code, account_number, rank DESC, natural_key), office, natural_key,
       revision, minor, as_of
  FROM import_absent
 CROSS JOIN LATERAL (SELECT {rank}) AS ranked (rank)
"""
_NEXT = """
SELECT place, was, wanted, as_of,
       withdrawn OR EXISTS (SELECT FROM import_seen WHERE (import_seen.natural_key, import_seen.office)
                                                        = (of_key, of_office)) AS is_news,
       {columns}
  FROM (SELECT place, office AS of_office, natural_key AS of_key, revision AS was, minor AS wanted, as_of
          FROM arrears.import_take_backs WHERE token = %s ORDER BY place LIMIT %s) AS listed
  JOIN arrears.import_facts AS known ON (known.office, known.natural_key) = (of_office, of_key)
 ORDER BY place
"""
_TAKEN = "DELETE FROM arrears.import_take_backs WHERE token = %s AND place = ANY (%s)"


class _Listed(NamedTuple):
    """A row of a confirmed list, and the fact as it is known now."""

    place: int
    revision: int
    minor: int | None
    as_of: date
    is_news: bool
    """Whether the file at hand says it, or it was taken back already."""
    known: Standing


@dataclass(frozen=True, slots=True)
class CompleteOptions:
    """What is said of a complete file besides its profile."""

    as_of: date | None = None
    """The file's day; None: today in each office."""
    take_back: str | None = None
    """The token of a list that somebody confirms."""
    force: bool = False
    """Also where much is absent, rows were refused, or a later file came before."""

    def of(self, source: ImportSource, defaults: OfficeDefaults, stop: Stop | None) -> "CompleteFile | None":
        """None where the file is not complete. Raises ImportRefused where something is said of it then."""
        why = None
        if source.profile.complete is None:
            why = f'profile {source.profile.name} is of no complete files; expected complete = "…" in it'
        elif source.table.is_rejects:
            why = "a reject file is a part of another one"
        if why is None:
            return CompleteFile(source, defaults, self, stop)
        if self != NOTHING_SAID:
            raise ImportRefused(f"--as-of, --take-back and --force are for complete files; {why}")
        return None


NOTHING_SAID = CompleteOptions()


class CompleteFile:
    """One complete file on its way in: what it says is seen, and what it does not say is dealt with at its end."""

    def __init__(
        self,
        source: ImportSource,
        defaults: OfficeDefaults,
        options: CompleteOptions,
        stop: Stop | None,
    ) -> None:
        self._source, self._defaults, self._stop = source, defaults, stop or Stop()
        self._settles = source.profile.complete is Complete.SETTLED
        self._asked_as_of, self._token, self._force = options.as_of, options.take_back, options.force
        self._days: dict[str, date] = {}

    # --- before ---

    def begin(self, importer: Importer) -> None:
        """Raises ImportRefused where the file's day cannot be, or a later file of the source came before."""
        connection, origin = importer.staging.connection, self._source.origin
        with connection.transaction():
            connection.execute(_TABLES)
        for code in self._offices(importer):
            today = self._today(importer.arrears, code)
            day = self._asked_as_of or today
            if day > today:
                raise ImportRefused(f"--as-of {day}: expected {today} or earlier, today in office {code}")
            last = self._last(connection, code)
            if last is not None and day < last and not self._force:
                raise ImportRefused(
                    f"a complete file of {last} from {origin.source} was imported for office {code}; this one is of"
                    f" {day} (--force brings it in all the same)"
                )
            self._days[code] = day

        def see(keys: Iterable[Key]) -> None:
            columns = [list(column) for column in zip(*keys, strict=True)]
            with connection.transaction():
                connection.execute(_SEE, columns or [[], []])

        importer.seen = see

    def _offices(self, importer: Importer) -> list[str]:
        """Those that the file names; where it has no row, the one that its rows would be of."""
        named = sorted(importer.staging.offices())
        if named or "office" in self._source.profile.columns:
            return named
        return [importer.staging.code_of(self._source.profile.defaults.get("office", self._defaults.code))]

    def _today(self, arrears: Arrears, code: str) -> date:
        try:
            zone = arrears.load(Office, office_id(code)).zone
        except AggregateNotFoundError:
            zone = ZoneInfo(self._defaults.zone)
        return arrears.clock.now().astimezone(zone).date()

    def _last(self, connection: psycopg.Connection, code: str) -> date | None:
        with connection.transaction():
            row = connection.execute(_LAST, [code, *self._of_source]).fetchone()
        return None if row is None else row[0]

    @property
    def _of_source(self) -> tuple[str, str]:
        return self._source.origin.source, self._source.origin.said_in

    # --- what is absent ---

    def finish(self, importer: Importer, report: ImportReport) -> None:
        """Lists what is absent, into the report, and takes it back where that was confirmed. Raises Stopped."""
        connection = importer.staging.connection
        with connection.transaction(), cancelled_on(self._stop, connection):
            for statement in _SEEN:
                connection.execute(statement)
            known = self._list(importer)
            connection.execute(_ORDER)
        if self._settles:
            self._keep_what_is_open(importer)
        absent = report.absent = self._counted(connection)
        too_many = self._too_many(connection, known)
        absent.too_many, absent.rows_refused = too_many, report.refused
        if not importer.stores:
            return
        with connection.transaction():
            for code, day in self._days.items():
                connection.execute(_CAME, [code, *self._of_source, day])
        if self._token is not None:
            self._take_back(importer, absent, self._token)

    def _list(self, importer: Importer) -> dict[str, int]:
        """Fills the table of what is absent. How much is known in each office."""
        connection = importer.staging.connection
        parts = {"facts": importer.staging.imported.table, "columns": STANDING}
        expected = sql.SQL(_NOT_SETTLED if self._settles else _WITHDRAWN).format(**parts)
        known: dict[str, int] = {}
        for code, day in self._days.items():
            source, said_in = self._of_source
            asked = {"office_code": code, "source": source, "said_in": said_in, "as_of": day}
            row = connection.execute(sql.SQL(_KNOWN).format(expected=expected), asked).fetchone()
            known[code] = row[0] if row else 0
            connection.execute(sql.SQL(_LIST).format(expected=expected), asked)
        return known

    def _too_many(self, connection: psycopg.Connection, known: dict[str, int]) -> str | None:
        """In which offices much is absent; None where it is in none."""
        with connection.transaction():
            rows = connection.execute(_BY_OFFICE).fetchall()
        much = [(code, count) for code, count in rows if count * 100 > known[code] * MOST_PERCENT]
        return ", ".join(f"{count:,} of {known[code]:,} of office {code}" for code, count in much) or None

    def _keep_what_is_open(self, importer: Importer) -> None:
        """Only what is open of an invoice can be settled still. One of which nothing is open is remembered as settled,
        with nothing paid, so that it is not looked at again."""
        for page in self._pages(importer.staging.connection):
            open_now = _open(importer.arrears, [known for known, _, _ in page])
            still = [(place, minor) for (_, _, place), minor in zip(page, open_now, strict=True) if minor]
            paid = [(known, day) for (known, day, _), minor in zip(page, open_now, strict=True) if minor == 0]
            gone = [place for (_, _, place), minor in zip(page, open_now, strict=True) if not minor]
            if paid:
                importer.remember(importer.classified([_settled(importer, known, day, 0) for known, day in paid]))
            with importer.staging.connection.transaction():
                columns = [list(column) for column in zip(*still, strict=True)] or [[], []]
                importer.staging.connection.execute(_IS_OPEN, columns)
                importer.staging.connection.execute(_DELETE, [gone])

    def _pages(self, connection: psycopg.Connection) -> Iterator[list[tuple[Standing, date, int]]]:
        place = 0
        query = sql.SQL(_PAGE).format(columns=STANDING)
        while True:
            check(self._stop)
            with connection.transaction():
                rows = connection.execute(query, [place, CHUNK]).fetchall()
            if not rows:
                return
            yield [(Standing(*row[:-2]), row[-2], row[-1]) for row in rows]
            place = rows[-1][-1]

    def _counted(self, connection: psycopg.Connection) -> Absent:
        absent = Absent(is_settled=self._settles)
        with connection.transaction():
            for currency, count, minor in connection.execute(_SUMS):
                absent.count += count
                if currency is not None:
                    absent.sums[currency] = Money(minor, currency)
            query = sql.SQL(_PAGE).format(columns=STANDING)
            shown = connection.execute(query, [0, PROBLEMS_SHOWN]).fetchall()
        absent.rows = [Standing(*row[:-2]) for row in shown]
        absent.token = self._token_of(connection) if absent.count else None
        return absent

    def _token_of(self, connection: psycopg.Connection) -> str:
        """The same for the same list, whatever made it; what is to be settled is settled on a day."""
        digest = hashlib.sha256()
        with connection.transaction(), connection.cursor("import_absent_token") as cursor:
            cursor.itersize = CHUNK
            for *row, day in cursor.execute(_WHAT_IS_LISTED):
                digest.update("\0".join([*map(str, row), str(day) if self._settles else "", ""]).encode())
        return self._mark + digest.hexdigest()[:11]

    @property
    def _mark(self) -> str:
        """What tokens begin with: a list is taken back as it was confirmed to be."""
        return "5" if self._settles else "0"

    # --- taking it back ---

    def _take_back(self, importer: Importer, absent: Absent, token: str) -> None:
        connection = importer.staging.connection
        is_new = token == absent.token
        is_begun = not is_new and token.startswith(self._mark) and self._is_begun(connection, token)
        if not is_new and not is_begun:
            if self._is_done(connection, token):
                return
            absent.refusal = f"--take-back {token} is no list that holds now; nothing was taken back"
            return
        if is_begun:
            absent.too_many = None  # somebody insisted when the list was whole, or there was no need
        if absent.doubts and not self._force:
            absent.refusal = f"nothing was taken back without --force: {'; '.join(absent.doubts)}"
            return
        if is_new:
            with connection.transaction():
                connection.execute(_UNCONFIRM, [token])
                connection.execute(sql.SQL(_CONFIRM).format(rank=RANK), [token])
        while rows := self._next(connection, token):
            check(self._stop)
            done = self._settle(importer, absent, rows) if self._settles else self._withdraw(importer, absent, rows)
            with connection.transaction():
                importer.taking_back.forget(done, connection)
                connection.execute(_TAKEN, [token, [row.place for row in rows]])
        with connection.transaction():
            connection.execute(_DONE, [token, list(self._days), *self._of_source])

    def _is_begun(self, connection: psycopg.Connection, token: str) -> bool:
        with connection.transaction():
            row = connection.execute(_IS_CONFIRMED, [token]).fetchone()
        return bool(row and row[0])

    def _is_done(self, connection: psycopg.Connection, token: str) -> bool:
        with connection.transaction():
            rows = [connection.execute(_LAST, [code, *self._of_source]).fetchone() for code in self._days]
        return any(row is not None and row[1] == token for row in rows)

    def _next(self, connection: psycopg.Connection, token: str) -> list[_Listed]:
        with connection.transaction():
            rows = connection.execute(sql.SQL(_NEXT).format(columns=STANDING), [token, CHUNK]).fetchall()
        return [_Listed(*(*row[:5], Standing(*row[5:]))) for row in rows]

    def _as_listed(self, absent: Absent, rows: Sequence[_Listed]) -> list[_Listed]:
        """Those that are as they were when somebody confirmed the list; the others are left, and named."""
        found = []
        for row in rows:
            if row.is_news or row.known.revision != row.revision or not row.known.is_of(self._source.origin):
                absent.leave(row.known, "it was said again, or changed, since the list was made")
            else:
                found.append(row)
        return found

    def _withdraw(self, importer: Importer, absent: Absent, rows: Sequence[_Listed]) -> list[Standing]:
        there = [row.known for row in self._as_listed(absent, rows)]
        reason = f"not in the complete file from {self._source.origin.source}"
        done = []
        for known, outcome in zip(there, importer.taking_back.take_back(there, reason), strict=True):
            if isinstance(outcome, Rejected):
                absent.leave(known, outcome.detail)
            else:
                done.append(known)
        absent.taken_back += len(done)
        return done

    def _settle(self, importer: Importer, absent: Absent, rows: Sequence[_Listed]) -> list[Standing]:
        """Pays what is open of these. Nothing of what files said is taken back for that."""
        there = self._as_listed(absent, rows)
        open_now = _open(importer.arrears, [row.known for row in there])
        staged = [_settled(importer, row.known, row.as_of, row.minor or 0) for row in there]
        todo = []
        for row, minor, each in zip(there, open_now, importer.classified(staged), strict=True):
            if each.change is Change.UNCHANGED:
                absent.taken_back += 1  # by a run that died before it could say so
            elif minor != row.minor:
                absent.leave(row.known, "another amount is open by now")
            else:
                todo.append((row.known, each))
        news = [each for _, each in todo]
        referred = importer.staging.imported.referred([each.staged for each in news])
        accepted = []
        for (known, each), outcome in zip(todo, importer.carried_out(news, referred), strict=True):
            if isinstance(outcome, str):
                absent.leave(known, outcome)
            else:
                accepted.append(each)
        importer.remember(accepted)
        absent.taken_back += len(accepted)
        return []


def _settled(importer: Importer, known: Standing, day: date, minor: int) -> Staged:
    """That an invoice, or an instalment, was settled on a day: what an earlier row of it would have said."""
    number, further = known.invoice
    is_plan = further is not None or bool(
        importer.staging.imported.further_instalments([(known.office_code, known.folded_key)])
    )
    fact = PaymentFact(
        account_number=known.account_number,
        received_on=day,
        amount=Money(minor, known.currency or ""),
        invoice_number=number,
        settlement=True,
        instalment=further,
        settled_due=(further or known.due_on) if is_plan else None,
    )
    key = key_in_form(known.natural_key, fact)
    digest = importer.staging.imported.digests.of(fact.content_digest)
    return Staged(0, known.office, known.office_code, key, folded(key), digest, fact, known.account.other_currency)


def _open(arrears: Arrears, invoices: Sequence[Standing]) -> list[int | None]:
    """What is open of each, in minor units; None where it waits for its day."""
    accounts = _settled_accounts(arrears, {known.account_id for known in invoices if known.account_id is not None})
    found: list[int | None] = []
    for known in invoices:
        account = accounts.get(known.account_id) if known.account_id is not None else None
        if account is None or account.billing.waits_for_its_day(known.number):
            found.append(None)
            continue
        item = account.receivables.items.get(document_id(account.id, *invoice_document(*known.invoice)))
        found.append(0 if item is None else item.open.minor)
    return found


def _settled_accounts(arrears: Arrears, ids: Iterable[UUID]) -> dict[UUID, Account]:
    """The accounts, with all money where it belongs: what the file itself brought in may have moved it."""
    found = {account.id: account for account in arrears.load_many(Account, list(ids))}
    while due := [account for account in found.values() if account.allocation.due_from is not None]:
        arrears.handle(
            [
                Issued(
                    command=SettleAllocation(account_id=account.id),
                    command_id=identifier("import", "settle-allocation", account.id, account.version),
                    actor=ACTOR,
                )
                for account in due
            ]
        )
        again = {account.id: account for account in arrears.load_many(Account, [account.id for account in due])}
        if all(again[account.id].version == account.version for account in due):
            break
        found |= again
    return found
