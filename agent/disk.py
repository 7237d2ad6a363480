"""A disk that is full or cannot be written, told in one sentence instead of as a fault of ours."""

from __future__ import annotations

import errno
import sqlite3

from agent.errors import UsageError

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_CLOSED = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})
_WAY = "make room, or choose other folders with TUMORTRACE_HOME and TUMORTRACE_CACHE; a run goes on with --resume."


def disk_fault(error: BaseException) -> UsageError | None:
    """What to tell where an error, or one that it came of, is the disk's; None for any other."""
    at: BaseException | None = error
    while at is not None:
        if isinstance(at, OSError) and at.errno in _FULL | _CLOSED:
            where = f" ({at.filename})" if at.filename is not None else ""
            what = "is full" if at.errno in _FULL else "cannot be written"
            return UsageError(f"The disk{where} {what}: {_WAY}")
        code = getattr(at, "sqlite_errorcode", None) if isinstance(at, sqlite3.Error) else None
        if code is not None and code & 0xFF == sqlite3.SQLITE_FULL:
            return UsageError(f"The disk is full: {_WAY}")
        if code is not None and code & 0xFF in {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN}:
            return UsageError(f"The disk cannot be written: {_WAY}")
        at = at.__cause__
    return None
