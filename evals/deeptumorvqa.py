"""TumorTrace as an agent of the public DeepTumorVQA harness, which stays as it is.

The harness loads this file and calls `build_evaluator`. Every question is one run of the usual loop: the planner's
measuring tasks become the harness's tool calls, the graph waits for their results at an interrupt, and the critic
checks the conclusion. Nothing in a message names the question or the scan, so that runs are told apart by their
messages: two messages begin a new one.
"""

from __future__ import annotations

import json
import logging
import shutil
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import JsonValue

from agent.engine import Engine
from agent.errors import UsageError
from agent.models.embedded import EmbeddedReasoner
from agent.outside_run import OutsideRun, Waiting
from agent.report_model import Report
from agent.settings import Settings
from agent.state import Request
from evals.dtv.answer import final_answer
from evals.dtv.prompt import Prompt, read_prompt
from evals.dtv.tools import HarnessTools
from tools.base import Case, CaseSettings
from tools.volume import Grid, Orientation, Scan, ScanHeader

_LOG = logging.getLogger(__name__)
HARNESS = "deeptumorvqa.eval.agent_evaluator"
_NOT_OFFERED: dict[str, JsonValue] = {"error": "no tools are offered any more"}
_NEW_QUESTION = 2
_LONGEST = 2000


class Conversation:
    """The harness's side of one question after another.

    Args:
        folder: where the runs live while they go on; the last one is deleted when the next begins.
        log: JSON lines file to which every answer is added, with the reason where it is a guess; None for no log.
    """

    def __init__(self, folder: Path, log: Path | None = None) -> None:
        self._folder = folder
        self._log = log
        self._engine = Engine(Settings(home=folder / "home", cache=folder / "cache"), EmbeddedReasoner())
        self._run: OutsideRun | None = None
        self._prompt = Prompt(question="")
        self._waiting: Waiting | None = None
        self._asked = 0

    def chat(self, messages: list[dict[str, Any]], tools: list[dict[str, Any]]) -> dict[str, Any]:
        """Answer the harness: tool calls to make, or the final answer with no calls.

        Args:
            messages: the whole dialogue of one question so far.
            tools: schemas of the tools offered; empty in the last step, which must answer.
        """
        if len(messages) <= _NEW_QUESTION or self._run is None or self._waiting is None:
            step = self._begin(messages)
        else:
            step = self._run.advance(self._results(messages, self._waiting))
        while isinstance(step, Waiting) and not tools:
            assert self._run is not None
            step = self._run.advance([_NOT_OFFERED] * len(step.calls))
        if isinstance(step, Waiting):
            self._waiting = step
            return {"content": None, "tool_calls": [call for call in step.calls if isinstance(call, dict)]}
        return {"content": self._finish(step), "tool_calls": []}

    def _begin(self, messages: list[dict[str, Any]]) -> Waiting | Report:
        self._drop()
        self._asked += 1
        asked: dict[str, Any] = next((one for one in reversed(messages) if one.get("role") == "user"), {})
        self._prompt = read_prompt(_text(asked.get("content")))
        settings = CaseSettings(phase=self._prompt.phase, patient=self._prompt.facts)
        request = Request(question=self._prompt.question[:_LONGEST] or "?", options=self._prompt.options)
        self._run = OutsideRun(
            self._engine, _nothing_to_read(settings), request, HarnessTools(self._prompt),
            self._folder / f"question-{self._asked:05d}",
        )  # fmt: skip
        return self._run.advance()

    def _results(self, messages: list[dict[str, Any]], waiting: Waiting) -> list[JsonValue]:
        """Contents of the tool messages since the last call, in the order of the calls."""
        last = max((n for n, one in enumerate(messages) if one.get("role") == "assistant"), default=0)
        told: list[JsonValue] = [_text(one.get("content")) for one in messages[last + 1 :] if one.get("role") == "tool"]
        missing: dict[str, JsonValue] = {"error": "no result"}
        return [told[n] if n < len(told) else missing for n in range(len(waiting.calls))]

    def _finish(self, report: Report) -> str:
        assert self._run is not None
        state = self._engine.state_of(self._run.folder)
        said, guessed = final_answer(self._prompt, report, state)
        if self._log is not None:
            row = {
                "question": self._prompt.question,
                "options": list(self._prompt.options),
                "answer": said,
                "guess": guessed.reason if guessed is not None else None,
                "status": report.status,
                "text": report.answer.text if report.answer else None,
                "evidence": report.answer.evidence if report.answer else [],
            }
            with self._log.open("a", encoding="utf-8") as lines:
                lines.write(json.dumps(row, ensure_ascii=False) + "\n")
        self._drop()
        return said

    def _drop(self) -> None:
        if self._run is not None:
            self._run.close()
            shutil.rmtree(self._run.folder.folder, ignore_errors=True)
        self._run = self._waiting = None


def build_evaluator(args: Any) -> Any:
    """The evaluator that the harness runs, of its own base class.

    Args:
        args: the harness's command line; ``agent_mode``, ``max_steps`` and ``tool_cache`` are passed on where they
            are set, which a custom agent has to do itself.

    Raises:
        UsageError: the harness is not installed.
    """
    try:
        base = import_module(HARNESS).AgentEvaluator
    except ImportError as error:
        raise UsageError(
            "The DeepTumorVQA harness is not installed: install it into this environment, or run "
            "`tumortrace eval deeptumorvqa --data DIR` on its data."
        ) from error
    folder = Path(tempfile.mkdtemp(prefix="tumortrace-deeptumorvqa-"))
    output = getattr(args, "output_path", None) or getattr(args, "output", None)
    log = Path(output).with_suffix(".reasons.jsonl") if output else folder / "reasons.jsonl"
    talk = Conversation(folder, log)

    def chat(self: Any, messages: list[dict[str, Any]], tools: list[dict[str, Any]]) -> dict[str, Any]:
        return talk.chat(messages, tools)

    evaluator = type("TumorTraceEvaluator", (base,), {"chat": chat})
    cache = getattr(args, "tool_cache_path_override", None) or getattr(args, "tool_cache", None)
    options = {
        "mode": getattr(args, "agent_mode", None) or getattr(args, "mode", None),
        "max_steps": getattr(args, "max_steps", None),
        "tool_cache_path_override": cache,
    }
    _LOG.info("reasons of guesses are written to %s", log)
    return evaluator("tumortrace", **{name: value for name, value in options.items() if value is not None})


def _text(content: Any) -> str:
    """Text of a message, whose content may be a list of parts."""
    if isinstance(content, list):
        return "\n".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else json.dumps(content)


def _nothing_to_read(settings: CaseSettings) -> Case:
    """A case without a scan: every tool that would read it is answered by the harness."""
    shape = (2, 2, 2)
    voxels = np.zeros(shape, dtype=np.int16)
    unmoved = np.array([[0.0, 1.0], [1.0, 1.0], [2.0, 1.0]])
    header = ScanHeader(source="nifti")
    return Case(scan=Scan(voxels, Grid(shape, np.eye(4)), Orientation(unmoved, shape), header), settings=settings)
