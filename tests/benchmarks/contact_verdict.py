"""Contact rules: one verdict over a long history."""

import time
from datetime import UTC, datetime, timedelta
from statistics import quantiles

from policies.contact.case import Asked, Debtor, Entry, Medium, Role
from policies.contact.table import judge
from tests.benchmarks.harness import Row, benchmark

_NOW = datetime(2026, 3, 10, 18, tzinfo=UTC)
_CONTACTS = 1_000
_VERDICTS = 2_000
_MEDIA = (Medium.CALL, Medium.SMS, Medium.CALL, Medium.EMAIL)


@benchmark("contact-verdict")
def contact_verdict() -> list[Row]:
    """One contact judged by every rule, after 1,000 others in 50 days: processor time; the zone is known or not."""
    history = long_history()
    rows = []
    for where, debtor in (("in Hawaii", Debtor(state="HI")), ("anywhere in the country", Debtor())):
        percent = quantiles((_seconds(debtor, history) for _ in range(_VERDICTS)), n=100)
        name = f"a contact judged over 1,000 before it, {where}"
        rows += [
            Row(f"{name}, {which}", 1_000 * percent[nth], "ms", "limit", 1.0, goal, True, True)
            for which, nth, goal in (("p50", 49, 1.0), ("p99", 98, None))
        ]
    return rows


def long_history() -> list[Entry]:
    """A contact every 72 minutes, about three debts, the newest first."""
    return [
        Entry(_NOW - timedelta(minutes=72 * nth + 1), channel=_MEDIA[nth % 4], debts=(f"D{nth % 3}",))
        for nth in range(_CONTACTS)
    ]


def _seconds(debtor: Debtor, history: list[Entry]) -> float:
    """Of processor time: nothing is waited for."""
    started = time.thread_time()
    judge(debtor, Role.THIRD_PARTY, history, Asked(_NOW, Medium.CALL, ("D1",)))
    return time.thread_time() - started
