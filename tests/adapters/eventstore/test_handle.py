"""The one write path: decisions, refusals, repeats, conflicts, and what concurrent callers share."""

from uuid import uuid4

from adapters.eventstore.application import Arrears
from adapters.eventstore.sealer import Sealer
from aggregates.command import Accepted
from tests.adapters.eventstore.conftest import issue
from tests.adapters.eventstore.ledger import Case, Count, OpenCase


def test_a_command_is_decided_stored_and_read_back(app: Arrears, sealer: Sealer):
    case_id = uuid4()
    opened, counted = app.handle([issue(OpenCase(case_id=case_id, who="Ada")), issue(Count(case_id=case_id, by=3))])
    assert isinstance(opened, Accepted)
    assert isinstance(counted, Accepted)
    assert counted.version == 2
    case = app.load(Case, case_id)
    assert (case.total, case.who, case.version) == (3, "Ada", 2)
    assert sealer.seal_once() == 2
    assert [e.position for e in app.feed.read(0)] == [1, 2]
