"""Phantom files and the command that makes them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import nibabel as nib
import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from agent.errors import UsageError
from evals.commands import parse_lesion, parse_numbers, parse_options, parse_truncation, register
from evals.phantom import Phantom, make_phantom
from evals.phantom_io import label_table, write_phantom
from evals.phantom_options import PhantomOptions
from evals.phantom_tissue import CLASSES, OTHER_LESIONS, PARTS

pytestmark = pytest.mark.slow

FILES = ("ct.nii.gz", "labels.nii.gz", "parts.nii.gz", "truth.json")


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    return make_phantom(PhantomOptions(seed=4, spacing=(6, 6, 6)))


def load(path: Path) -> Any:
    return nib.load(path)


def app() -> typer.Typer:
    root = typer.Typer()
    register(root)
    return root


def test_files_hold_what_was_made(phantom: Phantom, tmp_path: Path) -> None:
    files = write_phantom(phantom, tmp_path / "a" / "b")
    again = write_phantom(phantom, tmp_path / "other")
    scan, labels, parts = load(files.scan), load(files.labels), load(files.parts)
    assert scan.get_data_dtype() == np.int16
    assert labels.get_data_dtype() == np.uint8
    assert np.array_equal(np.asarray(scan.dataobj), phantom.hu)
    assert np.array_equal(np.asarray(labels.dataobj), phantom.labels)
    assert np.array_equal(np.asarray(parts.dataobj), phantom.parts)
    for image in (scan, labels, parts):
        assert np.allclose(image.affine, phantom.affine, atol=1e-4)
        assert (np.diag(image.affine) > 0).all()
        assert image.header.get_xyzt_units()[0] == "mm"
    for image, names in ((labels, {**CLASSES, **OTHER_LESIONS}), (parts, PARTS)):
        (extension,) = image.header.extensions
        assert extension.get_code() == 0
        root = ElementTree.fromstring(extension.get_content().decode().strip("\0 "))  # noqa: S314
        assert {label.text: int(label.attrib["Key"]) for label in root.iter("Label")} == dict(names)
    for path in (files.scan, files.labels, files.parts, files.truth):
        assert path.read_bytes() == (again.scan.parent / path.name).read_bytes()
    assert sorted(path.name for path in files.scan.parent.iterdir()) == sorted(FILES)


def test_names_with_markup_are_escaped() -> None:
    content = label_table({"a<b>&]]>": 3})
    assert (len(content) + 8) % 16 == 0
    assert next(ElementTree.fromstring(content).iter("Label")).text == "a<b>&]]>"  # noqa: S314


def test_foreign_files_are_kept_and_phantoms_overwritten(phantom: Phantom, tmp_path: Path) -> None:
    write_phantom(phantom, tmp_path)
    write_phantom(phantom, tmp_path)
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "ct.nii.gz").write_bytes(b"a real scan")
    with pytest.raises(UsageError, match="--force"):
        write_phantom(phantom, foreign)
    assert (foreign / "ct.nii.gz").read_bytes() == b"a real scan"
    write_phantom(phantom, foreign, force=True)
    assert load(foreign / "ct.nii.gz").shape == phantom.hu.shape
    with pytest.raises(UsageError, match="is a file"):
        write_phantom(phantom, foreign / "ct.nii.gz")


def test_a_failed_write_leaves_nothing_behind(
    phantom: Phantom, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("evals.phantom_io.nib.save", fail)
    with pytest.raises(UsageError, match="No space left"):
        write_phantom(phantom, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_command_makes_what_its_options_say(tmp_path: Path) -> None:
    arguments = ["phantom", "make", "--seed", "3", "--out", str(tmp_path / "p"), "--phase", "native", "--spacing", "7",
                 "6", "5", "--truncate", "top=80", "--noise", "8", "--lesion", "kidney_cyst:14:left",
                 "--lesion", "liver_cyst:20:6", "--volume", "spleen=400", "--hu", "liver=40"]  # fmt: skip
    result = CliRunner().invoke(app(), arguments)
    assert result.exit_code == 0, result.output
    assert result.stdout.split() == [str(tmp_path / "p" / n) for n in FILES]
    truth = json.loads((tmp_path / "p" / "truth.json").read_text())
    assert truth["phase"] == "native"
    assert truth["spacing_mm"] == [7, 6, 5]
    assert [lesion["label"] for lesion in truth["lesions"]] == ["kidney_cyst_left", "liver_cyst"]
    assert truth["lesions"][0]["diameter_mm"] == 14
    assert truth["structures"]["liver"]["truncated"]
    assert truth["options"]["noise"] == 8


def test_wrong_options_are_refused_in_one_sentence(tmp_path: Path) -> None:
    both = [
        "phantom",
        "make",
        "--out",
        str(tmp_path),
        "--lesions",
        "1",
        "--lesion",
        "liver_cyst:20:6",
        "--volume",
        "spleen=400",
        "--hu",
        "liver=40",
    ]
    assert isinstance(CliRunner().invoke(app(), both).exception, UsageError)
    with pytest.raises(UsageError, match="top=MM"):
        parse_truncation(["left=3"])
    with pytest.raises(UsageError, match="top=MM"):
        parse_truncation(["top=much"])
    with pytest.raises(UsageError, match="liver_cyst"):
        parse_lesion("goitre")
    with pytest.raises(UsageError, match="--lesion liver_cyst:x"):
        parse_lesion("liver_cyst:x")
    for wrong in ("liver_cyst:20:9", "liver_cyst:20:head", "pancreas_pdac:20:head:tail", "pancreas_pdac:20:sma=x",
                  "pancreas_pdac:20:sma=400", "pancreas_pdac:20:vena=10", "colon_cancer:20:head"):  # fmt: skip
        with pytest.raises(UsageError, match=f"--lesion {wrong}"):
            parse_lesion(wrong)
    with pytest.raises(UsageError, match="--volume: the volume of heart"):
        parse_options(volumes={"heart": 300})
    with pytest.raises(UsageError, match="--hu: ectoplasm is no tissue"):
        parse_options(tissue_hu={"ectoplasm": 3})
    with pytest.raises(UsageError, match="--hu liver is not"):
        parse_numbers(["liver"], "hu")
    with pytest.raises(UsageError, match="--spacing"):
        parse_options(spacing=(0.0, 1.0, 1.0))
    spec = parse_lesion("pancreas_pdac:35:head:SMA=120:pv=10")
    assert (spec.diameter_mm, spec.region) == (35, "pancreas_head")
    assert spec.contacts == {"superior_mesenteric_artery": 120, "portal_vein": 10}
    kidney = parse_lesion("kidney_rcc::left:upper")
    assert (kidney.diameter_mm, kidney.side, kidney.region) == (None, "left", "kidney_upper_pole")
    assert parse_truncation(["none"]) == {}
    assert parse_truncation(["top=10", "bottom=5.5"]) == {"cut_top_mm": 10.0, "cut_bottom_mm": 5.5}
