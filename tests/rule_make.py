"""Verdicts at the thresholds of every rule, as the literature states them, and rules applied to evidence."""

from __future__ import annotations

from typing import Any

from tests.evidence_make import derive, measured
from tools.base import Facts
from tools.registry import load_tools
from tools.rules.model import Rule, load_rules
from tools.types import Evidence

Verdict = bool | str
Rows = list[tuple[float, Verdict]]

# rule, criterion → the verdict at each value. Values are the thresholds and their nearest neighbours.
VOLUMES: dict[str, Rows] = {
    "spleen-enlarged-bezerra": [(314.49, False), (314.5, False), (314.51, True)],
    "spleen-normal-bezerra": [(5, True), (314.49, True), (314.5, True), (314.51, False)],
    "spleen-grade-bezerra": [
        (100, "normal"), (314.49, "normal"), (314.5, "normal"), (314.51, "mild"), (499.99, "mild"), (500, "mild"),
        (500.01, "moderate"), (799.99, "moderate"), (800, "moderate"), (800.01, "severe"), (3000, "severe"),
    ],
    "liver-enlarged-knowledge-base": [(1799.99, False), (1800, False), (1800.01, True)],
    "liver-enlarged-radgpt": [(2999.99, False), (3000, False), (3000.01, True)],
    "liver-small-knowledge-base": [(999.99, True), (1000, False), (1000.01, False)],
    "liver-normal-knowledge-base": [
        (999.99, False), (1000, True), (1000.01, True), (1799.99, True), (1800, True), (1800.01, False),
    ],
    "pancreas-enlarged-knowledge-base": [(99.99, False), (100, False), (100.01, True)],
    "pancreas-enlarged-radgpt": [(82.99, False), (83, False), (83.01, True)],
    "pancreas-small-knowledge-base": [(39.99, True), (40, False), (40.01, False)],
    "pancreas-normal-knowledge-base": [
        (39.99, False), (40, True), (40.01, True), (99.99, True), (100, True), (100.01, False),
    ],
    "kidney-enlarged-knowledge-base": [(259.99, False), (260, False), (260.01, True)],
    "kidney-enlarged-radgpt": [(207.59, False), (207.6, False), (207.61, True)],
    "kidney-small-knowledge-base": [(129.99, True), (130, False), (130.01, False)],
    "kidney-normal-knowledge-base": [
        (129.99, False), (130, True), (130.01, True), (259.99, True), (260, True), (260.01, False),
    ],
}  # fmt: skip
ATTENUATION: dict[str, Rows] = {"liver-fatty-radgpt": [(39.99, True), (40, True), (40.01, False)]}
RATIOS: dict[str, Rows] = {
    "liver-fatty-ratio": [(0.99, True), (1.0, False), (1.01, False)],
    "pancreas-fatty-knowledge-base": [(0.69, True), (0.7, False), (0.71, False)],
    "pancreas-fatty-radgpt": [(0.69, True), (0.7, True), (0.71, False)],
}
KODAMA_HU: Rows = [
    (38.99, "G3"), (39, "G2"), (39.01, "G2"), (50, "G2"), (50.99, "G2"), (51, "G1"), (51.01, "G1"), (57, "G1"),
    (57.99, "G1"), (58, "G0"), (58.01, "G0"),
]  # fmt: skip
KODAMA_RATIO: Rows = [
    (0.49, "G3"), (0.5, "G2"), (0.51, "G2"), (0.79, "G2"), (0.8, "G1"), (0.81, "G1"), (0.99, "G1"), (1.0, "G0"),
    (1.01, "G0"),
]  # fmt: skip
KODAMA = "liver-steatosis-grade-kodama"
SEVERITY = "liver-fatty-severity-knowledge-base"
SEVERITY_HU: Rows = [(39.99, "moderately to severely fatty"), (40, "not fatty"), (40.01, "not fatty")]
SEVERITY_RATIO: Rows = [(0.99, "fatty"), (1.0, "not fatty"), (1.01, "not fatty")]
PAIRS = {KODAMA: (KODAMA_HU, KODAMA_RATIO), SEVERITY: (SEVERITY_HU, SEVERITY_RATIO)}
"""Rules on the attenuation and its ratio to the spleen's, of which the worse counts."""
RANKS = {KODAMA: ["G0", "G1", "G2", "G3"], SEVERITY: ["not fatty", "fatty", "moderately to severely fatty"]}
NATIVE_ONLY = {*ATTENUATION, *RATIOS, *PAIRS}
NATIVE = measured("phase", "scan", "native", None)


def thresholds() -> dict[str, Rule]:
    """The rules of thresholds; the decision tables have tests of their own."""
    return {ident: rule for ident, rule in load_rules().items() if isinstance(rule, Rule)}


def subject(rule: str) -> str:
    organ = rule.partition("-")[0]
    return "kidney_left" if organ == "kidney" else organ


def given_for(rule: str, value: float, other: float | None = None) -> list[Evidence]:
    organ = subject(rule)
    if rule in VOLUMES:
        return [measured("volume", organ, value)]
    if rule in ATTENUATION:
        return [measured("hu_mean", organ, value, "HU")]
    ratio = measured("hu_mean_ratio", f"{organ}+spleen", value if other is None else other, "1")
    return [ratio] if rule in RATIOS else [measured("hu_mean", organ, value, "HU"), ratio]


def apply(
    rule: str, inputs: list[Evidence], *, structure: str | None = None, phase: Evidence | None = NATIVE
) -> Evidence:
    limits = load_tools()["rule_thresholds"].call(Facts(), {"rule": rule})
    more: dict[str, Any] = {"phase": phase} if phase is not None else {}
    return derive(
        "apply_rule", rule=rule, structure=structure or subject(rule), inputs=inputs, thresholds=limits, **more
    )
