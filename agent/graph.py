"""The loop as a graph: wiring only."""

from __future__ import annotations

from functools import cache
from typing import Any, Literal, Protocol

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import Runtime

from agent.critic import criticise
from agent.executor import execute
from agent.follow import follow
from agent.intake import intake
from agent.looking import look_for
from agent.planner import plan
from agent.reasoner import reason
from agent.reporting import report
from agent.review import review
from agent.services import Services
from agent.state import RunState
from agent.understanding import understand


def after_critic(state: RunState) -> Literal["plan", "report"]:
    """Another round while the critic has not decided."""
    return "plan" if state.status is None else "report"


def after_looking(state: RunState) -> Literal["plan", "execute"]:
    """The plan rests on what was seen; what hops made engines look for is looked at at once."""
    return "plan" if state.round == 0 else "execute"


def after_following(state: RunState) -> Literal["look_for", "reason"]:
    """Hops may need masks that nothing made yet."""
    return "look_for" if state.opened else "reason"


def after_report(state: RunState) -> Literal["review", "__end__"]:
    """A report that a person attends waits for their word."""
    return "review" if state.request.attended else "__end__"


def after_review(state: RunState) -> Literal["plan", "report"]:
    """Corrected masks are measured anew; an opinion is entered in the report."""
    return "plan" if state.status is None else "report"


class Node(Protocol):
    """A step of the loop: from the state to what changes in it."""

    def __call__(self, state: RunState, runtime: Runtime[Services]) -> dict[str, Any]:
        """Do the step."""
        ...


def unless_stopped(node: Node) -> Node:
    """A node that does not begin once the run was asked to stop."""

    def run(state: RunState, runtime: Runtime[Services]) -> dict[str, Any]:
        runtime.context.go_on()
        return node(state, runtime)

    return run


def build_graph(checkpointer: BaseCheckpointSaver[str]) -> CompiledStateGraph[RunState, Services, RunState, RunState]:
    """intake → understand → look for → plan → execute → follow → (look for → execute | reason) → criticise → …

    The critic sends the run back to the plan, or to the report; a person who attends it, from the report to either.
    """
    return _wired().compile(checkpointer=checkpointer)


@cache
def _wired() -> StateGraph[RunState, Services, RunState, RunState]:
    """The wiring, which all runs share: LangGraph reads the types of all nodes for it; compiling is the lesser part."""
    graph = StateGraph(RunState, context_schema=Services)
    graph.add_node("intake", unless_stopped(intake))
    graph.add_node("understand", unless_stopped(understand))
    graph.add_node("look_for", unless_stopped(look_for))
    graph.add_node("plan", unless_stopped(plan))
    graph.add_node("execute", unless_stopped(execute))
    graph.add_node("follow", unless_stopped(follow))
    graph.add_node("reason", unless_stopped(reason))
    graph.add_node("criticise", unless_stopped(criticise))
    graph.add_edge(START, "intake")
    graph.add_edge("intake", "understand")
    graph.add_edge("understand", "look_for")
    graph.add_conditional_edges("look_for", after_looking)
    graph.add_edge("plan", "execute")
    graph.add_edge("execute", "follow")
    graph.add_conditional_edges("follow", after_following)
    graph.add_edge("reason", "criticise")
    graph.add_node("report", unless_stopped(report))
    graph.add_conditional_edges("criticise", after_critic)
    # What waits for a person has its report: a wish to stop that comes so late must not call it cancelled.
    graph.add_node("review", review)
    graph.add_conditional_edges("report", after_report)
    graph.add_conditional_edges("review", after_review)
    return graph
