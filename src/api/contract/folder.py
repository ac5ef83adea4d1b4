"""The contract as committed files: written from the models, compared with them, and kept compatible."""

import json
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, cast

from aggregates.kernel.refusals import REFUSALS
from api.contract.asyncapi import asyncapi
from api.contract.compatibility import Break, breaks
from api.contract.contact_rules import contact_rules_page
from api.contract.envelope import envelope
from api.contract.events import Schema, file_name, load_every_event, schema_of
from api.contract.glossary import glossary
from api.contract.refusals import refusals_page
from policies.contact.table import TABLE

if TYPE_CHECKING:
    from api.processes.service import Service

EVENTS = "schemas/events"


class ContractProblem(Exception):
    """The contract cannot be built or checked here; the message says why."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Difference:
    """A committed file that is not what the models say."""

    path: str
    what: str

    def __str__(self) -> str:
        return f"{self.path}: {self.what}"


def wanted(root: Path) -> dict[str, str]:
    """Every file of the contract, by its path in the checkout, as this release's models have it.

    Schemas of earlier versions of an event stay as they were committed.
    """
    files = dict(_of_the_models())
    current = {event.event_name: event.event_version for event in load_every_event()}
    for path, schema in _committed(root / EVENTS).items():
        name, version = _parts(path)
        if version < current.get(name, 0):
            files.setdefault(f"{EVENTS}/{path}", text_of(schema))
    return dict(sorted(files.items()))


@cache
def _of_the_models() -> Mapping[str, str]:
    """What needs no checkout; models do not change while a process runs."""
    events = load_every_event()
    files = {f"{EVENTS}/{file_name(event)}": text_of(schema_of(event)) for event in events}
    files["schemas/envelope.json"] = text_of(envelope())
    files["schemas/asyncapi.json"] = text_of(asyncapi(events))
    files["schemas/openapi.json"] = text_of(_openapi())
    files["docs/events.md"] = glossary(events)
    files["docs/contact-rules.md"] = contact_rules_page(TABLE)
    files["docs/refusals.md"] = refusals_page(REFUSALS.values())
    return MappingProxyType(files)


def text_of(schema: Schema) -> str:
    """Always the same for the same schema."""
    return json.dumps(schema, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def build(root: Path, *, unreleased: bool = False) -> list[Path]:
    """Writes what differs. Raises ContractProblem where a released version would break.

    `unreleased`: nobody has seen the committed versions yet, so they may still change, and go.
    """
    _require_checkout(root)
    files = wanted(root)
    broken = [] if unreleased else incompatibilities(root, files)
    if broken:
        raise ContractProblem(
            "\n       ".join(map(str, broken)),
            hint="A released version never changes: raise the event's version and register an upcaster.",
        )
    written = []
    for path, text in files.items():
        file = root / path
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
            written.append(file)
    for path in _committed(root / EVENTS) if unreleased else ():
        if f"{EVENTS}/{path}" not in files:
            (root / EVENTS / path).unlink()
    return written


def differences(root: Path) -> Iterator[Difference]:
    """Committed files that are not what the models say, are missing, or are of no event."""
    _require_checkout(root)
    files = wanted(root)
    for path, text in files.items():
        file = root / path
        if not file.exists():
            yield Difference(path, "is missing")
        elif file.read_text(encoding="utf-8") != text:
            yield Difference(path, "is not what the models say")
    for path in _committed(root / EVENTS):
        if f"{EVENTS}/{path}" not in files:
            yield Difference(f"{EVENTS}/{path}", "is of no event of this release")


def incompatibilities(root: Path, files: Mapping[str, str] | None = None, *, against: str | None = None) -> list[Break]:
    """What the models break of the released event versions."""
    files = wanted(root) if files is None else files
    now = {path.rpartition("/")[2]: json.loads(text) for path, text in files.items() if path.startswith(EVENTS)}
    return list(breaks(released(root, against), now))


def released(root: Path, against: str | None = None) -> dict[str, Schema]:
    """The event schemas of the last release: of the given commit, else the latest tag, else the last commit.

    Where the checkout has no history, the files themselves are what was released.
    """
    reference = against or _git(root, "describe", "--tags", "--abbrev=0", "--match", "v*") or "HEAD"
    listing = _git(root, "ls-tree", "-r", "--name-only", reference.strip(), "--", EVENTS)
    if listing is None:
        if against is not None:
            raise ContractProblem(f"there is no commit {against!r} here")
        return _committed(root / EVENTS)
    paths = listing.splitlines()
    texts = _contents(root, [f"{reference.strip()}:{path}" for path in paths])
    return {path.rpartition("/")[2]: json.loads(text) for path, text in zip(paths, texts, strict=True)}


def _contents(root: Path, objects: Iterable[str]) -> Iterator[bytes]:
    """What each of these objects of the history holds, all from one process; each is known to be there."""
    said = BytesIO(_git_bytes(root, "cat-file", "--batch", given="\n".join(objects).encode()) or b"")
    while head := said.readline():  # id, kind, size
        yield said.read(int(head.split()[2]))
        said.read(1)  # the end of the line


def _git(root: Path, *arguments: str) -> str | None:
    said = _git_bytes(root, *arguments)
    return None if said is None else said.decode()


def _git_bytes(root: Path, *arguments: str, given: bytes = b"") -> bytes | None:
    """What git says, or None where it fails, or is not here."""
    try:
        done = subprocess.run(["git", "-C", str(root), *arguments], input=given, capture_output=True, check=False)
    except OSError:
        return None
    return done.stdout if done.returncode == 0 else None


def _committed(folder: Path) -> dict[str, Schema]:
    return {path.name: json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))}


def _parts(path: str) -> tuple[str, int]:
    name, _, version = path.removesuffix(".json").rpartition(".v")
    return name, int(version) if version.isdigit() else 0


def _require_checkout(root: Path) -> None:
    if not (root / "pyproject.toml").exists() or not (root / "docs").is_dir():
        raise ContractProblem(f"{root} is not a checkout of Arrears", hint="Name it: --root DIR")


def _openapi() -> Schema:
    """What the HTTP door says of itself, as it is with an API token."""
    from api.http.app import create_app

    made: Schema = create_app(cast("Service", _Unopened()), token="none").openapi()  # noqa: S106
    return made


class _Unopened:
    """Stands for a service where only the shape of the door is asked for; nothing of it may be used."""

    def __getattr__(self, name: str) -> "_Unopened":
        return self

    def __call__(self, *_: object, **__: object) -> "_Unopened":
        return self
