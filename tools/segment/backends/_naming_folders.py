"""Names of tasks and titles for model folders."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from tools.segment.naming import slug


def task_names(folders: Sequence[Path]) -> list[str]:
    """One name per folder, made of the folder's own; a number tells apart those that would be the same."""
    names: list[str] = []
    for folder in folders:
        parts = [folder.parent.name, folder.name] if "__" in folder.name else [folder.name]
        base = slug(parts[0])
        name, count = base, 2
        while name in names:
            name, count = f"{base}_{count}", count + 1
        names.append(name)
    return names


def title(kind: str, name: str) -> str:
    """Words for a model, without digits: "the bundle spleen ct segmentation"."""
    words = re.sub(r"[\W\d_]+", " ", re.sub(r"^Dataset\d+_?", "", name)).strip()
    return f"{kind} {words}" if words else kind
