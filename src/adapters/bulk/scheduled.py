"""A schedule that fell due: its bulk action is previewed, and done where it is not too large."""

from collections.abc import Callable
from uuid import UUID, uuid4

from pydantic import ValidationError

from adapters.bulk.freezing import Freezer, Selection
from adapters.delivery.renderer import Renderer
from adapters.eventstore.application import Arrears
from adapters.postgres.database import Database
from adapters.stop import Stop
from aggregates.account.bulk_kinds import bulk_kind
from aggregates.bulk.schedule import BulkSchedule, RunSchedule
from aggregates.kernel.actor import Actor
from aggregates.kernel.command import Issued, Rejected, identifier
from aggregates.kernel.event import Recorded
from aggregates.kernel.refusals import Refusal
from aggregates.office import Office
from aggregates.values.business_time import local_date
from aggregates.values.patterns import message_of
from aggregates.work import WorkBegun
from projections.questions import ReportRefused


class ScheduledBulk:
    """The only step of the work that a schedule begins.

    It is done again where a process dies over it, with rows that are frozen anew under another id. Which of them
    becomes the bulk action is decided once, by the schedule, in the transaction that confirms it.
    """

    def __init__(self, database: Database, arrears: Arrears, stop: Stop, renderer: Callable[[], Renderer]) -> None:
        self._database, self._arrears, self._stop, self._renderer = database, arrears, stop, renderer

    def __call__(self, begun: Recorded) -> None:
        """Raises what is no fault of the schedule's."""
        event = begun.event
        assert isinstance(event, WorkBegun)  # noqa: S101
        schedule = self._arrears.load(BulkSchedule, UUID(event.arguments["schedule_id"]))
        run_id = UUID(event.arguments["run_id"])
        if schedule.pending == run_id:
            self._make(schedule, run_id, begun)

    def fail(self, begun: Recorded, detail: str) -> None:
        """It cannot be made because of a defect: the schedule says so, and goes on with its next time."""
        event = begun.event
        assert isinstance(event, WorkBegun)  # noqa: S101
        self._record(begun, UUID(event.arguments["schedule_id"]), UUID(event.arguments["run_id"]), detail)

    # --- inside ---

    def _make(self, schedule: BulkSchedule, run_id: UUID, begun: Recorded) -> None:
        try:
            command = self._made(schedule, run_id, begun)
        except (Refusal, ReportRefused, ValidationError) as why:
            self._record(begun, schedule.id, run_id, _said(why))
            return
        (outcome,) = self._arrears.handle([_issued(command, begun)])
        if isinstance(outcome, Rejected):
            self._record(begun, schedule.id, run_id, outcome.detail)

    def _made(self, schedule: BulkSchedule, run_id: UUID, begun: Recorded) -> RunSchedule:
        assert schedule.office_id is not None  # noqa: S101
        office = self._arrears.load(Office, schedule.office_id)
        kind = bulk_kind(schedule.action)
        parameters = kind.parameters.model_validate(schedule.parameters)
        kind.check(parameters, office)
        today = local_date(self._arrears.clock.now(), office.zone)
        of = Selection(office=office.code, currency=schedule.currency, saved=schedule.filter)
        actor = Actor.parse(begun.meta.actor)
        freezer = Freezer(self._database, self._arrears, self._stop, actor, begun.meta.correlation_id, self._renderer)
        bulk_id = uuid4()
        found = freezer.freeze(kind, parameters, of, office, today=today, bulk_id=bulk_id)
        return RunSchedule(
            schedule_id=schedule.id,
            run_id=run_id,
            bulk_id=bulk_id,
            preview=found.preview,
            touched_minor=found.touched_minor,
        )

    def _record(self, begun: Recorded, schedule_id: UUID, run_id: UUID, detail: str) -> None:
        bulk_id = identifier("scheduled-bulk", run_id, "none")
        command = RunSchedule(schedule_id=schedule_id, run_id=run_id, bulk_id=bulk_id, detail=detail)
        self._arrears.handle([_issued(command, begun)])


def _issued(command: RunSchedule, begun: Recorded) -> Issued:
    return Issued(
        command=command,
        command_id=identifier("scheduled-run", command.run_id, command.bulk_id),
        actor=Actor.parse(begun.meta.actor),
        causation_id=begun.event_id,
        correlation_id=begun.meta.correlation_id,
        traceparent=begun.meta.traceparent,
    )


def _said(why: Exception) -> str:
    if isinstance(why, ValidationError):
        wrong = why.errors()[0]
        return f"{'.'.join(map(str, wrong['loc']))}: {message_of(wrong)}"
    return why.detail if isinstance(why, Refusal) else str(why)
