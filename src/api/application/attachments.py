"""Files of accounts for every door: looked at and kept before the fact is stored, read again, and cleared."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import groupby
from uuid import UUID, uuid4

from pydantic import BaseModel, ValidationError

from adapters.attachments.content import NotTaken, type_of
from adapters.attachments.setup import most_bytes
from adapters.attachments.store import AttachmentErased, AttachmentProblem, Kept, no_sweep, sweeping
from aggregates.account import Account
from aggregates.account.attachments import AddAttachment, Case, CaseKind, KeptFile, RemoveAttachment, require_carried
from aggregates.account.writing import SendMessage
from aggregates.kernel.command import Rejected
from aggregates.kernel.deciding import rejected
from aggregates.kernel.refusals import Refusal
from aggregates.office import Office
from aggregates.values.attachments import AttachedFile, safe_name
from aggregates.values.business_time import local_date
from api.application.account_view import account_now
from api.application.authority import Authority
from api.application.issuing import Caller, Done, FaultyPlan, ImplausibleField, Issuing, Refused
from api.application.written_messages import around, faults_of
from api.processes.service import Service

KEPT_AFTER_REMOVAL = 30
"""Days that the bytes of a removed attachment are kept, unless a sweep says otherwise."""

# --- shapes ------------------------------------------------------------------------------------------


class AttachmentRow(BaseModel):
    """A file of the account. `name` is personal."""

    id: UUID
    name: str
    media_type: str
    size: int
    """Bytes."""
    sha256: str
    """Of the content."""
    about: str | None
    """The case that it belongs to: `dispute:ID`, `claim:ID` or `legal:ID`; null: the account."""
    added_on: date
    added_by: str


class Swept(BaseModel):
    """What a sweep cleared, or would clear."""

    objects: int
    """Objects in the store of attachments that are of accounts of this installation."""
    cleared: int
    bytes_cleared: int
    of_others: int
    """Objects of accounts that are not known here; they were left alone."""


@dataclass(frozen=True, slots=True)
class GivenFile:
    """A file as somebody handed it over: a name, which may be hostile, and bytes."""

    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Content:
    """A file of the account with its bytes."""

    row: AttachmentRow
    content: bytes


# --- adding and removing -----------------------------------------------------------------------------


def add(
    service: Service,
    issuing: Issuing,
    account_id: UUID,
    file: GivenFile,
    caller: Caller,
    *,
    about: Case | None = None,
    reason: str | None = None,
    command_id: UUID | None = None,
) -> Done:
    """Keeps a file with the account. The bytes are in the store before the fact is; where that is refused they are
    cleared by the next sweep.

    Raises ImplausibleField for what is no file that is taken, and what issuing raises.
    """
    name, media_type = checked(service, file)
    account_now(service, account_id)
    with no_sweep(service.database):
        try:
            sha256 = service.attachments.put(account_id, file.content)
        except AttachmentErased as error:
            raise _gone(error) from None
        command = AddAttachment(
            account_id=account_id,
            file_name=name,
            media_type=media_type,
            size=len(file.content),
            sha256=sha256,
            about=about,
        )
        # What the fact says of the bytes was looked at here, so nobody else issues it.
        trusted = replace(caller, authority=Authority.OPERATOR)
        return issuing.issue(command, trusted, reason=reason, command_id=command_id)


def written_with(
    service: Service,
    issuing: Issuing,
    command: SendMessage,
    files: Sequence[GivenFile],
    caller: Caller,
    *,
    once: str | None = None,
) -> SendMessage:
    """The message with these files, which are kept with the account first; not where it could not be sent with them.

    `once` is what a repeat shares: it adds them no second time. Raises what issuing raises.
    """
    if not files:
        return command
    looked_at = [(*checked(service, each), len(each.content)) for each in files]
    require_sendable(service, command, looked_at)
    ids = list(command.attachment_ids or ())
    for number, each in enumerate(files):
        key = None if once is None else f"{once}-{number}"
        as_once = replace(caller, idempotency_key=key)
        ids.append(add(service, issuing, command.account_id, each, as_once).id)
    return command.model_copy(update={"attachment_ids": tuple(ids)})


def require_sendable(service: Service, command: SendMessage, files: Iterable[tuple[str, str, int]]) -> None:
    """Whether the message would be queued now with further files, each a name, a media type and its bytes in number:
    asked before those are kept. Raises Refused, FaultyPlan, AggregateNotFoundError."""
    if faults := faults_of(service, command):
        raise FaultyPlan(faults)
    account = service.arrears.load(Account, command.account_id)
    _, context = around(service, account, command.template_id)
    further = [
        AttachedFile(id=uuid4(), name=name, media_type=media_type, size=size, sha256="")
        for name, media_type, size in files
    ]
    try:
        draft = account.writing.draft(command, context)
        require_carried(command.channel, [*draft.attachments, *further])
        if draft.refused:
            raise account.writing.refusal(draft.refused, context)
    except Refusal as refusal:
        raise Refused(rejected(refusal)) from None


def checked(service: Service, file: GivenFile) -> tuple[str, str]:
    """The safe name of a file, and its media type. Raises ImplausibleField."""
    most = most_bytes(service.env)
    try:
        name = safe_name(file.name)
        if len(file.content) > most:
            raise ImplausibleField("file", f"expected at most {most // 1_000_000} MB")
        return name, type_of(name, file.content).media_type
    except (ValueError, NotTaken) as error:
        raise ImplausibleField("file", str(error).removeprefix("file: ")) from None


def remove(
    issuing: Issuing, account_id: UUID, attachment_id: UUID, caller: Caller, *, reason: str | None = None
) -> Done:
    """Takes a file off the account; its bytes are cleared by a sweep, unless a message took them with it."""
    command = RemoveAttachment(account_id=account_id, attachment_id=attachment_id)
    return issuing.issue(command, caller, about=attachment_id, reason=reason)


def read_case(said: str) -> Case:
    """`dispute:ID`, `claim:ID` or `legal:ID`. Raises ImplausibleField."""
    kind, _, named = said.partition(":")
    try:
        return Case.model_validate({"kind": kind, "id": named})
    except ValidationError:
        kinds = ", ".join(f"{each.value}:ID" for each in CaseKind)
        raise ImplausibleField("about", f"expected one of {kinds}") from None


# --- reading -----------------------------------------------------------------------------------------


def attachments_of(service: Service, account_id: UUID) -> list[AttachmentRow]:
    """The files of the account, the latest first. Raises UnknownAccount."""
    return [_row(each) for each in account_now(service, account_id).attachments.kept.values()][::-1]


def content_of(service: Service, account_id: UUID, attachment_id: UUID) -> Content:
    """Raises UnknownAccount, and Refused where there is no such file or its bytes cannot be read."""
    row = row_of(service, account_id, attachment_id)
    try:
        return Content(row, service.attachments.read(account_id, row.sha256))
    except AttachmentProblem as error:
        raise _gone(error) from None


def row_of(service: Service, account_id: UUID, attachment_id: UUID) -> AttachmentRow:
    """Raises UnknownAccount, Refused."""
    file = account_now(service, account_id).attachments.kept.get(attachment_id)
    if file is None:
        raise Refused(Rejected("unknown-attachment", "the account has no such attachment"))
    return _row(file)


def _row(file: KeptFile) -> AttachmentRow:
    return AttachmentRow(
        id=file.id,
        name=file.name,
        media_type=file.media_type,
        size=file.size,
        sha256=file.sha256,
        about=f"{file.about.kind}:{file.about.id}" if file.about is not None else None,
        added_on=file.added_on,
        added_by=file.added_by,
    )


def _gone(error: AttachmentProblem) -> Refused:
    return Refused(Rejected("attachment-gone", f"the file cannot be read: {error}"))


# --- clearing ----------------------------------------------------------------------------------------


def sweep(service: Service, *, keep_days: int = KEPT_AFTER_REMOVAL, only_count: bool = False) -> Swept:
    """Clears what no fact tells of, what was removed more than `keep_days` ago, and all of people who were erased.

    Objects of accounts that this installation does not have are left alone: somebody else may share the bucket.
    Raises StoreAway.
    """
    objects = cleared = of_others = freed = 0
    with sweeping(service.database):
        for account_id, kept in groupby(service.attachments.all(), key=lambda each: each.account_id):
            there = list(kept)
            found = service.arrears.load_many(Account, [account_id])
            if not found:
                of_others += len(there)
                continue
            objects += len(there)
            for each in _not_needed(service, found[0], there, keep_days):
                cleared, freed = cleared + 1, freed + each.size
                if not only_count:
                    service.attachments.remove(each.path)
    return Swept(objects=objects, cleared=cleared, bytes_cleared=freed, of_others=of_others)


def _not_needed(service: Service, account: Account, there: list[Kept], keep_days: int) -> list[Kept]:
    if service.arrears.keys.is_destroyed(account.id) or account.customer.office_id is None:
        return there
    office = service.arrears.load(Office, account.customer.office_id)
    since = local_date(service.clock.now(), office.zone) - timedelta(days=keep_days)
    needed = {service.attachments.path_of(account.id, each) for each in account.attachments.needed(since)}
    return [each for each in there if each.path not in needed]
