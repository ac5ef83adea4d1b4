"""PostgreSQL refuses to run as root: who it runs as then, and how that user reaches its folders."""

import errno
import os
import pwd
import shutil
import stat
import struct
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from adapters.postgres.errors import DataFolderUnusable

CANDIDATES = ("arrears", "postgres")


@dataclass(frozen=True, slots=True)
class ServiceUser:
    """The system user PostgreSQL runs as."""

    uid: int
    gid: int


def service_user_for(cluster: Path) -> ServiceUser | None:
    """None when we are not root and PostgreSQL runs as ourselves; else the cluster's owner or a system user."""
    if os.geteuid() != 0:
        return None
    if cluster.exists() and (owner := cluster.stat()).st_uid != 0:
        return ServiceUser(owner.st_uid, owner.st_gid)
    for name in CANDIDATES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return ServiceUser(entry.pw_uid, entry.pw_gid)
    return _make_system_user(CANDIDATES[0])


def let_in(user: ServiceUser, folder: Path) -> None:
    """See that the user can reach `folder`: a right to pass through what is above it, never to list or read it."""
    if _can_enter(user, folder):
        return
    for parent in reversed((folder, *folder.parents)):
        if not _can_enter(user, parent):
            _grant_passage(user, parent)
    if not _can_enter(user, folder):
        raise DataFolderUnusable(
            f"PostgreSQL, as user {user.uid}, cannot reach {folder}",
            hint="Run Arrears as an ordinary user, or choose a folder that other users may enter.",
        )


def let_run(user: ServiceUser, programs: Path) -> None:
    """See that the user can run what a strict umask at installation may have closed."""
    let_in(user, programs.parent)
    if _runs(user, str(programs / "bin" / "postgres"), "--version"):
        return
    for path in (programs, *programs.rglob("*")):
        mode = path.stat().st_mode
        execute = stat.S_IXGRP | stat.S_IXOTH if mode & stat.S_IXUSR else 0
        path.chmod(mode | stat.S_IRGRP | stat.S_IROTH | execute)


def _make_system_user(name: str) -> ServiceUser:
    useradd = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin")
    command = [useradd or "useradd", "--system", "--user-group", "--no-create-home", "--shell", "/bin/false", name]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
        entry = pwd.getpwnam(name)
    except (OSError, subprocess.CalledProcessError, KeyError) as error:
        said = getattr(error, "stderr", "") or error
        raise DataFolderUnusable(
            f"PostgreSQL does not run as root, and the system user '{name}' could not be made: {said}",
            hint=f"Run Arrears as an ordinary user, or add a system user '{name}'.",
        ) from error
    return ServiceUser(entry.pw_uid, entry.pw_gid)


def _can_enter(user: ServiceUser, folder: Path) -> bool:
    return _runs(user, "/bin/sh", "-c", 'cd -- "$1"', "sh", str(folder))


def _runs(user: ServiceUser, *command: str) -> bool:
    try:
        done = subprocess.run(
            command, check=False, capture_output=True, cwd="/", user=user.uid, group=user.gid, extra_groups=[]
        )
    except OSError:
        return False
    return done.returncode == 0


def _grant_passage(user: ServiceUser, folder: Path) -> None:
    if sys.platform == "linux":
        try:
            _grant_by_acl(user.uid, folder)
        except OSError as error:
            if error.errno not in {errno.ENOTSUP, errno.EPERM, errno.EINVAL}:
                raise
        else:
            return
    folder.chmod(folder.stat().st_mode | stat.S_IXOTH)


# A POSIX ACL as the kernel stores it (linux/posix_acl_xattr.h): a version, then (tag, permissions, id) in tag order.
_ACL = "system.posix_acl_access"
_VERSION = struct.pack("<I", 2)
_ENTRY = struct.Struct("<HHI")
_USER_OBJ, _USER, _GROUP_OBJ, _GROUP, _MASK, _OTHER = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20
_NO_ID = 0xFFFFFFFF
_EXECUTE = 1


def _grant_by_acl(uid: int, folder: Path) -> None:
    """Add `user:UID:--x`; whatever the mask hid before stays hidden."""
    if sys.platform != "linux":
        raise OSError(errno.ENOTSUP, "no POSIX ACLs here")
    try:
        stored = os.getxattr(folder, _ACL)[len(_VERSION) :]
        entries = {(tag, who): may for tag, may, who in _ENTRY.iter_unpack(stored)}
    except OSError as error:
        if error.errno != errno.ENODATA:
            raise
        mode = folder.stat().st_mode
        entries = {(_USER_OBJ, _NO_ID): mode >> 6 & 7, (_GROUP_OBJ, _NO_ID): mode >> 3 & 7, (_OTHER, _NO_ID): mode & 7}
    mask = entries.get((_MASK, _NO_ID), entries[_GROUP_OBJ, _NO_ID])
    for tag, who in entries:
        if tag in {_USER, _GROUP_OBJ, _GROUP}:
            entries[tag, who] &= mask
    entries[_USER, uid] = entries.get((_USER, uid), 0) | _EXECUTE
    entries[_MASK, _NO_ID] = mask | _EXECUTE
    packed = (_ENTRY.pack(tag, may, who) for (tag, who), may in sorted(entries.items()))
    os.setxattr(folder, _ACL, _VERSION + b"".join(packed))
