"""Whatever files come in whatever order and form: what is owed on any day is what the billing system's books say."""

from datetime import UTC, date, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from adapters.billing import absent, importer
from adapters.billing.absent import CompleteOptions
from adapters.billing.importer import OfficeDefaults
from adapters.clock import ManualClock
from aggregates.account import Account
from aggregates.account.command import account_id
from aggregates.office import office_id
from api.application.dry_run import dry_run
from api.processes.step_by_step import StepByStep
from tests.flow.billing_books import (
    CREDITS,
    INVOICES,
    LEDGER,
    PAYMENTS,
    REVERSALS,
    Books,
    Document,
    Layout,
    Line,
    changed,
    repeated,
)
from tests.flow.conftest import AService
from tests.flow.test_dry_run import said

NOW = ManualClock(datetime(2026, 11, 28, 12, tzinfo=UTC))
FIRST, NOW_ON = date(2026, 1, 1), date(2026, 11, 28)
DAYS = st.integers(0, 12).map(lambda n: FIRST + timedelta(n * 25))
ACCOUNTS = ("A1", "Ä 2")
ROUNDS = 8
"""At most, until each kind of change was seen."""
AMOUNTS = st.integers(1, 4).map(lambda n: n * 1_000_50)
LAYOUTS = st.builds(
    Layout,
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "cp1252", "utf-16"]),
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
    decimal=st.sampled_from([".", ","]),
    dates=st.sampled_from(["%Y-%m-%d", "%d.%m.%Y", "%m/%d/%Y"]),
    is_workbook=st.booleans(),
    is_typed=st.booleans(),
)


def plan_of(account: str) -> str:
    """The number of an invoice that is owed in instalments."""
    return f"{account}-plan"


@st.composite
def documents(draw: st.DrawFn, kind: str) -> Document:
    account = draw(st.sampled_from(ACCOUNTS))
    number, day = f"{account}-{draw(st.integers(0, 3))}", draw(DAYS)
    if kind == INVOICES:
        minor = draw(st.one_of(AMOUNTS, AMOUNTS, AMOUNTS, st.just(0)))
        return Document(kind, account, number, day, minor, draw(DAYS))
    names = st.sampled_from([*(f"{account}-{n}" for n in range(6)), plan_of(account), f"{plan_of(account)}/{FIRST}"])
    if kind == PAYMENTS and draw(st.booleans()):
        several = draw(st.lists(names, min_size=2, max_size=3, unique=True))
        if draw(st.booleans()):
            return Document(kind, account, number, day, draw(AMOUNTS), ", ".join(several))
        parts = tuple((name, draw(AMOUNTS)) for name in several)
        return Document(kind, account, number, day, sum(minor for _, minor in parts), parts)
    return Document(kind, account, number, day, draw(AMOUNTS), draw(st.none() | names))


@st.composite
def lines(draw: st.DrawFn) -> Line:
    account = draw(st.sampled_from(ACCOUNTS))
    day, minor = draw(DAYS), draw(AMOUNTS) * draw(st.sampled_from([1, 1, -1]))
    settled = draw(st.none() | DAYS) if minor > 0 else None
    return Line(account, f"{account}-L{draw(st.integers(0, 3))}", day, draw(DAYS), minor, settled)


LEDGERS = st.lists(lines(), max_size=6, unique_by=lambda each: each.number)
FILES = st.sampled_from([INVOICES, INVOICES, PAYMENTS, PAYMENTS, CREDITS]).flatmap(
    lambda kind: st.lists(documents(kind), min_size=2, max_size=8, unique_by=lambda each: each.key)
)


