"""From rules to tasks: what each needs is planned, all rules on a topic are weighed, pairs are judged side by side."""

from __future__ import annotations

from pydantic import JsonValue

from agent.state import Ref, Task
from tools.ontology import is_pair, load_ontology
from tools.rules.implied import implied_on
from tools.rules.model import AnyRule, Criterion, Rule, Source, get_rule, load_rules, quantity_of, rules_for
from tools.rules.subject import SCAN, Subject, input_calls, subject_of
from tools.rules.table import Call, Input, TableRule

Tasks = dict[str, Task]


def topic_task(tasks: Tasks, topic: str, structure: str | None) -> Task:
    """The task whose evidence is the verdict of all rules on a topic; it and all that it needs are added to `tasks`.

    Args:
        tasks: planned tasks by id.
        topic: what the rules decide.
        structure: organ or lesion; each side of a pair is judged, and the gravest verdict counts. None for the scan.
    """
    return _judged(tasks, structure or SCAN, topic, None)


def single_rule_task(tasks: Tasks, ident: str, structure: str | None) -> Task:
    """The task whose evidence is the verdict of one rule, with the arguments of `topic_task`.

    Raises:
        UsageError: if there is no such rule.
    """
    rule = get_rule(ident)
    return _judged(tasks, structure or SCAN, rule.topic, rule)


def rule_task(tasks: Tasks, rule: AnyRule, structure: str) -> Task:
    """The task that applies a rule to a structure; it and all that it needs are added to `tasks`.

    Args:
        tasks: planned tasks by id.
        rule: a rule of either kind.
        structure: organ or lesion, of one side where there are two.
    """
    task = _threshold_task(tasks, rule, structure) if isinstance(rule, Rule) else _table_task(tasks, rule, structure)
    return tasks.setdefault(task.id, task)


def _judged(tasks: Tasks, structure: str, topic: str, only: AnyRule | None) -> Task:
    """Verdict on one side or on both: weighed rules, or the one rule that is asked for."""
    bases = frozenset(rule.structure for rule in load_rules().values() if rule.topic == topic)
    subject = subject_of(structure, bases)
    quantity = quantity_of(topic)
    # An organ that is no pair by itself may be named by a rule on the pair; only pairs that rules know are split.
    sides = subject.sides() if subject.base in bases else (structure,)
    weighed = [_side(tasks, topic, subject_of(side, bases), only) for side in sides]
    if len(weighed) == 1:
        return weighed[0]
    verdicts = tuple(Ref(task=task.id, quantity=quantity) for task in weighed)
    return _add(tasks, Task.make("gravest", ref_lists={"verdicts": verdicts}, reason="sides of a pair"))


def _side(tasks: Tasks, topic: str, subject: Subject, only: AnyRule | None) -> Task:
    fitting = rules_for(topic, subject.base, subject.lesion_type)
    rules = fitting if only is None else [rule for rule in fitting if rule.id == only.id]
    quantity = quantity_of(topic)
    if not rules:
        args: dict[str, JsonValue] = {"topic": topic, "structure": subject.asked}
        if quantity != "verdict":
            args["quantity"] = quantity
        return _add(tasks, Task.make("no_rule", args, reason="no rule is encoded"))
    verdicts = tuple(Ref(task=rule_task(tasks, rule, subject.asked).id, quantity=quantity) for rule in rules)
    if only is None:
        others = implied_on(topic, subject.base, subject.lesion_type)
        verdicts += tuple(_implied(tasks, rule, topic, subject.asked) for rule in others)
    reason = f"all rules on “{topic}”" if only is None else f"rule {only.id}"
    return _add(tasks, Task.make("weigh_rules", ref_lists={"verdicts": verdicts}, reason=reason))


def _implied(tasks: Tasks, rule: AnyRule, topic: str, structure: str) -> Ref:
    """What the verdict of a rule on another topic means for this one."""
    given = {"verdict": Ref(task=rule_task(tasks, rule, structure).id, quantity=rule.quantity)}
    made = Task.make("implied_verdict", {"topic": topic}, given, reason=f"rule {rule.id} speaks on “{topic}” too")
    return Ref(task=_add(tasks, made).id, quantity=quantity_of(topic))


def _add(tasks: Tasks, task: Task) -> Task:
    return tasks.setdefault(task.id, task)


def _phase(tasks: Tasks, rule: AnyRule) -> dict[str, Ref]:
    if not rule.phases:
        return {}
    reason = f"rule {rule.id} holds for {', '.join(rule.phases)} only"
    return {"phase": Ref(task=_add(tasks, Task.make("contrast_phase", reason=reason)).id, quantity="phase")}


def _limits(tasks: Tasks, rule: AnyRule, count: int) -> tuple[Ref, ...]:
    made = _add(tasks, Task.make("rule_thresholds", {"rule": rule.id}, reason=f"rule {rule.id}"))
    return tuple(Ref(task=made.id, quantity=f"#{number}") for number in range(count))


# -- rules of thresholds ---------------------------------------------------------------------------------------------


