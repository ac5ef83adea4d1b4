"""Which database is opened, roles, and errors said to people."""

import errno
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import errors as pg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from adapters.postgres.database import Database, open_database
from adapters.postgres.embedded import EmbeddedPostgres
from adapters.postgres.errors import (
    ConnectionFailed,
    ConnectionLost,
    DatabaseProblem,
    DataFolderInUse,
    DataFolderUnusable,
    DiskFull,
    SchemaNotCurrent,
    ServerAway,
    UnknownPostgresRole,
    explained,
)
from tests.adapters.postgres.processes import holding


def current_user(database: Database, role=None) -> str:
    with database.connect(role) as connection:
        row = connection.execute("SELECT current_user").fetchone()
    assert row is not None
    return str(row[0])


def noticed_after(dsn: str) -> dict[str, str]:
    """What the server will do about a silent client, and the client about a silent server."""
    with Database(dsn).connect("arrears_app") as connection:
        found = connection.execute(
            "SELECT name, reset_val FROM pg_settings WHERE name ~ '^(tcp|client_connection)_'"
        ).fetchall()
        said = connection.info.get_parameters()
    noticed: dict[str, str] = dict(found)
    for name in ("keepalives_idle", "keepalives_interval"):
        noticed[name] = said[name]
    return noticed


# --- which database ------------------------------------------------------------------------------------------


def test_a_server_named_in_the_environment_wins_over_a_folder(postgres, data_dir):
    with open_database(data_dir, {"ARREARS_DATABASE_URL": postgres.dsn}) as database:
        assert database.dsn == postgres.dsn
    assert list(data_dir.iterdir()) == []


@pytest.mark.postgres
def test_the_folder_comes_from_the_option_or_the_environment(data_dir):
    with open_database(data_dir / "option", {"ARREARS_DATA": str(data_dir / "variable")}):
        assert [path.name for path in data_dir.iterdir()] == ["option"]
    with open_database(None, {"ARREARS_DATA": str(data_dir / "variable")}) as database:
        assert current_user(database) == "arrears"


def test_no_folder_and_no_server_says_how_to_name_one():
    with pytest.raises(DataFolderUnusable, match=r"ARREARS_DATA.*ARREARS_DATABASE_URL"):
        open_database(None, {})


def test_a_host_that_vanishes_is_noticed_within_a_minute(database):
    noticed = noticed_after(database.dsn)
    probes = int(noticed["tcp_keepalives_interval"]) * int(noticed["tcp_keepalives_count"])
    assert int(noticed["tcp_keepalives_idle"]) + probes == 60
    assert noticed["tcp_user_timeout"] == "60000"
    assert noticed["client_connection_check_interval"] == "10000"
    assert (noticed["keepalives_idle"], noticed["keepalives_interval"]) == ("30", "10")


def test_whoever_takes_a_connection_and_says_nothing_is_not_waited_for():
    """By itself a client waits for two minutes, and whoever is told to end has forty seconds."""
    assert conninfo_to_dict(Database("host=127.0.0.1").conninfo())["connect_timeout"] == "10"
    assert conninfo_to_dict(Database("host=127.0.0.1 connect_timeout=3").conninfo())["connect_timeout"] == "3"
    with socket.create_server(("127.0.0.1", 0)) as silent:
        dsn = make_conninfo(host="127.0.0.1", port=silent.getsockname()[1], connect_timeout=2)
        with pytest.raises(ServerAway, match="cannot be reached"):
            Database(dsn).connect()


def test_what_the_dsn_says_of_keepalives_wins(database):
    noticed = noticed_after(
        make_conninfo(database.dsn, keepalives_idle="5", options="-c tcp_keepalives_idle=7 -c statement_timeout=1min")
    )
    assert (noticed["keepalives_idle"], noticed["tcp_keepalives_idle"]) == ("5", "7")
    assert (noticed["keepalives_interval"], noticed["tcp_keepalives_interval"]) == ("10", "10")


