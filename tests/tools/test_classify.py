"""The specialist's opinion on the largest lesion: given, open, refused, and weighed against the labels."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agent.errors import ToolError, UsageError
from agent.gates import conflict
from agent.gates.model import Finding, View
from agent.opinions import SPECIALIST, opinions
from agent.state import Conclusion, Request, RunState
from tests.case_make import boxes_case, orders, reorder
from tests.evidence_make import measured
from tests.said import said
from tools.base import Case, CaseSettings
from tools.classifiers.base import Described, Probabilities
from tools.classifiers.registry import load_classifier
from tools.classify import QUANTITY
from tools.registry import load_tools
from tools.types import Evidence, State
from tools.volume import Orientation, ScanHeader, to_canonical

LIVER = np.s_[4:26, 4:24, 3:17]
LESION = np.s_[10:17, 10:17, 7:12]
SECOND = np.s_[20:24, 6:10, 4:7]
PORTAL = CaseSettings(phase="portal")
Refused = Callable[..., Evidence]


def header(*, synthetic: bool) -> ScanHeader:
    return ScanHeader(source="nifti", synthetic=synthetic)


def scene(
    level: int = 10, lesions: Any = LESION, *, name: str = "liver_lesion", synthetic: bool = True, **more: Any
) -> Case:
    """A liver with lesions, and noise."""
    more.setdefault("settings", PORTAL)
    boxes = {"liver": LIVER, name: lesions}
    hu = {"liver": 105, name: level}
    case = boxes_case((30, 28, 20), boxes, spacing=(3, 3, 3), hu=hu, header=header(synthetic=synthetic), **more)
    noise = np.random.default_rng(2).normal(0, 6, case.scan.hu.shape).round().astype(np.int16)
    return replace(case, scan=replace(case.scan, hu=case.scan.hu + noise))


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A classifier that goes by how dark the core is: cyst below −50 HU, metastasis above."""
    cloud = {"means": [[-90.0], [-20.0]], "precision": [[0.01]], "limit": 5.0, "quantile": 0.99}
    model = {
        "types": ["simple cyst", "metastasis"], "features": ["core_to_organ"], "mean": [0], "scale": [1],
        "weights": {"portal": [[-0.1], [0.0]]}, "bias": {"portal": [-5.0, 0.0]}, "temperature": 1,
        "ood": {"portal": cloud},
    }  # fmt: skip
    three = {**model, "types": ["cyst", "hcc", "metastasis"], "weights": {"portal": [[0.0], [0.0], [0.0]]}}
    card = {"backend": "embedded", "version": "7", "source": "our classifier", "licence": "MIT", "valid_for": "any"}
    for name, row, more in (
        ("own", model, {"alone": {"colon": "cancer"}, "smallest_mm": 10.0}),
        ("unsure", {**three, "bias": {"portal": [0.0, 0.0, 0.0]}}, {}),
        ("clinical", model, {"valid_for": "real"}),
    ):
        (tmp_path / name).mkdir()
        text = json.dumps(card | more | {"organs": {"liver": row}})
        (tmp_path / name / "classifier.json").write_text(text)
    monkeypatch.setenv("TUMORTRACE_CLASSIFIERS", str(tmp_path))
    return "own"


def classify(case: Case, structure: str = "liver_lesion", classifier: str = "own", **more: Any) -> Evidence:
    (one,) = load_tools()["classify_lesion"].call(case, {"structure": structure, "classifier": classifier, **more})
    assert (one.quantity, one.target, one.tool) == (QUANTITY, structure, "classify_lesion")
    assert one.id == one.expected_id()
    assert not any(letter.isdigit() for letter in one.reason or "")
    if one.state is not State.MEASURED:
        assert one.value is None
        assert "type" not in one.details
    assert said(one)
    return one


def refused(words: str, state: State, case: Case, **more: Any) -> Evidence:
    one = classify(case, **more)
    assert one.state is state
    assert words in (one.reason or "")
    return one


def test_the_quantity_is_the_one_that_the_critic_knows() -> None:
    assert QUANTITY == SPECIALIST


