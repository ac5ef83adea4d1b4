"""Layouts of placement files: those that Arrears has, and an agency's own, as TOML."""

import tomllib
from importlib.resources import files
from typing import Any

from pydantic import ValidationError

from aggregates.values.agency import Agency, Layout
from aggregates.values.patterns import message_of

SHIPPED = files("adapters.placement") / "layouts"


class LayoutError(ValueError):
    """No layout; the message names the field and what was expected."""


def shipped_layouts() -> list[str]:
    """The names of the layouts that Arrears has."""
    return sorted(each.name.removesuffix(".toml") for each in SHIPPED.iterdir() if each.name.endswith(".toml"))


def shipped_layout(name: str) -> Layout:
    """Raises LayoutError."""
    if name not in shipped_layouts():
        raise LayoutError(f"layout: expected one of {', '.join(shipped_layouts())}, or a TOML file")
    return layout_of((SHIPPED / f"{name}.toml").read_text(encoding="utf-8"))


def layout_of(text: str) -> Layout:
    """A layout as it is written in TOML. Raises LayoutError."""
    try:
        said: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise LayoutError(f"layout: expected TOML: {error}") from None
    try:
        return Layout.model_validate(said)
    except ValidationError as wrong:
        first = wrong.errors()[0]
        where = ".".join(map(str, first["loc"]))
        message = message_of(first).removeprefix("Value error, ").replace("Input should be", "expected")
        raise LayoutError(f"layout{f', {where}' if where else ''}: {message}") from None


def layout_for(agency: Agency, name: str | None = None) -> Layout:
    """Of a file for an agency: the one that is named, else the agency's. Raises LayoutError."""
    if name is None and agency.own_layout is not None:
        return agency.own_layout
    return shipped_layout(name or agency.layout)
