"""A stand-in for the DeepTumorVQA harness, written from the description of its messages, tools, loop and parsers.

It serves tool results from a cache, as the harness does, and shares its traps: a bare first letter wins, four tool
turns, no identifiers in messages, one agent object for all questions, exceptions that become answers.
"""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import pytest

MEASUREMENTS = [
    "volume_cm3", "mean_hu", "max_diameter_mm", "lesion_count", "largest_lesion_volume_cm3",
    "largest_lesion_diameter_cm",
]  # fmt: skip
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "segment_organ",
            "description": "Find an organ or a lesion.",
            "parameters": {"type": "object", "properties": {"target": {"type": "string"}}, "required": ["target"]},
        },
    },
    {
        "type": "function",
        "function": {
            "name": "measure",
            "description": "Measure it.",
            "parameters": {
                "type": "object",
                "properties": {
                    "target": {"type": "string"},
                    "measurement_type": {"type": "string", "enum": MEASUREMENTS},
                },
                "required": ["target", "measurement_type"],
            },
        },
    },
    {
        "type": "function",
        "function": {
            "name": "lookup_medical_knowledge",
            "description": "Look a rule up.",
            "parameters": {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]},
        },
    },
]  # fmt: skip


class AgentEvaluator:
    """Base class of agents, as the harness has it; subclasses implement `chat`."""

    def __init__(
        self, model_id: str, mode: str = "oracle", tool_cache_path_override: str | None = None, max_steps: int = 5,
        force_answer_on_last: bool = True, **more: Any,
    ) -> None:  # fmt: skip
        self.model_id, self.mode, self.max_steps = model_id, mode, max_steps
        self.cache: dict[str, Any] = {}

    def chat(self, messages: list[dict[str, Any]], tools: list[dict[str, Any]]) -> dict[str, Any]:
        raise NotImplementedError

    def _tool(self, name: str, arguments: dict[str, Any], case: dict[str, Any]) -> Any:
        target = str(arguments.get("target"))
        if name == "segment_organ":
            there = case.get("segment", {})
            missing = {"mask_found": False, "error": f"no mask for {target}", "available_targets": sorted(there)}
            return there.get(target, missing)
        if name == "measure":
            what = arguments.get("measurement_type") or arguments.get("measurement")
            return case.get("measure", {}).get(target, {}).get(what, {"error": f"no {what} for {target}"})
        return {"error": f"no tool {name}"}

    def ask(self, prompt: str, case: dict[str, Any]) -> Asked:
        """One question through the loop."""
        messages: list[dict[str, Any]] = [
            {"role": "system", "content": "You are a radiology agent. Call tools, then answer."},
            {"role": "user", "content": prompt},
        ]
        asked = Asked()
        for step in range(self.max_steps):
            last = step == self.max_steps - 1
            try:
                said = self.chat(messages, [] if last else TOOLS)
            except Exception as error:  # noqa: BLE001  (as the harness does: the error's text is scored)
                asked.raw = f"{type(error).__name__}: {error}"
                asked.failed = True
                return asked
            calls = said.get("tool_calls") or []
            messages.append({"role": "assistant", "content": said.get("content") or "", "tool_calls": calls})
            if not calls:
                asked.raw = said.get("content") or ""
                return asked
            asked.turns += 1
            for call in calls:
                assert set(call) == {"name", "arguments"}
                result = self._tool(call["name"], call["arguments"], case)
                asked.trajectory.append((call["name"], call["arguments"], result))
                messages.append({"role": "tool", "name": call["name"], "content": json.dumps(result)})
        return asked


@dataclass
class Asked:
    """What came of a question."""

    raw: str = ""
    turns: int = 0
    failed: bool = False
    trajectory: list[tuple[str, dict[str, Any], Any]] = field(default_factory=list)


def letter(raw: str) -> str | None:
    """The harness's parser: the first character wins, else the first letter that stands alone."""
    text = re.sub(r"<think>.*?</think>", "", raw, flags=re.DOTALL).strip()
    if text[:1] in {"A", "B", "C", "D"}:
        return text[0]
    found = re.search(r"\b([A-D])\b", text)
    return found.group(1) if found else None


def number(raw: str) -> float | None:
    """The harness's parser: the first run of digits with a point."""
    found = re.search(r"-?\d+(?:\.\d+)?", raw)
    return float(found.group()) if found else None


def yes_or_no(raw: str) -> str | None:
    """The harness's parser: a prefix test."""
    text = raw.strip().lower()
    return "yes" if text.startswith("yes") else "no" if text.startswith("n") else None


def install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the stand-in importable under the harness's name."""
    for name in ("deeptumorvqa", "deeptumorvqa.eval", "deeptumorvqa.eval.agent_evaluator"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    sys.modules["deeptumorvqa.eval.agent_evaluator"].AgentEvaluator = AgentEvaluator  # type: ignore[attr-defined]


def prompt(
    question: str, options: tuple[str, ...] = (), *, form: str = "number", contrast: str = "portal venous"
) -> str:
    """A user prompt in the benchmark's form."""
    lines = [
        "You are shown one axial image of an abdominal CT scan.",
        f"Patient: sex=F, age=61, scanner=Siemens, contrast={contrast}",
    ]
    if options:
        inline = " ".join(f"{chr(ord('A') + n)}: {text}" for n, text in enumerate(options))
        return "\n".join([*lines, f"{question} {inline}", "Answer with only the single letter of the correct option."])
    if form == "number":
        lines.append("Spacing: (0.8, 0.8, 2.5), shape: (512, 512, 140)")
    told = {
        "number": "Answer with only a number.", "yesno": "Answer with only yes or no.",
        "phrase": "Answer with a short phrase only.",
    }  # fmt: skip
    return "\n".join([*lines, question, told[form]])
