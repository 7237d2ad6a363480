"""The anatomy table: nominal shape, place, make-up and variation of every structure.

Patient coordinates are mm, RAS+: x to the patient's right, y to the front, z to the head, origin in the middle
of the third lumbar vertebra. Entries are painted in order, later ones over earlier ones. Entries marked
`mirrored` are given for the right side and exist on the left too. Sizes describe adults; `volume` has the
ranges in cm³ from which a patient's own volume is drawn.
"""

from __future__ import annotations

from typing import NamedTuple

from evals.phantom_shapes import Vector

SPINE: tuple[tuple[str, float, float], ...] = (
    ("vertebrae_L5", -4.0, -69.0),
    ("vertebrae_L4", 5.0, -36.0),
    ("vertebrae_L3", 5.0, -1.0),
    ("vertebrae_L2", -3.0, 34.0),
    ("vertebrae_L1", -12.0, 68.0),
    ("vertebrae_T12", -21.0, 99.0),
    ("vertebrae_T11", -29.0, 128.0),
    ("vertebrae_T10", -34.0, 155.0),
    ("vertebrae_T9", -37.0, 181.0),
)
"""Name, y and z of each vertebral body, feet to head: the lordosis of a lying adult."""

RIBS: tuple[tuple[int, float, float, float], ...] = (
    (12, 97.0, 62.0, 34.0),
    (11, 126.0, 92.0, 52.0),
    (10, 153.0, 122.0, 66.0),
    (9, 180.0, 146.0, 78.0),
    (8, 206.0, 158.0, 86.0),
)
"""Rib number, height at the spine, degrees that it runs round the trunk, mm that it descends."""


class LayerSpec(NamedTuple):
    """Tissue that fills a structure from `inset` mm below its surface, `gas_above` mm over its middle if given."""

    tissue: str
    inset: float = 0.0
    gas_above: float | None = None


class Entry(NamedTuple):
    """One structure of the table.

    Attributes:
        name: class name, or None for tissue without a label.
        layers: what it is made of, outside to inside.
        center, radii, degrees, exponent: a superellipsoid, unless `course` is given.
        course: points of a tube's centreline.
        course_radii: the tube's radius at each of them.
        ripple: relative waviness of the tube's radius and its wavelength in mm.
        wobble: relative undulation of the surface.
        move: standard deviation in mm of its place between patients.
        vary: standard deviation of its relative linear size between patients.
        volume: ranges in cm³ from which its volume is drawn, each with its weight; none leaves the size to `vary`.
        clips: solids of the trunk that bound it.
        mirrored: exists on both sides.
        left_higher: mm that the left one lies above the right one.
    """

    name: str | None
    layers: tuple[LayerSpec, ...]
    center: Vector = (0.0, 0.0, 0.0)
    radii: Vector = (1.0, 1.0, 1.0)
    degrees: Vector = (0.0, 0.0, 0.0)
    exponent: float = 2.0
    course: tuple[Vector, ...] = ()
    course_radii: tuple[float, ...] = ()
    ripple: tuple[float, float] = (0.0, 1.0)
    wobble: float = 0.0
    move: float = 2.0
    vary: float = 0.04
    volume: tuple[tuple[float, float, float], ...] = ()
    clips: tuple[str, ...] = ()
    mirrored: bool = False
    left_higher: float = 0.0


def solid(tissue: str) -> tuple[LayerSpec, ...]:
    """One tissue throughout."""
    return (LayerSpec(tissue),)


INSIDE = ("cavity",)
BOWEL = (LayerSpec("bowel_wall"), LayerSpec("bowel_content", 2.5))
COLON = (LayerSpec("bowel_wall"), LayerSpec("stool", 2.5), LayerSpec("gas", 2.5, 4.0))
BONE = (LayerSpec("cortical_bone"), LayerSpec("marrow", 1.8))

MUSCLES: tuple[Entry, ...] = (
    Entry("autochthon_{side}", solid("muscle"), course=((30, -46, -112), (38, -56, -60), (38, -54, 0),
          (38, -62, 60), (34, -76, 125), (30, -84, 230)), course_radii=(24, 28, 27, 26, 20, 18),
          move=1, mirrored=True),
    Entry("iliopsoas_{side}", solid("muscle"), course=((22, -8, 78), (36, 2, 20), (46, 6, -35), (62, 18, -95),
          (74, 22, -150), (90, 0, -215)), course_radii=(8, 18, 23, 27, 22, 18), move=1, mirrored=True),
    Entry(None, solid("muscle"), (102, -55, -155), (52, 38, 85), (0, 0, 30), move=1, mirrored=True),
    Entry(None, solid("muscle"), (122, 0, -130), (26, 50, 70), (0, 0, -20), move=1, mirrored=True),
)  # fmt: skip

