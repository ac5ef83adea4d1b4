"""What a reader with effects asks before it looks into a table: whether that shows enough of the log."""

import threading

from adapters.readers.poison import OutOfReach
from adapters.readers.projections import Projections
from adapters.readers.runner import NotReached

_PATIENCE_SECONDS = 60.0


def report_shown(projections: Projections, position: int, *, stop: threading.Event) -> None:
    """Returns once the collections report has everything up to a position. Raises OutOfReach: no event is to blame.

    Whoever was asked to stop does not wait on.
    """
    try:
        projections.wait_for(position, names=["collections_report"], timeout=_PATIENCE_SECONDS, stop=stop)
    except NotReached as error:
        raise OutOfReach(str(error)) from error
