"""Versioned prompt templates. Whatever comes from a scan, a report or a user enters them as delimited JSON only.

A document stands between ``<name>`` and ``</name>``, each on a line of its own; `data` writes it so that neither
angle bracket occurs in it, so nothing within a document can end it. `documents` reads them back.
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import jinja2

__all__ = ["LONGEST_TEXT", "Template", "data", "documents", "load"]

LONGEST_TEXT = 600
"""Characters of one string of a document; what is longer is cut, with an ellipsis."""
_DEEPEST = 8
_VERSION = re.compile(r"\{# version (\d+) #\}\n")
_DOCUMENT = re.compile(r"^<([a-z_]+)>\n(.*?)\n</\1>$", re.DOTALL | re.MULTILINE)
# Control, format (bidirectional overrides, zero-width), surrogate, private and unassigned characters.
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})


@dataclass(frozen=True)
class Template:
    """A prompt template.

    Attributes:
        name: its file's name without the ending.
        version: number in its first line, raised with every change of meaning.
        source: its text.
    """

    name: str
    version: int
    source: str

    @property
    def identity(self) -> str:
        """Name, version and hash, for the trace."""
        return f"{self.name}@{self.version}#{hashlib.sha256(self.source.encode()).hexdigest()[:12]}"

    def render(self, **values: Any) -> str:
        """The prompt.

        Raises:
            jinja2.UndefinedError: for a variable that was not given.
        """
        return _environment().from_string(self.source).render(**values).strip()


@cache
def load(name: str) -> Template:
    """The template of this name ("conclude.system"), read once per process.

    Raises:
        KeyError: for an unknown one.
        ValueError: for a template without a version in its first line.
    """
    path = files("prompts").joinpath("templates", f"{name}.jinja")
    if not re.fullmatch(r"[a-z_]+\.(system|user)", name) or not path.is_file():
        raise KeyError(name)
    source = path.read_text(encoding="utf-8")
    found = _VERSION.match(source)
    if found is None:
        raise ValueError(f"The template {name} has no version in its first line.")
    return Template(name, int(found.group(1)), source[found.end() :])


def data(value: Any, longest: int = LONGEST_TEXT) -> str:
    """A JSON document that is safe within delimiters.

    Args:
        value: plain data; what came from outside may be anywhere in it.
        longest: characters of its longest string.

    Returns:
        compact JSON without angle brackets, invisible characters or overlong strings; the rows of a table
        (``{"rows": [...]}``) stand on lines of their own.
    """
    clean = _clean(value, longest, _DEEPEST)
    if isinstance(clean, dict) and isinstance(clean.get("rows"), list) and clean["rows"]:
        rows = ",\n".join(map(_json, clean["rows"]))
        rest = {key: part for key, part in clean.items() if key != "rows"}
        head = _json(rest)[:-1]
        return head + ("," if rest else "") + '"rows":[\n' + rows + "\n]}"
    return _json(clean)


def documents(prompt: str) -> dict[str, Any]:
    """The documents of a rendered prompt by their delimiters' names; how a scripted responder reads one."""
    return {name: json.loads(text) for name, text in _DOCUMENT.findall(prompt)}


def _json(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e")


def _clean(value: Any, longest: int, depth: int) -> Any:
    if isinstance(value, str):
        return _text(value, longest)
    if depth == 0 or value is None or isinstance(value, bool | int):
        return value if value is None or isinstance(value, bool | int) else "…"
    if isinstance(value, float):
        return value if abs(value) < float("inf") else None
    if isinstance(value, dict):
        return {_text(str(key), longest): _clean(part, longest, depth - 1) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(part, longest, depth - 1) for part in value]
    return _text(str(value), longest)


def _text(text: str, longest: int) -> str:
    # Cut first: nothing is spent on characters that are dropped.
    cut = len(text) > longest
    shown = "".join(
        " " if character.isspace() else character
        for character in text[:longest]
        if character.isspace() or unicodedata.category(character) not in _INVISIBLE
    )
    return shown.strip() + ("…" if cut else "")


@cache
def _environment() -> jinja2.Environment:
    # Prompts are no HTML: JSON without angle brackets is what keeps data apart from instructions.
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False, trim_blocks=True)  # noqa: S701
    environment.filters["data"] = data
    return environment
