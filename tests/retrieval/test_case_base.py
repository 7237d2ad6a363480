"""Case bases: exclusions, filters, changes against a plain model, crashes, damage, encoders."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.errors import IntegrityError, TumorTraceError, UsageError
from retrieval.case_calibration import patients
from retrieval.case_files import publish, stored, verified, writer_lock
from retrieval.case_model import CaseEntry, Filters, Hit, Manifest, StoredFile
from retrieval.cases import CaseBase
from retrieval.index_math import unit
from retrieval.index_model import FloatRows, IndexLimits
from tests.retrieval.case_base_make import DIMENSION, ENCODER, entry, vectors

SMALL = IndexLimits(flat_up_to=100, queries=50)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cases") / "base"
    CaseBase.create(folder, ENCODER, [([entry(i) for i in range(60)], vectors(60))]).close()
    return folder


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "base"))


def found(
    base: CaseBase, vector: FloatRows, k: int = 10, patient: str | None = None, scan: str | None = None, **filters: str
) -> list[Hit]:
    return base.search(
        vector, k, encoder=ENCODER, exclude_patient=patient, exclude_scan=scan, filters=Filters(**filters)
    )


def test_the_own_patient_is_never_returned(whole: Path) -> None:
    with CaseBase.open(whole) as base:
        for number, vector in enumerate(vectors(60)):
            hits = found(base, vector, 60, patient=f"p{number // 2}")
            assert len(hits) == 58
            assert f"p{number // 2}" not in {hit.entry.patient for hit in hits}
            assert found(base, vector, 1)[0].entry.id == f"case-{number}"


def test_the_own_scan_leads_to_its_patient_and_to_all_their_names(tmp_path: Path) -> None:
    entries = [
        entry(0, "anna", "scan-1"), entry(1, "anna", "scan-2"), entry(2, "a. b.", "scan-2"),
        entry(3, "a. b.", "scan-3"), entry(4, "bert", "scan-4"),
    ]  # fmt: skip
    with CaseBase.create(tmp_path / "base", ENCODER, [(entries, vectors(5))]) as base:
        assert [hit.entry.patient for hit in found(base, vectors(1)[0], scan="scan-3")] == ["bert"]
        assert [hit.entry.patient for hit in found(base, vectors(1)[0], patient="anna")] == ["bert"]
        assert len(found(base, vectors(1)[0], scan="another")) == 5


def test_a_number_in_the_dicom_header_links_what_is_named_differently(tmp_path: Path) -> None:
    entries = [
        entry(0, "anna", "scan-1", number="n1"), entry(1, "a. b.", "scan-2", number="n1"), entry(2, "a. b.", "scan-3"),
        entry(3, "n1", "scan-4"), entry(4, "bert", "scan-5", number="n2"),
    ]  # fmt: skip
    with CaseBase.create(tmp_path / "base", ENCODER, [(entries, vectors(5))]) as base:
        for patient, scan in (("n1", None), ("anna", None), ("a. b.", None), (None, "scan-3")):
            hits = found(base, vectors(1)[0], patient=patient, scan=scan)
            assert [hit.entry.patient for hit in hits] == ["bert"]
        both = base.search(
            vectors(1)[0], 9, encoder=ENCODER, exclude_patient=["anna", "bert", "nobody"], exclude_scan=None
        )
        assert both == []
        numbers = base._table.numbered()
        assert patients([(at, one.patient, one.scan, "", "", "") for at, one in enumerate(entries)], numbers) == {
            0: 0, 1: 0, 2: 0, 3: 0, 4: 1,
        }  # fmt: skip


def test_a_base_of_before_such_numbers_is_read_and_learns_them(folder: Path) -> None:
    told = json.loads((folder / "manifest.json").read_bytes())["manifest"]
    table = folder / told["cases"]["name"]
    with contextlib.closing(sqlite3.connect(table)) as connection:
        connection.execute("DROP TABLE numbers")
        connection.execute("VACUUM")
    manifest = Manifest.model_validate_json(json.dumps(told))
    publish(folder, manifest.model_copy(update={"cases": stored(table)}))
    with CaseBase.open(folder) as base:
        assert len(found(base, vectors(1)[0], 60, patient="p3")) == 58
        base.add([([entry(70, "p3x", number="n3"), entry(71, "p3y", number="n3")], vectors(2, 8))], ENCODER)
        assert len(found(base, vectors(1)[0], 62, patient="p3x")) == 60


def test_a_base_may_be_read_by_whom_the_umask_lets(folder: Path) -> None:
    with CaseBase.open(folder) as base:
        base.rebuild()
    modes = {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir() if path.name != ".lock"}
    plain = folder / "plain"
    plain.touch()
    assert set(modes.values()) == {plain.stat().st_mode & 0o777}


def test_a_nearly_equal_vector_of_another_name_is_pointed_out(whole: Path) -> None:
    with CaseBase.open(whole) as base:
        hits = found(base, vectors(60)[7], 3)
    assert [hit.near_duplicate for hit in hits] == [True, False, False]


@pytest.mark.slow
@given(
    k=st.integers(1, 70), seed=st.integers(0, 99), patient=st.sampled_from([None, "p3", "p20", "nobody"]),
    chosen=st.fixed_dictionaries(
        {}, optional={
            "organ": st.sampled_from(["liver", "kidney", "spleen"]), "phase": st.sampled_from(["portal", "native"]),
            "lesion_type": st.sampled_from(["cyst", "metastasis"]), "site": st.sampled_from(["site 0", "site 2"]),
        },
    ),
)  # fmt: skip
@settings(max_examples=60)
def test_filters_return_k_wherever_so_many_pass_and_nothing_else(
    whole: Path, k: int, seed: int, patient: str | None, chosen: dict[str, str]
) -> None:
    passing = {
        one.id
        for one in map(entry, range(60))
        if one.patient != patient and all(getattr(one, name) == value for name, value in chosen.items())
    }
    with CaseBase.open(whole) as base:
        hits = found(base, vectors(1, seed)[0], k, patient, **chosen)
    assert len(hits) == min(k, len(passing)) == len({hit.entry.id for hit in hits})
    assert {hit.entry.id for hit in hits} <= passing
    assert [hit.similarity for hit in hits] == sorted((hit.similarity for hit in hits), reverse=True)


@given(st.lists(st.tuples(st.sampled_from(["add", "delete", "rebuild"]), st.integers(1, 30)), min_size=1, max_size=5))
@settings(max_examples=15)
@pytest.mark.slow
def test_changes_agree_with_a_plain_model(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]]
) -> None:
    rows = vectors(400, 5)
    held: list[int] = []
    fresh = 0
    base = CaseBase.create(tmp_path_factory.mktemp("model") / "base", ENCODER, limits=SMALL)
    for what, count in steps:
        if what == "add":
            new = list(range(fresh, fresh + count))
            base.add([([entry(i) for i in new], rows[new])], ENCODER)
            held, fresh = held + new, fresh + count
        elif what == "delete":
            gone = held[::3][:count]
            assert base.delete([f"case-{i}" for i in gone] + ["none"]) == len(gone)
            held = [one for one in held if one not in gone]
        else:
            base.rebuild()
        assert len(base) == len(held)
        again = CaseBase.open(base.folder, SMALL)
        hits = found(again, rows[399], 9)
        mean = np.array(again.manifest.about.mean, np.float32)
        near = unit(rows[held], mean) @ unit(rows[399:], mean)[0] if held else np.empty(0)
        assert np.allclose([hit.similarity for hit in hits], -np.sort(-near)[:9], atol=1e-5)
        assert all(hit.entry == entry(int(hit.entry.id[5:])) for hit in hits)
        again.close()
    base.close()


@pytest.mark.slow
def test_a_base_that_grows_past_its_limit_is_built_anew(tmp_path: Path) -> None:
    with CaseBase.create(tmp_path / "base", ENCODER, [([entry(i) for i in range(90)], vectors(90))], SMALL) as base:
        assert base.manifest.about.kind == "flat"
        base.add([([entry(i) for i in range(90, 400)], vectors(310, 9))], ENCODER)
        assert (base.manifest.about.kind, base.manifest.about.built) == ("ivf-sq8", 400)
        assert base.manifest.about.recall >= 0.95
        assert len(found(base, vectors(1)[0], 10, site="site 1")) == 10


def test_what_is_deleted_is_gone_from_the_files(folder: Path) -> None:
    with CaseBase.open(folder) as base:
        base.add([([entry(99, site="Springfield")], vectors(1, 3))], ENCODER)
        assert any(b"Springfield" in path.read_bytes() for path in folder.iterdir())
        base.delete(["case-99"])
        assert found(base, vectors(1)[0], site="Springfield") == []
    raw = vectors(1, 3).tobytes()
    for path in folder.iterdir():
        assert b"Springfield" not in path.read_bytes() and raw not in path.read_bytes()


class Crash(BaseException):
    """A process that ends."""


def _breaking(monkeypatch: pytest.MonkeyPatch, at: int, failure: BaseException) -> Callable[[], int]:
    """Let the n-th call that makes something durable or current fail."""
    calls = 0

    def wrap(real: Callable[..., Any]) -> Callable[..., Any]:
        def broken(*arguments: Any, **more: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == at:
                raise failure
            return real(*arguments, **more)

        return broken

    monkeypatch.setattr(os, "fsync", wrap(os.fsync))
    monkeypatch.setattr(Path, "replace", wrap(Path.replace))
    monkeypatch.setattr(shutil, "copyfile", wrap(shutil.copyfile))
    monkeypatch.setattr(np, "savez", wrap(np.savez))
    monkeypatch.setattr(Path, "unlink", wrap(Path.unlink))
    return lambda: calls


@pytest.mark.slow
@pytest.mark.parametrize("failure", [Crash(), OSError(28, "No space left on device")])
def test_a_crash_at_any_write_leaves_the_old_base_or_the_new_one(
    whole: Path, tmp_path: Path, failure: BaseException
) -> None:
    outcomes: list[int] = []
    for at in range(1, 60):
        folder = Path(shutil.copytree(whole, tmp_path / f"base-{at}"))
        base = CaseBase.open(folder)
        with pytest.MonkeyPatch.context() as patched:
            calls = _breaking(patched, at, failure)
            with contextlib.suppress(Crash, OSError, UsageError):
                base.add([([entry(70)], vectors(1, 4))], ENCODER)
            done = calls() < at
        base.close()
        with CaseBase.open(folder) as again:
            outcomes.append(len(again))
            assert len(found(again, vectors(1)[0], 100)) == len(again)
            # The next writer is not hindered by what was left, and sweeps it away.
            again.add([([entry(71)], vectors(1, 6))], ENCODER)
            assert {path.name for path in folder.iterdir()} == {
                "manifest.json", ".lock", *(one.name for one in again.manifest.files()),
            }  # fmt: skip
        if done:
            break
    assert len(outcomes) > 6 and {*outcomes} == {60, 61} and outcomes == sorted(outcomes)


@pytest.mark.parametrize("kind", ["index", "cases"])
def test_a_file_that_a_writer_removes_between_check_and_use_is_no_damage(
    folder: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    with CaseBase.open(folder) as writer:
        once = [kind]

        def check(where: Path, told: StoredFile) -> Path:
            path = verified(where, told)
            if once and told.name.startswith(once[0]):
                once.clear()
                writer.add([([entry(70)], vectors(1))], ENCODER)
            return path

        monkeypatch.setattr("retrieval.cases.verified", check)
        with CaseBase.open(folder) as reader:
            assert len(found(reader, vectors(1)[0], 100)) == 61


ENDLESS = """
import itertools, sys
from pathlib import Path
from retrieval.cases import CaseBase
from tests.retrieval.case_base_make import ENCODER, entry, vectors
with CaseBase.open(Path(sys.argv[1])) as base:
    for number in itertools.count(int(sys.argv[2])):
        base.add([([entry(number)], vectors(1, number))], ENCODER)
        base.delete([f"case-{number}"] if number % 3 == 0 else [])
        print(number, flush=True)
