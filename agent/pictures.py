"""Overlay pictures of the slices that a report rests on."""

from __future__ import annotations

import re

from agent.gates.validity import closure
from agent.report_model import Picture, Report
from agent.state import RunState
from agent.wording import target_name
from tools.base import Case
from tools.ontology import load_ontology
from tools.overlay import axial_overlay
from tools.structures import region
from tools.types import Evidence, State
from tools.volume import Region

MOST = 4
"""Pictures of a report; more would not be looked at."""


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
    shown: dict[int, dict[str, Region]] = {}
    evidence_on: dict[int, list[str]] = {}
    drawn: set[str] = set()
    for one in closure(state, tuple(cited)):
        if one.target in drawn or one.target == "scan" or "+" in one.target or one.state is State.NOT_ASSESSED:
            continue
        mask = region(case.labels, one.target)
        if mask is None or mask.voxels == 0:
            continue
        k = _slice(one, mask, case)
        if k not in shown and len(shown) == MOST:
            continue
        drawn.add(one.target)
        shown.setdefault(k, {})[target_name(one.target)] = mask
        for lesion_name, lesion in _lesions_on(case, one.target, k).items():
            shown[k].setdefault(lesion_name, lesion)
    images: dict[str, bytes] = {}
    for k, masks in shown.items():
        name = f"axial-{case.scan.orientation.file_slice(k):04d}.png"
        title = ", ".join(masks)
        images[name] = axial_overlay(case.scan, masks, k, title=title)
        ids = [ident for ident, one in report.evidence.items() if target_name(one.target) in masks]
        evidence_on[k] = ids
        report.pictures.append(Picture(path=f"images/{name}", caption=_caption(masks, k, case), evidence=ids))
        for ident in ids:
            report.evidence[ident].artifact = f"images/{name}"
    return images


def _slice(one: Evidence, mask: Region, case: Case) -> int:
    """Canonical index of the slice to show: the one measured on, else the one with the largest area."""
    if one.slice is not None:
        return case.scan.orientation.file_slice(one.slice)  # the mapping is its own inverse
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


def _caption(masks: dict[str, Region], k: int, case: Case) -> str:
    names = re.sub(r", ([^,]*)$", r" and \1", ", ".join(masks))
    return f"Axial slice {case.scan.orientation.file_slice(k)} with the outline of {names}"
