"""The app: every router, the gate, and one error shape around them."""

from collections.abc import Mapping
from importlib.metadata import version

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

from adapters.eventstore.requests import Requests
from adapters.telemetry.metrics import registry_of
from adapters.telemetry.store_collector import StoreCollector
from api.application.issuing import Issuing
from api.http import (
    accounts,
    any_command,
    attachments,
    bulk,
    bulk_schedules,
    campaigns,
    casework,
    contact,
    contacts,
    fees,
    history,
    inbound,
    messages,
    offices,
    operations,
    placements,
    problems,
    promises,
    receivables,
    report,
    saved_filters,
    statements,
    templates,
    webhooks,
    work,
    worklist,
)
from api.http.admission import LIMITS, Admission, Kind, Limits
from api.http.auth import Gate
from api.http.health import Kept
from api.http.middleware import Surroundings
from api.http.openapi import document
from api.http.reading import Reader
from api.http.tracing import Traced
from api.http.web import pages
from api.processes.readiness import checks_of, problem_of
from api.processes.service import Service

_CONNECTIONS = 12

ROUTERS = (
    accounts.router,
    receivables.router,
    fees.router,
    statements.router,
    casework.router,
    messages.router,
    attachments.uploads,
    attachments.router,
    inbound.router,
    promises.router,
    history.router,
    report.router,
    campaigns.router,
    templates.router,
    contact.router,
    contacts.router,
    contacts.everywhere,
    worklist.router,
    worklist.items,
    offices.router,
    bulk.router,
    bulk_schedules.router,
    placements.agencies,
    saved_filters.router,
    placements.router,
    work.router,
    any_command.router,
    operations.router,
)


def create_app(
    service: Service, token: str | None, local_token: str | None = None, *, limits: Mapping[Kind, Limits] = LIMITS
) -> FastAPI:
    """The HTTP door of a service. Without a token only this machine's own addresses are answered.

    `local_token` lets the commands of this machine read.
    """
    app = FastAPI(
        title="Arrears",
        version=version("arrears"),
        description="Recovers past-due receivables, and proves that each step was allowed.",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        # The framework's own sends paths, queries and error texts, which have ids and names in them.
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    pool = service.database.pool("arrears_app", min_size=1, max_size=_CONNECTIONS)
    app.state.service = service
    app.state.gate = Gate(token, local_token)
    app.state.problem_page = pages.problem_page
    app.state.issuing = Issuing(service, Requests(pool.connection))
    app.state.reader = Reader(service, pool)
    app.state.inbound = webhooks.Inbound(service)
    checks = {**checks_of(service), "parts": service.restarts.problem}
    app.state.readiness = Kept(lambda: problem_of(checks))
    app.state.metrics = registry_of([StoreCollector(service.database, service.clock)])
    for router in ROUTERS:
        app.include_router(router)
    app.include_router(webhooks.router)
    app.include_router(pages.router)
    app.mount("/static", StaticFiles(directory=pages.STATIC), name="static")
    problems.install(app)
    document(app, has_token=token is not None)
    app.add_middleware(Admission, limits=limits)
    app.add_middleware(Surroundings, gate=app.state.gate, env=service.env)
    app.add_middleware(Traced)
    return app
