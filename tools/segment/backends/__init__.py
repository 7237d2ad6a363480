"""Segmentation engines, one file each; a module that holds a `BACKEND` is found by itself.

Other distributions add theirs through entry points of the group ``tumortrace.engines``, each an object like `Backend`.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache
from importlib.metadata import entry_points
from types import MappingProxyType

from agent.errors import UsageError
from tools.segment.engine import Backend


@cache
def load_backends() -> Mapping[str, Backend]:
    """All engines by name.

    Raises:
        UsageError: one of another distribution cannot be loaded.
    """
    found: dict[str, Backend] = {}
    for info in pkgutil.iter_modules(__path__):
        backend = getattr(importlib.import_module(f"{__name__}.{info.name}"), "BACKEND", None)
        if backend is not None:
            found[backend.name] = backend
    for entry in entry_points(group="tumortrace.engines"):
        try:
            backend = entry.load()
        except Exception as error:  # The code of another distribution may raise anything.
            owner = entry.dist.name if entry.dist is not None else entry.value
            raise UsageError(
                f"The segmentation engine {entry.name!r} of the package {owner} cannot be loaded "
                f"({type(error).__name__}): update or uninstall that package."
            ) from error
        found.setdefault(backend.name, backend)
    return MappingProxyType(found)
