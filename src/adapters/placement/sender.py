"""Makes placement files and delivers each once.

A file is written beside the outbox and recorded as made before anybody outside gets it, and its name follows from what
asked for it. So whoever goes on after a death hands the same file over under the same name, which a folder and an SFTP
server take once. What takes no name for a file is asked once; where the answer is missing, a person decides.
"""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import structlog
from psycopg import Connection

from adapters.clock import Clock
from adapters.delivery.carrier import CarrierMisconfigured, CarrierUnavailable, CarrierUncertain
from adapters.eventstore.application import Arrears
from adapters.placement.accounts import rows_of
from adapters.placement.channels import FileChannel, channel_for
from adapters.placement.encryption import ENDING, KeyProblem, encrypt_to, key_shown
from adapters.placement.layouts import LayoutError, layout_for
from adapters.placement.writing import UPDATES, PlacementWriter, Written, sha256_of
from adapters.postgres.database import Database
from adapters.postgres.errors import explained
from adapters.postgres.kept_connection import KeptConnection
from adapters.readers.backoff import Backoff
from adapters.readers.poison import is_poison
from aggregates.account import Account
from aggregates.kernel.actor import Actor
from aggregates.kernel.command import Command, Issued, identifier
from aggregates.office import Office
from aggregates.placement_file import (
    BeginFileDelivery,
    FileContents,
    FileState,
    PlacementFile,
    RecordFileDelivery,
    RecordFileMade,
)
from aggregates.values.business_time import local_date
from aggregates.values.money import Money
from projections.questions.placements import (
    account_names,
    changes,
    delivered_among,
    in_file,
    shown_through,
    told_through,
    waiting_files,
)

ACTOR = Actor.parse("service:placement-files")
_ACCOUNTS_AT_ONCE = 250
_CHANGES_AT_ONCE = 500
_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(seconds=30), timedelta(hours=1)
"""Between tries of a file that are said in the log each; twice as long after each that follows."""
_CLEARS_EVERY = timedelta(minutes=1)
_ENDED = "the process that sent it ended"
_UNSEEN = "the agency's key is another one, and it cannot be seen now whether it has the file by its first name already"
_SINCE = """
    SELECT aggregate_id, min(version) - 1 FROM arrears.events
    WHERE aggregate_id = ANY (%s) AND (position IS NULL OR position > %s) GROUP BY aggregate_id
"""
_LOCK = 0x506C6163
"""Of the database: one process makes and delivers placement files at a time."""

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class Sent(Enum):
    """What came of a turn; the value is how many seconds it makes sense to wait before the next one."""

    SOME = 0.0
    WAITING = 5.0
    """A file waits for its agency's channel, or for the read tables."""
    NOTHING = 0.5


@dataclass(frozen=True, slots=True)
class _Pause:
    """Until when a file is left, and how long that is."""

    until: datetime
    length: timedelta


