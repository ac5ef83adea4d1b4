"""What a change of a released event version breaks, by named rule. Old readers and old events have to survive."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from api.contract.events import Schema

_UPPER = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
_LOWER = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")


@dataclass(frozen=True, slots=True)
class Break:
    """A rule that a change violates, and where."""

    file: str
    rule: str
    field: str
    detail: str

    def __str__(self) -> str:
        return f"{self.file}: {self.rule}: {self.field or 'the event'}: {self.detail}"


def breaks(released: Mapping[str, Schema], now: Mapping[str, Schema]) -> Iterator[Break]:
    """Every violation in the schemas of now (by file name) against those that were released."""
    for file, old in sorted(released.items()):
        if file not in now:
            yield Break(file, "version-removed", "", "a released version stays for good; old events need it")
            continue
        for rule, field, detail in _compare(old, now[file], "", old, now[file]):
            yield Break(file, rule, field, detail)


Found = Iterator[tuple[str, str, str]]


def _compare(old: Any, new: Any, at: str, old_root: Schema, new_root: Schema) -> Found:
    old, new = _resolved(old, old_root), _resolved(new, new_root)
    was, now = _types(old, old_root), _types(new, new_root)
    if was != now:
        yield "type-changed", at, f"{_named(was)} became {_named(now)}"
        return
    yield from _enums(old, new, at)
    yield from _constraints(old, new, at)
    yield from _properties(old, new, at, old_root, new_root)
    for part, mark in (("items", "*"), ("additionalProperties", "*"), ("propertyNames", "(key)")):
        if isinstance(old.get(part), dict) and isinstance(new.get(part), dict):
            yield from _compare(old[part], new[part], f"{at}.{mark}".lstrip("."), old_root, new_root)
    for was_option, now_option in zip(_options(old, old_root), _options(new, new_root), strict=False):
        yield from _compare(was_option, now_option, at, old_root, new_root)


def _properties(old: Schema, new: Schema, at: str, old_root: Schema, new_root: Schema) -> Found:
    mine, theirs = old.get("properties", {}), new.get("properties", {})
    needed, needs = set(old.get("required", [])), set(new.get("required", []))
    for name, field in sorted(mine.items()):
        place = f"{at}.{name}".lstrip(".")
        if name not in theirs:
            yield "field-removed", place, "old readers rely on it"
        else:
            yield from _compare(field, theirs[name], place, old_root, new_root)
    for name in sorted(needs - needed):
        yield "required-added", f"{at}.{name}".lstrip("."), "old events do not have it"
    for name in sorted((needed - needs) & theirs.keys()):
        yield "required-removed", f"{at}.{name}".lstrip("."), "old readers expect it"


def _enums(old: Schema, new: Schema, at: str) -> Found:
    was = set(map(str, old.get("enum", [old["const"]] if "const" in old else [])))
    now = set(map(str, new.get("enum", [new["const"]] if "const" in new else [])))
    if not was and now:
        yield "enum-narrowed", at, f"any value became one of {', '.join(sorted(now))}"
    elif gone := was - now:
        yield "enum-narrowed", at, f"{', '.join(sorted(gone))} cannot be read any more"


def _constraints(old: Schema, new: Schema, at: str) -> Found:
    for name in ("pattern", "format"):
        if new.get(name) is not None and new.get(name) != old.get(name):
            yield "constraint-tightened", at, f"{name} {old.get(name) or 'any'} became {new[name]}"
    for name in (*_UPPER, *_LOWER):
        was, now = old.get(name), new.get(name)
        tighter = now is not None and (was is None or (now < was if name in _UPPER else now > was))
        if tighter:
            yield "constraint-tightened", at, f"{name} {'any' if was is None else was} became {now}"
    if new.get("uniqueItems") and not old.get("uniqueItems"):
        yield "constraint-tightened", at, "entries have to differ"


def _resolved(node: Any, root: Schema) -> Schema:
    """What a reference points to."""
    if not isinstance(node, dict):
        return {}
    found: Schema = node
    while "$ref" in found:
        found = {**root["$defs"][found["$ref"].rpartition("/")[2]], **{k: v for k, v in found.items() if k != "$ref"}}
    return found


def _options(node: Schema, root: Schema) -> list[Schema]:
    """The branches of a union, in an order that does not depend on how it was written."""
    branches: list[Schema] = node.get("anyOf") or node.get("oneOf") or []
    options = [_resolved(each, root) for each in branches]
    return sorted(options, key=lambda each: _named(_types(each, root)))


def _types(node: Schema, root: Schema) -> frozenset[str]:
    if options := _options(node, root):
        return frozenset(kind for each in options for kind in _types(each, root))
    said: str | list[str] | None = node.get("type")
    kinds = said if isinstance(said, list) else [said] if said else _implied(node)
    return frozenset(f"{kind} {node['format']}" if "format" in node else str(kind) for kind in kinds)


def _implied(node: Schema) -> list[str]:
    values = node.get("enum", [node["const"]] if "const" in node else [])
    return sorted({"string" if isinstance(value, str) else "integer" for value in values}) or ["anything"]


def _named(kinds: frozenset[str]) -> str:
    return " or ".join(sorted(kinds))