"""


@pytest.mark.slow
def test_readers_and_a_killed_writer_see_whole_generations(folder: Path) -> None:
    """A real process changes the base without end and is killed; nobody sees anything half."""
    for round_ in range(4):
        writer = subprocess.Popen(
            [sys.executable, "-c", ENDLESS, str(folder), str(1000 * (round_ + 1))], stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout is not None
        try:
            assert writer.stdout.readline()
            until = time.monotonic() + 0.3 + 0.07 * round_
            while time.monotonic() < until:
                with CaseBase.open(folder) as base:
                    assert len(found(base, vectors(1)[0], 5000)) == len(base) >= 60
        finally:
            writer.send_signal(signal.SIGKILL)
            writer.wait()
            writer.stdout.close()
    with CaseBase.open(folder) as base:
        base.rebuild()
        assert len(found(base, vectors(1)[0], 5000)) == len(base)
        assert {path.name for path in folder.iterdir()} == {
            "manifest.json", ".lock", *(one.name for one in base.manifest.files()),
        }  # fmt: skip


@pytest.mark.parametrize("what", ["index", "cases", "vectors", "manifest"])
def test_a_file_that_was_cut_off_is_refused(folder: Path, what: str) -> None:
    (path,) = [one for one in folder.iterdir() if one.name.startswith(what)]
    for size in (0, path.stat().st_size - 1):
        os.truncate(path, size)
        with pytest.raises(IntegrityError, match="damaged"):
            CaseBase.open(folder).rebuild()


@pytest.mark.parametrize("what", ["index", "cases", "vectors", "manifest"])
def test_damage_is_refused(folder: Path, what: str) -> None:
    (path,) = [one for one in folder.iterdir() if one.name.startswith(what)]
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(IntegrityError, match="damaged"):
        CaseBase.open(folder).rebuild()


def test_what_is_missing_or_foreign_is_told_in_one_sentence(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no case base"):
        CaseBase.open(tmp_path / "nowhere")
    with pytest.raises(UsageError, match="already"):
        CaseBase.create(folder, ENCODER)
    next(folder.glob("index-*")).unlink()
    with pytest.raises(UsageError, match="lacks the file index"):
        CaseBase.open(folder)
    (folder / "manifest.json").write_text("[" * 5000, encoding="utf-8")
    with pytest.raises(IntegrityError, match="JSON"):
        CaseBase.open(folder)


@pytest.mark.parametrize("change", [{"name": "other"}, {"version": "2"}, {"dimension": DIMENSION + 1}])
def test_another_encoder_is_refused(whole: Path, change: dict[str, Any]) -> None:
    other = ENCODER.model_copy(update=change)
    with CaseBase.open(whole) as base:
        with pytest.raises(UsageError, match="build a new base"):
            base.search(vectors(1)[0], 1, encoder=other, exclude_patient=None, exclude_scan=None)
        with pytest.raises(UsageError, match="build a new base"):
            base.add([], other)


def test_only_one_writes_at_a_time(folder: Path) -> None:
    with CaseBase.open(folder) as base, writer_lock(folder), pytest.raises(UsageError, match="another process"):
        base.add([([entry(70)], vectors(1))], ENCODER)


def test_a_reader_keeps_its_generation_while_another_writes(folder: Path) -> None:
    with CaseBase.open(folder) as reader, CaseBase.open(folder) as writer:
        writer.add([([entry(70)], vectors(1))], ENCODER)
        assert (len(found(reader, vectors(1)[0], 100)), len(found(writer, vectors(1)[0], 100))) == (60, 61)
        reader.add([([entry(71)], vectors(1))], ENCODER)
        assert len(reader) == 62


@pytest.mark.parametrize(
    ("entries", "rows", "message"),
    [([entry(3)], vectors(1), "already holds"), ([entry(70)], vectors(2), "one vector for each"),
     ([entry(70)], vectors(1) * np.float32(np.nan), "not finite")],
)  # fmt: skip
def test_what_cannot_be_added_changes_nothing(
    folder: Path, entries: list[CaseEntry], rows: FloatRows, message: str
) -> None:
    with CaseBase.open(folder) as base:
        with pytest.raises(TumorTraceError, match=message):
            base.add([([entry(80)], vectors(1)), (entries, rows)], ENCODER)
        assert len(base) == 60
    with CaseBase.open(folder) as base:
        assert base.manifest.generation == 1


def test_keys_of_patients_are_opaque_and_differ_between_bases(whole: Path, tmp_path: Path) -> None:
    with CaseBase.open(whole) as one, CaseBase.create(tmp_path / "other", ENCODER) as other:
        assert one.patient_key("Jane Doe") == one.patient_key(" Jane Doe") != other.patient_key("Jane Doe")
        assert "Jane" not in one.patient_key("Jane Doe")


def test_an_empty_base_returns_nothing(tmp_path: Path) -> None:
    with CaseBase.create(tmp_path / "base", ENCODER) as base:
        assert found(base, vectors(1)[0]) == []
        assert base.stats().entries == 0


def test_what_a_base_holds_is_counted(whole: Path) -> None:
    with CaseBase.open(whole) as base:
        told = base.stats()
    assert (told.entries, told.patients, told.scans) == (60, 30, 60)
    assert told.by["organ"] == {"kidney": 30, "liver": 30}
