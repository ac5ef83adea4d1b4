"""An aggregate as it was: at a version, by effective date, by recorded time."""

from datetime import UTC, date, datetime
from uuid import uuid4

import pytest

from adapters.clock import ManualClock
from adapters.eventstore.application import AggregateNotFoundError, Arrears
from tests.adapters.eventstore.conftest import NOON, issue
from tests.adapters.eventstore.ledger import Case, Count, OpenCase


def test_an_aggregate_as_of_versions_days_and_moments(app: Arrears, clock: ManualClock):
    case_id = uuid4()
    app.handle([issue(OpenCase(case_id=case_id))])
    app.handle([issue(Count(case_id=case_id, by=1))])
    clock.set(datetime(2026, 3, 5, tzinfo=UTC))
    app.handle([issue(Count(case_id=case_id, by=10))])
    app.handle([issue(Count(case_id=case_id, by=100), effective_on=date(2026, 3, 2))])  # learned late

    assert app.load(Case, case_id).total == 111
    assert app.load(Case, case_id, version=2).total == 1
    assert app.load(Case, case_id, effective_on=date(2026, 3, 2)).total == 101
    assert app.load(Case, case_id, recorded_at=NOON).total == 1
    assert app.load(Case, case_id, effective_on=date(2026, 3, 5), recorded_at=NOON).total == 1
    with pytest.raises(AggregateNotFoundError):
        app.load(Case, case_id, effective_on=date(2026, 3, 1))
    with pytest.raises(AggregateNotFoundError):
        app.load(Case, uuid4())


def test_a_clock_without_a_time_zone_is_refused():
    with pytest.raises(ValueError, match="time zone"):
        ManualClock(datetime(2026, 3, 5))  # noqa: DTZ001
