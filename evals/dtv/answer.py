"""A report's answer in the form that the benchmark parses: a bare letter, a plain number, yes or no, a short phrase."""

from __future__ import annotations

from agent.report_model import Answer, Report
from agent.state import RunState
from evals.dtv.guess import Guess, guess
from evals.dtv.prompt import Prompt
from tools.types import State
from tools.units import convert, dimension

_BENCHMARK_UNITS = {"volume": "cm3", "length": "cm"}


def final_answer(prompt: Prompt, report: Report, state: RunState) -> tuple[str, Guess | None]:
    """The text to hand in, and the guess that it is where the evidence decides nothing."""
    answer = report.answer
    if answer is None or report.status != "consistent":
        made = guess(prompt, state)
        return made.text, made
    if prompt.options:
        if answer.option is not None:
            return answer.option, None
        made = guess(prompt, state)
        return made.text, made
    said = _plain(prompt, answer)
    if said is None:
        made = guess(prompt, state)
        return made.text, made
    return said, None


def _plain(prompt: Prompt, answer: Answer) -> str | None:
    value = answer.value
    decided = answer.state in {State.MEASURED, State.ABSENT}
    if not decided or value is None:
        return None
    if isinstance(value, bool):
        return "Yes" if value else "No"
    if isinstance(value, int | float):
        return _number(float(value), answer.unit, prompt.question)
    return str(value)


def _number(value: float, unit: str | None, question: str) -> str:
    """A plain decimal number: the parser takes "1,234" for 1 and "1.2e3" for 1.2."""
    words = question.lower().replace("³", "3").split()
    if unit is not None and (own := _BENCHMARK_UNITS.get(dimension(unit) or "")) is not None:
        named = any(word.strip("?.,()[]") in {"mm", "millimeters", "millimetres", "ml", "mm3"} for word in words)
        value = value if named else convert(value, unit, own)
    text = f"{value:.4f}".rstrip("0").rstrip(".")
    return text if text not in {"", "-0"} else "0"
