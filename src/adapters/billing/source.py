"""A billing file and its profile, read as facts and problems."""

from collections.abc import Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

from adapters.billing.profile import Profile
from adapters.billing.readers import FileProblem, Progress, RawRow, Table, changed_since, open_table
from adapters.billing.rows import ParsedRow, RowParser, ZoneOf
from adapters.billing.staged import Origin


def in_utc(office: str | None) -> ZoneInfo:
    """The zone of an office of which nothing is known."""
    del office
    return ZoneInfo("UTC")


class ImportSource:
    """A billing file that can be read more than once: to check, to stage, and to write what was refused.

    Opening reads the header only. Raises `FileProblem` where a column is missing or the file cannot be read.
    """

    def __init__(self, path: str | Path, profile: Profile, source: str | None = None) -> None:
        """`source`: what the file is known as, if not as its profile says."""
        self.path = Path(path)
        self.profile = profile
        self.origin = Origin(source or profile.source or profile.name, profile.said_in)
        self.table: Table = open_table(self.path, profile)
        self._stat = self.path.stat()

    @property
    def size(self) -> int:
        """In bytes; what `Progress` counts up to."""
        return self._stat.st_size

    def raw_rows(self, progress: Progress | None = None) -> Iterator[RawRow]:
        """The rows as the file has them. Raises `FileProblem` where the file changed since it was opened."""
        if changed_since(self.path, self._stat):
            raise FileProblem(f"{self.path.name}: the file changed while it was imported; import it again")
        return self.table.rows(progress)

    def rows(self, progress: Progress | None = None, *, zone_of: ZoneOf = in_utc) -> Iterator[ParsedRow]:
        """Every row with its facts or its problems, in the file's order and bounded memory. A time with a zone is of
        the day that it has in the zone of the row's office."""
        return map(RowParser(self.table, zone_of).parse, self.raw_rows(progress))


def read_facts(
    path: str | Path, profile: Profile, progress: Progress | None = None, *, zone_of: ZoneOf = in_utc
) -> Iterator[ParsedRow]:
    """Every row of the file with its facts or its problems. Raises `FileProblem`."""
    return ImportSource(path, profile).rows(progress, zone_of=zone_of)
