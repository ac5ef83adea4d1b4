"""How reports are asked: over read tables, with the scheme of the office, for today where no day is named."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Protocol, TypeVar
from uuid import UUID

from fastapi import Depends, Query, Request

from adapters.eventstore.application import AggregateNotFoundError
from adapters.postgres.database import Connection, Pool
from adapters.postgres.errors import ValueNotTaken
from adapters.postgres.waiting import for_whoever_waits
from aggregates.office import Office, office_id
from aggregates.values.aging import BucketScheme
from aggregates.values.codes import Code
from aggregates.values.money import Currency
from api.application.offices import scheme_of, today_in
from api.http.paging import NamedPage, Page, unwrap_cursor, wrap_cursor
from api.http.problems import FieldProblem, Problem, documented, unknown
from api.http.shapes import Day
from api.processes.service import Service
from projections.opening import Opens
from projections.questions import (
    NoOffice,
    ReportRefused,
    SeveralCurrencies,
    UnknownAccount,
    office_and_currency_of,
    office_ids,
)
from projections.questions.names import Names
from projections.questions.scope import currencies_of

AS_ASKED = documented(404, 409)

AsOf = Annotated[Day | None, Query(description="The end of this day, by effective date; today where not given.")]
KnownOn = Annotated[Day | None, Query(description="Only what was recorded by the end of this day.")]
OfficeOf = Annotated[Code | None, Query(description="An office's code; all offices where not given.")]
CurrencyOf = Annotated[Currency | None, Query(description="Needed where accounts have several.")]


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose accounts a report is about."""

    office: str | None
    currency: str | None


async def of_report(
    office: OfficeOf = None,
    currency: CurrencyOf = None,
) -> Scope:
    """Office and currency of a report."""
    return Scope(office, currency)


OfReport = Annotated[Scope, Depends(of_report)]


class Question(tuple[object, ...]):
    """What was asked; a cursor belongs to it."""

    __slots__ = ()

    def __new__(cls, *parts: object) -> "Question":
        return super().__new__(cls, parts)


Row_co = TypeVar("Row_co", covariant=True)


class Report(Protocol[Row_co]):
    """What the reports answer with."""

    @property
    def rows(self) -> Sequence[Row_co]: ...

    @property
    def next_cursor(self) -> str | None: ...


class NamedReport(Report[Row_co], Protocol[Row_co]):
    """What reports with customers' names answer with."""

    @property
    def names(self) -> Names: ...


ReportRow = TypeVar("ReportRow")
AnyReport = TypeVar("AnyReport", bound=Report[Any])


@dataclass(frozen=True, slots=True)
class Reader:
    """Asks reports; turns what they refuse into problems."""

    service: Service
    pool: Pool

    @property
    def log(self) -> Opens:
        """Opens the events whose text is personal."""
        return self.service.feed

    @contextmanager
    def connection(self, *, with_cursor: bool = False) -> Iterator[Connection]:
        """A connection for reading. Raises a Problem for what a report refuses, NobodyWaits where who asked has
        left."""
        try:
            with self.pool.connection() as connection, for_whoever_waits(connection):
                connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
                yield connection
        except NoOffice as refusal:
            raise Problem(409, "refused", str(refusal), reason_code="no-office") from None
        except UnknownAccount:
            raise unknown("account") from None
        except ReportRefused as refusal:
            field, colon, expected = str(refusal).partition(": ")
            if not colon:
                raise Problem(422, "validation", str(refusal)) from None
            several = {"currencies": refusal.currencies} if isinstance(refusal, SeveralCurrencies) else {}
            raise FieldProblem(field, expected, **several) from None
        except ValueNotTaken:
            if not with_cursor:
                raise
            raise FieldProblem("cursor", "expected what `next` of the page before said") from None

    def page(
        self,
        question: Question,
        ask: Callable[[Connection, str | None], Report[ReportRow]],
        cursor: str | None,
    ) -> Page[ReportRow]:
        report, following = self.report(question, ask, cursor)
        return Page(items=list(report.rows), next=following)

    def report(
        self, question: Question, ask: Callable[[Connection, str | None], AnyReport], cursor: str | None
    ) -> tuple[AnyReport, str | None]:
        """What a report answers for a page, and the cursor of the page after it."""
        inner = unwrap_cursor(question, cursor)
        with self.connection(with_cursor=cursor is not None) as connection:
            report = ask(connection, inner)
        return report, wrap_cursor(question, report.next_cursor)

    def named_page(
        self,
        question: Question,
        ask: Callable[[Connection, str | None], NamedReport[ReportRow]],
        cursor: str | None,
    ) -> NamedPage[ReportRow]:
        """The same where rows have customers' names."""
        report, following = self.report(question, ask, cursor)
        return NamedPage(items=list(report.rows), next=following, names=report.names)

    # --- offices ---

    def offices(self) -> list[Office]:
        """Every office with its settings, by code."""
        with self.connection() as connection:
            found = office_ids(connection)
        return [self.service.arrears.load(Office, each) for each in found]

    def currencies(self, code: str | None) -> list[str]:
        """In which the accounts are of the office with this code, or of all."""
        with self.connection() as connection:
            return currencies_of(connection, office_id(code) if code is not None else None)

    def office(self, code: str) -> Office:
        """Raises a Problem where there is none."""
        try:
            return self.service.arrears.load(Office, office_id(code))
        except AggregateNotFoundError:
            raise unknown("office") from None

    def offices_named(self, code: str | None) -> list[Office]:
        """The one with this code, or all."""
        return self.offices() if code is None else [self.office(code)]

    def scheme(self, code: str | None) -> BucketScheme:
        """The buckets of the office with this code, or of all."""
        return scheme_of(self.offices_named(code))

    def today(self, code: str | None) -> date:
        """The local day in the office with this code, or in all."""
        return today_in(self.offices_named(code), self.service.clock.now())

    def office_and_currency_of(self, account_id: UUID) -> tuple[str, str]:
        """Raises a Problem where the account is not known, or not read yet."""
        with self.connection() as connection:
            return office_and_currency_of(connection, account_id)


async def reader(request: Request) -> Reader:
    """The app's reader."""
    found: Reader = request.app.state.reader
    return found


Readings = Annotated[Reader, Depends(reader)]
