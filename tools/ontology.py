"""Names of structures and lesions, from one reviewed data file.

`Ontology.mentions` finds structures in a question, `Ontology.normalise` brings a label's name to its canonical
identifier; both read the same phrases, so a name that labels a voxel is a name that can be asked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import yaml

from tools.ontology_mentions import SIDES, Atom, Mention, combine
from tools.ontology_rows import LesionRow, OntologyFile, StructureRow
from tools.text import plural, words

__all__ = ["SIDES", "LesionType", "Mention", "Ontology", "Structure", "load_ontology"]


@dataclass(frozen=True)
class Structure:
    """One structure or lesion class.

    Attributes:
        id: canonical identifier.
        name: display name, singular ("left kidney", "liver metastasis").
        names: display name, plural.
        kind: organ, vessel, bone, muscle, cavity, finding, lesion, or user (a name the ontology doesn't know).
        tissue: soft, air, bone, fat or any.
        region: body region.
        base: identifier without its side.
        side: "left", "right" or None.
        parts: identifiers that make it up; empty for a leaf.
        near: neighbours between which it lies.
        organ: for a lesion, the organ it lies in (identifier), else None.
        lesion_type: for a lesion, its type, else None.
    """

    id: str
    name: str
    names: str
    kind: str
    tissue: str = "any"
    region: str = "any"
    base: str = ""
    side: str | None = None
    parts: tuple[str, ...] = ()
    near: tuple[str, ...] = ()
    organ: str | None = None
    lesion_type: str | None = None


@dataclass(frozen=True)
class LesionType:
    """A kind of lesion; `is_a` names the next more general one."""

    id: str
    name: str
    is_a: str | None
    organ: str | None


class Ontology:
    """The structures, the lesion types, and the phrases that name them."""

    def __init__(self, data: OntologyFile) -> None:
        self.structures: dict[str, Structure] = {}
        self.lesion_types: dict[str, LesionType] = {}
        self._phrases: dict[tuple[str, ...], list[tuple[str, str, bool]]] = {}
        for row in data.structures:
            for one in row.series():
                self._add_structure(one)
        for lesion in data.lesions:
            self._add_lesion(lesion)
        self._longest = max(len(phrase) for phrase in self._phrases)

    # -- building ---------------------------------------------------------------------------------------------

    def _phrase(self, text: str, kind: str, value: str, *, is_plural: bool = False) -> None:
        rows = self._phrases.setdefault(tuple(words(text)), [])
        if (kind, value, is_plural) not in rows:
            rows.append((kind, value, is_plural))

    def _add_structure(self, row: StructureRow) -> None:
        many = row.plurals[0] if row.plurals else plural(row.names[0])

        def add(ident: str, side: str | None, parts: tuple[str, ...], near: tuple[str, ...]) -> None:
            prefix = f"{side} " if side else ""
            self.structures[ident] = Structure(
                id=ident, name=prefix + row.names[0], names=prefix + many, kind=row.kind, tissue=row.tissue,
                region=row.region, base=row.id, side=side, parts=parts, near=near,
            )  # fmt: skip

        if row.sided:
            add(f"{row.id}_left", "left", row.parts_left, row.near_left)
            add(f"{row.id}_right", "right", row.parts_right, row.near_right)
            add(row.id, None, (f"{row.id}_right", f"{row.id}_left"), ())
        else:
            add(row.id, None, row.parts, row.near)
        self._name(row.names, row.plurals, "structure", row.id, regular=not row.plurals)
        for name in row.adjectives:
            self._phrase(name, "adjective", row.id)

    def _add_lesion(self, row: LesionRow) -> None:
        self.lesion_types[row.id] = LesionType(row.id, row.names[0], row.is_a, row.organ)
        self._name(row.names, row.plurals, "lesion", row.id, regular=True)

    def _name(self, names: tuple[str, ...], plurals: tuple[str, ...], kind: str, ident: str, *, regular: bool) -> None:
        for number, name in enumerate(names):
            self._phrase(name, kind, ident)
            if regular or number:
                self._phrase(plural(name), kind, ident, is_plural=True)
        for name in plurals:
            self._phrase(name, kind, ident, is_plural=True)

    # -- looking up -------------------------------------------------------------------------------------------

    def get(self, ident: str) -> Structure:
        """The structure with this identifier; lesions are composed, unknown names are of kind "user"."""
        if ident in self.structures:
            return self.structures[ident]
        return self._lesion(ident) or Structure(
            id=ident, name=ident.replace("_", " "), names=ident.replace("_", " "), kind="user", base=ident
        )

    def _lesion(self, ident: str) -> Structure | None:
        base, side = ident, None
        for one in SIDES:
            if ident.endswith(f"_{one}"):
                base, side = ident[: -len(one) - 1], one
        for kind in sorted(self.lesion_types, key=len, reverse=True):
            if base == kind and side is None:
                organ = None
            elif base.endswith(f"_{kind}") and base[: -len(kind) - 1] in self.structures:
                organ = base[: -len(kind) - 1]
            else:
                continue
            located = f"{organ}_{side}" if organ and side else organ
            prefix = f"{self.get(located).name} " if located else ""
            type_name = self.lesion_types[kind].name
            host = self.structures[organ] if organ else None
            return Structure(
                id=ident, name=prefix + type_name, names=prefix + plural(type_name), kind="lesion",
                region=host.region if host else "any", base=base, side=side, organ=located, lesion_type=kind,
            )  # fmt: skip
        return None

    def lesion_id(self, lesion_type: str, organ: str | None) -> str:
        """Identifier of a lesion type in an organ (which may be sided)."""
        if organ is None:
            return lesion_type
        host = self.get(organ)
        return f"{host.base}_{lesion_type}" + (f"_{host.side}" if host.side else "")

    def ancestors(self, lesion_type: str) -> tuple[str, ...]:
        """The type itself and every more general one."""
        chain = [lesion_type]
        while (above := self.lesion_types[chain[-1]].is_a) is not None:
            chain.append(above)
        return tuple(chain)

    def normalise(self, name: str) -> str | None:
        """Canonical identifier of a label's name, or None where the ontology doesn't know it."""
        plain = name.strip()
        if plain in self.structures or self._lesion(plain):
            return plain
        spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", plain)
        tokens = [{"l": "left", "lt": "left", "r": "right", "rt": "right"}.get(w, w) for w in words(spaced)]
        found = self.mentions(tokens)
        if len(found) == 1 and found[0].start == 0 and found[0].end == len(tokens) and not found[0].side_only:
            return found[0].structure
        return None

    # -- reading text -----------------------------------------------------------------------------------------

    def mentions(self, tokens: Sequence[str]) -> list[Mention]:
        """Structures named by a sequence of words, longest phrases first, left to right.

        Sides attach to the structure beside them; a lesion word attaches to the organ before it ("hepatic
        metastases") or after a preposition ("cyst in the left kidney"); coordinated organs share a lesion word
        ("liver or spleen lesions"). A side that belongs to nothing is returned with `side_only`.
        """
        return list(combine(self, list(self._atoms(tokens))))

    def _atoms(self, tokens: Sequence[str]) -> Iterator[Atom]:
        at = 0
        while at < len(tokens):
            for length in range(min(self._longest, len(tokens) - at), 0, -1):
                rows = self._phrases.get(tuple(tokens[at : at + length]))
                if rows:
                    kind, value, many = self._pick(rows, tokens, at + length)
                    yield Atom(kind, value, at, at + length, many)
                    at += length
                    break
            else:
                word = tokens[at]
                kind = "side" if word in SIDES else "both" if word in {"both", "bilateral"} else "word"
                yield Atom(kind, word, at, at + 1)
                at += 1

    def _pick(self, rows: list[tuple[str, str, bool]], tokens: Sequence[str], after: int) -> tuple[str, str, bool]:
        """A word that is both noun and adjective ("adrenal") is an adjective only before a lesion."""
        if len(rows) > 1 and after < len(tokens):
            before_lesion = any(kind == "lesion" for kind, _, _ in self._phrases.get((tokens[after],), ()))
            for row in rows:
                if (row[0] == "adjective") == before_lesion:
                    return row
        return rows[0]


def is_pair(ident: str) -> bool:
    """Whether a structure stands for both sides of a paired organ."""
    ontology = load_ontology()
    whole = ontology.get(ident)
    return whole.side is None and any(ontology.get(part).side for part in whole.parts)


@cache
def load_ontology() -> Ontology:
    """The ontology of ``retrieval/knowledge/ontology.yaml``, read once per process."""
    text = files("retrieval").joinpath("knowledge/ontology.yaml").read_text(encoding="utf-8")
    return Ontology(OntologyFile.model_validate(yaml.safe_load(text)))
