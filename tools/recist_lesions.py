"""Which lesions RECIST 1.1 may follow, how long they are, and which of them become targets.

RECIST 1.1: Eisenhauer EA et al., Eur J Cancer 2009;45:228-247, doi:10.1016/j.ejca.2008.10.026. The numbers are in
``tools/rules/margins/recist-*.toml``.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from pydantic import JsonValue

from tools.base import Case
from tools.lesion_list import Lesion, components
from tools.ontology import Ontology, Structure, load_ontology
from tools.rules.margins import margin
from tools.scan_checks import slice_spacing
from tools.shape import centroid, voxel_pitch
from tools.structure_parts import region_host
from tools.surface import shared_voxels
from tools.volume import FloatArray, Scan

NODE = "lymph_node"
# Simple cysts and benign lesions are no malignant lesions, measurable or not (RECIST 1.1, section 3.1.3).
_BENIGN = ("cyst", "benign_tumor", "abscess", "polyp")
_MOST_PER_CLASS = 200
ORGANS_OPEN = "the labels do not tell the organ of some lesions, and no organ gives more than two targets"
_NO_ORGAN = "enough longer targets of its class, of which the labels do not tell the organ"


@dataclass(frozen=True)
class Candidate:
    """One lesion or lymph node.

    Attributes:
        ident: identifier of its class.
        organ: organ it counts for; both sides of a pair, and all lymph nodes, are one.
        lesion: its mask, volume and axes.
        number: among those of its class, the largest being the first.
        node: whether it is a lymph node, which is measured by its short axis.
        benign: whether its type rules it out.
        small: whether it is below the size limit for lesions.
        file_slice: index, in the user's file, of the slice with its long axis.
        pitch: uncertainty of its diameters in mm.
    """

    ident: str
    organ: str
    lesion: Lesion
    number: int
    node: bool
    benign: bool
    small: bool
    file_slice: int
    pitch: float

    @property
    def size(self) -> float:
        """The diameter that counts, mm: the longest axial one, of a node the short axis."""
        return self.lesion.axes.short_axis if self.node else self.lesion.axes.long_axis

    @property
    def centre(self) -> FloatArray:
        """Centre of mass in world mm, shape (3,)."""
        return centroid(self.lesion.region, self.lesion.grid)


@dataclass(frozen=True)
class Choice:
    """A candidate and what RECIST makes of it.

    Attributes:
        candidate: the lesion.
        limit: mm from which on it is measurable.
        measurable: whether it is; None where that is open, because it is cut off.
        chosen: whether it is a target.
        why: why it is a target, or why not; a clause.
    """

    candidate: Candidate
    limit: float
    measurable: bool | None
    chosen: bool
    why: str

    @property
    def left_open(self) -> bool:
        """Whether it is no target only because nothing tells which organ it lies in."""
        return self.why == _NO_ORGAN

    @property
    def borderline(self) -> bool:
        """Whether the limit lies within the uncertainty of its diameter."""
        return not self.candidate.benign and abs(self.candidate.size - self.limit) <= self.candidate.pitch

    def row(self) -> dict[str, JsonValue]:
        """What evidence tells of it."""
        one = self.candidate
        return {
            "class": one.ident,
            "n": one.number,
            "organ": one.organ,
            "node": one.node,
            "long_axis_mm": round(one.lesion.axes.long_axis, 4),
            "short_axis_mm": round(one.lesion.axes.short_axis, 4),
            "limit_mm": self.limit,
            "slice": one.file_slice,
            "centroid_ras_mm": [round(float(x), 2) for x in one.centre],
            "measurable": self.measurable,
            "borderline": self.borderline,
            "chosen": self.chosen,
            "why": self.why,
        }


def lesion_limit(scan: Scan) -> float:
    """Diameter in mm from which on a lesion is measurable; on thick slices twice their thickness.

    The thickness that the header declares counts, without one the distance between slices.
    """
    thickness = scan.header.slice_thickness or slice_spacing(scan)
    plain = margin("recist-lesion").value
    return plain if thickness <= margin("recist-slice").value + 1e-6 else round(2 * thickness, 4)


def looked_for(case: Case) -> list[str]:
    """Declared classes of lesions and lymph nodes, more special ones first."""
    if case.labels is None:
        return []
    ontology = load_ontology()

    def depth(ident: str) -> int:
        kind = ontology.get(ident).lesion_type
        return len(ontology.ancestors(kind)) if kind else 0

    found = [ident for ident in case.labels.entries if ident == NODE or ontology.get(ident).kind == "lesion"]
    return sorted(found, key=lambda ident: (-depth(ident), ident))


def candidates(case: Case) -> list[Candidate]:
    """All labelled lesions and lymph nodes, each once, although several classes may hold it; in a stable order."""
    ontology = load_ontology()
    grid, orientation = case.scan.grid, case.scan.orientation
    limit = case.settings.min_lesion_mm3 / 1000.0
    found: list[Candidate] = []
    for ident in looked_for(case):
        one = ontology.get(ident)
        organ = counted_organ(one, ontology)
        for number, lesion in enumerate(_lesions(case, ident)[:_MOST_PER_CLASS], start=1):
            # another class, of another label map, may hold the same lesion
            if any(2 * shared_voxels(lesion.region, other.lesion.region) > lesion.region.voxels for other in found):
                continue
            found.append(
                Candidate(
                    ident, organ, lesion, number, organ == NODE, is_benign(one, ontology), lesion.volume < limit,
                    orientation.file_slice(lesion.axes.k), voxel_pitch(grid),
                )
            )  # fmt: skip
    return found


def is_benign(one: Structure, ontology: Ontology) -> bool:
    """Whether a lesion class is of a type that RECIST does not follow."""
    return one.lesion_type is not None and any(kind in _BENIGN for kind in ontology.ancestors(one.lesion_type))


def counted_organ(one: Structure, ontology: Ontology) -> str:
    """The organ that a lesion class counts for; the class itself where it names none."""
    if one.id == NODE:
        return NODE
    place = one.organ
    if place is None:
        return one.base or one.id
    while (above := region_host(place, ontology)) is not None:
        place = above
    return ontology.get(place).base


def choose(case: Case) -> list[Choice]:
    """All candidates of a scan, the longest first, with the targets among them."""
    limit = lesion_limit(case.scan)
    target_node, normal_node = margin("recist-node-target").value, margin("recist-node-normal").value
    most, most_per_organ = int(margin("recist-targets").value), int(margin("recist-targets-per-organ").value)
    taken: Counter[str] = Counter()
    made = []
    for one in sorted(candidates(case), key=lambda each: (-each.size, each.ident, each.number)):
        own = target_node if one.node else limit
        large = one.size >= own
        # What is seen of a lesion that is cut off may be enough.
        measurable = large or (None if one.lesion.cut else False)
        chosen, why = False, "a target lesion"
        if one.benign:
            measurable, why = False, "a cyst or benign lesion is not followed"
        elif one.small:
            measurable, why = False, "below the size limit for lesions"
        elif one.lesion.cut:
            why = "cut off by the field of view"
        elif not large:
            why = "too short to be measurable"
            if one.node:
                why = "a normal lymph node" if one.size < normal_node else "a pathological lymph node, but no target"
        elif taken[one.organ] >= most_per_organ:
            why = "enough longer targets in the same organ"
            if load_ontology().get(one.organ).kind == "lesion" and taken.total() < most:
                why = _NO_ORGAN
        elif taken.total() >= most:
            why = "enough longer targets"
        else:
            chosen = True
            taken[one.organ] += 1
        made.append(Choice(one, own, measurable, chosen, why))
    return made


def _lesions(case: Case, ident: str) -> list[Lesion]:
    """Components of the voxels that carry a class's own label."""
    assert case.labels is not None
    found = case.labels.region(case.labels.entries[ident])
    return [] if found is None else components(case, found)
