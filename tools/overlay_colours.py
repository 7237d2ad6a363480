"""One colour for every structure, by what it is: the same on every scan, in every picture and beside any others.

Lesions have the warm, saturated hues, by their type; organs the cool ones, arteries rose, veins violet, bones ivory and
muscles brown. Neighbours lie apart in hue or lightness, and all stand out from grey on black.
"""

from __future__ import annotations

import hashlib
import math
from functools import cache

from tools.ontology import Structure, load_ontology

Colour = tuple[int, int, int]

_TYPES: dict[str, tuple[float, float, float]] = {
    "lesion": (0.84, 0.18, 82), "tumor": (0.76, 0.18, 58), "cancer": (0.67, 0.23, 33),
    "primary_cancer": (0.67, 0.23, 33), "metastasis": (0.70, 0.24, 356), "sarcoma": (0.62, 0.22, 20),
    "lymphoma": (0.76, 0.15, 15), "hcc": (0.69, 0.21, 38), "cholangiocarcinoma": (0.74, 0.18, 56),
    "pdac": (0.66, 0.22, 30), "pnet": (0.80, 0.14, 50), "rcc": (0.68, 0.22, 40),
    "cyst": (0.93, 0.19, 108), "pseudocyst": (0.87, 0.17, 98), "mucinous_cyst": (0.84, 0.17, 90),
    "abscess": (0.62, 0.13, 72), "polyp": (0.84, 0.12, 62), "benign_tumor": (0.88, 0.20, 122),
    "hemangioma": (0.85, 0.20, 124), "adenoma": (0.91, 0.18, 118), "angiomyolipoma": (0.82, 0.18, 124),
    "oncocytoma": (0.86, 0.16, 114),
}  # fmt: skip
"""Lightness, chroma and hue (OKLCH, degrees) of the types of lesions."""

_STRUCTURES: dict[str, tuple[float, float, float]] = {
    "liver": (0.74, 0.13, 245), "gallbladder": (0.83, 0.19, 150), "spleen": (0.72, 0.14, 300),
    "pancreas": (0.88, 0.13, 192), "kidney_right": (0.70, 0.14, 165), "kidney_left": (0.78, 0.15, 158),
    "adrenal_gland_right": (0.93, 0.07, 150), "adrenal_gland_left": (0.95, 0.05, 170), "stomach": (0.68, 0.16, 275),
    "duodenum": (0.86, 0.08, 315), "small_bowel": (0.86, 0.07, 260), "colon": (0.66, 0.12, 220),
    "rectum": (0.60, 0.13, 255), "esophagus": (0.80, 0.12, 140), "urinary_bladder": (0.92, 0.07, 225),
    "prostate": (0.76, 0.13, 335), "uterus": (0.80, 0.11, 335), "heart": (0.62, 0.10, 345),
    "lung_right": (0.82, 0.06, 230), "lung_left": (0.90, 0.04, 275), "trachea": (0.92, 0.05, 200),
    "thyroid_gland": (0.80, 0.14, 180), "brain": (0.82, 0.07, 330), "spinal_cord": (0.88, 0.08, 240),
    "aorta": (0.76, 0.08, 15), "superior_mesenteric_artery": (0.86, 0.06, 15), "celiac_trunk": (0.66, 0.07, 15),
    "common_hepatic_artery": (0.91, 0.05, 25), "inferior_vena_cava": (0.55, 0.20, 272),
    "superior_vena_cava": (0.62, 0.17, 268), "portal_vein_and_splenic_vein": (0.62, 0.21, 308),
    "portal_vein": (0.59, 0.21, 302), "splenic_vein": (0.66, 0.19, 320),
    "superior_mesenteric_vein": (0.73, 0.17, 328), "hepatic_vessel": (0.62, 0.15, 270),
    "hepatic_vein": (0.67, 0.13, 264),
}  # fmt: skip
"""The same of structures that are seen beside each other."""

_KINDS: dict[str, tuple[float, float, float, float]] = {
    "organ": (0.78, 0.11, 140, 180), "artery": (0.76, 0.09, 5, 25), "vein": (0.64, 0.17, 262, 62),
    "bone": (0.88, 0.05, 60, 45), "muscle": (0.62, 0.07, 35, 25), "finding": (0.84, 0.15, 60, 60),
    "cavity": (0.70, 0.02, 240, 20),
}  # fmt: skip
"""Lightness, chroma, first hue and width of the band of hues of those that have no row of their own."""

