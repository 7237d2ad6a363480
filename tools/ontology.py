"""Names of structures and lesions, from one reviewed data file.

`Ontology.mentions` finds structures in a question, `Ontology.normalise` brings a label's name to its canonical
identifier; both read the same phrases, so a name that labels a voxel is a name that can be asked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from importlib.resources import files

from retrieval.passages import read_yaml
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
        regions: sub-regions that a place in it is told by (liver segments, poles of a kidney).
        part_of: the structure of which it is such a region.
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
    regions: tuple[str, ...] = ()
    part_of: str | None = None
    organ: str | None = None
    lesion_type: str | None = None


@dataclass(frozen=True)
class LesionType:
    """A kind of lesion; `is_a` names the next more general one."""

    id: str
    name: str
    is_a: str | None
    organ: str | None


_NUMERAL = re.compile(r"(?:^| )(?:[IVX]+|\w?\d+)$")


_MOST_COMPOSED = 4096


class Ontology:
    """The structures, the lesion types, and the phrases that name them."""

    def __init__(self, data: OntologyFile) -> None:
        self.structures: dict[str, Structure] = {}
        self.lesion_types: dict[str, LesionType] = {}
        self._phrases: dict[tuple[str, ...], list[tuple[str, str, bool]]] = {}
        for row in data.structures:
            for one in row.series():
                self._add_structure(one)
        self._locate()
        for lesion in data.lesions:
            self._add_lesion(lesion)
        self._longest = max(len(phrase) for phrase in self._phrases)
        # Composed thousands of times while a question is read; bounded, since names come from files as well.
        self._lesion = lru_cache(maxsize=_MOST_COMPOSED)(self._compose)

    # -- building ---------------------------------------------------------------------------------------------

    def _phrase(self, text: str, kind: str, value: str, *, is_plural: bool = False) -> None:
        rows = self._phrases.setdefault(tuple(words(text)), [])
        if (kind, value, is_plural) not in rows:
            rows.append((kind, value, is_plural))

    def _add_structure(self, row: StructureRow) -> None:
        name = row.names[0]
        many = row.plurals[0] if row.plurals else name if _NUMERAL.search(name) else plural(name)

        def add(side: str | None, parts: tuple[str, ...], near: tuple[str, ...], regions: tuple[str, ...]) -> None:
            prefix, ident = (f"{side} ", f"{row.id}_{side}") if side else ("", row.id)
            self.structures[ident] = Structure(
                id=ident, name=prefix + row.names[0], names=prefix + many, kind=row.kind, tissue=row.tissue,
                region=row.region, base=row.id, side=side, parts=parts, near=near, regions=regions,
            )  # fmt: skip

        plain = tuple(name for name in row.names if "{side}" not in name)
        if row.sided:
            add("left", row.parts_left, row.near_left, row.regions_left)
            add("right", row.parts_right, row.near_right, row.regions_right)
            pair = (f"{row.id}_right", f"{row.id}_left")
            add(None, pair, (), row.regions or pair)
            for side in SIDES:
                names = tuple(name.format(side=side) for name in row.names if "{side}" in name)
                self._name(names, (), "structure", f"{row.id}_{side}", regular=False)
        else:
            add(None, row.parts, row.near, row.regions)
        self._name(plain, row.plurals, "structure", row.id, regular=not row.plurals)
        for name in row.adjectives:
            self._phrase(name, "adjective", row.id)

    def _locate(self) -> None:
        """Tell every region the structure that it is a region of, the smallest where there are several."""
        for one in sorted(self.structures.values(), key=lambda each: each.side is not None):
            for region in one.regions:
                self.structures[region] = replace(self.structures[region], part_of=one.id)

    def _add_lesion(self, row: LesionRow) -> None:
        self.lesion_types[row.id] = LesionType(row.id, row.names[0], row.is_a, row.organ)
        self._name(row.names, row.plurals, "lesion", row.id, regular=True)

    def _name(self, names: tuple[str, ...], plurals: tuple[str, ...], kind: str, ident: str, *, regular: bool) -> None:
        for number, name in enumerate(names):
            self._phrase(name, kind, ident)
            # "segment I" has no plural: it would be read in "which segment is …".
            if (regular or number) and not _NUMERAL.search(name):
                self._phrase(plural(name), kind, ident, is_plural=True)
        for name in plurals:
            self._phrase(name, kind, ident, is_plural=True)

    # -- looking up -------------------------------------------------------------------------------------------

    def get(self, ident: str) -> Structure:
        """The structure with this identifier; lesions are composed, unknown names are of kind "user".

        ``liver_lesion#2`` is the second of the liver lesions, the largest being the first.
        """
        if ident in self.structures:
            return self.structures[ident]
        of, numbered, number = ident.rpartition("#")
        if numbered and number.isdecimal() and (several := self._lesion(of)) is not None:
            return replace(several, id=ident, name=f"{several.name} {number}", names=f"{several.names} {number}")
        return self._lesion(ident) or Structure(
            id=ident, name=ident.replace("_", " "), names=ident.replace("_", " "), kind="user", base=ident
        )

    def _compose(self, ident: str) -> Structure | None:
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
            # A type that only one organ has names the organ already ("hepatocellular carcinoma").
            named = located is None or (side is None and self.lesion_types[kind].organ == organ)
            place = "" if named else self.get(str(located)).name
            # "lesion in the left lobe of the liver", but "liver lesion".
            said = "{1} in the {0}" if " of " in place else "{0} {1}" if place else "{1}"
            one = self.lesion_types[kind].name
            host = self.structures[organ] if organ else None
            return Structure(
                id=ident, name=said.format(place, one), names=said.format(place, plural(one)), kind="lesion",
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
    return Ontology(OntologyFile.model_validate(read_yaml(files("retrieval").joinpath("knowledge/ontology.yaml"))))
