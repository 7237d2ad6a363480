"""The organ knowledge graph: identifiers, citations, sides, order, and that following it ends."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from agent.errors import UsageError
from retrieval.organ_graph import (
    RULE_CONDITIONS,
    Condition,
    Finding,
    Hop,
    Limits,
    edges_for,
    load_organ_graph,
    read_organ_graph,
    sided,
)
from tools.ontology import load_ontology
from tools.registry import load_tools
from tools.rules.model import Rule, load_rules

GRAPH = load_organ_graph()
ONTOLOGY = load_ontology()
TRIGGERS = sorted({one for edge in GRAPH.edges for one in GRAPH.members(edge.trigger)})
PARTS = sorted({edge.trigger.part for edge in GRAPH.edges if edge.trigger.part})


def found(structure: str, condition: str = "present", **more: Any) -> Finding:
    return Finding.model_validate({"structure": structure, "condition": condition, **more})


def keys(*findings: Finding, visited: tuple[str, ...] = (), **limits: int) -> list[str]:
    return [hop.key for hop in edges_for(findings, visited, limits=Limits(**limits))]


def known(ident: str) -> bool:
    return ident in ONTOLOGY.structures or ONTOLOGY.get(ident).kind == "lesion"


def quantities() -> set[str]:
    """Quantities that rules or tools make."""
    sources = {
        one.measure.quantity for rule in load_rules().values() if isinstance(rule, Rule) for one in rule.criteria
    }
    for rule in load_rules().values():
        if not isinstance(rule, Rule):
            sources |= {one.call.quantity for one in rule.inputs.values() if one.quantity is not None}
    return sources | {quantity for tool in load_tools().values() for quantity in tool.says}


def test_every_identifier_is_in_the_ontology() -> None:
    for name, members in GRAPH.classes.items():
        assert members and all(known(one) for one in members), name
    for edge in GRAPH.edges:
        assert all(known(one) for one in GRAPH.members(edge.trigger)), edge.id
        assert edge.trigger.part is None or edge.trigger.part in ONTOLOGY.structures
        for opening in edge.opens:
            for one in sided(opening.structure, None):
                assert one in ONTOLOGY.structures, (edge.id, one)
    for organ in GRAPH.organs:
        named = {organ.id, *organ.parts, *(one.structure for one in organ.related)}
        assert named <= set(ONTOLOGY.structures), organ.id
        assert set(organ.parts) == set(ONTOLOGY.structures[organ.id].parts)
        assert set(organ.attributes) <= quantities(), organ.id


def test_a_side_is_opened_only_where_the_finding_may_have_one() -> None:
    for edge in GRAPH.edges:
        for opening in edge.opens:
            if "$" in opening.structure:
                assert all(ONTOLOGY.get(f"{one}_left").side for one in GRAPH.members(edge.trigger)), edge.id


def test_every_edge_and_relation_is_cited() -> None:
    assert len(GRAPH.edges) >= 30
    for edge in GRAPH.edges:
        assert all(len(text) > 20 for text in GRAPH.cited(edge)) and GRAPH.cited(edge)
    assert all(related.citations for organ in GRAPH.organs for related in organ.related)


def test_conditions_that_rules_decide_are_topics_of_rules() -> None:
    topics = {rule.topic for rule in load_rules().values()}
    assert {one.value for one in RULE_CONDITIONS} <= topics
    used = {edge.trigger.condition for edge in GRAPH.edges}
    assert used == set(Condition)


def test_classes_do_not_overlap_and_are_all_used() -> None:
    members = [one for group in GRAPH.classes.values() for one in group]
    assert len(members) == len(set(members))
    assert {edge.trigger.structure[1:] for edge in GRAPH.edges if edge.trigger.structure.startswith("@")} == set(
        GRAPH.classes
    )


@pytest.mark.parametrize(
    ("finding", "expected"),
    [
        (found("pancreas_pdac", part="pancreas_head"), {
            "measure:common_bile_duct", "measure:pancreatic_duct", "vessel_contact:portal_vein",
            "vessel_contact:superior_mesenteric_vein", "vessel_contact:superior_mesenteric_artery", "lesions:liver",
            "distance:duodenum"}),
        (found("pancreas_tumor", part="pancreas_tail"), {
            "vessel_contact:splenic_vein", "measure:spleen", "vessel_contact:celiac_trunk", "lesions:liver"}),
        (found("liver_metastasis"), {
            "lesions:colon", "lesions:pancreas", "lesions:stomach", "lesions:lung", "distance:portal_vein"}),
        (found("liver_lesion"), {"measure:spleen", "vessel_contact:portal_vein"}),
        (found("liver_cholangiocarcinoma"), {"vessel_contact:hepatic_vein", "presence:lymph_node"}),
        (found("liver_hcc"), {"vessel_contact:portal_vein", "measure:spleen", "measure:liver_segment_1"}),
        (found("kidney_rcc_left"), {
            "vessel_contact:renal_vein_left", "vessel_contact:inferior_vena_cava", "distance:adrenal_gland_left",
            "lesions:kidney_right", "lesions:lung"}),
        (found("colon_cancer"), {"lesions:liver", "lesions:lung", "presence:ascites"}),
        (found("spleen", "enlarged"), {"presence:portal_vein", "measure:liver", "presence:lymph_node"}),
        (found("stomach_cancer"), {"lesions:liver", "distance:pancreas"}),
        (found("esophagus_tumor"), {"vessel_contact:aorta", "distance:trachea", "lesions:liver"}),
        (found("lung_cancer_right"), {"lesions:lung_left", "lesions:lung_right", "lesions:adrenal_gland"}),
    ],
    ids=lambda one: one.structure if isinstance(one, Finding) else "",
)  # fmt: skip
def test_a_finding_opens_what_a_reader_would_look_at(finding: Finding, expected: set[str]) -> None:
    assert expected <= set(keys(finding))


def test_what_nothing_is_known_of_opens_nothing() -> None:
    for one in (found("brain_tumor"), found("spleen", "small"), found("spleen"), found("liver_cyst")):
        assert keys(one) == []


def test_the_part_decides_where_an_edge_asks_for_one() -> None:
    assert "measure:common_bile_duct" in keys(found("pancreas_pdac", part="pancreas_head"))
    assert "measure:common_bile_duct" not in keys(found("pancreas_pdac", part="pancreas_tail"))
    assert "measure:common_bile_duct" not in keys(found("pancreas_pdac"))


def test_sides_are_kept_and_opened_both_where_unknown() -> None:
    left = keys(found("kidney_rcc_left"))
    assert "distance:adrenal_gland_left" in left and "distance:adrenal_gland_right" not in left
    assert "lesions:kidney_right" in left and "lesions:kidney_left" not in left
    unknown = keys(found("kidney_rcc"))
    assert {"distance:adrenal_gland_left", "distance:adrenal_gland_right"} <= set(unknown)
    mirrored = [one.replace("left", "L").replace("right", "left").replace("L", "right") for one in left]
    assert sorted(mirrored) == sorted(keys(found("kidney_rcc_right")))
    with pytest.raises(ValidationError, match="not of the right side"):
        found("kidney_rcc_left", side="right")


def test_a_hop_tells_its_reason_source_and_citation() -> None:
    first = edges_for([found("kidney_rcc_left")], ())[0]
    assert (first.source, first.depth, first.priority) == ("kidney_rcc_left", 1, 1)
    assert first.why.endswith("T4") or "T3" in first.why
    assert any("AJCC" in one for one in first.citations)


def test_visited_checks_and_depth_end_it() -> None:
    one = found("spleen", "enlarged")
    every = keys(one)
    assert keys(one, visited=tuple(every)) == []
    assert keys(one, visited=(every[0],)) == every[1:]
    assert keys(found("spleen", "enlarged", depth=3)) == []
    assert keys(found("spleen", "enlarged", depth=3), max_depth=4) == every
    assert keys(one, max_hops=2) == every[:2]


findings = st.builds(
    lambda structure, condition, side, part, depth: Finding(
        structure=structure, condition=condition, side=side, part=part, depth=depth
    ),
    st.sampled_from([*TRIGGERS, "brain", "unheard_of"]),
    st.sampled_from(list(Condition)),
    st.sampled_from([None, "left", "right"]),
    st.sampled_from([None, *PARTS]),
    st.integers(0, 4),
)


@given(st.lists(findings, max_size=8), st.randoms(use_true_random=False), st.integers(1, 40), st.integers(1, 4))
@settings(max_examples=30, deadline=None)
def test_hops_are_bounded_ordered_and_do_not_depend_on_the_order_of_findings(
    given_findings: list[Finding], rng: random.Random, max_hops: int, max_depth: int
) -> None:
    limits = Limits(max_hops=max_hops, max_depth=max_depth)
    hops = edges_for(given_findings, (), limits=limits)
    assert len(hops) <= max_hops
    assert len({hop.key for hop in hops}) == len(hops)
    assert [hop.priority for hop in hops] == sorted(hop.priority for hop in hops)
    assert all(1 <= hop.depth <= max_depth for hop in hops)
    shuffled = list(given_findings)
    rng.shuffle(shuffled)
    assert edges_for(shuffled, (), limits=limits) == hops


@given(st.lists(findings, min_size=1, max_size=4), st.randoms(use_true_random=False), st.integers(8, 24))
@settings(max_examples=8, deadline=None)
def test_following_hops_ends_and_never_goes_back(start: list[Finding], rng: random.Random, max_hops: int) -> None:
    limits = Limits(max_hops=max_hops, max_depth=20)
    seen, visited = list(start), set[str]()
    checks = sum(2 * len(edge.opens) for edge in GRAPH.edges)
    for _ in range(checks + 1):
        hops = edges_for(seen, visited, limits=limits)
        if not hops:
            break
        assert visited.isdisjoint(hop.key for hop in hops)
        visited |= {hop.key for hop in hops}
        seen += [made for hop in hops if (made := _look(hop, rng)) is not None]
    assert edges_for(seen, visited, limits=limits) == []


def _look(hop: Hop, rng: random.Random) -> Finding | None:
    """Whatever a check may come to."""
    lesion = {"lesions": "_cancer", "presence": ""}.get(hop.check, "")
    base = hop.structure.removesuffix("_left").removesuffix("_right")
    side = hop.structure[len(base) + 1 :] or None
    return rng.choice([None, *(found(f"{base}{lesion}", one, side=side, depth=hop.depth) for one in Condition)])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"priority": 0}, "edges.0.priority"),
        ({"citations": []}, "edges.0.citations"),
        ({"citations": [{"source": "strange"}]}, "cites strange"),
        ({"trigger": {"structure": "@nothing", "condition": "present"}}, "names the class @nothing"),
        ({"trigger": {"structure": "spleen", "condition": "sleepy"}}, "edges.0.trigger.condition"),
        ({"opens": [{"structure": "liver", "check": "taste", "why": "because of it"}]}, "edges.0.opens.0.check"),
        ({"opens": [{"structure": "$side", "check": "measure", "why": "because of it"}]}, "edges.0.opens.0.structure"),
    ],
)
def test_a_wrong_edge_is_one_sentence(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    edge: dict[str, Any] = {
        "id": "an-edge", "priority": 1, "trigger": {"structure": "spleen", "condition": "enlarged"},
        "opens": [{"structure": "liver", "check": "measure", "why": "because of it"}],
        "citations": [{"source": "baveno"}],
    }  # fmt: skip
    whole = {"version": "1", "reviewed": "2026-11-22", "reviewer": "project", "classes": {}, "organs": []}
    file = tmp_path / "graph.yaml"
    file.write_text(yaml.safe_dump({**whole, "edges": [edge]}), encoding="utf-8")
    assert read_organ_graph(file).edges[0].id == "an-edge"
    file.write_text(yaml.safe_dump({**whole, "edges": [{**edge, **change}]}), encoding="utf-8")
    with pytest.raises(UsageError, match=message):
        read_organ_graph(file)
