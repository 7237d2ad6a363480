"""Contrast phase: declared, named by the header, or estimated from vessels and organs with its uncertainty."""

from __future__ import annotations

import math
import statistics
import tomllib
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np

from tools.base import Case, Maker, tool
from tools.look import look
from tools.types import Evidence, State

PHASES = ("native", "arterial", "portal", "delayed")
# Beyond this many voxels a median gains nothing that matters beside the spread between patients.
_ENOUGH = 200_000


@cache
def _priors() -> dict[str, Any]:
    text = files("retrieval").joinpath("knowledge/contrast_phase.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def estimate(medians: dict[str, float]) -> dict[str, float]:
    """Probability of each phase from median HU by structure; empty where no phase fits or nothing is known.

    Each structure votes by a Student-t likelihood (3 degrees of freedom) around the priors. Structures of one scan
    are not independent, so n of them count as √n.
    """
    priors = _priors()
    known = [name for name in medians if name in priors["phases"]["native"]]
    if not known:
        return {}
    scores, deviations = {}, []
    for phase in PHASES:
        rows = [(medians[name] - priors["phases"][phase][name][0]) / priors["phases"][phase][name][1] for name in known]
        spreads = [priors["phases"][phase][name][1] for name in known]
        logs = [-2.0 * math.log1p(z * z / 3.0) - math.log(s) for z, s in zip(rows, spreads, strict=True)]
        scores[phase] = sum(logs) / math.sqrt(len(logs))
        # The median, so that one stented or mislabelled structure does not hide what the others agree on.
        deviations.append(statistics.median(abs(z) for z in rows))
    if min(deviations) > priors["worst_deviation"]:
        return {}
    top = max(scores.values())
    weights = {phase: math.exp(score - top) for phase, score in scores.items()}
    return {phase: weight / sum(weights.values()) for phase, weight in weights.items()}


@tool(
    version="3",
    reads=("scan", "labels", "settings"),
    says={
        "phase": {
            "measured": "The contrast phase is {value}: {reason}.",
            "not_measurable": "The contrast phase is not known: {reason}.",
            "not_assessed": "The contrast phase was not assessed: {reason}.",
        },
        "contrast_enhanced": {
            "true": "Contrast medium was given: {reason}.",
            "false": "This is a plain scan without contrast medium: {reason}.",
            "not_measurable": "Whether contrast medium was given is not known: {reason}.",
            "not_assessed": "Whether contrast medium was given was not assessed: {reason}.",
        },
    },
)
def contrast_phase(case: Case, make: Maker) -> list[Evidence]:
    """Contrast phase of the scan, and whether it is enhanced at all.

    What the user declares comes first, then what the header names, then the estimate. A declared or named phase that
    the attenuation contradicts is reported as unknown, since rules for one phase are wrong in another.
    """
    medians = _medians(case)
    odds = estimate(medians)
    declared = case.told_phase
    details: dict[str, Any] = {
        "probabilities": {phase: round(odds[phase], 4) for phase in odds},
        "median_hu": {name: round(value, 1) for name, value in medians.items()},
    }
    common: dict[str, Any] = {"details": details, "method": "declaration, else header, else estimate from median HU"}
    if declared is not None:
        return _declared(case, make, declared, odds, common)
    if not odds:
        reason = "the header does not name it, and no labelled vessel or organ tells it"
        if medians:
            reason = "the header does not name it, and the attenuation of vessels and organs fits no phase"
        state = State.NOT_MEASURABLE if medians else State.NOT_ASSESSED
        phase, given = _both(make, state, None, None, reason, common)
        if case.scan.header.contrast_agent:
            why = "the header names a contrast agent"
            given = make("contrast_enhanced", "scan", state=State.MEASURED, value=True, reason=why, **common)
        return [phase, given]
    best = max(odds, key=lambda phase: odds[phase])
    enhanced = 1.0 - odds["native"]
    limit = _priors()["minimum_probability"]
    source = "estimated from the attenuation of vessels and organs" + _agent_note(case, plain=enhanced <= 0.05)
    made = []
    if odds[best] >= limit:
        made.append(make("phase", "scan", state=State.MEASURED, value=best, reason=source, **common))
    else:
        reason = "the attenuation of vessels and organs fits more than one phase"
        if enhanced >= 0.95:
            reason = "contrast medium was given, but " + reason
        made.append(make("phase", "scan", state=State.NOT_MEASURABLE, reason=reason, **common))
    if enhanced >= 0.95 or enhanced <= 0.05:
        made.append(
            make("contrast_enhanced", "scan", state=State.MEASURED, value=enhanced >= 0.95, reason=source, **common)
        )
    else:
        reason = "the attenuation of vessels and organs does not decide it"
        made.append(make("contrast_enhanced", "scan", state=State.NOT_MEASURABLE, reason=reason, **common))
    return made


def _declared(case: Case, make: Maker, declared: str, odds: dict[str, float], common: dict[str, Any]) -> list[Evidence]:
    source = "declared by the user" if case.settings.phase else "named by the header"
    # Plain against enhanced is what attenuation tells well; phases among themselves it does not.
    if odds and ((declared == "native") != (odds["native"] > 0.5)) and not 0.02 < odds["native"] < 0.98:
        seen = "enhanced" if declared == "native" else "plain"
        reason = f"it is {source} as {declared}, but vessels and organs have the attenuation of a scan that is {seen}"
        return _both(make, State.NOT_MEASURABLE, None, None, reason, common)
    source += _agent_note(case, plain=declared == "native")
    return _both(make, State.MEASURED, declared, declared != "native", source, common)


def _agent_note(case: Case, *, plain: bool) -> str:
    """Headers name the agent of an examination on its plain series too: that is told, not believed."""
    return ", although the header names a contrast agent" if plain and case.scan.header.contrast_agent else ""


def _both(
    make: Maker, state: State, phase: str | None, enhanced: bool | None, reason: str, common: dict[str, Any]
) -> list[Evidence]:
    return [
        make("phase", "scan", state=state, value=phase, reason=reason, **common),
        make("contrast_enhanced", "scan", state=state, value=enhanced, reason=reason, **common),
    ]


def _medians(case: Case) -> dict[str, float]:
    found: dict[str, float] = {}
    if case.labels is None:
        return found
    for name in _priors()["phases"]["native"]:
        seen = look(case, name)
        if seen.region is None or seen.region.voxels < 20:
            continue
        values = case.scan.hu[seen.region.box][seen.region.mask]
        if case.scan.padding is not None:
            values = values[values != case.scan.padding]
        if values.size:
            found[name] = float(np.median(values[:: max(1, values.size // _ENOUGH)]))
    return found
