"""What engines see enters a run: as masks where they can be right, as a reason where they cannot or nothing looked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from agent.engine import Engine
from agent.models.embedded import EmbeddedReasoner
from agent.report_model import Report
from agent.settings import Settings
from agent.state import RunState, Task
from agent.trace import read_events
from agent.trace_schema import Event, Kind
from agent.trace_view import summary
from agent.wanted import named
from tests.engine_make import NAME, give, install
from tests.tools.segment.plausible_make import Arrays, torso
from tools.array_store import ArrayStore
from tools.base import Case
from tools.segment.backends import load_backends
from tools.segment.engine import EngineSettings
from tools.segment.workshop import Workshop
from tools.types import State

pytestmark = pytest.mark.slow

ORGANS = ("liver", "spleen", "kidney_left", "kidney_right", "stomach", "pancreas", "duodenum")
VOLUME = "What is the volume of the spleen?"


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    yield
    load_backends.cache_clear()


@pytest.fixture(scope="module")
def body() -> Arrays:
    return torso()


def _only(body: Arrays, *names: str) -> tuple[NDArray[np.uint8], dict[str, int]]:
    numbers = {name: body.numbers[name] for name in names}
    return np.where(np.isin(body.labels, list(numbers.values())), body.labels, 0).astype(np.uint8), numbers


def _ask(
    tmp_path: Path, case: Case, question: str | None = VOLUME, *, seconds: float = 600, resume: str | None = None
) -> tuple[Report, RunState]:
    settings = Settings(home=tmp_path / "home", cache=tmp_path / "cache")
    engines = EngineSettings(cache=tmp_path / "cache", seconds=seconds)
    workshop = Workshop(engines, ArrayStore(tmp_path / "cache"), engines=(NAME,))
    engine = Engine(settings, EmbeddedReasoner(), workshop=workshop)
    return engine.ask(case, question, out=None if resume else tmp_path / "run", resume=resume)


def _unlabelled(body: Arrays) -> Case:
    return replace(body.case, labels=None)


def test_a_question_is_answered_from_what_an_engine_saw(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: Arrays
) -> None:
    task = give(tmp_path, "give_organs", *_only(body, *ORGANS))
    lesions = give(tmp_path, "give_lesions", *_only(body, "liver_lesion"))
    ran = install(tmp_path, monkeypatch, task, lesions)
    report, state = _ask(tmp_path, _unlabelled(body))
    true, _ = _ask(tmp_path / "true", body.case)
    assert report.answer is not None and true.answer is not None
    assert report.status == "consistent" and report.answer.value == true.answer.value
    assert ran.read_text(encoding="utf-8").split() == ["give_organs"], "a task that the question does not need ran"
    made = next(one for one in state.evidence.values() if one.quantity == "segmentation")
    assert made.details["engine"] == "pretend/give_organs" and made.details["licence"] == "none"
    kinds = [event.kind for event in read_events(tmp_path / "run" / "trace.jsonl")]
    assert kinds.index("tool.start") < kinds.index("round")
    # The same scan again: nothing runs twice.
    _ask(tmp_path, _unlabelled(body), "Is the liver larger than the spleen?")
    assert len(ran.read_text(encoding="utf-8").split()) == 1


def test_the_user_s_labels_come_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: Arrays) -> None:
    wrong, numbers = _only(body, "liver", "spleen")
    wrong[body.labels == body.numbers["stomach"]] = numbers["spleen"]
    ran = install(tmp_path, monkeypatch, give(tmp_path, "give_wrong", wrong, numbers))
    report, _ = _ask(tmp_path, body.case)
    true, _ = _ask(tmp_path / "true", body.case)
    assert not ran.exists()
    assert not (tmp_path / "cache" / "arrays").exists(), "the user's own labels were stored"
    assert report.answer is not None and true.answer is not None and report.answer.value == true.answer.value


@pytest.mark.parametrize(
    ("task", "told"),
    [
        ("kill_a", "was ended from outside by SIGKILL"),
        ("sleep_a", "took longer than allowed"),
        ("refuse_a", "its weights are broken"),
        ("absent_a", "cannot run here yet"),
        ("synthetic_a", "is valid for synthetic scans only"),
    ],
)
def test_a_failed_engine_leaves_a_not_assessed_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: Arrays, task: str, told: str
) -> None:
    install(tmp_path, monkeypatch, f"{task}:liver,spleen")
    report, _ = _ask(tmp_path, _unlabelled(body), seconds=4 if task == "sleep_a" else 600)
    assert report.answer is not None
    assert report.answer.state is State.NOT_ASSESSED and report.answer.value is None
    assert told in report.answer.text
    assert report.status == "consistent"


def test_another_engine_looks_where_the_first_one_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: Arrays
) -> None:
    ran = install(tmp_path, monkeypatch, "kill_a:liver,spleen", give(tmp_path, "give_b", *_only(body, *ORGANS)))
    report, _ = _ask(tmp_path, _unlabelled(body))
    assert ran.read_text(encoding="utf-8").split() == ["kill_a", "give_b"]
    assert report.answer is not None and report.answer.state is State.MEASURED


def test_an_engine_that_looks_again_keeps_what_it_has_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: Arrays
) -> None:
    ran = install(tmp_path, monkeypatch, "kill_a:spleen", give(tmp_path, "give_part", *_only(body, *ORGANS)))
    report, _ = _ask(tmp_path, _unlabelled(body), "Is the liver larger than the spleen?")
    assert ran.read_text(encoding="utf-8").split() == ["give_part", "kill_a", "give_part"]
    assert report.answer is not None and report.answer.state is State.MEASURED


def test_a_mask_that_cannot_be_right_is_not_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: Arrays
) -> None:
    labels, numbers = _only(body, *ORGANS)
    spleen = labels == numbers["spleen"]
    labels[spleen] = 0
    labels[np.roll(spleen, 42, axis=0) & (labels == 0)] = numbers["spleen"]  # to the patient's right, in the air
    bad = give(tmp_path, "give_bad", labels, numbers)
    install(tmp_path / "one", monkeypatch, bad)
    for name in ("give_bad.npy", "give_bad.json"):
        (tmp_path / "one" / name).write_bytes((tmp_path / name).read_bytes())
    report, _ = _ask(tmp_path / "one", _unlabelled(body))
    assert report.answer is not None
    assert report.answer.state is State.NOT_ASSESSED
    assert "the mask that the pretended engine (give_bad) made cannot be right" in report.answer.text
    assert any("it is not used" in note for note in report.limitations)
    events = [one for one in read_events(tmp_path / "one/run/trace.jsonl") if isinstance(one, Event)]
    (event,) = (one for one in events if one.kind == Kind.MASK_REFUSED)
    assert event.data["structure"] == "spleen" and event.data["engine"] == f"{NAME}/give_bad"
    assert event.data["version"] == "v" and event.data["reason"] and event.data["measured"]
    assert "spleen by pretend/give_bad: " in summary(event)


@pytest.mark.parametrize("another", [True, False])
def test_a_class_that_an_engine_leaves_out_is_not_absent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: Arrays, another: bool
) -> None:
    give(tmp_path, "give_few", *_only(body, "liver"))
    others = [give(tmp_path, "give_b", *_only(body, *ORGANS))] if another else []
    install(tmp_path, monkeypatch, "give_few:liver,spleen", *others)
    report, _ = _ask(tmp_path, _unlabelled(body))
    assert report.answer is not None
    assert report.answer.state is (State.MEASURED if another else State.NOT_ASSESSED)
    assert another or "did not look for it" in report.answer.text


def test_lesions_of_one_engine_are_held_against_the_organ_of_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: Arrays
) -> None:
    far, numbers = _only(body, "liver_lesion")
    spleen = body.labels == body.numbers["spleen"]
    far[spleen] = numbers["liver_lesion"]
    install(
        tmp_path, monkeypatch, give(tmp_path, "give_far", far, numbers),
        give(tmp_path, "give_organs", *_only(body, *ORGANS)),
    )  # fmt: skip
    report, _ = _ask(tmp_path, _unlabelled(body), "How many lesions are in the liver?")
    assert report.answer is not None and report.answer.value == 1
    assert any("far from the organ" in note for note in report.limitations)


def test_a_second_engine_repairs_a_mask_that_cannot_be_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: Arrays
) -> None:
    labels, numbers = _only(body, *ORGANS)
    labels[labels == numbers["spleen"]] = 0
    bad = give(tmp_path, "give_bad", labels, numbers)
    install(tmp_path, monkeypatch, bad, give(tmp_path, "give_good", *_only(body, *ORGANS)))
    report, state = _ask(tmp_path, _unlabelled(body))
    true, _ = _ask(tmp_path / "true", body.case)
    assert report.answer is not None and true.answer is not None
    assert report.answer.value == true.answer.value
    looked = [one.details["engine"] for one in state.evidence.values() if one.quantity == "segmentation"]
    assert looked == ["pretend/give_bad", "pretend/give_good"]


def test_a_run_broken_off_goes_on_with_the_same_masks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: Arrays
) -> None:
    ran = install(tmp_path, monkeypatch, give(tmp_path, "give_organs", *_only(body, *ORGANS)))

    class Broken(EmbeddedReasoner):
        def conclude(self, state: RunState, images: object = None):  # type: ignore[no-untyped-def]
            raise KeyboardInterrupt

    settings = Settings(home=tmp_path / "home", cache=tmp_path / "cache")
    workshop = Workshop(EngineSettings(cache=tmp_path / "cache"), ArrayStore(tmp_path / "cache"), engines=(NAME,))
    begun: list[str] = []
    engine = Engine(
        settings, Broken(), started=lambda folder: begun.append(folder.id), workshop=workshop
    )  # fmt: skip
    with pytest.raises(KeyboardInterrupt):
        engine.ask(_unlabelled(body), VOLUME, out=tmp_path / "run")
    report, state = _ask(tmp_path, _unlabelled(body), resume=begun[0])
    assert report.answer is not None and report.answer.state is State.MEASURED
    assert state.labels is not None
    assert ran.read_text(encoding="utf-8").split() == ["give_organs"]


def test_a_report_on_everything_looks_for_all_that_engines_see(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: Arrays
) -> None:
    names = tuple(name for name in body.numbers if name != "liver_lesion")
    install(
        tmp_path, monkeypatch, give(tmp_path, "give_organs", *_only(body, *names)),
        give(tmp_path, "give_lesions", *_only(body, "liver_lesion")),
    )  # fmt: skip
    report, _ = _ask(tmp_path, _unlabelled(body), None)
    true, _ = _ask(tmp_path / "true", body.case, None)
    assert [one.text for one in report.findings] == [one.text for one in true.findings]
    assert report.limitations != true.limitations or report.findings


def test_a_stage_looks_for_metastases_and_other_tumours_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: Arrays
) -> None:
    labels, numbers = _only(body, *ORGANS, "liver_lesion")
    tumour = np.argwhere(labels == numbers["pancreas"])[:4]
    numbers = {"pancreas_pdac" if one == "kidney_left" else one: value for one, value in numbers.items()}
    labels[labels == numbers["pancreas_pdac"]] = 0
    labels[tuple(tumour.T)] = numbers["pancreas_pdac"]
    numbers["liver_metastasis"] = numbers.pop("liver_lesion")
    liver = {name: value for name, value in numbers.items() if name.startswith("liver")}
    others = {name: value for name, value in numbers.items() if name not in liver}
    made = (give(tmp_path, "give_pancreas", labels, others), give(tmp_path, "give_liver", labels, liver))
    ran = install(tmp_path, monkeypatch, *made)
    _, state = _ask(tmp_path, _unlabelled(body), "What is the M category of the pancreatic cancer?")
    assert set(ran.read_text(encoding="utf-8").split()) == {"give_pancreas", "give_liver"}
    (spread,) = (one for one in state.evidence.values() if one.quantity == "spread")
    assert spread.state is State.MEASURED and spread.value is True


@pytest.mark.parametrize(
    ("tool", "structure", "more"),
    [
        ("largest_lesion_region", "liver_metastasis", {"portal_vein", "hepatic_vein"}),
        ("lesions_in_regions", "pancreas_pdac", {"superior_mesenteric_vein", "aorta"}),
        ("spread", "colon", {"metastasis"}),
        ("measure_structure", "kidney_left", set()),
    ],
)
def test_what_a_tool_looks_at_besides_is_looked_for(tool: str, structure: str, more: set[str]) -> None:
    found = set(named(Task.make(tool, {"structure": structure}, reason="")))
    assert found >= more | ({structure} - {"colon"}) and (more or found == {structure})
    assert "hepatic_vein" not in found or structure.startswith("liver")
