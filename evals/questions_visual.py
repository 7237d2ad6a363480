"""Visual reasoning about organs: comparisons of kidneys and burdens, sums, sizes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from evals.questions_measurement import number, word
from evals.questions_model import Expected, Item
from evals.questions_recognition import yes_no
from evals.questions_truth import Seen
from evals.resolution import near_volume, relative
from evals.truth_rules import ENLARGED_CM3, SAME_SIZE_MARGIN, asymmetry, same_or_larger

SUMS = (("liver", "spleen"), ("kidney_left", "kidney_right"), ("liver", "spleen", "pancreas"))
SIDES = {"first": "left kidney", "second": "right kidney"}
EQUAL = "They are about the same size"


def category(subtype: str, value: str | None, wrong: tuple[str, ...], reason: str | None = None, *,
             accepted: tuple[str, ...] = (), right: str | None = None, group: str | None = None,
             choice: bool = True, other: str | None = None, must_flag: bool = False, yes: bool | None = None,
             **slots: str) -> Item:  # fmt: skip
    """A question that is answered with one of several words; None makes it undecidable."""
    expected = Expected(
        form="category", value=value, accepted=accepted, decidable=value is not None, reason=reason, other=other,
        must_flag=must_flag, yes=yes,
    )  # fmt: skip
    return Item(subtype, expected, slots, group, wrong, right, choice)


def organs(seen: Seen) -> Iterator[Item]:
    """Questions of this stage that compare organs."""
    yield from _kidneys(seen)
    yield from _asymmetry(seen)
    yield from _burdens(seen)
    for names in SUMS:
        parts = [word(name) for name in names]
        slots: dict[str, Any] = {"organs": " and the ".join([", the ".join(parts[:-1]), parts[-1]])}
        group = "both kidneys" if names[0] == "kidney_left" else None
        total = sum(seen.truth.structures[name].volume for name in names) if all(map(seen.whole, names)) else None
        why = None if total is not None else "one of them is cut off, or not labelled"
        item = number("organ aggregation", total, "cm3", relative(total or 0.0), why, **slots)
        yield Item(item.subtype, item.expected, item.slots, group)
    for organ in ENLARGED_CM3:
        yield from _enlarged(seen, organ)


def _kidneys(seen: Seen) -> Iterator[Item]:
    subtype = "kidney volume comparison"
    options = ("The left kidney", "The right kidney", EQUAL)
    if not seen.shown("kidney"):
        yield category(subtype, None, options, "a kidney is not labelled")
        return
    left, right = (seen.truth.structures[f"kidney_{side}"] for side in ("left", "right"))
    told = same_or_larger(left.volume, right.volume)
    value = SIDES.get(told, "about the same")
    if not left.whole or not right.whole:
        # What is seen of the larger one decides, if the smaller one is whole.
        decides = {"first": right.whole, "second": left.whole, "same": False}[told]
        if not decides:
            yield category(subtype, None, options, "a kidney is cut off")
            return
    share = abs(left.volume - right.volume) / max(left.volume, right.volume)
    if abs(share - SAME_SIZE_MARGIN) < 0.01:
        return  # within rounding of the margin, which no source gives
    index = {"first": 0, "second": 1, "same": 2}[told]
    wrong = tuple(option for n, option in enumerate(options) if n != index)
    larger = SIDES["first" if left.volume > right.volume else "second"]
    yield category(
        subtype, value, wrong, right=options[index], accepted=("same", "equal") if told == "same" else (),
        other=larger if told == "same" else None,
    )  # fmt: skip


def _asymmetry(seen: Seen) -> Iterator[Item]:
    subtype = "bilateral kidney asymmetry"
    options = ("The left kidney", "The right kidney", "Symmetric", "Neither kidney has any lesion")
    why = seen.all_lesions("kidney")
    if why:
        if not (why.startswith("no class") and seen.lesions("kidney")):
            yield category(subtype, None, options, why)
        return
    burden = {
        side: sum(one.volume for one in seen.lesions("kidney") if one.organ.endswith(side))
        for side in ("left", "right")
    }
    a, b = burden["left"], burden["right"]
    if min(a, b) > 0 and 0.9 < max(a, b) / min(a, b) / 2 < 1.1:
        return
    told = asymmetry(a, b)
    index = ("first", "second", "symmetric", "neither").index(told)
    wrong = tuple(option for n, option in enumerate(options) if n != index)
    value = SIDES.get(told, told)
    accepted = {"first": ("left",), "second": ("right",), "neither": ("neither has any", "none")}.get(told, ())
    uneven = told in SIDES
    yield category(subtype, value, wrong, right=options[index], accepted=accepted, yes=uneven)
    item = yes_no(subtype, uneven)
    # Put as yes or no, an answer that names the side says yes as well.
    expected = item.expected.model_copy(update={"accepted": (value,)})
    yield Item(subtype, expected, {}, "yes or no", item.wrong, item.right)


def _burdens(seen: Seen) -> Iterator[Item]:
    """Which organ carries the most: by volume, by share of the organ, and plainly where both name the same one."""
    subtype = "multi-organ lesion burden comparison"
    names = ("liver", "pancreas", "kidney")
    words = ("liver", "pancreas", "kidneys")
    slots: dict[str, Any] = {"organs": "the liver, the pancreas or the kidneys"}
    reasons = {organ: why for organ in names if (why := seen.all_lesions(organ))}
    options = tuple(f"The {one}" for one in words)
    volumes = [sum(one.volume for one in seen.lesions(organ)) for organ in names]
    best = names[volumes.index(max(volumes))]
    if any(why.startswith("no class") for why in reasons.values()) or max(volumes) == 0:
        return
    if reasons:
        # What is seen in one organ that is cut off decides, if it is more than in any of the others.
        clear = sorted(volumes)[-2] <= 0.8 * max(volumes)
        if set(reasons) != {best} or not seen.shown(best):
            yield category(subtype, None, options, next(iter(reasons.values())), group="volume", **slots)
        elif clear:
            yield _most(subtype, names.index(best), names, options, "volume", slots)
        return
    sizes = [sum(seen.truth.structures[part].volume for part in seen.organ_parts(organ)) for organ in names]
    shares = [volume / size for volume, size in zip(volumes, sizes, strict=True)]
    told: dict[str, int] = {}
    for group, table in (("volume", volumes), ("share", shares)):
        if sorted(table)[-2] <= 0.8 * max(table):
            told[group] = table.index(max(table))
    if len(told) == 2 and len(set(told.values())) == 1:
        told["plain"] = told["volume"]
    for group, index in told.items():
        yield _most(subtype, index, names, options, None if group == "plain" else group, slots)


def _most(
    subtype: str, index: int, names: tuple[str, ...], options: tuple[str, ...], group: str | None, slots: dict[str, Any]
) -> Item:
    wrong = tuple(option for n, option in enumerate(options) if n != index)
    expected = Expected(form="name", value=names[index], accepted=(names[index],))
    return Item(subtype, expected, slots, group, wrong, options[index])


def _enlarged(seen: Seen, organ: str) -> Iterator[Item]:
    """Whether an organ is enlarged, where the sources agree; a bound that decides by all of them decides."""
    subtype, edges = "organ enlargement", ENLARGED_CM3[organ]
    slots: dict[str, Any] = {"organ": word(organ)}
    if not seen.shown(organ):
        item = yes_no(subtype, None, "it is not labelled")
        yield Item(subtype, item.expected, slots, None, item.wrong)
        return
    volume, whole = seen.truth.structures[organ].volume, seen.whole(organ)
    told = {volume > edge for edge in edges}
    if len(told) > 1:
        return
    value: bool | None = told.pop()
    reason = None
    if not whole and value is False:
        value, reason = None, "what is seen of it does not decide"
    near = [near_volume(seen.truth.spacing, volume, abs(volume - edge)) for edge in edges]
    possible, certain = any(one.possible for one in near) and whole, near[0].certain and whole
    item = yes_no(subtype, value, reason, other=not value if possible else None, must_flag=certain)
    yield Item(subtype, item.expected, slots, None, item.wrong, item.right)
