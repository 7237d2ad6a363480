"""Settings of the program, each from an environment variable ``TUMORTRACE_<NAME>`` or its default."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

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
    segment: str = "auto"
    """Segmentation engines that may look for what the labels lack: auto, none, all, or their names with commas."""
    segment_device: Literal["auto", "cpu", "gpu"] = "auto"
    """Where segmentation engines compute."""
    segment_seconds: float = Field(default=3600.0, gt=0)
    """Seconds after which a segmentation engine is ended."""
    segment_memory_gib: float | None = Field(default=None, gt=0)
    """Address space that a segmentation engine may take; None for no limit."""
    bundles: str = ""
    """Folders of MONAI bundles to be trusted and used, joined by the system's path separator."""
    models: str = ""
    """nnU-Net model folders to be trusted and used, joined by the system's path separator."""
    index: str = "auto"
    """Earlier cases that lesions are compared with: the folder of a case base, auto for the embedded one, or none."""
    index_encoder: str = "auto"
    """Encoder of the case base: a folder with its configuration; auto for the built-in one that the base names."""
    trace_key: SecretStr | None = None
    """Secret that turns a trace's hashes into keyed ones (HMAC-SHA-256); it is never written anywhere."""
