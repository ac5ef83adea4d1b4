"""A short trial, for every run of the tests; `./dev chaos` makes a long one."""

import os

import pytest

from tests.chaos.trial import Plan, run
from tests.conftest import QUICK_AND_FORGETFUL

SEED = int(os.environ.get("CHAOS_SEED", "7"))

pytestmark = [pytest.mark.postgres, pytest.mark.kafka, pytest.mark.slow]


def test_whoever_ends_whenever_nothing_is_lost_and_nothing_doubled() -> None:
    result = run(Plan(seed=SEED, kills=12, longest_pause=1.5, settings=QUICK_AND_FORGETFUL), says=print)
    assert not result.broken, "\n" + "\n".join(map(str, result.broken))
    assert result.deeds.killed == 12
    assert result.sent > 0
