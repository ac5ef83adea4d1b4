from tests.adapters.readers.conftest import log

__all__ = ["log"]
