"""A model that lies, cites nothing or changes its mind: what it made up never reaches a report."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from agent.models.scripted import Script
from agent.state import Claim, Conclusion, PathologyClaim, Ref, RunState, Task
from agent.trace import verify
from tests.agent.loop_full import STAGED, full_case
from tests.agent.loop_make import Asks, Outcome, Says, ask, make_case, run, settings_in
from tools.base import Case, CaseSettings

LIE = "9876"
WORDS = "carcinosis"


@pytest.fixture(scope="module")
def case() -> Case:
    return make_case()


def shown(made: Outcome) -> str:
    """Everything that a reader of the report sees, in all its forms."""
    files = sorted(path for path in made.folder.folder.iterdir() if path.suffix in {".json", ".md", ".html"})
    assert [path.name for path in files] == ["report.html", "report.json", "report.md"]
    # Pictures are base64 in the page, where any digits may occur.
    return "".join(line for path in files for line in path.read_text().splitlines() if "base64," not in line)


def change(**changes: object) -> Script:
    """A script that changes the first claim."""
    return lambda state, truth: truth.model_copy(
        update={"claims": (truth.claims[0].model_copy(update=changes), *truth.claims[1:])}
    )


def say(text: str) -> Script:
    return change(text=text)


def flip_sides(state: RunState, truth: Conclusion) -> Conclusion:
    claims = [
        claim.model_copy(
            update={"text": claim.text.replace("left", "@").replace("right", "left").replace("@", "right")}
        )
        for claim in truth.claims
    ]
    return truth.model_copy(update={"claims": tuple(claims)})


def extra(state: RunState, truth: Conclusion) -> Conclusion:
    more = Claim(
        id="finding-x", level="finding", evidence=truth.claims[0].evidence, target="liver", quantity="exists",
        value=True, state=truth.claims[0].state, text=f"There are {LIE} nodules of {WORDS}.",
    )  # fmt: skip
    return truth.model_copy(update={"claims": (*truth.claims, more)})


def staged(state: RunState, truth: Conclusion) -> Conclusion:
    lie = PathologyClaim(diagnosis=WORDS, ct="cT4", stage=LIE, confidence=0.9876, evidence=truth.claims[0].evidence)
    return truth.model_copy(update={"pathology": lie})


def nothing(state: RunState, truth: Conclusion) -> Conclusion:
    return Conclusion()


DISHONEST: dict[str, Script] = {
    "number": change(value=9876.0, text=f"The volume of the left kidney is {LIE} cm³."),
    "text": say(f"Widespread {WORDS}, {LIE} lesions."),
    "cites nothing": change(evidence=(), text=f"{WORDS} {LIE}"),
    "cites what is not there": change(evidence=(f"{WORDS}.{LIE}",)),
    "names itself": change(id=f"{WORDS} {LIE}"),
    "unit": change(unit=f"{WORDS} {LIE}"),
    "extra claim": extra,
    "stage": staged,
    "huge text": say(f"{WORDS} {LIE} " * 4_000_000),
    "huge claim": change(evidence=tuple(f"{WORDS}.{LIE}.{n}" for n in range(300_000))),
    "huge pathology": lambda state, truth: truth.model_copy(
        update={"pathology": PathologyClaim(differential=(f"{WORDS} {LIE} " * 1_500_000,))}
    ),
    "many claims": lambda state, truth: Conclusion(claims=extra(state, truth).claims[-1:] * 2_000),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", DISHONEST)
def test_what_a_model_makes_up_is_not_in_the_report(case: Case, tmp_path: Path, name: str) -> None:
    queries = [ask("volume", "kidney_left"), ask("exists", "liver")]
    made = run(case, queries, tmp_path, model=Says(queries, [DISHONEST[name]]), max_rounds=2)
    assert made.report.status == "unresolved"
    assert made.report.rounds == 2
    text = shown(made)
    assert LIE not in text
    assert WORDS not in text
    assert any(verdict.outcome == "fail" for verdict in made.report.verdicts)
    for claim in (*made.report.findings, *made.report.impression):
        assert claim.evidence, claim
    assert verify(made.folder.trace).ok
    assert len(made.folder.trace.read_bytes()) < 40 * 2**20


@pytest.mark.parametrize(
    ("script", "gone"),
    [
        (flip_sides, "The volume of the right kidney"),
        (say("No. The liver cannot be seen."), "cannot be seen"),
        (nothing, "left kidney"),
    ],
)
def test_sides_denials_and_silence_end_unresolved(case: Case, tmp_path: Path, script: Script, gone: str) -> None:
    queries = [ask("volume", "kidney_left")]
    made = run(case, queries, tmp_path, model=Says(queries, [script]))
    assert made.report.status == "unresolved"
    assert made.report.rounds == 2  # the same again after an objection: nothing more is to be had
    assert made.report.answer is not None
    said = [made.report.answer.text, *(one.text for one in (*made.report.findings, *made.report.impression))]
    assert not any(gone in text for text in said)
    assert made.report.answer.value is None
    assert made.report.answer.text.startswith("This is unresolved")


def test_a_dropped_negation_in_a_rule_is_refused(case: Case, tmp_path: Path) -> None:
    queries = [ask("enlarged", "spleen")]

    def enlarged(state: RunState, truth: Conclusion) -> Conclusion:
        first = truth.claims[0]
        lie = first.model_copy(
            update={"text": first.text.replace("No. ", "Yes. ").replace(" not ", " "), "value": True}
        )
        return truth.model_copy(update={"claims": (lie, *truth.claims[1:])})

    made = run(case, queries, tmp_path, model=Says(queries, [enlarged]))
    assert made.report.status == "unresolved"
    assert made.report.answer is not None
    assert made.report.answer.value is None
    assert "spleen is enlarged" not in shown(made)


def stage_up(state: RunState, truth: Conclusion) -> Conclusion:
    """The stage told higher than decided, in the answer, in its sentence and in the pathology alike."""
    claims = [
        claim.model_copy(update={"value": "IIB" if claim.value == "IB" else claim.value,
                                 "text": claim.text.replace(" is IB:", " is IIB:").replace(" is N0:", " is N1:")})
        for claim in truth.claims
    ]  # fmt: skip
    assert truth.pathology is not None
    pathology = truth.pathology.model_copy(update={"stage": "IIB", "cn": "N1"})
    return truth.model_copy(update={"claims": tuple(claims), "pathology": pathology})


def pathology_up(state: RunState, truth: Conclusion) -> Conclusion:
    assert truth.pathology is not None
    return truth.model_copy(update={"pathology": truth.pathology.model_copy(update={"stage": "IIB", "cn": "N1"})})


def pathology_down(state: RunState, truth: Conclusion) -> Conclusion:
    assert truth.pathology is not None
    return truth.model_copy(update={"pathology": truth.pathology.model_copy(update={"stage": None, "ct": "TX"})})


@pytest.mark.slow
@pytest.mark.parametrize("script", [stage_up, pathology_up, pathology_down])
def test_a_stage_that_the_evidence_does_not_decide_is_not_told(tmp_path: Path, script: Script) -> None:
    queries = [ask("stage", "pancreas_pdac")]
    case = full_case(settings=CaseSettings(patient=STAGED), prior=False)
    honest = run(case, queries, tmp_path).report
    assert honest.status == "consistent"
    assert honest.pathology is not None
    assert (honest.pathology.stage, honest.pathology.cn) == ("IB", "N0")
    made = run(case, queries, tmp_path, model=Says(queries, [script]))
    assert made.report.status == "unresolved"
    assert made.report.pathology is None
    text = shown(made)
    assert "IIB" not in text
    assert " is N1" not in text


def mixed_up(state: RunState, truth: Conclusion) -> Conclusion:
    swap = {"lesion 1": "lesion 2", "lesion 2": "lesion 1"}
    return truth.model_copy(update={"claims": tuple(
        claim.model_copy(update={"text": re.sub("lesion [12]", lambda found: swap[found.group()], claim.text)})
        for claim in truth.claims
    )})  # fmt: skip


def one_angle(state: RunState, truth: Conclusion) -> Conclusion:
    return truth.model_copy(update={"claims": tuple(
        claim.model_copy(update={"text": claim.text.replace("57.8°", "198.7°"), "value": 198.7})
        if claim.quantity == "contact_angle" else claim
        for claim in truth.claims
    )})  # fmt: skip


@pytest.mark.parametrize(
    ("script", "kind", "structures", "gone"),
    [
        (mixed_up, "lesion_list", ("liver_lesion",), "liver lesion 2 has a volume of 11.8"),
        (one_angle, "vessel_contact", ("pancreas_pdac", "superior_mesenteric_artery"), "198.7"),
    ],
)
def test_lesions_mixed_up_and_angles_made_up_are_not_told(
    tmp_path: Path, script: Script, kind: str, structures: tuple[str, ...], gone: str
) -> None:
    queries = [ask(kind, *structures)]
    made = run(full_case(prior=False), queries, tmp_path, model=Says(queries, [script]))
    assert made.report.status == "unresolved"
    assert gone not in shown(made)
    assert made.report.answer is not None
    assert made.report.answer.value is None


def test_wrong_at_first_and_right_afterwards_is_consistent(case: Case, tmp_path: Path) -> None:
    queries = [ask("volume", "kidney_left")]
    script: list[Script] = [DISHONEST["number"], lambda state, truth: truth]
    made = run(case, queries, tmp_path, model=Says(queries, script))
    assert made.report.status == "consistent"
    assert made.report.rounds == 3  # the right conclusion has to come out twice
    assert made.report.answer is not None
    assert made.report.answer.value == pytest.approx(53.9)
    assert [v.outcome for v in made.report.verdicts if v.gate == "grounding"] == ["fail", "pass", "pass"]
    assert LIE not in shown(made)


def test_the_objections_tell_the_model_what_was_wrong(case: Case, tmp_path: Path) -> None:
    heard: list[str] = []

    def listen(state: RunState, truth: Conclusion) -> Conclusion:
        heard.extend(f"{objection.claim}: {objection.expected}" for objection in state.objections)
        return truth

    queries = [ask("volume", "kidney_left")]
    run(case, queries, tmp_path, model=Says(queries, [DISHONEST["number"], listen]))
    assert heard[0] == "answer-1: its value is not what its evidence says"


def test_changing_each_round_is_unresolved(case: Case, tmp_path: Path) -> None:
    def fewer(state: RunState, truth: Conclusion) -> Conclusion:
        return truth.model_copy(update={"claims": truth.claims[: len(truth.claims) - state.round % 2]})

    queries = [ask("volume", "kidney")]
    made = run(case, queries, tmp_path, model=Says(queries, [fewer]), max_rounds=5)
    assert made.report.status == "unresolved"
    assert made.report.rounds == 3
    assert len(set(made.state.fingerprints)) == 2
    assert "back and forth" in str(made.state.stop_reason)


class Wisher(Asks):
    """Plans whatever it likes."""

    deterministic = False

    def plan(self, state: RunState) -> list[Task]:
        measured = Task.make("measure_structure", {"structure": "spleen"}, reason=WORDS * 10_000)
        return [
            measured,
            Task.make("convert", {"unit": "ml"}, {"item": Ref(task=measured.id, quantity="volume")}),
            Task.make("erase_everything"),
            Task.make("measure_structure", {"structure": "liver", "by": "eye"}),
            Task.make("measure_structure", {"structure": 5}),
            Task.make("convert", {"unit": "ml"}, {"item": Ref(task="nowhere", quantity="volume")}),
            Task.make("convert", {"unit": "ml"}, {"item": Ref(task=measured.id, quantity="#x")}),
            measured.model_copy(update={"tool": "presence"}),
        ]


@pytest.mark.slow
def test_only_what_can_be_done_of_a_models_wishes_is_done(case: Case, tmp_path: Path) -> None:
    made = run(case, None, tmp_path / "plain")
    wished = run(case, [ask("volume", "liver")], tmp_path, model=Wisher([ask("volume", "liver")]))
    assert wished.report.status == "consistent"
    tools = {task.tool for task in wished.state.tasks.values()}
    assert tools <= {task.tool for task in made.state.tasks.values()} | {"convert", "presence", "measure_structure"}
    targets = {(t.tool, str(t.args.get("structure"))) for t in wished.state.tasks.values()}
    assert ("measure_structure", "spleen") in targets
    assert ("convert", "None") in targets
    assert ("presence", "spleen") in targets
    assert all(len(task.reason) <= 300 for task in wished.state.tasks.values())
    assert all(ident in wished.state.done for ident in wished.state.tasks)
    assert settings_in(tmp_path).max_rounds >= wished.report.rounds
