"""Visual reasoning about lesions: how many, where, how large, how dense, how spread."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from evals.questions_measurement import PLURALS, asked_lesions, number, open_to_reading, word
from evals.questions_model import Expected, Item
from evals.questions_recognition import yes_no
from evals.questions_truth import REGIONS, LesionView, Seen
from evals.questions_visual import category
from evals.resolution import near_hu, relative
from evals.truth_rules import ADJACENT_MM, attenuation, clustering, outlier

ATTENUATIONS = ("hypoattenuating", "isoattenuating", "hyperattenuating")
NEIGHBOURS = ("stomach", "duodenum", "spleen", "colon", "small_bowel", "liver", "kidney_left", "kidney_right",
              "adrenal_gland_left", "adrenal_gland_right", "gallbladder", "pancreas")  # fmt: skip
"""Organs that can be named as neighbours of a lesion."""


def lesions(seen: Seen) -> Iterator[Item]:
    """Questions of this stage about the lesions of a case."""
    for organ, ident, found, why in asked_lesions(seen):
        if open_to_reading(why, found):
            continue
        slots: dict[str, Any] = {"lesion": word(ident), "lesions": PLURALS[ident], "organ": word(organ)}
        count = None if why else len(found)
        yield number("lesion counting", count, "1", 0.0, why, **slots)
        if organ in REGIONS and ident.endswith("_lesion"):
            yield from _by_region(seen, organ, found, why, slots)
        yield from _largest(seen, organ, found, why, slots)
        if ident.endswith("_lesion"):
            yield from _spread(organ, found, why, slots)
            yield from _adjacent(seen, organ, found, slots)


def _regions_known(seen: Seen, organ: str) -> bool:
    return all(region in seen.declared for region in REGIONS[organ])


def _by_region(
    seen: Seen, organ: str, found: list[LesionView], why: str | None, slots: dict[str, Any]
) -> Iterator[Item]:
    subtype = "lesion count by location"
    regions = REGIONS[organ]
    if not _regions_known(seen, organ) or any(one.unclear_region for one in found if organ != "kidney"):
        return
    counts = {region: sum(region in held_by(one, organ) for one in found) for region in regions}
    # Regions with lesions, and one without.
    asked = [region for region in regions if counts[region]] + [region for region in regions if not counts[region]][:1]
    for region in asked[:4]:
        there = word(region) if organ == "liver" else f"the {word(region)}"
        yield number(subtype, None if why else counts[region], "1", 0.0, why, region=there, **slots)
    if organ != "kidney" and not why:
        yield from _between(seen, organ, found, counts, slots)


def held_by(one: LesionView, organ: str) -> tuple[str, ...]:
    """Regions that hold more than a tenth of a lesion; of the kidneys, the side."""
    return (one.organ,) if organ == "kidney" else one.held_by


def _between(
    seen: Seen, organ: str, found: list[LesionView], counts: dict[str, int], slots: dict[str, Any]
) -> Iterator[Item]:
    """Which region has most: by number, and by volume, each asked only where one region clearly leads."""
    subtype = "inter-segment comparison"
    volumes: dict[str, float] = dict.fromkeys(counts, 0.0)
    for one in found:
        for region, share in one.regions.items():
            volumes[region] = volumes.get(region, 0.0) + share * one.volume
    kind = "segment of the liver" if organ == "liver" else "part of the pancreas"
    for group, table in (("count", counts), ("volume", volumes)):
        ordered = sorted(table.items(), key=lambda item: -item[1])
        if ordered[0][1] <= 0 or ordered[1][1] > (0.8 if group == "volume" else 0.999) * ordered[0][1]:
            continue
        best = ordered[0][0]
        wrong = tuple(word(name) for name, _ in ordered[1:4])
        expected = Expected(form="name", value=best, accepted=(best,), required=(best,))
        yield Item(subtype, expected, slots | {"regions": kind}, group, wrong, word(best))


def _largest(seen: Seen, organ: str, found: list[LesionView], why: str | None, slots: dict[str, Any]) -> Iterator[Item]:
    if not found:
        if why:
            for subtype, unit in (("largest lesion diameter", "mm"), ("largest lesion slice", "1")):
                yield number(subtype, None, unit, reason=why, **slots)
        return
    cut = None if all(one.whole for one in found) else "a lesion is cut off"
    first = found[0]
    if len(found) > 1 and found[1].volume > 0.97 * first.volume:
        return  # which is the largest is a matter of rounding
    if why and not cut:
        return  # of those seen it is the largest; whether that answers the question is a matter of reading
    pitch = max(seen.truth.spacing[:2])
    size = None if cut else first.long_axis
    yield number("largest lesion diameter", size, "mm", relative(size or 0.0), cut, loose=pitch, **slots)
    yield number("largest lesion slice", None if cut else first.slice, "1", 1.0, cut, **slots)
    if not cut:
        depth = 100 * (first.slice + 0.5) / seen.truth.slices
        item = number("largest lesion slice", depth, "%", 150 / seen.truth.slices, **slots)
        yield Item(item.subtype, item.expected, item.slots, "depth")
        yield from _place(seen, organ, first, slots)
        yield from _density(seen, organ, found, slots)


def _place(seen: Seen, organ: str, first: LesionView, slots: dict[str, Any]) -> Iterator[Item]:
    if organ not in REGIONS or not _regions_known(seen, organ):
        return
    if organ != "kidney" and (first.main_region is None or first.unclear_region):
        return
    main = first.organ if organ == "kidney" else str(first.main_region)
    held = held_by(first, organ)
    expected = Expected(form="name", value=main, accepted=held, required=(main,))
    others = tuple(word(region) for region in REGIONS[organ] if region not in held)
    group = {"liver": None, "pancreas": "part", "kidney": "side"}[organ]
    yield Item("largest lesion location", expected, slots, group, others, word(main))


def _density(seen: Seen, organ: str, found: list[LesionView], slots: dict[str, Any]) -> Iterator[Item]:
    first = found[0]
    host = seen.truth.structures[first.organ]
    if not seen.whole(first.organ) or host.hu_mean is None or host.hu_sd is None:
        return
    told = attenuation(first.hu_mean, host.hu_mean, host.hu_sd)
    wrong = tuple(name for name in ATTENUATIONS if name != told.verdict)
    if told.gap > 0.3:
        yield category(
            "largest lesion attenuation", told.verdict, wrong, right=told.verdict,
            other="isoattenuating" if near_hu(told.gap).possible else None, **slots,
        )  # fmt: skip
    if organ != "kidney":
        voxels = sum(one.voxels for one in found)
        difference = sum(one.hu_mean * one.voxels for one in found) / voxels - host.hu_mean
        yield number("tumor organ HU difference", difference, "HU", relative(difference, least=0.5), **slots)


def _spread(organ: str, found: list[LesionView], why: str | None, slots: dict[str, Any]) -> Iterator[Item]:
    if why is None and found:
        item = yes_no("lesion outlier", outlier([one.volume for one in found]))
        yield Item(item.subtype, item.expected, slots, None, item.wrong, item.right)
    elif why:
        item = yes_no("lesion outlier", None, why)
        yield Item(item.subtype, item.expected, slots, None, item.wrong)
    if organ != "liver":
        return
    words = ("highly clustered", "somewhat clustered", "widely distributed")
    if why:
        yield category("liver lesion clustering", None, words, why)
    elif len(found) >= 2 and all(one.main_region for one in found):
        told = clustering(list(Counter(one.main_region for one in found).values()))
        wrong = tuple(name for name in words if name != told)
        yield category("liver lesion clustering", told, wrong, right=told, accepted=(told.split(" ", maxsplit=1)[0],))


def _adjacent(seen: Seen, organ: str, found: list[LesionView], slots: dict[str, Any]) -> Iterator[Item]:
    """Neighbours of a lesion that is alone in its organ; a distance within a voxel of the limit may count or not."""
    if len(found) != 1 or not found[0].whole:
        return
    slack = max(seen.truth.spacing)
    own = set(seen.organ_parts(organ))
    near = {name: mm for name, mm in found[0].adjacent.items() if name in NEIGHBOURS and name not in own}
    limit = ADJACENT_MM + slack
    # Ducts, vessels and bones that are near may be named as well; they are no organs that must be.
    allowed = tuple(name for name, mm in found[0].adjacent.items() if mm <= limit and name not in own)
    required = tuple(name for name, mm in near.items() if mm <= ADJACENT_MM - slack and name in seen.declared)
    if not required:
        return
    first = min(required, key=lambda name: near[name])
    wrong = tuple(
        word(name) for name in NEIGHBOURS if name in seen.declared and near.get(name, 99.0) > 12 and name not in own
    )
    expected = Expected(form="name", value=first, accepted=allowed, required=required)
    yield Item("adjacent organ", expected, slots, None, wrong, word(first), choice=len(wrong) >= 2)
