"""Whether it runs, whether it can be used, and how far the projections are."""

from dataclasses import asdict
from typing import Any, Literal

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from adapters.telemetry.metrics import exposition
from api.http.commands import ServiceOf
from api.http.health import Kept
from api.http.problems import Problem, documented
from api.http.routing import Router

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
    master key fits, every projection is built."""
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


def _known(status: dict[str, Any]) -> dict[str, Any]:
    return {name: status[name] for name in ProjectionStatus.model_fields}
