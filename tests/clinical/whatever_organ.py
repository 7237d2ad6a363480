"""Rules on lesions of any organ, and on lymph nodes."""

from __future__ import annotations

from tests.clinical.table import Expected, any_of, sweep

OUTLIER, LESION = "any-outlier-knowledge-base", "any-measurable-recist"
NODES = ("lymph-node-measurable-recist", "lymphadenopathy-measurable-recist")

_OUTLIER: list[Expected] = [
    *sweep(OUTLIER, "ratio", [(1, False), (2.99, False), (3, True), (3.01, True), (20, True)], count=3),
    *sweep(OUTLIER, "count", [(1, False), (2, False), (2.99, False), (3, True), (3.01, True), (9, True)], ratio=5.0),
    Expected(OUTLIER, {"count": 2}, False),
    any_of(OUTLIER, (False, True), count=3),
    any_of(OUTLIER, (False, True), ratio=5.0),
    Expected(OUTLIER, {"ratio": 2.0}, False),
]

# size, thickness → measurable; on slices thicker than 5 mm the size has to be twice the thickness
_LESION: list[Expected] = [
    *(
        Expected(LESION, {"size": size, "thickness": thick, "thicknesses": size / thick, "spacing": 1.0,
                          "spacings": size}, verdict)
        for size, thick, verdict in (
            (9.99, 1.0, False), (10.0, 1.0, True), (10.01, 1.0, True), (10.0, 4.99, True), (10.0, 5.0, True),
            (10.0, 5.01, False), (15.98, 8.0, False), (16.0, 8.0, True), (16.02, 8.0, True), (9.0, 8.0, False),
        )
    ),
    # where the thickness is not recorded, the distance between slices is taken
    *(
        Expected(LESION, {"size": size, "spacing": gap, "spacings": size / gap}, verdict)
        for size, gap, verdict in (
            (9.99, 1.0, False), (10.0, 1.0, True), (10.0, 4.99, True), (10.0, 5.0, True), (10.0, 5.01, False),
            (15.98, 8.0, False), (16.0, 8.0, True), (16.02, 8.0, True),
        )
    ),
    # a lesion of which only a part is seen has no size in slice thicknesses
    *sweep(LESION, "thickness", [(4.99, True), (5.0, True)], size=12.0),
    *sweep(LESION, "spacing", [(4.99, True), (5.0, True)], size=12.0),
    any_of(LESION, (False, True), size=12.0, thickness=5.01, spacing=1.0),
    any_of(LESION, (False, True), size=12.0, spacing=5.01),
    Expected(LESION, {"size": 4.0}, False),
    any_of(LESION, (False, True), size=12.0),
    any_of(LESION, (False, True), spacing=1.0, thickness=1.0),
]  # fmt: skip

_NODES: list[Expected] = [
    case
    for rule in NODES
    for case in (
        *sweep(rule, "short", [(4, "normal node"), (9.99, "normal node"), (10, "non-target node"),
                               (10.01, "non-target node"), (14.99, "non-target node"), (15, "target node"),
                               (15.01, "target node"), (40, "target node")]),
        any_of(rule, ("target node", "non-target node", "normal node")),
    )
]  # fmt: skip

CASES = [*_OUTLIER, *_LESION, *_NODES]
