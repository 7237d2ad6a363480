"""Settings of the program, each from an environment variable ``TUMORTRACE_<NAME>`` or its default."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


def _base(variable: str, fallback: str) -> Path:
    # XDG Base Directory Specification: relative values are to be ignored.
    value = Path(os.environ.get(variable, ""))
    return (value if value.is_absolute() else Path.home() / fallback) / "tumortrace"


class Settings(BaseSettings):
    """What can be set from outside; read anew at every construction."""

    model_config = SettingsConfigDict(env_prefix="TUMORTRACE_", extra="ignore", env_ignore_empty=True)

    home: Path = Field(default_factory=lambda: _base("XDG_DATA_HOME", ".local/share"))
    """Folder of the runs and their index."""
    cache: Path = Field(default_factory=lambda: _base("XDG_CACHE_HOME", ".cache"))
    """Folder of results that can be computed again."""
    workers: int = Field(default=2, ge=1, le=256)
    """Number of tools that run at once."""
    max_rounds: int = Field(default=3, ge=1, le=50)
    """Rounds of plan, execute, reason and criticise before a run ends as unresolved."""
    max_tool_calls: int = Field(default=2000, ge=1)
    """Tool calls of one run before it ends as unresolved."""
    max_model_tokens: int = Field(default=200_000, ge=1)
    """Tokens that a served model may read and write in one run; no further round begins once they are spent."""
    max_seconds: float | None = Field(default=None, gt=0)
    """Seconds that one run may take; no further round begins after them. None for no limit."""
    min_agreement: float = Field(default=0.5, ge=0, le=1)
    """Share of a model's parallel samples that have to conclude the same."""
    trace_key: SecretStr | None = None
    """Secret that turns a trace's hashes into keyed ones (HMAC-SHA-256); it is never written anywhere."""