_VEINS = frozenset({"vein", "veins", "vena", "vessel"})
_GOLDEN = 0.618034
_STEPS = (0.0, -0.09, 0.06)
_SIDES = {"left": 0.05, "right": -0.03, None: 0.0}
_LEAST_CHANGE = 0.01
_LIGHTEST = 0.97
_LIGHTEST_LESION = 0.95


@cache
def colour_of(name: str) -> Colour:
    """The colour of a structure, whatever else is shown.

    Args:
        name: its id, or its display name; a single lesion ("liver_lesion#2") has that of its class.

    Returns:
        sRGB, each 0 to 255.
    """
    known = name.partition("#")[0]
    plain = " ".join(known.replace("_", " ").split()).casefold()
    ident = _names().get(plain) or load_ontology().normalise(known)
    if ident is None:
        share = _share(plain)
        return _srgb(0.78 + _STEPS[int(share * 3e6) % 3], 0.13, 360 * share)
    found = load_ontology().get(ident)
    if found.kind == "lesion":
        return _lesion(found)
    if found.id in _STRUCTURES:
        return _srgb(*_STRUCTURES[found.id])
    return _band(found)


@cache
def _names() -> dict[str, str]:
    """Display name → identifier, of structures and of their lesions."""
    ontology = load_ontology()
    found = {one.name.casefold(): one.id for one in ontology.structures.values()}
    for organ in [one.id for one in ontology.structures.values() if one.kind == "organ"]:
        for kind, lesion in ontology.lesion_types.items():
            if lesion.organ is None or lesion.organ == ontology.get(organ).base:
                ident = ontology.lesion_id(kind, organ)
                found.setdefault(ontology.get(ident).name.casefold(), ident)
    return found


def _lesion(found: Structure) -> Colour:
    light, chroma, hue = _TYPES.get(found.lesion_type or "", _TYPES["lesion"])
    if found.organ is None:
        return _srgb(light, chroma, hue)
    # The type says most; the organ and the side tell two classes of one type apart.
    organ = load_ontology().get(found.organ)
    share = _share(organ.base)
    return _srgb(min(light + _SIDES[organ.side], _LIGHTEST_LESION) - 0.05 * share, chroma, hue + 16 * (share - 0.5))


def _band(found: Structure) -> Colour:
    """By the place among the structures of its kind, so that neighbours in a series (vertebrae, ribs) differ."""
    kind = found.kind if found.kind != "vessel" else "vein" if _VEINS & set(found.id.split("_")) else "artery"
    light, chroma, hue, width = _KINDS.get(kind, _KINDS["organ"])
    bases = _bases(found.kind)
    number = bases.index(found.base)
    shade = light + _STEPS[number % 3] + _SIDES[found.side] - 0.05 * number / len(bases)
    return _srgb(shade, chroma, hue + width * ((number * _GOLDEN) % 1.0))


@cache
def _bases(kind: str) -> list[str]:
    return list(dict.fromkeys(one.base for one in load_ontology().structures.values() if one.kind == kind))


def _share(text: str) -> float:
    """A number from 0 to 1 that a text always has."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4]) / 2**32


def _srgb(light: float, chroma: float, hue: float) -> Colour:
    """OKLCH (Ottosson, 2020) as sRGB; a colour beyond what a screen shows loses chroma until it is shown."""
    light = min(light, _LIGHTEST)
    while True:
        a, b = chroma * math.cos(math.radians(hue)), chroma * math.sin(math.radians(hue))
        long, middle, short = (
            (light + a * x + b * y) ** 3
            for x, y in ((0.3963377774, 0.2158037573), (-0.1055613458, -0.0638541728), (-0.0894841775, -1.2914855480))
        )
        linear = (
            4.0767416621 * long - 3.3077115913 * middle + 0.2309699292 * short,
            -1.2684380046 * long + 2.6097574011 * middle - 0.3413193965 * short,
            -0.0041960863 * long - 0.7034186147 * middle + 1.7076147010 * short,
        )
        if all(0 <= one <= 1 for one in linear) or chroma < _LEAST_CHANGE:
            red, green, blue = (round(255 * _gamma(min(1.0, max(0.0, one)))) for one in linear)
            return red, green, blue
        chroma -= _LEAST_CHANGE


def _gamma(linear: float) -> float:
    # IEC 61966-2-1.
    return 12.92 * linear if linear <= 0.0031308 else 1.055 * linear ** (1 / 2.4) - 0.055
