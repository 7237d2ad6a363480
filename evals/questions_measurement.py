"""Measurement: volumes, attenuations, and ratios of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from evals.questions_model import Expected, Item
from evals.questions_truth import LesionView, Seen
from evals.resolution import relative

VOLUME_ORGANS = ("liver", "spleen", "pancreas", "kidney_left", "kidney_right", "gallbladder")
HU_ORGANS = ("liver", "spleen", "pancreas", "kidney_left", "kidney_right")
RATIOS = (("liver", "spleen"), ("pancreas", "spleen"))
LESION_ORGANS = ("liver", "kidney", "pancreas", "colon")
TYPES = (
    ("kidney", "kidney_cyst", ("kidney_cyst_left", "kidney_cyst_right")),
    ("pancreas", "pancreas_pdac", ("pancreas_pdac",)),
    ("liver", "liver_cyst", ("liver_cyst",)), ("liver", "liver_metastasis", ("liver_metastasis",)),
)  # fmt: skip
"""Lesion types that are asked for by name: organ, identifier, label classes."""

WORDS = {
    "kidney_left": "left kidney", "kidney_right": "right kidney", "kidney_cyst": "kidney cyst",
    "pancreas_pdac": "PDAC", "pancreas_pnet": "PNET", "liver_cyst": "liver cyst",
    "liver_metastasis": "liver metastasis", "liver_lesion": "liver lesion", "kidney_lesion": "kidney lesion",
    "pancreas_lesion": "pancreatic lesion", "colon_lesion": "colon lesion", "kidney": "kidneys",
    "pancreas_head": "pancreatic head", "pancreas_body": "pancreatic body", "pancreas_tail": "pancreatic tail",
}  # fmt: skip
PLURALS = {
    "kidney_cyst": "kidney cysts", "pancreas_pdac": "PDACs", "liver_cyst": "liver cysts",
    "liver_metastasis": "liver metastases", "liver_lesion": "liver lesions", "kidney_lesion": "kidney lesions",
    "pancreas_lesion": "pancreatic lesions", "colon_lesion": "colon lesions",
}  # fmt: skip


def word(structure: str) -> str:
    """A structure in the words of a question."""
    return WORDS.get(structure, structure.replace("_", " "))


def number(subtype: str, value: float | None, unit: str, tolerance: float = 0.0, reason: str | None = None,
           *, loose: float = 0.0, **slots: str) -> Item:  # fmt: skip
    """A question that is answered with a number; None makes it undecidable."""
    expected = Expected(
        form="number", value=value, unit=unit, tolerance=tolerance, loose=max(loose, tolerance),
        decidable=value is not None, reason=reason,
    )  # fmt: skip
    # Wrong numbers near nothing cannot be made from shares of it.
    return Item(subtype, expected, slots, choice=value != 0 or isinstance(value, int))


def asked_lesions(seen: Seen) -> Iterator[tuple[str, str, list[LesionView], str | None]]:
    """Groups of lesions that a question can name: organ, identifier, its lesions, why there may be more (or None)."""
    for organ in LESION_ORGANS:
        yield organ, f"{organ}_lesion", seen.lesions(organ), seen.all_lesions(organ)
    for organ, ident, labels in TYPES:
        if all(seen.typed(label) for label in labels):
            cut = None if seen.whole(organ) else f"the {organ} is cut off, or not labelled"
            yield organ, ident, seen.lesions(organ, *labels), cut


def measurement(seen: Seen) -> Iterator[Item]:
    """Questions of this stage about a case."""
    yield from _organs(seen)
    yield from _ratios(seen)
    for organ, ident, lesions, why in asked_lesions(seen):
        slots: dict[str, Any] = {"lesion": word(ident), "lesions": PLURALS[ident], "organ": word(organ)}
        if open_to_reading(why, lesions):
            continue
        total = None if why else float(sum(one.volume for one in lesions))
        # Of whole lesions in an organ that is cut off, whether what is seen counts as "the lesions" is open too.
        if not (why and lesions and all(one.whole for one in lesions)):
            yield number("lesion volume measurement", total, "cm3", relative(total or 0.0, least=1e-3), why, **slots)
        if ident.endswith("_lesion") and organ != "colon":
            yield _burden(seen, organ, total, why, slots)


def open_to_reading(why: str | None, lesions: list[LesionView]) -> bool:
    """Whether lesions are there, but of types only: whether "the lesions" are these or any is a matter of reading."""
    return why is not None and why.startswith("no class") and bool(lesions)


def _organs(seen: Seen) -> Iterator[Item]:
    for organ in VOLUME_ORGANS:
        one = seen.truth.structures.get(organ)
        if one is None:
            continue
        volume = one.volume if seen.whole(organ) else None
        why = None if volume is not None else "it is cut off, or not labelled"
        yield number("organ volume measurement", volume, "cm3", relative(volume or 0.0), why, organ=word(organ))
    for organ in HU_ORGANS:
        one = seen.truth.structures.get(organ)
        if not seen.shown(organ):
            yield number("organ HU measurement", None, "HU", reason="it is not labelled", organ=word(organ))
        elif seen.whole(organ) and one is not None and one.hu_mean is not None:
            # Of an organ that is cut off, whether the mean of what is seen counts as its attenuation is open.
            yield number("organ HU measurement", one.hu_mean, "HU", relative(one.hu_mean, least=0.5), organ=word(organ))


def _ratios(seen: Seen) -> Iterator[Item]:
    for pair in RATIOS:
        slots: dict[str, Any] = {"first": word(pair[0]), "second": word(pair[1])}
        a, b = (seen.truth.structures[name].hu_mean for name in pair)
        if not all(seen.shown(name) for name in pair):
            yield number("organ HU ratio", None, "1", reason="one of them is not labelled", **slots)
        elif all(seen.whole(name) for name in pair) and a is not None and b is not None:
            yield number("organ HU ratio", a / b, "1", relative(a / b, least=0.005), **slots)


def _burden(seen: Seen, organ: str, total: float | None, why: str | None, slots: dict[str, Any]) -> Item:
    if total is None:
        return number("tumor burden percentage", None, "%", reason=why, **slots)
    volume = sum(seen.truth.structures[part].volume for part in seen.organ_parts(organ))
    share = 100 * total / volume
    return number("tumor burden percentage", share, "%", relative(share, least=0.02), **slots)
