"""Finds every backend in this package; a new backend is one new file that defines a `Backend`."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

import tools.encoders
from tools.encoders.protocol import Backend


@cache
def backends() -> Mapping[str, Backend]:
    """All backends by name.

    Raises:
        RuntimeError: two files define a backend of the same name.
    """
    found: dict[str, Backend] = {}
    for info in pkgutil.iter_modules(tools.encoders.__path__):
        module = importlib.import_module(f"tools.encoders.{info.name}")
        for value in vars(module).values():
            if isinstance(value, Backend):
                if found.get(value.name, value) is not value:
                    raise RuntimeError(f"two encoder backends are called {value.name!r}")
                found[value.name] = value
    return MappingProxyType(found)
