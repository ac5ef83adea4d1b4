from collections.abc import Iterator

import pytest

from adapters.postgres.database import Database
from tests.adapters.readers.log import Log


@pytest.fixture
def log(database: Database) -> Iterator[Log]:
    log = Log(database)
    yield log
    log.close()
