"""Names of structures: identifiers are fixed points, names lead back to them, sides are kept."""

from __future__ import annotations

from importlib.resources import files

import pytest
import yaml

from tools.ontology import load_ontology
from tools.text import words

ONTOLOGY = load_ontology()


def total_names() -> list[str]:
    text = files("tools").joinpath("segment/class_maps/total.yaml").read_text(encoding="utf-8")
    return list(yaml.safe_load(text)["labels"].values())


def test_the_117_classes_are_their_own_canonical_names() -> None:
    names = total_names()
    assert len(names) == len(set(names)) == 117
    for name in names:
        assert ONTOLOGY.normalise(name) == name
        assert ONTOLOGY.get(name).kind != "user", name


@pytest.mark.parametrize("ident", sorted(ONTOLOGY.structures))
def test_a_structure_is_found_by_its_id_its_name_and_its_spellings(ident: str) -> None:
    structure = ONTOLOGY.structures[ident]
    for spelling in (
        ident,
        structure.name,
        structure.name.upper(),
        f"  {structure.name} ",
        structure.name.replace(" ", "_"),
        structure.names,
    ):
        assert ONTOLOGY.normalise(spelling) == ident, spelling
    assert structure.id == ident
    if structure.side:
        assert structure.side in structure.name


def test_sides_are_never_exchanged() -> None:
    sided = [(one, one.side) for one in ONTOLOGY.structures.values() if one.side]
    assert len(sided) > 30
    for one, side in sided:
        other = "right" if side == "left" else "left"
        mirror = one.id.removesuffix(f"_{side}") + f"_{other}"
        assert ONTOLOGY.structures[mirror].side == other
        assert ONTOLOGY.structures[mirror].base == one.base
        base_name = one.name.removeprefix(f"{side} ")
        for spelling in (f"{base_name} {side}", f"{side}_{base_name}", f"{base_name}_{side[0]}"):
            assert ONTOLOGY.normalise(spelling) == one.id, spelling


def test_parts_and_neighbours_exist_and_parts_form_no_circle() -> None:
    for one in ONTOLOGY.structures.values():
        assert {*one.parts, *one.near} <= set(ONTOLOGY.structures), one.id
        seen, open_ = set(), list(one.parts)
        while open_:
            part = open_.pop()
            assert part != one.id
            seen.add(part)
            open_ += ONTOLOGY.structures[part].parts
    for lesion in ONTOLOGY.lesion_types.values():
        assert ONTOLOGY.ancestors(lesion.id)[-1] == "lesion"
        assert lesion.organ is None or lesion.organ in ONTOLOGY.structures


def test_a_phrase_names_one_structure() -> None:
    """Only an adjective may share its word with the noun of the same organ."""
    for phrase, rows in ONTOLOGY._phrases.items():
        values = {value for _, value, _ in rows}
        assert len(values) == 1, (phrase, values)
        kinds = [kind for kind, _, _ in rows]
        assert sorted(set(kinds)) in (["structure"], ["adjective"], ["lesion"], ["adjective", "structure"]), phrase


@pytest.mark.parametrize("organ", ["liver", "spleen", "pancreas", "kidney", "kidney_left", "lung_upper_lobe_right"])
@pytest.mark.parametrize("kind", sorted(ONTOLOGY.lesion_types))
def test_a_lesion_of_an_organ_is_composed_and_found_again(organ: str, kind: str) -> None:
    ident = ONTOLOGY.lesion_id(kind, organ)
    made = ONTOLOGY.get(ident)
    assert (made.kind, made.organ, made.lesion_type) == ("lesion", organ, kind)
    assert made.side == ONTOLOGY.get(organ).side
    assert ONTOLOGY.normalise(ident) == ident


@pytest.mark.parametrize(
    ("name", "ident"),
    [
        ("Left Kidney", "kidney_left"),
        ("kidney_L", "kidney_left"),
        ("R kidney", "kidney_right"),
        ("LeftKidney", "kidney_left"),
        ("hepatic metastases", "liver_metastasis"),
        ("liver_tumour", "liver_tumor"),
        ("oesophagus", "esophagus"),
        ("IVC", "inferior_vena_cava"),
        ("L1", "vertebrae_L1"),
        ("gall-bladder", "gallbladder"),
        ("urinary bladder", "urinary_bladder"),
        ("bladder", "urinary_bladder"),
        ("left upper lobe", "lung_upper_lobe_left"),
        ("HCC", "liver_hcc"),
        ("", None),
        ("left", None),
        ("blob", None),
        ("liver and spleen", None),
        ("liver blob", None),
    ],
)
def test_names_of_label_maps(name: str, ident: str | None) -> None:
    assert ONTOLOGY.normalise(name) == ident


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("liver", ["liver"]),
        ("the left kidney", ["kidney_left"]),
        ("kidney on the left", ["kidney", "left!"]),
        ("both kidneys", ["kidney"]),
        ("left and right kidney", ["kidney"]),
        ("liver and spleen", ["liver", "spleen"]),
        ("liver or spleen lesions", ["liver_lesion", "spleen_lesion"]),
        ("cysts in the left kidney", ["kidney_cyst_left"]),
        ("metastases in the liver and the spleen", ["liver_metastasis", "spleen_metastasis"]),
        ("metastases from the colon", ["metastasis", "colon"]),
        ("hepatic metastasis", ["liver_metastasis"]),
        ("portal vein and splenic vein", ["portal_vein_and_splenic_vein"]),
        ("the left one", ["left!"]),
        ("adrenal mass", ["adrenal_gland_lesion"]),
        ("left adrenal", ["adrenal_gland_left"]),
        ("left liver", ["left!", "liver"]),
        ("nothing of the kind", []),
    ],
)
def test_mentions(text: str, found: list[str]) -> None:
    mentions = ONTOLOGY.mentions(words(text))
    assert [one.structure + ("!" if one.side_only else "") for one in mentions] == found
    for one in mentions:
        assert 0 <= one.start < one.end <= len(words(text))


def test_an_unknown_name_is_the_users_own() -> None:
    made = ONTOLOGY.get("my_region_2")
    assert (made.kind, made.name, made.side, made.parts) == ("user", "my region 2", None, ())
