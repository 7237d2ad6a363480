"""The loop as a graph: wiring only."""

from __future__ import annotations

from typing import Literal

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph

from agent.critic import criticise
from agent.executor import execute
from agent.follow import follow
from agent.intake import intake
from agent.looking import look_for
from agent.planner import plan
from agent.reasoner import reason
from agent.reporting import report
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


def build_graph(checkpointer: BaseCheckpointSaver[str]) -> CompiledStateGraph[RunState, Services, RunState, RunState]:
    """intake → understand → look for → plan → execute → follow → (look for → execute | reason) → criticise → …

    The critic sends the run back to the plan, or to the report.
    """
    graph = StateGraph(RunState, context_schema=Services)
    graph.add_node("intake", intake)
    graph.add_node("understand", understand)
    graph.add_node("look_for", look_for)
    graph.add_node("plan", plan)
    graph.add_node("execute", execute)
    graph.add_node("follow", follow)
    graph.add_node("reason", reason)
    graph.add_node("criticise", criticise)
    graph.add_edge(START, "intake")
    graph.add_edge("intake", "understand")
    graph.add_edge("understand", "look_for")
    graph.add_conditional_edges("look_for", after_looking)
    graph.add_edge("plan", "execute")
    graph.add_edge("execute", "follow")
    graph.add_conditional_edges("follow", after_following)
    graph.add_edge("reason", "criticise")
    graph.add_node("report", report)
    graph.add_conditional_edges("criticise", after_critic)
    graph.add_edge("report", END)
    return graph.compile(checkpointer=checkpointer)
