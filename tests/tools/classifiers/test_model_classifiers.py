"""Classifiers of the user's own: configuration, backends, and what is refused."""

from __future__ import annotations

import hashlib
import importlib.util
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import ToolError, UsageError
from tools.classifiers.base import Described, ontology_type, shared_out, softmax
from tools.classifiers.config import MAX_CONFIG, parse_config
from tools.classifiers.distance import Mahalanobis
from tools.classifiers.features import FEATURES, Features
from tools.classifiers.registry import classifier_digest, classifier_names, load_classifier

INPUTS = ("core_hu", "organ_hu", "phase_portal")
WEIGHTS = np.array([[-0.1, 0.0, 0.0], [0.1, -0.02, 0.5]], dtype=np.float32)
Add = Callable[..., Path]


def lesion(core: float = 10.0, organ: str = "liver") -> Described:
    values = {**dict.fromkeys(FEATURES, 0.0), "core_hu": core, "organ_hu": 100.0}
    return Described(Features(organ, "portal", values), None, None)  # type: ignore[arg-type]


def onnx_bytes(weights: np.ndarray[Any, Any] = WEIGHTS, node: str = "Gemm") -> bytes:
    from onnx import TensorProto, helper, numpy_helper

    k = weights.shape[1]
    model = helper.make_model(
        helper.make_graph(
            [helper.make_node(node, ["x", "w"], ["y"], **({"transB": 1} if node == "Gemm" else {}))],
            "linear",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, k])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, len(weights)])],
            [numpy_helper.from_array(weights, "w")],
        ),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=9,
    )
    return bytes(model.SerializeToString())


@pytest.fixture
def add(tmp_path: Path) -> Add:
    def write(name: str = "own", data: bytes | None = None, **changes: Any) -> Path:
        content = onnx_bytes() if data is None else data
        config: dict[str, Any] = {
            "backend": "onnx", "version": "3", "source": "our classifier", "licence": "MIT", "valid_for": "any",
            "file": "model.onnx", "sha256": hashlib.sha256(content).hexdigest(), "organs": ["liver"],
            "types": ["cyst", "hepatocellular carcinoma"], "features": list(INPUTS),
        }  # fmt: skip
        config |= changes
        (tmp_path / name).mkdir(exist_ok=True)
        (tmp_path / name / config["file"]).write_bytes(content)
        (tmp_path / name / "classifier.json").write_text(json.dumps({k: v for k, v in config.items() if v is not None}))
        return tmp_path

    return write


def test_an_onnx_model_is_run_on_named_features(add: Add) -> None:
    folder = add()
    found = load_classifier("own", folder)
    assert (found.name, found.version, found.valid_for) == ("own", "3", "any")
    assert found.organs == {"liver": ("cyst", "hcc")}
    answer = found.predict(lesion(10.0))
    assert answer.types == pytest.approx(dict(zip(("cyst", "hcc"), softmax(np.array([-1.0, -0.5])), strict=True)))
    assert (answer.best, answer.in_distribution, answer.mattered) == ("hcc", None, ())
    assert load_classifier("own", add(temperature=5.0)).predict(lesion(10.0)).types["hcc"] < answer.types["hcc"]


def test_inputs_are_standardised_and_their_distance_is_told(add: Add) -> None:
    eye = np.eye(3).tolist()
    folder = add(
        mean=[0, 0, 0], scale=[10, 100, 1], ood={"means": [[1, 1, 1]], "precision": eye, "limit": 2, "quantile": 0.99}
    )
    found = load_classifier("own", folder)
    near, far = found.predict(lesion(10.0)), found.predict(lesion(500.0))
    assert near.distance == pytest.approx(0.0, abs=1e-9)
    assert near.in_distribution is True
    assert far.distance == pytest.approx(49.0)
    assert far.in_distribution is False


