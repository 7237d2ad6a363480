"""A structure has one colour, whatever else is shown; neighbours and lesions are told apart."""

from __future__ import annotations

import itertools
import math

import pytest

from agent.wording import target_name
from tools.ontology import load_ontology
from tools.overlay_colours import Colour, colour_of
from tools.overlay_style import palette

ABDOMEN = (
    "liver", "gallbladder", "spleen", "pancreas", "kidney_right", "kidney_left", "stomach", "duodenum", "colon",
    "aorta", "inferior_vena_cava", "portal_vein_and_splenic_vein", "superior_mesenteric_artery",
)  # fmt: skip
HOSTS = ("liver", "pancreas", "kidney_right", "kidney_left", "colon", "spleen", "lung_left")
COMMON = ("lesion", "tumor", "cancer", "metastasis", "cyst", "hemangioma")
LESIONS = [load_ontology().lesion_id(kind, organ) for organ in HOSTS for kind in COMMON]


def oklab(colour: Colour) -> tuple[float, float, float]:
    """Ottosson's OKLab, in which distances are about as large as they are seen."""
    red, green, blue = (x / 12.92 if (x := one / 255) <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for one in colour)
    long = (0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue) ** (1 / 3)
    middle = (0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue) ** (1 / 3)
    short = (0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue) ** (1 / 3)
    return (
        0.2104542553 * long + 0.7936177850 * middle - 0.0040720468 * short,
        1.9779984951 * long - 2.4285922050 * middle + 0.4505937099 * short,
        0.0259040371 * long + 0.7827717662 * middle - 0.8086757660 * short,
    )


def apart(one: str, other: str) -> float:
    return math.dist(oklab(colour_of(one)), oklab(colour_of(other)))


def test_a_colour_does_not_depend_on_what_else_is_shown() -> None:
    every = [*load_ontology().structures, *LESIONS, "own label", "another_one"]
    alone = {name: palette([name])[name] for name in every}
    distinct = {name: colour for name, colour in alone.items() if list(alone.values()).count(colour) == 1}
    together = palette(reversed(every))
    assert {name: together[name] for name in distinct} == distinct
    # Those of one colour are never shown beside each other in the order of the body.
    assert len(every) - len(distinct) <= 4


@pytest.mark.parametrize("name", [*ABDOMEN, *LESIONS, "vertebrae_L1", "rib_left_4", "own_label"])
def test_the_name_that_is_displayed_has_the_colour_of_the_identifier(name: str) -> None:
    shown = target_name(name) if load_ontology().normalise(name) else "Own  label"
    assert colour_of(shown) == colour_of(name) == colour_of(f"{name}#3")


def test_neighbours_are_told_apart() -> None:
    assert min(apart(*pair) for pair in itertools.combinations(ABDOMEN, 2)) > 0.06
    for first in range(1, 5):
        assert apart(f"vertebrae_L{first}", f"vertebrae_L{first + 1}") > 0.03


def test_lesions_stand_out_from_organs_and_their_types_from_each_other() -> None:
    assert min(apart(organ, lesion) for organ in ABDOMEN for lesion in LESIONS) > 0.06
    ontology = load_ontology()
    for organ in HOSTS:
        here = [ontology.lesion_id(kind, organ) for kind in COMMON]
        assert min(apart(*pair) for pair in itertools.combinations(here, 2)) > 0.06
        # Against the organ that it lies in, it has to be seen at a glance.
        assert min(apart(organ, lesion) for lesion in here) > 0.15


def test_every_colour_is_seen_on_black() -> None:
    assert min(oklab(colour_of(name))[0] for name in [*load_ontology().structures, *LESIONS]) > 0.45
