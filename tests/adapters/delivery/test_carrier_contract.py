"""What every carrier promises, held against a real other end: servers of mail, HTTP and SFTP, and folders."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from adapters.delivery.carrier import Attempt, CarrierRefused, CarrierUnavailable
from adapters.delivery.carriers.letters_folder import LettersFolder
from adapters.delivery.carriers.letters_sftp import LettersSftp
from adapters.delivery.carriers.smtp import Smtp
from adapters.delivery.carriers.twilio import Twilio
from adapters.delivery.outbox import Outbox
from adapters.delivery.rendering import Letter
from adapters.readers.poison import is_poison
from aggregates.values.contact import Channel
from tests.adapters.delivery.carriers.stands import STANDS, Kind, Stand, saying

EVIL = "\r\nBcc: eve@example.org\r\n\r\nforged"
LONG = "x" * 3_000


def stands(wanted: Callable[[Kind], object]) -> Callable[[Any], Any]:
    """A fixture of those that something can be asked of."""
    return pytest.fixture(params=[name for name, kind in STANDS.items() if wanted(kind)])


def made(name: str, folder: Path) -> Iterator[Stand]:
    with STANDS[name].make(folder) as stand:
        yield stand
        stand.carrier.close()


@stands(lambda kind: True)
def stand(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stand]:
    yield from made(request.param, tmp_path)


@stands(lambda kind: kind.of.has_peer)
def with_peer(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stand]:
    yield from made(request.param, tmp_path)


@stands(lambda kind: kind.of.peer_refuses)
def that_may_refuse(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stand]:
    yield from made(request.param, tmp_path)


@stands(lambda kind: kind.of.bad_address)
def with_address(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stand]:
    yield from made(request.param, tmp_path)


@stands(lambda kind: kind.is_idempotent)
def that_takes_once(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stand]:
    yield from made(request.param, tmp_path)


def attempt(letter: Letter | None) -> Attempt:
    return Attempt(datetime.now(UTC) - timedelta(minutes=5), lambda: letter)


def flat(text: str) -> str:
    return "".join(text.split())


def test_it_says_what_it_is_and_carries(stand: Stand):
    carrier = stand.carrier
    assert carrier.name
    assert carrier.leads_to
    assert stand.letter.channel in carrier.channels
    assert timedelta(seconds=1) < carrier.answers_within <= timedelta(minutes=5)


def test_it_takes_a_message_and_reports_a_reference(stand: Stand):
    stand.carrier.check()
    reference = stand.carrier.send(uuid4(), stand.letter)
    assert reference
    assert stand.letter.to not in reference
    [seen] = stand.seen()
    assert flat(stand.letter.body) in flat(seen.words)


def test_each_message_has_a_reference_of_its_own(stand: Stand):
    references = {stand.carrier.send(uuid4(), stand.letter) for _ in range(3)}
    assert len(references) == len(stand.seen()) == 3


@pytest.mark.parametrize("text", [LONG, ".\r\nQUIT", "\n.\n..\n", "<Say>&amp;</Say>", '#panic("x") *a* $b$', "a\tb"])
def test_whatever_a_text_says_it_arrives_as_it_is(stand: Stand, text: str):
    stand.carrier.send(uuid4(), saying(stand.letter, body=f"begins {text} ends"))
    [seen] = stand.seen()
    assert flat(f"begins {text} ends") in flat(seen.words)


def test_letters_of_other_scripts_arrive_as_they_are(stand: Stand):
    stand.carrier.send(uuid4(), saying(stand.letter, body=f"begins {stand.shows} ends", subject=stand.shows))
    [seen] = stand.seen()
    assert flat(stand.shows) in flat(seen.words)


def test_a_line_end_in_a_subject_forges_nothing(stand: Stand):
    """Refused, or a part of the subject: nobody else gets it, and its text is the same."""
    stand.carrier.send(uuid4(), stand.letter)
    [honest] = stand.seen()
    try:
        stand.carrier.send(uuid4(), saying(stand.letter, subject=f"Hello{EVIL}"))
    except CarrierRefused:
        assert stand.seen() == [honest]
    else:
        assert [each.to for each in stand.seen()] == [honest.to, honest.to]


def test_a_line_end_in_an_address_is_refused(with_address: Stand):
    with pytest.raises(CarrierRefused):
        with_address.carrier.send(uuid4(), saying(with_address.letter, to=f"{with_address.letter.to}{EVIL}"))
    assert with_address.seen() == []


def test_what_is_no_address_is_refused_for_certain(with_address: Stand):
    with pytest.raises(CarrierRefused) as refused:
        with_address.carrier.send(uuid4(), saying(with_address.letter, to=with_address.bad_address))
    assert refused.value.code.startswith("bad-")
    assert with_address.seen() == []


def test_what_the_other_end_refuses_is_refused_for_certain_and_the_next_message_leaves(that_may_refuse: Stand):
    that_may_refuse.refuses()
    with pytest.raises(CarrierRefused) as refused:
        that_may_refuse.carrier.send(uuid4(), that_may_refuse.letter)
    assert refused.value.code
    assert that_may_refuse.seen() == []
    that_may_refuse.recovers()
    that_may_refuse.carrier.send(uuid4(), that_may_refuse.letter)
    assert len(that_may_refuse.seen()) == 1


def test_what_it_certainly_did_not_take_now_it_takes_later(stand: Stand):
    message = uuid4()
    stand.unavailable()
    with pytest.raises(CarrierUnavailable) as unavailable:
        stand.carrier.send(message, stand.letter)
    assert stand.letter.to not in str(unavailable.value)
    assert not is_poison(unavailable.value)
    stand.recovers()
    stand.carrier.check()
    stand.carrier.send(message, stand.letter)
    assert len(stand.seen()) == 1


def test_when_the_other_end_dies_with_the_text_nobody_says_that_it_did_not_take_it(with_peer: Stand):
    with_peer.dies()
    with pytest.raises(Exception) as broke:  # noqa: PT011 - whatever it is, but not these two
        with_peer.carrier.send(uuid4(), with_peer.letter)
    assert not isinstance(broke.value, CarrierRefused | CarrierUnavailable)
    assert not is_poison(broke.value)
    assert with_peer.letter.to not in str(broke.value)
    assert len(with_peer.seen()) == 1


def test_what_it_says_that_it_took_has_arrived_and_what_it_denies_has_not(with_peer: Stand):
    message = uuid4()
    assert not with_peer.carrier.took(message, attempt(with_peer.letter))
    with_peer.dies()
    with pytest.raises(Exception):  # noqa: B017, PT011
        with_peer.carrier.send(message, with_peer.letter)
    with_peer.recovers()
    taken = with_peer.carrier.took(message, attempt(with_peer.letter))
    assert taken is None or isinstance(taken, Letter)
    if isinstance(taken, Letter):
        assert (taken.to, taken.body) == (with_peer.letter.to, with_peer.letter.body)
    if with_peer.carrier.is_idempotent:
        assert isinstance(taken, Letter)


def test_one_that_promises_to_take_an_id_once_does(that_takes_once: Stand):
    message = uuid4()
    first = that_takes_once.carrier.send(message, that_takes_once.letter)
    seen = that_takes_once.seen()
    assert that_takes_once.carrier.send(message, saying(that_takes_once.letter, body="other words")) == first
    assert that_takes_once.seen() == seen
    taken = that_takes_once.carrier.took(message, attempt(None))
    assert isinstance(taken, Letter)
    assert taken.body == that_takes_once.letter.body


@pytest.mark.parametrize("name", STANDS)
def test_what_is_promised_is_what_is_tried_here(name: str, tmp_path: Path):
    with STANDS[name].make(tmp_path) as stand:
        assert stand.carrier.is_idempotent == STANDS[name].is_idempotent


def test_every_channel_but_the_portal_has_a_carrier_beside_the_outbox():
    carriers = (Smtp, Twilio, LettersFolder, LettersSftp)
    assert frozenset(Channel) - frozenset().union(*(each.channels for each in carriers)) == {Channel.PORTAL}
    assert Outbox.channels == frozenset(Channel)
