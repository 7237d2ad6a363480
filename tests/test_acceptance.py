"""What the program must show on real scans, asked as a user asks.

Truth comes from the files themselves, by plain nibabel and numpy, never from the code under test.
Scans: TotalSegmentator's test files (Apache-2.0), Colorectal-Liver-Metastases (TCIA, CC BY 4.0), Soft-tissue-Sarcoma
(TCIA, CC BY 3.0).
"""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from tests.real import answer, opened, real
from tools.base import Case
from tools.types import State

pytestmark = pytest.mark.realdata


@pytest.fixture(scope="module")
def native() -> Case:
    return opened("abdomen-native")


@pytest.fixture(scope="module")
def contrast() -> Case:
    return opened("abdomen-contrast-dicom", scan="series")


def _volume_from_file(path: Path, value: int) -> float:
    image = nib.nifti1.Nifti1Image.from_filename(path)
    return float((np.asarray(image.dataobj) == value).sum() * abs(np.linalg.det(image.affine[:3, :3])) / 1000)


@pytest.mark.parametrize(
    ("question", "value"),
    [
        ("What is the volume of the left kidney?", 3),
        ("right kidney volume", 2),
        ("How big is the gallbladder?", 4),
        ("bladder volume?", 21),
        ("What's the pancreatic volume in ml?", 7),
    ],
)
def test_volumes_are_voxel_count_times_determinant(native: Case, tmp_path: Path, question: str, value: int) -> None:
    truth = _volume_from_file(real("abdomen-native", "labels.nii.gz"), value)
    found = answer(native, question, tmp_path).answer
    assert found is not None
    assert found.state is State.MEASURED
    assert found.value == pytest.approx(truth, rel=0.01)


@pytest.mark.parametrize(
    ("question", "label"),
    [
        ("is the liver enlarged?", 5),
        ("liver volume?", 5),
        ("splenomegaly?", 1),
        ("How large is the spleen?", 1),
        ("Is the spleen enlarged?", 1),
    ],
)
def test_what_the_scan_cuts_off_has_a_lower_bound(native: Case, tmp_path: Path, question: str, label: int) -> None:
    report = answer(native, question, tmp_path)
    found = report.answer
    assert found is not None
    assert (report.status, found.state, found.value) == ("consistent", State.NOT_MEASURABLE, None)
    truth = _volume_from_file(real("abdomen-native", "labels.nii.gz"), label)
    assert found.lower_bound == pytest.approx(truth, rel=1e-6)
    assert "cut off" in found.text


def test_what_nobody_looked_for_is_not_assessed(native: Case, tmp_path: Path) -> None:
    for question in ("any liver metastases?", "Is the liver free of metastases?", "is there ascites?"):
        found = answer(native, question, tmp_path).answer
        assert found is not None
        assert (found.state, found.value) == (State.NOT_ASSESSED, None)


def test_without_labels_a_lesion_is_not_assessed(tmp_path: Path) -> None:
    case = opened("liver-metastases", labels=None)
    found = answer(case, "Does this patient have liver metastases?", tmp_path).answer
    assert found is not None
    assert (found.state, found.value) == (State.NOT_ASSESSED, None)
    assert case.scan.padding == -3024


@pytest.mark.slow
def test_plain_scan_rules_hold_on_the_plain_scan_only(native: Case, contrast: Case, tmp_path: Path) -> None:
    question = "Does the patient have a fatty liver?"
    plain = answer(native, question, tmp_path).answer
    enhanced = answer(contrast, question, tmp_path).answer
    assert plain is not None
    assert enhanced is not None
    assert (plain.state, plain.value) == (State.MEASURED, False)
    assert (enhanced.state, enhanced.value) == (State.NOT_MEASURABLE, None)
    assert "contrast" in enhanced.text


def test_liver_spleen_ratio_from_the_files(native: Case, tmp_path: Path) -> None:
    hu = np.asarray(nib.nifti1.Nifti1Image.from_filename(real("abdomen-native", "ct.nii.gz")).dataobj, dtype=np.float64)
    labels = np.asarray(nib.nifti1.Nifti1Image.from_filename(real("abdomen-native", "labels.nii.gz")).dataobj)
    found = answer(native, "What is the liver/spleen ratio?", tmp_path).answer
    assert found is not None
    assert found.value == pytest.approx(hu[labels == 5].mean() / hu[labels == 1].mean(), rel=1e-4)


def test_labels_flipped_against_the_series_lie_right(contrast: Case, tmp_path: Path) -> None:
    report = answer(contrast, "What is the mean HU of the aorta?", tmp_path)
    assert report.answer is not None
    assert report.answer.value == pytest.approx(177.3, abs=0.1)
    assert [picture.path for picture in report.pictures]


@pytest.mark.slow
def test_every_real_scan_gets_a_consistent_report(tmp_path: Path) -> None:
    folders = [("abdomen-native",), *(("sarcoma", path.name) for path in sorted(real("sarcoma").iterdir()))]
    for folder in folders:
        report = answer(opened(*folder), None, tmp_path)
        assert report.status == "consistent", folder
        assert report.findings, folder


def test_sarcoma_named_by_the_user(tmp_path: Path) -> None:
    from agent.cases import CaseFiles, open_case

    folder = real("sarcoma", "STS_003")
    names = tmp_path / "names.json"
    names.write_text('{"1": "soft tissue sarcoma"}')
    case = open_case(CaseFiles(folder / "ct.nii.gz", folder / "labels.nii.gz", str(names)))
    truth = _volume_from_file(folder / "labels.nii.gz", 1)
    found = answer(case, "What is the volume of the tumour?", tmp_path).answer
    assert found is not None
    assert found.value == pytest.approx(truth, rel=1e-6)
    metastasis = answer(case, "Is there a metastasis?", tmp_path).answer
    assert metastasis is not None
    assert metastasis.state is State.NOT_ASSESSED
