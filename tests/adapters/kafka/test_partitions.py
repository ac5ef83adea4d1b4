"""An account's partition is the same to everybody: to the agenda, to kafka-python, and to Faust's aiokafka."""

from types import SimpleNamespace

import pytest
from aiokafka.partitioner import DefaultPartitioner as AiokafkaPartitioner
from hypothesis import given
from hypothesis import strategies as st
from kafka.partitioner import DefaultPartitioner as KafkaPythonPartitioner

from adapters.postgres.database import Database
from adapters.readers.projections import Projections
from aggregates.campaign import CampaignPaused
from aggregates.kernel.command import identifier
from aggregates.office import AutomationPaused
from projections.agenda import AgendaProjection
from projections.agenda.partition import murmur2, partition_of, place_of
from tests.adapters.readers.builders import (
    CAMPAIGN,
    OFFICE,
    a_campaign,
    an_item,
    an_office,
    billed,
    moment,
    opened,
    promised,
)
from tests.adapters.readers.log import Log, rows

PARTITIONS = st.integers(1, 200)


@given(key=st.uuids(), partitions=PARTITIONS)
def test_the_agenda_and_kafka_python_agree(key, partitions):
    everywhere = set(range(partitions))
    cluster = SimpleNamespace(
        topics=lambda: {"topic"},
        partitions_for_topic=lambda topic: everywhere,
        available_partitions_for_topic=lambda topic: everywhere,
    )
    chosen = KafkaPythonPartitioner().partition("topic", None, str(key).encode(), None, None, cluster)
    assert partition_of(key, partitions) == chosen


@given(key=st.uuids(), partitions=PARTITIONS)
def test_the_agenda_and_aiokafka_agree(key, partitions):
    everywhere = list(range(partitions))
    assert partition_of(key, partitions) == AiokafkaPartitioner()(str(key).encode(), everywhere, everywhere)


@given(key=st.uuids(), partitions=PARTITIONS)
def test_the_place_on_the_agenda_says_the_partition_however_many_there_are(key, partitions):
    """Ticks of a partition ask for `place % partitions`: for those whose events that partition brings."""
    place = place_of(key)
    assert 0 <= place < 2**31  # the column's type
    everywhere = list(range(partitions))
    assert place % partitions == AiokafkaPartitioner()(str(key).encode(), everywhere, everywhere)


def test_whoever_is_on_the_agenda_is_placed_where_their_events_are(database: Database, log: Log):
    """An account's promises are keyed by the account, a campaign's and an office's pauses by themselves."""
    ann, promise = identifier("account", "ann"), identifier("promise", 1)
    log.append(ann, opened(), billed(an_item()))
    log.append(promise, promised(ann, (5, 100)), account_id=ann)
    log.append(CAMPAIGN, a_campaign(), CampaignPaused(office_id=OFFICE, paused_from=moment(0), paused_until=moment(3)))
    log.append(OFFICE, an_office(), AutomationPaused(paused_from=moment(0), paused_until=moment(3)))
    projections = Projections(database, log.feed, [AgendaProjection])
    projections.start()
    projections.close()
    keys = {"aging": [ann], "promise": [ann], "pause-end": [CAMPAIGN, OFFICE]}
    found = rows(database, "SELECT kind, place FROM read_model.agenda")
    assert sorted(found) == sorted((kind, place_of(key)) for kind, those in keys.items() for key in those)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_murmur2_is_that_of_kafkas_java_client(data, expected):
    """Values from the tests of Apache Kafka's org.apache.kafka.common.utils.Utils.murmur2."""
    assert murmur2(data) == expected & 0xFFFFFFFF
