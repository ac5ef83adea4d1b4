"""One PostgreSQL server per test run, and a fresh migrated database per test."""

import base64
import gc
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from adapters.postgres.database import Database
from adapters.postgres.embedded import EmbeddedPostgres
from adapters.postgres.migrations import migrate
from tests.adapters.kafka.fixture import kafka  # noqa: F401
from tests.examples import register_profiles
from tests.signals import keep_from_children
from tests.temporary import temporary_folder

register_profiles()

pytest_plugins = ["pytester", "tests.needs", "tests.leftovers"]


def pytest_configure() -> None:
    keep_from_children()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests first: of two processes that share the files, none is left alone with a slow one."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


def pytest_collection_finish() -> None:
    """What is collected stays until the end: garbage is not looked for among it each time."""
    gc.freeze()


# Nothing a test stores has to survive a power cut.
QUICK_AND_FORGETFUL = {"fsync": "off", "full_page_writes": "off", "max_connections": "200"}


@dataclass(frozen=True)
class TestServer:
    """A server on which tests make and drop databases."""

    __test__ = False
    dsn: str

    def create(self, *, template: str = "template1") -> str:
        """A new database's name."""
        name = f"arrears_test_{uuid4().hex[:16]}"
        create = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy")  # half the time of the default here
        self._run(create.format(sql.Identifier(name), sql.Identifier(template)))
        return name

    def drop(self, name: str) -> None:
        self._run(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def dsn_of(self, name: str) -> str:
        return make_conninfo(self.dsn, dbname=name)

    def _run(self, statement: sql.Composed) -> None:
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            connection.execute(statement)


@pytest.fixture(scope="session")
def postgres() -> Iterator[TestServer]:
    """The server of this run: ARREARS_TEST_DATABASE_URL, or an embedded one in a folder that is removed."""
    if url := os.environ.get("ARREARS_TEST_DATABASE_URL"):
        yield TestServer(url)
        return
    with temporary_folder() as folder, EmbeddedPostgres(folder, settings=QUICK_AND_FORGETFUL) as embedded:
        yield TestServer(embedded.dsn)


@pytest.fixture(scope="session")
def migrated_template(postgres: TestServer) -> Iterator[str]:
    """The name of a migrated database that others are copied from."""
    name = postgres.create()
    with Database(postgres.dsn_of(name)) as database:
        migrate(database)
    yield name
    postgres.drop(name)


@pytest.fixture(scope="session")
def built_template(postgres: TestServer, migrated_template: str) -> Iterator[str]:
    """The name of a migrated database that others are copied from, with all read tables built, and nothing in them."""
    from api.processes.step_by_step import StepByStep  # takes seconds; many tests do without

    name = postgres.create(template=migrated_template)
    env = {"ARREARS_MASTER_KEY": base64.b64encode(bytes(32)).decode()}  # of which an empty database remembers nothing
    with StepByStep(Database(postgres.dsn_of(name)), data_dir=None, env=env) as service:
        service.prepare()
    yield name
    postgres.drop(name)


@pytest.fixture
def built_database(postgres: TestServer, built_template: str) -> Iterator[Database]:
    """A fresh database of this test's own, with all read tables."""
    name = postgres.create(template=built_template)
    with Database(postgres.dsn_of(name)) as fresh:
        yield fresh
    postgres.drop(name)


@pytest.fixture
def database(postgres: TestServer, migrated_template: str) -> Iterator[Database]:
    """A freshly migrated database of this test's own."""
    name = postgres.create(template=migrated_template)
    with Database(postgres.dsn_of(name)) as fresh:
        yield fresh
    postgres.drop(name)


@pytest.fixture
def empty_database(postgres: TestServer) -> Iterator[Database]:
    """A database nobody has migrated."""
    name = postgres.create()
    with Database(postgres.dsn_of(name)) as fresh:
        yield fresh
    postgres.drop(name)


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """A data folder with a short path, removed afterwards."""
    with temporary_folder() as folder:
        yield folder
