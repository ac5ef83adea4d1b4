"""Waiting for Kafka to have what was sent, without being taken for frozen meanwhile."""

import time

from kafka import KafkaProducer
from kafka.errors import KafkaTimeoutError

from adapters.postgres.lease import going_on

_SLICE_SECONDS = 1.0


def flush(producer: KafkaProducer, *, seconds: float) -> None:
    """Sends what the producer holds, and returns once every message is acknowledged or has failed.

    Raises KafkaTimeoutError, and LeaseLost where another process was given the role meanwhile.
    """
    until = time.monotonic() + seconds
    while True:
        going_on()
        left = until - time.monotonic()
        try:
            producer.flush(timeout=max(0.0, min(left, _SLICE_SECONDS)))
        except KafkaTimeoutError:
            if left <= _SLICE_SECONDS:
                raise
        else:
            return
