"""Groups of commands that are made of their declarations when they are asked for: all of them at once take a while."""

from collections import UserDict
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_group_from_info
from typer.models import TyperInfo


class CommandsWithGroups(typer.Typer):
    """A Typer whose groups are made when they are asked for; its `cls` is a GroupsWhenAsked."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.groups: dict[str, typer.Typer] = {}

    def add_typer(self, typer_instance: typer.Typer, *, name: str, **_: Any) -> None:  # type: ignore[override]
        """Takes groups by their name alone."""
        self.groups[name] = typer_instance


class GroupsWhenAsked(TyperGroup):
    """The commands of a CommandsWithGroups, which its subclass names as `declared`."""

    declared: CommandsWithGroups

    def __init__(self, *, commands: dict[str, Any], **options: Any) -> None:
        super().__init__(commands={}, **options)
        self.commands = _Made({**commands, **self.declared.groups})


class _Made(UserDict[str, Any]):
    """Commands by name; a group is made at its first look."""

    def __getitem__(self, name: str) -> Any:
        found = super().__getitem__(name)
        if isinstance(found, typer.Typer):
            found = self.data[name] = get_group_from_info(
                TyperInfo(found, name=name),
                pretty_exceptions_short=found.pretty_exceptions_short,
                rich_markup_mode=found.rich_markup_mode,
                suggest_commands=found.suggest_commands,
            )
        return found
