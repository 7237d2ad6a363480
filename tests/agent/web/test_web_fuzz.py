"""Requests made from the server's own description, with ids that exist: nothing ends in a fault of the server."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
)

from tests.agent.web.web_make import Json, Server, listening

_EACH = 25
CHECKS = [not_a_server_error, content_type_conformance, response_headers_conformance, response_schema_conformance]
# Each ends what the others use; they are asked for with made-up ids only.
_ENDS = {
    ("DELETE", "/api/scans/{scan}"),
    ("DELETE", "/api/uploads/{source}"),
    ("DELETE", "/api/conversations/{conversation}"),
}


@pytest.fixture
def known(own: Server) -> Json:
    """Ids that exist, by the name of their parameter or field."""
    scan = own.open()
    talk = own.post("/api/conversations", {"scan": scan["id"]})
    run = own.ask(scan["id"], "How many liver lesions are there?", conversation=talk["id"])
    source = own.source("ct.nii.gz")
    masks = own.get(f"/api/runs/{run['id']}/masks")
    edit = {"kind": "keep", "structure": "liver_lesion", "point": masks["lesions"][-1]["centre_mm"]}
    preview = own.post(f"/api/runs/{run['id']}/corrections", {"edits": [edit]})
    return {
        "scan": scan["id"], "run": run["id"], "conversation": talk["id"], "source": source["id"], "layer": 0,
        "evidence": next(iter(run["report"]["evidence"])), "name": "overview.png", "correction": preview["id"],
        "labels": [one["id"] for one in source["labels"]], "model": f"scan:{scan['id']}", "edits": [edit],
        "level": 0, "box": "0,9,0,9,0,9", "about": run["claims"][0]["id"],
    }  # fmt: skip


# The library draws from `random` within its strategies, which is its own business.
@pytest.mark.filterwarnings("ignore::hypothesis.errors.HypothesisDeprecationWarning")
@pytest.mark.slow
def test_nothing_is_a_fault_of_the_server(own: Server, known: Json) -> None:
    schema: Any = schemathesis.openapi.from_dict(_without_tuples(own.get("/api/openapi.json")))
    asked: dict[str, int] = {}
    with listening(own.app) as address:
        for result in schema.get_all_operations():
            _ask_all(address, result.ok(), known, asked)
    assert len(asked) >= 30, asked
    # Of those without parameters there are few to ask.
    assert sum(count >= _EACH // 2 for count in asked.values()) >= 25, asked
    # What was there is still there.
    assert own.get(f"/api/runs/{known['run']}")["state"] in {"done", "queued", "running"}
    assert own.get(f"/api/scans/{known['scan']}")["id"] == known["scan"]


def _without_tuples(schema: Any) -> Any:
    """A description whose arrays name one kind of item: the library reads `prefixItems` as an older draft does."""
    if isinstance(schema, list):
        return [_without_tuples(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    made = {name: _without_tuples(one) for name, one in schema.items() if name != "prefixItems"}
    if isinstance(schema.get("prefixItems"), list):
        made["items"] = _without_tuples(schema["prefixItems"][0])
    return made


def _ask_all(address: str, operation: Any, known: Json, asked: dict[str, int]) -> None:
    label = (operation.method.upper(), operation.path)

    @seed(20)
    @settings(
        max_examples=_EACH, deadline=None, database=None, phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(case=operation.as_strategy(), real=st.booleans(), inside=st.booleans())
    def ask(case: Any, real: bool, inside: bool) -> None:
        if real and label not in _ENDS:
            for name in case.path_parameters or {}:
                case.path_parameters[name] = known.get(name, case.path_parameters[name])
        if inside:
            for place in (case.query, case.body):
                if isinstance(place, dict):
                    place.update({name: known[name] for name in set(place) & set(known)})
        asked[" ".join(label)] = asked.get(" ".join(label), 0) + 1
        answer = case.call(base_url=address)
        try:
            case.validate_response(answer, checks=CHECKS)
        except FailureGroup as failures:
            raise AssertionError([f"{label} {one.title}: {one.message}" for one in failures.exceptions]) from failures
        assert answer.headers.get("x-content-type-options") == ["nosniff"]

    ask()
