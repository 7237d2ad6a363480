"""What rules need is planned, on each side of a pair, and what they say of it is told with its source."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agent.rule_chain import all_rule_tasks, rule_task, single_rule_task, topic_task
from agent.state import FAILURE, Task
from agent.wording import describe
from tests.agent.loop_make import make_case, run
from tests.table_make import KIDNEY_RULE, STAGE_RULE, T_RULE, given_inputs, only_rules, table
from tools.base import CaseSettings, Facts
from tools.ontology import is_pair, load_ontology
from tools.registry import load_tools
from tools.rules.model import load_rules, quantity_of
from tools.rules.table import ANY_ORGAN, TableRule
from tools.types import Evidence, State


@pytest.fixture
def _examples(monkeypatch: pytest.MonkeyPatch) -> None:
    only_rules(monkeypatch, T_RULE, STAGE_RULE, KIDNEY_RULE)


def planned(topic: str, structure: str | None) -> tuple[Task, dict[str, Task]]:
    tasks: dict[str, Task] = {}
    return topic_task(tasks, topic, structure), tasks


def tools_of(tasks: dict[str, Task]) -> list[str]:
    return sorted(task.tool for task in tasks.values())


def check(tasks: dict[str, Task]) -> None:
    """Every task fits its tool, and rests on tasks that are planned."""
    for ident, task in tasks.items():
        assert ident == task.id
        assert task.needs() <= tasks.keys()
        assert task.reason
        tool = load_tools().get(task.tool)
        assert tool is not None, task.tool
        stand_ins: dict[str, Any] = dict.fromkeys(task.refs, "id")
        stand_ins |= {name: ["id"] * len(refs) for name, refs in task.ref_lists.items()}
        tool.arguments.model_validate({**task.args, **stand_ins})


@pytest.mark.parametrize("ident", sorted(load_rules()))
def test_every_rule_of_the_house_can_be_planned(ident: str) -> None:
    rule = load_rules()[ident]
    organ = "liver" if rule.structure == ANY_ORGAN else rule.structure
    structure = load_ontology().get(organ).parts[0] if is_pair(organ) else organ
    tasks: dict[str, Task] = {}
    task = rule_task(tasks, rule, structure)
    assert tasks[task.id] is task
    check(tasks)
    if isinstance(rule, TableRule):
        assert len(task.ref_lists["inputs"]) == len(rule.inputs)
        limits = load_tools()["rule_thresholds"].call(Facts(), {"rule": ident})
        assert len(limits) == len(task.ref_lists.get("thresholds", ()))
        assert ("lesion" in task.refs) is bool(rule.lesion)
    assert ("phase" in task.refs) is bool(rule.phases)


@pytest.mark.parametrize("kind", ["organ", "lesion"])
@pytest.mark.parametrize("topic", sorted({rule.topic for rule in load_rules().values()}))
def test_every_topic_can_be_asked_of_anything(topic: str, kind: str) -> None:
    for structure in ("liver", "kidney", "pancreas", "vertebrae_L1", "scan"):
        asked = structure if kind == "organ" or structure == "scan" else f"{structure}_lesion"
        task, tasks = planned(topic, asked)
        check(tasks)
        assert task.id in tasks
        assert task.tool in {"weigh_rules", "no_rule", "gravest"}


@pytest.mark.usefixtures("_examples")
def test_a_table_is_planned_with_everything_that_it_rests_on() -> None:
    task, tasks = planned("stage_example", "pancreas")
    assert task.tool == "weigh_rules"
    assert tools_of(tasks) == sorted([
        "weigh_rules", "apply_table", "declared", "declared", "presence", "rule_thresholds",
        "weigh_rules", "apply_table", "vessel_contact", "lesion_components", "not_looked", "rule_thresholds",
    ])  # fmt: skip
    assert {str(one.args["structure"]) for one in tasks.values() if one.tool == "presence"} == {"pancreas_pdac"}
    contact = next(one for one in tasks.values() if one.tool == "vessel_contact")
    assert contact.args == {"structure": "pancreas_pdac", "vessel": "celiac_trunk"}
    below = next(one for one in tasks.values() if one.tool == "weigh_rules" and one.id != task.id)
    outer = next(one for one in tasks.values() if one.tool == "apply_table" and one.args["rule"] == STAGE_RULE.id)
    assert outer.ref_lists["inputs"][0].task == below.id
    assert outer.ref_lists["inputs"][0].quantity == "example_t"


@pytest.mark.usefixtures("_examples")
def test_a_lesion_that_is_asked_about_is_the_lesion() -> None:
    for asked in ("pancreas_tumor", "pancreas_head_pdac", "pancreas_pdac#2"):
        task, tasks = planned("t_example", asked)
        applied = next(one for one in tasks.values() if one.tool == "apply_table")
        assert applied.args["structure"] == asked
        measured = next(one for one in tasks.values() if one.tool == "lesion_components")
        assert measured.args["structure"] == asked
        there = next(one for one in tasks.values() if one.tool == "presence")
        assert there.args["structure"] == asked.partition("#")[0]
        assert task.tool == "weigh_rules"


@pytest.mark.usefixtures("_examples")
@pytest.mark.parametrize("asked", ["pancreas_cyst", "pancreas_pnet", "liver_hcc", "pancreas_head", "spleen"])
def test_a_rule_is_not_applied_to_what_it_is_not_about(asked: str) -> None:
    task, tasks = planned("t_example", asked)
    assert tools_of(tasks) == ["no_rule"]
    made = load_tools()["no_rule"].call(Facts(), task.args)[0]
    assert (made.quantity, made.target, made.state) == ("example_t", asked, State.NOT_ASSESSED)


@pytest.mark.usefixtures("_examples")
@pytest.mark.parametrize(
    ("asked", "applied"),
    [
        ("kidney", {"kidney_left", "kidney_right"}),
        ("kidney_left", {"kidney_left"}),
        ("kidney_cyst", {"kidney_cyst_left", "kidney_cyst_right"}),
        ("kidney_cyst_right", {"kidney_cyst_right"}),
        ("kidney_upper_pole_cyst_left", {"kidney_upper_pole_cyst_left"}),
    ],
)
def test_a_pair_is_judged_on_each_side(asked: str, applied: set[str]) -> None:
    task, tasks = planned("mass_example", asked)
    found = {str(one.args["structure"]) for one in tasks.values() if one.tool == "apply_table"}
    assert found == applied
    assert (task.tool == "gravest") is (len(applied) == 2)
    ratio = [one for one in tasks.values() if one.tool == "ratio"]
    assert len(ratio) == len(applied)
    for one in ratio:
        above, below = (tasks[one.refs[name].task].args["structure"] for name in ("numerator", "denominator"))
        assert below == f"kidney_{load_ontology().get(str(above)).side}"


@pytest.mark.usefixtures("_examples")
def test_one_rule_may_be_asked_for() -> None:
    tasks: dict[str, Task] = {}
    task = single_rule_task(tasks, "liver-enlarged-radgpt", "liver")
    assert [one.args["rule"] for one in tasks.values() if one.tool == "apply_rule"] == ["liver-enlarged-radgpt"]
    assert len(task.ref_lists["verdicts"]) == 1
    assert single_rule_task({}, T_RULE.id, "liver").tool == "no_rule"
    assert single_rule_task({}, "kidney-enlarged-radgpt", "kidney").tool == "gravest"


# -- reports ---------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("_examples")
@pytest.mark.parametrize(
    ("labelled", "organs"),
    [
        (["pancreas"], set()),
        (["pancreas", "pancreas_cyst"], set()),
        (["pancreas", "pancreas_pdac"], {"pancreas_pdac"}),
        (["kidney_left", "kidney_cyst_left"], {"kidney_cyst_left"}),
        (["kidney_left", "kidney_right"], set()),
        (["kidney_left", "kidney_cyst"], {"kidney_cyst_left", "kidney_cyst_right"}),
    ],
)
def test_a_report_judges_only_what_is_labelled(labelled: list[str], organs: set[str]) -> None:
    tasks: dict[str, Task] = {}
    all_rule_tasks(tasks, labelled)
    found = {str(one.args["structure"]) for one in tasks.values() if one.tool == "apply_table"}
    assert found == organs
    sizes = {str(one.args["structure"]) for one in tasks.values() if one.tool == "apply_rule"}
    assert sizes == {name for name in labelled if load_ontology().get(name).kind != "lesion"}


def test_rules_on_the_patient_are_applied_once(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = KIDNEY_RULE.model_dump(by_alias=True) | {"id": "scan-example", "topic": "scan_example", "structure": "scan"}
    whole["inputs"] = {name: row for name, row in whole["inputs"].items() if name != "share"}
    whole["rows"] = [{"verdict": "large", "all": [{"input": "size", "gt": 4}]}, {"verdict": "small"}]
    for lesion, labelled, times in (
        ("lesion", ["liver"], 0),
        ("lesion", ["liver", "liver_cyst"], 1),
        ("", ["liver"], 1),
    ):
        only_rules(monkeypatch, TableRule.model_validate({**whole, "lesion": lesion}))
        tasks: dict[str, Task] = {}
        all_rule_tasks(tasks, labelled)
        assert [one.args["structure"] for one in tasks.values() if one.tool == "apply_table"] == ["scan"] * times


@pytest.mark.slow
@pytest.mark.usefixtures("_examples")
def test_a_report_tells_its_tables(tmp_path: Path) -> None:
    made = run(make_case(), None, tmp_path)
    assert made.report.status == "consistent"
    assert not [one for one in made.state.evidence.values() if one.quantity == FAILURE]
    sentence = next(one for one in made.report.impression if "Example kidney" in one.text)
    assert KIDNEY_RULE.citation in sentence.text
    applied = [one for one in made.state.evidence.values() if one.tool == "apply_table"]
    assert {one.details["rule"] for one in applied} == {KIDNEY_RULE.id}


# -- sentences -------------------------------------------------------------------------------------------------------


def told(rule: TableRule, structure: str, values: dict[str, Any], present: bool | None = None, **margins: float) -> str:
    """The sentence for a verdict, whose bindings are checked to be what the evidence says."""
    given = given_inputs(rule, structure, values, **margins)
    limits = load_tools()["rule_thresholds"].call(Facts(), {"rule": rule.id})
    known = {one.id: one for one in [*given, *limits]}
    arguments: dict[str, Any] = {"rule": rule.id, "structure": structure, "inputs": [one.id for one in given]}
    if limits:
        arguments["thresholds"] = [one.id for one in limits]
    if present is not None:
        there = Evidence.make(
            tool="presence", version="1", quantity="exists", method="test", value=present, reason="its class is empty",
            target=f"{structure}_lesion" if load_ontology().get(structure).kind == "organ" else structure,
            state=State.MEASURED if present else State.ABSENT,
        )  # fmt: skip
        known[there.id] = there
        arguments["lesion"] = there.id
    one = load_tools()["apply_table"].call(Facts(evidence=known, settings=CaseSettings()), arguments)[0]
    sentence = describe(one, {**known, one.id: one})
    bound = {at for binding in sentence.bindings for at in range(binding.start, binding.end)}
    digits = {at for at, letter in enumerate(sentence.text) if letter in "0123456789"}
    # Names of structures and of what a rule asks for are fixed words; every number is bound.
    assert digits <= bound, sentence.text
    assert [b.field for b in sentence.bindings if one.method in sentence.text[b.start : b.end]] == ["method"]
    return sentence.text


CITED = " Source: Example E et al., Journal 2020;1:2-3, doi:10.1000/example."


@pytest.mark.usefixtures("_examples")
@pytest.mark.parametrize(
    ("values", "margins", "text"),
    [
        (
            {"size": 3.0, "artery": 190.0}, {"size": 0.1},
            "By the Example 8 rule, the T category of the pancreatic ductal adenocarcinoma is T4: the contact with the "
            "celiac trunk is 190° (limit 180°), the longest diameter is 3.00 cm ± 0.10 cm (limits 2 cm, 4 cm).",
        ),
        (
            {"size": 3.0, "artery": 0.0}, {},
            "By the Example 8 rule, the T category of the pancreatic ductal adenocarcinoma is TX, at least T2: it "
            "depends on the invasion of the wall; the contact with the celiac trunk is 0° (limit 180°), the longest "
            "diameter is 3.00 cm (limits 2 cm, 4 cm); not known: the invasion of the wall (reason for invasion of the "
            "wall). Possible: T4 or T2.",
        ),
        (
            {"size": 3.0, "artery": 185.0}, {"artery": 10.0},
            "By the Example 8 rule, the T category of the pancreatic ductal adenocarcinoma is T4: the contact with the "
            "celiac trunk is 185° ± 10° (limit 180°), the longest diameter is 3.00 cm (limits 2 cm, 4 cm). This is "
            "borderline: within the uncertainty of the measurement, the reading may be T4 or T2.",
        ),
        (
            {"size": (4.5,), "artery": State.NOT_MEASURABLE}, {},
            "By the Example 8 rule, the T category of the pancreatic ductal adenocarcinoma is TX, at least T3: it "
            "depends on the contact with the celiac trunk, the invasion of the wall; the longest diameter is at least "
            "4.50 cm (reason for longest diameter) (limits 2 cm, 4 cm); not known: the contact with the celiac trunk "
            "(reason for contact with the celiac trunk), the invasion of the wall (reason for invasion of the wall). "
            "Possible: T4 or T3.",
        ),
    ],
)  # fmt: skip
def test_a_verdict_tells_all_that_it_rests_on(values: dict[str, Any], margins: dict[str, Any], text: str) -> None:
    name = load_ontology().get("pancreas_pdac").name
    expected = text.replace("pancreatic ductal adenocarcinoma", name)
    assert told(T_RULE, "pancreas_pdac", values, **margins) == expected + CITED


@pytest.mark.usefixtures("_examples")
def test_a_refusal_and_an_absence_are_told() -> None:
    assert told(STAGE_RULE, "pancreas", {"age": 12, "t": "T4"}) == (
        "The Example 8 rule on the stage cannot be used for the pancreas: the rule is for adults; the age is 12 "
        "(limit 18)." + CITED
    )
    assert told(STAGE_RULE, "pancreas", {"t": "T4"}) == (
        "The Example 8 rule on the stage cannot be used for the pancreas: the rule is for adults, and the age is not "
        "known; not known: the age (reason for age)." + CITED
    )
    assert told(STAGE_RULE, "pancreas_pdac", {}, present=False).startswith(
        "By the Example 8 rule, there is no stage to give: no pancreatic ductal adenocarcinoma was found "
        "(its class is empty)."
    )


@pytest.mark.usefixtures("_examples")
def test_an_open_verdict_is_told_as_an_input() -> None:
    text = told(STAGE_RULE, "pancreas_tumor", {"age": 40, "spread": False, "t": ["T3", "T4"]})
    assert "the stage of the pancreas tumor, taken to be a case of pancreatic ductal adenocarcinoma, cannot be" in text
    assert "the T category is open (T3 or T4)" in text
    assert "Possible: III or II." in text


def test_yes_and_no_are_told_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    rule = table("""
id = "any-example"
version = "1"
topic = "example"
structure = "spleen"
source = "Example"
citation = "Example, doi:10.1000/spleen"
text = { true = "is a spleen", false = "is no spleen" }
[inputs.size]
says = "size"
unit = "cm3"
tool = "measure_structure"
args = { structure = "$structure" }
quantity = "volume"
[[rows]]
verdict = true
all = [{ input = "size", gt = 3 }]
[[rows]]
verdict = false
""")
    only_rules(monkeypatch, rule)
    assert told(rule, "spleen", {"size": 3.1}, size=0.2) == (
        "By the Example rule, the spleen is a spleen: the size is 3.10 cm³ ± 0.20 cm³ (limit 3 cm³). This is "
        "borderline: within the uncertainty of the measurement, the reading may be “is a spleen” or “is no spleen”. "
        "Source: Example, doi:10.1000/spleen."
    )
    assert told(rule, "spleen", {"size": State.NOT_ASSESSED}) == (
        "By the Example rule, whether the spleen is a spleen was not assessed: it depends on the size; not known: the "
        "size (reason for size). Possible: “is a spleen” or “is no spleen”. Source: Example, doi:10.1000/spleen."
    )


@pytest.mark.parametrize("ident", [name for name, rule in load_rules().items() if isinstance(rule, TableRule)])
def test_every_table_of_the_house_can_be_told_with_nothing_known(ident: str) -> None:
    rule = load_rules()[ident]
    assert isinstance(rule, TableRule)
    organ = "liver" if rule.structure == ANY_ORGAN else rule.structure
    structure = load_ontology().get(organ).parts[0] if is_pair(organ) else organ
    text = told(rule.model_copy(update={"phases": ()}), structure, {})
    assert rule.citation in text
    assert rule.source in text
    assert quantity_of(rule.topic) == rule.quantity
