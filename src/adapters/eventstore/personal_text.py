"""Encrypting personal text inside JSON, and reading it back, or `erased` where its key is gone."""

import base64
import binascii
import os
from collections.abc import Callable, Iterable
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from aggregates.kernel.personal import EACH, ERASED, Path

PREFIX = "enc:1:"
MARK = b'"' + PREFIX.encode()
"""JSON without these bytes holds nothing encrypted."""

_NONCE = 12
_NESTED = (dict, list)

Change = Callable[[str, str], str]


def encrypt(data: Any, paths: Iterable[Path], cipher: AESGCM | None, context: bytes) -> Any:
    """JSON data with the text at `paths` encrypted, each bound to `context` and its own place.

    Without a cipher (the account's key is destroyed) the text is dropped: an erased person stays erased.
    """

    def change(text: str, place: str) -> str:
        if cipher is None:
            return ERASED
        nonce = os.urandom(_NONCE)
        sealed = cipher.encrypt(nonce, text.encode(), context + place.encode())
        return PREFIX + base64.b64encode(nonce + sealed).decode("ascii")

    for path in paths:
        data = _change_at(data, path, change, "")
    return data


def erase(data: Any, paths: Iterable[Path]) -> Any:
    """JSON data that reads `erased` at `paths`."""
    return encrypt(data, paths, None, b"")


def decrypt(data: Any, cipher: AESGCM | None, context: bytes) -> Any:
    """The same JSON data, changed in place: every encrypted text readable again, wherever an older version of the event
    had it."""

    def change(text: str, place: str) -> str:
        if cipher is None:
            return ERASED
        try:
            sealed = binascii.a2b_base64(text[len(PREFIX) :], strict_mode=True)
            return cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], context + place.encode()).decode()
        except (binascii.Error, InvalidTag, ValueError):
            return text  # somebody typed the prefix into a field that is not personal

    _change_encrypted(data, change, "")
    return data


def _change_at(node: Any, path: Path, change: Change, place: str) -> Any:
    if not path:
        return change(node, place) if isinstance(node, str) and node else node
    head, rest = path[0], path[1:]
    match node:
        case dict() if head == EACH:
            return {key: _change_at(value, rest, change, f"{place}/{key}") for key, value in node.items()}
        case list() if head == EACH:
            return [_change_at(value, rest, change, f"{place}/{index}") for index, value in enumerate(node)]
        case dict() if head in node:
            return {**node, head: _change_at(node[head], rest, change, f"{place}/{head}")}
        case _:
            return node


def _change_encrypted(node: dict[str, Any] | list[Any], change: Change, place: str) -> None:
    """Every account that is loaded comes through here, so it looks at exact types, which is what a parser makes."""
    entries: Iterable[tuple[Any, Any]] = node.items() if type(node) is dict else enumerate(node)
    for key, value in entries:
        if type(value) is str:
            if value.startswith(PREFIX):
                node[key] = change(value, f"{place}/{key}")
        elif value and type(value) in _NESTED:
            _change_encrypted(value, change, f"{place}/{key}")
