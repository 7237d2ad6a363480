"""Overlay pictures of the slices that a report rests on."""

from __future__ import annotations

import re

from agent.gates.validity import closure
from agent.report_model import EvidenceOut, Picture, Report
from agent.state import RunState
from agent.telling import telling
from agent.wording import target_name
from tools.base import Case
from tools.ontology import load_ontology
from tools.overlay import axial_overlay
from tools.structures import region
from tools.types import Evidence, State
from tools.volume import LabelSet, Region

MOST = 4
"""Pictures of a report; more would not be looked at."""


def evidence_out(one: Evidence) -> EvidenceOut:
    """Evidence as it stands in a report."""
    fields = {name: getattr(one, name) for name in EvidenceOut.model_fields if name != "inputs"}
    return EvidenceOut(**fields, inputs=list(one.inputs))


def make_pictures(report: Report, state: RunState, case: Case) -> dict[str, bytes]:
    """Draw the slices that the answers, or else the findings, rest on; enters them in the report.

    Args:
        report: the report; its `pictures` and the `artifact` of the evidence shown are filled in.
        state: the run's state.
        case: the case.

    Returns:
        File name → PNG.
    """
    if case.labels is None:
        return {}
    cited = [ident for answer in report.answers for ident in answer.evidence] or [
        sentence.evidence[0] for sentence in (*report.impression, *report.findings) if sentence.evidence
    ]
    shown = _slices(cited, state, case, case.labels)
    images: dict[str, bytes] = {}
    for k, masks in shown.items():
        number = case.scan.orientation.file_slice(k)
        name = f"axial-{number:04d}.png"
        title = ", ".join(masks)
        images[name] = axial_overlay(case.scan, masks, k, title=title)
        ids = [ident for ident, one in report.evidence.items() if target_name(one.target.partition("#")[0]) in masks]
        if not any(report.evidence[ident].slice == number for ident in ids):
            shown_slice = _shown(masks, number)
            report.evidence[shown_slice.id] = evidence_out(shown_slice)
            ids.append(shown_slice.id)
        report.pictures.append(Picture(path=f"images/{name}", caption=_caption(masks, number), evidence=ids))
        for ident in ids:
            report.evidence[ident].artifact = f"images/{name}"
    return images


def overlays(state: RunState, case: Case) -> list[bytes]:
    """PNGs of the slices that a run is about, for a model that sees; what decides its questions comes first.

    Args:
        state: the run's state, with the evidence of this round.
        case: the case.
    """
    if case.labels is None:
        return []
    decisive = [found.id for target in state.targets if (found := state.lookup(target.decisive)) is not None]
    told = [claim.evidence[0] for claim in telling(state)] if state.request.question is None else []
    shown = _slices([*decisive, *told], state, case, case.labels)
    return [axial_overlay(case.scan, masks, k, title=", ".join(masks)) for k, masks in shown.items()]


def _slices(cited: list[str], state: RunState, case: Case, labels: LabelSet) -> dict[int, dict[str, Region]]:
    """Canonical index of each slice to show → the structures outlined on it, by the name shown."""
    shown: dict[int, dict[str, Region]] = {}
    drawn: set[str] = set()
    # One after another, so that what is told first is shown first.
    for one in (found for ident in dict.fromkeys(cited) for found in closure(state, (ident,))):
        earlier = one.quantity.startswith("prior_")  # its slices are those of another scan
        if one.target in drawn or "+" in one.target or one.target == "scan" or earlier:
            continue
        # One lesion is shown with the others of its class, on its own slice.
        structure = one.target.partition("#")[0]
        mask = region(labels, structure)
        if one.state is State.NOT_ASSESSED or mask is None or mask.voxels == 0:
            continue
        k = _slice(one, mask, state, case)
        if k not in shown and len(shown) == MOST:
            continue
        drawn.add(one.target)
        here = shown.setdefault(k, {})
        # "tumor" beside "liver tumor" would be the same outline twice.
        if not any(other.box == mask.box and other.voxels == mask.voxels for other in here.values()):
            here[target_name(structure)] = mask
        for lesion_name, lesion in _lesions_on(case, structure, k).items():
            if not any(other.box == lesion.box and other.voxels == lesion.voxels for other in here.values()):
                here.setdefault(lesion_name, lesion)
    return shown


def _shown(masks: dict[str, Region], number: int) -> Evidence:
    """The number of a slice that nothing was measured on, as evidence for the caption that names it."""
    return Evidence.make(
        tool="axial_overlay", version="1", quantity="slice_shown", target="scan", value=number, unit="1",
        state=State.MEASURED, slice=number, method=f"axial slice with the largest area of {', '.join(masks)}",
    )  # fmt: skip


def _slice(one: Evidence, mask: Region, state: RunState, case: Case) -> int:
    """Canonical index of the slice to show: one that the structure was measured on, else that of the largest area."""
    # By identifier, whichever was measured first: a run that went on after an interruption shows the same slice.
    same = {other.id: other.slice for other in state.evidence.values() if other.target == one.target}
    measured = [same[ident] for ident in sorted(same) if same[ident] is not None]
    number = one.slice if one.slice is not None else next(iter(measured), None)
    if number is not None:
        return case.scan.orientation.file_slice(number)  # the mapping is its own inverse
    areas = mask.mask.sum(axis=(0, 1))
    return int(areas.argmax()) + int(mask.box[2].start)


def _lesions_on(case: Case, organ: str, k: int) -> dict[str, Region]:
    """Lesions of an organ that reach a slice."""
    assert case.labels is not None
    ontology = load_ontology()
    found = {}
    for name in case.labels.entries:
        lesion = ontology.get(name)
        if lesion.kind == "lesion" and lesion.organ == organ:
            mask = region(case.labels, name)
            if mask is not None and mask.voxels and mask.box[2].start <= k < mask.box[2].stop:
                found[target_name(name)] = mask
    return found


def _caption(masks: dict[str, Region], number: int) -> str:
    names = re.sub(r", ([^,]*)$", r" and \1", ", ".join(masks))
    return f"Axial slice {number} with the outline of {names}"
