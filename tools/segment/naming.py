"""From the names of a label map to canonical structures."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from agent.errors import LabelsError
from tools.ontology import Ontology, load_ontology

MAX_NAMES = 10_000
MAX_NAME_CHARACTERS = 200
Key = tuple[int, int]
_BACKGROUND = frozenset({"background", "unlabeled", "unlabelled", "clear_label", "ignore", "void", "none"})
# What viewers call a segment that nobody named; in a question "segment 1" is one of the liver.
_DEFAULT_NAME = re.compile(r"(segment|label|region|roi|mask|structure|class)[\s_-]*\d*", re.IGNORECASE)
_LISTED = 6


@dataclass(frozen=True)
class Named:
    """Canonical entries of a label map.

    Attributes:
        entries: canonical id → keys, declared structures without voxels included.
        raw_names: key → the user's name.
        notes: names that are not known, merged, or missing.
    """

    entries: dict[str, tuple[Key, ...]]
    raw_names: dict[Key, str]
    notes: tuple[str, ...]


def slug(name: str) -> str:
    """Identifier of a name that the ontology doesn't know: lower case, words joined by underscores."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_") or "unnamed"


def is_background(name: str) -> bool:
    """Whether a name says that nothing is labelled."""
    return slug(name) in _BACKGROUND


def canonical(name: str, ontology: Ontology) -> str | None:
    """Canonical id of a name, tolerant of punctuation, a leading number, and a trailing number of a lesion."""
    if len(name) > MAX_NAME_CHARACTERS:
        return None
    plain = re.sub(r"[^\w/&+-]+", " ", name).strip()
    if _DEFAULT_NAME.fullmatch(plain):
        return None
    for candidate in (name, plain, re.sub(r"^\d+[\s_-]+", "", plain)):
        if candidate and (found := ontology.normalise(candidate)):
            return found
    base = re.sub(r"(?<=[A-Za-z])[\s_-]*\d{1,2}$", "", plain)
    found = ontology.normalise(base) if base and base != plain else None
    return found if found and ontology.get(found).kind == "lesion" else None


def name_labels(
    rows: Sequence[tuple[Key, str]], unnamed: Sequence[tuple[Key, int]], *, ids: dict[Key, str] | None = None
) -> Named:
    """Normalise the names of a label map.

    Args:
        rows: (key, name) of all declared classes, background left out; a key may carry several names.
        unnamed: (key, value in the user's map) of voxels without a name.
        ids: canonical ids that are known otherwise (coded terms of a DICOM SEG), by key.

    Raises:
        LabelsError: if there are more than `MAX_NAMES` names, or one is longer than `MAX_NAME_CHARACTERS`.
    """
    longest = max((len(name) for _, name in rows), default=0)
    if len(rows) > MAX_NAMES or longest > MAX_NAME_CHARACTERS:
        raise LabelsError(
            f"The labels have {len(rows)} names of up to {longest} characters: give at most {MAX_NAMES} names of "
            f"{MAX_NAME_CHARACTERS} characters."
        )
    ontology = load_ontology()
    entries: dict[str, list[Key]] = {}
    spelled: dict[str, list[str]] = {}
    raw: dict[Key, str] = {}
    unknown: list[str] = []
    for key, name in rows:
        ident = (ids or {}).get(key) or canonical(name, ontology)
        if ident is None:
            ident = slug(name)
            unknown.append(name)
        raw[key] = name if key not in raw else f"{raw[key]}, {name}"
        keys = entries.setdefault(ident, [])
        if key not in keys:
            keys.append(key)
        spelled.setdefault(ident, []).append(name)
    located = _locate(entries, ontology)
    notes = [
        f"the class {', '.join(repr(n) for n in spelled[old])} is taken to lie in the {ontology.get(organ).name}, "
        "the only organ of this label map"
        for old, organ in located
    ]
    notes += [
        f"{' and '.join(repr(n) for n in names)} name the same structure ({ident}) and were merged"
        for ident, names in spelled.items()
        if len(names) > 1
    ]
    if unknown:
        notes.append(f"names that are not in the ontology are kept as they are: {_listed(unknown)}")
    if unnamed:
        for key, value in unnamed:
            entries.setdefault(f"label_{value}", []).append(key)
            raw[key] = str(value)
        notes.append(_unnamed_note([value for _, value in unnamed], nothing_named=not rows))
    return Named({ident: tuple(keys) for ident, keys in entries.items()}, raw, tuple(notes))


def _locate(entries: dict[str, list[Key]], ontology: Ontology) -> list[tuple[str, str]]:
    """In a map of one organ and lesions without one ("kidney", "tumor"), the lesions lie in that organ.

    This is how single-purpose data sets name their classes; renamed in place and reported. A map with anything
    else in it is left alone.
    """
    described = {ident: ontology.get(ident) for ident in entries}
    lesions = [s.id for s in described.values() if s.kind == "lesion" and s.organ is None]
    hosts = {s.base for s in described.values() if s.kind == "organ"}
    hosts |= {ontology.get(s.organ).base for s in described.values() if s.kind == "lesion" and s.organ}
    others = [s for s in described.values() if s.kind not in {"organ", "lesion"}]
    if not lesions or len(hosts) != 1 or others:
        return []
    organ = hosts.pop()
    for ident in lesions:
        keys = entries.pop(ident)
        entries.setdefault(ontology.lesion_id(ident, organ), []).extend(keys)
    return [(ident, organ) for ident in lesions]


def _unnamed_note(values: list[int], *, nothing_named: bool) -> str:
    numbers = _listed([str(value) for value in sorted(values)])
    if nothing_named:
        return (
            f"the label map carries no names (values {numbers}): name them with --class-map, by a known class map "
            "or a JSON, CSV or YAML table"
        )
    return f"value {numbers} has no name" if len(values) == 1 else f"values {numbers} have no names"


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _LISTED
    return ", ".join(names[:_LISTED]) + (f" and {more} more" if more > 0 else "")
