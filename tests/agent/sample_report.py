"""A report with something of everything, for the tests of its renderings."""

from __future__ import annotations

from agent.report_model import (
    Answer,
    Binding,
    EvidenceOut,
    Pathology,
    Picture,
    Report,
    Sentence,
    Verdict,
)
from tools.types import Evidence, State


def bind(text: str, part: str, evidence: str, field: str = "value") -> Binding:
    start = text.index(part)
    return Binding(start=start, end=start + len(part), evidence=evidence, field=field)


def sample() -> Report:
    made = [
        Evidence.make(
            tool="volume", quantity="volume", target="liver", value=None, unit="cm3", version="1",
            state=State.NOT_MEASURABLE, lower_bound=1213.488, arguments={"structure": "liver"}, slice=111,
            reason="the liver touches the upper border of the scan", method="voxel count times voxel volume",
        ),
        Evidence.make(
            tool="volume", quantity="volume", target="kidney_left", value=162.4371, unit="cm3", version="1",
            state=State.MEASURED, uncertainty=11.2, slice=80, method="voxel count times voxel volume",
        ),
        Evidence.make(
            tool="rule", quantity="verdict", target="hepatomegaly", value=None, version="2", slice=None,
            state=State.NOT_MEASURABLE, method="volume against 1800 cm³", reason="1213.5 cm³ decide nothing",
        ),
        Evidence.make(
            tool="exists", quantity="exists", target="gallbladder", value=True, version="1",
            state=State.MEASURED, method="voxels with this label", slice=88,
        ),
        Evidence.make(
            tool="exists", quantity="exists", target="liver_lesion", value=None, version="1",
            state=State.NOT_ASSESSED, method="no tool able to see liver lesions has looked",
        ),
        Evidence.make(
            tool="exists", quantity="exists", target="spleen_cyst", value=False, version="1",
            state=State.ABSENT, method="voxels with this label",
        ),
    ]  # fmt: skip
    made[2] = Evidence.make(
        **{**made[2].model_dump(exclude={"id"}), "inputs": (made[0].id,)},
    )
    ids = [item.id for item in made]
    said = "The liver cannot be measured: at least 1213.5 cm³ lie in the scan, which cuts it off at slice 111."
    kidney = "The left kidney measures 162.44 ± 11.2 cm³."
    return Report(
        run_id="20261121-233012-7f3a9c",
        question="Is the liver enlarged?",
        status="consistent",
        rounds=2,
        answer=Answer(
            question="Is the liver enlarged?",
            text=said,
            state=State.NOT_MEASURABLE,
            unit="cm3",
            lower_bound=1213.488,
            reason="the liver touches the upper border of the scan, and the rule asks for more than 1800 cm³",
            evidence=[ids[2], ids[0]],
            bindings=[bind(said, "1213.5", ids[0], "lower_bound"), bind(said, "111", ids[0], "slice")],
        ),
        impression=[Sentence(id="i1", text="Whether the liver is enlarged stays open.", evidence=[ids[2]])],
        findings=[
            Sentence(
                id="f1",
                text=kidney,
                evidence=[ids[1]],
                bindings=[bind(kidney, "162.44", ids[1]), bind(kidney, "11.2", ids[1], "uncertainty")],
            ),
            Sentence(id="f2", text="The gallbladder is present.", evidence=[ids[3]]),
        ],
        pathology=Pathology(
            diagnosis="none made", ct="TX", cn="NX", cm="MX", differential=["a", "b"], confidence=0.4,
            evidence=[ids[4]],
        ),
        evidence={
            item.id: EvidenceOut.model_validate({**item.model_dump(exclude={"id"}), "inputs": list(item.inputs)})
            for item in made
        },
        verdicts=[
            Verdict(round=1, gate="grounding", outcome="pass", reason="every number matches its evidence"),
            Verdict(round=1, gate="coverage", outcome="fail", reason="the chain lacks the spleen's volume"),
            Verdict(round=2, gate="grounding", outcome="pass", reason="every number matches its evidence"),
            Verdict(round=2, gate="coverage", outcome="pass", reason="the chain is complete"),
            Verdict(round=2, gate="overclaim", outcome="not_applicable", reason="no absence is claimed"),
        ],
        not_assessed=["liver lesions", "lymph nodes"],
        limitations=["Voxels are 3 mm wide: volumes of small structures are uncertain."],
        pictures=[
            Picture(path="images/liver.png", caption="Liver at its upper end, slice 111.", evidence=[ids[0]]),
        ],
        trace="/runs/20261121-233012-7f3a9c/trace.jsonl",
    )  # fmt: skip
