"""Whether a labelled metastasis proves that the tumor of an organ has spread."""

from __future__ import annotations

from tools.base import Case, Maker, tool
from tools.ontology import Ontology, load_ontology
from tools.presence import presence
from tools.structure_parts import filled, parts_of
from tools.types import Evidence, State
from tools.volume import LabelSet

_NODES = frozenset({"lymph_node", "lymphadenopathy"})
_PRIMARIES = frozenset({"tumor", "cancer", "lesion"})
_METHOD = "labelled metastases outside the organ and outside lymph nodes, where one organ alone has a labelled tumor"


@tool(
    version="1",
    reads=("scan", "labels"),
    says={
        "spread": {
            "true": "The labels show a metastasis of the {target} in another organ.",
            "not_measurable": "Whether the tumor of the {target} has spread cannot be decided: {reason}.",
            "not_assessed": "Whether the tumor of the {target} has spread was not assessed: {reason}.",
        }
    },
    also={"": ("metastasis", "tumor")},
)
def spread(case: Case, make: Maker, *, structure: str) -> list[Evidence]:
    """Whether the labels prove a distant metastasis of an organ's tumor; they never prove that there is none.

    A metastasis in the organ itself may be another tumor's, one in a lymph node is no distant one, and with tumors
    in several organs nothing tells which of them it comes from.

    Args:
        structure: canonical identifier of the organ.
    """
    ontology = load_ontology()
    known = presence.call(case, {"structure": "metastasis"})[0]
    if case.labels is None or known.value is not True:
        reason = known.reason or "no metastasis is labelled, and the labels do not cover every place"
        return [make("spread", structure, state=State.NOT_ASSESSED, reason=reason, method=_METHOD)]
    base = ontology.get(structure).base
    elsewhere = [one for one in _hosts(case.labels, ontology, metastases=True) if one != base and one not in _NODES]
    if not elsewhere:
        reason = "every labelled metastasis lies in the organ itself, in a lymph node, or in no organ that is named"
        return [make("spread", structure, state=State.NOT_ASSESSED, reason=reason, method=_METHOD)]
    others = [one for one in _hosts(case.labels, ontology, metastases=False) if one != base]
    if others:
        names = ", ".join(ontology.get(one).name for one in others)
        reason = f"a tumor is labelled elsewhere too ({names}), and nothing tells from which the metastasis comes"
        return [make("spread", structure, state=State.NOT_MEASURABLE, reason=reason, method=_METHOD)]
    details = {"sites": list(elsewhere)}
    return [make("spread", structure, state=State.MEASURED, value=True, method=_METHOD, details=details)]


def _hosts(labels: LabelSet, ontology: Ontology, *, metastases: bool) -> list[str]:
    """Organs (without side, a region counting as its organ) with labelled metastases, or with what may be a primary."""
    found: list[str] = []
    for ident in labels.entries:
        lesion = ontology.get(ident)
        if lesion.kind != "lesion" or not lesion.organ or not lesion.lesion_type or not filled(labels, ident):
            continue
        above = ontology.ancestors(lesion.lesion_type)
        # A bare "lesion" may be a primary tumor; a cyst or a benign tumor is none.
        primary = lesion.lesion_type in _PRIMARIES or ("tumor" in above and "benign_tumor" not in above)
        if ("metastasis" in above) if metastases else (primary and "metastasis" not in above):
            found.append(_organ(lesion.organ, ontology))
    return sorted(set(found))


def _organ(ident: str, ontology: Ontology) -> str:
    whole = next((one.id for one in ontology.structures.values() if one.parts and ident != one.id and one.side is None
                  and ident in parts_of(one.id, ontology)), ident)  # fmt: skip
    return ontology.get(whole).base