@pytest.mark.postgres
def test_reading_joins_a_folder_in_use_and_writing_is_refused(used_dir):
    with holding(used_dir):
        with open_database(used_dir, {}, reading=True) as database:
            assert current_user(database) == "arrears"
        with pytest.raises(DataFolderInUse):
            open_database(used_dir, {})


def test_an_address_that_is_none_is_said():
    with pytest.raises(ConnectionFailed, match="not a PostgreSQL address"):
        open_database(None, {"ARREARS_DATABASE_URL": "postgresql://host:port/?nonsense=1"})


# --- roles ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["arrears_app", "arrears_sealer", "arrears_reader"])
def test_a_connection_takes_its_role_before_the_first_statement(database, role):
    assert current_user(database, role) == role
    with database.pool(role, min_size=1, max_size=2) as pool, pool.connection() as connection:
        assert connection.execute("SELECT current_user").fetchone() == (role,)


def test_a_pool_that_has_lent_everything_is_said(database):
    with (
        database.pool(min_size=1, max_size=1) as pool,
        pool.connection(),
        pytest.raises(ConnectionFailed, match="every connection to the database is in use"),
        explained(),
        pool.connection(timeout=0.1),
    ):
        pass


def test_what_a_snapshot_answers_is_of_one_moment_and_changes_nothing(database):
    with database.connect() as writer:
        writer.execute("CREATE TABLE public.figures AS SELECT 1 AS figure")
    with database.snapshot() as reader:
        assert reader.execute("SELECT count(*) FROM public.figures").fetchone() == (1,)
        with database.connect() as writer:
            writer.execute("INSERT INTO public.figures VALUES (2)")
        assert reader.execute("SELECT count(*) FROM public.figures").fetchone() == (1,)
        with pytest.raises(pg.ReadOnlySqlTransaction):
            reader.execute("INSERT INTO public.figures VALUES (3)")
        reader.rollback()


def test_roles_cannot_log_in(database):
    with database.connect() as connection:
        rows = connection.execute("SELECT rolcanlogin FROM pg_roles WHERE rolname LIKE 'arrears\\_%'").fetchall()
    assert len(rows) >= 3
    assert not any(can for (can,) in rows)


def test_the_reader_sees_views_of_the_dashboard_and_nothing_of_the_read_model(database):
    with database.connect() as connection:
        connection.execute("CREATE TABLE read_model.figures AS SELECT 1 AS figure")
        connection.execute("CREATE VIEW dashboard.figures_shown AS SELECT figure FROM read_model.figures")
    with database.connect("arrears_reader") as connection:
        assert connection.execute("SELECT figure FROM dashboard.figures_shown").fetchone() == (1,)
        with pytest.raises(pg.InsufficientPrivilege):
            connection.execute("SELECT figure FROM read_model.figures")


def test_options_of_the_address_stay_beside_the_role(database):
    patient = Database(make_conninfo(database.dsn, options="-c statement_timeout=4321"))
    with patient.connect("arrears_app") as connection:
        shown = connection.execute("SELECT current_user, current_setting('statement_timeout')").fetchone()
    assert shown == ("arrears_app", "4321ms")


def test_a_role_the_server_does_not_know_is_said(empty_database):
    with pytest.raises(UnknownPostgresRole, match="arrears_nobody"):
        empty_database.connect("arrears_nobody")


# --- errors --------------------------------------------------------------------------------------------------


def test_a_refused_connection_is_said():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"postgresql://someone@127.0.0.1:{unused.getsockname()[1]}/arrears"
        with pytest.raises(ConnectionFailed, match="cannot be reached"):
            open_database(None, {"ARREARS_DATABASE_URL": url})


def test_a_database_that_does_not_exist_is_said(postgres):
    with pytest.raises(ConnectionFailed, match="arrears_nowhere"):
        open_database(None, {"ARREARS_DATABASE_URL": postgres.dsn_of("arrears_nowhere")})


def test_a_lost_connection_is_said(database):
    with database.connect() as victim, database.connect(autocommit=True) as killer:
        killer.execute("SELECT pg_terminate_backend(%s)", [victim.info.backend_pid])
        with pytest.raises(ConnectionLost), explained():
            victim.execute("SELECT 1")


