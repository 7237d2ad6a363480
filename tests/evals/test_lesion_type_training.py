"""Training of the embedded classifier: rows by the run-time code, calibration, and what its record promises."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agent.errors import UsageError
from evals.embedded.data import FIRST_SEED
from evals.embedded.lesion_record import calibration_error, record, words
from evals.embedded.lesion_rows import JITTERS, PLAIN, Row, collect, jittered, of_class, phantom_case, rows_of
from evals.embedded.lesion_types import INPUTS, ORGANS, Table, fit, held_out, log_loss, temperature_for, train
from evals.phantom import make_phantom
from evals.phantom_options import LesionSpec, PhantomOptions
from evals.phantom_tissue import CLASSES, Phase
from tools.classifiers.base import Described
from tools.classifiers.config import LinearConfig, parse_config
from tools.classifiers.features import FEATURES, Features
from tools.classifiers.registry import load_classifier
from tools.ontology import load_ontology
from tools.phase import PHASES

FOLDER = files("tools").joinpath("classifiers/embedded")
KINDS = (
    "liver_cyst",
    "liver_hemangioma",
    "liver_hcc",
    "liver_metastasis",
    "pancreas_pdac",
    "kidney_cyst",
    "kidney_rcc",
)
FRESH = ((411, Phase.PORTAL), (412, Phase.ARTERIAL))
SPACING = 4.0


def recorded() -> dict[str, Any]:
    told: dict[str, Any] = json.loads(FOLDER.joinpath("lesion_types.record.json").read_text("utf-8"))
    return told


def drawn(count: int, *, seed: int = 0, types: tuple[str, ...] = ("cyst", "hcc", "metastasis")) -> list[Row]:
    """Rows whose types differ in the attenuation of the core, not without overlap."""
    rng = np.random.default_rng(seed)
    made = []
    for number in range(count):
        kind = int(rng.integers(len(types)))
        values = {name: float(rng.normal()) for name in FEATURES}
        values["core_to_organ"] = float(rng.normal(40.0 * kind, 15.0))
        phase = PHASES[number % len(PHASES)]
        made.append(Row(FIRST_SEED + number // 2, types[kind], PLAIN, Features("liver", phase, values)))
    return made


@pytest.fixture(scope="module")
def fresh() -> list[Row]:
    """Lesions of phantoms that no training saw: their seeds are below those of training."""
    made: list[Row] = []
    for seed, phase in FRESH:
        lesions = tuple(LesionSpec(type=kind) for kind in KINDS)  # type: ignore[arg-type]
        options = PhantomOptions(seed=seed, phase=phase, spacing=(SPACING,) * 3, lesions=lesions)
        phantom = make_phantom(options)
        for variant in (PLAIN, "shrunk"):
            rng = np.random.default_rng(seed)
            labels = phantom.labels if variant == PLAIN else jittered(phantom.labels, variant, rng)
            case = phantom_case(phantom.hu, labels, options.spacing)
            for name in load_types(labels):
                made += of_class(case, name, phase.value, seed, variant)
    assert len(made) >= len(KINDS)
    assert all(one.seed < FIRST_SEED for one in made)
    return made


def load_types(labels: np.ndarray[Any, Any]) -> list[str]:
    there = set(np.unique(labels).tolist())
    ontology = load_ontology()
    lesions = [name for name, value in CLASSES.items() if value in there and ontology.get(name).kind == "lesion"]
    return [name for name in lesions if not name.startswith("colon")]


@pytest.mark.slow
def test_the_stored_model_does_what_its_record_says_on_fresh_phantoms(fresh: list[Row]) -> None:
    told = record(load_classifier("embedded"), fresh)["organs"]
    before = recorded()["organs"]
    assert set(told) == set(before) == set(ORGANS)
    plain = [one["true_masks"] for one in told.values()]
    promised = [before[organ]["true_masks"]["accuracy"] for organ in told]
    right = sum(one["accuracy"] * one["lesions"] for one in plain) / sum(one["lesions"] for one in plain)
    # So few lesions tell an accuracy to one or two of them.
    assert right >= min(promised) - 0.12
    answered = [(one["accuracy_of_answered"], one["answered"] * one["lesions"]) for one in plain]
    assert sum(share * count for share, count in answered if share) / sum(n for _, n in answered) >= 0.9


@pytest.mark.slow
def test_probabilities_of_fresh_lesions_sum_to_one_and_absurd_ones_are_far(fresh: list[Row]) -> None:
    found = load_classifier("embedded")
    for one in fresh:
        answer = found.predict(Described(one.features, None, None))  # type: ignore[arg-type]
        assert sum(answer.types.values()) == pytest.approx(1.0)
        assert set(answer.types) == set(found.organs[one.features.organ])
        assert set(answer.mattered) <= set(INPUTS)
        shifted = {k: v + 900 * k.endswith("_to_organ") for k, v in one.features.values.items()}
        odd = Features(one.features.organ, one.features.phase, shifted)
        assert found.predict(Described(odd, None, None)).in_distribution is False  # type: ignore[arg-type]


def test_the_stored_model_is_small_and_is_what_its_record_is_of() -> None:
    data = FOLDER.joinpath("lesion_types.json").read_bytes()
    assert len(data) < 200_000
    config = parse_config(data, "it")
    assert isinstance(config, LinearConfig)
    assert config.valid_for == "synthetic"
    assert set(config.organs) == set(ORGANS)
    assert config.alone == {"colon": "cancer"}
    assert {*config.organs["liver"].types} == {"cyst", "hemangioma", "hcc", "metastasis"}
    told = recorded()
    assert told["version"] == config.version
    assert told["training"]["phantoms"] >= 50
    assert told["training"]["temperature"] == {o: round(m.temperature, 4) for o, m in config.organs.items()}
    assert FOLDER.joinpath("lesion_types.record.txt").read_text("utf-8") == words(told)


@pytest.mark.slow
def test_a_fit_is_calibrated_and_knows_what_is_far() -> None:
    rows, others = drawn(400), drawn(400, seed=1)
    model, _ = train(Table.of(rows, ("cyst", "hcc", "metastasis")))
    config = LinearConfig(
        backend="embedded", version="1", source="a test", licence="MIT", valid_for="synthetic", organs={"liver": model}
    )
    from tools.classifiers.backends.embedded import LinearClassifier

    told = record(LinearClassifier("it", config), others)["organs"]["liver"]["true_masks"]
    assert told["accuracy"] > 0.8
    assert told["ece"] < 0.08
    assert told["out_of_distribution"] < 0.05
    assert set(model.ood) == set(PHASES)


def test_the_weights_of_a_phase_are_the_shared_ones_and_its_own() -> None:
    table = Table.of(drawn(200, types=("cyst", "hcc")), ("cyst", "hcc"))
    fitted = fit(table, 1.0)
    assert fitted.weights.shape == (len(PHASES), 2, len(INPUTS))
    right = fitted.logits(table).argmax(axis=1) == table.y
    assert right.mean() > 0.85


def test_a_temperature_takes_back_what_is_too_sure() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (3000, 3))
    odds = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    y = np.array([rng.choice(3, p=row) for row in odds])
    assert temperature_for(4 * logits, y) == pytest.approx(4.0, rel=0.15)
    assert log_loss(4 * logits, y, 4.0) < log_loss(4 * logits, y)
    assert temperature_for(logits / 4, y) == pytest.approx(1.0, abs=0.01)


def test_the_calibration_error_is_the_mean_gap() -> None:
    odds = np.array([0.95] * 10 + [0.55] * 10)
    right = np.array([True] * 9 + [False] + [True] * 5 + [False] * 5)
    assert calibration_error(odds, right) == pytest.approx(0.05)


def test_altered_masks_lose_and_win_border_voxels_only() -> None:
    labels = np.zeros((20, 20, 20), np.uint8)
    labels[2:18, 2:18, 2:18] = CLASSES["liver"]
    labels[6:12, 6:12, 6:12] = CLASSES["liver_cyst"]
    whole = labels == CLASSES["liver_cyst"]
    sizes = {}
    for variant in JITTERS:
        changed = jittered(labels, variant, np.random.default_rng(0)) == CLASSES["liver_cyst"]
        assert changed[8:10, 8:10, 8:10].all()
        sizes[variant] = int(changed.sum())
    assert sizes["eroded"] == 4**3 < sizes["shrunk"] < int(whole.sum()) < sizes["grown"] < sizes["dilated"]


def test_rows_are_made_once_and_kept(tmp_path: Path) -> None:
    hu = np.full((40, 40, 30), -80, np.float32)
    labels = np.zeros(hu.shape, np.uint8)
    for name, box, level in (("liver", np.s_[4:36, 4:36, 4:26], 100), ("liver_cyst", np.s_[12:20, 12:20, 10:16], 8)):
        labels[box], hu[box] = CLASSES[name], level
    np.savez_compressed(tmp_path / f"{FIRST_SEED}.npz", hu=hu, labels=labels)
    kept = tmp_path / "rows.jsonl"
    made = collect([tmp_path], kept)
    assert {one.type for one in made} == {"cyst"}
    assert {one.variant for one in made} >= {PLAIN}
    assert made == list(rows_of(tmp_path / f"{FIRST_SEED}.npz"))
    assert collect([tmp_path], kept) == made
    assert len(kept.read_text().splitlines()) == 1
    with pytest.raises(UsageError, match="no training phantoms"):
        collect([tmp_path / "none"], None)


def test_a_share_of_the_phantoms_is_held_out() -> None:
    share = np.mean([held_out(seed) for seed in range(FIRST_SEED, FIRST_SEED + 500)])
    assert 0.15 < share < 0.25
