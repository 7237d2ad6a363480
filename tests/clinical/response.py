"""Response by RECIST against an earlier scan."""

from __future__ import annotations

from tests.clinical.table import Expected, Fact, any_of, sweep

RULE = "scan-response-recist"
CR, PR, SD, PD = "complete response", "partial response", "stable disease", "progressive disease"
LEFT: dict[str, Fact] = {"left": 2, "others": 1}
GONE: dict[str, Fact] = {"change": -100.0, "growth": -40.0}

CASES: list[Expected] = [
    *sweep(RULE, "change", [(-100, PR), (-50, PR), (-30.01, PR), (-30, PR), (-29.99, SD), (0, SD)],
           growth=0.0, new=0, **LEFT),
    *sweep(RULE, "change", [(19.99, SD), (20, PD), (20.01, PD), (80, PD)], growth=12.0, new=0, **LEFT),
    *sweep(RULE, "growth", [(4.99, SD), (5, PD), (5.01, PD)], change=40.0, new=0, **LEFT),
    *sweep(RULE, "new", [(0, PR), (0.5, PR), (1, PD), (1.5, PD), (4, PD)], change=-60.0, growth=-30.0, **LEFT),
    # complete needs that nothing is left, the lesions that are no targets included
    *sweep(RULE, "left", [(0, CR), (0.5, CR), (1, PR), (1.5, PR)], others=0, new=0, change=-90.0, growth=-40.0),
    *sweep(RULE, "others", [(0, CR), (0.5, CR), (1, PR), (1.5, PR)], left=0, new=0, **GONE),
    *sweep(RULE, "left", [(0, PR), (0.5, PR), (1, SD), (1.5, SD)], others=3, new=0, change=-25.0, growth=-9.0),
    # nodes that have become normal but not much smaller
    Expected(RULE, {"left": 0, "others": 0, "new": 0, "change": -25.0, "growth": -4.0}, CR),
    Expected(RULE, {"left": 0, "others": 3, "new": 0, "change": -25.0, "growth": -4.0}, PR),
    Expected(RULE, {"left": 0, "others": 0, "new": 1, **GONE}, PD),
    Expected(RULE, {"new": 2}, PD),
    Expected(RULE, {"change": 30.0, "growth": 9.0}, PD),
    *sweep(RULE, "nontarget", [("progression", PD), ("stable", PR)], change=-60.0, growth=-9.0, new=0, **LEFT),
    # without an earlier scan there is no response
    any_of(RULE, (CR, PR, SD, PD)),
    any_of(RULE, (PD, PR), change=-60.0, growth=-9.0, **LEFT),
    any_of(RULE, (PD, SD), change=30.0, new=0, **LEFT),
    any_of(RULE, (CR, PR), new=0, left=0, **GONE),
    any_of(RULE, (PD, CR, PR, SD), new=0),
]  # fmt: skip
