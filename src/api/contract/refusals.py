"""The page of refusals: every code, what it means, and the HTTP status that it becomes."""

from collections.abc import Iterable

from aggregates.kernel.refusals import RefusalCode

_HEAD = """# Refusals

<!-- Written by `arrears schemas build` from the catalogue in src/aggregates/kernel/refusals.py; change that. -->

A command that is refused changes nothing and leaves no event behind. The code is the contract: over [HTTP](http.md) it
is `reason_code` beside the status below, and programs go by it. What exactly was wrong is said in words each time.

| code | means | status |
|---|---|---|
"""


def refusals_page(refusals: Iterable[RefusalCode]) -> str:
    """The page, in Markdown, by code."""
    rows = (f"| `{each.code}` | {each.sentence} | {each.status} |\n" for each in sorted(refusals, key=lambda r: r.code))
    return _HEAD + "".join(rows)
