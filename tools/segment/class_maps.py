"""Names of label values: named class maps that come with the program, and the user's own tables.

A class map is a list of (value, name) rows. Region-based maps (nnU-Net's `"whole": [1, 2]`) give a value several
names, plain tables give each value one.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from agent.errors import UsageError

MAX_TABLE_BYTES = 4 << 20
MAX_YAML_BYTES = 256 << 10
"""YAML is parsed in Python, a hundred times slower than JSON."""
MAX_VALUE = (1 << 32) - 1
_VALUE_HEADS = ("value", "label_value", "label_id", "labelid", "id", "index", "key", "number", "class_id", "label")
_NAME_HEADS = ("name", "structure", "label_name", "class_name", "organ", "segment", "roi", "class", "label")
_ITKSNAP = re.compile(r'^\s*(\d+)(?:\s+[\d.]+){6}\s+"(.*)"\s*$')
_COLOR_TABLE = re.compile(r"^\s*(\d+)\s+(\S+)(?:\s+[\d.]+){3,4}\s*$")


@dataclass(frozen=True)
class ClassMap:
    """Names of label values.

    Attributes:
        rows: (value, name) pairs as the source gave them, background included.
        source: one clause on where the names come from.
    """

    rows: tuple[tuple[int, str], ...]
    source: str


def known_class_maps() -> tuple[str, ...]:
    """Names of the class maps that come with the program."""
    folder = files("tools.segment").joinpath("class_maps")
    return tuple(sorted(entry.name[:-5] for entry in folder.iterdir() if entry.name.endswith(".yaml")))


def load_class_map(name_or_path: str) -> ClassMap:
    """Find a class map by its name, or read the user's own from a JSON, CSV, TSV, YAML or ITK-SNAP file.

    Raises:
        UsageError: for a name that is neither a known map nor a file, and for a table that names nothing.
    """
    if name_or_path.lower() in known_class_maps():
        return _named(name_or_path.lower())
    path = Path(name_or_path)
    if not path.is_file():
        raise UsageError(
            f"There is no class map '{name_or_path}': use one of {', '.join(known_class_maps())}, or the path of "
            "a JSON, CSV or YAML file with values and names."
        )
    rows = tuple(_read_table(path))
    if any(not 0 <= value <= MAX_VALUE for value, _ in rows):
        raise UsageError(
            f"The class map '{path.name}' names a value that no label has: they count from 1 to {MAX_VALUE}."
        )
    if not any(value for value, _ in rows):
        raise UsageError(
            f"The class map '{path.name}' names no label value: it needs pairs such as "
            '{"1": "liver"} in JSON, or columns "value" and "name" in CSV.'
        )
    return ClassMap(rows=rows, source=f"names from the user's table ({len(rows)} rows)")


def _named(name: str) -> ClassMap:
    text = files("tools.segment").joinpath("class_maps", f"{name}.yaml").read_text(encoding="utf-8")
    data = yaml.safe_load(text)
    rows = tuple((int(value), str(label)) for value, label in data["labels"].items())
    return ClassMap(rows=rows, source=f"names from the class map {name}")


class _PlainLoader(yaml.SafeLoader):
    """Safe YAML without aliases: a few nested ones can stand for more text than any memory holds."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("a table of names needs no aliases")
        return super().compose_node(parent, index)


def _read_table(path: Path) -> Iterator[tuple[int, str]]:
    suffix = path.suffix.lower()
    limit = MAX_YAML_BYTES if suffix in {".yaml", ".yml"} else MAX_TABLE_BYTES
    if path.stat().st_size > limit:
        raise UsageError(f"The class map '{path.name}' has more than {limit >> 10} KiB: give a name table.")
    try:
        text = path.read_text(encoding="utf-8-sig")
        if suffix == ".json":
            rows = list(_from_tree(json.loads(text), path.name))
        elif suffix in {".yaml", ".yml"}:
            rows = list(_from_tree(yaml.load(text, _PlainLoader), path.name))  # noqa: S506  (a SafeLoader)
        else:
            rows = list(_from_lines(text) or _from_csv(text, path.name))
    except (OSError, ValueError, yaml.YAMLError, csv.Error, RecursionError) as error:
        # ValueError: no UTF-8, no JSON, an impossible date in YAML, a number of thousands of digits.
        raise UsageError(
            f"The class map '{path.name}' cannot be read as {path.suffix.lstrip('.').upper() or 'text'}: give "
            "pairs of value and name as JSON, CSV or YAML."
        ) from error
    yield from rows


