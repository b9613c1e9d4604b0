"""Distributions of SciPy: loading one runs a text of its state as code.

`rv_generic.__setstate__` updates the object's attributes by the state, then `exec`s `_parse_arg_template` to get three
methods back (scipy/stats/_distn_infrastructure.py, 1.10 to 1.17). SciPy makes that text from a template and the names
of the shape parameters. A state is followed only if the text is such a one, and if it sets nothing but what SciPy keeps
itself: any other attribute could stand in for a method that `__setstate__` calls.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from lockflight.formats.pickle.values import Dict, Global, Made, Value

if TYPE_CHECKING:
    from lockflight.formats.pickle.state import State

_KEYS: Final = frozenset(
    {
        "_stats_has_moments", "_random_state", "_ctor_param", "badvalue", "name", "a", "b", "xtol", "moment_type",
        "moment_tol", "inc", "shapes", "numargs", "extradoc", "__doc__", "_parse_arg_template", "vecentropy",
        "_support", "parameterization", "_histogram", "_density", "_hpdf", "_hbins", "_hbin_widths", "_hcdf",
    }
)  # fmt: skip
_TEXT: Final = "_parse_arg_template"
_SHAPES: Final = r"(?:[A-Za-z_][A-Za-z0-9_]{0,40}, ){0,16}"
#: SciPy's `parse_arg_template`, with what it is filled with.
TEMPLATE: Final = re.compile(
    rf"\ndef _parse_args\(self, (?P<s>{_SHAPES}) (?P<in>loc=0|loc=0, scale=1)\):\n"
    r"    return \((?P=s)\), (?P<out>loc, 1|loc, scale)\n"
    r"\ndef _parse_args_rvs\(self, (?P=s) (?P=in), size=None\):\n"
    r"    return self\._argcheck_rvs\((?P=s) (?P=out), size=size\)\n"
    r"\ndef _parse_args_stats\(self, (?P=s) (?P=in), moments='mv'\):\n"
    r"    return \((?P=s)\), (?P=out), moments\n\Z"
)


def told(state: State, target: Made, argument: Value) -> None:
    """BUILD of a distribution: what SciPy writes, and nothing else."""
    label = target.callee.label
    if not isinstance(argument, Dict) or argument.items is None:
        state.unknown("state", "The stream gives a distribution a state that cannot be followed.", label)
        return
    text, known = None, set()
    for i in range(0, len(argument.items), 2):
        key, value = state.text(argument.items[i]), argument.items[i + 1]
        if key not in _KEYS or key in known or isinstance(value, Global):
            state.block("state", "The stream gives a distribution something that SciPy never does.", label)
            return
        known.add(key)
        if key == _TEXT:
            text = state.text(value)
    if text is None or not TEMPLATE.match(text):
        state.block(
            "state",
            "The stream gives a distribution a program of its own, which loading it would run.",
            label,
        )
