"""Migrations: each once, in order, never edited."""

import shutil
import threading
from pathlib import Path

import pytest

from adapters.postgres.database import Database
from adapters.postgres.errors import MigrationChanged, SchemaNotCurrent, SchemaTooNew
from adapters.postgres.migrations import FOLDER, migrate, pending, require_current, shipped
from tests.waiting import HANG


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A release of two migrations."""
    shutil.copy(FOLDER / "0001_roles.sql", tmp_path)
    (tmp_path / "0002_notes.sql").write_text(
        "CREATE TABLE arrears.notes (note text);\nSELECT 'two statements, 100%';\n"
    )
    return tmp_path


def test_every_shipped_migration_applies_and_only_once(empty_database):
    assert pending(empty_database) == shipped()
    assert migrate(empty_database) == shipped()
    assert migrate(empty_database) == []
    assert pending(empty_database) == []


def test_a_migrated_database_is_current(database):
    with database.connect("arrears_app") as connection:
        require_current(connection)


def test_a_database_nobody_migrated_says_what_to_run(empty_database):
    with empty_database.connect() as connection, pytest.raises(SchemaNotCurrent, match="never migrated") as problem:
        require_current(connection)
    assert "arrears migrate" in problem.value.hint


def test_a_database_one_step_behind_names_the_step(empty_database, folder):
    migrate(empty_database, folder=folder)
    (folder / "0003_more.sql").write_text("SELECT 1;")
    with empty_database.connect() as connection, pytest.raises(SchemaNotCurrent, match="lacks 0003_more"):
        require_current(connection, folder=folder)
    assert [str(migration) for migration in migrate(empty_database, folder=folder)] == ["0003_more"]


def test_an_applied_migration_that_was_edited_is_refused(empty_database, folder):
    migrate(empty_database, folder=folder)
    (folder / "0002_notes.sql").write_text("CREATE TABLE arrears.notes (note text, who text);")
    for look in (migrate, pending):
        with pytest.raises(MigrationChanged, match="0002_notes"):
            look(empty_database, folder=folder)


def test_a_database_of_a_newer_release_is_refused(empty_database, folder):
    migrate(empty_database, folder=folder)
    (folder / "0002_notes.sql").unlink()
    with empty_database.connect() as connection, pytest.raises(SchemaTooNew, match=r"newer Arrears.*0002_notes"):
        require_current(connection, folder=folder)
    with pytest.raises(SchemaTooNew):
        migrate(empty_database, folder=folder)


def test_a_migration_that_fails_leaves_nothing_and_the_ones_before_it_stay(empty_database, folder):
    (folder / "0003_broken.sql").write_text("CREATE TABLE arrears.half (x int);\nSELECT 1 / 0;")
    with pytest.raises(Exception, match="division by zero"):
        migrate(empty_database, folder=folder)
    with empty_database.connect() as connection:
        assert connection.execute("SELECT to_regclass('arrears.half')").fetchone() == (None,)
        assert connection.execute("SELECT max(number) FROM arrears.migrations").fetchone() == (2,)


def test_two_that_migrate_at_once_apply_each_step_once(empty_database, folder):
    applied: list[int] = []

    def run() -> None:
        with Database(empty_database.dsn) as own:
            applied.extend(migration.number for migration in migrate(own, folder=folder))

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(HANG)
    assert applied == [1, 2]


@pytest.mark.parametrize("name", ["0004_gap.sql", "0002_twice.sql", "2_short.sql", "0003-dash.sql"])
def test_misnumbered_or_misnamed_files_are_a_mistake_of_the_release(folder, name):
    (folder / name).write_text("SELECT 1;")
    with pytest.raises(ValueError, match=r"must be numbered|is not named"):
        shipped(folder)
