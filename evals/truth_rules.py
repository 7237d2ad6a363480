"""The few thresholds that turn the numbers of a truth file into answers.

Written from the published rules themselves and independent of the rules of the program under test: nothing here is
imported from it. Sources: spleen, Bezerra 2005; organ sizes, the DeepTumorVQA knowledge base and RadGPT; steatosis
grades, Kodama 2007; attenuation and clustering, RadGPT; pancreas T category, AJCC 8th edition; resectability, NCCN.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

SPLEEN_ENLARGED_CM3 = 314.5
SPLEEN_GRADES_CM3 = (314.5, 500.0, 800.0)
GRADE_WORDS = ("normal", "mild", "moderate", "severe")
ENLARGED_CM3: Mapping[str, tuple[float, ...]] = {
    "spleen": (314.5,), "liver": (1800.0, 3000.0), "pancreas": (100.0, 83.0), "kidney_left": (260.0, 207.6),
    "kidney_right": (260.0, 207.6),
}  # fmt: skip
"""Thresholds of the sources that exist for an organ; where they disagree, no single answer is right."""
ATTENUATION_BAND_SD = 0.1
OUTLIER_FACTOR = 3.0
SAME_SIZE_MARGIN = 0.05
ASYMMETRY_FACTOR = 2.0
REGION_SHARE = 0.10
ADJACENT_MM = 4.0
CYST_LIMIT_CM3, CYST_LIMIT_MM = 3.0, 30.0
PSEUDOCYST_HU = 14.5
SOLID_HU = 34.8
ARTERIES = ("superior_mesenteric_artery", "celiac_trunk", "common_hepatic_artery")
VEINS = ("superior_mesenteric_vein", "portal_vein")


class Reading(NamedTuple):
    """A verdict, and how far its number is from the nearest threshold (in the number's unit)."""

    verdict: str
    gap: float
    other: str | None = None


def graded(value: float, edges: Sequence[float], verdicts: Sequence[str]) -> Reading:
    """The verdict of a number among ordered edges (an edge itself belongs below), and the one across the nearest edge.

    Args:
        value: the number.
        edges: ascending.
        verdicts: one more than edges.
    """
    place = sum(value > edge for edge in edges)
    nearest = min(range(len(edges)), key=lambda n: abs(value - edges[n]))
    other = verdicts[nearest] if place > nearest else verdicts[nearest + 1]
    return Reading(verdicts[place], abs(value - edges[nearest]), other)


def attenuation(lesion_hu: float, organ_hu: float, organ_sd: float) -> Reading:
    """Hypo-, iso- or hyperattenuating against the organ; the gap in HU to the nearest edge of the band."""
    difference, band = lesion_hu - organ_hu, ATTENUATION_BAND_SD * organ_sd
    if abs(difference) < band:
        verdict = "isoattenuating"
    else:
        verdict = "hypoattenuating" if difference < 0 else "hyperattenuating"
    return Reading(verdict, abs(abs(difference) - band))


def outlier(volumes: Sequence[float]) -> bool:
    """Whether the largest of at least three lesions has three times the volume of the next."""
    ordered = sorted(volumes, reverse=True)
    return len(ordered) >= 3 and ordered[0] >= OUTLIER_FACTOR * ordered[1]


def clustering(counts: Sequence[int]) -> str:
    """How lesions are spread over segments, from the number of lesions whose main segment each one is."""
    ordered = [*sorted(counts, reverse=True), 0, 0]
    total = sum(counts)
    if ordered[0] / total > 0.5:
        return "highly clustered"
    return "somewhat clustered" if (ordered[0] + ordered[1]) / total >= 0.75 else "widely distributed"


def same_or_larger(first: float, second: float) -> str:
    """Which of two volumes is larger: "first", "second" or "same" within the margin."""
    if abs(first - second) <= SAME_SIZE_MARGIN * max(first, second):
        return "same"
    return "first" if first > second else "second"


def asymmetry(first: float, second: float) -> str:
    """Which of two burdens is substantially more: "first", "second", "symmetric", or "neither" without any."""
    if first == second == 0:
        return "neither"
    if min(first, second) * ASYMMETRY_FACTOR <= max(first, second):
        return "first" if first > second else "second"
    return "symmetric"


def steatosis_grade(liver_hu: float, ratio: float) -> int | None:
    """Grade 0 to 3, the worse of attenuation and liver-to-spleen ratio; None in the gaps of the published table."""
    if 50 < liver_hu < 51 or 57 < liver_hu < 58:
        return None
    by_hu = 0 if liver_hu >= 58 else 1 if liver_hu >= 51 else 2 if liver_hu >= 39 else 3
    by_ratio = 0 if ratio >= 1.0 else 1 if ratio >= 0.8 else 2 if ratio >= 0.5 else 3
    return max(by_hu, by_ratio)


def t_by_size(long_axis_mm: float) -> Reading:
    """T1 to T3 of a pancreatic tumour by its longest axis, no vessel being involved."""
    return graded(long_axis_mm, (20.0, 40.0), ("T1", "T2", "T3"))


def resectability(contacts: Mapping[str, float]) -> str | None:
    """Resectability by the degrees of contact with each vessel; None where they leave it open.

    Open is what degrees alone cannot tell: venous contact (its irregularity and whether the vein can be rebuilt are
    not seen) and contact of half of the artery's circumference, give or take.
    """
    arteries = [contacts.get(name, 0.0) for name in ARTERIES]
    veins = [contacts.get(name, 0.0) for name in VEINS]
    if max(arteries[:2]) > 180:
        return "locally advanced"
    if max(veins) > 0 or arteries[2] > 0:
        return None
    return "borderline resectable" if max(arteries[:2]) > 0 else "resectable"


def renal_mass(hu: float) -> Reading:
    """What a renal mass on plain CT is by its attenuation."""
    return graded(hu, (-10.0, 20.0, 70.0), ("undefined", "simple cyst", "indeterminate", "hyperattenuating cyst"))