def _threshold_task(tasks: Tasks, rule: Rule, structure: str) -> Task:
    inputs = tuple(_criterion(tasks, criterion, structure, rule) for criterion in rule.criteria)
    limits = _limits(tasks, rule, sum(len(criterion.edges) for criterion in rule.criteria))
    lists = {"inputs": inputs, "thresholds": limits}
    args: dict[str, JsonValue] = {"rule": rule.id, "structure": structure}
    return Task.make("apply_rule", args, _phase(tasks, rule), lists, reason=f"rule {rule.id}")


def _criterion(tasks: Tasks, criterion: Criterion, structure: str, rule: Rule) -> Ref:
    def measured(source: Source) -> Ref:
        of = structure if source.structure == "$structure" else source.structure
        return _call(tasks, Call(tool=source.tool, args={"structure": of}, quantity=source.quantity), rule)

    first = measured(criterion.measure)
    return first if criterion.over is None else _ratio(tasks, first, measured(criterion.over), rule)


def _call(tasks: Tasks, call: Call, rule: AnyRule) -> Ref:
    made = _add(tasks, Task.make(call.tool, dict(call.args), reason=f"input of rule {rule.id}"))
    return Ref(task=made.id, quantity=call.quantity)


def _ratio(tasks: Tasks, numerator: Ref, denominator: Ref, rule: AnyRule) -> Ref:
    refs = {"numerator": numerator, "denominator": denominator}
    made = _add(tasks, Task.make("ratio", refs=refs, reason=f"input of rule {rule.id}"))
    return Ref(task=made.id, quantity=f"{numerator.quantity}_ratio")


# -- decision tables -------------------------------------------------------------------------------------------------


def _table_task(tasks: Tasks, rule: TableRule, structure: str) -> Task:
    subject = subject_of(structure, frozenset({rule.structure}))
    calls: dict[str, list[Ref]] = {}
    for name, call in input_calls(rule, subject):
        calls.setdefault(name, []).append(_call(tasks, call, rule))
    inputs = tuple(_input(tasks, rule, one, calls.get(name, []), subject) for name, one in rule.inputs.items())
    lists = {"inputs": inputs}
    count = sum(len(rule.limits(name)) for name in rule.inputs)
    if count:
        lists["thresholds"] = _limits(tasks, rule, count)
    refs = _phase(tasks, rule)
    if subject.about_lesion(rule):
        there = Task.make("presence", {"structure": subject.lesion_class(rule)}, reason=f"subject of rule {rule.id}")
        refs["lesion"] = Ref(task=_add(tasks, there).id, quantity="exists")
    args: dict[str, JsonValue] = {"rule": rule.id, "structure": structure}
    return Task.make("apply_table", args, refs, lists, reason=f"rule {rule.id}")


def _input(tasks: Tasks, rule: TableRule, one: Input, calls: list[Ref], subject: Subject) -> Ref:
    reason = f"input of rule {rule.id}"
    if one.rule is not None:
        return Ref(task=topic_task(tasks, one.rule, subject.asked).id, quantity=quantity_of(one.rule))
    if one.declared is not None:
        made = _add(tasks, Task.make("declared", {"fact": one.declared}, reason=reason))
        return Ref(task=made.id, quantity="fact")
    if one.unseen is not None:
        made = _add(
            tasks, Task.make("not_looked", {"what": one.says.replace(" ", "_"), "why": one.unseen}, reason=reason)
        )
        return Ref(task=made.id, quantity="seen")
    return calls[0] if len(calls) == 1 else _ratio(tasks, calls[0], calls[1], rule)


# -- everything ------------------------------------------------------------------------------------------------------


def all_rule_tasks(tasks: Tasks, labelled: list[str]) -> None:
    """Add what a report without a question judges: every rule that fits what is labelled with voxels.

    Rules on an organ are applied to each organ that is labelled, those on a lesion to each class of lesions of that
    organ, and those on the patient as a whole where they are about no lesion or any lesion is labelled.

    Args:
        tasks: planned tasks by id.
        labelled: structures that have voxels.
    """
    ontology = load_ontology()
    lesions = [name for name in labelled if ontology.get(name).kind == "lesion"]
    topics = sorted({rule.topic for rule in load_rules().values()})
    for topic in topics:
        rules = [rule for rule in load_rules().values() if rule.topic == topic]
        bases = frozenset(rule.structure for rule in rules)
        organs = {rule.structure for rule in rules if not _on_lesion(rule)}
        for base in sorted(organs):
            sides = ontology.get(base).parts if is_pair(base) else (base,)
            for structure in sides:
                if structure in labelled or structure == SCAN:
                    topic_task(tasks, topic, structure)
        for lesion in lesions:
            subject = subject_of(lesion, bases)
            fitting = rules_for(topic, subject.base, subject.lesion_type)
            # Unasked, no lesion is taken to be of a type that nothing says it is of.
            if any(_on_lesion(rule) and subject.assumes(rule) is None for rule in fitting):
                topic_task(tasks, topic, lesion)
        if lesions and any(_on_lesion(rule) and rule.structure == SCAN for rule in rules):
            topic_task(tasks, topic, SCAN)


def _on_lesion(rule: AnyRule) -> bool:
    return isinstance(rule, TableRule) and bool(rule.lesion)