class PlacementSender:
    """Used by one thread. Any number of processes may have one."""

    def __init__(
        self, database: Database, arrears: Arrears, clock: Clock, env: Mapping[str, str], outbox: Path
    ) -> None:
        """`outbox` is shared by all processes that send; files wait there, and go there where no folder is said."""
        self._database, self._arrears, self._clock = database, arrears, clock
        self._env, self._outbox = env, outbox
        self._connection = KeptConnection(partial(database.connect, "arrears_app", autocommit=True))
        self._locked_by: Connection[Any] | None = None
        self._owner = uuid4()
        self._pauses: dict[UUID, _Pause] = {}
        """Files whose next try would be said in the log again."""
        self._clears_at: datetime | None = None

    def run(self, stop: threading.Event) -> None:
        """Works until `stop` is set. What fails is logged and tried again."""
        backoff = Backoff()
        try:
            while not stop.is_set():
                try:
                    turn = self.turn()
                except Exception as error:  # whatever it is, files go on once it is over
                    self._connection.close()
                    _log.warning("placement files wait", error=type(error).__name__)
                    stop.wait(backoff.failed())
                else:
                    backoff.worked()
                    stop.wait(turn.value)
        finally:
            self.close()

    def close(self) -> None:
        self._connection.close()

    @explained()
    def turn(self) -> Sent:
        """Every file that waits, one after the other. Raises what is no file's fault."""
        connection = self._connection.get()
        if self._is_the_one(connection):
            self._clear_away(connection)
        waiting = waiting_files(connection)
        if not waiting:
            return Sent.NOTHING
        if not self._is_the_one(connection):
            return Sent.WAITING
        results = [self._sent(file_id) for file_id in waiting]
        return Sent.SOME if any(results) else Sent.WAITING

    def _sent(self, file_id: UUID) -> bool:
        """Whatever is wrong with one file keeps no other from its agency. Raises what is no file's fault."""
        pause = self._pauses.get(file_id)
        if pause is not None and self._clock.now() < pause.until:
            return False
        try:
            return self._send(file_id)
        except Exception as error:
            if not is_poison(error):
                raise
            _log.exception("a placement file cannot be made or delivered", file_id=str(file_id))
            self._pause(file_id)
            return False

    def _pause(self, file_id: UUID) -> None:
        before = self._pauses.get(file_id)
        length = _FIRST_PAUSE if before is None else min(2 * before.length, _LONGEST_PAUSE)
        self._pauses[file_id] = _Pause(self._clock.now() + length, length)

    def _is_the_one(self, connection: Connection[Any]) -> bool:
        """Whether this process sends. It does as long as its connection lives: a command beside a service, whose
        variables may be others, leaves files to that."""
        if self._locked_by is not connection:
            row = connection.execute("SELECT pg_try_advisory_lock(%s)", [_LOCK]).fetchone()
            self._locked_by = connection if row is not None and row[0] else None
        return self._locked_by is connection

    def _clear_away(self, connection: Connection[Any]) -> None:
        """Copies of what is delivered though nobody here said so: the agency acknowledged it, or the process ended that
        delivered it."""
        now, folder = self._clock.now(), self._folder
        if (self._clears_at is not None and now < self._clears_at) or not folder.is_dir():
            return
        self._clears_at = now + _CLEARS_EVERY
        copies = [each.name.removesuffix(ENDING) for each in folder.iterdir() if not each.name.startswith(".")]
        for name in delivered_among(connection, copies) if copies else ():
            (folder / name).unlink(missing_ok=True)
            (folder / f"{name}{ENDING}").unlink(missing_ok=True)

    @property
    def _folder(self) -> Path:
        """Where files wait."""
        return self._outbox / "placement-files"

    # --- one file ---

    def _send(self, file_id: UUID) -> bool:
        """Whether it is out of our hands."""
        file = self._arrears.load(PlacementFile, file_id)
        if file.office_id is None or file.state in {FileState.DELIVERED, FileState.UNCERTAIN}:
            return False  # the read table shows it in a moment
        office = self._arrears.load(Office, file.office_id)
        is_other = file.state is FileState.MADE and file.fingerprint != self._fingerprint(file, office)
        if is_other and (is_there := self._is_there(file, office)) is not False:
            return self._delivered(file) if is_there else self._not_now(file, _UNSEEN)
        if file.state is FileState.REQUESTED or is_other or not self._path(file).exists():
            if not self._made(file, office):
                return False
            file = self._arrears.load(PlacementFile, file_id)
        path = self._path(file)
        try:
            channel = self._channel(file, office)
        except CarrierMisconfigured as error:
            return self._not_now(file, str(error))
        if file.state is FileState.DELIVERING and not channel.can_tell:
            self._record(file, RecordFileDelivery(file_id=file_id, arrived=None, detail=_ENDED))
            return True
        if not channel.can_tell:
            self._record(file, BeginFileDelivery(file_id=file_id))
        try:
            channel.put(path.name, path)
        except (CarrierUnavailable, CarrierMisconfigured) as error:
            if not channel.can_tell:
                self._pause(file_id)
            return self._not_now(file, str(error))
        except CarrierUncertain as error:
            if channel.can_tell:
                return self._not_now(file, str(error))
            self._pauses.pop(file_id, None)
            self._record(file, RecordFileDelivery(file_id=file_id, arrived=None, detail=str(error)))
            return True
        return self._delivered(file)

    def _delivered(self, file: PlacementFile) -> bool:
        self._pauses.pop(file.id, None)
        self._record(file, RecordFileDelivery(file_id=file.id, arrived=True))
        self._path(file).unlink(missing_ok=True)  # personal data is only where it has to be
        return True

    def _channel(self, file: PlacementFile, office: Office) -> FileChannel:
        """Raises CarrierMisconfigured."""
        channel, is_history = office.agencies[file.agency].channel, self._clock.is_set
        return channel_for(file.agency, channel, self._env, self._outbox, is_history=is_history)

    def _is_there(self, file: PlacementFile, office: Office) -> bool | None:
        """Whether the agency has the file as it was made before its key changed, under another name than it would have
        now; None where that cannot be seen. A channel that cannot tell was certainly not given it."""
        try:
            channel = self._channel(file, office)
        except CarrierMisconfigured:
            return None
        return channel.has(self._path(file).name) if channel.can_tell else False

    def _not_now(self, file: PlacementFile, detail: str) -> bool:
        _log.warning("a placement file waits", file=file.name, said=detail)
        self._record(file, RecordFileDelivery(file_id=file.id, arrived=False, detail=detail))
        return False

    def _path(self, file: PlacementFile) -> Path:
        """Where it waits, under the name by which it leaves."""
        name = file.name if file.fingerprint is None else f"{file.name}{ENDING}"
        return self._folder / name

    @staticmethod
    def _fingerprint(file: PlacementFile, office: Office) -> str | None:
        """Of the key that the agency has now."""
        key = office.agencies[file.agency].public_key
        return None if key is None else key_shown(key).fingerprint

    def _made(self, file: PlacementFile, office: Office) -> bool:
        """Whether it is written, and encrypted where the agency has a key: not before the read tables show what asked
        for it."""
        agency = office.agencies[file.agency]
        folder = self._folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = folder / f".{file.name}.{self._owner.hex}.part"
        sealed = draft.with_suffix(ENDING)
        try:
            with self._database.snapshot("arrears_app") as connection:
                through = shown_through(connection, file.id)
                if through is None:
                    return False
                through = file.through_position or through
                since = told_through(connection, file.id)
                if file.contents is FileContents.UPDATES and since is None:
                    return False
                layout = UPDATES if file.contents is FileContents.UPDATES else layout_for(agency, file.layout)
                with PlacementWriter(draft, layout, agency.format, file.currency) as writer:
                    if file.contents is FileContents.UPDATES:
                        self._write_changes(connection, file, office, writer, since=since or 0, through=through)
                    else:
                        self._write_accounts(connection, file, office, writer, through)
                written = writer.written()
            if agency.public_key is None:
                self._record_made(file, written, through, None)
                draft.replace(folder / file.name)
            else:
                fingerprint = encrypt_to(agency.public_key, draft, sealed, now=self._clock.now())
                written = replace(written, sha256=sha256_of(sealed))
                self._record_made(file, written, through, fingerprint)
                sealed.replace(folder / f"{file.name}{ENDING}")
                (folder / file.name).unlink(missing_ok=True)  # that it was before it had a key
        except (LayoutError, KeyProblem) as error:
            return self._not_now(file, str(error))
        finally:
            draft.unlink(missing_ok=True)
            sealed.unlink(missing_ok=True)
        return True

    def _record_made(self, file: PlacementFile, written: Written, through: int, fingerprint: str | None) -> None:
        command = RecordFileMade(
            file_id=file.id,
            accounts=written.accounts,
            total=written.total,
            rows=written.rows,
            sha256=written.sha256,
            through_position=through,
            fingerprint=fingerprint,
        )
        self._record(file, command)

    def _write_accounts(
        self,
        connection: Connection[Any],
        file: PlacementFile,
        office: Office,
        writer: PlacementWriter,
        through: int,
    ) -> None:
        after, today = UUID(int=0), self._today(office)
        of_file = file.id if file.contents is FileContents.NEW else None
        while some := in_file(
            connection,
            file_id=of_file,
            office_id=office.id,
            agency=file.agency,
            currency=file.currency,
            after=after,
            limit=_ACCOUNTS_AT_ONCE,
        ):
            ids = [each.account_id for each in some]
            accounts = {each.id: each for each in self._arrears.load_many(Account, ids)}
            for account_id, version in _versions(connection, ids, through):  # what came since is in the next updates
                accounts[account_id] = self._arrears.load(Account, account_id, version=version)
            for balance, row, invoices in rows_of(
                connection, some, accounts, office, office.agencies[file.agency], today=today, through=through
            ):
                writer.account(balance, row, invoices)
            after = ids[-1]

    def _write_changes(
        self,
        connection: Connection[Any],
        file: PlacementFile,
        office: Office,
        writer: PlacementWriter,
        *,
        since: int,
        through: int,
    ) -> None:
        client = office.agencies[file.agency].client_number or office.code
        found = list(
            changes(
                connection,
                office_id=office.id,
                agency=file.agency,
                currency=file.currency,
                since=since,
                through=through,
            )
        )
        for first in range(0, len(found), _CHANGES_AT_ONCE):
            some = found[first : first + _CHANGES_AT_ONCE]
            names = account_names(connection, [each.account_id for each in some], through=through)
            for each in some:
                number, balance = names[each.account_id]
                amount = None if each.amount_minor is None else Money(each.amount_minor, file.currency)
                writer.change(
                    amount,
                    {
                        "record": each.record,
                        "placement_id": str(each.placement_id),
                        "client_number": client,
                        "account_number": number,
                        "placed_on": each.changed_on,
                        "last_payment_amount": None if amount is None else amount.decimal(),
                        "currency": file.currency,
                        "notes": each.code,
                        "current_balance": Money(balance, file.currency).decimal(),
                    },
                )

    def _today(self, office: Office) -> date:
        return local_date(self._clock.now(), office.zone)

    def _record(self, file: PlacementFile, command: Command) -> None:
        """What it leads to depends on where the file stands; a repeat is decided anew, and changes nothing."""
        version = self._arrears.load(PlacementFile, file.id).version
        self._arrears.handle(
            [
                Issued(
                    command=command,
                    command_id=identifier("placement-file", file.id, command.command_name, version),
                    actor=ACTOR,
                    correlation_id=file.bulk_id or file.id,
                )
            ]
        )


def _versions(connection: Connection[Any], account_ids: Sequence[UUID], through: int) -> list[tuple[UUID, int]]:
    """Of accounts to which something happened behind a place in the log, the versions that they had there."""
    return connection.execute(_SINCE, [list(account_ids), through]).fetchall()
