"""Facts on their way: repeats, conflicts, order, chunks, and what was imported before."""

from collections.abc import Iterator
from datetime import date
from itertools import pairwise
from pathlib import Path

import psycopg
import pytest

from adapters.billing.facts import CustomerFact
from adapters.billing.imported import Change, classify, record
from adapters.billing.profile import load_profile, parse_profile
from adapters.billing.readers import FileProblem
from adapters.billing.rows import RowProblem
from adapters.billing.source import ImportSource
from adapters.billing.staging import Staged, Staging
from adapters.postgres.database import Database
from tests.adapters.billing.files import HEADER, profile, written
from tests.adapters.billing.test_rows import PAYMENTS, SETTLED, SETTLED_HEADER


@pytest.fixture
def connection(database: Database) -> Iterator[psycopg.Connection]:
    with database.connect("arrears_app") as connection:
        yield connection


def staged(connection: psycopg.Connection, path: Path, rules=None) -> Staging:
    staging = Staging(connection, default_office="main")
    staging.load(ImportSource(path, rules or profile()))
    return staging


def file(folder: Path, *rows: str) -> Path:
    return written(folder, "\n".join([HEADER, *rows]) + "\n")


def everything(staging: Staging) -> list[Staged]:
    return [one for chunk in staging.by_account() for one in chunk]


def test_an_identical_repeat_is_counted_and_taken_once(connection, tmp_path):
    staging = Staging(connection, default_office="main")
    path = file(tmp_path, "A1,I1,1/2/2024,,10", "A1,I1,1/02/2024,,10.00", "A1,I2,1/2/2024,,10")
    loaded = staging.load(ImportSource(path, profile()))
    assert (loaded.rows, loaded.refused, loaded.repeats, loaded.facts) == (3, 0, 1, {"invoice": 2})
    assert (loaded.first_on, loaded.last_on) == (date(2024, 1, 2), date(2024, 1, 2))


def test_what_of_the_file_is_not_used_is_said_once_before_what_is_said_of_rows(connection, tmp_path):
    path = written(tmp_path, f"{HEADER},Note\n" + "".join(f"A1,I{n},1/3/2024,1/2/2024,1,x\n" for n in range(30)))
    loaded = Staging(connection, default_office="main").load(ImportSource(path, profile()))
    assert (loaded.noticed, len(loaded.notices)) == (31, 21)
    assert str(loaded.notices[0]) == "invoices.csv: columns that the profile does not map were not used: 'Note'"
    assert "line 2:" in str(loaded.notices[1])


def test_a_number_with_other_content_is_a_problem_that_names_both_lines(connection, tmp_path):
    path = file(tmp_path, "A1,I1,1/2/2024,,10", "A1,I2,1/2/2024,,10", "A2,I1,1/2/2024,,11")
    staging = staged(connection, path)
    assert list(staging.problems()) == [
        RowProblem(4, "", "I1", "another number, or what line 2 says: invoice I1 stands there with other content")
    ]
    assert [one.line for one in everything(staging)] == [2, 3]


def test_a_refused_duplicate_takes_its_settlement_along(connection, tmp_path):
    rows = "U,1,N,2020-02-01,1,1,2020-01-10,,USD,5,7\nU,1,N,2020-02-01,1,1,2020-01-11,,USD,5,7\n"
    staging = staged(connection, written(tmp_path, SETTLED_HEADER + rows), parse_profile(SETTLED))
    documents = [(one.line, one.fact.kind) for one in everything(staging) if one.fact.kind != "customer"]
    assert documents == [(2, "invoice"), (2, "payment")]
    assert [problem.line for problem in staging.problems()] == [3]


def test_two_payments_that_say_the_same_without_a_number_are_two(connection, tmp_path):
    path = written(tmp_path, PAYMENTS + "A1,,2024-01-02,10,USD,\n" * 3)
    keys = [one.natural_key for one in everything(staged(connection, path, load_profile("payments")))]
    assert keys == [keys[0], f"{keys[0]}#2", f"{keys[0]}#3"]


def test_a_customer_on_many_documents_is_the_latest_since_the_first(connection, tmp_path):
    rows = (
        "U,1,New name,,1,1,2020-03-01,,USD,5,1\nU,1,Old name,,1,1,2020-01-01,,USD,5,2\n"
        "U,1,Mid name,,1,1,2020-02-01,,USD,5,3\n"
    )
    staging = staged(connection, written(tmp_path, SETTLED_HEADER + rows), parse_profile(SETTLED))
    (customer,) = [one.fact for one in everything(staging) if isinstance(one.fact, CustomerFact)]
    assert (customer.name, customer.effective_on) == ("New name", date(2020, 1, 1))


