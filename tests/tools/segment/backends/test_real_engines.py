"""The engines' own code, run in a process of its own with the weights of a tiny network in their layouts."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agent.errors import ToolError
from evals.embedded.layouts import write_bundle, write_nnunet, write_totalsegmentator
from tests.tools.segment.backends.tiny_make import (
    FINER,
    TINY,
    direct,
    oriented,
    segment,
    settings_for,
    straight,
    the_offer,
    tiny_weights,
)
from tools.segment.engine import EngineSettings, Offer, Segmented

pytestmark = pytest.mark.slow
if any(find_spec(module) is None for module in ("torch", "totalsegmentator", "nnunetv2", "monai", "ignite")):
    pytest.skip("the engines are not installed", allow_module_level=True)

RAS = ((0, 1, 2), (False, False, False))
TURNED = ((2, 0, 1), (True, False, True))
TASKS = {"totalsegmentator": "total_fastest", "nnunet": "dataset001_tiny", "monai_bundle": "embedded_tiny"}


@pytest.fixture(scope="module")
def weights() -> dict[str, Any]:
    return tiny_weights()


@pytest.fixture(scope="module")
def settings(weights: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> EngineSettings:
    folder = tmp_path_factory.mktemp("engines")
    write_totalsegmentator(TINY, weights, folder / "totalsegmentator")
    return settings_for(
        folder,
        totalsegmentator=folder / "totalsegmentator",
        models=(write_nnunet(TINY, weights, folder / "models"),),
        bundles=(write_bundle(TINY, weights, folder / "bundles"),),
    )


def as_classes(made: Segmented) -> Any:
    """Labels as indices into the tiny network's classes; what it sees and the engine cannot name is background."""
    table = np.zeros(256, dtype=np.uint8)
    for value, name in made.names.items():
        if name in TINY.classes:
            table[value] = TINY.classes.index(name)
    return table[made.labels]


def expected(weights: dict[str, Any], offer: Offer) -> Any:
    seen = direct(weights)
    named = {name for names in offer.classes.values() for name in names}
    return np.where(np.isin(seen, [i for i, name in enumerate(TINY.classes) if name in named]), seen, 0)


@pytest.mark.parametrize("way", [RAS, TURNED], ids=["RAS", "turned"])
@pytest.mark.parametrize("backend", sorted(TASKS))
def test_an_engine_gives_what_its_network_gives(
    backend: str, way: Any, settings: EngineSettings, weights: dict[str, Any]
) -> None:
    offer = the_offer(backend, settings, TASKS[backend])
    assert offer.missing is None
    assert offer.synthetic_only
    told: list[str] = []
    scan = oriented(*way)
    made = segment(offer, scan, settings, told)
    assert made.labels.shape == scan.grid.shape
    seen, wanted = straight(as_classes(made), *way), expected(weights, offer)
    assert len(np.unique(wanted)) > 2
    # Logits are summed in half precision, and this network was trained by nobody: where two classes are nearly as
    # good, voxels may differ (1.1 % of them did).
    assert np.mean(seen == wanted) > 0.98
    assert any("patches" in one for one in told)


def test_a_finer_scan_is_resampled_and_brought_back(tmp_path: Path) -> None:
    finer = tiny_weights(FINER)
    settings = settings_for(tmp_path, models=(write_nnunet(TINY, finer, tmp_path / "models"),))
    scan = oriented(*RAS, FINER)
    made = segment(the_offer("nnunet", settings, TASKS["nnunet"]), scan, settings)
    assert made.labels.shape == scan.grid.shape
    assert set(made.names.values()) == set(TINY.classes[1:])


def test_a_broken_checkpoint_is_a_clause(tmp_path: Path, weights: dict[str, Any]) -> None:
    folder = write_nnunet(TINY, weights, tmp_path / "models")
    (folder / "fold_0" / "checkpoint_final.pth").write_bytes(b"not a checkpoint")
    settings = settings_for(tmp_path, models=(folder,))
    with pytest.raises(ToolError, match=r"checkpoint_final\.pth is broken or holds more than weights") as caught:
        segment(the_offer("nnunet", settings, TASKS["nnunet"]), oriented(*RAS), settings)
    assert "\n" not in str(caught.value)


def test_a_configuration_that_raises_is_a_clause(tmp_path: Path, weights: dict[str, Any]) -> None:
    folder = write_bundle(TINY, weights, tmp_path / "bundles")
    path = folder / "configs" / "inference.json"
    config = json.loads(path.read_text("utf-8"))
    config["initialize"] = ["$[].index(1)"]
    path.write_text(json.dumps(config), "utf-8")
    settings = settings_for(tmp_path, bundles=(folder,))
    with pytest.raises(ToolError, match="the configuration of the bundle broke off with ValueError") as caught:
        segment(the_offer("monai_bundle", settings, TASKS["monai_bundle"]), oriented(*RAS), settings)
    assert "\n" not in str(caught.value)