ORGANS: tuple[Entry, ...] = (
    Entry("heart", solid("heart"), (-22, 58, 172), (62, 50, 48), (0, 0, -20), wobble=0.03),
    Entry("liver", solid("liver"), (72, 36, 84), (98, 90, 82), (0, 28, -14), 2.5, wobble=0.06, move=3,
          volume=((1200, 1880, 1.0),), clips=INSIDE),
    Entry("liver", solid("liver"), (-8, 76, 103), (46, 27, 30), (0, 8, 10), wobble=0.05, move=1.5, clips=INSIDE),
    Entry(None, solid("visceral_fat"), (2, 20, 46), (40, 50, 66), (0, 0, 0), wobble=0.06),
    Entry("liver", solid("liver"), (9, 32, 99), (19, 15, 21), (0, 0, -20), wobble=0.04, move=0),
    Entry("spleen", solid("spleen"), (-108, -22, 94), (33, 52, 55), (-14, 8, 24), 2.0, wobble=0.07, move=3,
          volume=((120, 308, 0.65), (320, 480, 0.25), (520, 820, 0.10)), clips=INSIDE),
    Entry("esophagus", (LayerSpec("bowel_wall"), LayerSpec("gas", 6.0)), course=((-12, 16, 240), (-20, 20, 172),
          (-34, 22, 146), (-54, 18, 134)), course_radii=(9, 9, 9, 10), move=0),
    Entry("small_bowel", BOWEL, course=((-40, 62, 18), (-78, 58, -8), (-30, 66, -22), (20, 62, -12),
          (62, 60, -30), (66, 56, -62), (18, 66, -48), (-34, 60, -52), (-82, 54, -50), (-70, 44, -84),
          (-26, 52, -88), (22, 56, -84), (58, 42, -98), (28, 30, -116), (-14, 42, -120), (-48, 34, -112),
          (-38, 16, -134), (4, 26, -140), (44, 22, -124), (84, 30, -76)),
          course_radii=(15.5,) * 20, ripple=(0.14, 38), move=3),
    Entry("colon", COLON, course=((98, 28, -112), (108, 30, -85), (112, 18, -52), (110, 20, -24), (92, 52, -12),
          (60, 86, -14), (15, 98, -20), (-38, 98, -14), (-84, 76, 18), (-112, 32, 42), (-120, 2, 10),
          (-118, 0, -40), (-108, 8, -90), (-76, 10, -128), (-34, -6, -128), (4, -24, -122), (12, -36, -150),
          (0, -40, -195), (0, -38, -240)),
          course_radii=(27, 29, 26, 24, 23, 23, 22, 21, 20, 19, 18, 17, 17, 16, 15, 16, 18, 19, 15),
          ripple=(0.13, 34), move=3, clips=INSIDE),
    Entry("stomach", (LayerSpec("bowel_wall"), LayerSpec("bowel_content", 4.0), LayerSpec("gas", 4.0, 16.0)),
          course=((-62, 12, 128), (-68, 42, 98), (-54, 76, 66), (-16, 92, 37), (26, 84, 42)),
          course_radii=(26, 31, 27, 19, 12), move=1.5, clips=INSIDE),
    Entry("duodenum", BOWEL, course=((26, 82, 42), (48, 58, 36), (52, 42, 6), (32, 45, -17), (-8, 53, -19),
          (-34, 54, 4)), course_radii=(12, 12, 12, 10, 9, 10), ripple=(0.06, 25), move=0.5),
    Entry("kidney_{side}", solid("kidney"), (70, -22, 26), (27, 30, 56), (-12, 14, -28), 2.0, wobble=0.05, move=2,
          volume=((120, 218, 1.0),), clips=INSIDE, mirrored=True, left_higher=9),
    Entry(None, solid("renal_sinus"), (52, -15, 25), (18, 9, 24), (-12, 14, -28), move=1, mirrored=True,
          left_higher=9),
    Entry("adrenal_gland_{side}", solid("adrenal"), course=((36, -6, 84), (38, -14, 94), (42, -24, 92)),
          course_radii=(3.6, 4.6, 3.2), move=1, mirrored=True),
    Entry("inferior_vena_cava", solid("vein"), course=((18, 20, -52), (20, 26, -10), (20, 22, 34), (20, 14, 80),
          (22, 8, 118), (20, 10, 160), (14, 22, 210)), course_radii=(10, 10.5, 11, 12, 13, 13, 13), move=0,
          vary=0.06),
    Entry("pancreas", solid("pancreas"), course=((25, 44, 10), (28, 53, 30), (9, 66, 52), (-22, 59, 65),
          (-56, 33, 73), (-90, 6, 80)), course_radii=(13, 15, 9.5, 11, 11, 9), ripple=(0.06, 19), move=0.6,
          volume=((60, 108, 1.0),)),
    Entry("gallbladder", (LayerSpec("bowel_wall"), LayerSpec("gallbladder", 2.0)), (62, 74, 38), (15, 17, 28),
          (24, 0, 8), wobble=0.04, volume=((18, 48, 1.0),)),
    Entry("urinary_bladder", (LayerSpec("bladder_wall"), LayerSpec("urine", 3.5)), (0, 30, -158), (46, 36, 34),
          (0, 0, 0), 2.5, wobble=0.04, volume=((140, 420, 1.0),)),
)  # fmt: skip

BONES: tuple[Entry, ...] = (
    Entry("sacrum", BONE, (0, -50, -118), (50, 15, 56), (24, 0, 0), 2.5, move=0),
    Entry("hip_{side}", BONE, (92, 4, -104), (11, 52, 62), (0, 14, -42), 2.5, move=0, mirrored=True),
    Entry("hip_{side}", BONE, (84, -20, -178), (24, 27, 34), move=0, mirrored=True),
    Entry("hip_{side}", BONE, course=((66, 6, -180), (40, 36, -190), (8, 42, -206)), course_radii=(13, 9, 10),
          move=0, mirrored=True),
    Entry("femur_{side}", BONE, (94, -16, -190), (23, 23, 23), move=0, mirrored=True),
    Entry("femur_{side}", BONE, course=((94, -16, -190), (118, -14, -212), (132, -14, -240)),
          course_radii=(15, 15, 16), move=0, mirrored=True),
)  # fmt: skip
