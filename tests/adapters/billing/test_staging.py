"""Facts on their way: repeats, conflicts, order, chunks, and what was imported before."""

from collections.abc import Iterator
from datetime import date
from itertools import pairwise
from pathlib import Path

import psycopg
import pytest

from adapters.billing.facts import CustomerFact, SubscriptionFact
from adapters.billing.identity import AccountNumber, Digests
from adapters.billing.imported import Change, ImportedFacts
from adapters.billing.offices import office_code
from adapters.billing.profile import parse_profile
from adapters.billing.readers import FileProblem
from adapters.billing.rows import RowProblem
from adapters.billing.source import ImportSource
from adapters.billing.staged import Staged
from adapters.billing.staging import Staging
from adapters.postgres.database import Database
from tests.adapters.billing.files import HEADER, profile, written
from tests.adapters.billing.test_rows import SETTLED, SETTLED_HEADER


@pytest.fixture
def connection(database: Database) -> Iterator[psycopg.Connection]:
    with database.connect("arrears_app") as connection:
        yield connection


def imported(connection: psycopg.Connection) -> ImportedFacts:
    return ImportedFacts(connection, Digests(bytes(32)))


def empty(connection: psycopg.Connection) -> Staging:
    return Staging(
        connection,
        default_office="main",
        imported=imported(connection),
        code_of=office_code,
        currency_of_office=lambda _: "USD",
    )


def staged(connection: psycopg.Connection, path: Path, rules=None) -> Staging:
    staging = empty(connection)
    staging.load(ImportSource(path, rules or profile()))
    return staging


def file(folder: Path, *rows: str) -> Path:
    return written(folder, "\n".join([HEADER, *rows]) + "\n")


def everything(staging: Staging) -> list[Staged]:
    return [one for chunk in staging.by_account() for one in chunk]


def test_an_identical_repeat_is_counted_and_taken_once(connection, tmp_path):
    staging = empty(connection)
    path = file(tmp_path, "A1,I1,1/2/2024,,10", "A1,I1,1/02/2024,,10.00", "A1,I2,1/2/2024,,10")
    loaded = staging.load(ImportSource(path, profile()))
    assert (loaded.rows, loaded.refused, loaded.repeats, loaded.facts) == (3, 0, 1, {"invoice": 2})
    assert (loaded.first_on, loaded.last_on) == (date(2024, 1, 2), date(2024, 1, 2))


def test_what_of_the_file_is_not_used_is_said_once_before_what_is_said_of_rows(connection, tmp_path):
    path = written(tmp_path, f"{HEADER},Note\n" + "".join(f"A1,I{n},1/3/2024,1/2/2024,1,x\n" for n in range(30)))
    loaded = empty(connection).load(ImportSource(path, profile()))
    assert (loaded.noticed, len(loaded.notices)) == (31, 21)
    assert str(loaded.notices[0]) == "invoices.csv: columns that the profile does not map were not used: 'Note'"
    assert "line 2:" in str(loaded.notices[1])


def test_a_number_with_other_content_is_a_problem_that_names_both_lines(connection, tmp_path):
    rows = ("A1,I1,1/2/2024,,10", "A1,I2,1/2/2024,,10", "A1,I1,1/2/2024,,11", "A2,I2,1/2/2024,,10")
    staging = staged(connection, file(tmp_path, *rows))
    own = '; where each account numbers its own, the profile says so: [numbering] scope = "per-account"'
    assert list(staging.problems()) == [
        RowProblem(4, "", "I1", "another number, or what line 2 says: invoice I1 stands there with other content"),
        RowProblem(
            5, "", "I2", f"another number, or what line 3 says: invoice I2 stands there with other content{own}"
        ),
    ]
    assert [one.line for one in everything(staging)] == [2, 3]


