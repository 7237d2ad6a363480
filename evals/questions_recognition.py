"""Recognition: is a lesion of this organ or type there, is the spleen enlarged."""

from __future__ import annotations

from collections.abc import Iterator

from evals.questions_model import Expected, Item
from evals.questions_truth import Seen
from evals.resolution import near_volume
from evals.truth_rules import SPLEEN_ENLARGED_CM3

YES_NO = {True: "Yes", False: "No"}
ORGAN_KINDS = (
    ("liver lesion existence", "liver"), ("kidney lesion existence", "kidney"),
    ("pancreatic lesion existence", "pancreas"), ("colon lesion existence", "colon"),
)  # fmt: skip
TYPE_KINDS = (
    ("kidney tumor existence", "kidney", ("kidney_rcc_left", "kidney_rcc_right"),
     ("kidney_tumor_left", "kidney_tumor_right")),
    ("kidney cyst existence", "kidney", ("kidney_cyst_left", "kidney_cyst_right"), ()),
    ("PDAC existence", "pancreas", ("pancreas_pdac",), ()),
    ("PNET existence", "pancreas", ("pancreas_pnet",), ()),
)  # fmt: skip
"""Kind, organ, label classes of the type, and classes that stand for it (or more) under another name."""


def yes_no(subtype: str, value: bool | None, reason: str | None = None, **more: object) -> Item:
    """A question that is answered with yes or no; None makes it undecidable."""
    expected = Expected.model_validate(
        {"form": "boolean", "value": value, "decidable": value is not None, "reason": reason} | more
    )
    wrong = () if value is None else (YES_NO[not value],)
    return Item(subtype, expected, right=None if value is None else YES_NO[value], wrong=wrong or ("Yes", "No"))


def recognition(seen: Seen) -> Iterator[Item]:
    """Questions of this stage about a case."""
    for subtype, organ in ORGAN_KINDS:
        why = seen.all_lesions(organ)
        if seen.lesions(organ):
            yield yes_no(subtype, True)
        else:
            yield yes_no(subtype, None if why else False, why)
    for subtype, organ, labels, broader in TYPE_KINDS:
        yield _typed(seen, subtype, organ, labels, broader)
    yield splenomegaly(seen)


def _typed(seen: Seen, subtype: str, organ: str, labels: tuple[str, ...], broader: tuple[str, ...]) -> Item:
    """Whether there is a lesion of one type.

    Yes needs a class of this very type (or one that says as much), no a class that would have shown it and an organ
    that is wholly in the scan. The tumours of a kidney may be of other types than those that have a class.
    """
    known = [label for label in labels if seen.typed(label)]
    if seen.lesions(organ, *known) and known:
        return yes_no(subtype, True)
    named = seen.others or (set(broader) <= seen.declared if broader else len(known) == len(labels))
    if named or (seen.looked_for_any(organ) and not seen.lesions(organ)):
        cut = None if seen.whole(organ) else f"the {organ} is not wholly in the scan, or not labelled"
        return yes_no(subtype, None if cut else False, cut)
    return yes_no(subtype, None, "nothing handed over tells this type from others")


def splenomegaly(seen: Seen, subtype: str = "splenomegaly detection") -> Item:
    """Whether the spleen is larger than the threshold; what is seen of a spleen that is cut off may decide it."""
    if not seen.shown("spleen"):
        return yes_no(subtype, None, "the spleen is not labelled")
    volume = seen.truth.structures["spleen"].volume
    large = volume > SPLEEN_ENLARGED_CM3
    if not seen.whole("spleen"):
        return yes_no(subtype, True if large else None, None if large else "the spleen is cut off")
    near = near_volume(seen.truth.spacing, volume, abs(volume - SPLEEN_ENLARGED_CM3))
    return yes_no(subtype, large, other=not large if near.possible else None, must_flag=near.certain)
