"""An account's partition is the same to everybody: to the agenda, to kafka-python, and to Faust's aiokafka."""

from types import SimpleNamespace

import pytest
from aiokafka.partitioner import DefaultPartitioner as AiokafkaPartitioner
from hypothesis import given
from hypothesis import strategies as st
from kafka.partitioner import DefaultPartitioner as KafkaPythonPartitioner

from projections.agenda.partition import murmur2, partition_of

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
