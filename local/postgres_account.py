"""Which system account the embedded PostgreSQL runs as: it refuses to run as root.

Started by root it runs as the account that owns its folder, `nobody` for a new one; no account is made. Folders
above the installed programs that others may not enter get `o+x`.
"""

import os
import pwd
import stat
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lakehouse.errors import RuntimeFault


@dataclass(frozen=True)
class Account:
    """The system account the server runs as; `uid` None means the one we have."""

    name: str
    uid: int | None = None
    gid: int | None = None


def choose_account(folder: Path, programs: Path) -> tuple[Account, tuple[str, ...]]:
    """The account for the server of `folder`, and what was done to the machine for it, in words for a person."""
    owner = folder.stat().st_uid if folder.exists() else None
    if os.geteuid() != 0:
        if owner not in (None, os.geteuid()):
            raise RuntimeFault(
                f"{folder} belongs to the account {_account_name(owner)}: it was made when the lake ran as another "
                "user. Run as that user (or root) again, or use another lake."
            )
        return Account(_account_name(os.geteuid())), ()
    if sys.platform != "linux":
        raise RuntimeFault("PostgreSQL does not run as root. Run as an ordinary user, or give --ledger URL.")
    entry = pwd.getpwuid(owner) if owner else pwd.getpwnam("nobody")
    notes = [f"PostgreSQL does not run as root: it runs as the account {entry.pw_name}, which owns {folder}."]
    notes += _let_others_enter(programs)
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid), tuple(notes)


def _account_name(uid: int | None) -> str:
    try:
        return pwd.getpwuid(uid or 0).pw_name
    except KeyError:
        return str(uid)


def _let_others_enter(programs: Path) -> Iterator[str]:
    for folder in (programs, *programs.resolve().parents):
        mode = folder.stat().st_mode
        if not mode & stat.S_IXOTH:
            folder.chmod(stat.S_IMODE(mode) | stat.S_IXOTH)
            yield f"{folder} was closed to other accounts and is now o+x (enter, not list) for PostgreSQL's sake."