def test_an_opinion_holds_all_that_it_rests_on(own: str) -> None:
    one = classify(scene())
    assert (one.state, one.value) == (State.MEASURED, "cyst")
    told: dict[str, Any] = one.details
    assert (told["type"], told["source"], told["phase"]) == ("cyst", "our classifier", "portal")
    assert (told["classifier"], told["classifier_version"]) == ("own", "7")
    assert sum(told["probabilities"].values()) == pytest.approx(1.0, abs=1e-3)
    assert told["probability"] == told["probabilities"]["cyst"] > 0.9
    assert told["in_distribution"] is True
    assert 0 <= told["ood_distance"] <= told["ood_limit"] == 5.0
    assert told["features"] == ["core_to_organ"]
    assert "opinion of our classifier" in said(one)
    assert "is cyst" in said(one)
    assert classify(scene(85)).value == "metastasis"


def test_where_nobody_knows_whether_it_is_like_the_training_that_is_said(
    own: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = load_classifier(own)

    class Blind:
        def __getattr__(self, name: str) -> Any:
            return getattr(known, name)

        def predict(self, lesion: Described) -> Probabilities:
            return Probabilities(known.predict(lesion).types)

    monkeypatch.setattr("tools.classify.load_classifier", lambda _: Blind())
    one = classify(scene())
    assert (one.state, one.details["in_distribution"]) == (State.MEASURED, None)
    assert "like the lesions of its training is not known" in said(one)


def test_a_real_scan_gets_no_opinion_from_a_classifier_for_synthetic_ones(own: str) -> None:
    case = scene(synthetic=False)
    refused("valid for synthetic scans only", State.NOT_ASSESSED, case, classifier="embedded")
    assert classify(case).state is State.MEASURED
    unmarked = replace(case, scan=replace(case.scan, header=ScanHeader(source="dicom")))
    refused("valid for synthetic scans only", State.NOT_ASSESSED, unmarked, classifier="embedded")
    refused("valid for real scans only", State.NOT_ASSESSED, scene(), classifier="clinical")


@pytest.mark.parametrize("level", [-900, 3000])
def test_an_absurd_lesion_is_told_as_unlike_the_training(own: str, level: int) -> None:
    for classifier in ("embedded", "own"):
        one = refused("unlike those", State.NOT_MEASURABLE, scene(level), classifier=classifier)
        assert one.details["in_distribution"] is False


def test_a_type_that_is_no_likelier_than_the_others_together_is_undecided(own: str) -> None:
    one = refused("undecided", State.NOT_MEASURABLE, scene(), classifier="unsure")
    assert one.details["likeliest"] == ["cyst"]
    assert one.details["probabilities"] == pytest.approx(dict.fromkeys(("cyst", "hcc", "metastasis"), 1 / 3), abs=1e-3)


def test_what_is_not_wholly_seen_or_too_small_is_not_judged(own: str) -> None:
    refused("cut off", State.NOT_MEASURABLE, scene(lesions=np.s_[10:17, 10:17, 0:9]))
    refused("below the size limit", State.NOT_MEASURABLE, scene(lesions=np.s_[10:11, 10:11, 7:8]))
    refused("smaller than the lesions", State.NOT_MEASURABLE, scene(lesions=np.s_[10:11, 10:12, 7:8]))
    refused("few voxels", State.NOT_MEASURABLE, scene(lesions=np.s_[10:11, 10:11, 7:13]))
    empty = scene(lesions=[], empty=("spleen",))
    assert classify(empty).state is State.ABSENT
    assert classify(replace(scene(), labels=None)).state is State.NOT_ASSESSED


def test_lesions_that_may_both_be_the_largest_have_to_be_of_one_type(own: str) -> None:
    other = np.s_[19:26, 12:19, 7:12]
    case = scene(lesions=[LESION, other])
    assert classify(case).value == "cyst"
    case.scan.hu[other] += 75
    refused("their types differ", State.NOT_MEASURABLE, case)
    small = scene(lesions=[LESION, SECOND])
    small.scan.hu[SECOND] += 75
    assert classify(small).value == "cyst"


def test_the_phase_has_to_be_known(own: str) -> None:
    unknown = scene(settings=CaseSettings())
    refused("phase is not known", State.NOT_MEASURABLE, scene(300, LIVER, settings=CaseSettings(), empty=("spleen",)))
    given = measured("phase", "scan", "portal", None)
    known = replace(unknown, evidence={given.id: given})
    one = classify(known, phase=given.id)
    assert (one.value, one.inputs) == ("cyst", (given.id,))
    wrong = measured("volume", "liver", 3.0)
    with pytest.raises(ToolError, match="phase"):
        classify(replace(unknown, evidence={wrong.id: wrong}), phase=wrong.id)
    with pytest.raises(ToolError, match="does not exist"):
        classify(unknown, phase="phase.scan.0")
    with pytest.raises(ToolError, match="not trained on the native"):
        classify(scene(settings=CaseSettings(phase="native")))


def test_an_organ_without_types_to_tell_apart_gets_no_opinion(own: str) -> None:
    boxes = {"colon": LIVER, "colon_cancer": LESION}
    for classifier in ("own", "embedded"):
        case = boxes_case((30, 28, 20), boxes, spacing=(3, 3, 3), header=header(synthetic=True), settings=PORTAL)
        refused("only one type", State.NOT_ASSESSED, case, structure="colon_cancer", classifier=classifier)
    spleen = boxes_case(
        (30, 28, 20), {"spleen": LIVER, "spleen_lesion": LESION}, header=header(synthetic=True), settings=PORTAL
    )
    refused("was not made for this", State.NOT_ASSESSED, spleen, structure="spleen_lesion")
    with pytest.raises(UsageError, match="no classifier"):
        classify(scene(), classifier="elsewhere")


def test_the_order_of_the_file_does_not_matter(own: str) -> None:
    plain = scene()
    assert plain.labels is not None
    expected = classify(plain)
    for order in list(orders())[::5]:
        hu, affine = reorder(plain.scan.hu, plain.scan.grid.affine, order)
        layer, _ = reorder(plain.labels.layers[0], plain.scan.grid.affine, order)
        voxels, grid, orientation = to_canonical(hu, affine)
        assert isinstance(orientation, Orientation)
        scan = replace(plain.scan, hu=voxels, grid=grid, orientation=orientation)
        labels = replace(plain.labels, grid=grid, layers=(to_canonical(layer, affine)[0],))
        found = classify(replace(plain, scan=scan, labels=labels))
        assert (found.value, found.details) == (expected.value, expected.details)


# -- what the critic makes of it ---------------------------------------------------------------------------------


def judged(case: Case, structure: str) -> Finding:
    """The conflict gate on what the labels show and what the specialist says."""
    made = [*load_tools()["presence"].call(case, {"structure": structure}), classify(case, structure)]
    state = RunState(run_id="r", request=Request(question="Which type?"), evidence={one.id: one for one in made})
    assert len(opinions(state)) == 1 + (made[-1].state is State.MEASURED)
    return conflict.check(View(state, Conclusion(), PORTAL))


@pytest.mark.parametrize(("name", "level", "outcome"), [
    ("liver_hemangioma", 10, "fail"),
    ("liver_metastasis", 10, "fail"),
    ("liver_cyst", 85, "fail"),
    ("liver_cyst", 10, "pass"),  # what the classifier calls a simple cyst
    ("liver_metastasis", 85, "pass"),
    ("liver_cancer", 85, "pass"),  # a metastasis is a cancer
    ("liver_lesion", 10, "pass"),
    ("liver_cyst", -900, "not_applicable"),  # unlike the training: no opinion
])  # fmt: skip
def test_labels_and_specialist_have_to_agree(own: str, name: str, level: int, outcome: str) -> None:
    finding = judged(scene(level, name=name), name)
    assert finding.outcome == outcome
    if outcome == "fail":
        assert "our classifier" in finding.reason
