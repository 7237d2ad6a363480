from __future__ import annotations

import csv
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

import agent.cells
import agent.cohort
from agent.cohort import Job, Result, Worker, read_manifest, run_cohort
from agent.errors import ModelUnavailable, UsageError
from agent.library import base_key
from agent.query import NotUnderstood, Query
from agent.state import Request
from agent.trace import verify
from retrieval.cases import CaseBase
from tests.agent.loop_make import Asks, ask, settings_in, write_case
from tests.retrieval.case_base_make import ENCODER, entry, vectors
from tests.scan_make import refused

pytestmark = pytest.mark.slow

WORDS = {
    "How large is the liver?": [ask("volume", "liver")],
    "Is the stomach large?": [ask("volume", "stomach")],
    "And the spleen?": [ask("volume", "spleen")],
}


class Reads(Asks):
    """Understands the three questions of these tests."""

    def __init__(self) -> None:
        super().__init__([])

    def interpret(self, request: Request, available: Any) -> list[Query | NotUnderstood]:
        return list(WORDS[request.question or ""])


@pytest.fixture(autouse=True)
def reads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent.cohort, "EmbeddedReasoner", Reads)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return write_case(tmp_path_factory.mktemp("files"))


@pytest.fixture
def manifest(tmp_path: Path, files: tuple[Path, Path]) -> Path:
    scan, labels = (os.path.relpath(path, tmp_path) for path in files)
    rows = [["case", "scan", "labels", "question"]]
    rows += [[f"c{n}", scan, labels, question] for n, question in enumerate(WORDS)]
    return write(tmp_path / "manifest.csv", rows)


