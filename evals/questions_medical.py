"""Medical reasoning: grades, stages, resectability, and what a lesion is."""

from __future__ import annotations

from collections.abc import Iterator

from evals.questions_model import Item
from evals.questions_recognition import yes_no
from evals.questions_truth import Seen
from evals.questions_visual import category
from evals.resolution import near_hu, near_length, near_ratio, near_volume
from evals.truth_rules import (
    ARTERIES,
    CYST_LIMIT_CM3,
    CYST_LIMIT_MM,
    GRADE_WORDS,
    PSEUDOCYST_HU,
    SOLID_HU,
    SPLEEN_ENLARGED_CM3,
    SPLEEN_GRADES_CM3,
    VEINS,
    graded,
    renal_mass,
    resectability,
    steatosis_grade,
    t_by_size,
)

GRADES = ("G0", "G1", "G2", "G3")
SPLEEN_OPTIONS = {
    "normal": "Normal (no splenomegaly)", "mild": "Mild splenomegaly", "moderate": "Moderate splenomegaly",
    "severe": "Severe splenomegaly",
}  # fmt: skip
STAGES = ("T1", "T2", "T3", "T4")
RESECTABILITY = ("resectable", "borderline resectable", "locally advanced")
RENAL = ("simple cyst", "indeterminate", "hyperattenuating cyst")
CAUDATE, RIGHT_LOBE = "liver_segment_1", tuple(f"liver_segment_{n}" for n in range(5, 9))


def medical(seen: Seen) -> Iterator[Item]:
    """Questions of this stage about a case."""
    yield _spleen_grade(seen)
    yield from _fat(seen)
    yield from _portal(seen)
    yield from _pancreatic_tumor(seen)
    yield from _pancreatic_cyst(seen)
    yield from _types(seen)
    yield from _renal(seen)


def _spleen_grade(seen: Seen) -> Item:
    subtype, words = "splenomegaly grading", tuple(SPLEEN_OPTIONS.values())
    if not seen.shown("spleen"):
        return category(subtype, None, words, "the spleen is not labelled")
    volume = seen.truth.structures["spleen"].volume
    told = graded(volume, SPLEEN_GRADES_CM3, GRADE_WORDS)
    if not seen.whole("spleen") and told.verdict != "severe":
        return category(subtype, None, words, "the spleen is cut off")
    near = near_volume(seen.truth.spacing, volume, told.gap)
    return category(
        subtype, told.verdict, tuple(SPLEEN_OPTIONS[one] for one in GRADE_WORDS if one != told.verdict),
        right=SPLEEN_OPTIONS[told.verdict], other=told.other if near.possible else None, must_flag=near.certain,
    )  # fmt: skip


def _fat(seen: Seen) -> Iterator[Item]:
    """Fat in liver and pancreas: plain CT only, against the spleen."""
    spleen = seen.truth.structures["spleen"].hu_mean
    for organ, kinds in (
        ("liver", ("fatty liver", "hepatic steatosis grading")),
        ("pancreas", ("pancreatic steatosis",)),
    ):
        hu = seen.truth.structures[organ].hu_mean
        why = None
        if not (seen.shown(organ) and seen.shown("spleen")):
            why = "an organ that is needed is not labelled"
        elif seen.truth.phase != "native":
            why = "it needs a scan without contrast"
        if why:
            for subtype in kinds:
                yield (
                    yes_no(subtype, None, why)
                    if subtype != kinds[-1] or organ != "liver"
                    else category(subtype, None, GRADES, why)
                )
        elif seen.whole(organ) and seen.whole("spleen") and hu is not None and spleen is not None:
            yield from _liver_fat(hu, spleen) if organ == "liver" else _pancreas_fat(hu, spleen)


def _liver_fat(hu: float, spleen: float) -> Iterator[Item]:
    ratio = hu / spleen
    fatty = ratio < 1.0
    if fatty == (hu <= 40):  # the two sources agree
        near = near_ratio(abs(ratio - 1.0))
        yield yes_no("fatty liver", fatty, other=not fatty if near.possible else None)
    grade = steatosis_grade(hu, ratio)
    if grade is not None:
        near_edge = (
            min(abs(hu - edge) for edge in (39, 50, 51, 57, 58)) < 6
            or min(abs(ratio - edge) for edge in (0.5, 0.8, 1.0)) < 0.08
        )
        if near_edge and min(abs(hu - edge) for edge in (39, 51, 58)) < 1:
            return  # the neighbouring grade on either side might be the other reading
        wrong = tuple(one for one in GRADES if one != GRADES[grade])
        yield category("hepatic steatosis grading", GRADES[grade], wrong, right=GRADES[grade])