def test_a_number_may_be_used_in_two_offices(connection, tmp_path):
    rows = "U1,1,N,,1,1,2020-01-10,,USD,5,7\nU2,1,N,,1,1,2020-01-11,,USD,6,7\n"
    staging = staged(connection, written(tmp_path, SETTLED_HEADER + rows), parse_profile(SETTLED))
    assert staging.refused() == 0
    assert [one.office for one in everything(staging) if one.fact.kind == "invoice"] == ["U1", "U2"]


def test_by_account_keeps_an_account_together_in_the_order_of_its_days(connection, tmp_path):
    rows = [f"A{n % 40:02},I{n},{n % 12 + 1}/{n % 28 + 1}/2024,,{n + 1}" for n in range(5_000)]
    rows += [f"BIG,B{n},1/2/2024,,1" for n in range(700)]
    staging = staged(connection, file(tmp_path, *rows))
    chunks = list(staging.by_account(size=300))
    assert all(len(chunk) <= 300 for chunk in chunks)
    found = [one for chunk in chunks for one in chunk]
    assert len(found) == 5_700
    order = [(one.fact.account_number, str(one.effective_on), one.line) for one in found]
    assert order == sorted(order)
    whole = [chunk for chunk in chunks if chunk[0].fact.account_number != "BIG"]
    for before, after in pairwise(whole):
        assert before[-1].fact.account_number != after[0].fact.account_number


def test_by_day_never_mixes_days_and_can_be_limited(connection, tmp_path):
    rows = [f"A{n % 7},I{n},1/{n % 28 + 1}/2024,,1" for n in range(3_000)]
    staging = staged(connection, file(tmp_path, *rows))
    chunks = list(staging.by_day(size=50))
    assert all(one.effective_on == day for day, chunk in chunks for one in chunk)
    days = [str(day) for day, _ in chunks]
    assert days == sorted(days)
    assert sum(len(chunk) for _, chunk in staging.by_day(size=50)) == 3_000
    some = list(staging.by_day(since=date(2024, 1, 5), until=date(2024, 1, 6)))
    assert {day for day, _ in some} == {date(2024, 1, 5), date(2024, 1, 6)}


def of_account(staged: Staged) -> str:
    return staged.fact.account_number


def test_what_was_imported_is_unchanged_and_what_differs_is_a_new_revision(connection, tmp_path):
    staging = staged(connection, file(tmp_path, "A1,I1,1/2/2024,,10", "A1,I2,1/2/2024,,20"))
    first = classify(connection, everything(staging))
    assert [(one.change, one.revision) for one in first] == [(Change.NEW, 1)] * 2
    record(connection, first, of_account)
    record(connection, first, of_account)

    staging = staged(connection, file(tmp_path, "A1,I1,1/2/2024,,10", "A2,I2,1/2/2024,,21", "A1,I3,1/2/2024,,1"))
    second = {one.staged.natural_key: one for one in classify(connection, everything(staging))}
    assert second["invoice:I1"].change is Change.UNCHANGED
    assert (second["invoice:I2"].change, second["invoice:I2"].revision) == (Change.CHANGED, 2)
    assert second["invoice:I2"].account_before == "A1"
    assert second["invoice:I3"].change is Change.NEW
    record(connection, list(second.values()), of_account)
    assert {one.change for one in classify(connection, everything(staging))} == {Change.UNCHANGED}


def test_a_file_that_cannot_be_read_to_its_end_leaves_nothing_staged(connection, tmp_path):
    path = written(tmp_path, f"{HEADER}\n".encode() + b"A1,I1,1/2/2024,,10\n" * 30_000 + b"\xff\n")
    staging = Staging(connection, default_office="main")
    with pytest.raises(FileProblem, match="line 30002"):
        staging.load(ImportSource(path, profile()))
    assert everything(staging) == []
    assert list(staging.problems()) == []


def test_staging_is_gone_with_its_connection(database, tmp_path):
    with database.connect("arrears_app") as connection:
        staged(connection, file(tmp_path, "A1,I1,1/2/2024,,10"))
    with database.connect() as connection:
        found = connection.execute("SELECT count(*) FROM pg_class WHERE relname LIKE 'import_staging%'").fetchone()
    assert found == (0,)


def test_refusals_that_come_later_are_problems_too(connection, tmp_path):
    staging = staged(connection, file(tmp_path, "A1,I1,1/2/2024,,10", "A1,I2,1/2/2024,,x"))
    staging.refuse([RowProblem(2, "Amount", "10", "the account's currency EUR")])
    assert [problem.line for problem in staging.problems()] == [2, 3]
    assert staging.refused() == 2
    staging.drop()
