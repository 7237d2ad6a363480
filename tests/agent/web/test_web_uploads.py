"""Uploads: what is taken, what is refused, and that nothing is left of what was refused."""

from __future__ import annotations

import asyncio
import gzip
import io
import threading
import zipfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import quote

import httpx2 as httpx
import nibabel as nib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.web.config import MIB
from agent.web.faults import Refused
from agent.web.uploads import Uploads, _safe
from tests.agent.loop_make import AFFINE, arrays
from tests.agent.web.web_make import Server, config_of, good, refusal, serving, write_case
from tests.dicom_make import write_ct_series
from tests.scan_make import body_hu, write_nifti

HOSTILE = [
    "../../../etc/cron.d/x", "..\\..\\x.nii", "/etc/passwd", "C:\\x.nii", "a\r\nSet-Cookie: a=b.nii", ".bashrc",
    "..", ".", "-rf", "a" * 500, "\0", "caf\u00e9.nii", "\u202egz.iin", "<script>.nii", "x.part", ".x.part", "   ",
    "a/b/c.nii", "'\";$(id)",
]  # fmt: skip


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with serving(tmp_path, upload_bytes=4 * MIB, uploads_bytes=6 * MIB) as made:
        yield made


def send(server: Server, data: bytes | Iterator[bytes], name: str = "ct.nii.gz", **headers: str) -> httpx.Response:
    """The answer to an upload."""
    return server.client.post(f"/api/uploads?name={quote(name)}", content=data, headers=headers)


def left(server: Server) -> list[Path]:
    """Files and folders of the uploads."""
    return sorted(server.parts.uploads.folder.rglob("*"))


def nifti(path: Path) -> bytes:
    """A scan that can be opened."""
    write_nifti(path, arrays()[0], AFFINE)
    return path.read_bytes()


def test_a_scan_and_its_labels(server: Server, tmp_path: Path) -> None:
    folder = write_case(tmp_path / "case")
    scan = good(send(server, (folder / "ct.nii.gz").read_bytes()))["source"]
    assert (scan["kind"], scan["name"], scan["uploaded"], scan["labels"]) == ("nifti", "ct.nii.gz", True, [])
    labels = good(send(server, (folder / "labels.nii.gz").read_bytes(), "masks.nii.gz"))["source"]
    assert labels["kind"] == "labels"
    assert [one["name"] for one in server.source("ct.nii.gz")["labels"]] == ["masks.nii.gz"]
    assert server.open()["state"] == "ready"
    assert server.client.delete(f"/api/uploads/{scan['id']}").status_code == 204
    assert server.client.delete(f"/api/uploads/{labels['id']}").status_code == 204
    assert server.get("/api/sources")["sources"] == []
    assert left(server) == []


@pytest.mark.slow
def test_zipped_dicom(server: Server, tmp_path: Path) -> None:
    paths = write_ct_series(tmp_path / "series", arrays()[0], spacing=(7.0, 7.0), step=(0, 0, 5.0))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in paths:
            archive.write(path, f"study/{path.name}")
    source = good(send(server, packed.getvalue(), "study.zip"))["source"]
    assert source["kind"] == "zip"
    opened = server.settled(server.post("/api/scans", {"source": source["id"]})["id"])
    assert (opened["state"], opened["shape"]) == ("ready", [44, 36, 26])


def test_one_dicom_file(server: Server, tmp_path: Path) -> None:
    (path, *_) = write_ct_series(tmp_path / "series", body_hu((8, 9, 2)))
    assert good(send(server, path.read_bytes(), "im.dcm"))["source"]["kind"] == "dicom"


@pytest.mark.parametrize(
    "data",
    [b"just words", b"%PDF-1.7", b"\x7fELF" + b"\0" * 500, gzip.compress(b"words"), b"PK\x03\x04torn", b"\x5c\x01\0\0"],
    ids=["words", "pdf", "program", "packed words", "torn zip", "short header"],
)
def test_what_cannot_be_opened(server: Server, data: bytes) -> None:
    told = refusal(send(server, data, "notes.txt"), 422, "bad_input")
    assert "notes.txt" in told
    assert left(server) == []


