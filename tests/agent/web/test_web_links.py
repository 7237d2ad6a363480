"""Links, and files that are replaced while somebody looks: nothing outside of the roots is read."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agent.cases import open_case
from agent.web import scans as scans_module
from agent.web.found import Source
from agent.web.sources import Sources
from tests.agent.loop_make import AFFINE, arrays
from tests.agent.web.web_make import refusal, serving
from tests.dicom_make import write_ct_series
from tests.label_make import save
from tests.scan_make import body_hu, write_nifti
from tools.base import Case


def found(root: Path) -> dict[str, Source]:
    """Sources by name, looked up anew."""
    listed, _ = Sources((root,), root / "none").every()
    return {one.name: one for one in listed}


def test_links_out_of_the_root_and_loops(root: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    write_nifti(outside / "secret.nii", body_hu())
    write_nifti(root / "own.nii", body_hu())
    (root / "link.nii").symlink_to(outside / "secret.nii")
    (root / "folder").symlink_to(outside)
    (root / "loop").symlink_to(root / "loop")
    (root / "round").symlink_to(root)
    (root / "gone").symlink_to(root / "nothing")
    (root / "inner.nii").symlink_to(root / "own.nii")
    assert set(found(root)) == {"own.nii", "inner.nii"}


def test_a_file_that_becomes_a_link_outwards(root: Path, tmp_path: Path) -> None:
    write_nifti(tmp_path / "secret.nii", body_hu())
    write_nifti(root / "own.nii", body_hu())
    sources = Sources((root,), tmp_path / "none")
    (only,), _ = sources.every()
    assert sources.path(only.id) == root / "own.nii"
    (root / "own.nii").unlink()
    (root / "own.nii").symlink_to(tmp_path / "secret.nii")
    assert sources.path(only.id) is None
    assert sources.get(only.id) is None


def test_files_that_come_and_go_while_others_look(root: Path) -> None:
    write_nifti(root / "stays.nii", body_hu())
    sources = Sources((root,), root / "none")
    (stays,), _ = sources.every()
    ended = threading.Event()
    faults: list[BaseException] = []

    def look() -> None:
        while not ended.is_set():
            try:
                sources.changed()
                assert stays.id in {one.id for one in sources.every()[0]}
                found_now = sources.get(stays.id)
                assert found_now is not None
            except BaseException as error:  # noqa: BLE001 - told by the test
                faults.append(error)
                return

    threads = [threading.Thread(target=look) for _ in range(3)]
    for thread in threads:
        thread.start()
    data = (root / "stays.nii").read_bytes()
    until = time.monotonic() + 0.5
    while time.monotonic() < until:
        (root / "comes.nii").write_bytes(data)
        (root / "comes.nii").unlink()
    ended.set()
    for thread in threads:
        thread.join()
    assert not faults


def test_links_in_a_dicom_folder(root: Path, tmp_path: Path) -> None:
    series = root / "series"
    write_ct_series(series, body_hu())
    inside = sorted(series.iterdir())[0]
    inside.rename(series / "first.dcm")
    inside.symlink_to(series / "first.dcm")
    outside = tmp_path / "secret.dcm"
    outside.write_bytes((series / "first.dcm").read_bytes())
    with serving(tmp_path / "server", root) as server:
        source = server.source("series")["id"]
        assert server.client.post("/api/scans", json={"source": source}).status_code == 202
        (series / "linked.dcm").symlink_to(outside)
        told = refusal(server.client.post("/api/scans", json={"source": source}), 422, "bad_input")
    assert "linked.dcm" in told
    assert str(tmp_path) not in told


@pytest.mark.parametrize("how", ["link", "content"])
def test_a_file_that_is_replaced_while_it_is_read(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    values, _ = arrays()
    save(root / "ct.nii", values, AFFINE)
    save(tmp_path / "secret.nii", np.where(values > 0, values + 1, values), AFFINE)

    def replaced(*args: Any, **more: Any) -> Case:
        if how == "link":
            (root / "ct.nii").unlink()
            (root / "ct.nii").symlink_to(tmp_path / "secret.nii")
        else:
            (root / "ct.nii").write_bytes((tmp_path / "secret.nii").read_bytes())
        return open_case(*args, **more)

    monkeypatch.setattr(scans_module, "open_case", replaced)
    with serving(tmp_path / "server", root) as server:
        scan = server.open("ct.nii", labelled=False)
        assert (scan["state"], scan["error"]["code"]) == ("failed", "changed")
        refusal(server.client.get(f"/api/scans/{scan['id']}/volume"), 409, "not_ready")
