"""Labels of another scan, or turned the wrong way, are noticed by the HU below them; real ones pass."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from agent.errors import LabelsError
from tests.label_make import DATA, blocks, scan_of
from tools.readers.scan import read_scan
from tools.segment.fit import check_fit
from tools.segment.labels import load_labels
from tools.volume import LabelSet, Scan

SARCOMAS = sorted((DATA / "sarcoma").glob("*")) if DATA.exists() else []


def labelled(*names: str) -> LabelSet:
    """The blocks with the given names."""
    entries: dict[str, tuple[tuple[int, int], ...]] = {name: ((0, value),) for value, name in enumerate(names, start=1)}
    return LabelSet(scan_of().grid, (blocks(),), entries)


def scan_with(**hu: float) -> Scan:
    """A scan with the given HU below block 1 (a), block 2 (b) and elsewhere."""
    values = np.full(blocks().shape, -1000.0)
    values[blocks() == 1] = hu["a"]
    values[blocks() == 2] = hu["b"]
    return scan_of(values.astype(np.float32))


def test_organs_in_air_are_refused() -> None:
    with pytest.raises(LabelsError, match="do not fit this scan: 2 of 2"):
        check_fit(scan_with(a=-900, b=-900), labelled("liver", "spleen"))


def test_one_misfit_of_few_is_a_note() -> None:
    (note,) = check_fit(scan_with(a=50, b=-110), labelled("liver", "pancreas"))
    assert "pancreas (-110 HU)" in note


def test_an_opaque_lung_is_disease_not_misfit() -> None:
    assert "lung" in check_fit(scan_with(a=-800, b=30), labelled("lung_left", "lung_right"))[0]


def test_names_without_a_tissue_are_not_judged() -> None:
    assert check_fit(scan_with(a=-900, b=-900), labelled("label_1", "tumor")) == ()


def test_exchanged_sides() -> None:
    scan = scan_with(a=50, b=50)
    assert check_fit(scan, labelled("kidney_left", "kidney_right")) == ()
    (note,) = check_fit(scan, labelled("kidney_right", "kidney_left"))
    assert "left and right look exchanged for: kidney" in note
    pairs = labelled("kidney_right", "kidney_left")
    entries = {**pairs.entries, "femur_right": ((0, 1),), "femur_left": ((1, 2),), "kidney_right": ((1, 1),)}
    with pytest.raises(LabelsError, match="Left and right are exchanged"):
        check_fit(scan_with(a=200, b=200), replace(pairs, layers=(blocks(), blocks()), entries=entries))


@cache
def real(name: str) -> tuple[Scan, LabelSet]:
    """A real scan and its labels."""
    folder = DATA / name
    if not folder.exists():
        pytest.skip(f"the real scans are not at {DATA}")
    scan = read_scan(folder / "series" if (folder / "series").exists() else folder / "ct.nii.gz")
    return scan, load_labels(folder / "labels.nii.gz", scan)


@pytest.mark.realdata
@pytest.mark.parametrize("folder", SARCOMAS, ids=lambda path: path.name)
def test_real_sarcomas_are_accepted(folder: Path) -> None:
    _, labels = real(f"sarcoma/{folder.name}")
    assert set(labels.entries) == {"label_1"}
    assert len(labels.notes) == 1


@pytest.mark.realdata
@pytest.mark.parametrize("name", ["abdomen-native", "abdomen-contrast-dicom"])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_flipped_map_is_refused(name: str, axis: int) -> None:
    scan, labels = real(name)
    with pytest.raises(LabelsError, match="do not fit this scan"):
        check_fit(scan, replace(labels, layers=(np.flip(labels.layers[0], axis),)))


@pytest.mark.realdata
@pytest.mark.parametrize(("one", "other"), [("abdomen-native", "abdomen-contrast-dicom")])
def test_labels_of_another_scan_are_refused(one: str, other: str) -> None:
    for scan_name, labels_name in ((one, other), (other, one)):
        real(labels_name)
        with pytest.raises(LabelsError):
            load_labels(DATA / labels_name / "labels.nii.gz", real(scan_name)[0])


@pytest.mark.realdata
def test_native_abdomen() -> None:
    _, labels = real("abdomen-native")
    present = [name for name, keys in labels.entries.items() if any(key in labels.boxes for key in keys)]
    assert len(labels.entries) == 117
    assert len(present) == 61
    assert labels.notes == ()
    assert labels.layers[0].dtype == np.uint8


@pytest.mark.realdata
def test_flipped_contrast_labels_land_on_the_aorta() -> None:
    scan, labels = real("abdomen-contrast-dicom")
    region = labels.region(labels.entries["aorta"])
    assert region is not None
    assert scan.hu[region.box][region.mask].mean() == pytest.approx(177.3, abs=0.1)
    assert "without interpolation" in labels.source
