"""Finds every tool in this package; a new tool is one new file."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

import tools
from tools.base import Tool


@cache
def load_tools() -> Mapping[str, Tool]:
    """All tools of the modules directly under ``tools``, by name.

    Raises:
        RuntimeError: if two modules define a tool of the same name.
    """
    found: dict[str, Tool] = {}
    for info in pkgutil.iter_modules(tools.__path__):
        if info.ispkg:
            continue
        module = importlib.import_module(f"tools.{info.name}")
        for value in vars(module).values():
            if isinstance(value, Tool):
                if found.get(value.name, value) is not value:
                    raise RuntimeError(f"two tools are called {value.name!r}")
                found[value.name] = value
    return MappingProxyType(found)