def test_an_embedding_is_the_input(add: Add) -> None:
    from tests.case_make import boxes_case
    from tools.encode import embed, load_encoder
    from tools.look import tissue

    boxes = {"liver": np.s_[2:20, 2:20, 2:18], "liver_lesion": np.s_[6:12, 6:12, 6:12]}
    case = boxes_case((24, 24, 20), boxes, spacing=(2, 2, 2), hu={"liver": 100, "liver_lesion": 20})
    assert case.labels is not None
    region = case.labels.region(((0, 2),))
    assert region is not None
    vector = embed(case.scan, region, load_encoder("descriptor"))
    weights = np.stack([np.zeros(len(vector)), vector / np.linalg.norm(vector)]).astype(np.float32)
    folder = add(data=onnx_bytes(weights), features=None, embedding={"encoder": "descriptor", "size": len(vector)})
    shown = Described(lesion().features, case.scan, region, tissue(case, "liver"))
    odds = load_classifier("own", folder).predict(shown).types
    assert odds["hcc"] == pytest.approx(1 / (1 + np.exp(-np.linalg.norm(vector))), rel=1e-4)
    other = add(data=onnx_bytes(weights), features=None, embedding={"encoder": "descriptor", "size": len(vector) + 1})
    with pytest.raises(UsageError, match="one float input"):
        load_classifier("own", other)


