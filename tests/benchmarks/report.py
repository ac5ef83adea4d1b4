"""The report over a large portfolio: a page by any filter and order, sums, a past day, all of it as a file."""

import time
from collections.abc import Callable
from itertools import product
from pathlib import Path
from statistics import quantiles

from adapters.bulk.freezing import Selection
from api.application.export import ExportFormat, export
from api.application.issuing import Caller, Issuing
from api.http.app import create_app
from api.processes.step_by_step import StepByStep
from tests.api.http.client import Client
from tests.benchmarks.harness import Row

_PAGES = 200
_TIMES = 5
_FILTERS = (
    "",
    "stage=outstanding",
    "bucket=current",
    "min_balance=100",
    "without_flag=vip",
    "q=stomer 12",
    "max_dpd=5",
)
_SORTS = ("balance", "days_past_due", "number", "customer_name", "stage", "last_payment")
_PAGE_MS, _SUMS_SECONDS, _FILE_SECONDS = 150.0, 1.5, 30.0


def report_rows(service: StepByStep, issuing: Issuing, caller: Caller, folder: Path, accounts: int) -> list[Row]:
    """What is asked of the report, and how long it may take with 100,000 accounts; limits are not less for fewer."""
    of = f"{accounts:,} accounts: the report"
    with Client(create_app(service, None)) as client:
        asked = [f"sort={sort}&{each}" for each, sort in product(_FILTERS, _SORTS)]
        page = [_asked(client, asked[n % len(asked)]) for n in range(_PAGES)]
        day = f"{service.clock.now():%Y-%m-%d}"
        past = max(_asked(client, f"as_of={day}&known_on={day}&{each}") for each in _FILTERS)
        sums = max(_seconds(lambda: client.get("/v1/report/summary")) for _ in range(_TIMES))
    file = folder / "report.xlsx"
    whole = _seconds(lambda: export(service, issuing, caller, Selection(), format=ExportFormat.XLSX, to=file))
    return [
        Row(
            f"{of}, any filter and order, p99",
            1_000 * quantiles(page, n=100)[98],
            "ms",
            "limit",
            _PAGE_MS,
            _PAGE_MS,
            True,
            True,
        ),
        Row(f"{of} of a past day, the slowest filter", past, "s", "limit", _SUMS_SECONDS, _SUMS_SECONDS, True, True),
        Row(f"{of}, sums", sums, "s", "limit", _SUMS_SECONDS, _SUMS_SECONDS, True, True),
        Row(f"{of} as a workbook", whole, "s", "limit", _FILE_SECONDS, _FILE_SECONDS, True, True),
    ]


def _asked(client: Client, query: str) -> float:
    started = time.perf_counter()
    answer = client.get(f"/v1/report/collections?{query}")
    took = time.perf_counter() - started
    if answer.status_code != 200:
        raise RuntimeError(f"{query}: {answer.status_code} {answer.text[:500]}")
    return took


def _seconds(does: Callable[[], object]) -> float:
    started = time.perf_counter()
    does()
    return time.perf_counter() - started
