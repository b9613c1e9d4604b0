from __future__ import annotations

import ast

import pytest

from lockflight.scan.python.names import Module, calls, dotted


def names_of_last_call(source):
    module = Module(ast.parse(source))
    found = [(call, scope) for scope in module.scopes for call in calls(scope)]
    call, scope = max(found, key=lambda pair: (pair[0].lineno, -pair[0].col_offset))
    return set(module.resolve(call.func, scope))


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("import a.b.c\na.b.c.f()", {"a.b.c.f"}),
        ("import a.b as x\nx.f()", {"a.b.f"}),
        ("from a import b as x\nx()", {"a.b"}),
        ("from . import b\nb()", {"..b"}),
        ("from a import *\nf()", {"a.f"}),
        ("f()", set()),
        ("print()", {"print"}),
        ("import a\nx = y = a.f\ny()", {"a.f"}),
        ("import a\nwith a.open() as x:\n    x.read()", {"a.open().read"}),
        ("import a\nx: int = a.f\nx()", {"a.f"}),
        ("import a, b\nx = a.f if c else b.f\nx()", {"a.f", "b.f"}),
        ("import a, b\nx = a.f or b.f\nx()", {"a.f", "b.f"}),
        ("import a\ndef g():\n    a = 1\n    a.f()", set()),
        ("import a\nclass C:\n    a = 1\n    def g(self):\n        a.f()", {"a.f"}),
        (
            "import a\nclass C:\n    def i(self):\n        self.x = a.X()\n    def g(self):\n        self.x.f()",
            {"a.X().f"},
        ),
        ("print = 3\nprint()", set()),
        ("def g(print):\n    print()", set()),
        ("import a\nlambda: a.f()", {"a.f"}),
        ("import a\n[a.f() for _ in x]", {"a.f"}),
        ("globals()['eval'](x)", {"eval"}),
        ("x['eval'](x)", set()),
    ],
)
def test_a_callee_has_the_names_that_it_may_stand_for(source, names):
    assert names_of_last_call(source) == names


def test_names_do_not_grow_without_bound():
    source = "import a\nx = a.f\n" + "x = x()\n" * 500 + "x()"
    assert all(len(name) <= 160 for name in names_of_last_call(source))
    many = "".join(f"import m{i}\n" for i in range(50)) + "".join(f"x = m{i}.f\n" for i in range(50)) + "x()"
    assert len(names_of_last_call(many)) == 8


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("x = 1\nuse", 1),
        ("x: int = 1\nuse", 1),
        ("x = 1\nx = 2\nuse", None),
        ("x = 1\nx += 1\nuse", None),
        ("for x in y: pass\nuse", None),
        ("x = 1\ndef g():\n    global x\n    x = 2\nuse", None),
        ("x = [1]\nuse", None),
        ("x = 1\ntry: pass\nexcept E as x: pass\nuse", None),
        ("x = 1\nclass x: pass\nuse", None),
    ],
)
def test_a_name_that_is_bound_once_has_a_value(source, value):
    module = Module(ast.parse(source))
    node = module.value("x", module.scopes[0])
    assert (node.value if isinstance(node, ast.Constant) else None) == value


def test_a_parameter_hides_the_value_outside():
    module = Module(ast.parse("x = 1\ndef g(x): pass\ndef h(): pass"))
    scopes = {scope.name: scope for scope in module.scopes}
    assert module.value("x", scopes["g"]) is None
    assert isinstance(module.value("x", scopes["h"]), ast.Constant)


@pytest.mark.parametrize(("source", "name"), [("a", "a"), ("self.a", "self.a"), ("b.a", ""), ("a[0]", "")])
def test_targets_have_names(source, name):
    assert dotted(ast.parse(source, mode="eval").body) == name


def test_scopes_are_named_by_what_is_around_them():
    module = Module(ast.parse("class A:\n    def f(self):\n        g = lambda: 1"))
    assert [scope.name for scope in module.scopes] == ["", "A", "A.f", "A.f.<lambda>"]
