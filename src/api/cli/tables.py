"""Tables for people: figures are never cut, and where the line is too short columns give way in a stated order."""

from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from enum import Enum
from functools import wraps
from inspect import Parameter, signature
from itertools import zip_longest
from typing import Annotated, Any

import typer
from rich.cells import cell_len, chop_cells, set_cell_size

GAP = "  "
ELLIPSIS = "…"
_LEAST_TEXT = 12
_LEAST_PROSE = 20
_LEAST_FOLDED = 4


class Fit(Enum):
    """What becomes of a value that is longer than its column may be."""

    WHOLE = "stays whole"
    FOLDS = "stays whole, over several lines where even that is too long"
    ENDS = "ends with …"
    WRAPS = "goes on in the next line"


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table. Those that `leave` make room where the line is too short: 1 leaves first, 0 never does."""

    name: str
    leaves: int = 0
    fit: Fit = Fit.WHOLE
    right: bool = False


def key(name: str) -> Column:
    """What a row is about: it never leaves and is never cut."""
    return Column(name, fit=Fit.FOLDS)


def figure(name: str, leaves: int = 0) -> Column:
    """An amount or a number: on the right, never cut."""
    return Column(name, leaves, right=True)


def word(name: str, leaves: int = 0) -> Column:
    """A day, a code, an id: never cut."""
    return Column(name, leaves)


def text(name: str, leaves: int = 0) -> Column:
    """A name or a title: where it is too long it ends with …"""
    return Column(name, leaves, Fit.ENDS)


def prose(name: str, leaves: int = 0) -> Column:
    """Words that explain: they go on in the next line."""
    return Column(name, leaves, Fit.WRAPS)


# --- what the caller wants of them ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Wish:
    """`--wide` and `--columns` of a command."""

    wide: bool = False
    columns: tuple[str, ...] = ()


_wish: ContextVar[Wish] = ContextVar("wish")

Wide = Annotated[bool, typer.Option("--wide", help="Every column whole, however long the lines become.")]
Columns = Annotated[
    str | None, typer.Option("--columns", metavar="A,B,C", help="Only these columns of the table, in this order.")
]


def tabular(command: Callable[..., None]) -> Callable[..., None]:
    """Gives a command `--wide` and `--columns`; the tables that it prints heed them."""

    @wraps(command)
    def told(*args: Any, wide: bool = False, columns: str | None = None, **given: Any) -> None:
        names = tuple(name.strip() for name in (columns or "").split(",") if name.strip())
        token = _wish.set(Wish(wide, names))
        try:
            command(*args, **given)
        finally:
            _wish.reset(token)

    own = signature(command)
    more = (
        Parameter("columns", Parameter.KEYWORD_ONLY, default=None, annotation=Columns),
        Parameter("wide", Parameter.KEYWORD_ONLY, default=False, annotation=Wide),
    )
    told.__signature__ = own.replace(parameters=[*own.parameters.values(), *more])  # type: ignore[attr-defined]
    told.__annotations__ = {**command.__annotations__, "columns": Columns, "wide": Wide}
    return told


def wish() -> Wish:
    """What the caller wants. Raises LookupError under a command that is not `tabular`."""
    return _wish.get()


def take_columns() -> tuple[str, ...]:
    """Those that the caller wants, for a command that heeds them by itself; what prints sees none then."""
    wanted = _wish.get()
    _wish.set(Wish(wanted.wide))
    return wanted.columns


def refuse_columns() -> None:
    """For what is printed instead of a table: it has every column."""
    if _wish.get(Wish()).columns:
        raise typer.BadParameter("--columns is for tables; JSON and CSV have every column")


def chosen(columns: Sequence[Column], names: Sequence[str]) -> list[int]:
    """The places of the columns that are named, in that order; all where none is. Raises BadParameter."""
    places = {column.name: place for place, column in enumerate(columns)}
    for name in names:
        if name not in places:
            raise typer.BadParameter(f"--columns {name}: expected some of {', '.join(places)}")
    return [places[name] for name in dict.fromkeys(names)] or [*places.values()]


# --- fitting -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Layout:
    """Which columns are shown (their places), how wide each is, and the names of those that made room."""

    places: list[int]
    widths: list[int]
    left_out: list[str]


def fitted(columns: Sequence[Column], cells: Sequence[Sequence[str]], width: int | None) -> Layout:
    """How a table fits into lines of `width` cells; None: as wide as it is.

    First texts become shorter, then columns leave, and at last what is never cut is folded.
    """
    natural = [max(cell_len(row[place]) for row in (names_of(columns), *cells)) for place in range(len(columns))]
    places = list(range(len(columns)))
    if width is None:
        return Layout(places, natural, [])
    least = [_least(column, natural[place]) for place, column in enumerate(columns)]
    for leaving in sorted((p for p in places if columns[p].leaves), key=lambda p: columns[p].leaves):
        if len(places) == 1 or _total([least[place] for place in places]) <= width:
            break
        places.remove(leaving)
    left_out = [column.name for place, column in enumerate(columns) if place not in places]
    return Layout(places, _widths(columns, natural, least, places, width), left_out)


def _least(column: Column, natural: int) -> int:
    match column.fit:
        case Fit.ENDS:
            return min(natural, max(cell_len(column.name), _LEAST_TEXT))
        case Fit.WRAPS:
            return min(natural, max(cell_len(column.name), _LEAST_PROSE))
        case _:
            return natural


def _widths(
    columns: Sequence[Column], natural: Sequence[int], least: Sequence[int], places: Sequence[int], width: int
) -> list[int]:
    """The least widths and what is left of the line: first for what would be cut, then for what goes on in the next
    line, the most important columns first."""
    widths = {place: least[place] for place in places}
    spare = width - _total(list(widths.values()))
    by_importance = sorted(places, key=lambda place: columns[place].leaves or len(columns) + 1, reverse=True)
    if spare < 0:
        for place in by_importance[::-1]:
            if columns[place].fit is not Fit.WHOLE:
                taken = min(-spare, max(0, widths[place] - _LEAST_FOLDED))
                widths[place] -= taken
                spare += taken
    for place in sorted(by_importance, key=lambda place: columns[place].fit is Fit.WRAPS):
        given = min(max(spare, 0), natural[place] - widths[place])
        widths[place] += given
        spare -= given
    return [widths[place] for place in places]


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + len(GAP) * (len(widths) - 1)


def names_of(columns: Sequence[Column]) -> list[str]:
    return [column.name for column in columns]


# --- drawing -------------------------------------------------------------------------------------------


def drawn(columns: Sequence[Column], layout: Layout, row: Sequence[str]) -> Iterator[str]:
    """The lines of a row."""
    shown = [columns[place] for place in layout.places]
    pieces = [
        list(_pieces(row[place], column, width))
        for place, column, width in zip(layout.places, shown, layout.widths, strict=True)
    ]
    for parts in zip_longest(*pieces, fillvalue=""):
        cells = (_aligned(part, c, w) for part, c, w in zip(parts, shown, layout.widths, strict=True))
        yield GAP.join(cells).rstrip()


def _aligned(piece: str, column: Column, width: int) -> str:
    if column.right:
        return " " * (width - cell_len(piece)) + piece
    return piece + " " * (width - cell_len(piece))


def _pieces(value: str, column: Column, width: int) -> Iterator[str]:
    if cell_len(value) <= width or column.fit is Fit.WHOLE:
        yield value
    elif column.fit is Fit.ENDS:
        yield set_cell_size(value, width - 1).rstrip() + ELLIPSIS
    elif column.fit is Fit.FOLDS:
        yield from chop_cells(value, width)
    else:
        yield from wrapped(value, width)


def wrapped(value: str, width: int) -> Iterator[str]:
    """Lines of words; a word that is longer than a line is folded."""
    current = ""
    for each in value.split(" "):
        longer = f"{current} {each}" if current else each
        if cell_len(longer) <= width:
            current = longer
            continue
        if current:
            yield current
        *folded, current = chop_cells(each, width) or [""]
        yield from folded
    yield current