def test_empty(server: Server) -> None:
    assert "0 bytes" in refusal(send(server, b""), 422, "bad_input")
    assert left(server) == []


def packed(entries: dict[str, bytes], repeat: int = 1) -> bytes:
    """A zip."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(repeat):
            for name, data in entries.items():
                archive.writestr(f"{name}{number or ''}", data)
    return made.getvalue()


@pytest.mark.slow
def test_zip_bombs(server: Server) -> None:
    ratio = packed({"a": bytes(70 * MIB)})
    many = packed({"a": b""}, repeat=20_001)
    for data in (ratio, many):
        assert len(data) < 4 * MIB
        refusal(send(server, data, "bomb.zip"), 422, "bad_input")
    assert left(server) == []


@pytest.mark.parametrize("name", ["../evil", "/etc/evil", "a/../../evil", "C:\\evil"])
def test_zips_with_entries_outside(server: Server, name: str) -> None:
    refusal(send(server, packed({name: b"x"}), "slip.zip"), 422, "bad_input")
    assert left(server) == []


def test_a_zip_in_a_zip_is_not_entered(server: Server) -> None:
    inner = packed({"a": bytes(60 * MIB)})
    source = good(send(server, packed({"inner.zip": inner}), "nested.zip"))["source"]
    failed = server.settled(server.post("/api/scans", {"source": source["id"]})["id"])
    assert failed["state"] == "failed"
    assert "neither NIfTI nor DICOM" in failed["error"]["message"]


@pytest.mark.slow
def test_a_gzip_bomb_fails_with_a_sentence(server: Server) -> None:
    header = nib.Nifti1Header()
    header.set_data_shape((1000, 1000, 1000))
    header.set_data_dtype(np.int16)
    header["vox_offset"] = 352
    header["magic"] = b"n+1"
    header.set_sform(np.eye(4), 1)
    bomb = gzip.compress(header.binaryblock + bytes(4) + bytes(200 * MIB))
    source = good(send(server, bomb, "bomb.nii.gz"))["source"]
    failed = server.settled(server.post("/api/scans", {"source": source["id"]})["id"])
    assert failed["state"] == "failed"
    assert failed["error"]["message"].endswith(".")
    assert "bomb.nii.gz" in failed["error"]["message"]


def test_larger_than_one_may_be(server: Server) -> None:
    refusal(send(server, bytes(4 * MIB + 1)), 413, "too_large")

    def pieces() -> Iterator[bytes]:
        for _ in range(5):
            yield bytes(MIB)

    refusal(send(server, pieces()), 413, "too_large")
    assert left(server) == []


def test_larger_than_all_may_be(server: Server, tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(-1000, 1000, (128, 128, 110)).astype(np.int16)
    data = write_nifti(tmp_path / "a.nii", noise).read_bytes()
    good(send(server, data, "first.nii"))
    before = left(server)
    assert "limit" in refusal(send(server, data, "second.nii"), 413, "uploads_full")
    refusal(send(server, iter([data[: 2 * MIB], data[2 * MIB :]]), "third.nii"), 413, "uploads_full")
    refusal(send(server, iter([data]), "fourth.nii", **{"content-length": "5"}), 413, "uploads_full")
    assert left(server) == before


@pytest.mark.slow
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names(server: Server, tmp_path: Path, name: str) -> None:
    answer = send(server, nifti(tmp_path / "ct.nii.gz"), name)
    shown = good(answer)["source"]["name"]
    assert set(answer.headers) & {"set-cookie"} == set()
    files = [path for path in left(server) if path.is_file()]
    assert [path.name for path in files] == [shown]
    assert files[0].parent.parent == server.parts.uploads.folder
    assert server.parts.sources.path(good(answer)["source"]["id"]) == files[0]


def test_names_that_are_too_long_or_missing(server: Server) -> None:
    refusal(send(server, b"x", "a" * 501), 422, "bad_input")
    refusal(send(server, b"x", ""), 422, "bad_input")
    refusal(server.client.post("/api/uploads", content=b"x"), 422, "bad_input")


@given(st.text(max_size=600))
def test_names_are_plain(name: str) -> None:
    safe = _safe(name)
    assert 0 < len(safe.encode()) <= 120
    assert safe == Path(safe).name
    assert safe[0] not in ".- "
    assert safe.isprintable()
    assert safe.isascii()
    assert _safe(safe) == safe


@given(
    st.from_regex(r"[A-Za-z0-9_]{1,20}\.nii(\.gz)?", fullmatch=True),
    st.sampled_from(["", "/", "a/b/", "..\\", "C:\\d\\"]),
)
def test_plain_names_stay(name: str, folder: str) -> None:
    assert _safe(folder + name) == name


def test_who_goes_away_leaves_nothing(tmp_path: Path) -> None:
    uploads = Uploads(config_of(tmp_path))

    async def body() -> AsyncIterator[bytes]:
        yield nifti(tmp_path / "ct.nii.gz")[:500]
        assert list(uploads.folder.rglob("*.part"))
        raise ConnectionResetError

    async def cancelled() -> None:
        async def endless() -> AsyncIterator[bytes]:
            yield b"\x1f\x8b"
            await asyncio.sleep(60)

        task = asyncio.create_task(uploads.take("ct.nii", endless(), None))
        while not list(uploads.folder.rglob("*.part")):
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with pytest.raises(Refused):
        asyncio.run(uploads.take("ct.nii.gz", body(), 10_000))
    assert list(uploads.folder.iterdir()) == []
    asyncio.run(cancelled())
    assert list(uploads.folder.iterdir()) == []


def test_what_an_ended_server_left_is_taken_away(tmp_path: Path) -> None:
    uploads = Uploads(config_of(tmp_path))
    (uploads.folder / "torn").mkdir(parents=True)
    (uploads.folder / "torn" / ".ct.nii.part").write_bytes(b"x")
    (uploads.folder / "whole").mkdir()
    (uploads.folder / "whole" / "ct.nii").write_bytes(b"x")
    uploads.clean()
    assert [path.name for path in uploads.folder.iterdir()] == ["whole"]


def test_a_full_disk_is_one_sentence(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device", "/secret/place")

    monkeypatch.setattr("os.fsync", full)
    told = refusal(send(server, b"x" * 1000), 507, "disk_full")
    assert "No space left" in told
    assert "secret" not in told
    monkeypatch.undo()
    assert left(server) == []


def test_records_behind_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with serving(tmp_path / "link") as server:
        source = good(send(server, nifti(tmp_path / "ct.nii.gz")))["source"]
        assert server.client.delete(f"/api/uploads/{source['id']}").status_code == 204


def test_an_upload_at_work_is_not_deleted(server: Server, tmp_path: Path) -> None:
    source = good(send(server, nifti(tmp_path / "ct.nii.gz")))["source"]
    scan = server.open(labelled=False)
    with server.parts.scans.lease(scan["id"]):
        refusal(server.client.delete(f"/api/uploads/{source['id']}"), 409, "busy")
    assert server.client.delete(f"/api/uploads/{source['id']}").status_code == 204
    refusal(server.client.post(f"/api/scans/{scan['id']}/open"), 404, "not_found")
    refusal(server.client.delete(f"/api/uploads/{source['id']}"), 404, "not_found")


def test_several_at_once(server: Server, tmp_path: Path) -> None:
    data = nifti(tmp_path / "ct.nii.gz")
    answers: list[int] = []
    threads = [
        threading.Thread(target=lambda n=n: answers.append(send(server, data, f"{n}.nii.gz").status_code))
        for n in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [201] * 6
    assert {one["name"] for one in server.get("/api/sources")["sources"]} == {f"{n}.nii.gz" for n in range(6)}
