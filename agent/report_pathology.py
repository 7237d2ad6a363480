"""A pathology conclusion as rows for reading: the run's own, or a reviewer's."""

from __future__ import annotations

from agent.lesion_types import overlap, type_name
from agent.pathology import CATEGORIES
from agent.report_model import EvidenceOut, Pathology, Report, ReviewedPathology
from agent.sentence import target_name
from tools.ontology import load_ontology
from tools.types import State


def pathology_rows(report: Report) -> list[tuple[str, str]]:
    """Name and text of everything that the run concluded, and of which tumor and lesions."""
    found = report.pathology
    if found is None:
        return []
    rows = [
        *about_rows(report),
        *_stated(found),
        # Which of the types that the evidence leaves open are named is the model's judgement, and no finding.
        ("Left open by the evidence, named by the model", ", ".join(map(type_name, found.differential))),
        ("Agreement of the model's answers", "" if found.confidence is None else f"{100 * found.confidence:.0f} %"),
    ]
    return [(name, text) for name, text in rows if text]


def about_rows(report: Report) -> list[tuple[str, str]]:
    """Which tumor a report's staging is of, and which lesions its pathology conclusion takes up."""
    if report.pathology is None:
        return []
    tumors = [target_name(one) for one in _staged(report)]
    rows: list[tuple[str, str]] = []
    if len(tumors) == 1:
        rows.append(("Staged tumor", tumors[0]))
    elif tumors:
        rows.append(("Staged tumor", f"none: which of these is the primary one, no rule says: {', '.join(tumors)}"))
    seen = [report.evidence[name] for name in report.pathology.evidence if name in report.evidence]
    lesions = [
        target_name(one) for one in _lesions([one for one in seen if one.quantity == "exists" and one.value is True])
    ]
    if lesions:
        rows.append(("Lesions seen", ", ".join(lesions)))
    return rows


def concluded(found: Pathology | ReviewedPathology | None) -> str:
    """What was concluded, in a few words; empty where nothing was."""
    if found is None:
        return ""
    return ", ".join(f"{name[:1].lower() + name[1:]} {text}" for name, text in _stated(found) if text)


def _staged(report: Report) -> list[str]:
    """Targets that staging rules were applied to, but for those of which no lesion was seen."""
    rules = [one for one in report.evidence.values() if one.tool == "weigh_rules"]
    made = [one for one in rules if one.quantity in CATEGORIES.values()]
    return list(
        dict.fromkeys(one.target for one in made if one.state is not State.ABSENT and not one.details.get("no_lesion"))
    )


def _lesions(seen: list[EvidenceOut]) -> list[str]:
    """Classes of lesions without those that others tell more exactly ("liver lesion" beside "liver cyst")."""
    ontology = load_ontology()
    found = {one.target: one for one in seen if ontology.get(one.target).kind == "lesion"}
    return [name for name, one in found.items() if not any(_told_by(one, other) for other in found)]


def _told_by(one: EvidenceOut, name: str) -> bool:
    ontology = load_ontology()
    general, special = ontology.get(one.target), ontology.get(name)
    if one.target == name or general.lesion_type is None or special.lesion_type is None:
        return False
    types = one.details.get("types")
    if isinstance(types, list) and general.lesion_type in types:
        return False  # some of these lesions have no more particular label
    if general.lesion_type not in ontology.ancestors(special.lesion_type):
        return False
    if general.organ is None or special.organ is None:
        return general.organ is None and (special.organ is not None or general.lesion_type != special.lesion_type)
    # Of two classes of one type, the one that names the side is the more exact one.
    same = general.lesion_type == special.lesion_type
    sided = ontology.get(special.organ).side is not None and ontology.get(general.organ).side is None
    return overlap(general.organ, special.organ) and (not same or sided)


def _stated(found: Pathology | ReviewedPathology) -> list[tuple[str, str]]:
    return [
        ("Diagnosis", type_name(found.diagnosis or "")),
        ("cT", found.ct or ""),
        ("cN", found.cn or ""),
        ("cM", found.cm or ""),
        ("Stage", found.stage or ""),
    ]
