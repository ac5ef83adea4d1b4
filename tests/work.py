"""Work over many accounts, begun without a rule change."""

from typing import Any
from uuid import UUID, uuid4

from adapters.work import rows
from aggregates.account.aging import AgeAccount
from aggregates.kernel.actor import Actor
from aggregates.kernel.command import Command, Issued
from aggregates.office import office_id
from aggregates.work import BeginWork
from api.processes.step_by_step import StepByStep


def begun(service: StepByStep, office: str = "main", asks: type[Command] = AgeAccount, **arguments: Any) -> UUID:
    """The id of work about all accounts there are, of which nobody has taken a chunk yet; the log has to be sealed."""
    (cause,) = service.feed.read(service.feed.head() - 1, 1)
    begin = BeginWork(
        work_id=uuid4(),
        office_id=office_id(office),
        command=asks.command_name,
        arguments=arguments,
        policy="test",
        cause_event_id=cause.event_id,
        cause_position=cause.position or 0,
    )
    service.arrears.handle([Issued(command=begin, command_id=uuid4(), actor=Actor.policy("test", 1))])
    with service.database.connect("arrears_app") as connection:
        rows.add(connection, begin)
    return begin.work_id
