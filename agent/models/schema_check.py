"""Does data fit a JSON schema? For the small flat schemas that models are asked to fill, and no more of the standard.

A keyword that is not known here is an error of the program, never silently passed over.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

_SILENT = {"title", "description", "default", "examples", "$defs", "$schema"}


def misfit(data: object, schema: Mapping[str, Any]) -> str | None:
    """Why data doesn't fit a schema.

    Args:
        data: what `json.loads` gives.
        schema: a JSON schema with the keywords of this module.

    Returns:
        the place of the first misfit and the keyword that it breaks; None where it fits.

    Raises:
        ValueError: the schema has a keyword that isn't known here.
    """
    return _misfit(data, schema, schema, "")


def _misfit(data: object, schema: Mapping[str, Any], root: Mapping[str, Any], where: str) -> str | None:
    for keyword, wanted in schema.items():
        if keyword in _SILENT:
            continue
        if keyword in _NESTED:
            inner = _NESTED[keyword](data, wanted, schema, root, where)
            if inner is not None:
                return inner
        elif keyword not in _CHECKS:
            raise ValueError(f"the schema keyword {keyword!r} is not supported")
        elif not _CHECKS[keyword](data, wanted):
            return f"{where or 'all'}: {keyword}"
    return None


def _is_a(data: object, wanted: str | list[str]) -> bool:
    if not isinstance(wanted, str):
        return any(_is_a(data, one) for one in wanted)
    if isinstance(data, bool):
        return wanted == "boolean"
    if wanted == "integer":
        return isinstance(data, int) or (isinstance(data, float) and data.is_integer())
    types: dict[str, type | tuple[type, ...]] = {
        "object": dict, "array": list, "string": str, "number": (int, float), "boolean": bool, "null": type(None),
    }  # fmt: skip
    return isinstance(data, types[wanted])


def _same(one: object, other: object) -> bool:
    """Equality of JSON: true is not 1."""
    return isinstance(one, bool) == isinstance(other, bool) and one == other


def _number(test: Callable[[float, float], bool]) -> Callable[[Any, Any], bool]:
    return lambda data, wanted: isinstance(data, bool) or not isinstance(data, int | float) or test(data, wanted)


def _size(kind: type[str] | type[list[Any]], test: Callable[[int, int], bool]) -> Callable[[Any, Any], bool]:
    return lambda data, wanted: not isinstance(data, kind) or test(len(data), wanted)


_CHECKS: dict[str, Callable[[Any, Any], bool]] = {
    "type": _is_a,
    "enum": lambda data, wanted: any(_same(data, one) for one in wanted),
    "const": _same,
    "minimum": _number(lambda data, wanted: data >= wanted),
    "maximum": _number(lambda data, wanted: data <= wanted),
    "exclusiveMinimum": _number(lambda data, wanted: data > wanted),
    "exclusiveMaximum": _number(lambda data, wanted: data < wanted),
    "minLength": _size(str, lambda size, wanted: size >= wanted),
    "maxLength": _size(str, lambda size, wanted: size <= wanted),
    "minItems": _size(list, lambda size, wanted: size >= wanted),
    "maxItems": _size(list, lambda size, wanted: size <= wanted),
    "required": lambda data, wanted: not isinstance(data, dict) or all(name in data for name in wanted),
    "uniqueItems": lambda data, wanted: (
        not wanted
        or not isinstance(data, list)
        or not any(_same(one, other) for index, one in enumerate(data) for other in data[:index])
    ),
}


def _properties(
    data: Any, wanted: Mapping[str, Any], schema: Mapping[str, Any], root: Mapping[str, Any], where: str
) -> str | None:
    if not isinstance(data, dict):
        return None
    given = ((name, inner) for name, inner in wanted.items() if name in data)
    return next((why for name, inner in given if (why := _misfit(data[name], inner, root, f"{where}/{name}"))), None)


def _additional(
    data: Any, wanted: bool | Mapping[str, Any], schema: Mapping[str, Any], root: Mapping[str, Any], where: str
) -> str | None:
    further = [name for name in data if name not in schema.get("properties", {})] if isinstance(data, dict) else []
    if wanted is False:
        return f"{where or 'all'}: additionalProperties" if further else None
    if wanted is True:
        return None
    return next((why for name in further if (why := _misfit(data[name], wanted, root, f"{where}/*"))), None)


def _items(
    data: Any, wanted: Mapping[str, Any], schema: Mapping[str, Any], root: Mapping[str, Any], where: str
) -> str | None:
    if not isinstance(data, list):
        return None
    return next((why for item in data if (why := _misfit(item, wanted, root, f"{where}/items"))), None)


def _any_of(
    data: Any, wanted: list[Mapping[str, Any]], schema: Mapping[str, Any], root: Mapping[str, Any], where: str
) -> str | None:
    fits = any(_misfit(data, one, root, where) is None for one in wanted)
    return None if fits else f"{where or 'all'}: anyOf"


def _ref(data: Any, wanted: str, schema: Mapping[str, Any], root: Mapping[str, Any], where: str) -> str | None:
    target: Any = root
    for step in wanted.removeprefix("#/").split("/"):
        target = target[step]
    return _misfit(data, target, root, where)


_NESTED: dict[str, Callable[[Any, Any, Mapping[str, Any], Mapping[str, Any], str], str | None]] = {
    "properties": _properties, "additionalProperties": _additional, "items": _items, "anyOf": _any_of, "$ref": _ref,
}  # fmt: skip