@pytest.mark.postgres
def test_a_server_that_goes_away_is_said(used_dir):
    with EmbeddedPostgres(used_dir) as embedded:
        database = Database(embedded.dsn)
        connection = database.connect()
    with pytest.raises(ConnectionLost), explained():
        connection.execute("SELECT 1")
    connection.close()
    with pytest.raises(ConnectionFailed, match="cannot be reached"):
        database.connect()


def test_a_missing_table_means_the_schema_is_not_ours(database):
    with pytest.raises(SchemaNotCurrent), explained(), database.connect() as connection:
        connection.execute("SELECT * FROM arrears.of_the_future")


@pytest.mark.parametrize(
    "error",
    [
        pg.DiskFull("could not extend file"),
        OSError(errno.ENOSPC, "no space left"),
        psycopg.OperationalError(
            'connection failed: FATAL:  could not write to file "global/1": wrote only 4096 of 8192 bytes\n'
            "HINT:  Check free disk space."
        ),
    ],
)
def test_a_full_disk_is_said(error):
    with pytest.raises(DiskFull, match="Free some space"), explained():
        raise error


def test_an_ordinary_error_passes_unchanged(database):
    with pytest.raises(pg.DivisionByZero), explained(), database.connect() as connection:
        connection.execute("SELECT 1 / 0")


def test_a_problem_shows_its_hint():
    assert str(DatabaseProblem("It broke", hint="Mend it")) == "It broke\nMend it"
    assert str(DatabaseProblem("It broke")) == "It broke"


# --- a disk that is really full ------------------------------------------------------------------------------


@pytest.fixture
def small_disk(data_dir) -> Iterator[Path]:
    """A disk of its own that holds a cluster and little more. The translation of the errors is tested above anyhow."""
    disk = data_dir / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=112m,mode=0755", "tmpfs", str(disk)], check=True)
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.mount
@pytest.mark.postgres
def test_a_disk_that_fills_up_is_said_and_what_was_stored_stays(small_disk: Path):
    with EmbeddedPostgres(small_disk, settings={"max_wal_size": "32MB", "min_wal_size": "32MB"}) as embedded:
        database = Database(embedded.dsn)
        with database.connect() as connection:
            connection.execute("CREATE TABLE kept AS SELECT 1 AS number")
        with pytest.raises(DatabaseProblem) as problem, explained(), database.connect() as connection:
            connection.execute("CREATE TABLE big AS SELECT repeat('x', 500) || n FROM generate_series(1, 1000000) n")
        assert isinstance(problem.value, DiskFull | ConnectionLost)  # lost where the write-ahead log found no room
    with EmbeddedPostgres(small_disk) as embedded, Database(embedded.dsn).connect() as connection:
        assert connection.execute("SELECT number FROM kept").fetchone() == (1,)


@pytest.mark.mount
@pytest.mark.postgres
@pytest.mark.parametrize("room", [12_000_000, 22_000_000, 32_000_000], ids=lambda room: f"{room:,} bytes")
def test_a_disk_too_small_for_a_cluster_is_said_and_nothing_half_made_stays(small_disk: Path, room: int):
    (small_disk / "ballast").write_bytes(b"\0" * ((112 << 20) - room))
    with pytest.raises(DiskFull, match="no space"):
        EmbeddedPostgres(small_disk).start()
    (small_disk / "ballast").unlink()
    with EmbeddedPostgres(small_disk):
        pass


@pytest.mark.mount
@pytest.mark.postgres
def test_a_disk_too_full_for_a_start_is_said(small_disk: Path):
    with EmbeddedPostgres(small_disk):
        pass
    fill(small_disk)
    with pytest.raises(DiskFull, match=r"disk is full|no space"):
        EmbeddedPostgres(small_disk).start()


def fill(folder: Path) -> None:
    with (folder / "ballast").open("wb", buffering=0) as ballast:
        for size in (1 << 20, 1 << 12):
            while True:
                try:
                    ballast.write(b"\0" * size)
                except OSError:
                    break
