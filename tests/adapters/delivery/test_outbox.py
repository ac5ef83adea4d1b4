"""The local outbox, where its folder takes nothing."""

from pathlib import Path
from uuid import uuid4

import pytest

from adapters.delivery.carrier import CarrierUnavailable
from adapters.delivery.outbox import Outbox
from adapters.delivery.rendering import Letter
from aggregates.values.contact import Channel

LETTER = Letter(Channel.EMAIL, "anna@example.org", "Hello", "text")


def test_a_check_leaves_nothing_behind(tmp_path: Path):
    outbox = Outbox(tmp_path / "outbox")
    outbox.check()
    assert [*(tmp_path / "outbox").iterdir()] == []
    outbox.send(uuid4(), LETTER)
    outbox.check()
    assert len([*(tmp_path / "outbox").iterdir()]) == 1


def test_a_folder_that_is_none_is_said_before_a_message_is_claimed(tmp_path: Path):
    (tmp_path / "outbox").write_text("a file")
    with pytest.raises(CarrierUnavailable, match="cannot be written to"):
        Outbox(tmp_path / "outbox").check()


def test_what_could_not_be_written_whole_is_not_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def full(file: int) -> None:
        raise OSError(28, "No space left on device")

    outbox = Outbox(tmp_path)
    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(CarrierUnavailable, match="No space left on device"):
        outbox.check()
    with pytest.raises(CarrierUnavailable, match="No space left on device"):
        outbox.send(uuid4(), LETTER)
    assert [*tmp_path.iterdir()] == []
