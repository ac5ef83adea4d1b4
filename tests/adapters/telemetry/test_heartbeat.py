"""Whether a loop lives, by a clock that the tests set."""

import threading
from collections.abc import Callable

from adapters.telemetry.heartbeat import Heartbeat


class Seconds:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_loop_that_beats_is_well_and_one_that_does_not_is_named_with_its_silence():
    seconds = Seconds()
    heartbeat = Heartbeat("main", within=30.0, now=seconds)
    seconds.now += 30
    assert heartbeat.problem() is None
    seconds.now += 1
    assert heartbeat.problem() == "no sign of life for 31 s; 30 s at most are expected"
    heartbeat.beat()
    assert heartbeat.problem() is None


def test_each_look_at_the_end_is_a_beat():
    seconds = Seconds()
    heartbeat = Heartbeat("main", within=30.0, now=seconds)
    stop = threading.Event()
    watched = heartbeat.watching(stop)
    seconds.now += 31
    assert not watched.is_set()
    assert heartbeat.problem() is None
    stop.set()
    assert watched.is_set()


def test_setting_the_watched_end_sets_the_end():
    stop = threading.Event()
    watched = Heartbeat("main").watching(stop)
    watched.set()
    assert stop.is_set()
    watched.clear()
    assert not stop.is_set()


class Ages(threading.Event):
    """Comes after an hour, which it takes as long as a look at it."""

    def __init__(self, looks: Callable[[], None]) -> None:
        super().__init__()
        self.passed = 0.0
        self._looks = looks

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        self.passed += timeout
        self._looks()
        return self.passed > 3_600


def test_who_waits_for_long_lives():
    problems: list[str | None] = []
    stop = Ages(lambda: problems.append(heartbeat.problem()))
    heartbeat = Heartbeat("main", within=120.0, now=lambda: stop.passed)
    assert heartbeat.watching(stop).wait()
    assert len(problems) > 30
    assert set(problems) == {None}


def test_a_wait_ends_when_its_time_is_over_or_when_the_end_comes():
    stop = threading.Event()
    watched = Heartbeat("main").watching(stop)
    assert watched.wait(0.01) is False
    assert watched.wait(0) is False
    stop.set()
    assert watched.wait() is True
