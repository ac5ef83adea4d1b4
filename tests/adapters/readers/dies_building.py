"""A process that builds a generation of a projection and is killed in the middle: run as a program."""

import os
import signal
import sys

from adapters.postgres.database import Database
from adapters.readers.projections import Projections
from tests.adapters.readers import counter
from tests.adapters.readers.log import Log


def main(dsn: str, projection: str) -> None:
    def die(name: str, position: int, target: int) -> None:
        if position >= 10:
            os.kill(os.getpid(), signal.SIGKILL)

    database = Database(dsn)
    Projections(database, Log(database).feed, [getattr(counter, projection)], rebuild_batch=10).rebuild("counter", die)


if __name__ == "__main__":
    main(*sys.argv[1:])