class Imports(RuleBasedStateMachine):
    """Each example has an office of its own in one database."""

    service: ClassVar[StepByStep]
    folder: ClassVar[Path]
    seen: ClassVar[dict[str, int]]
    offices: "ClassVar[count[int]]" = count()

    def __init__(self) -> None:
        super().__init__()
        self.books = Books()
        self.office = f"office-{next(self.offices)}"
        self.complete = "withdrawn"
        self.settled_with_nothing: set[str] = set()
        self.defaults = OfficeDefaults(code=self.office, currency="USD", time_zone="UTC")

    @initialize(complete=st.sampled_from(["withdrawn", "settled"]))
    def what_is_absent_from_a_ledger(self, complete: str) -> None:
        self.complete = complete

    @rule(rows=FILES, layout=LAYOUTS, data=st.data())
    def a_file_says(self, rows: list[Document], layout: Layout, data: st.DataObject) -> None:
        rows = [each for each in rows if each.kind != PAYMENTS or not self.books.taken_back(each.number)]
        if rows:
            self._bring_in(rows, layout, data)

    @rule(account=st.sampled_from(ACCOUNTS), layout=LAYOUTS, data=st.data())
    def an_invoice_is_owed_in_instalments(self, account: str, layout: Layout, data: st.DataObject) -> None:
        """Two at least, before one of them alone is more than another due day of an invoice; all issued on one day."""
        number = plan_of(account)
        known = {each.other: each.day for each in self.books.stated.values() if each.number == number}
        issued_on = next(iter(known.values())) if known else data.draw(DAYS)
        days = data.draw(st.lists(DAYS, min_size=1 if known else 2, max_size=3, unique=True))
        rows = []
        for day in days:
            minor = data.draw(st.one_of(AMOUNTS, st.just(0)) if day in known else AMOUNTS)
            rows.append(Document(INVOICES, account, number, issued_on, minor, day, is_instalment=True))
        self._bring_in(rows, layout, data)

    @rule(layout=LAYOUTS, data=st.data())
    def payments_are_taken_back(self, layout: Layout, data: st.DataObject) -> None:
        """As a whole, or a third of one once or several times."""
        there = [each for each in self.books.stated.values() if each.kind == PAYMENTS]
        rows = []
        for each in data.draw(st.lists(st.sampled_from(there), max_size=3, unique=True)) if there else []:
            before = self.books.taken_back(each.number)
            is_whole = data.draw(st.booleans()) and not before
            row = Document(
                REVERSALS, each.account, each.number, data.draw(DAYS.filter(each.day.__le__)),
                each.minor if is_whole else each.minor // 3,
                data.draw(st.sampled_from(["nsf", "chargeback", "error"] if is_whole else ["chargeback", "refund"])),
            )  # fmt: skip
            if row.key not in self.books.stated and row.minor + sum(r.minor for r in before) <= each.minor:
                rows.append(row)
        if rows:
            self._bring_in(rows, layout, data)

    @rule(layout=LAYOUTS, data=st.data())
    def everything_is_said_again(self, layout: Layout, data: st.DataObject) -> None:
        """In another order and form; nothing is stored for it."""
        head = self.service.arrears.feed.head()
        for kind in data.draw(st.permutations([INVOICES, PAYMENTS, CREDITS, REVERSALS])):
            rows = [each for each in self.books.stated.values() if each.kind == kind]
            if rows:
                self._bring_in(rows, layout, data)
        assert self.service.arrears.feed.head() == head

    @rule(layout=LAYOUTS, data=st.data())
    def a_ledger_is_complete(self, layout: Layout, data: st.DataObject) -> None:
        """Lines come, change their sign and their day of settlement, and go; what is absent is listed, and what of it
        somebody confirms is taken back, or settled."""
        before = data.draw(LEDGERS.filter(bool))
        self._complete_file(before, layout, data)
        gone = data.draw(st.sampled_from([each.number for each in before]))
        self._complete_file([each for each in data.draw(LEDGERS) if each.number != gone], layout, data)

    def _complete_file(self, drawn: list[Line], layout: Layout, data: st.DataObject) -> None:
        path = layout.write(LEDGER, data.draw(st.permutations(drawn)), self.folder)
        profile = str(layout.profile(LEDGER, self.folder, f'complete = "{self.complete}"'))
        did = self.service.import_file(path, profile, defaults=self.defaults)
        assert did.refused == 0, did.problems
        assert (did.brought_in, did.corrected, did.unchanged) == self.books.enter(drawn)
        self.settled_with_nothing -= {each.number for each in drawn}
        self._compare(data.draw(DAYS))
        missing = self.books.absent(drawn)
        if self.complete == "settled":
            missing = self._to_be_settled(missing)
        head = self.service.arrears.feed.head()
        would = dry_run(self.service, path, profile, defaults=self.defaults)
        listed = self.service.import_file(path, profile, defaults=self.defaults)
        assert self.service.arrears.feed.head() == head
        assert would.absent is not None
        assert listed.absent is not None
        assert would.absent.token == listed.absent.token
        assert listed.absent.count == len(missing)
        assert sum(each.minor for each in listed.absent.sums.values()) == sum(each.minor for each in missing.values())
        if not missing or not data.draw(st.sampled_from([True, True, False])):
            return
        confirmed = CompleteOptions(take_back=listed.absent.token, force=True)
        done = self.service.import_file(path, profile, defaults=self.defaults, complete=confirmed).absent
        assert done is not None
        assert (done.taken_back, done.left, done.refusal) == (len(missing), 0, None)
        for key, each in missing.items():
            if self.complete == "settled":
                paid = Document(PAYMENTS, each.account, f"settlement:{each.number}", NOW_ON, each.minor, each.number)
                self.books.lines[paid.key] = self.books.ever[paid.key] = paid
            else:
                del self.books.lines[key]
        self.seen["absent"] += len(missing)
        self._compare(data.draw(DAYS))

    def _to_be_settled(self, absent: dict[tuple[str, str], Document]) -> dict[tuple[str, str], Document]:
        """Of what is absent the invoices that are open and not settled, with what is open of each. One that is not open
        counts as settled with nothing from then on."""
        found = {}
        for key, each in absent.items():
            settled = PAYMENTS, f"settlement:{each.number}"
            if each.kind != INVOICES or settled in self.books.lines or each.number in self.settled_with_nothing:
                continue
            minor = self.books.open_items(each.account).get((each.number, each.other), 0)  # type: ignore[arg-type]
            if minor:
                found[key] = changed(each, minor=minor)
            else:
                self.settled_with_nothing.add(each.number)
                self.books.ever[settled] = changed(each, minor=0)
        return found

    def _bring_in(self, rows: list[Document], layout: Layout, data: st.DataObject) -> None:
        kind = rows[0].kind
        times = data.draw(st.lists(st.sampled_from([1, 1, 1, 2]), min_size=len(rows), max_size=len(rows)))
        rows = data.draw(st.permutations(rows))
        path = layout.write(kind, repeated(rows, times), self.folder)
        profile = str(layout.profile(kind, self.folder))
        would = dry_run(self.service, path, profile, defaults=self.defaults)
        did = self.service.import_file(path, profile, defaults=self.defaults)
        assert said(would) == said(did)
        assert did.refused == 0, did.problems
        assert did.repeats == sum((n - 1) * len(row.rows) for n, row in zip(times, rows, strict=True))
        assert (did.brought_in, did.corrected, did.unchanged) == self.books.state(rows)
        for name in self.seen.keys() - {"absent"}:
            self.seen[name] += getattr(did, name)
        self._compare(data.draw(DAYS))

    def _compare(self, day: date) -> None:
        office = office_id(self.office)
        for number in self.books.accounts:
            account = self.service.arrears.load(Account, account_id(office, number))
            items = account.receivables.items.values()
            open_items = {(each.item.number, each.due_on): each.open.minor for each in items}
            assert open_items == self.books.open_items(number)
            with self.service.database.connect("arrears_app") as connection:
                row: Any = connection.execute(
                    """
                    SELECT coalesce(sum(item_minor), 0), coalesce(sum(unapplied_minor), 0)
                      FROM read_model.ledger_entries WHERE account_id = %s AND effective_on <= %s
                    """,
                    [account.id, day],
                ).fetchone()
            assert tuple(row) == self.books.owed(number, day)


def test_what_is_owed_is_what_the_books_say(a_service: AService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(importer, "CHUNK", 4)
    monkeypatch.setattr(absent, "CHUNK", 2)
    Imports.service, Imports.folder = a_service(NOW), tmp_path
    Imports.seen = {"brought_in": 0, "corrected": 0, "unchanged": 0, "repeats": 0, "absent": 0}
    for _ in range(ROUNDS):
        run_state_machine_as_test(
            Imports,
            settings=settings(
                max_examples=12,
                stateful_step_count=6,
                deadline=None,
                phases=[Phase.generate],  # to make what failed smaller takes minutes
                suppress_health_check=list(HealthCheck),
            ),
        )
        if min(Imports.seen.values()) > 0:
            break
    assert min(Imports.seen.values()) > 0, Imports.seen
