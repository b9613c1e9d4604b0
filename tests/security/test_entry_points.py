"""Every place in the source from which a slot could move: the list is closed, and each place is judged."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "src" / "lockflight"

#: The only code that changes what a slot holds: the fold, and the record's own method that it calls.
CHANGES = {"core/fold/slots.py", "core/state/state.py"}
#: The only code that makes the statement which asks for it.
ASKS = {"core/attest/acts.py", "app/registry/promote.py", "app/registry/exposure.py"}
#: Functions of `app` that make such a statement, and whether it needs decision and admission.
WRITERS = {"enter": True, "write": False}
#: Who writes one that rests on no decision, and what it does: back, out, or less; never in.
LEAVING = {"rollback": "Action.ROLLBACK", "retire": "Action.RETIRE", "hold": "Action.HOLD"}


def trees() -> dict[str, ast.Module]:
    return {
        path.relative_to(SOURCE).as_posix(): ast.parse(path.read_text(encoding="utf-8"))
        for path in sorted(SOURCE.rglob("*.py"))
    }


TREES = trees()


def calls(tree: ast.AST, name: str) -> list[ast.Call]:
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and (
            (isinstance(node.func, ast.Name) and node.func.id == name)
            or (isinstance(node.func, ast.Attribute) and node.func.attr == name)
        )
    ]


def assigned(tree: ast.AST) -> set[str]:
    """Attributes that are written: `x.current = …`, `x.candidate += …`."""
    found = set()
    for node in ast.walk(tree):
        targets = (
            node.targets
            if isinstance(node, ast.Assign)
            else [node.target]
            if isinstance(node, (ast.AugAssign, ast.AnnAssign))
            else []
        )
        for target in targets:
            for part in ast.walk(target):
                if isinstance(part, ast.Attribute):
                    found.add(part.attr)
    return found


def test_only_the_fold_changes_what_a_slot_holds() -> None:
    places = {
        name
        for name, tree in TREES.items()
        if {"current", "candidate", "head", "moved"} & assigned(tree)
        and ("Slot" in ast.unparse(tree) or "slot" in ast.unparse(tree))
    }
    assert places <= CHANGES


def test_only_two_modules_make_promotions() -> None:
    assert {name for name, tree in TREES.items() if calls(tree, "Promotion")} <= ASKS


@pytest.mark.parametrize("name", sorted(ASKS - {"core/attest/acts.py"}))
def test_each_function_that_makes_one_is_known(name: str) -> None:
    if name not in TREES:
        return
    makers = {
        function.name
        for function in ast.walk(TREES[name])
        if isinstance(function, ast.FunctionDef) and calls(function, "Promotion")
    }
    assert makers <= set(WRITERS)
    for maker in makers:
        function = next(
            f for f in ast.walk(TREES[name]) if isinstance(f, ast.FunctionDef) and f.name == maker
        )
        names = {n.attr for n in ast.walk(function) if isinstance(n, ast.Attribute)}
        entering = WRITERS[maker]
        assert ("admitted" in names) == entering, f"{maker} does not ask admission"
        assert ("judge" in names) == entering, f"{maker} does not ask the gate"


def test_what_rests_on_no_decision_lets_nothing_in() -> None:
    found = {
        function.name: ast.unparse(call.args[4])
        for name in sorted(ASKS - {"core/attest/acts.py"})
        for function in ast.walk(TREES[name])
        if isinstance(function, ast.FunctionDef)
        for call in calls(function, "write")
    }
    assert found == LEAVING
    imports = ("import write", ", write")
    texts = {name: ast.unparse(tree) for name, tree in TREES.items()}
    users = {
        name
        for name, text in texts.items()
        if "app.promote import" in text and any(word in text for word in imports)
    }
    assert users <= ASKS


def test_the_fold_admits_every_entry_again() -> None:
    tree = TREES["core/fold/slots.py"]
    enter = next(f for f in ast.walk(tree) if isinstance(f, ast.FunctionDef) and f.name == "_enter")
    order = [
        node.func.id
        for statement in enter.body
        for node in ast.walk(statement)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    ]
    assert order.index("_decision") < order.index("_admitted")
    holds = [node.lineno for node in calls(enter, "hold")] + [
        node.lineno
        for node in ast.walk(enter)
        if isinstance(node, ast.Assign) and "candidate" in ast.unparse(node)
    ]
    admitted = next(node.lineno for node in calls(enter, "_admitted"))
    assert holds
    assert min(holds) > admitted
