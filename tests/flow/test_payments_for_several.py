"""Payments that name several invoices: in one cell, or on several rows of a file."""

from itertools import permutations
from pathlib import Path

import pytest

from adapters.clock import ManualClock
from tests.flow.conftest import AService
from tests.flow.test_instalments import NOW, PAYMENTS, Files

INVOICES = tuple(
    f"K,{number},2026-01-0{day},2026-02-0{day},{amount}.00,USD"
    for number, day, amount in (("INV-1", 1, 100), ("INV-2", 5, 50), ("INV-3", 6, 30))
)
SPLIT = ("K,P1,2026-03-10,50.00,USD,INV-2", "K,P1,2026-03-10,30.00,USD,INV-3")


@pytest.fixture
def files(a_service: AService, tmp_path: Path) -> Files:
    return Files(a_service(ManualClock(NOW)), tmp_path)


@pytest.mark.parametrize("order", list(permutations(SPLIT)))
def test_rows_of_one_payment_are_one_with_an_amount_for_each_invoice(files: Files, order: tuple[str, ...]):
    files.bring_in(*INVOICES)
    report = files.pay(*order)
    assert (report.brought_in, report.refused, report.noticed) == (1, 0, 0)
    assert files.owed() == {"2026-02-01": "100.00"}
    assert [str(each.receipt.amount.decimal()) for each in files.account.receivables.used_up.values()] == ["80.00"]
    before = files.service.arrears.feed.head()
    for again in permutations(SPLIT):
        assert files.pay(*again).unchanged == 1
    assert files.service.arrears.feed.head() == before


def test_another_amount_in_one_row_is_one_correction(files: Files):
    files.bring_in(*INVOICES)
    files.pay(*SPLIT)
    report = files.pay(SPLIT[0], SPLIT[1].replace("30.00", "20.00"))
    assert (report.corrected, report.brought_in, report.refused) == (1, 0, 0)
    assert files.owed() == {"2026-02-01": "100.00", "2026-02-06": "10.00"}


def test_a_row_without_an_invoice_is_for_the_oldest_due(files: Files):
    files.bring_in(*INVOICES)
    files.pay(*SPLIT, "K,P1,2026-03-10,60.00,USD,")
    assert files.owed() == {"2026-02-01": "40.00"}


@pytest.mark.parametrize("cell", ['"INV-2, INV-3"', "INV-2; INV-3", '"INV-2\nINV-3"', '"INV-3,INV-2"'])
def test_numbers_in_one_cell_are_paid_as_far_as_the_money_goes(files: Files, cell: str):
    files.bring_in(*INVOICES)
    assert files.pay(f"K,P1,2026-03-10,80.00,USD,{cell}").noticed == 0
    assert files.owed() == {"2026-02-01": "100.00"}


@pytest.mark.parametrize("order", ["invoices first", "payments first"])
def test_an_invoice_that_has_the_whole_cell_for_its_number_comes_first(files: Files, order: str):
    invoices = (*INVOICES, 'K,"INV-2, INV-3",2026-04-01,2026-04-20,80.00,USD')
    if order == "invoices first":
        files.bring_in(*invoices)
    files.pay('K,P1,2026-03-10,80.00,USD,"INV-2, INV-3"')
    if order == "payments first":
        files.bring_in(*INVOICES)
        assert files.owed() == {"2026-02-01": "100.00"}
        files.bring_in(*invoices)
    assert files.owed() == {"2026-02-01": "100.00", "2026-02-05": "50.00", "2026-02-06": "30.00"}


def test_the_part_for_an_invoice_that_nobody_knows_waits(files: Files):
    files.bring_in(*INVOICES[1:])
    report = files.pay(SPLIT[0], SPLIT[1].replace("INV-3", "INV-7"))
    assert "has no invoice INV-7 yet; the money waits for it" in str(report.notices[0])
    assert files.owed() == {"2026-02-06": "30.00"}
    assert str(files.account.receivables.unapplied.decimal()) == "30.00"
    files.bring_in("K,INV-7,2026-04-01,2026-04-02,25.00,USD")
    assert files.owed() == {"2026-02-06": "25.00"}, "what INV-7 leaves pays the oldest due"


@pytest.mark.parametrize(
    ("row", "lines"),
    [
        (SPLIT[1].replace("2026-03-10", "2026-03-11").replace("INV-3", "INV-9"), [2, 3, 4]),
        (SPLIT[1].replace("30.00", "31.00"), [2, 3, 4]),
        (SPLIT[1].replace("30.00", "thirty").replace("INV-3", "INV-9"), [2, 3, 4]),
    ],
)
def test_where_one_row_of_a_payment_is_refused_all_are(files: Files, row: str, lines: list[int]):
    files.bring_in(*INVOICES)
    report = files.pay(*SPLIT, row, "K,P2,2026-03-10,5.00,USD,INV-2")
    assert [problem.line for problem in report.problems] == lines
    assert report.brought_in == 1
    assert files.owed()["2026-02-05"] == "45.00"
    assert "line 4 of it is refused" in report.problems[0].expected


def test_rows_with_another_payer_are_no_part_of_the_payment(files: Files):
    files.bring_in(*INVOICES, "L,OTHER,2026-01-01,2026-02-20,5.00,USD")
    rows = (f"{SPLIT[0]},", f"{SPLIT[1]},L")
    report = files.bring_in(*rows, header=f"{PAYMENTS},payer", profile="payments")
    assert [(problem.line, problem.value) for problem in report.problems] == [(3, "P1")]


@pytest.mark.parametrize("cell", ['"inv-2, inv-3"', "inv-2;INV-3"])
def test_invoices_of_a_list_are_found_under_another_spelling(files: Files, cell: str):
    files.bring_in(*INVOICES)
    assert files.pay(f"K,P1,2026-03-10,80.00,USD,{cell}").noticed == 0
    assert files.owed() == {"2026-02-01": "100.00"}


def test_rows_of_one_payment_are_found_under_another_spelling(files: Files):
    files.bring_in(*INVOICES)
    files.pay(*SPLIT)
    report = files.pay(*(row.replace("INV", "inv").replace("P1", "p1") for row in SPLIT))
    assert (report.refused, report.brought_in) == (0, 0)
    assert files.owed() == {"2026-02-01": "100.00"}


def test_a_payment_for_several_moves_to_the_account_that_a_corrected_file_has(files: Files):
    files.bring_in(*INVOICES, "L,OTHER,2026-01-01,2026-02-20,5.00,USD")
    files.pay(*(row.replace("K,", "L,") for row in SPLIT))
    assert len(files.owed()) == 3
    report = files.pay(*SPLIT)
    assert (report.corrected, report.refused) == (1, 0)
    assert files.owed() == {"2026-02-01": "100.00"}


def test_a_row_that_stands_there_twice_is_taken_once(files: Files):
    files.bring_in(*INVOICES)
    report = files.pay(*SPLIT, SPLIT[0])
    assert (report.repeats, report.brought_in, report.refused) == (1, 1, 0)
    assert files.owed() == {"2026-02-01": "100.00"}