def _from_tree(data: Any, name: str) -> Iterator[tuple[int, str]]:
    """Pairs of a JSON or YAML document: value → name, name → value(s), rows of objects; or below "labels"."""
    if isinstance(data, dict) and isinstance(data.get("labels"), (dict, list)):
        data = data["labels"]
    if isinstance(data, list):
        if not all(isinstance(row, dict) for row in data):
            raise UsageError(f"The class map '{name}' is a list without values: give pairs of value and name.")
        rows = [{str(key).lower(): value for key, value in row.items()} for row in data]
        yield from _from_columns([{k: str(v) for k, v in row.items()} for row in rows], name)
        return
    if not isinstance(data, dict):
        raise UsageError(f"The class map '{name}' is not a table: give pairs of value and name.")
    seen: dict[int, str] = {}
    for key, value in data.items():
        whole = _whole(key)
        if whole is not None and isinstance(value, str) and _whole(value) is None:
            yield _once(seen, whole, value, name)
        elif isinstance(value, list) and value and all(_whole(one) is not None for one in value):
            yield from ((int(one), str(key)) for one in value)
        elif (number := _whole(value)) is not None and not isinstance(value, bool):
            yield _once(seen, number, str(key), name)
        else:
            raise UsageError(
                f"The class map '{name}' has the entry {str(key)[:40]!r} without a whole number and a name: give "
                'pairs such as {"1": "liver"}.'
            )


def _from_lines(text: str) -> list[tuple[int, str]]:
    """Rows of an ITK-SNAP label description or a colour table, or nothing where it is neither."""
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    for form in (_ITKSNAP, _COLOR_TABLE):
        matches = [form.match(line) for line in lines]
        if lines and all(matches):
            return [(int(match[1]), match[2].strip('"')) for match in matches if match]
    return []


def _from_csv(text: str, name: str) -> Iterator[tuple[int, str]]:
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    if not lines:
        return
    delimiter = max("\t;,", key=lambda mark: (lines[0].count(mark), mark == ","))
    cells = [[cell.strip() for cell in row] for row in csv.reader(io.StringIO("\n".join(lines)), delimiter=delimiter)]
    heads = [head.lower().replace(" ", "_") for head in cells[0]]
    body = cells[1:]
    if any(_whole(cell) is not None for cell in cells[0]):
        heads, body = [f"column{n}" for n in range(len(heads))], cells
    yield from _from_columns([dict(zip(heads, row, strict=False)) for row in body], name)


def _from_columns(rows: list[dict[str, str]], name: str) -> Iterator[tuple[int, str]]:
    """Find the column of values (all whole numbers) and that of names by header and content."""
    heads = list(rows[0]) if rows else []
    numeric = [head for head in heads if all(_whole(row.get(head, "")) is not None for row in rows)]
    wordy = [head for head in heads if head not in numeric]
    headless = all(head.startswith("column") for head in heads)
    value_head = _first(_VALUE_HEADS, numeric) or (numeric[0] if headless and numeric else None)
    name_head = _first(_NAME_HEADS, wordy) or (wordy[0] if headless and wordy else None)
    if value_head is None or name_head is None:
        raise UsageError(
            f"The class map '{name}' has no column of whole numbers (value, label, id or index) beside a column "
            "of names (name, structure or class): add a header that names them."
        )
    seen: dict[int, str] = {}
    for row in rows:
        if row.get(name_head):
            yield _once(seen, int(float(row[value_head])), row[name_head], name)


def _first(wanted: Iterable[str], heads: list[str]) -> str | None:
    return next((head for head in wanted if head in heads), None)


def _once(seen: dict[int, str], value: int, label: str, name: str) -> tuple[int, str]:
    if seen.setdefault(value, label) != label:
        raise UsageError(
            f"The class map '{name}' gives the value {value} two names ({seen[value]!r} and {label!r}): keep one."
        )
    if value < 0:
        raise UsageError(f"The class map '{name}' names the negative value {value}: label values count from 1.")
    return value, label


def _whole(value: object) -> int | None:
    """The integer that a cell or key stands for, or None."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    if isinstance(value, str) and re.fullmatch(r"\s*-?\d{1,9}(\.0+)?\s*", value):
        return int(float(value))
    return None
