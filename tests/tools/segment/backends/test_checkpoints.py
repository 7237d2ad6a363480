"""Checkpoints are read as data; those that hold more are refused unless whoever installed them says otherwise."""

from __future__ import annotations

from collections import OrderedDict
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agent.errors import ToolError
from tools.segment.backends._nnunet_predict import find_folds, load_checkpoint

needs_torch = pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed")


def saved(path: Path, **more: Any) -> Path:
    """A checkpoint with everything that nnU-Net's trainer writes."""
    import torch

    content = {
        "network_weights": OrderedDict(weight=torch.ones(2)),
        "optimizer_state": {"state": {0: {"momentum_buffer": torch.zeros(2)}}, "param_groups": [{"lr": 0.01}]},
        "grad_scaler_state": {"scale": 65536.0, "growth_factor": 2.0},
        "logging": {"mean_fg_dice": [np.float64(0.5), np.float32(0.6)], "epoch_start_timestamps": [1.7e9]},
        "_best_ema": np.float64(0.7),
        "current_epoch": 1000,
        "init_args": {"configuration": "3d_fullres", "fold": 0, "device": torch.device("cpu"), "plans": {"a": [1]}},
        "trainer_name": "nnUNetTrainer",
        "inference_allowed_mirroring_axes": (0, 1, 2),
    }
    torch.save(content | more, path)
    return path


@needs_torch
def test_what_nnunet_writes_is_data(tmp_path: Path) -> None:
    found = load_checkpoint(saved(tmp_path / "checkpoint_final.pth"), pickles=False)
    assert found["network_weights"]["weight"].tolist() == [1.0, 1.0]
    assert found["logging"]["mean_fg_dice"][0] == 0.5
    assert found["trainer_name"] == "nnUNetTrainer"


@needs_torch
def test_what_is_more_than_data_is_refused_unless_it_is_declared(tmp_path: Path) -> None:
    path = saved(tmp_path / "checkpoint_final.pth", extra=Path("somewhere"))
    with pytest.raises(ToolError, match="pickles = true"):
        load_checkpoint(path, pickles=False)
    assert load_checkpoint(path, pickles=True)["extra"] == Path("somewhere")


@needs_torch
@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04cut off"])
def test_a_broken_checkpoint_is_a_clause(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "checkpoint_final.pth"
    path.write_bytes(content)
    with pytest.raises(ToolError, match="broken") as caught:
        load_checkpoint(path, pickles=False)
    assert "\n" not in str(caught.value)


def test_the_fold_of_all_cases_is_used_only_alone(tmp_path: Path) -> None:
    def put(fold: str) -> None:
        (tmp_path / f"fold_{fold}").mkdir()
        (tmp_path / f"fold_{fold}" / "checkpoint_final.pth").touch()

    put("all")
    assert find_folds(tmp_path) == ("all",)
    put("1")
    put("0")
    assert find_folds(tmp_path) == ("0", "1")
