"""What is offered for opening: by content, below the roots only, with labels that fit."""

from __future__ import annotations

import gzip
import os
import sys
import zipfile
from collections.abc import Iterator
from itertools import permutations, product
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from agent.web import sources as module
from agent.web.found import Source
from agent.web.peek import peek
from agent.web.sources import Sources
from tests.agent.loop_make import AFFINE, arrays
from tests.agent.web.web_make import refusal, serving
from tests.dicom_make import blank, set_pixels, write_ct_series
from tests.label_make import blocks, save
from tests.scan_make import body_hu, write_nifti

OBLIQUE = np.array([[1.9, 0.3, -0.2, -20], [-0.3, 1.9, 0.4, -30], [0.2, -0.6, 3.0, 100], [0, 0, 0, 1]])


def found(root: Path, *more: Path, uploads: Path | None = None) -> dict[str, Source]:
    """Sources by name, looked up anew."""
    listed, _ = Sources((root, *more), uploads or root / "none").every()
    return {one.name: one for one in listed}


def test_content_counts_and_names_do_not(root: Path) -> None:
    write_nifti(root / "a.nii", body_hu())
    (root / "a.nii").rename(root / "report.docx")
    write_nifti(root / "b.nii.gz", body_hu())
    (root / "b.nii.gz").rename(root / "b.txt")
    (root / "ct.nii.gz").write_text("no scan")
    (root / "packed.nii.gz").write_bytes(gzip.compress(b"no scan either"))
    (root / "empty.nii").write_bytes(b"")
    (root / "torn.nii.gz").write_bytes(b"\x1f\x8b\x08\0")
    with zipfile.ZipFile(root / "scan.nii", "w") as archive:
        archive.writestr("x", "y")
    assert {name: one.kind for name, one in found(root).items()} == {
        "report.docx": "nifti", "b.txt": "nifti", "scan.nii": "zip",
    }  # fmt: skip


@pytest.mark.parametrize(
    "head", [b"", b"\0" * 348, b"\x5c\x01\0\0" + b"\xff" * 344, b"\x5c\x01\0\0", b"\x1f\x8b", b"PK\x03\x04"]
)
def test_broken_beginnings_are_nothing_that_fails(tmp_path: Path, head: bytes) -> None:
    for number, data in enumerate((head, head + b"\0" * 1000, gzip.compress(head))):
        path = tmp_path / str(number)
        path.write_bytes(data)
        assert peek(path).what in {None, "zip"}


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32, np.uint16, np.float32, np.float64])
def test_labels_are_small_whole_numbers(tmp_path: Path, dtype: type) -> None:
    labels = save(tmp_path / "labels.nii.gz", blocks().astype(dtype))
    assert peek(labels).what == "labels"
    values = blocks().astype(dtype) if dtype is np.uint8 else body_hu().astype(dtype)
    if dtype is not np.uint8:
        assert peek(save(tmp_path / "ct.nii.gz", np.abs(values) + 500)).what == "nifti"
    if np.dtype(dtype).kind == "f":
        assert peek(save(tmp_path / "part.nii.gz", blocks() * dtype(0.3))).what == "nifti"
        assert peek(save(tmp_path / "nan.nii.gz", np.full((4, 4, 4), np.nan).astype(dtype))).what == "nifti"


def test_hidden_special_and_strangely_named_files(root: Path) -> None:
    write_nifti(root / ".hidden.nii", body_hu())
    (root / ".folder").mkdir()
    write_nifti(root / ".folder" / "ct.nii", body_hu())
    os.mkfifo(root / "pipe.nii")
    for name in (b"caf\xe9\xff.nii", b"line\nbreak\x1b[31m.nii", "<b>&\u202e.nii".encode()):
        write_nifti(root / "plain.nii", body_hu()).rename(os.fsdecode(os.fsencode(root) + b"/" + name))
    names = set(found(root))
    assert len(names) == 3
    assert all(name.isprintable() and name.endswith(".nii") for name in names)


def test_strange_names_go_over_the_wire_and_open(tmp_path: Path, root: Path) -> None:
    write_nifti(root / "ct.nii", arrays()[0], AFFINE).rename(os.fsdecode(os.fsencode(root) + b"/caf\xff\n.nii"))
    with serving(tmp_path, root) as server:
        (source,) = server.get("/api/sources")["sources"]
        opened = server.settled(server.post("/api/scans", {"source": source["id"]})["id"])
        assert opened["state"] == "ready", opened


@pytest.fixture
def deep(root: Path) -> Iterator[Path]:
    """Folders within folders, deeper than Python recurses; taken away again, which pytest could not."""
    depth = 0
    here = Path.cwd()
    os.chdir(root)
    try:
        for _ in range(sys.getrecursionlimit() + 100):
            os.mkdir("d")  # noqa: PTH102 - its path would be too long
            os.chdir("d")
            depth += 1
        yield root
    finally:
        for _ in range(depth):
            os.chdir("..")
            os.rmdir("d")  # noqa: PTH106
        os.chdir(here)


@pytest.mark.slow
def test_deep_folders(deep: Path) -> None:
    write_nifti(deep / "z.nii", body_hu())
    assert set(found(deep)) == {"z.nii"}


def test_a_dicom_folder_is_one_source(root: Path) -> None:
    write_ct_series(root / "series", body_hu((8, 9, 5)))
    save(root / "labels.nii.gz", blocks())
    listed = found(root)
    assert {name: one.kind for name, one in listed.items()} == {"series": "dicom", "labels.nii.gz": "labels"}
    assert listed["series"].bytes == sum(path.stat().st_size for path in (root / "series").iterdir())
    # The grid of a series is not known before it is read.
    assert [one.name for one in listed["series"].labels] == ["labels.nii.gz"]


