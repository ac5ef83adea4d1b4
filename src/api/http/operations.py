"""Whether it runs, whether it can be used, and how far the projections are."""

from dataclasses import asdict
from typing import Annotated, Any, Literal

from fastapi import Query
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from adapters.telemetry.metrics import exposition
from aggregates.values.patterns import pattern
from api.http.commands import ServiceOf
from api.http.health import Kept
from api.http.paging import Cursor, Limit, Page
from api.http.problems import Problem, documented
from api.http.reading import Question, Readings
from api.http.routing import Router
from projections.questions.quarantined import QuarantinedMessage, quarantined

router = Router(tags=["operations"])


class Live(BaseModel):
    status: Literal["live"] = "live"


class Ready(BaseModel):
    status: Literal["ready"] = "ready"


class ProjectionStatus(BaseModel):
    """How a projection stands. `parked` counts the accounts that are put aside."""

    name: str
    generation: int
    version: int
    wanted_version: int
    state: str
    checkpoint: int
    head: int
    lag_events: int
    lag_seconds: float
    parked: int
    trouble: str | None


@router.get("/health/live")
async def live() -> Live:
    """The process answers."""
    return Live()


@router.get("/health/ready", responses=documented(503))
async def ready(request: Request) -> Ready:
    """Everything can be done: the database answers and takes writes, no page of it is damaged, the clocks agree, the
    master key fits, every projection is built, and no part of the service failed within the last half minute."""
    readiness: Kept = request.app.state.readiness
    if (problem := await readiness.problem()) is not None:
        raise Problem(503, "not-ready", problem, headers={"Retry-After": "2"})
    return Ready()


@router.get("/metrics", include_in_schema=False)
def metrics(request: Request) -> Response:
    """What the process counts, and how far readers are, in the format that Prometheus asks for."""
    media_type, text = exposition(request.app.state.metrics, request.headers.get("accept"))
    return Response(text, headers={"Content-Type": media_type})


@router.get("/v1/projections")
def projections(service: ServiceOf) -> list[ProjectionStatus]:
    """How far every projection has read, in events and seconds."""
    return [ProjectionStatus(**_known(asdict(each))) for each in service.status()]


@router.get("/v1/quarantined-messages")
def quarantined_messages(
    *,
    readings: Readings,
    topic: Annotated[
        str | None,
        Query(
            max_length=249,
            pattern=pattern("^[A-Za-z0-9._-]+$", "a topic's name of letters, digits, dots, dashes and underscores"),
            description="Only of this topic.",
        ),
    ] = None,
    partition: Annotated[int | None, Query(ge=0, le=2**31 - 1, description="Only of this partition.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[QuarantinedMessage]:
    """Messages on Kafka's topics that are not what the log has, so that no reader took them; the latest found first."""
    return readings.page(
        Question("quarantined-messages", topic, partition),
        lambda connection, inner: quarantined(connection, topic=topic, partition=partition, limit=limit, cursor=inner),
        cursor,
    )


def _known(status: dict[str, Any]) -> dict[str, Any]:
    return {name: status[name] for name in ProjectionStatus.model_fields}
