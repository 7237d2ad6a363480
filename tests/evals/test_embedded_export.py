"""What comes with the program is the network that was trained: PyTorch and onnxruntime say the same of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from evals.embedded.classes import ABDOMEN, NETWORKS, ORGANS
from evals.embedded.export import restored
from evals.embedded.network import build
from tools.segment.backends.embedded import INPUT, OUTPUT, weights

FOLDER = Path(__file__).resolve().parents[2] / "tools/segment/embedded"


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_both_runtimes_agree(name: str) -> None:
    torch = pytest.importorskip("torch")
    onnxruntime = pytest.importorskip("onnxruntime")
    spec = NETWORKS[name]
    network = build(spec)
    network.load_state_dict(restored(spec, FOLDER / f"{name}.onnx"))
    network.eval()
    patch = np.random.default_rng(0).uniform(0, 4, (1, 1, 24, 16, 32)).astype(np.float32)
    with torch.no_grad():
        wanted = network(torch.from_numpy(patch)).numpy()
    session = onnxruntime.InferenceSession(weights(name), providers=["CPUExecutionProvider"])
    found = session.run([OUTPUT], {INPUT: patch})[0]
    assert found.shape == (1, len(spec.classes), 24, 16, 32)
    np.testing.assert_allclose(found, wanted, atol=2e-3)


@pytest.mark.slow
def test_weights_of_another_network_are_refused() -> None:
    pytest.importorskip("torch")
    with pytest.raises((ValueError, RuntimeError), match=r"size mismatch|holds no"):
        restored(ORGANS, FOLDER / f"{ABDOMEN.name}.onnx")
