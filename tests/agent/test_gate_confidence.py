"""A model that could not answer, or that disagrees with itself, has concluded nothing."""

from __future__ import annotations

import pytest

from agent.critic import judge
from agent.gates.model import Finding, View
from agent.state import Conclusion, PathologyClaim, RunState
from tests.agent.worlds import World, failing, truth


def found(state: RunState, conclusion: Conclusion, least: float = 0.5) -> Finding:
    gates = judge(View(state, conclusion, min_agreement=least))
    return next(finding for gate, finding in gates if gate.name == "confidence")


@pytest.fixture(scope="module")
def asked(world: World) -> RunState:
    return world.only("volume", "liver")


def test_one_answer_without_a_confidence_is_not_judged(asked: RunState) -> None:
    assert found(asked, truth(asked)).outcome == "not_applicable"


@pytest.mark.parametrize("problem", ["length", "refusal", "malformed", "schema", "empty"])
def test_why_nothing_could_be_used_is_said(asked: RunState, problem: str) -> None:
    nothing = found(asked, Conclusion(samples=0, agreement=0.0, problem=problem))
    assert nothing.outcome == "fail"
    assert "model" in nothing.reason
    others = {found(asked, Conclusion(samples=0, problem=one)).reason for one in ("length", "refusal", "schema")}
    assert len(others) == 3


def test_a_problem_in_a_models_own_words_is_not_repeated(asked: RunState) -> None:
    made_up = found(asked, truth(asked).model_copy(update={"problem": "carcinosis 9876"}))
    assert made_up.outcome == "fail"
    assert "carcinosis" not in made_up.reason
    assert "9876" not in made_up.reason


@pytest.mark.parametrize(("agreement", "least", "outcome"), [
    (1.0, 0.5, "pass"), (0.51, 0.5, "pass"), (0.5, 0.5, "fail"), (0.5, 0.0, "fail"), (0.49, 0.5, "fail"),
    (0.75, 0.8, "fail"), (0.0, 0.0, "fail"), (1.01, 0.5, "fail"), (-1.0, 0.0, "fail"),
])  # fmt: skip
def test_enough_samples_have_to_agree(asked: RunState, agreement: float, least: float, outcome: str) -> None:
    said = truth(asked).model_copy(update={"samples": 4, "agreement": agreement})
    assert found(asked, said, least).outcome == outcome


@pytest.mark.parametrize(("samples", "agreement", "confidence", "outcome"), [
    (4, 0.75, 0.75, "pass"), (4, 0.75, 0.76, "fail"), (4, 0.75, 1.0, "fail"), (2, 1.0, 1.0, "pass"),
    (1, 1.0, 1.0, "fail"), (1, 1.0, 0.0, "fail"), (0, 0.0, 0.0, "fail"), (4, 0.75, None, "pass"),
])  # fmt: skip
def test_a_confidence_is_the_agreement_of_several(
    everything: RunState, samples: int, agreement: float, confidence: float | None, outcome: str
) -> None:
    conclusion = truth(everything)
    assert conclusion.pathology is not None
    pathology = conclusion.pathology.model_copy(update={"confidence": confidence})
    said = conclusion.model_copy(update={"pathology": pathology, "samples": samples, "agreement": agreement})
    assert found(everything, said).outcome == outcome
    assert failing(everything, said) == ({"confidence"} if outcome == "fail" else set())


def test_a_judgement_that_is_not_shared_is_withheld_and_measurements_stay(everything: RunState) -> None:
    conclusion = truth(everything)
    assert conclusion.pathology is not None
    for differential, claim in ((("metastasis",), "pathology"), ((), None)):
        pathology = conclusion.pathology.model_copy(update={"differential": differential})
        said = conclusion.model_copy(update={"pathology": pathology, "samples": 5, "agreement": 0.4})
        assert [one.claim for one in found(everything, said).objections] == [claim]


def test_the_fingerprint_is_that_of_what_is_concluded_however_sure() -> None:
    sure, unsure = (Conclusion(pathology=PathologyClaim(ct="T1", confidence=one), agreement=one) for one in (1.0, 0.5))
    assert sure.fingerprint() == unsure.fingerprint()
    assert sure.fingerprint() != Conclusion(pathology=PathologyClaim(ct="T2", confidence=1.0)).fingerprint()
