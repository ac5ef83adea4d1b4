"""Tables with personal data are emptied by a crash, and are filled again from the log."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from adapters.kafka.seats import Seat
from adapters.postgres.database import Database
from adapters.postgres.embedded import EmbeddedPostgres
from adapters.postgres.migrations import migrate
from adapters.readers.generations import GenerationReader
from adapters.readers.projections import Projections
from aggregates.kernel.command import identifier
from projections.activity_history.projection import ActivityHistoryProjection
from projections.people import PeopleProjection
from tests.adapters.readers.builders import OFFICE, an_office, opened
from tests.adapters.readers.log import Log
from tests.conftest import QUICK_AND_FORGETFUL

pytestmark = pytest.mark.postgres


class Plant:
    """A server that may crash, a log, and names made from it."""

    def __init__(self, embedded: EmbeddedPostgres) -> None:
        self.embedded = embedded
        self.database = Database(embedded.dsn)
        migrate(self.database)
        self.log = Log(self.database)
        self.log.append(OFFICE, an_office())
        self.projections = Projections(self.database, self.log.feed, (PeopleProjection, ActivityHistoryProjection))
        self.projections.start()

    def open_accounts(self, *numbers: int) -> None:
        for number in numbers:
            self.log.append(identifier("account", number), opened(f"A-{number}", name=f"Customer {number}"))

    def names(self) -> list[str]:
        with self.database.connect("arrears_app") as connection:
            found = connection.execute("SELECT customer_name FROM personal.people ORDER BY number")
            return [name for (name,) in found]

    def crash(self) -> None:
        """Connections of before are found broken, as those of any process would be."""
        self.embedded.crash_and_recover()
        self.log.close()
        self.log = Log(self.database)

    def wait_until(self, holds: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 60
        while not holds():
            assert time.monotonic() < deadline
            time.sleep(0.02)


@pytest.fixture
def plant(data_dir: Path) -> Iterator[Plant]:
    with EmbeddedPostgres(data_dir, settings=QUICK_AND_FORGETFUL) as embedded:
        made = Plant(embedded)
        yield made
        made.projections.close()
        made.log.close()


def test_a_crash_empties_them_and_the_reader_begins_anew(plant: Plant):
    plant.open_accounts(1, 2, 3)
    plant.projections.catch_up()
    assert plant.names() == ["Customer 1", "Customer 2", "Customer 3"]
    before = plant.projections.status("people")[0].checkpoint
    plant.crash()
    assert plant.names() == []
    assert plant.projections.is_being_filled("people")
    again = Projections(plant.database, plant.log.feed, (PeopleProjection, ActivityHistoryProjection))
    try:
        again.catch_up()
        assert plant.names() == ["Customer 1", "Customer 2", "Customer 3"]
        assert not again.is_being_filled("people")
        assert again.status("people")[0].checkpoint == before
        assert [each.generation for each in again.status("people")] == [1], "the same tables, filled again"
    finally:
        again.close()


def test_a_running_reader_fills_them_while_it_goes_on(plant: Plant):
    plant.open_accounts(1, 2)
    stop = threading.Event()
    running = threading.Thread(target=plant.projections.run, args=[stop])
    running.start()
    try:
        plant.wait_until(lambda: len(plant.names()) == 2)
        plant.crash()
        plant.open_accounts(3)
        plant.wait_until(lambda: len(plant.names()) == 3)
    finally:
        stop.set()
        running.join()


def test_what_is_filled_again_is_not_waited_for(plant: Plant):
    plant.open_accounts(1)
    plant.projections.catch_up()
    plant.crash()
    again = Projections(plant.database, plant.log.feed, (PeopleProjection, ActivityHistoryProjection))
    try:
        head = again.catch_up(names=["activity_history"])
        again.wait_for(head, timeout=60)
        assert again.is_being_filled("people")
    finally:
        again.close()


def test_an_orderly_end_keeps_them(data_dir: Path):
    with EmbeddedPostgres(data_dir, settings=QUICK_AND_FORGETFUL) as embedded:
        plant = Plant(embedded)
        plant.open_accounts(1)
        plant.projections.catch_up()
        plant.projections.close()
        plant.log.close()
    with (
        EmbeddedPostgres(data_dir, settings=QUICK_AND_FORGETFUL) as embedded,
        Database(embedded.dsn).connect("arrears_app") as connection,
    ):
        assert connection.execute("SELECT count(*) FROM personal.people").fetchone() == (1,)


def test_one_that_was_emptied_while_it_was_built_begins_anew(plant: Plant, monkeypatch: pytest.MonkeyPatch):
    plant.open_accounts(1, 2)
    monkeypatch.setattr(Projections, "_go_live", lambda *_: None)  # ended before it was shown
    plant.projections.rebuild_all(afresh=True)
    monkeypatch.undo()
    plant.projections.close()
    plant.crash()
    again = Projections(plant.database, plant.log.feed, (PeopleProjection, ActivityHistoryProjection))
    try:
        again.rebuild("people")
        assert plant.names() == ["Customer 1", "Customer 2"]
    finally:
        again.close()


def test_their_generations_are_in_schemas_of_their_own(plant: Plant):
    plant.projections.rebuild("people")
    with plant.database.connect("arrears_app") as connection:
        schemas = [row[0] for row in connection.execute("SELECT schema FROM read_model.projections ORDER BY 1")]
        views = connection.execute("SELECT viewname FROM pg_views WHERE schemaname = 'personal' ORDER BY 1").fetchall()
    assert schemas == ["personal_people_2", "read_activity_history_1"]
    assert views == [("filling",), ("people",)]


def test_those_who_divide_the_work_begin_anew_too(plant: Plant):
    def seat() -> Seat:
        projection, generation = plant.projections.live("people")
        return Seat(plant.database, GenerationReader(projection, generation), search_path=generation.search_path)

    plant.open_accounts(1)
    head = plant.projections.catch_up()
    plant.projections.close()
    for crashed, position in ((False, head), (True, 0)):
        if crashed:
            plant.crash()
        taken = seat()
        taken.enter([0, 1], lambda _: {})
        assert {place.position for place in taken.places.values()} == {position}
        taken.release()
