"""What the engines offer where something is missing: one clause that says what, where, and how to get it."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from evals.embedded.classes import ABDOMEN, NetworkSpec
from evals.embedded.layouts import bundle_config, bundle_metadata, plans
from tests.tools.segment.backends.tiny_make import settings_for, the_offer
from tools.ontology import load_ontology
from tools.segment.backends import _weights, load_backends
from tools.segment.backends._totalsegmentator_table import load_table
from tools.segment.backends.totalsegmentator import needs_split
from tools.segment.engine import EngineSettings, Offer

ENGINES = ("totalsegmentator", "nnunet", "monai_bundle")
Put = Callable[..., Path]


@pytest.fixture(autouse=True)
def all_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_weights, "find_spec", lambda name: object())


@pytest.fixture
def model(tmp_path: Path) -> Put:
    def put(spec: NetworkSpec = ABDOMEN, declared: str = "", **dataset: Any) -> Path:
        folder = tmp_path / "models" / f"Dataset001_{spec.name}" / "nnUNetTrainer__nnUNetPlans__3d_fullres"
        (folder / "fold_0").mkdir(parents=True)
        (folder / "fold_0" / "checkpoint_final.pth").write_bytes(b"weights")
        given = {"channel_names": {"0": "CT"}, "labels": {name: i for i, name in enumerate(spec.classes)}}
        (folder / "dataset.json").write_text(json.dumps(given | dataset), "utf-8")
        (folder / "plans.json").write_text(json.dumps(plans(spec, "Dataset001")), "utf-8")
        (folder / "tumortrace.toml").write_text(declared, "utf-8")
        return folder

    return put


@pytest.fixture
def bundle(tmp_path: Path) -> Put:
    def put(spec: NetworkSpec = ABDOMEN, **metadata: Any) -> Path:
        folder = tmp_path / "bundles" / "spleen_ct"
        (folder / "configs").mkdir(parents=True)
        (folder / "configs" / "metadata.json").write_text(json.dumps(bundle_metadata(spec) | metadata), "utf-8")
        (folder / "configs" / "inference.json").write_text(json.dumps(bundle_config(spec)), "utf-8")
        return folder

    return put


def nnunet(folder: Path, tmp_path: Path) -> Offer:
    (offer,) = load_backends()["nnunet"].offers(settings_for(tmp_path, models=(folder,)))
    return offer


def put_weights(folder: Path, *datasets: int, content: bytes = b"weights") -> None:
    for one in datasets:
        fold = folder / load_table().datasets[one].folder / "trainer__plans__3d_fullres" / "fold_0"
        fold.mkdir(parents=True, exist_ok=True)
        (fold / "checkpoint_final.pth").write_bytes(content)


def ts(tmp_path: Path) -> EngineSettings:
    return settings_for(tmp_path, totalsegmentator=tmp_path / "weights")


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_offers_import_nothing_heavy(engine: str, tmp_path: Path) -> None:
    import subprocess
    import sys

    code = (
        "import sys; from pathlib import Path; from tools.segment.backends import load_backends; "
        "from tools.segment.engine import EngineSettings; "
        f"load_backends()['{engine}'].offers(EngineSettings(cache=Path('{tmp_path}'))); "
        "print(sorted({'torch', 'monai', 'nnunetv2', 'totalsegmentator'} & set(sys.modules)))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"


def test_what_is_not_installed_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, model: Put, bundle: Put
) -> None:
    monkeypatch.setattr(_weights, "find_spec", lambda name: None)
    settings = settings_for(tmp_path, models=(model(),), bundles=(bundle(),))
    command = "it is not installed (uv pip install -c constraints.txt -c constraints-cpu.txt '.[{}]')"
    found = {name: load_backends()[name].offers(settings)[0].missing for name in ENGINES}
    extras = {"totalsegmentator": "totalsegmentator", "nnunet": "totalsegmentator", "monai_bundle": "monai"}
    assert found == {name: command.format(extra) for name, extra in extras.items()}


def test_missing_weights_name_the_folder_and_the_command(tmp_path: Path) -> None:
    put_weights(tmp_path / "weights", 591)
    offer = the_offer("totalsegmentator", ts(tmp_path), "liver_lesions")
    assert offer.missing == (
        f"{tmp_path / 'weights'} lacks Dataset297_TotalSegmentator_total_3mm_1559subj (on a machine with a network, "
        "run totalseg_download_weights -t total_fast, and copy the folders there)"
    )
    assert offer.classes == {"liver_lesion": ("liver_lesions",)}
    assert offer.max_slice_mm == 6.0


@pytest.mark.parametrize(
    ("there", "task"),
    [
        ((298,), "total_fastest"),
        ((297, 298), "total_fast"),
        ((291, 292, 293, 294, 297), "total_fast"),
        ((291, 292, 293, 294, 295, 297), "total"),
    ],
)
def test_the_finest_resolution_that_is_there_is_offered(there: tuple[int, ...], task: str, tmp_path: Path) -> None:
    put_weights(tmp_path / "weights", *there)
    offer = the_offer("totalsegmentator", ts(tmp_path), task)
    assert offer.missing is None
    assert offer.classes["pancreas"] == ("pancreas",)
    assert set(offer.classes) <= {*load_ontology().structures} | {"kidney_cyst_left", "kidney_cyst_right"}


def test_licensed_tasks_are_named_and_not_run(tmp_path: Path) -> None:
    put_weights(tmp_path / "weights", 301, 297)
    offer = the_offer("totalsegmentator", ts(tmp_path), "heartchambers_highres")
    assert offer.missing is not None
    assert "licence" in offer.missing
    assert "licence" in offer.licence


def test_versions_follow_the_content_of_the_weights(tmp_path: Path) -> None:
    put_weights(tmp_path / "weights", 298)
    first = the_offer("totalsegmentator", ts(tmp_path), "total_fastest").version
    assert the_offer("totalsegmentator", ts(tmp_path), "total_fastest").version == first
    put_weights(tmp_path / "weights", 298, content=b"others!")
    assert the_offer("totalsegmentator", ts(tmp_path), "total_fastest").version != first


def test_a_declaration_beside_the_weights_limits_them(tmp_path: Path) -> None:
    put_weights(tmp_path / "weights", 298)
    folder = tmp_path / "weights" / load_table().datasets[298].folder
    (folder / "tumortrace.toml").write_text('synthetic_only = true\nclasses = ["liver", "spleen"]\n', "utf-8")
    offer = the_offer("totalsegmentator", ts(tmp_path), "total_fastest")
    assert offer.synthetic_only
    assert set(offer.classes) == {"liver", "spleen"}


def test_a_crop_by_synthetic_weights_makes_a_task_synthetic(tmp_path: Path) -> None:
    put_weights(tmp_path / "weights", 8, 298)
    folder = tmp_path / "weights" / load_table().datasets[298].folder
    (folder / "tumortrace.toml").write_text("synthetic_only = true\n", "utf-8")
    assert the_offer("totalsegmentator", ts(tmp_path), "liver_vessels").synthetic_only


@pytest.mark.parametrize("content", ["synthetic_only = 7", "unknown = 1", "not toml", 'title = "model 7"'])
def test_a_broken_declaration_is_missing_and_not_ignored(content: str, tmp_path: Path, model: Put) -> None:
    offer = nnunet(model(declared=content), tmp_path)
    assert offer.missing is not None
    assert "tumortrace.toml" in offer.missing


def test_the_table_is_what_the_installed_totalsegmentator_does() -> None:
    if find_spec("totalsegmentator") is None:
        pytest.skip("TotalSegmentator is not installed")
    from totalsegmentator.map_tasks_config import TASK_CONFIGS, TASK_ID_WEIGHTS_CONFIGS
    from totalsegmentator.map_to_binary import class_map

    table = load_table()
    for ident, row in table.datasets.items():
        assert TASK_ID_WEIGHTS_CONFIGS[ident]["foldername"] == row.folder
    for task in table.task:
        for variant in task.variant:
            config: Any = TASK_CONFIGS[variant.call["task"]]
            mode = next((one for one in ("fast", "fastest") if variant.call.get(one)), "default")
            used = config.get("sub_modes", {}).get(mode, config)
            ids = used["task_id"] if isinstance(used["task_id"], list) else [used["task_id"]]
            assert set(task.class_names()) - {"background"} == set(class_map[variant.call["task"]].values())
            assert variant.datasets == tuple(ids)
            assert bool(variant.crops) == bool(config.get("crop"))
            assert (variant.crops[:1] == (297,)) == bool(config.get("robust_crop"))
            assert bool(config.get("commercial")) == task.licensed
            if isinstance(used.get("resample"), float):
                assert variant.spacing == used["resample"]


@pytest.mark.parametrize(
    ("shape", "target", "heads", "split"),
    [
        ((512, 512, 700), 1.5, 30, True),
        ((512, 512, 700), 6.0, 118, False),
        ((512, 512, 100), 1.5, 118, False),
        ((60, 60, 60), 1.5, 118, False),
    ],
)
def test_only_large_scans_are_split(shape: tuple[int, int, int], target: float, heads: int, split: bool) -> None:
    assert needs_split(shape, (0.9, 0.9, 1.5), target, heads) is split


def test_an_nnunet_model_names_its_classes(tmp_path: Path, model: Put) -> None:
    declared = 'synthetic_only = true\nlicence = "Apache-2.0"\nphases = ["portal"]\nmax_slice_mm = 3.0\nrank = 7\n'
    offer = nnunet(model(declared=declared), tmp_path)
    assert offer.missing is None
    assert offer.classes["liver_hcc"] == ("liver_hcc",)
    assert (offer.synthetic_only, offer.licence, offer.phases) == (True, "Apache-2.0", ("portal",))
    assert (offer.max_slice_mm, offer.rank) == (3.0, 7)


def test_regions_share_values(tmp_path: Path, model: Put) -> None:
    labels = {"background": 0, "kidney": [1, 2, 3], "masses": [2, 3], "tumor": 2}
    offer = nnunet(model(labels=labels, regions_class_order=[1, 3, 2]), tmp_path)
    assert offer.options["names"] == {"1": "kidney", "3": "masses", "2": "tumor"}
    assert set(offer.classes["kidney"]) == {"kidney", "masses", "tumor"}


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (("liver", "tumor"), {"liver": ("liver",), "liver_tumor": ("tumor",)}),
        (("liver", "tumor", "zzz"), {"liver": ("liver",), "tumor": ("tumor",)}),
        (("liver", "pancreas", "tumor"), {"liver": ("liver",), "pancreas": ("pancreas",), "tumor": ("tumor",)}),
    ],
)
def test_a_tumour_beside_nothing_but_an_organ_lies_in_it(
    labels: tuple[str, ...], classes: dict[str, tuple[str, ...]], tmp_path: Path, model: Put
) -> None:
    given = {"background": 0, **{name: value for value, name in enumerate(labels, 1)}}
    assert nnunet(model(labels=given), tmp_path).classes == classes


@pytest.mark.parametrize(
    ("dataset", "clause"),
    [
        ({"channel_names": {"0": "T1"}}, "does not take one CT"),
        ({"channel_names": {"0": "CT", "1": "PET"}}, "does not take one CT"),
        ({"labels": {}}, "names no labels"),
        ({"labels": {"background": 0, "liver": "one"}}, "are not numbers"),
        ({"labels": {"background": 0, "liver": [1, 2]}}, "regions_class_order"),
        ({"labels": {"background": 0, "liver": [1, 2]}, "regions_class_order": ["one"]}, "are not numbers"),
        ({"labels": {"background": 0, "liver": [1, 2]}, "regions_class_order": 7}, "are not numbers"),
        ({"labels": {"background": 0, "liver": 1, "spleen": 1}}, "have the same value"),
        ({"labels": {"background": 0, "liver": 65537}}, "are not all from 0 to 65535"),
        ({"labels": {"background": 0, "liver": -1}}, "are not all from 0 to 65535"),
        ({"labels": {"background": 0, "liver": float("inf")}}, "are not numbers"),
    ],
)
def test_a_model_for_something_else_says_why(dataset: dict[str, Any], clause: str, tmp_path: Path, model: Put) -> None:
    missing = nnunet(model(**dataset), tmp_path).missing
    assert missing is not None
    assert clause in missing


def test_folders_of_the_same_name_are_different_tasks(tmp_path: Path, model: Put, bundle: Put) -> None:
    folder = bundle()
    offers = load_backends()["monai_bundle"].offers(settings_for(tmp_path, bundles=(folder, folder)))
    assert [one.task for one in offers] == ["spleen_ct", "spleen_ct_2"]
    assert not any(character.isdigit() for one in offers for character in one.title)


def test_a_bundle_names_its_classes_and_licence(tmp_path: Path, bundle: Put) -> None:
    (offer,) = load_backends()["monai_bundle"].offers(settings_for(tmp_path, bundles=(bundle(),)))
    assert offer.missing is None
    assert offer.licence == "Apache-2.0"
    assert offer.classes["pancreas"] == ("pancreas",)


def test_a_bundle_for_something_else_says_why(tmp_path: Path, bundle: Put) -> None:
    data = bundle_metadata(ABDOMEN)["network_data_format"]
    data["inputs"]["image"]["modality"] = "MR"
    (offer,) = load_backends()["monai_bundle"].offers(
        settings_for(tmp_path, bundles=(bundle(network_data_format=data),))
    )
    assert offer.missing == "it does not take one CT as its only input (modality MR, 1 channels)"


@pytest.mark.parametrize(
    "channels", [{"1": "l" * 300}, {"1": "liver", "01": "spleen"}, {"70000": "liver"}, {"-1": "liver"}]
)
def test_a_bundle_with_impossible_channels_is_missing(channels: dict[str, str], tmp_path: Path, bundle: Put) -> None:
    data = bundle_metadata(ABDOMEN)["network_data_format"]
    data["outputs"]["pred"]["channel_def"] = channels
    (offer,) = load_backends()["monai_bundle"].offers(
        settings_for(tmp_path, bundles=(bundle(network_data_format=data),))
    )
    assert offer.missing is not None


def test_folders_that_are_not_there_are_said(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    settings = settings_for(tmp_path, models=(gone,), bundles=(gone,))
    for engine in ("nnunet", "monai_bundle"):
        assert load_backends()[engine].offers(settings)[0].missing == f"there is no folder {gone}"
