"""What can go wrong has a line for people: the table of known errors names errors that exist."""

import importlib

import pytest

from api.cli.problems import _KNOWN


@pytest.mark.parametrize(("module", "name"), [(module, name) for module, name, _ in _KNOWN])
def test_every_known_error_exists(module: str, name: str):
    assert issubclass(getattr(importlib.import_module(module), name), Exception)
