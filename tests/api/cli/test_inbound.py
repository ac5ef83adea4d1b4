"""What `arrears inbound` offers without importing what it is about."""

from aggregates.account.inbound import Incoming
from api.cli.inbound import Over, State
from projections.inbound.projection import NOTED, READ, TO_READ


def test_its_choices_are_those_of_messages() -> None:
    assert [each.value for each in Over] == [each.value for each in Incoming]
    assert [each.value for each in State] == [TO_READ, READ, NOTED]
