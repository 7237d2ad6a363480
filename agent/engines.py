"""Segmentation engines as the settings and the command line choose them."""

from __future__ import annotations

import os
from pathlib import Path

from agent.errors import UsageError
from agent.services import Progress, silent
from agent.settings import Settings
from tools.array_store import ArrayStore
from tools.segment.backends import load_backends
from tools.segment.engine import EngineSettings
from tools.segment.workshop import Workshop

NONE, AUTO, ALL = "none", "auto", "all"


def engine_settings(settings: Settings) -> EngineSettings:
    """Where engines and weights are, and what one run may take."""
    weights = os.environ.get("TOTALSEG_WEIGHTS_PATH")
    return EngineSettings(
        cache=settings.cache.expanduser().absolute(),
        bundles=_folders(settings.bundles),
        models=_folders(settings.models),
        totalsegmentator=Path(weights).expanduser().absolute() if weights else None,
        device=settings.segment_device,
        seconds=settings.segment_seconds,
        memory_gib=settings.segment_memory_gib,
    )


def workshop(settings: Settings, choice: str | None = None, progress: Progress = silent) -> Workshop | None:
    """The engines that may be used; None for none.

    Args:
        settings: settings of the program.
        choice: auto, none, all or names joined by commas; the setting where None.
        progress: told of an engine's progress.

    Raises:
        UsageError: there is no engine of that name.
    """
    wish = (choice or settings.segment).strip().lower()
    if wish == NONE:
        return None
    names = None if wish in {AUTO, ALL} else tuple(one.strip() for one in wish.split(",") if one.strip())
    known = load_backends()
    for name in names or ():
        if name not in known:
            raise UsageError(
                f"There is no segmentation engine {name!r}; --segment takes auto, none, all or "
                f"{', '.join(sorted(known))}."
            )
    found = engine_settings(settings)
    return Workshop(found, ArrayStore(found.cache), progress, names)


def everywhere(settings: Settings, choice: str | None = None) -> bool:
    """Whether a report on everything has engines look although labels were given: only where they were named."""
    return (choice or settings.segment).strip().lower() not in {AUTO, NONE}


def _folders(text: str) -> tuple[Path, ...]:
    # Engines run in a folder of their own, where a relative path would lead elsewhere.
    return tuple(Path(one).expanduser().absolute() for one in text.split(os.pathsep) if one.strip())
