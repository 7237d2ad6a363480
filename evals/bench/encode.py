"""How long each encoder takes for one lesion, and what keeping its vectors saves.

    python -m evals.bench.encode [--with-torch]

Networks are tiny and random, made in the run; they show the cost of the path around them. Seconds are of processor
time over all threads, the shortest of a few runs, so that loading and first calls do not count; torch runs on one
thread. The store's file was just written, so it is read from memory. Astra is left out where it is not installed.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from agent.errors import UsageError
from tools.array_store import ArrayStore
from tools.crop import crop_roi
from tools.encode import embed, load_encoder
from tools.encoders.protocol import Encoder
from tools.volume import Grid, Orientation, Region, Scan, ScanHeader

SIDE = 64
SHAPE = (160, 160, 80)
SPACING = (1.0, 1.0, 2.5)


def make_scan() -> tuple[Scan, Region]:
    """A noisy body with an ellipsoid lesion of 44 × 36 × 40 mm."""
    rng = np.random.default_rng(0)
    hu = rng.normal(40, 15, SHAPE).astype(np.int16)
    i, j, k = np.ogrid[: SHAPE[0], : SHAPE[1], : SHAPE[2]]
    mask = ((i - 80) / 22) ** 2 + ((j - 80) / 18) ** 2 + ((k - 40) / 8) ** 2 <= 1
    hu[mask] += 50
    orientation = Orientation(np.array([[0.0, 1], [1, 1], [2, 1]]), SHAPE)
    box = (slice(0, SHAPE[0]), slice(0, SHAPE[1]), slice(0, SHAPE[2]))
    return Scan(hu, Grid(SHAPE, np.diag([*SPACING, 1.0])), orientation, ScanHeader("nifti")), Region(box, mask)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--with-torch", action="store_true", help="also TorchScript, MONAI and astra")
    chosen = parser.parse_args()
    console = Console(highlight=False, soft_wrap=True, markup=False)
    scan, region = make_scan()
    cropping = _seconds(lambda: crop_roi(scan, region), 3)
    console.print(f"crop: {cropping:.3f} s")
    with tempfile.TemporaryDirectory() as folder:
        makers: dict[str, Callable[[Path], str | Path]] = {"descriptor": lambda _: "descriptor", "onnx (tiny)": _onnx}
        if chosen.with_torch and importlib.util.find_spec("torch"):
            makers |= {"torchscript (tiny)": _torchscript, "monai resnet10": _resnet10, "astra": lambda _: "astra"}
        for title, make in makers.items():
            place = Path(folder) / title.split()[0]
            place.mkdir()
            try:
                encoder = load_encoder(make(place))
            except (UsageError, ImportError) as error:
                console.print(f"{title}: left out ({error})")
                continue
            _report(console, title, encoder, scan, region, ArrayStore(place / "store"))


def _report(console: Console, title: str, encoder: Encoder, scan: Scan, region: Region, store: ArrayStore) -> None:
    scan.digest  # noqa: B018  (it is hashed once a scan, whatever is encoded)
    fresh = _seconds(lambda: embed(scan, region, encoder), 3)
    embed(scan, region, encoder, store)
    kept = _seconds(lambda: embed(scan, region, encoder, store), 5)
    console.print(
        f"{title}: {fresh:.3f} s with its crop, {kept:.4f} s from the store ({fresh / kept:.0f} times faster), "
        f"{encoder.dimension} values"
    )


def _seconds(work: Callable[[], object], repeat: int) -> float:
    """The shortest processor time in seconds."""
    taken = []
    for _ in range(repeat):
        begin = time.process_time()
        work()
        taken.append(time.process_time() - begin)
    return min(taken)


def _write(folder: Path, **told: Any) -> Path:
    common = {"name": "bench", "size": [SIDE] * 3}
    (folder / "encoder.json").write_text(json.dumps(common | told))
    return folder


def _onnx(folder: Path) -> Path:
    import onnx  # noqa: PLC0415  (only where it is measured)

    weights = np.random.default_rng(0).normal(size=(16, 1, 3, 3, 3)).astype(np.float32)
    make, kind = onnx.helper, onnx.TensorProto.FLOAT
    graph = make.make_graph(
        [make.make_node("Conv", ["x", "w"], ["y"], kernel_shape=[3, 3, 3], strides=[2, 2, 2])],
        "tiny",
        [make.make_tensor_value_info("x", kind, [1, 1, SIDE, SIDE, SIDE])],
        [make.make_tensor_value_info("y", kind, None)],
        [onnx.numpy_helper.from_array(weights, "w")],
    )
    model = make.make_model(graph, opset_imports=[make.make_opsetid("", 17)], ir_version=9)
    (folder / "net.onnx").write_bytes(model.SerializeToString())
    return _write(folder, backend="onnx", weights="net.onnx", threads=1)


def _torchscript(folder: Path) -> Path:
    import torch  # noqa: PLC0415  (only where it is measured)

    torch.set_num_threads(1)
    net = torch.nn.Sequential(torch.nn.Conv3d(1, 16, 3, stride=2), torch.nn.ReLU()).eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.trace(net, torch.zeros(1, 1, SIDE, SIDE, SIDE)), str(folder / "net.pt"))
    return _write(folder, backend="torchscript", weights="net.pt")


def _resnet10(folder: Path) -> Path:
    import torch  # noqa: PLC0415  (only where it is measured)
    from monai.networks.nets import resnet10  # noqa: PLC0415

    arguments = {"spatial_dims": 3, "n_input_channels": 1, "feed_forward": False}
    torch.save(resnet10(**arguments).state_dict(), folder / "net.pt")
    network = {"_target_": "resnet10", "arguments": arguments}
    return _write(folder, backend="monai", weights="net.pt", network=network)


if __name__ == "__main__":
    main()
