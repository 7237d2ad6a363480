"""What a server is started with."""

from __future__ import annotations

import ipaddress
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from agent.errors import UsageError

MIB = 1 << 20
GIB = 1 << 30
SHORTEST_TOKEN = 16
LONGEST_TOKEN = 512
DEFAULT_PORT = 8765
VOLUMES_BYTES = 5 * GIB
"""What volumes for viewers may take on the disk."""


class ServeConfig(BaseModel):
    """Addresses, folders and limits of one server.

    Attributes:
        host: address to listen on.
        port: port to listen on; 0 for any that is free.
        token: what a client has to show; None only on a loopback address.
        hosts: further names by which browsers may reach the server (behind a proxy).
        roots: folders whose scans may be opened.
        state: folder of the server's own records and of what was uploaded.
        upload_bytes: largest file that may be uploaded.
        uploads_bytes: what all uploads together may take on the disk.
        volumes_bytes: what volumes for viewers may take on the disk; those least recently used go first.
        memory_bytes: what the arrays of opened scans may take before those longest unused are closed.
        runs: runs that work at once.
        queue: runs that may wait.
        model: name of the reasoning model, for display.
        prepare: whether engines look at a scan without labels before anybody asks.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = "127.0.0.1"
    port: int = Field(default=DEFAULT_PORT, ge=0, le=65535)
    token: SecretStr | None = None
    hosts: tuple[str, ...] = ()
    roots: tuple[Path, ...] = ()
    state: Path
    upload_bytes: int = Field(default=2 * GIB, ge=1)
    uploads_bytes: int = Field(default=20 * GIB, ge=1)
    volumes_bytes: int = Field(default=VOLUMES_BYTES, ge=0)
    memory_bytes: int = Field(default=4 * GIB, ge=1)
    runs: int = Field(default=2, ge=1, le=64)
    queue: int = Field(default=200, ge=1, le=10_000)
    model: str = "embedded"
    prepare: bool = True

    @property
    def secret(self) -> str | None:
        """The token in clear."""
        return self.token.get_secret_value() if self.token is not None else None


def is_loopback(host: str) -> bool:
    """Whether an address can be reached from this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def check_token(token: str | None, host: str) -> str | None:
    """A token that may guard a server on this address.

    Raises:
        UsageError: there has to be one, or it is too short or no plain text.
    """
    if not token:
        if is_loopback(host):
            return None
        raise UsageError(
            f"Beyond this machine ({host}) the server demands a token: set TUMORTRACE_TOKEN, or give --token-file, "
            f"with at least {SHORTEST_TOKEN} characters."
        )
    if not SHORTEST_TOKEN <= len(token) <= LONGEST_TOKEN or not token.isascii() or not token.isprintable():
        raise UsageError(
            f"The token has to be {SHORTEST_TOKEN} to {LONGEST_TOKEN} plain ASCII characters; make one with: "
            "python3 -c 'import secrets; print(secrets.token_urlsafe(32))'."
        )
    return token
