"""As `adapters.kafka.header_names`, for aiokafka, whose compiled part cannot be told to read any name."""

from collections.abc import Iterator
from typing import Any

from aiokafka.consumer import fetcher
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.memory_records import MemoryRecords, _MemoryRecordsPy

from adapters.kafka.header_names import make_lenient


class _Records:
    """The records of a partition, and the bytes that they are read from."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self._records = MemoryRecords(data)
        self.has_next = self._records.has_next
        self.next_batch = self._records.next_batch
        self.size_in_bytes = self._records.size_in_bytes


class _RecordsInPython(_MemoryRecordsPy):  # type: ignore[misc]  # its own next_batch makes compiled batches
    """The same, read without the compiled part."""

    def next_batch(self) -> Any:
        found = self._next_slice
        if found is None or found[self.MAGIC_OFFSET] < 2:
            return super().next_batch()
        self._cache_next()
        return _DefaultRecordBatchPy(found)


class _PartitionRecords(fetcher.PartitionRecords):  # type: ignore[misc]
    """Begins again in Python, behind what it has given, where the compiled part cannot go on."""

    _records: Any

    def _unpack_records(self) -> Iterator[Any]:
        try:
            yield from super()._unpack_records()
        except UnicodeDecodeError:
            self._records = _RecordsInPython(self._records.data)
            yield from super()._unpack_records()


make_lenient(_DefaultRecordBatchPy)
fetcher.MemoryRecords = _Records
fetcher.PartitionRecords = _PartitionRecords
