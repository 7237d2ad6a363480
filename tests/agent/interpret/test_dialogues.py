from __future__ import annotations

import pytest

from agent.interpret import interpret
from agent.query import NotUnderstood, Query


def _say(entry: Query | NotUnderstood) -> str:
    if isinstance(entry, NotUnderstood):
        return "?"
    parts = [
        entry.kind,
        ",".join(entry.structures),
        entry.unit,
        entry.comparator,
        entry.threshold,
        entry.threshold_unit,
    ]
    more = (" not" if entry.negated else "") + (" explain" if entry.explain else "")
    return " ".join(str(part) for part in parts if part is not None) + more


# Each line of a dialogue: what is said, and what is understood; "?" is not understood.
DIALOGUES: dict[str, list[tuple[str, list[str]]]] = {
    "sides": [
        ("What is the volume of the right kidney?", ["volume kidney_right"]),
        ("and the left one?", ["volume kidney_left"]),
        ("both?", ["volume kidney"]),
        ("the left?", ["volume kidney_left"]),
        ("in litres?", ["volume kidney_left l"]),
        ("in HU?", ["?"]),
        ("and in cm?", ["?"]),
    ],
    "other structures": [
        ("Is the liver enlarged?", ["enlarged liver"]),
        ("and the spleen?", ["enlarged spleen"]),
        ("How about the right kidney?", ["enlarged kidney_right"]),
        ("and its volume?", ["volume kidney_right"]),
        ("What about its HU?", ["hu_mean kidney_right"]),
        ("is it enlarged?", ["enlarged kidney_right"]),
        ("is it larger than the spleen?", ["volume_compare kidney_right,spleen gt"]),
        ("and the aorta?", ["?"]),
    ],
    "several": [
        ("volumes of liver and spleen", ["volume liver", "volume spleen"]),
        ("and their mean HU?", ["hu_mean liver", "hu_mean spleen"]),
        ("and its median HU?", ["?"]),
        ("in ml?", ["?"]),
    ],
    "several in one unit": [
        ("volumes of liver and spleen", ["volume liver", "volume spleen"]),
        ("in ml", ["volume liver ml", "volume spleen ml"]),
        ("and the pancreas and both kidneys?", ["volume pancreas ml", "volume kidney ml"]),
    ],
    "lesions": [
        ("Are there any liver metastases?", ["lesion_exists liver_metastasis"]),
        ("and in the spleen?", ["lesion_exists spleen_metastasis"]),
        ("What about cysts?", ["lesion_exists spleen_cyst"]),
        ("How many?", ["lesion_count spleen_cyst"]),
        ("how big is the largest one?", ["lesion_diameter spleen_cyst"]),
        ("is it malignant?", ["?"]),
    ],
    "stages are not vertebrae": [
        ("How big is the liver tumour?", ["lesion_diameter liver_tumor"]),
        ("is it T1?", ["?"]),
        ("T1?", ["?"]),
    ],
    "thresholds": [
        ("Is the spleen larger than 300 ml?", ["volume_threshold spleen gt 300.0 ml"]),
        ("and the liver?", ["volume_threshold liver gt 300.0 ml"]),
        ("and 1.8 litres?", ["volume_threshold liver gt 1.8 l"]),
        ("and 40 HU?", ["?"]),
        ("and smaller than 2 l?", ["volume_threshold liver lt 2.0 l"]),
    ],
    "what an answer rests on": [
        ("Is the pancreatic tumour resectable?", ["resectability pancreas_tumor"]),
        ("Why do you say that?", ["resectability pancreas_tumor explain"]),
        ("how do you know?", ["resectability pancreas_tumor explain"]),
        ("And its T stage?", ["category_t pancreas_tumor"]),
        ("why?", ["category_t pancreas_tumor explain"]),
        ("Explain that.", ["category_t pancreas_tumor explain"]),
        ("why is it so large?", ["?"]),
    ],
    "what several answers rest on": [
        ("volumes of liver and spleen", ["volume liver", "volume spleen"]),
        ("What is that based on?", ["volume liver explain", "volume spleen explain"]),
    ],
    "regions stay in their organ": [
        ("How many pancreatic lesions are in the head?", ["lesion_count pancreas_head_lesion"]),
        ("and in the tail?", ["lesion_count pancreas_tail_lesion"]),
        ("What about the body?", ["lesion_count pancreas_body_lesion"]),
    ],
    "segments": [
        ("How many lesions are in segment 4?", ["lesion_count liver_segment_4_lesion"]),
        ("and in segment 8?", ["lesion_count liver_segment_8_lesion"]),
        ("how big is the largest one?", ["lesion_diameter liver_segment_8_lesion"]),
    ],
    "negation stays": [
        ("Is the liver not enlarged?", ["enlarged liver not"]),
        ("and the spleen?", ["enlarged spleen not"]),
        ("and its volume?", ["volume spleen"]),
    ],
    "pairs": [
        ("Which kidney is larger?", ["volume_which kidney_right,kidney_left gt"]),
        ("and the lungs?", ["volume_which lung_right,lung_left gt"]),
        ("and the liver?", ["?"]),
    ],
    "two structures leave it open": [
        ("Is the liver larger than the spleen?", ["volume_compare liver,spleen gt"]),
        ("and the left kidney?", ["?"]),
        ("and its HU?", ["?"]),
        ("and their HU?", ["hu_mean liver", "hu_mean spleen"]),
    ],
    "the scan is no structure": [
        ("liver volume?", ["volume liver"]),
        ("What is the volume of the scan?", ["?"]),
        ("is it contrast-enhanced?", ["contrast_given "]),
    ],
    "the kind follows the structure": [
        ("How big is the liver?", ["volume liver"]),
        ("and the liver tumour?", ["lesion_diameter liver_tumor"]),
        ("volume of the liver?", ["volume liver"]),
        ("and of the liver tumour?", ["lesion_volume liver_tumor"]),
    ],
}


@pytest.mark.parametrize("name", list(DIALOGUES))
def test_dialogue(name: str) -> None:
    previous: list[Query] = []
    for text, expected in DIALOGUES[name]:
        found = interpret(text, previous=previous)
        assert [_say(one) for one in found] == expected, text
        previous += [one for one in found if isinstance(one, Query)]


@pytest.mark.parametrize(
    "text", ["and the left one?", "and the spleen?", "what about its HU?", "in litres?", "and its volume?", "both?"]
)
def test_a_continuation_without_anything_to_continue_says_so(text: str) -> None:
    (entry,) = interpret(text)
    assert isinstance(entry, NotUnderstood)
    assert any(word in entry.reason for word in ("earlier", "there is none", "nothing was"))


def test_a_question_by_itself_is_the_same_with_and_without_a_past() -> None:
    past = interpret("Is the left kidney larger than 300 ml?")
    queries = [one for one in past if isinstance(one, Query)]
    for text in ("liver volume?", "any liver metastases?", "slice thickness?", "Which kidney is larger?", "L/S ratio"):
        assert interpret(text, previous=queries) == interpret(text)


def test_a_misunderstood_sentence_is_no_ground_for_the_next() -> None:
    found = interpret(
        "Is the liver cirrhotic? And its volume?", previous=[Query(kind="volume", structures=("spleen",))]
    )
    assert [_say(one) for one in found] == ["?", "?"]


def test_a_follow_up_to_a_follow_up_knows_the_kind_without_its_words() -> None:
    before = Query(kind="hu_mean", structures=("spleen",), text="and the spleen?")
    assert [_say(one) for one in interpret("and the liver?", previous=[before])] == ["hu_mean liver"]
