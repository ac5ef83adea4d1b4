"""Header names that are no text. Kafka takes them from anybody; kafka-python and aiokafka raise where they meet one,
and meet it again whenever they read on, so that one message would stop whoever reads its partition, for good.

Here such a name is read with U+FFFD in place of what is no UTF-8: the message is none of ours, and is passed over.
`adapters.workers.header_names` does it for aiokafka.
"""

from typing import Any

from kafka.record import default_records


class Lenient(bytes):
    """What is cut from it decodes whatever it is."""

    __slots__ = ()

    def __getitem__(self, key: Any) -> Any:
        found = super().__getitem__(key)
        return found if isinstance(found, int) else Lenient(found)

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        del errors
        return super().decode(encoding, "replace")


def make_lenient(batch_class: Any) -> None:
    """Lets a library's batch of records be read on where a name is no text; other batches cost nothing more."""
    strict = batch_class._read_msg

    def read_msg(batch: Any) -> Any:
        try:
            return strict(batch)
        except UnicodeDecodeError:  # nothing of the record was taken yet
            batch._buffer = Lenient(batch._buffer)
            return strict(batch)

    batch_class._read_msg = read_msg


make_lenient(default_records.DefaultRecordBatch)
