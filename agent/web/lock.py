"""One server for one folder of records: a second one would take the first one's runs and uploads for left over."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from agent.errors import UsageError

_NAME = "server.lock"


class Lock:
    """Held until it is closed, or the process ends.

    Args:
        folder: of the records; made where it is missing.

    Raises:
        UsageError: another server has it, or the folder cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._file = os.open(folder / _NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise UsageError(
                f"The server's folder {folder} cannot be written ({error.strerror}): choose another home folder with "
                "TUMORTRACE_HOME."
            ) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._file)
            raise UsageError(
                f"Another server works with {folder}: use that one, or choose another home folder with TUMORTRACE_HOME."
            ) from None

    def close(self) -> None:
        """Let another server have the folder."""
        os.close(self._file)
