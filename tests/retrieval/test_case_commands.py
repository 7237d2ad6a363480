"""``tumortrace index``: from a table of synthetic scans to neighbours of other patients."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import typer
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import FileDataset
from typer.testing import CliRunner, Result

from agent.cases import CaseFiles, open_case
from agent.commands import index as command
from agent.commands.index_rows import read_rows
from agent.errors import UsageError
from agent.library import of_patient
from retrieval.cases import CaseBase
from tests.dicom_make import write_ct_series
from tests.retrieval.case_base_make import entry
from tools.crop import Crop
from tools.encoders.protocol import CropArguments
from tools.library import Library, encoder_id
from tools.overlay_style import palette


@dataclass(frozen=True)
class StandIn:
    """An encoder of four numbers."""

    name: str = "stand-in"
    version: str = "1"
    dimension: int = 4
    crop: CropArguments = field(default_factory=CropArguments)

    def encode(self, crop: Crop) -> NDArray[np.float32]:
        inner = crop.hu[crop.mask]
        return np.array([inner.mean() / 100, inner.std() / 100, np.log(crop.mask.sum()), 1], dtype=np.float32)


def make_scan(folder: Path, number: int) -> None:
    """A liver with a lesion, as files with named labels."""
    shape = (32, 32, 24)
    places = np.indices(shape) - np.array([16, 16, 12])[:, None, None, None]
    away = np.sqrt((places**2).sum(axis=0))
    labels = (away < 11).astype(np.uint8) + (away < 3 + number % 3).astype(np.uint8)
    noise = np.random.default_rng(number).normal(0, 5, shape)
    hu = np.select([labels == 2, labels == 1], [10 + 20 * number, 100], -50) + noise
    affine = np.diag([2.0, 2.0, 3.0, 1.0])
    nib.save(nib.Nifti1Image(hu.astype(np.int16), affine), folder / f"ct-{number}.nii.gz")
    nib.save(nib.Nifti1Image(labels, affine), folder / f"labels-{number}.nii.gz")


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scans")
    for number in range(4):
        make_scan(folder, number)
    (folder / "names.json").write_text('{"1": "liver", "2": "liver_metastasis"}', encoding="utf-8")
    return folder


@pytest.fixture(autouse=True)
def stand_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(command, "_encoder", lambda name: StandIn(version=name))
    monkeypatch.setenv("TUMORTRACE_CACHE", str(tmp_path / "cache"))


def table(folder: Path, name: str, *rows: str) -> Path:
    path = folder / name
    path.write_text("\n".join(["scan,labels,class_map,patient,label_source,site", *rows]), encoding="utf-8")
    return path


def row(number: int, patient: str) -> str:
    return f"ct-{number}.nii.gz,labels-{number}.nii.gz,names.json,{patient},synthetic,here"


def run(*words: object) -> Result:
    app = typer.Typer()
    command.register(app)
    return CliRunner().invoke(app, ["index", *map(str, words)])


def told(result: Result) -> Any:
    assert result.exit_code == 0, (result.output, result.exception)
    return json.loads(result.stdout)


@pytest.mark.slow
def test_from_a_table_to_neighbours_of_other_patients(scans: Path, tmp_path: Path) -> None:
    base = tmp_path / "base"
    first = table(scans, "first.csv", row(0, "anna"), row(1, "anna"), row(2, "bert"))
    assert run("build", base, "--manifest", first).exit_code == 0
    assert "anna" not in "".join(path.read_bytes().decode("latin-1") for path in base.iterdir())
    more = table(scans, "more.csv", row(2, "bert"), row(3, "cora"))
    result = run("add", base, "--manifest", more)
    assert result.exit_code == 0 and "1 lesions added; the base holds 4" in result.stdout
    counts = told(run("stats", base, "--json"))
    assert (counts["entries"], counts["patients"], counts["by"]["organ"]) == (4, 3, {"liver": 4})
    assert counts["by"]["lesion_type"] == {"metastasis": 4}

    asked = (
        "search", base, scans / "ct-0.nii.gz", "--labels", scans / "labels-0.nii.gz", "--class-map",
        scans / "names.json", "--structure", "liver metastasis", "--json",
    )  # fmt: skip
    found = told(run(*asked))
    # The scan itself is in the base, so its patient is known even though nobody named them.
    assert len(found["hits"]) == 2 and not found["patient_excluded"]
    assert found["vote"]["state"] == "too few cases"
    found = told(run(*asked, "--patient", "bert", "-k", 5))
    assert len(found["hits"]) <= 2 and found["patient_excluded"]
    assert told(run(*asked, "--organ", "kidney"))["hits"] == []
    # Neighbours that were chosen by their type would vote for it.
    assert told(run(*asked, "--lesion-type", "metastasis"))["vote"] is None
    plain = run(*asked[:-1])
    assert plain.exit_code == 0 and "No vote" in plain.stdout and "--patient" in plain.stdout


def make_series(folder: Path, number: int, patient: str) -> Path:
    """The scan of `make_scan` as a DICOM series with labels beside it; returns the labels."""
    make_scan(folder.parent, number)
    image: Any = nib.load(folder.parent / f"ct-{number}.nii.gz")
    hu = np.asarray(image.dataobj)

    def name(dataset: FileDataset, _: int) -> None:
        dataset.PatientID = patient

    write_ct_series(
        folder, hu, spacing=(2.0, 2.0), step=(0, 0, 3.0), origin=(0, 0, 0), orientation=(-1, 0, 0, 0, -1, 0), edit=name
    )
    return folder.parent / f"labels-{number}.nii.gz"


@pytest.mark.slow
def test_who_the_patient_is_comes_from_the_dicom_header_and_stays_unsaid(scans: Path, tmp_path: Path) -> None:
    rows = []
    for number, patient in enumerate(["Secret 17", "secret  17 ", "Other 4"]):
        labels = make_series(tmp_path / f"dicom-{number}", number, patient)
        rows.append(f"{tmp_path}/dicom-{number},{labels},{scans}/names.json,{'anna' if number == 0 else ''},synthetic,")
    base = tmp_path / "base"
    result = run("build", base, "--manifest", table(tmp_path, "dicom.csv", *rows))
    assert result.exit_code == 0, (result.output, result.exception)
    # Another scan of theirs, which the base does not hold, under a third way of writing the number.
    labels = make_series(tmp_path / "follow-up", 3, "SECRET 17")
    asked = ("search", base, tmp_path / "follow-up", "--labels", labels, "--class-map", scans / "names.json",
             "--structure", "liver metastasis", "--json")  # fmt: skip
    found = told(run(*asked))
    assert len(found["hits"]) == 1 and found["patient_excluded"]
    assert [len(told(run(*asked, "--patient", who))["hits"]) for who in ("anna", "other  4")] == [1, 0]
    # A run knows them by their header as well, and keeps what it finds for them apart.
    scan = open_case(CaseFiles(tmp_path / "follow-up")).scan
    own = of_patient(Library(base), tmp_path / "follow-up", scan)
    assert own is not None and own.key != Library(base).key
    with CaseBase.open(base) as opened:
        assert own.own_keys(opened) == opened.patient_keys("SECRET 17")
    text = json.dumps(found) + "".join(path.read_bytes().decode("latin-1") for path in base.iterdir())
    assert "secret 17" not in text.lower() and "other 4" not in text.lower()


def test_a_row_that_fails_is_told_and_the_others_are_kept(scans: Path, tmp_path: Path) -> None:
    rows = table(scans, "bad.csv", row(0, "anna"), row(9, "nobody"))
    result = run("build", tmp_path / "base", "--manifest", rows)
    assert result.exit_code == 2
    assert "1 lesions added" in result.stdout and "failed: line 3" in result.stdout


def test_the_crop_of_a_lesion_is_shown(scans: Path, tmp_path: Path) -> None:
    asked = (
        "picture", scans / "ct-0.nii.gz", "--labels", scans / "labels-0.nii.gz", "--class-map", scans / "names.json",
        "--structure",
    )  # fmt: skip
    result = run(*asked, "liver metastasis", "--out", tmp_path / "one.png")
    assert result.exit_code == 0, (result.output, result.exception)
    with Image.open(tmp_path / "one.png") as image:
        shown = np.asarray(image.convert("RGB"), dtype=int)
    for colour in palette(["liver metastasis", "liver"]).values():
        assert (np.abs(shown - colour) <= 2).all(axis=-1).sum() > 50
    for more, message in (
        (("kidney cyst", "--out", tmp_path / "two.png"), "nothing to show"),
        (("liver metastasis", "--out", scans / "names.json" / "x.png"), "cannot be written"),
        (("liver metastasis", "--out", tmp_path / "two.png", "--window", "none"), "no window"),
    ):
        error = run(*asked, *more).exception
        assert isinstance(error, UsageError) and message in str(error)
    assert not (tmp_path / "two.png").exists()


def test_a_base_for_synthetic_scans_says_nothing_of_real_ones(scans: Path, tmp_path: Path) -> None:
    with CaseBase.create(tmp_path / "base", encoder_id(StandIn(version="descriptor")), synthetic_only=True):
        error = run(
            "search", tmp_path / "base", scans / "ct-0.nii.gz", "--labels", scans / "labels-0.nii.gz", "--class-map",
            scans / "names.json", "--structure", "liver metastasis",
        ).exception  # fmt: skip
    assert isinstance(error, UsageError) and "synthetic ones only" in str(error)


def test_lesions_of_another_organ_are_not_compared_unless_asked_for(scans: Path, tmp_path: Path) -> None:
    stand_in = StandIn(version="descriptor")
    rows = np.eye(4, dtype=np.float32)[:2]
    with CaseBase.create(tmp_path / "base", encoder_id(stand_in), [([entry(0), entry(1)], rows)]):
        asked = ("search", tmp_path / "base", scans / "ct-0.nii.gz", "--labels", scans / "labels-0.nii.gz",
                 "--class-map", scans / "names.json", "--structure", "liver metastasis", "--json")  # fmt: skip
        organs = [[hit["organ"] for hit in told(run(*asked, *more))["hits"]] for more in ((), ("--organ", "kidney"))]
    assert organs == [["liver"], ["kidney"]]


def test_another_version_of_the_encoder_is_refused(scans: Path, tmp_path: Path) -> None:
    rows = table(scans, "one.csv", row(0, "anna"))
    assert run("build", tmp_path / "base", "--manifest", rows, "--encoder", "1").exit_code == 0
    result = run("add", tmp_path / "base", "--manifest", rows, "--encoder", "2")
    assert isinstance(result.exception, UsageError) and "build a new base" in str(result.exception)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no column"), ("scan,labels\n", "has 0 rows"), ("scan,labels,mood\na,b,c", "unknown columns"),
        ("scan,labels\na,b,c", "more cells"), ("scan,labels\na,", "names no labels"), ('scan,labels\n"a', "valid CSV"),
        ("scan,labels,phase\na,b,blue", "Line 2 .*phase"), ("scan,labels,label_source\na,b,me", "label_source"),
        ("scan,scan\na,b", "once"), ("scan,labels,site\na,b,\x1b[31mred", "control characters"),
        ("scan,labels,lesion_type\na,b," + "x" * 300, "Line 2 .*lesion_type"),
        ('scan,labels,site\na,b,"c\nd"', "Line 3 .*site"),
    ],
)  # fmt: skip
def test_a_bad_table_gives_one_sentence(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "cases.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=message) as told:
        read_rows(path)
    assert "\n" not in str(told.value) and str(told.value).endswith(".")
    with pytest.raises(UsageError, match="no table"):
        read_rows(tmp_path / "none.csv")
