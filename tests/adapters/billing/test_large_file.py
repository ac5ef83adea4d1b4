"""A large file passes through in bounded memory."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import adapters.billing
from tests.waiting import HANG

ROWS = 30_000
LIMIT = 2_000_000
"""Bytes; that many rows, kept, would take ten times as much."""

READ = """
import sys, tracemalloc
from adapters.billing.profile import load_profile
from adapters.billing.source import read_facts
rules = load_profile("invoices")
tracemalloc.start()
rows = problems = 0
for parsed in read_facts(sys.argv[1], rules):
    rows += 1
    problems += bool(parsed.problems)
print(rows, problems, tracemalloc.get_traced_memory()[1])
"""


@pytest.mark.slow
def test_a_large_csv_is_read_in_bounded_memory(tmp_path):
    path = tmp_path / "large.csv"
    with path.open("w", encoding="utf-8") as file:
        file.write("account_number,invoice_number,issued_on,due_on,amount,currency\n")
        for n in range(ROWS):
            amount = "x" if n % 1_000 == 0 else f"{n % 900}.{n % 90 + 10}"
            file.write(f"A{n % 5_000},INV-{n},2024-{n % 12 + 1:02}-{n % 28 + 1:02},,{amount},USD\n")
    env = {**os.environ, "PYTHONPATH": str(Path(adapters.billing.__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, "-c", READ, str(path)], env=env, capture_output=True, text=True, check=True, timeout=HANG
    )
    rows, problems, peak = map(int, done.stdout.split())
    assert (rows, problems) == (ROWS, ROWS // 1_000)
    assert peak < LIMIT


def test_a_quotation_mark_that_never_closes_does_not_take_the_file_into_memory(tmp_path):
    path = tmp_path / "open.csv"
    with path.open("w", encoding="utf-8") as file:
        file.write('account_number,invoice_number,issued_on,due_on,amount,currency\nA,"I0,2024-01-02,,1,USD\n')
        file.writelines(f"A,I{n},2024-01-02,,1,USD\n" for n in range(1, 20_000))
    done = subprocess.run(
        [sys.executable, "-c", READ, str(path)],
        env={**os.environ, "PYTHONPATH": str(Path(adapters.billing.__file__).parents[2])},
        capture_output=True,
        text=True,
        check=True,
        timeout=HANG,
    )
    rows, problems, peak = map(int, done.stdout.split())
    assert (rows, problems) == (20_000, 1)
    assert peak < LIMIT
