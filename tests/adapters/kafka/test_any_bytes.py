"""Whatever bytes a message has: whoever opens it gets an event of our form, or NotOurs, and no other error."""

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from adapters.kafka.cloudevents import Envelope, Glance, NotOurs, from_message, glance, headers_of
from adapters.kafka.headers import HEADERS
from adapters.kafka.quarantine import Reason, digest_of, refused
from adapters.workers.ticks import NotATick, Tick
from aggregates.kernel.command import identifier
from tests.adapters.kafka.written import Written
from tests.examples import examples

ID = str(identifier(1)).encode()
GOOD: dict[str, bytes] = {
    "ce_specversion": b"1.0",
    "ce_id": ID,
    "ce_source": b"/arrears",
    "ce_type": b"collections.account.payment-received.v1",
    "ce_subject": ID,
    "ce_time": b"2026-03-02T09:00:01Z",
    "ce_dataschema": b"urn:arrears:event:account.payment-received:v1",
    "ce_partitionkey": ID,
    "ce_sequence": b"1",
    "ce_position": b"1",
    "ce_effectiveon": b"2026-03-02",
    "ce_actor": b"person:ann",
    "ce_commandid": ID,
    "ce_correlationid": ID,
    "ce_leafhash": b"ab" * 32,
    "content-type": b"application/json",
    "ce_accountid": ID,
}
ODD = [
    None, b"", b"0", b"-1", b"+1", b" 1", b"1_0", b"01", b"1.0", b"9223372036854775808", b"9" * 5_000, b"\xff\xfe",
    "١".encode(), b"NaN", b"0000-00-00", b"2026-02-30", b"10000-01-01", b"2026-03-02T09:00:01", b"\x00", ID.upper(),
    b"collections..v1", b"collections.account.aged.v0", b"collections.account.aged.v99999", b"x" * 100_000,
]  # fmt: skip
values = st.one_of(st.none(), st.binary(max_size=80), st.sampled_from(ODD), st.sampled_from(list(GOOD.values())))
names = st.one_of(st.sampled_from([each.name for each in HEADERS]), st.text(max_size=20))
bodies = st.one_of(
    st.none(), st.binary(max_size=80), st.sampled_from([b"", b"{}", b"[]", b"null", b'{"a":', b"\xff", b"[" * 5_000])
)
anything = st.one_of(
    st.none(),
    st.lists(st.tuples(names, values), max_size=25),
    st.dictionaries(st.sampled_from(list(GOOD)), values, max_size=3).map(lambda odd: list({**GOOD, **odd}.items())),
    st.sampled_from(list(GOOD)).map(lambda left_out: [(n, v) for n, v in GOOD.items() if n != left_out]),
)


@settings(max_examples=examples(600))
@given(headers=anything, body=bodies)
@example(headers=list(GOOD.items()), body=b"{}")
@example(headers=[*GOOD.items(), ("ce_position", b"2")], body=b"{}")
def test_a_message_is_opened_or_none_of_ours(headers, body):
    for look in (lambda: glance(headers_of(headers)), lambda: from_message(headers, body)):
        try:
            found = look()
        except NotOurs:
            continue
        assert isinstance(found, Glance | Envelope)
        assert 1 <= found.position < 2**63
        if isinstance(found, Envelope):
            assert isinstance(found.data, dict)
            assert 1 <= found.aggregate_version < 2**31
            assert found.recorded_at.tzinfo is not None


@settings(max_examples=examples(300))
@given(headers=anything, key=values, body=st.one_of(bodies, values))
def test_what_is_not_taken_can_always_be_described(headers, key, body):
    record = Written(3, 9, key, body, headers)
    found = refused(record, Reason.MALFORMED)
    assert (found.partition, found.offset, found.digest) == (3, 9, digest_of(record))
    assert found.key_bytes == len(key or b"")
    assert found.value_bytes == len(body or b"")


@settings(max_examples=examples(300))
@given(
    st.one_of(
        bodies,
        st.recursive(
            st.none() | st.booleans() | st.floats(allow_nan=False) | st.integers(-(2**63), 2**63 - 1) | st.text(),
            lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["now", "position", "x"]), inner),
            max_leaves=8,
        ).map(orjson.dumps),
    )
)
def test_a_tick_is_opened_or_none(value):
    try:
        tick = Tick.from_json(value)
    except NotATick:
        return
    assert tick.now.tzinfo is not None
    assert 0 <= tick.position < 2**63


@pytest.mark.parametrize("header", [name for name in GOOD if name not in {"ce_dataschema", "ce_partitionkey"}])
def test_a_header_without_a_value_makes_a_message_none_of_ours(header: str):
    headers = [(name, None if name == header else value) for name, value in GOOD.items()]
    if header != "content-type":
        with pytest.raises(NotOurs):
            from_message(headers, b"{}")  # type: ignore[arg-type]
    if header in {"ce_position", "ce_type", "ce_id", "ce_specversion", "ce_leafhash"}:
        with pytest.raises(NotOurs):
            glance(headers_of(headers))  # type: ignore[arg-type]


def test_an_error_does_not_say_what_the_message_says():
    for name in GOOD:
        with pytest.raises(NotOurs) as refusal:
            from_message([(n, b"secret" if n == name else v) for n, v in GOOD.items()], b"secret")
        assert "secret" not in str(refusal.value)


def test_names_of_others_are_not_remembered_for_ever():
    from adapters.kafka.cloudevents import _taken_apart

    for number in range(5_000):
        _taken_apart(b"collections.x%d.v1" % number)
    assert _taken_apart.cache_info().currsize <= 1_000
