"""Secrets that are given in files, or in variables: read where they are used, and shown to nobody."""

from collections.abc import Mapping
from pathlib import Path


class Secret(str):
    """A text that shows itself to nobody who looks at what holds it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'[left out]'"


class SecretProblem(Exception):
    """A secret cannot be read; the message names the variable, and never the secret."""


def text_of(variable: str, file: Path) -> str:
    """What stands in the file that a variable names, without its last line end. Raises SecretProblem."""
    try:
        text = file.read_text(encoding="utf-8").strip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise SecretProblem(f"{variable}: {file} cannot be read: {why}.") from None
    if not text:
        raise SecretProblem(f"{variable}: {file} is empty.")
    return text


def secret_of(env: Mapping[str, str], variable: str, file_variable: str) -> Secret | None:
    """From the file, else from the variable itself; None where neither is set. Raises SecretProblem."""
    if env.get(variable) and env.get(file_variable):
        raise SecretProblem(f"{variable} and {file_variable} are both set. One of them is enough.")
    if file := env.get(file_variable):
        return Secret(text_of(file_variable, Path(file)))
    return Secret(env[variable]) if env.get(variable) else None
