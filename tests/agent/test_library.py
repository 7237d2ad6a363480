"""Which case base a run compares with: the embedded one, a folder, or none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from agent.commands import ask as command
from agent.commands import index
from agent.engine import Engine
from agent.errors import IntegrityError, UsageError
from agent.library import embedded_base, library
from agent.settings import Settings
from retrieval.case_files import MANIFEST
from retrieval.case_model import EncoderId
from retrieval.cases import CaseBase
from tests.retrieval.case_base_make import DIMENSION, ENCODER, entry, vectors
from tools.encoders.descriptor import DESCRIPTOR
from tools.library import Library, encoder_id
from tools.volume import SYNTHETIC_MARK, ScanHeader


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(cache=tmp_path / "cache", home=tmp_path / "home")


@pytest.fixture
def base(tmp_path: Path) -> Iterator[Path]:
    """A case base of vectors that no built-in encoder makes."""
    folder = tmp_path / "base"
    with CaseBase.create(folder, ENCODER, [([entry(n) for n in range(8)], vectors(8))]):
        yield folder


def test_the_embedded_base_is_the_default_and_none_is_none(settings: Settings) -> None:
    found = library(settings)
    assert found is not None
    assert found.folder == embedded_base()
    assert found.synthetic_only
    assert found.unfit(synthetic=True) is None
    assert "synthetic" in (found.unfit(synthetic=False) or "")
    assert library(settings, "none") is None
    assert library(settings.model_copy(update={"index": "None"})) is None
    assert library(settings.model_copy(update={"index": "none"}), "auto") is not None


def test_a_folder_is_looked_at_before_anything_is_measured(settings: Settings, base: Path, tmp_path: Path) -> None:
    found = library(settings, str(base), patient="anna")
    assert found is not None
    assert (found.folder, found.synthetic_only, found.patient) == (base, False, "anna")
    assert not settings.cache.exists()
    with pytest.raises(UsageError, match="no case base"):
        library(settings, str(tmp_path / "elsewhere"))
    (base / MANIFEST).write_text("{}")
    with pytest.raises(IntegrityError, match="damaged"):
        library(settings, str(base))


def test_an_encoder_that_is_not_built_in_has_to_be_named(settings: Settings, base: Path) -> None:
    found = library(settings, str(base))
    assert found is not None
    assert found.opened().encoder is None
    assert "no folder of it is named" in (found.opened().unfit or "")
    named = library(settings.model_copy(update={"index_encoder": "descriptor"}), str(base))
    assert named is not None
    assert named.opened().encoder == DESCRIPTOR.load(None)
    assert "another encoder" in (named.opened().unfit or "")
    assert named.key != found.key
    wrong = library(settings.model_copy(update={"index_encoder": "nothing"}), str(base))
    assert wrong is not None
    with pytest.raises(UsageError, match="no encoder"):
        wrong.opened()


def test_a_base_is_opened_once_and_keeps_its_generation(base: Path) -> None:
    found = Library(base)
    opened, key = found.opened(), found.key
    with CaseBase.open(base) as writer:
        writer.add([([entry(9)], vectors(1, seed=1))], ENCODER)
    assert found.opened() is opened
    assert (found.key, len(opened.base)) == (key, 8)
    found.close()
    assert (found.key != key, len(found.opened().base)) == (True, 9)
    found.close()


def test_the_embedded_base_is_small_whole_and_of_no_patient(settings: Settings) -> None:
    folder = embedded_base()
    assert sum(path.stat().st_size for path in folder.iterdir()) < 1 << 20
    found = library(settings)
    assert found is not None
    opened = found.opened()
    assert opened.unfit is None
    assert opened.encoder is not None
    stats = opened.base.stats()
    assert stats.encoder == encoder_id(DESCRIPTOR.load(None))
    assert stats.synthetic_only
    assert set(stats.by["label_source"]) == {"synthetic"}
    assert stats.patients >= 100
    assert stats.entries <= 400
    assert stats.calibration is not None
    assert stats.calibration.log_loss < stats.calibration.prior_log_loss
    found.close()


class _Stop(Exception):  # noqa: N818
    pass


@pytest.mark.parametrize(("words", "name"), [((), "embedded"), (("--index", "none"), None)])
def test_the_option_chooses_what_a_run_compares_with(
    words: tuple[str, ...], name: str | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made: list[Engine] = []

    def stop(self: Engine, *_: Any, **__: Any) -> None:
        made.append(self)
        raise _Stop

    monkeypatch.setattr(Engine, "ask", stop)
    real = SimpleNamespace(scan=SimpleNamespace(header=ScanHeader("nifti")))
    monkeypatch.setattr(command, "open_case", lambda *_: real)
    monkeypatch.setenv("TUMORTRACE_CACHE", str(tmp_path))
    app = typer.Typer()
    command.register(app)
    found = CliRunner().invoke(app, ["ct.nii.gz", "How large is the liver?", "--index-patient", "anna", *words])
    assert isinstance(found.exception, _Stop), (found.output, found.exception)
    own = made[0].library
    assert (own.folder.name if own is not None else None) == name
    assert own is None or own.patient == "anna"


def test_a_wrong_folder_ends_the_command_before_the_scan_is_read(tmp_path: Path) -> None:
    app = typer.Typer()
    command.register(app)
    found = CliRunner().invoke(app, ["ct.nii.gz", "How large is the liver?", "--index", str(tmp_path)])
    assert isinstance(found.exception, UsageError)
    assert "no case base" in str(found.exception)


def test_a_base_for_synthetic_scans_stays_one(tmp_path: Path) -> None:
    with CaseBase.create(tmp_path, ENCODER, synthetic_only=True) as base:
        base.add([([entry(1)], vectors(1))], ENCODER)
        assert base.manifest.synthetic_only
        assert base.stats().synthetic_only
    again = EncoderId(name="stand-in", version="1", dimension=DIMENSION)
    with CaseBase.open(tmp_path) as base:
        base.check_encoder(again)
        assert base.manifest.synthetic_only
        assert np.isfinite(base.stats().recall)


@pytest.mark.parametrize(("mark", "kept"), [("a patient", 0), (f"{SYNTHETIC_MARK}, no patient", 1)])
def test_a_base_for_synthetic_scans_takes_no_others(
    mark: str, kept: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TUMORTRACE_CACHE", str(tmp_path / "cache"))
    labels = np.zeros((30, 28, 20), np.uint8)
    labels[4:26, 4:24, 3:17], labels[10:17, 10:17, 7:12] = 1, 2
    hu = np.select([labels == 2, labels == 1], [10, 100], -80) + np.random.default_rng(0).normal(0, 6, labels.shape)
    for name, voxels in (("ct", hu.astype(np.int16)), ("labels", labels)):
        image = nib.Nifti1Image(voxels, np.diag([3.0, 3, 3, 1]))
        image.header["descrip"] = mark
        nib.save(image, tmp_path / f"{name}.nii.gz")
    (tmp_path / "names.json").write_text('{"1": "liver", "2": "liver_cyst"}', encoding="utf-8")
    table = tmp_path / "cases.csv"
    table.write_text("scan,labels,class_map\nct.nii.gz,labels.nii.gz,names.json\n", encoding="utf-8")
    app = typer.Typer()
    index.register(app)
    words = ["index", "build", str(tmp_path / "base"), "--manifest", str(table), "--synthetic-only"]
    found = CliRunner().invoke(app, words)
    assert found.exit_code == (0 if kept else index.FAILED), found.output
    assert ("takes synthetic scans only" in found.output) == (not kept)
    with CaseBase.open(tmp_path / "base") as base:
        assert (len(base), base.manifest.synthetic_only) == (kept, True)
    assert (
        "valid for synthetic scans only" in CliRunner().invoke(app, ["index", "stats", str(tmp_path / "base")]).output
    )
