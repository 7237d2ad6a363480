"""What the layouts say of a network is what the network does."""

from __future__ import annotations

import json
import tomllib
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

from evals.embedded.classes import ABDOMEN, ORGANS, NetworkSpec
from evals.embedded.layouts import DATASETS, UNUSED, bundle_config, bundle_metadata, place_heads, plans
from tools.segment.class_maps import load_class_map

SPECS = pytest.mark.parametrize("spec", [ORGANS, ABDOMEN], ids=lambda one: str(one.name))
torch_only = pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed")


def normalised(hu: Any, described: dict[str, float]) -> Any:
    """As nnU-Net's CTNormalization does it."""
    clipped = np.clip(hu, described["percentile_00_5"], described["percentile_99_5"])
    return (clipped - described["mean"]) / max(described["std"], 1e-8)


@SPECS
def test_plans_normalise_as_the_network_has_learned(spec: NetworkSpec) -> None:
    hu = np.linspace(-1100, 1500, 261)
    low, high = spec.window
    described = plans(spec, "Dataset001")["foreground_intensity_properties_per_channel"]["0"]
    np.testing.assert_allclose(normalised(hu, described), (np.clip(hu, low, high) - low) / spec.scale)
    # Where a scan is smaller than a patch it is padded with zeros, which have to be air.
    assert normalised(np.array([-1000.0]), described)[0] == 0


@SPECS
def test_a_bundle_scales_as_the_network_has_learned(spec: NetworkSpec) -> None:
    (scale,) = [
        one for one in bundle_config(spec)["preprocessing"]["transforms"] if one["_target_"] == "ScaleIntensityRanged"
    ]
    low, high = spec.window
    hu = np.linspace(-1100, 1500, 261)
    share = np.clip((hu - scale["a_min"]) / (scale["a_max"] - scale["a_min"]), 0, 1)
    made = share * (scale["b_max"] - scale["b_min"]) + scale["b_min"]
    np.testing.assert_allclose(made, (np.clip(hu, low, high) - low) / spec.scale, atol=1e-12)


@SPECS
def test_a_bundle_names_the_classes_in_their_order(spec: NetworkSpec) -> None:
    outputs = bundle_metadata(spec)["network_data_format"]["outputs"]["pred"]
    assert [outputs["channel_def"][str(index)] for index in range(len(spec.classes))] == list(spec.classes)
    assert outputs["num_channels"] == bundle_config(spec)["network_def"]["num_classes"]


@pytest.mark.slow
@torch_only
def test_heads_move_and_the_others_never_win() -> None:
    import torch

    weights = {
        "decoder.seg_layers.0.weight": torch.arange(3.0).reshape(3, 1, 1, 1, 1),
        "decoder.seg_layers.0.bias": torch.tensor([1.0, 2.0, 3.0]),
        "encoder.weight": torch.ones(2),
    }
    made = place_heads(weights, {0: 0, 1: 4, 2: 2}, 6)
    assert made["decoder.seg_layers.0.bias"].tolist() == [1.0, UNUSED, 3.0, UNUSED, 2.0, UNUSED]
    assert made["decoder.seg_layers.0.weight"].flatten().tolist() == [0.0, 0.0, 2.0, 0.0, 1.0, 0.0]
    assert made["encoder.weight"].tolist() == [1.0, 1.0]


@torch_only
def test_totalsegmentators_own_values_are_kept_and_only_what_is_known_is_declared(tmp_path: Path) -> None:
    from evals.embedded.layouts import load_weights, write_totalsegmentator
    from evals.embedded.network import build

    spec = replace(ORGANS, features=(4, 8), members=MappingProxyType({}))
    folder = write_totalsegmentator(spec, build(spec).state_dict(), tmp_path)
    assert folder.name == DATASETS[6.0]
    (model,) = folder.glob("*__*")
    labels = json.loads((model / "dataset.json").read_text("utf-8"))["labels"]
    own = {name: value for value, name in load_class_map("total").rows}
    assert {name: labels[name] for name in own} == own
    declared = tomllib.loads((folder / "tumortrace.toml").read_text("utf-8"))
    assert declared["synthetic_only"] is True
    assert set(declared["classes"]) == set(ORGANS.classes) & set(own)
    weights = load_weights(model / "fold_0" / "checkpoint_final.pth", spec)["network_weights"]
    assert weights["decoder.seg_layers.0.bias"].shape == (len(labels),)