@pytest.mark.parametrize(("changes", "words"), [
    ({"types": ["cyst", "carcinosis"]}, "carcinosis"),
    ({"types": ["cyst"]}, "types"),
    ({"organs": ["thing"]}, "thing"),
    ({"organs": ["kidney_left"]}, "kidney_left"),
    ({"features": ["colour"]}, "colour"),
    ({"features": ["core_hu", "organ_hu"]}, "one float input"),
    ({"features": None}, "either features or an embedding"),
    ({"sha256": "0" * 64}, "sha256"),
    ({"file": "../x.onnx"}, "file"),
    ({"source": "classifier 3"}, "source"),
    ({"surplus": 1}, "surplus"),
    ({"mean": [0, 0, 0]}, "both mean and scale"),
    ({"mean": [0, 0], "scale": [1, 1]}, "fit the inputs"),
    ({"temperature": 0}, "temperature"),
    ({"output_name": "z"}, "'z'"),
    ({"data": b"no model"}, "no ONNX model"),
    ({"backend": "pickle"}, "pickle|backend"),
    ({"backend": "torchscript", "data": b"x"}, "no TorchScript|needs torch"),
])  # fmt: skip
def test_what_can_not_be_used_is_refused_in_one_sentence(add: Add, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        load_classifier("own", add(**changes))
    assert "\n" not in str(caught.value)


def test_names_are_no_paths(add: Add, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = add()
    assert classifier_names(folder) == ("embedded", "own")
    for name in ("../own", "own/../own", str(folder / "own"), "", "else"):
        with pytest.raises(UsageError, match="There is no classifier"):
            load_classifier(name, folder)
    monkeypatch.delenv("TUMORTRACE_CLASSIFIERS", raising=False)
    with pytest.raises(UsageError, match="TUMORTRACE_CLASSIFIERS"):
        load_classifier("own")
    monkeypatch.setenv("TUMORTRACE_CLASSIFIERS", str(folder))
    before = classifier_digest("own")
    add(temperature=2.0)
    assert classifier_digest("own") != before
    assert classifier_digest("embedded") not in {before, classifier_digest("own")}


def test_a_configuration_has_a_size() -> None:
    with pytest.raises(UsageError, match="larger"):
        parse_config(b" " * (MAX_CONFIG + 1), "it")


def test_output_that_is_no_answer_is_a_failure_of_the_tool(add: Add) -> None:
    with pytest.raises(ToolError, match="no probabilities"):
        load_classifier("own", add(output="probabilities")).predict(lesion())
    broken = np.full((2, 3), np.nan, np.float32)
    with pytest.raises(ToolError, match="finite"):
        load_classifier("own", add(data=onnx_bytes(broken))).predict(lesion())
    with pytest.raises(ToolError, match="finite"):
        load_classifier("own", add(types=["cyst", "hcc", "metastasis"])).predict(lesion())


def test_a_model_that_breaks_while_it_runs_is_a_failure_of_the_tool(add: Add) -> None:
    from onnx import TensorProto, helper

    graph = helper.make_graph(
        [helper.make_node("Reshape", ["x", "shape"], ["y"])],
        "breaks",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [helper.make_tensor("shape", TensorProto.INT64, [1], [2])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    with pytest.raises(ToolError, match="could not be run"):
        load_classifier("own", add(data=bytes(model.SerializeToString()))).predict(lesion())


def zipped(content: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("schema.json", content)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "words"),
    [(b"x", "zip archives"), (zipped(b" " * 5000), "unpacks to more"), (zipped(b"{}"), "no estimator")],
)
def test_a_file_that_is_none_of_skops_is_refused(
    add: Add, monkeypatch: pytest.MonkeyPatch, data: bytes, words: str
) -> None:
    backend = importlib.import_module("tools.classifiers.backends.skops")

    def broken(**_: object) -> list[str]:
        raise KeyError("content")

    monkeypatch.setattr(backend, "find_spec", lambda name: name)
    monkeypatch.setattr(backend, "import_module", lambda _: SimpleNamespace(get_untrusted_types=broken))
    monkeypatch.setattr(backend, "MAX_MODEL", 1000)
    with pytest.raises(UsageError, match=words):
        load_classifier("own", add(backend="skops", data=data))


@pytest.mark.skipif(importlib.util.find_spec("skops") is not None, reason="skops is installed")
def test_skops_says_how_to_install_it(add: Add) -> None:
    with pytest.raises(UsageError, match="pip install skops"):
        load_classifier("own", add(backend="skops"))


@pytest.mark.slow
def test_a_torchscript_model_gives_what_the_onnx_model_gives(add: Add, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    layer = torch.nn.Linear(3, 2, bias=False)
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(WEIGHTS))
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.trace(layer, torch.zeros(1, 3)), tmp_path / "model.pt")
    expected = load_classifier("own", add()).predict(lesion()).types
    folder = add(data=(tmp_path / "model.pt").read_bytes(), backend="torchscript", file="model.pt")
    assert load_classifier("own", folder).predict(lesion()).types == pytest.approx(expected)


def test_synonyms_are_one_type_and_their_shares_are_added() -> None:
    names = ("HCC", "hepatocellular carcinoma", "simple cyst", "pNET", "metastases")
    assert [ontology_type(name, "it") for name in names] == ["hcc", "hcc", "cyst", "pnet", "metastasis"]
    assert shared_out(("hcc", "hcc", "cyst"), np.array([0.25, 0.5, 0.25])) == {"hcc": 0.75, "cyst": 0.25}


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=8))
def test_probabilities_sum_to_one(logits: list[float]) -> None:
    odds = softmax(np.array(logits))
    assert np.isfinite(odds).all()
    assert odds.sum() == pytest.approx(1.0)


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=2))
def test_the_nearest_centre_counts(values: list[float]) -> None:
    cloud = Mahalanobis(means=((0.0, 0.0), (3.0, 4.0)), precision=((1.0, 0.0), (0.0, 1.0)), limit=1.0, quantile=0.9)
    at = np.array(values)
    assert cloud.distance(at) == pytest.approx(min(np.linalg.norm(at), np.linalg.norm(at - [3, 4])))


def test_what_is_no_number_is_far_from_everything() -> None:
    cloud = Mahalanobis(means=((0.0, 0.0),), precision=((1.0, 0.0), (0.0, 1.0)), limit=1.0, quantile=0.9)
    for at in ([np.nan, 0.0], [np.inf, 0.0]):
        assert cloud.distance(np.array(at)) == np.inf


@pytest.mark.parametrize(
    "precision", [[[1, 2], [0, 1]], [[-1, 0], [0, 1]], [[1, 0, 0]], [[0, 0], [0, 0]], [[1, 0], [0, 0]]]
)
def test_a_precision_is_symmetric_and_positive(precision: list[list[float]]) -> None:
    with pytest.raises(ValueError, match="precision"):
        Mahalanobis.model_validate({"means": [[0, 0]], "precision": precision, "limit": 1, "quantile": 0.9})
