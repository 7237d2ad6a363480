"""Earlier cases like a lesion: found, refused, left out, and weighed against the labels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from agent.errors import ToolError, UsageError
from agent.gates import conflict
from agent.gates.model import View
from agent.opinions import SPECIALIST, opinions
from agent.state import Conclusion, Request, RunState
from retrieval.case_model import CaseEntry, EncoderId
from retrieval.cases import CaseBase
from tests.case_make import boxes_case, orders, reorder
from tests.evidence_make import measured
from tests.said import said
from tools import encode
from tools.array_store import ArrayStore
from tools.base import Case, CaseSettings
from tools.crop import Crop
from tools.encoders.protocol import CropArguments
from tools.library import Library
from tools.registry import load_tools
from tools.similar_cases import OPINION, SIMILAR
from tools.types import Evidence, State
from tools.volume import ScanHeader, to_canonical

LIVER = np.s_[4:26, 4:24, 3:17]
LESION = np.s_[10:17, 10:17, 7:12]
OTHER = np.s_[19:26, 12:19, 7:12]
DIMENSION = 10
SALT = 64 * "0"
PORTAL = CaseSettings(phase="portal")
Answer = tuple[Evidence, Evidence]
Made = Callable[..., Library]


@dataclass(frozen=True)
class Level:
    """An encoder of how bright a lesion is; fat has a direction of its own."""

    name: str = "level"
    version: str = "1"
    dimension: int = DIMENSION
    crop: CropArguments = field(default_factory=CropArguments)

    def encode(self, crop: Crop) -> NDArray[np.float32]:
        return vector(float(crop.hu[crop.mask].mean()))


def vector(hu: float, noise: Any = 0.0) -> NDArray[np.float32]:
    made = np.zeros(DIMENSION) + noise
    made[:2] = np.cos(hu / 100), np.sin(hu / 100)
    made[2] = 9.0 if hu < -50 else 0.0
    return np.asarray(made, dtype=np.float32)


def scene(
    level: int = 10, lesions: Any = LESION, *, name: str = "liver_lesion", synthetic: bool = True, **more: Any
) -> Case:
    """A liver with lesions."""
    more.setdefault("settings", PORTAL)
    header = ScanHeader(source="nifti", synthetic=synthetic)
    boxes = {"liver": LIVER, name: lesions}
    return boxes_case((30, 28, 20), boxes, spacing=(3, 3, 3), hu={"liver": 105, name: level}, header=header, **more)


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Made:
    """Makes case bases: cysts of about 10 HU and metastases of about 80 HU in the liver, in portal and native scans."""
    monkeypatch.setattr(encode, "load_encoder", lambda name: Level())

    def make(
        *,
        count: int = 40,
        types: tuple[str, str] = ("cyst", "metastasis"),
        organs: tuple[str, str] = ("liver", "liver"),
        version: str = "1",
        synthetic_only: bool = False,
        scan: str | None = None,
        patient: str | None = None,
        encoder: str = "level",
    ) -> Library:
        folder = tmp_path / f"base-{len(list(tmp_path.iterdir()))}"
        ident = EncoderId(name="level", version=version, dimension=DIMENSION)
        rng = np.random.default_rng(3)
        with CaseBase.create(folder, ident, synthetic_only=synthetic_only, salt=SALT) as base:
            entries, rows = [], []
            for number in range(count):
                kind = number % 2
                entries.append(
                    CaseEntry(
                        id=f"case-{number}", patient=base.patient_key(patient or f"p{number}"),
                        scan=scan or f"s{number}", organ=organs[kind], structure="liver_lesion",
                        phase="native" if number // 2 % 4 == 3 else "portal", lesion_type=types[kind],
                        label_source="synthetic", site="here", size_mm=20.0,
                    )
                )  # fmt: skip
                rows.append(vector(rng.normal(10 + 70 * kind, 6), rng.normal(0, 0.08, DIMENSION)))
            base.add([(entries, np.stack(rows))], ident)
        return Library(folder, ArrayStore(tmp_path / "arrays"), encoder)

    return make


def known(library: Library, patient: str) -> Library:
    return replace(library, patient=patient)


def compare(case: Case, library: Library | None, structure: str = "liver_lesion", **more: Any) -> Answer:
    tool = load_tools()["similar_cases"]
    similar, opinion = tool.call(replace(case, library=library), {"structure": structure, **more})
    assert (similar.quantity, opinion.quantity) == (SIMILAR, OPINION)
    for one in (similar, opinion):
        assert (one.target, one.tool, one.id) == (structure, "similar_cases", one.expected_id())
        assert not any(letter.isdigit() for letter in one.reason or "")
        assert said(one)
        if one.state is not State.MEASURED:
            assert one.value is None
            assert "type" not in one.details
            assert one.reason
    return similar, opinion


def refused(words: str, state: State, case: Case, library: Library | None, **more: Any) -> Answer:
    """Neither cases nor a vote."""
    found = compare(case, library, **more)
    for one in found:
        assert one.state is state
        assert words in (one.reason or "")
        assert "cases" not in one.details
    return found


def cases(similar: Evidence) -> list[dict[str, Any]]:
    found: Any = similar.details["cases"]
    return list(found)


def open_vote(words: str, case: Case, library: Library, state: State = State.NOT_MEASURABLE) -> Evidence:
    """Cases are found, but do not decide."""
    similar, opinion = compare(case, library)
    assert similar.state is State.MEASURED
    assert opinion.state is state
    assert words in (opinion.reason or "")
    return opinion


def test_the_nearest_cases_are_listed_and_vote(made: Made) -> None:
    assert OPINION == SPECIALIST
    similar, opinion = compare(scene(), made(), k=4)
    assert (similar.value, similar.unit) == (4, "1")
    told: dict[str, Any] = similar.details
    assert [row["lesion_type"] for row in told["cases"]] == ["cyst"] * 4
    assert {row["label_source"] for row in told["cases"]} == {"synthetic"}
    assert {row["phase"] for row in told["cases"]} == {"portal"}
    near = [row["similarity"] for row in told["cases"]]
    assert near == sorted(near, reverse=True)
    assert (told["encoder"], told["encoder_version"], told["base_cases"]) == ("level", "1", 40)
    assert "4, by type cyst (4)" in said(similar)
    assert (opinion.state, opinion.value) == (State.MEASURED, "cyst")
    detail: dict[str, Any] = opinion.details
    assert (detail["type"], detail["source"], detail["in_distribution"]) == ("cyst", "similar cases", True)
    assert detail["probability"] == detail["probabilities"]["cyst"] > 0.7
    assert sum(detail["probabilities"].values()) == pytest.approx(1.0, abs=1e-3)
    assert detail["neighbours"] >= 5
    assert "no diagnosis" in said(opinion)
    assert compare(scene(80), made())[1].value == "metastasis"


def test_who_is_asked_about_is_left_out(made: Made) -> None:
    case = scene()
    refused("holds no lesion", State.NOT_MEASURABLE, case, made(scan=case.scan.digest))
    refused("holds no lesion", State.NOT_MEASURABLE, case, known(made(patient="anna"), "anna"))
    similar, _ = compare(case, known(made(patient="anna"), "bert"))
    assert similar.details["patient_known"] is True
    unknown, vote = compare(scene(synthetic=False), made())
    assert "nothing tells who the patient is" in said(unknown)
    assert "nothing tells who the patient is" in said(vote)
    assert "Note" not in said(similar)


def test_a_base_for_synthetic_scans_says_nothing_of_real_ones(made: Made) -> None:
    library = made(synthetic_only=True)
    refused("valid for synthetic scans only", State.NOT_ASSESSED, scene(synthetic=False), library)
    assert library.unfit(synthetic=False)
    assert library.unfit(synthetic=True) is None
    assert compare(scene(), library)[1].value == "cyst"


def test_vectors_of_another_encoder_are_not_compared(made: Made) -> None:
    refused("another version", State.NOT_ASSESSED, scene(), made(version="2"))
    # The base names an encoder that is none of the built-in ones.
    refused("none of the built-in ones", State.NOT_ASSESSED, scene(), made(encoder="auto"))
    refused("no base of earlier cases", State.NOT_ASSESSED, scene(), None)


def test_too_few_cases_do_not_vote(made: Made) -> None:
    open_vote("too few", scene(), made(count=6))
    native = scene(settings=CaseSettings(phase="native"))
    assert {row["phase"] for row in cases(compare(native, made())[0])} == {"native"}
    refused("holds no lesion", State.NOT_MEASURABLE, scene(settings=CaseSettings(phase="delayed")), made())
    refused("holds no lesion", State.NOT_MEASURABLE, scene(), made(organs=("kidney", "kidney")))


def test_without_a_phase_all_are_compared(made: Made) -> None:
    case = scene(300, LIVER, settings=CaseSettings(), empty=("spleen",))
    unknown = replace(scene(), settings=CaseSettings())
    given = measured("phase", "scan", "portal", None)
    similar, opinion = compare(replace(unknown, evidence={given.id: given}), made(), phase=given.id)
    assert (similar.inputs, opinion.inputs) == ((given.id,), (given.id,))
    assert similar.details["phase"] == "portal"
    assert compare(case, made(), k=100)[0].details["phase"] is None
    with pytest.raises(ToolError, match="does not exist"):
        compare(unknown, made(), phase="phase.scan.0")
    wrong = measured("volume", "liver", 3.0)
    with pytest.raises(ToolError, match="phase"):
        compare(replace(unknown, evidence={wrong.id: wrong}), made(), phase=wrong.id)


def test_what_is_far_or_undecided_has_no_type(made: Made) -> None:
    far = open_vote("unlike those", scene(-90), made())
    assert far.details["in_distribution"] is False
    open_vote("too few", scene(), made(types=("cyst", "cyst")))
    open_vote("of one type", scene(), made(organs=("liver", "kidney")), State.NOT_ASSESSED)
    words = made(types=("simple cyst", "something else"))
    assert compare(scene(), words)[1].value == "cyst"
    assert "none that the ontology knows" in (compare(scene(80), words)[1].reason or "")


def test_what_is_not_wholly_seen_is_not_compared(made: Made) -> None:
    library = made()
    refused("cut off", State.NOT_MEASURABLE, scene(lesions=np.s_[10:17, 10:17, 0:9]), library)
    refused("below the size limit", State.NOT_MEASURABLE, scene(lesions=np.s_[10:11, 10:11, 7:8]), library)
    assert compare(scene(lesions=[], empty=("spleen",)), library)[0].state is State.ABSENT
    assert compare(replace(scene(), labels=None), library)[0].state is State.NOT_ASSESSED


def test_lesions_that_may_both_be_the_largest_have_to_be_of_one_type(made: Made) -> None:
    case = scene(lesions=[LESION, OTHER])
    assert compare(case, made())[1].value == "cyst"
    hu = case.scan.hu.copy()
    hu[OTHER] += 70
    open_vote("their types differ", replace(case, scan=replace(case.scan, hu=hu)), made())


def test_the_order_of_the_file_does_not_matter(made: Made) -> None:
    plain, library = scene(), made()
    assert plain.labels is not None
    expected = compare(plain, library)
    for order in list(orders())[::7]:
        hu, affine = reorder(plain.scan.hu, plain.scan.grid.affine, order)
        layer, _ = reorder(plain.labels.layers[0], plain.scan.grid.affine, order)
        voxels, grid, orientation = to_canonical(hu, affine)
        scan = replace(plain.scan, hu=voxels, grid=grid, orientation=orientation)
        labels = replace(plain.labels, grid=grid, layers=(to_canonical(layer, affine)[0],))
        found = compare(replace(plain, scan=scan, labels=labels), library)
        assert [one.details for one in found] == [one.details for one in expected]


def test_the_key_holds_all_that_the_result_rests_on(made: Made) -> None:
    tool, case = load_tools()["similar_cases"], scene()
    first, second = made(), made(count=38)
    arguments = {"structure": "liver_lesion"}
    libraries = (None, first, second, known(first, "anna"), made(version="2"))
    keys = [tool.key(replace(case, library=one), arguments) for one in libraries]
    assert len(set(keys)) == len(keys)
    assert tool.key(replace(case, library=Library(first.folder, None, "level")), arguments) == keys[1]
    assert "anna" not in repr(known(first, "anna"))


def test_the_key_holds_the_content_of_a_named_classifier(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool, case = load_tools()["classify_lesion"], scene()
    monkeypatch.setenv("TUMORTRACE_CLASSIFIERS", str(tmp_path))
    (tmp_path / "own").mkdir()
    arguments = {"structure": "liver_lesion", "classifier": "own"}
    keys = []
    for text in ("{}", "{ }"):
        (tmp_path / "own" / "classifier.json").write_text(text)
        keys.append(tool.key(case, arguments))
    assert keys[0] != keys[1]
    assert tool.key(case, {"structure": "liver_lesion"})
    with pytest.raises(UsageError, match="no classifier"):
        tool.key(case, {**arguments, "classifier": "elsewhere"})


def test_the_critic_holds_the_vote_against_the_labels(made: Made) -> None:
    outcomes = {}
    for name in ("liver_cyst", "liver_hemangioma"):
        case = scene(name=name)
        seen = [*load_tools()["presence"].call(case, {"structure": name}), *compare(case, made(), name)]
        state = RunState(run_id="r", request=Request(question="Which type?"), evidence={one.id: one for one in seen})
        assert len(opinions(state)) == 2
        outcomes[name] = conflict.check(View(state, Conclusion(), PORTAL))
    assert outcomes["liver_cyst"].outcome == "pass"
    assert outcomes["liver_hemangioma"].outcome == "fail"
    assert "similar cases" in outcomes["liver_hemangioma"].reason