def write(path: Path, rows: Sequence[Sequence[str]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    return path


def results(out: Path) -> list[dict[str, str]]:
    with (out / "results.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def worked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the cases that were really run."""
    done: list[str] = []
    real = agent.cohort.run_job

    def run_job(job: Job, *more: Any) -> Result:
        done.append(job.case)
        return real(job, *more)

    monkeypatch.setattr(agent.cohort, "run_job", run_job)
    return done


# -- running ------------------------------------------------------------------------------------------------------


def test_every_row_is_run_once_and_its_result_is_in_the_table(
    tmp_path: Path, manifest: Path, worked: list[str]
) -> None:
    told: list[tuple[int, int]] = []
    out = tmp_path / "out"
    made = run_cohort(read_manifest(manifest), out, settings_in(tmp_path), progress=lambda *n: told.append(n))
    assert worked == ["c0", "c1", "c2"]
    assert told == [(0, 3), (1, 3), (2, 3), (3, 3)]
    assert [one.outcome for one in made] == ["finished"] * 3
    rows = results(out)
    assert [row["case"] for row in rows] == ["c0", "c1", "c2"]
    assert float(rows[0]["value"]) == pytest.approx(768.32)
    assert (rows[0]["unit"], rows[0]["state"], rows[0]["status"]) == ("cm3", "measured", "consistent")
    assert (rows[1]["value"], rows[1]["state"]) == ("", "not_measurable")
    assert float(rows[1]["lower_bound"]) == pytest.approx(137.2)
    assert "cut off" in rows[1]["reason"]
    for row in rows:
        assert verify(Path(row["folder"]) / "trace.jsonl").ok
    again = run_cohort(read_manifest(manifest), out, settings_in(tmp_path))
    assert worked == ["c0", "c1", "c2"]  # nothing was run again
    assert again == made


def test_a_bad_row_fails_alone_and_is_tried_again(tmp_path: Path, manifest: Path, worked: list[str]) -> None:
    rows = list(csv.reader(manifest.read_text().splitlines()))
    broken = tmp_path / "broken.nii.gz"
    broken.write_bytes(b"\x1f\x8b not really")
    rows[2][1] = "broken.nii.gz"
    rows += [
        ["missing", "nowhere.nii.gz", "", "How large is the liver?"],
        ["long", "x" * 400, "", "How large is the liver?"],
        ["same", rows[1][1], rows[1][1], "How large is the liver?"],
    ]
    out = tmp_path / "out"
    jobs = read_manifest(write(manifest, rows))
    made = run_cohort(jobs, out, settings_in(tmp_path))
    assert [one.outcome for one in made] == ["finished", "failed", "finished", "failed", "failed", "failed"]
    for one in made:
        assert (one.error is None) == (one.outcome == "finished")
        if one.error:
            assert one.error.endswith(".")
            assert "\n" not in one.error
            assert one.value is None
    worked.clear()
    scan = (tmp_path / rows[1][1]).resolve()
    broken.write_bytes(scan.read_bytes())
    made = run_cohort(jobs, out, settings_in(tmp_path))
    assert worked == ["c1", "missing", "long", "same"]
    assert [one.outcome for one in made][:3] == ["finished"] * 3
    assert [row["outcome"] for row in results(out)][:3] == ["finished"] * 3


@pytest.mark.parametrize("which", ["scan", "labels"])
def test_a_changed_file_is_done_again(tmp_path: Path, files: tuple[Path, Path], worked: list[str], which: str) -> None:
    copies = {"scan": tmp_path / "s.nii.gz", "labels": tmp_path / "l.nii.gz"}
    for source, copy in zip(files, copies.values(), strict=True):
        copy.write_bytes(source.read_bytes())
    rows = [["scan", "labels", "question"], ["s.nii.gz", "l.nii.gz", "How large is the liver?"]]
    jobs = read_manifest(write(tmp_path / "m.csv", rows))
    run_cohort(jobs, tmp_path / "out", settings_in(tmp_path))
    run_cohort(jobs, tmp_path / "out", settings_in(tmp_path))
    assert worked == ["row-00001"]
    os.utime(copies[which], ns=(1, 1))
    run_cohort(jobs, tmp_path / "out", settings_in(tmp_path))
    assert worked == ["row-00001"] * 2


def test_a_changed_question_or_class_map_is_done_again(tmp_path: Path, files: tuple[Path, Path]) -> None:
    table = tmp_path / "names.json"
    table.write_text('{"1": "liver"}')
    fields: dict[str, Any] = {"case": "a", "scan": files[0], "labels": (files[1],), "class_map": (str(table),)}
    job = Job(**fields, question="How large is the liver?")
    keys = {job.key(), Job(**fields, question="And the spleen?").key(), Job(**fields).key()}
    table.write_text('{"1": "spleen"}')
    keys.add(job.key())
    assert len(keys) == 4


def test_another_case_base_is_another_job(tmp_path: Path, files: tuple[Path, Path]) -> None:
    job = Job(case="a", scan=files[0], labels=(files[1],))
    settings, folder = settings_in(tmp_path), tmp_path / "base"
    with CaseBase.create(folder, ENCODER, [([entry(0)], vectors(1))]):
        own = base_key(settings.model_copy(update={"index": str(folder)}))
    with CaseBase.open(folder) as base:
        base.add([([entry(1)], vectors(2)[1:])], ENCODER)
    grown = base_key(settings.model_copy(update={"index": str(folder)}))
    none = base_key(settings.model_copy(update={"index": "none"}))
    keys = {job.key(), *(job.key(cases=one) for one in ("auto", none, own, grown))}
    assert len(keys) == 4


def test_a_damaged_result_is_done_again(tmp_path: Path, manifest: Path, worked: list[str]) -> None:
    out = tmp_path / "out"
    jobs = read_manifest(manifest)
    run_cohort(jobs, out, settings_in(tmp_path))
    worked.clear()
    (out / "cases" / f"{jobs[1].key(engines=settings_in(tmp_path).segment)}.json").write_text('{"case": "c1"')
    (out / "results.csv").write_text("garbage")
    run_cohort(jobs, out, settings_in(tmp_path))
    assert worked == ["c1"]
    assert [row["case"] for row in results(out)] == ["c0", "c1", "c2"]


@pytest.mark.parametrize("moment", ["before the result", "after the result", "in the table", "in a tool"])
def test_a_killed_cohort_goes_on(tmp_path: Path, manifest: Path, worked: list[str], moment: str) -> None:
    """Killed in the second row: the first stands, the others are done, no file is half written."""
    out, jobs = tmp_path / "out", read_manifest(manifest)
    child = os.fork()
    if child == 0:
        die_in_second_row(moment)
        run_cohort(jobs, out, settings_in(tmp_path))
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status)
    assert os.WTERMSIG(status) == signal.SIGKILL
    before = results(out)
    assert [row["case"] for row in before] == ["c0"]
    for path in (out / "cases").glob("*.json"):
        Result.model_validate_json(path.read_bytes())
    made = run_cohort(jobs, out, settings_in(tmp_path))
    assert worked == (["c2"] if moment in {"after the result", "in the table"} else ["c1", "c2"])
    assert [one.outcome for one in made] == ["finished"] * 3
    rows = results(out)
    assert rows[0] == before[0]
    assert [row["case"] for row in rows] == ["c0", "c1", "c2"]
    for row in rows:
        assert verify(Path(row["folder"]) / "trace.jsonl").ok


def die_in_second_row(moment: str) -> None:
    """Make this process kill itself at a moment of the second row."""
    module: Any = agent.cohort
    real: Callable[..., str] = module.atomic_write

    def kill() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def write(path: Path, data: Any) -> str:
        second = b'"c1"' in (data.encode() if isinstance(data, str) else data)
        if second and moment == "before the result":
            kill()
        if path.name == "results.csv" and "c1" in data and moment == "in the table":
            kill()
        digest = real(path, data)
        if second and moment == "after the result":
            kill()
        return digest

    def case_of(*args: Any, **options: Any) -> Any:
        if args[0].labels and moment == "in a tool":
            done.append(1)
            if len(done) == 2:
                kill()
        return opened(*args, **options)

    done: list[int] = []
    opened = module.open_case
    module.atomic_write = write
    module.open_case = case_of


def test_a_pool_may_finish_in_any_order(tmp_path: Path, manifest: Path) -> None:
    def backwards(jobs: Sequence[Job], worker: Worker) -> Iterator[Result]:
        return map(worker, reversed(jobs))

    made = run_cohort(read_manifest(manifest), tmp_path / "out", settings_in(tmp_path), pool=backwards)
    assert [one.case for one in made] == ["c0", "c1", "c2"]
    assert [row["case"] for row in results(tmp_path / "out")] == ["c0", "c1", "c2"]


def test_an_error_of_the_program_surfaces(tmp_path: Path, manifest: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent.cohort, "open_case", lambda files: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run_cohort(read_manifest(manifest), tmp_path / "out", settings_in(tmp_path))


# -- manifests ----------------------------------------------------------------------------------------------------

BAD: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "has no column"),
    "only a header": (b"scan,labels\n", "has 0 rows"),
    "no scan column": (b"labels,question\na,b\n", "has no column"),
    "unknown column": (b"scan,colour\na,b\n", "colour"),
    "nameless column": (b"scan,\na,b\n", "without a name"),
    "column twice": (b"scan,scan\na,b\n", "twice"),
    "too many cells": (b"scan,labels\na,b\nc,d,e\n", "Line 3"),
    "no scan in a row": (b"scan,labels\n,b\n", "names no scan"),
    "the same case twice": (b"case,scan\nx,a\nx,b\n", "'x' more than once"),
    "not text": (b"scan\n\xff\xfe\x00", "UTF-8"),
    "a binary": (bytes(range(256)), "UTF-8"),
    "an open quote": (b'scan,labels\n"a,b\n', "not valid CSV"),
    "a wrong phase": (b"scan,phase\na,lunar\n", "phase"),
    "a huge cell": (b"scan\n" + b"a" * 200_000 + b"\n", "not valid CSV"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_manifest_is_one_sentence(tmp_path: Path, name: str) -> None:
    content, said = BAD[name]
    path = tmp_path / "manifest.csv"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=said) as found:
        read_manifest(path)
    assert "manifest" in str(found.value)
    assert "\n" not in str(found.value)
    assert str(found.value).endswith(".")


def test_a_manifest_that_cannot_be_opened_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in (tmp_path / "no.csv", tmp_path, tmp_path / ("x" * 400)):
        with pytest.raises(UsageError) as found:
            read_manifest(path)
        refused(found.value)
    path = write(tmp_path / "m.csv", [["scan"], ["a"]])
    monkeypatch.setattr(agent.cohort, "MAX_MANIFEST_BYTES", 3)
    with pytest.raises(UsageError, match="larger than"):
        read_manifest(path)
    monkeypatch.undo()
    monkeypatch.setattr(agent.cohort, "MAX_ROWS", 0)
    with pytest.raises(UsageError, match="rows"):
        read_manifest(path)


def test_a_byte_order_mark_quotes_and_blank_lines_are_read(tmp_path: Path) -> None:
    path = tmp_path / "m.csv"
    path.write_bytes('\ufeffCase, Scan ,options\n\n"a, b",x.nii, one | two |\n'.encode())
    (job,) = read_manifest(path)
    assert (job.case, job.scan, job.options) == ("a, b", tmp_path / "x.nii", ("one", "two"))
    assert job.question is None


def test_paths_are_relative_to_the_manifest_and_class_maps_are_names_or_files(tmp_path: Path) -> None:
    (tmp_path / "names.json").write_text("{}")
    rows = [["scan", "labels", "class_map"], ["a/s.nii", "/b/l.nii", "total"], ["s.nii", "", "names.json"]]
    first, second = read_manifest(write(tmp_path / "m.csv", rows))
    assert (first.scan, first.labels, first.class_map) == (tmp_path / "a/s.nii", (Path("/b/l.nii"),), ("total",))
    assert second.class_map == (str(tmp_path / "names.json"),)


def test_several_label_maps_a_prior_and_facts_are_read(tmp_path: Path) -> None:
    rows = [
        ["scan", "labels", "class_map", "patient", "prior", "prior_labels"],
        ["s.nii", "organs.nii|parts.nii", "total|-", "age=63,sex=F", "old.nii", "old_labels.nii"],
    ]
    (job,) = read_manifest(write(tmp_path / "m.csv", rows))
    assert job.labels == (tmp_path / "organs.nii", tmp_path / "parts.nii")
    assert job.class_map == ("total", None)
    assert (job.prior, job.prior_labels) == (tmp_path / "old.nii", (tmp_path / "old_labels.nii",))
    assert job.patient == "age=63,sex=F"
    assert job.key() != job.model_copy(update={"patient": "age=64,sex=F"}).key()


def test_a_great_manifest_with_a_name_twice_is_refused_at_once(tmp_path: Path) -> None:
    rows = [["case", "scan"], *([f"c{n}", "s.nii"] for n in range(20_000)), ["c17", "s.nii"]]
    with pytest.raises(UsageError, match="'c17'"):
        read_manifest(write(tmp_path / "m.csv", rows))


def test_no_cell_is_a_formula(tmp_path: Path) -> None:
    evil = ["=1+1", "+1+1", "-2+3+cmd|' /C calc'!A0", "@SUM(A1)", "＝1+1"]
    rows = [["case", "scan", "question"], *([text, "no.nii", text] for text in evil)]
    out = tmp_path / "out"
    run_cohort(read_manifest(write(tmp_path / "m.csv", rows)), out, settings_in(tmp_path))
    for row, text in zip(results(out), evil, strict=True):
        assert row["case"] == row["question"] == f"'{text}"
        assert not any(cell[:1] in {"=", "+", "-", "@", "＝", "\t", "\r"} for cell in row.values() if cell)


@pytest.mark.parametrize(("text", "kept"), [("-5.25", True), ("1e-05", True), ("-1e-05", True), ("-5.25-1", False)])
def test_a_negative_number_stays_a_number(text: str, kept: bool) -> None:
    assert (agent.cells.plain_cell(text) == text) is kept


# -- models -------------------------------------------------------------------------------------------------------


class Away(Reads):
    """A model whose server is away from the second question on, or refuses it."""

    name = "vllm:other"

    def __init__(self, *, refused: bool) -> None:
        super().__init__()
        self.refused = refused

    def interpret(self, request: Request, available: Any) -> list[Query | NotUnderstood]:
        if request.question != "How large is the liver?":
            raise ModelUnavailable("The model server is away.", refused=self.refused)
        return super().interpret(request, available)


def test_a_row_is_finished_for_its_model_alone(tmp_path: Path, manifest: Path, worked: list[str]) -> None:
    jobs, out = read_manifest(manifest)[:1], tmp_path / "out"
    run_cohort(jobs, out, settings_in(tmp_path))
    run_cohort(jobs, out, settings_in(tmp_path), model=Away(refused=True))
    run_cohort(jobs, out, settings_in(tmp_path), model=Away(refused=True))
    assert worked == ["c0", "c0"]


def test_a_cohort_whose_model_is_away_stops_and_goes_on(tmp_path: Path, manifest: Path, worked: list[str]) -> None:
    jobs, out = read_manifest(manifest), tmp_path / "out"
    with pytest.raises(ModelUnavailable):
        run_cohort(jobs, out, settings_in(tmp_path), model=Away(refused=False))
    assert worked == ["c0", "c1"]
    assert [row["outcome"] for row in results(out)] == ["finished"]
    made = run_cohort(jobs, out, settings_in(tmp_path), model=Away(refused=True))
    assert [one.outcome for one in made] == ["finished", "failed", "failed"]
    assert worked == ["c0", "c1", "c1", "c2"]
