"""What has to hold for a process to do its work now."""

from collections.abc import Collection, Iterable, Mapping

from adapters.telemetry.checks import (
    Check,
    clock_agrees,
    database_answers,
    database_takes_writes,
    master_key_fits,
    no_page_is_damaged,
    projections_built,
    readers_go_on,
)
from api.processes.core import Core, Opened
from api.processes.parts.part import Need


def checks_of(
    core: Opened, needs: Iterable[Need] = (Need.KEY, Need.TABLES), *, readers: Collection[str] = ()
) -> dict[str, Check]:
    """By what cannot be done where the check finds something. The first one says whether the others can be made.

    `readers` are those whose standing still is the process's own trouble.
    """
    checks = {
        "database": database_answers(core.database),
        "disk": database_takes_writes(core.database),
        "pages": no_page_is_damaged(core.database),
    }
    if isinstance(core, Core):
        checks["clock"] = clock_agrees(core.database, core.clock, core.clock_tolerance)
        if Need.KEY in needs:
            checks["master key"] = master_key_fits(core.arrears.keys.fits)
        if Need.TABLES in needs:
            checks["projections"] = projections_built(core.projections.status)
    if readers:
        checks["readers"] = readers_go_on(core.database, readers)
    return checks


def problems_of(checks: Mapping[str, Check]) -> dict[str, str]:
    """What is wrong, by check. Where the database does not answer nothing else can be said."""
    found: dict[str, str] = {}
    for name, check in checks.items():
        if (problem := check()) is not None:
            found[name] = problem
            if name == "database":
                break
    return found


def problem_of(checks: Mapping[str, Check]) -> str | None:
    """All that is wrong in a sentence, or None."""
    return "; ".join(f"{name}: {problem}" for name, problem in problems_of(checks).items()) or None