def _pancreas_fat(hu: float, spleen: float) -> Iterator[Item]:
    ratio = hu / spleen
    near = near_ratio(abs(ratio - 0.7))
    yield yes_no("pancreatic steatosis", ratio < 0.7, other=ratio >= 0.7 if near.possible else None)


def _portal(seen: Seen) -> Iterator[Item]:
    """Yes needs one sign; no can't be had, since no label shows collaterals or ascites."""
    subtype = "portal hypertension assessment"
    spleen, parts = seen.truth.structures["spleen"].volume, seen.truth.regions
    signs: list[bool] = []
    if seen.shown("spleen"):
        if near_volume(seen.truth.spacing, spleen, abs(spleen - SPLEEN_ENLARGED_CM3)).possible:
            return
        signs.append(spleen > SPLEEN_ENLARGED_CM3)
    if seen.whole("liver") and all(name in seen.declared and name in parts for name in (CAUDATE, *RIGHT_LOBE)):
        ratio = parts[CAUDATE] / sum(parts[name] for name in RIGHT_LOBE)
        if abs(ratio - 0.65) < 0.05:
            return
        signs.append(ratio > 0.65)
    if any(signs):
        yield yes_no(subtype, True)
    else:
        yield yes_no(subtype, None, "no sign was found, and collaterals and ascites were not looked for")


def _pancreatic_tumor(seen: Seen) -> Iterator[Item]:
    stage, resect = "pancreatic tumor staging", "pancreatic lesion resectability"
    tumors = seen.lesions("pancreas", "pancreas_pdac")
    if not seen.typed("pancreas_pdac"):
        if not seen.lesions("pancreas") and seen.all_lesions("pancreas") is None:
            return  # there is nothing to stage, which is another matter
        if seen.looked_for_any("pancreas") and not seen.lesions("pancreas"):
            return  # a class for any lesion is empty: then there is no tumor, which is not what these ask
        yield category(stage, None, STAGES, "no class tells a PDAC")
        yield category(resect, None, RESECTABILITY, "no class tells a PDAC")
        return
    if not tumors:
        return
    first = tumors[0]
    if len(tumors) > 1 or not first.whole:
        return
    unseen = [name for name in ARTERIES if not seen.shown(name)]
    contact = max(first.contacts.get(name, 0.0) for name in ARTERIES)
    near_artery = any(0 < first.contacts.get(name, 0.0) < 230 for name in ARTERIES) or _closely(
        first.adjacent, ARTERIES
    )
    if unseen:
        yield category(stage, None, STAGES, "arteries that T4 rests on are not labelled")
        yield category(resect, None, RESECTABILITY, "vessels that it rests on are not labelled")
        return
    told = t_by_size(first.long_axis)
    near = near_length(seen.truth.spacing, told.gap)
    if contact >= 230:
        yield category(stage, "T4", STAGES[:3], right="T4")
    elif not near_artery:
        wrong = tuple(one for one in STAGES if one != told.verdict)
        yield category(
            stage, told.verdict, wrong, right=told.verdict, other=told.other if near.possible else None,
            must_flag=near.certain,
        )  # fmt: skip
    if all(seen.shown(name) for name in VEINS):
        yield from _resectable(seen, dict(first.contacts), near_artery or _closely(first.adjacent, VEINS))
    else:
        yield category(resect, None, RESECTABILITY, "veins that it rests on are not labelled")


def _closely(adjacent: object, names: tuple[str, ...]) -> bool:
    """Whether a vessel is so near without touching that contact is a matter of resolution."""
    return isinstance(adjacent, dict) and any(0 < adjacent.get(name, 99.0) < 3.0 for name in names)


