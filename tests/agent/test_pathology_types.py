"""A diagnosis is what the labels call a lesion; a differential diagnosis what they leave open."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.gates.pathology_types import diagnosis_problems, differential_problems
from agent.lesion_types import compatible, named_type, type_name
from agent.state import PathologyClaim, RunState
from tests.agent.worlds import failing, truth
from tools.ontology import load_ontology
from tools.types import Evidence, State

TYPES = sorted(load_ontology().lesion_types)


def cited(state: RunState, **said: object) -> PathologyClaim:
    pathology = truth(state).pathology
    assert pathology is not None
    return pathology.model_copy(update=said)


@pytest.mark.parametrize(("diagnosis", "fine"), [
    ("cyst", True), ("kidney cyst", True), ("simple cyst", True), ("Cyst", True), ("lesion", True),
    ("liver cyst", False), ("hcc", False), ("metastasis", False), ("tumor", False), ("mucinous_cyst", False),
    ("cyst of stage IV and 3 more", False), ("cyst.", False), ("carcinosis", False), ("", False), ("kidney", False),
])  # fmt: skip
def test_a_diagnosis_is_a_type_that_the_labels_show(everything: RunState, diagnosis: str, fine: bool) -> None:
    pathology = cited(everything, diagnosis=diagnosis)
    assert (diagnosis_problems(pathology, everything) == []) == fine
    said = truth(everything).model_copy(update={"pathology": pathology})
    assert failing(everything, said) == (set() if fine else {"overclaim"})


def test_a_diagnosis_cites_the_lesion(everything: RunState) -> None:
    # Neither the cysts nor the lesions that the labels show to be cysts.
    types = {one: everything.evidence[one].details.get("types") for one in cited(everything).evidence}
    evidence = tuple(one for one, told in types.items() if "cyst" not in one and "cyst" not in str(told))
    assert diagnosis_problems(cited(everything, diagnosis="cyst", evidence=evidence), everything)


@pytest.mark.parametrize(("differential", "fine"), [
    (("metastasis",), True), (("hcc", "hemangioma", "metastasis"), True), (("liver metastasis",), True),
    (("pdac",), False), (("rcc",), False), (("spleen lesion",), False), (("metastasis", "metastasis"), False),
    (("hcc", "hepatocellular carcinoma"), False), (("metastasis", "see page 9"), False), (("kidney tumor",), False),
    (("mucinous_cyst",), False), (("pseudocyst",), True),
])  # fmt: skip
def test_a_differential_names_what_the_labels_leave_open(
    everything: RunState, differential: tuple[str, ...], fine: bool
) -> None:
    problems = differential_problems(cited(everything, differential=differential), everything)
    assert (problems == []) == fine
    for problem in problems:
        assert not any(letter.isdigit() for letter in problem)


@pytest.mark.parametrize(("empty", "gone"), [
    ("liver_metastasis", True), ("liver_cancer", True), ("metastasis", True), ("liver_hcc", False),
    ("spleen_metastasis", False),
])  # fmt: skip
def test_what_an_empty_class_rules_out_is_not_named(everything: RunState, empty: str, gone: bool) -> None:
    one = Evidence.make(
        tool="presence", quantity="exists", target=empty, value=False, state=State.ABSENT, reason="its class is empty",
        method="labels", version="5",
    )  # fmt: skip
    state = everything.model_copy(update={"evidence": {**everything.evidence, one.id: one}})
    pathology = cited(everything, differential=("metastasis",))
    assert bool(differential_problems(pathology, state)) == gone


@given(st.text(alphabet=string.printable, max_size=60))
def test_only_plain_names_of_types_are_read(text: str) -> None:
    found = named_type(text)
    if found is not None:
        assert found[0] in TYPES
        assert not set(text) - set(string.ascii_letters + " _-")


@given(st.sampled_from(TYPES), st.sampled_from(TYPES))
def test_compatibility_is_mutual_and_parents_never_conflict(one: str, other: str) -> None:
    assert compatible(one, one)
    assert compatible(one, other) == compatible(other, one)
    for above in load_ontology().ancestors(one):
        assert compatible(one, above)


def test_types_are_told_by_name() -> None:
    assert type_name("hcc") == "hepatocellular carcinoma"
    assert type_name("anything") == "anything"
