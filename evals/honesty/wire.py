"""A responder behind a real HTTP server that reads prompts like a model.

It restates the rows of the evidence table that decide the questions; the lies of `wire_lies` change its answer.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from evals.honesty.cases import MARKER
from evals.serving.replies import Reply, Script, last_user_text, system_text
from prompts import documents

Answer = dict[str, Any]
Mutation = Callable[[Answer, "Prompt"], Answer]
"""Makes a lie of a truthful answer to a prompt."""


@dataclass(frozen=True)
class Prompt:
    """What a request asks.

    Attributes:
        purpose: conclude, interpret, plan, critique or reply.
        rows: the evidence table, by id.
        questions: what is asked.
        round: number of the round.
        text: all of it.
        fields: fields of the answer's schema.
    """

    purpose: str
    rows: Mapping[str, Mapping[str, str]]
    questions: tuple[Mapping[str, Any], ...]
    round: int
    text: str
    fields: Mapping[str, Any]

    @classmethod
    def of(cls, request: Mapping[str, Any]) -> Prompt:
        """Read a chat request."""
        text = last_user_text(dict(request))
        found = documents(text)
        table = found.get("evidence") or {}
        rows = {
            str(row[0]): dict(zip(table["columns"], map(str, row), strict=True)) for row in table.get("rows", ())
        }  # fmt: skip
        schema = request.get("response_format", {}).get("json_schema", {}).get("schema", {})
        fields = schema.get("properties", {})
        asked = found.get("questions") or ()
        number = int((found.get("round") or {}).get("round", 1))
        return cls(_purpose(found, fields), rows, tuple(asked) if isinstance(asked, list) else (), number,
                   system_text(dict(request)) + "\n" + text, fields)  # fmt: skip


def _purpose(found: Mapping[str, Any], fields: Mapping[str, Any]) -> str:
    if "kind" in fields:
        return "interpret"
    for name, purpose in (("tasks", "plan"), ("objections", "critique"), ("sentences", "reply")):
        if name in fields:
            return purpose
    return "conclude"


@dataclass
class Truthful:
    """Says what the evidence says, and the option that is right.

    Attributes:
        correct: letter of the right option by the words of a question.
    """

    correct: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, prompt: Prompt) -> Answer:
        """The truthful answer to a prompt."""
        if prompt.purpose == "interpret":
            return {"kind": "unknown", "structures": [], "number": None, "upper": None, "unit": None,
                    "comparator": None, "wanted": None, "negated": False}  # fmt: skip
        if prompt.purpose != "conclude":
            name = next(iter(prompt.fields))
            return {name: [1] if prompt.purpose == "reply" else []}
        answer: Answer = {}
        for name in prompt.fields:
            answer[name] = self._field(name, prompt)
        return answer

    def _field(self, name: str, prompt: Prompt) -> Any:
        if name == "answers":
            return [self._answer(one, prompt) for one in prompt.questions]
        if name == "findings":
            return [ident for ident, row in prompt.rows.items() if row["as"] == "finding"]
        if name == "impression":
            return [restated(ident, row) for ident, row in prompt.rows.items() if row["as"] == "impression"]
        if name in {"t", "n", "m", "stage"}:
            what = "stage" if name == "stage" else f"category_{name}"
            decided = {row["value"] for row in prompt.rows.values() if row["what"] == what and row["value"]}
            return decided.pop() if len(decided) == 1 else {"stage": ""}.get(name, f"{name.upper()}X")
        return "none" if name == "diagnosis" else []

    def _answer(self, question: Mapping[str, Any], prompt: Prompt) -> Answer:
        ident = str(question["row"]["evidence"])
        answer = {"q": question["q"], **restated(ident, prompt.rows[ident])}
        if question.get("options"):
            answer["option"] = self.correct.get(str(question["asked"]), "none")
        return answer


def restated(ident: str, row: Mapping[str, str]) -> Answer:
    """What a row says, as part of an answer."""
    return {"evidence": ident, "value": row["value"], "unit": row["unit"], "state": row["state"]}


def _leave_out(answer: Answer, fields: Mapping[str, Any]) -> None:
    """Take out what a form doesn't ask for because no row has it; what a lie put there stays."""
    for name in ("answers", "impression"):
        asked = fields.get(name, {}).get("items", {}).get("properties")
        parts = answer.get(name)
        for part in parts if asked is not None and isinstance(parts, list) else ():
            for key in ("value", "unit"):
                if isinstance(part, dict) and key not in asked and part.get(key) == "":
                    del part[key]


def hidden(text: str) -> int:
    """How often the hidden instruction is in a text, however it is written."""
    return text.lower().replace("_", " ").count(MARKER.lower())


def responder(truthful: Truthful, mutation: Mutation | None = None) -> Script:
    """A server script from the truthful responder and a lie."""

    def script(request: dict[str, Any]) -> Reply:
        prompt = Prompt.of(request)
        answer = truthful(prompt)
        if mutation is not None and prompt.purpose == "conclude":
            answer = mutation(deepcopy(answer), prompt)
        _leave_out(answer, prompt.fields)
        return Reply(texts=(json.dumps(answer, ensure_ascii=False),))

    return script
