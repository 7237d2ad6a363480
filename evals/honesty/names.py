"""Names: from the words of a report to the classes of label maps, and what a word for several stands for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from tools.ontology import load_ontology

_SIDES = ("left", "right")
_TUMORS = ("tumor", "cancer", "primary_cancer", "metastasis", "hcc", "pdac", "pnet", "rcc", "hemangioma", "adenoma",
           "benign_tumor", "cholangiocarcinoma", "sarcoma", "lymphoma", "angiomyolipoma", "oncocytoma")  # fmt: skip
_CYSTS = ("cyst", "pseudocyst", "mucinous_cyst")
_OTHERS = ("lesion", "abscess", "polyp")
_BENIGN = ("benign_tumor", "hemangioma", "adenoma", "angiomyolipoma", "oncocytoma")
_BROADER = {
    "lesion": (*_OTHERS, *_TUMORS, *_CYSTS), "tumor": _TUMORS, "cyst": _CYSTS, "benign_tumor": _BENIGN,
    "cancer": tuple(one for one in _TUMORS if one not in {*_BENIGN, "tumor", "pnet"}),
}  # fmt: skip
"""Word for several types → the types that it takes in."""
_TYPES = sorted({*_OTHERS, *_TUMORS, *_CYSTS}, key=len, reverse=True)


def split_lesion(name: str) -> tuple[str, str, str] | None:
    """Organ, type and side of a lesion class ("kidney", "cyst", "left"); None for anything else."""
    base, side = name, ""
    for one in _SIDES:
        if name.endswith(f"_{one}"):
            base, side = name.removesuffix(f"_{one}"), one
    for kind in _TYPES:
        if base == kind:
            return "", kind, side
        if base.endswith(f"_{kind}"):
            return base.removesuffix(f"_{kind}"), kind, side
    return None


def members(name: str, declared: frozenset[str]) -> frozenset[str]:
    """The declared classes that make up a structure or group; empty where some of it has no class.

    Args:
        name: identifier: a class, a pair, or a group of lesions ("kidney_lesion").
        declared: classes of the label maps.
    """
    lesion = split_lesion(name)
    if lesion is not None:
        organ, kind, side = lesion
        wanted = _BROADER.get(kind, (kind,))
        return frozenset(
            one
            for one in declared
            if (found := split_lesion(one)) is not None
            and found[1] in wanted
            and (not organ or found[0] == organ)
            and (not side or found[2] == side)
        )
    if name in declared:
        return frozenset({name})
    both = tuple(f"{name}_{side}" for side in _SIDES)
    parts = both if declared.issuperset(both) else load_ontology().get(name).parts
    classes = [members(part, declared) for part in parts]
    return frozenset().union(*classes) if all(classes) else frozenset()


def lesions_of(name: str, declared: frozenset[str]) -> frozenset[str]:
    """The declared classes of lesions that lie in a structure, a side of a pair or both."""
    sides = [side for side in _SIDES if name.endswith(f"_{side}")]
    organ = name.removesuffix(f"_{sides[0]}") if sides else name
    return members(f"{organ}_lesion_{sides[0]}" if sides else f"{organ}_lesion", declared)


def unknown_names(declared: frozenset[str]) -> tuple[str, ...]:
    """Words of the declared classes that no list of names holds: they may say anything."""
    ontology = load_ontology()
    return tuple(one.replace("_", " ") for one in declared if ontology.get(one).kind == "user")


@cache
def _by_words() -> dict[str, str]:
    """Every name of the ontology → identifier; shorter identifiers win where two share a name."""
    ontology = load_ontology()
    found: dict[str, str] = {}
    for ident in sorted((*ontology.structures, *_lesion_ids()), key=lambda one: (-len(one), one)):
        one = ontology.get(ident)
        found[one.names.lower()] = ident
        found[one.name.lower()] = ident
    return found


def _lesion_ids() -> Iterator[str]:
    ontology = load_ontology()
    for kind in ontology.lesion_types:
        yield kind
        for organ in ontology.structures:
            yield ontology.lesion_id(kind, organ)


def identifier(words: str) -> str | None:
    """The identifier that words stand for; None for none."""
    text = re.sub(r"^(?:the|a|an|any) ", "", words.strip().lower())
    found = _by_words().get(text)
    return found if found is not None else text.replace(" ", "_") if re.fullmatch(r"[a-z0-9_ ]+", text) else None
