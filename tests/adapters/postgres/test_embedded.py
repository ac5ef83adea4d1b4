"""PostgreSQL in a data folder: one owner, many users, and whatever a process may die of."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import psycopg
import pytest

from adapters.postgres.cluster import VERSION
from adapters.postgres.embedded import EmbeddedPostgres
from adapters.postgres.errors import DataFolderInUse, DataFolderUnusable, ServerDidNotStart, WrongPostgresVersion
from adapters.postgres.postmaster import SOCKET_NAME, Postmaster, read_postmaster, wait_until
from tests.adapters.postgres.processes import holding
from tests.waiting import HANG

pytestmark = pytest.mark.postgres


def server_of(data_dir: Path) -> Postmaster | None:
    return read_postmaster((data_dir / "postgres").resolve())


def the_server_of(data_dir: Path) -> Postmaster:
    server = server_of(data_dir)
    assert server is not None
    return server


def ask(dsn: str, question: str) -> object:
    with psycopg.connect(dsn) as connection:
        row = connection.execute(question.encode()).fetchone()
        assert row is not None
        return row[0]


def store(dsn: str, number: int) -> None:
    with psycopg.connect(dsn) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept (number integer)")
        connection.execute("INSERT INTO kept VALUES (%s)", [number])


def close_whatever_comes(listener: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while True:
            listener.accept()[0].close()


def test_what_was_stored_is_there_at_the_next_start(data_dir):
    with EmbeddedPostgres(data_dir) as first:
        store(first.dsn, 1)
    assert server_of(data_dir) is None
    with EmbeddedPostgres(data_dir) as second:
        assert ask(second.dsn, "SELECT number FROM kept") == 1


def test_it_runs_as_a_system_of_record_should(data_dir):
    wanted = {
        "fsync": "on",
        "synchronous_commit": "on",
        "full_page_writes": "on",
        "listen_addresses": "",
        "jit": "off",
        "TimeZone": "UTC",
        "shared_buffers": "128MB",
        "max_wal_size": "2GB",
        "checkpoint_timeout": "15min",
        "max_connections": "100",
        "data_checksums": "on",
    }
    with EmbeddedPostgres(data_dir) as postgres:
        found = {name: ask(postgres.dsn, f"SELECT current_setting('{name}')") for name in wanted}
        collation = ask(postgres.dsn, "SELECT datlocale FROM pg_database WHERE datname = current_database()")
    assert found == wanted
    assert collation == "C.UTF-8"


def test_what_an_operator_sets_wins_and_stays(used_dir):
    with EmbeddedPostgres(used_dir) as postgres, psycopg.connect(postgres.dsn, autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET work_mem = '32MB'")
    with EmbeddedPostgres(used_dir) as postgres:
        assert ask(postgres.dsn, "SELECT current_setting('work_mem')") == "32MB"


def test_many_connections_of_this_process_and_of_its_children_are_fine(used_dir):
    count = "import psycopg, sys; print(psycopg.connect(sys.argv[1]).execute('SELECT 42').fetchone()[0])"
    with EmbeddedPostgres(used_dir) as postgres:
        with psycopg.connect(postgres.dsn) as one, psycopg.connect(postgres.dsn) as other:
            assert one.info.backend_pid != other.info.backend_pid
        child = subprocess.run([sys.executable, "-c", count, postgres.dsn], check=True, capture_output=True, text=True)
    assert child.stdout.strip() == "42"


def test_a_second_owner_is_refused_and_told_who_the_first_is(used_dir):
    with holding(used_dir) as owner:
        with pytest.raises(DataFolderInUse, match=f"in use by process {owner.pid}") as refusal:
            EmbeddedPostgres(used_dir).start()
        assert refusal.value.pid == owner.pid
        assert ask(f"postgresql://arrears@/arrears?host={used_dir}/postgres", "SELECT 1") == 1


def test_a_second_owner_in_the_same_process_is_refused_too(used_dir):
    with EmbeddedPostgres(used_dir), pytest.raises(DataFolderInUse, match=f"process {os.getpid()}"):
        EmbeddedPostgres(used_dir).start()


def test_of_two_that_start_at_once_one_owns_and_one_is_refused(data_dir):
    outcomes: list[str] = []
    owned = threading.Event()
    refused = threading.Event()

    def start() -> None:
        try:
            with EmbeddedPostgres(data_dir):
                owned.set()
                outcomes.append("owns")
                refused.wait(HANG)
        except DataFolderInUse:
            outcomes.append("refused")
            refused.set()

    threads = [threading.Thread(target=start) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(HANG)
    assert sorted(outcomes) == ["owns", "refused"]


def test_a_reader_joins_the_server_another_process_runs(used_dir):
    with holding(used_dir):
        server = the_server_of(used_dir)
        with EmbeddedPostgres.attach(used_dir) as reader:
            assert ask(reader.dsn, "SELECT 1") == 1
        assert server.is_alive
    assert not server.is_alive


def test_a_reader_starts_the_server_when_nobody_else_runs_it(used_dir):
    with EmbeddedPostgres(used_dir):
        pass
    with EmbeddedPostgres.attach(used_dir) as reader:
        assert ask(reader.dsn, "SELECT 1") == 1
        with EmbeddedPostgres(used_dir) as owner:  # reading does not take the folder from a writer
            assert owner.dsn == reader.dsn
    assert server_of(used_dir) is None


def test_an_owner_that_leaves_does_not_take_the_server_from_a_reader(used_dir):
    with holding(used_dir) as owner, EmbeddedPostgres.attach(used_dir) as reader:
        owner.communicate(timeout=HANG)
        assert ask(reader.dsn, "SELECT 1") == 1
    assert server_of(used_dir) is None


def test_two_readers_at_once_do_not_stop_each_other(used_dir):
    with EmbeddedPostgres(used_dir):
        pass
    with holding(used_dir, "attach"):
        with EmbeddedPostgres.attach(used_dir) as reader:
            assert ask(reader.dsn, "SELECT 1") == 1
        assert the_server_of(used_dir).is_alive


def test_a_reader_of_a_folder_without_data_is_told_so(data_dir):
    with pytest.raises(DataFolderUnusable, match="no Arrears data"):
        EmbeddedPostgres.attach(data_dir / "mistyped").start()
    assert not (data_dir / "mistyped").exists()


def test_a_server_that_outlived_its_killed_owner_is_used_again(used_dir):
    with holding(used_dir) as owner:
        server = the_server_of(used_dir)
        store(f"postgresql://arrears@/arrears?host={used_dir}/postgres", 7)
        owner.kill()
        owner.wait()
        assert server.is_alive
        with EmbeddedPostgres(used_dir) as again:
            assert the_server_of(used_dir).pid == server.pid
            assert ask(again.dsn, "SELECT number FROM kept") == 7
    assert not server.is_alive


def test_owner_and_server_killed_together_recover_at_the_next_start(used_dir):
    with holding(used_dir) as owner:
        server = the_server_of(used_dir)
        store(f"postgresql://arrears@/arrears?host={used_dir}/postgres", 8)
        owner.kill()
        os.kill(server.pid, signal.SIGKILL)
        owner.wait()
        with EmbeddedPostgres(used_dir) as again:
            assert ask(again.dsn, "SELECT number FROM kept") == 8


def test_a_server_that_was_killed_is_not_joined_while_the_kernel_still_takes_connections_for_it(tmp_path):
    with socket.socket(socket.AF_UNIX) as left_behind:
        left_behind.bind(str(tmp_path / SOCKET_NAME))
        left_behind.listen()
        dying = Postmaster(cluster=tmp_path, pid=os.getpid(), socket_folder=tmp_path, status="ready")
        closing = threading.Thread(target=close_whatever_comes, args=[left_behind])
        closing.start()
        assert not dying.answers
        left_behind.shutdown(socket.SHUT_RDWR)
        closing.join(HANG)


def test_a_process_id_that_now_belongs_to_a_stranger_is_not_taken_for_the_server(used_dir):
    with EmbeddedPostgres(used_dir) as first:
        store(first.dsn, 9)
        stale = (used_dir / "postgres" / "postmaster.pid").read_text().splitlines()
    with subprocess.Popen(["sleep", "60"]) as stranger:
        pid_file = used_dir / "postgres" / "postmaster.pid"
        pid_file.write_text("\n".join([str(stranger.pid), *stale[1:]]) + "\n")
        with EmbeddedPostgres(used_dir) as again:
            assert ask(again.dsn, "SELECT number FROM kept") == 9
        assert stranger.poll() is None
        stranger.kill()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_process_told_to_end_stops_its_server(used_dir, how):
    with holding(used_dir) as owner:
        server = the_server_of(used_dir)
        owner.send_signal(how)
        owner.wait(HANG)
        assert not server.is_alive


def test_a_server_nobody_stopped_is_stopped_at_exit(used_dir):
    forgetful = (
        "import sys, pathlib\n"
        "from adapters.postgres.embedded import EmbeddedPostgres\n"
        "EmbeddedPostgres(pathlib.Path(sys.argv[1])).start()\n"
    )
    subprocess.run([sys.executable, "-c", forgetful, str(used_dir)], check=True, timeout=HANG)
    assert server_of(used_dir) is None


def test_a_forked_child_that_ends_leaves_the_server_alone(used_dir):
    forking = (
        "import os, sys, pathlib, psycopg\n"
        "from adapters.postgres.embedded import EmbeddedPostgres\n"
        "postgres = EmbeddedPostgres(pathlib.Path(sys.argv[1])).start()\n"
        "child = os.fork()\n"
        "if child == 0: sys.exit(0)\n"
        "os.waitpid(child, 0)\n"
        "print(psycopg.connect(postgres.dsn).execute('SELECT 1').fetchone()[0])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", forking, str(used_dir)], check=True, timeout=HANG, capture_output=True, text=True
    )
    assert done.stdout.strip() == "1"


def test_a_cluster_of_another_version_is_refused(used_dir):
    with EmbeddedPostgres(used_dir):
        pass
    (used_dir / "postgres" / "PG_VERSION").write_text("16\n")
    with pytest.raises(WrongPostgresVersion, match=f"made by PostgreSQL 16; this Arrears runs PostgreSQL {VERSION}"):
        EmbeddedPostgres(used_dir).start()
    (used_dir / "postgres" / "PG_VERSION").write_text(f"{VERSION}\n")
    with EmbeddedPostgres(used_dir):  # the refusal let the folder go
        pass


def test_a_half_made_cluster_is_made_again(data_dir):
    unfinished = data_dir / "postgres.new"
    unfinished.mkdir(parents=True)
    (unfinished / "PG_VERSION").write_text(f"{VERSION}\n")
    with EmbeddedPostgres(data_dir) as postgres:
        assert ask(postgres.dsn, "SELECT 1") == 1
    assert not unfinished.exists()


def test_a_path_too_long_for_a_socket_is_no_obstacle(data_dir):
    deep = data_dir / ("x" * 60) / ("y" * 60)
    with EmbeddedPostgres(deep) as postgres:
        assert ask(postgres.dsn, "SELECT 1") == 1
        socket_folder = the_server_of(deep).socket_folder
        assert socket_folder.stat().st_mode & 0o077 == 0
    assert not socket_folder.exists()


def test_a_folder_whose_name_needs_quoting_is_no_obstacle(data_dir):
    with EmbeddedPostgres(data_dir / "it's 50% ours & böse") as postgres:
        assert ask(postgres.dsn, "SELECT 1") == 1


def test_only_the_servers_user_can_reach_the_socket(data_dir):
    with EmbeddedPostgres(data_dir):
        assert (data_dir / "postgres").stat().st_mode & 0o077 == 0


def test_a_file_in_place_of_the_folder_is_said(data_dir):
    (data_dir / "file").write_text("")
    with pytest.raises(DataFolderUnusable, match="cannot be used"):
        EmbeddedPostgres(data_dir / "file").start()


def test_a_server_that_cannot_start_says_why_with_the_end_of_its_log(used_dir):
    with pytest.raises(ServerDidNotStart, match='invalid value for parameter "shared_buffers"'):
        EmbeddedPostgres(used_dir, settings={"shared_buffers": "lots"}).start()
    with EmbeddedPostgres(used_dir):
        pass


def test_a_server_killed_under_its_owner_can_be_told_from_a_live_one(used_dir):
    with EmbeddedPostgres(used_dir):
        server = the_server_of(used_dir)
        os.kill(server.pid, signal.SIGKILL)
        assert wait_until(lambda: not server.is_alive, seconds=10)
        with pytest.raises(DataFolderInUse, match="does not answer"):
            EmbeddedPostgres.attach(used_dir).start()