def test_a_refused_duplicate_takes_its_settlement_along(connection, tmp_path):
    rows = "U,1,N,2020-02-01,1,1,2020-01-10,,USD,5,7\nU,1,N,2020-02-01,1,1,2020-01-11,,USD,5,7\n"
    staging = staged(connection, written(tmp_path, SETTLED_HEADER + rows), parse_profile(SETTLED))
    documents = [(one.line, one.fact.kind) for one in everything(staging) if one.fact.kind != "customer"]
    assert documents == [(2, "invoice"), (2, "payment")]
    assert [problem.line for problem in staging.problems()] == [3]


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


def test_what_was_imported_is_unchanged_and_what_differs_is_a_new_revision(connection, tmp_path):
    staging = staged(connection, file(tmp_path, "A1,I1,1/2/2024,,10", "A1,I2,1/2/2024,,20"))
    first = imported(connection).classify(everything(staging))
    assert [(one.change, one.revision) for one in first] == [(Change.NEW, 1)] * 2
    imported(connection).record(first)
    imported(connection).record(first)

    staging = staged(connection, file(tmp_path, "A1,I1,1/2/2024,,10", "A2,I2,1/2/2024,,21", "A1,I3,1/2/2024,,1"))
    second = {one.staged.natural_key: one for one in imported(connection).classify(everything(staging))}
    assert second["invoice:I1"].change is Change.UNCHANGED
    assert (second["invoice:I2"].change, second["invoice:I2"].revision) == (Change.CHANGED, 2)
    assert second["invoice:I2"].account_before == AccountNumber("A1")
    assert second["invoice:I3"].change is Change.NEW
    imported(connection).record(list(second.values()))
    assert {one.change for one in imported(connection).classify(everything(staging))} == {Change.UNCHANGED}


def test_a_file_that_cannot_be_read_to_its_end_leaves_nothing_staged(connection, tmp_path):
    path = written(tmp_path, f"{HEADER}\n".encode() + b"A1,I1,1/2/2024,,10\n" * 30_000 + b"\xff\n")
    staging = empty(connection)
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


TWO_SUBSCRIPTIONS = """
pad = { subscription_number = 3 }
[[subscriptions]]
number = "S1"
service_type = "T1"
[[subscriptions]]
number = "S2"
service_type = "T2"
"""


def test_a_subscription_that_stands_twice_in_a_row_is_one_and_says_one_thing(connection, tmp_path):
    rules = f'kind = "customers"\n{TWO_SUBSCRIPTIONS}[columns]\naccount_number = "A"\n'
    path = written(tmp_path, "A,S1,T1,S2,T2\n1,1,dsl,001,DSL\n2,7,dsl,8,tv\n3,9,dsl,9,tv\n")
    staging = staged(connection, path, parse_profile(rules, "t.toml", name="t"))
    keys = [(each.line, each.natural_key) for each in everything(staging)]
    assert [key for key in keys if key[1].startswith("subscription")] == [
        (2, "subscription:001"), (3, "subscription:007"), (3, "subscription:008"),
    ]  # fmt: skip
    expected = "another number: subscription 009 stands in this row with other content"
    assert list(staging.problems()) == [RowProblem(4, "S2", "009", expected)]


def test_an_invoice_is_taken_with_the_first_of_what_its_row_says_of_a_subscription(connection, tmp_path):
    rules = parse_profile(
        f'kind = "invoices"\n{TWO_SUBSCRIPTIONS}[columns]\naccount_number = "A"\ninvoice_number = "I"\n'
        'issued_on = "D"\namount = "M"\n[defaults]\ncurrency = "USD"\n', "t.toml", name="t",
    )  # fmt: skip
    path = written(tmp_path, "A,I,D,M,S1,T1,S2,T2\n1,I1,2024-01-02,10.00,9,dsl,9,tv\n")
    staging = empty(connection)
    loaded = staging.load(ImportSource(path, rules))
    assert (loaded.refused, loaded.facts) == (0, {"invoice": 1, "subscription": 1})
    [subscription] = [each.fact for each in everything(staging) if isinstance(each.fact, SubscriptionFact)]
    assert subscription.service_type == "dsl"
    assert "subscription 009 stands in this row with other content" in str(loaded.notices[0])
