"""Evidence for the inputs of decision tables, and their application without a run."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest

from tests.evidence_make import derive
from tools.base import Facts
from tools.registry import load_tools
from tools.rules.model import AnyRule, Rule, check_together, load_rules, quantity_of, read_rule, table_rule
from tools.rules.subject import input_calls, subject_of
from tools.rules.table import Input, TableRule
from tools.types import Evidence, State

NATIVE = Evidence.make(
    tool="test", version="1", quantity="phase", target="scan", state=State.MEASURED, value="native", method="test"
)
UNKNOWN = object()
"""Stands for an input that nobody looked at."""


def given_inputs(rule: TableRule, structure: str, values: dict[str, Any], **margins: float) -> list[Evidence]:
    """One piece of evidence per input, in the rule's order.

    Args:
        rule: the rule.
        structure: what it is applied to.
        values: value of each input; a `State` for one that is not known, a ``(bound,)`` for "at least this much", a
            list for a verdict of which several are possible, a dict for further fields of the evidence. Inputs that
            are not named were not assessed.
        margins: uncertainty of an input.
    """
    subject = subject_of(structure, frozenset({rule.structure}))
    calls = dict(reversed([(name, call) for name, call in input_calls(rule, subject)]))
    made = []
    for name, one in rule.inputs.items():
        call = calls.get(name)
        fields: dict[str, Any] = {"tool": "test", "target": structure, "quantity": "seen", "unit": one.unit}
        if one.over is not None and call is not None:
            fields |= {"tool": "ratio", "quantity": f"{call.quantity}_ratio"}
        elif call is not None:
            fields |= {"tool": call.tool, "quantity": call.quantity, "arguments": dict(call.args)}
        elif one.declared is not None:
            fields |= {"quantity": "fact", "target": one.declared}
        elif one.rule is not None:
            fields |= {"quantity": quantity_of(one.rule)}
        fields |= _said(one, values.get(name, State.NOT_ASSESSED))
        made.append(Evidence.make(version="1", method="test", uncertainty=margins.get(name), **fields))
    return made


def _said(one: Input, value: Any) -> dict[str, Any]:
    reason = f"reason for {one.says}"
    if isinstance(value, dict):
        return {"state": State.MEASURED, **value}
    if value is UNKNOWN or one.unseen is not None:
        return {"state": State.NOT_ASSESSED, "reason": reason}
    if isinstance(value, State):
        return {"state": value, "reason": reason}
    if isinstance(value, tuple):
        return {"state": State.NOT_MEASURABLE, "reason": reason, "lower_bound": value[0]}
    if isinstance(value, list):
        return {"state": State.NOT_MEASURABLE, "reason": reason, "details": {"possible": value}}
    return {"state": State.MEASURED, "value": value}


def apply_table(
    rule: str | TableRule, structure: str, values: dict[str, Any], *, phase: Evidence | None = NATIVE,
    present: bool | None = None, **margins: float,
) -> Evidence:  # fmt: skip
    """Verdict of a decision table; see `given_inputs`."""
    table = table_rule(rule) if isinstance(rule, str) else rule
    given = given_inputs(table, structure, values, **margins)
    more: dict[str, Any] = {"phase": phase} if phase is not None else {}
    if present is not None:
        subject = subject_of(structure, frozenset({table.structure}))
        more["lesion"] = Evidence.make(
            tool="presence", version="1", quantity="exists", target=subject.lesion_class(table), method="test",
            state=State.MEASURED if present else State.ABSENT, value=present, reason="its class is empty",
        )  # fmt: skip
    limits = load_tools()["rule_thresholds"].call(Facts(), {"rule": table.id})
    return derive("apply_table", rule=table.id, structure=structure, inputs=given, thresholds=limits, **more)


def only_rules(monkeypatch: pytest.MonkeyPatch, *rules: AnyRule) -> None:
    """Let these be all the rules that there are, besides those of thresholds."""
    plain = {ident: rule for ident, rule in load_rules().items() if isinstance(rule, Rule)}
    known = {**plain, **{rule.id: rule for rule in rules}}
    check_together(known.values())
    for module in ("tools.rules.model", "agent.rule_chain"):
        monkeypatch.setattr(f"{module}.load_rules", lambda: known)


def table(text: str) -> TableRule:
    """A decision table from the text of its file."""
    rule = read_rule(tomllib.loads(text))
    assert isinstance(rule, TableRule)
    return rule


T_RULE = table("""
id = "pancreas-t-example"
version = "1"
topic = "t_example"
structure = "pancreas"
lesion = "pdac"
source = "Example 8"
citation = "Example E et al., Journal 2020;1:2-3, doi:10.1000/example"
quantity = "example_t"
noun = "T category"
unknown = "TX"
ordered = ["T1", "T2", "T3", "T4"]
[inputs.artery]
says = "contact with the celiac trunk"
unit = "deg"
tool = "vessel_contact"
args = { structure = "$lesion", vessel = "celiac_trunk" }
quantity = "contact_angle"
[inputs.size]
says = "longest diameter"
unit = "cm"
tool = "lesion_components"
args = { structure = "$lesion" }
quantity = "longest_lesion_axis"
[inputs.spread]
says = "invasion of the wall"
unseen = "no label shows the wall of a vessel"
[[rows]]
verdict = "T4"
any = [{ input = "artery", gt = 180 }, { input = "spread", is = true }]
[[rows]]
verdict = "T1"
all = [{ input = "size", le = 2 }]
[[rows]]
verdict = "T2"
all = [{ input = "size", le = 4 }]
[[rows]]
verdict = "T3"
""")
"""A category with an input that nothing can see: never decided below T4."""

STAGE_RULE = table("""
id = "pancreas-stage-example"
version = "1"
topic = "stage_example"
structure = "pancreas"
lesion = "pdac"
source = "Example 8"
citation = "Example E et al., Journal 2020;1:2-3, doi:10.1000/example"
quantity = "example_stage"
noun = "stage"
ordered = ["I", "II", "III", "IV"]
[inputs.t]
says = "T category"
rule = "t_example"
[inputs.age]
says = "age"
declared = "age"
[inputs.spread]
says = "declared spread"
declared = "spread"
[[needs]]
input = "age"
ge = 18
refusal = "the rule is for adults"
[[rows]]
verdict = "IV"
all = [{ input = "spread", is = true }]
[[rows]]
verdict = "III"
all = [{ input = "t", is = "T4" }]
[[rows]]
verdict = "II"
all = [{ input = "t", in = ["T3"] }]
[[rows]]
verdict = "I"
""")
"""A stage that rests on another rule, with a condition of use."""

KIDNEY_RULE = table("""
id = "kidney-mass-example"
version = "1"
topic = "mass_example"
structure = "kidney"
lesion = "lesion"
source = "Example kidney"
citation = "Example K et al., Journal 2021;4:5-6, doi:10.1000/kidney"
noun = "class"
ordered = ["small", "large"]
normal = ["small"]
[inputs.size]
says = "longest diameter"
unit = "cm"
tool = "lesion_components"
args = { structure = "$lesion" }
quantity = "longest_lesion_axis"
[inputs.contrast]
says = "contrast medium"
tool = "contrast_phase"
quantity = "contrast_enhanced"
[inputs.share]
says = "attenuation against the organ"
unit = "1"
tool = "measure_structure"
args = { structure = "$lesion" }
quantity = "hu_mean"
over = { tool = "measure_structure", args = { structure = "$structure" }, quantity = "hu_mean" }
[[rows]]
verdict = "large"
all = [{ input = "size", gt = 4 }]
[[rows]]
verdict = "large"
all = [{ input = "contrast", is = true }, { input = "share", gt = 3 }]
[[rows]]
verdict = "small"
""")
"""Judged on each side, by a number, a yes or no and a ratio."""