def test_one_dicom_file_as_root(tmp_path: Path) -> None:
    path = tmp_path / "one"
    dataset = blank(path)
    set_pixels(dataset, np.zeros((4, 4), np.uint16))
    dataset.save_as(path, enforce_file_format=True)
    listed = found(path)
    assert [(one.kind, one.name) for one in listed.values()] == [("dicom", "one")]


def test_many_masks_are_one_source(root: Path) -> None:
    scan = np.zeros((14, 12, 10), np.int16) - 1000
    save(root / "ct.nii.gz", scan)
    (root / "masks").mkdir()
    for name in ("liver", "spleen", "aorta", "pancreas", "kidney_left"):
        save(root / "masks" / f"{name}.nii.gz", blocks())
    listed = found(root)
    assert {name: one.kind for name, one in listed.items()} == {"ct.nii.gz": "nifti", "masks": "masks"}
    assert [one.name for one in listed["ct.nii.gz"].labels] == ["masks"]


def test_few_label_maps_stay_single(root: Path) -> None:
    for name in ("a", "b", "c"):
        save(root / f"{name}.nii.gz", blocks())
    assert {one.kind for one in found(root).values()} == {"labels"}


@pytest.mark.parametrize("affine", [AFFINE, OBLIQUE], ids=["straight", "oblique"])
def test_labels_on_the_same_grid_in_all_48_orders(root: Path, affine: np.ndarray) -> None:
    scan = (body_hu((7, 6, 5)) - 500).astype(np.int16)
    labels = (scan > 0).astype(np.uint8)
    save(root / "ct.nii", scan, affine)
    made = 0
    for order in permutations(range(3)):
        for flips in product((1, -1), repeat=3):
            turned = nib.orientations.apply_orientation(labels, np.column_stack([order, flips]))
            back = affine @ nib.orientations.inv_ornt_aff(np.column_stack([order, flips]), labels.shape)
            save(root / f"labels{made}.nii", turned, back)
            made += 1
    assert made == 48
    listed = found(root)
    # So many are one folder of masks; nothing is beside them but the scan.
    assert listed["root"].kind == "masks"
    assert [one.name for one in listed["ct.nii"].labels] == ["root"]
    grid = peek(root / "ct.nii").grid
    assert grid is not None
    for number in range(48):
        turned_grid = peek(root / f"labels{number}.nii").grid
        assert turned_grid is not None
        assert grid.same_as(turned_grid), number


@pytest.mark.parametrize("other", [np.eye(4), AFFINE + np.diag([0.1, 0, 0, 0]), AFFINE @ np.diag([-1.0, 1, 1, 1])])
def test_labels_on_another_grid_are_not_suggested(root: Path, other: np.ndarray) -> None:
    save(root / "ct.nii", (body_hu((7, 6, 5)) - 500).astype(np.int16), AFFINE)
    save(root / "fits.nii", np.ones((7, 6, 5), np.uint8), AFFINE)
    save(root / "moved.nii", np.ones((7, 6, 5), np.uint8), other)
    save(root / "larger.nii", np.ones((7, 6, 6), np.uint8), AFFINE)
    (root / "elsewhere").mkdir()
    save(root / "elsewhere" / "fits.nii", np.ones((7, 6, 5), np.uint8), AFFINE)
    assert [one.name for one in found(root)["ct.nii"].labels] == ["fits.nii"]


def test_ids_stay_and_differ(root: Path, tmp_path: Path) -> None:
    write_nifti(root / "a.nii", body_hu())
    write_nifti(root / "b.nii", body_hu())
    other = tmp_path / "other" / "root"
    other.mkdir(parents=True)
    write_nifti(other / "a.nii", body_hu())
    first = [(one.id, one.root) for one in Sources((root, other), root / "none").every()[0]]
    again = [(one.id, one.root) for one in Sources((root, other), root / "none").every()[0]]
    assert first == again
    assert len({ident for ident, _ in first}) == 3
    assert {name for _, name in first} == {"root (1)", "root (2)"}
    write_nifti(root / "a.nii", body_hu(seed=5))
    assert [(one.id, one.root) for one in Sources((root, other), root / "none").every()[0]] == first


def test_more_than_can_be_listed(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(6):
        write_nifti(root / f"{number}.nii", body_hu())
    monkeypatch.setattr(module, "MOST_SOURCES", 4)
    listed, cut = Sources((root,), root / "none").every()
    assert (len(listed), cut) == (4, True)
    monkeypatch.undo()
    with serving(tmp_path / "server", root) as server:
        told = server.get("/api/sources")
        assert (told["truncated"], told["note"], len(told["sources"])) == (False, None, 6)
        monkeypatch.setattr(module, "MOST_SOURCES", 4)
        server.parts.sources.changed()
        told = server.get("/api/sources")
        assert told["truncated"]
        assert told["note"].endswith(".")
        assert len(told["sources"]) == 4


def test_no_root_and_nothing_uploaded(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        told = server.get("/api/sources")
    assert told["sources"] == []
    assert "upload" in told["note"]


def test_only_uploads_may_be_deleted(own_root: Path, tmp_path: Path) -> None:
    with serving(tmp_path / "server", own_root) as server:
        ident = server.source("a.nii")["id"]
        refusal(server.client.delete(f"/api/uploads/{ident}"), 403, "refused")
        assert (own_root / "a.nii").is_file()


@pytest.fixture
def own_root(root: Path) -> Path:
    write_nifti(root / "a.nii", body_hu())
    return root