def _resectable(seen: Seen, contacts: dict[str, float], close: bool) -> Iterator[Item]:
    told = resectability(contacts)
    clear = max([contacts.get(name, 0.0) for name in ARTERIES[:2]]) >= 230 if told == "locally advanced" else not close
    if told == "borderline resectable":
        clear = 60 <= max(contacts.get(name, 0.0) for name in ARTERIES[:2]) <= 130
    if told is None or not clear:
        return
    accepted = {"locally advanced": ("unresectable",), "borderline resectable": ("borderline",)}.get(told, ())
    wrong = tuple(one.capitalize() for one in RESECTABILITY if one != told)
    yield category(
        "pancreatic lesion resectability", told, wrong, right=told.capitalize(), accepted=accepted,
        yes=told == "resectable",
    )  # fmt: skip


def _pancreatic_cyst(seen: Seen) -> Iterator[Item]:
    resect, pseudo = "pancreatic cyst resectability", "pseudocyst determination"
    if not seen.typed("pancreas_cyst"):
        if seen.lesions("pancreas"):
            yield yes_no(resect, None, "nothing tells whether the lesion is a cyst")
            yield yes_no(pseudo, None, "nothing tells whether the lesion is a cyst")
        return
    cysts = seen.lesions("pancreas", "pancreas_cyst")
    if not cysts or not all(one.whole for one in cysts):
        return
    first = cysts[0]
    large = first.volume > CYST_LIMIT_CM3 or first.long_axis > CYST_LIMIT_MM
    by_volume = near_volume(seen.truth.spacing, first.volume, abs(first.volume - CYST_LIMIT_CM3))
    by_length = near_length(seen.truth.spacing, abs(first.long_axis - CYST_LIMIT_MM))
    near = by_volume.possible if first.long_axis <= CYST_LIMIT_MM else by_length.possible and by_volume.possible
    yield yes_no(resect, large, other=not large if near else None)
    gap = abs(first.hu_mean - PSEUDOCYST_HU)
    value = first.hu_mean > PSEUDOCYST_HU
    words = ("pseudocyst",) if value else ("mucinous", "mucinous cyst", "mucinous lesion", "mucinous cystic lesion")
    yield yes_no(pseudo, value, other=not value if near_hu(gap).possible else None, accepted=words)


def _types(seen: Seen) -> Iterator[Item]:
    subtype, options = "PDAC vs PNET classification", ("PDAC", "PNET")
    names = {"pancreas_pdac": "PDAC", "pancreas_pnet": "PNET"}
    found = seen.lesions("pancreas", *names)
    if found and len({one.label for one in found}) == 1:
        told = names[found[0].label]
        if seen.typed("pancreas_pdac") and seen.typed("pancreas_pnet"):
            wrong = tuple(one for one in options if one != told)
            yield category(subtype, told, wrong, right=told, accepted=(found[0].label,))
        else:
            yield category(subtype, None, options, "no class tells the types apart")
    subtype, options = "lesion type classification", ("Cyst", "Tumor")
    kinds = {"cyst" if "cyst" in one.label else "tumor" for one in seen.lesions("kidney")}
    if len(kinds) == 1 and seen.typed("kidney_cyst_left") and seen.whole("kidney"):
        told = kinds.pop()
        hu = [one.hu_mean for one in seen.lesions("kidney")]
        if all((value > SOLID_HU) == (told == "tumor") for value in hu):
            wrong = tuple(one for one in options if one.lower() != told)
            yield category(subtype, told, wrong, right=told.capitalize())


def _renal(seen: Seen) -> Iterator[Item]:
    """What a renal mass is by its attenuation: plain scans only, one mass."""
    subtype = "renal mass characterization"
    found = seen.lesions("kidney")
    why = seen.all_lesions("kidney")
    if why or len(found) != 1 or not found[0].whole:
        return
    if seen.truth.phase != "native":
        yield category(subtype, None, tuple(one.capitalize() for one in RENAL), "it needs a scan without contrast")
        return
    told = renal_mass(found[0].hu_mean)
    if told.verdict == "undefined":
        return
    wrong = tuple(one.capitalize() for one in RENAL if one != told.verdict)
    yield category(
        subtype, told.verdict, wrong, right=told.verdict.capitalize(),
        other=told.other if near_hu(told.gap).possible else None,
    )  # fmt: skip
