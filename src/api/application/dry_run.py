"""What an import of a billing file would do, for every door: beside whoever writes, and leaving nothing behind."""

from pathlib import Path

from adapters.billing.absent import NOTHING_SAID, CompleteOptions
from adapters.billing.importer import Done, ImportReport, OfficeDefaults
from adapters.billing.importer import dry_run as of_source
from adapters.billing.profile import load_profile
from adapters.billing.readers import Progress
from adapters.billing.source import ImportSource
from api.processes.core import Core


def dry_run(
    core: Core,
    path: Path,
    profile: str,
    *,
    defaults: OfficeDefaults,
    source: str | None = None,
    complete: CompleteOptions = NOTHING_SAID,
    reading: Progress | None = None,
    done: Done | None = None,
) -> ImportReport:
    """The report that `StepByStep.import_file` would make. Raises ProfileError, FileProblem, Stopped."""
    file = ImportSource(path, load_profile(profile), source)
    with core.database.connect("arrears_app") as connection, core.trial() as trial:
        return of_source(
            trial,
            connection,
            file,
            defaults=defaults,
            reading=reading,
            done=done,
            stop=core.stop,
            besides=complete.of(file, defaults, core.stop),
        )
