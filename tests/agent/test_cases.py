"""From files to a case: several label maps, class maps, an earlier scan; errors are one sentence."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from agent.cases import CaseFiles, open_case
from agent.commands.options import case_files
from agent.errors import InputError, TumorTraceError
from tests.agent.loop_full import PARTS, SEGMENTS, full_case
from tests.agent.loop_make import AFFINE, SHAPE, VALUES, arrays, ask, run, write_case
from tests.label_make import save, voxels

PARTS_NAMES = dict(enumerate({**SEGMENTS, **PARTS}, start=1))


def write_parts(folder: Path, names: dict[int, str] | None = PARTS_NAMES) -> Path:
    """The map of the sub-regions, which overlaps that of the organs."""
    layer = np.zeros(SHAPE, np.uint8)
    for value, box in enumerate({**SEGMENTS, **PARTS}.values(), start=1):
        layer[box] = value
    folder.mkdir(parents=True, exist_ok=True)
    path: Path = save(folder / f"parts{len(names or {})}.nii.gz", layer, AFFINE, names)
    return path


def write_prior(folder: Path) -> tuple[Path, Path]:
    values, labels = arrays()
    folder.mkdir(parents=True, exist_ok=True)
    names = {value: name for name, value in VALUES.items()}
    return save(folder / "old.nii.gz", values + 1, AFFINE), save(folder / "old_labels.nii.gz", labels, AFFINE, names)


def test_several_label_maps_are_laid_over_each_other(tmp_path: Path) -> None:
    scan, labels = write_case(tmp_path)
    case = open_case(CaseFiles(scan, (labels, write_parts(tmp_path))))
    assert case.labels is not None
    expected = full_case(prior=False).labels
    assert expected is not None
    for name in ("liver", "liver_lesion", "pancreas", "liver_segment_4", "pancreas_tail"):
        assert np.array_equal(voxels(case.labels, name), voxels(expected, name)), name
    assert (voxels(case.labels, "liver") & voxels(case.labels, "liver_segment_4")).any()
    made = run(case, [ask("lesion_location", "liver_lesion")], tmp_path)
    assert "labels of the regions" in made.report.answers[0].text


def test_each_map_may_have_names_of_its_own(tmp_path: Path) -> None:
    scan, labels = write_case(tmp_path)
    names = tmp_path / "names.json"
    names.write_text(json.dumps({str(value): name for value, name in PARTS_NAMES.items()}))
    unnamed = write_parts(tmp_path, None)
    files = case_files(scan, [labels, unnamed], ["-", str(names)])
    assert files.class_map == (None, str(names))
    case = open_case(files)
    assert case.labels is not None
    assert {"liver", "liver_segment_8", "pancreas_head"} <= set(case.labels.entries)
    # A class map may be given for the first map alone.
    named = open_case(CaseFiles(scan, (labels, write_parts(tmp_path)), (None,)))
    assert named.labels is not None
    assert set(named.labels.entries) == set(case.labels.entries)


def test_an_earlier_scan_comes_with_its_labels(tmp_path: Path) -> None:
    scan, labels = write_case(tmp_path)
    old, old_labels = write_prior(tmp_path / "before")
    case = open_case(case_files(scan, [labels], prior=old, prior_labels=[old_labels], patient="age=63"))
    assert case.prior is not None
    assert case.prior.labels is not None
    assert case.prior.scan.digest != case.scan.digest
    assert case.prior.prior is None
    # What is declared holds for the present scan; the earlier one has settings of its own.
    assert case.prior.settings.patient == ()
    made = run(case, [ask("volume_change", "liver")], tmp_path)
    assert made.report.answers[0].value == 0.0


def test_without_labels_an_earlier_scan_is_not_assessed(tmp_path: Path) -> None:
    scan, labels = write_case(tmp_path)
    old, _ = write_prior(tmp_path / "before")
    made = run(open_case(case_files(scan, [labels], prior=old)), [ask("volume_change", "liver")], tmp_path)
    assert made.report.status == "consistent"
    assert made.report.answers[0].value is None
    assert "in the earlier scan, no label map or segmentation" in made.report.answers[0].text


Made = Callable[[Path], CaseFiles]


def _same_scan(folder: Path) -> CaseFiles:
    scan, labels = write_case(folder)
    again, _ = write_case(folder / "again")
    return CaseFiles(scan, labels, prior=CaseFiles(again))


def _too_many_names(folder: Path) -> CaseFiles:
    scan, labels = write_case(folder)
    return CaseFiles(scan, (labels,), ("total", "total"))


def _names_without_labels(folder: Path) -> CaseFiles:
    scan, _ = write_case(folder)
    return CaseFiles(scan, (), ("total",))


def _unknown_names(folder: Path) -> CaseFiles:
    scan, labels = write_case(folder)
    return CaseFiles(scan, (labels, write_parts(folder)), (None, "frobnicated"))


def _missing_second_map(folder: Path) -> CaseFiles:
    scan, labels = write_case(folder)
    return CaseFiles(scan, (labels, folder / "nowhere.nii.gz"))


def _second_map_elsewhere(folder: Path) -> CaseFiles:
    scan, labels = write_case(folder)
    far = AFFINE.copy()
    far[:3, 3] += 5000
    return CaseFiles(scan, (labels, save(folder / "far.nii.gz", np.ones(SHAPE, np.uint8), far, {1: "spleen"})))


def _missing_prior(folder: Path) -> CaseFiles:
    scan, labels = write_case(folder)
    return CaseFiles(scan, labels, prior=CaseFiles(folder / "nowhere.nii.gz"))


def _prior_is_no_scan(folder: Path) -> CaseFiles:
    scan, labels = write_case(folder)
    (folder / "text.nii.gz").write_text("This is not an image.")
    return CaseFiles(scan, labels, prior=CaseFiles(folder / "text.nii.gz"))


def _prior_labels_missing(folder: Path) -> CaseFiles:
    scan, labels = write_case(folder)
    old, _ = write_prior(folder / "before")
    return CaseFiles(scan, labels, prior=CaseFiles(old, (folder / "nowhere.nii.gz",)))


def _prior_labels_without_prior(folder: Path) -> CaseFiles:
    scan, labels = write_case(folder)
    return case_files(scan, [labels], prior_labels=[labels])


def _path_with_a_zero_byte(folder: Path) -> CaseFiles:
    scan, _ = write_case(folder)
    return CaseFiles(scan, (Path(str(folder) + "/\0.nii.gz"),))


def _unknown_source(folder: Path) -> CaseFiles:
    scan, labels = write_case(folder)
    return case_files(scan, [labels], prefer=["a textbook"])


@pytest.mark.parametrize(
    ("made", "word"),
    [
        (_same_scan, "same scan"),
        (_too_many_names, "2 times"),
        (_names_without_labels, "--labels"),
        (_unknown_names, "frobnicated"),
        (_missing_second_map, "nowhere.nii.gz"),
        (_second_map_elsewhere, "scan"),
        (_missing_prior, "nowhere.nii.gz"),
        (_prior_is_no_scan, "text.nii.gz"),
        (_prior_labels_missing, "nowhere.nii.gz"),
        (_prior_labels_without_prior, "--prior"),
        (_path_with_a_zero_byte, "cannot be used"),
        (_unknown_source, "a textbook"),
    ],
)
def test_what_cannot_be_used_is_told_in_one_sentence(made: Made, word: str, tmp_path: Path) -> None:
    with pytest.raises(TumorTraceError) as caught:
        open_case(made(tmp_path))
    message = str(caught.value)
    assert word in message
    assert message.endswith(".")
    assert "\n" not in message
    assert len(message) < 400
    # One sentence: a stop is followed by nothing but the end, a file's ending, or a decimal.
    assert not re.search(r"[a-z]\. [A-Z]", message), message
    assert isinstance(caught.value, InputError)
