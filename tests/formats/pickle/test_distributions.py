"""A distribution of SciPy is followed as SciPy writes it; any other text in it would be run."""

from __future__ import annotations

import importlib.util

import pytest

from lockflight.core.findings import Verdict
from tests.formats.pickles import judge, rules, shipped, short, stack_global, verdict

NORM = b"\x80\x04" + stack_global("scipy.stats._continuous_distns", "norm_gen") + b")\x81"


def template(shapes="", given="loc=0, scale=1", out="loc, scale"):
    return (
        f"\ndef _parse_args(self, {shapes} {given}):\n    return ({shapes}), {out}\n"
        f"\ndef _parse_args_rvs(self, {shapes} {given}, size=None):\n"
        f"    return self._argcheck_rvs({shapes} {out}, size=size)\n"
        f"\ndef _parse_args_stats(self, {shapes} {given}, moments='mv'):\n    return ({shapes}), {out}, moments\n"
    )


def text(value):
    raw = value.encode()
    return b"X" + len(raw).to_bytes(4, "little") + raw


def told(*pairs):
    return NORM + b"}(" + b"".join(text(key) + value for key, value in pairs) + b"ub."


def program(value):
    return told(("_parse_arg_template", text(value)))


GOOD = [
    program(template()),
    program(template("a, b, ")),
    program(template("mu, ", "loc=0", "loc, 1")),
    told(("name", text("norm")), ("numargs", b"K\x00"), ("_parse_arg_template", text(template()))),
    NORM + b".",
]
BAD = [
    program("import os"),
    program(template() + "import os\n"),
    program("import os\n" + template()),
    program(template("a, b=print(1), ")),
    program(template("a" * 60 + ", ")),
    program(template("\u0430, ")),
    program(template(given="loc=print(1)")),
    program(template().replace("loc, scale, moments", "loc, scale, print(1)")),
    # Nothing of it, twice, or as something that is no text.
    told(("name", text("norm"))),
    told(("_parse_arg_template", text(template())), ("_parse_arg_template", text("import os"))),
    told(("_parse_arg_template", b"N")),
    told(("_parse_arg_template", stack_global("numpy", "add"))),
    # What stands in for a method that `__setstate__` calls.
    told(("_attach_methods", stack_global("numpy", "mean")), ("_parse_arg_template", text(template()))),
    told(("name", stack_global("numpy", "mean")), ("_parse_arg_template", text(template()))),
    NORM + b"}(C\x01aNub.",
]
UNKNOWN = [
    NORM + b"Nb.",
    NORM + b"]b.",
    # A dict that was there before anything said that dicts matter, and one that was used up.
    b"\x80\x04}\x940" + NORM[2:] + b"h\x00b.",
    NORM + b"}\x94(" + text("_parse_arg_template") + text(template()) + b"ub0" + NORM[2:] + b"h\x00b.",
]


@pytest.mark.parametrize("data", GOOD)
def test_what_scipy_writes(data):
    report = judge(data, shipped())
    assert report.complete
    assert verdict(report) is None


@pytest.mark.parametrize("data", BAD)
def test_what_scipy_never_writes(data):
    report = judge(data, shipped())
    assert verdict(report) is Verdict.MALICIOUS
    assert "pickle:state" in rules(report)


@pytest.mark.parametrize("data", UNKNOWN)
def test_states_that_cannot_be_followed(data):
    assert verdict(judge(data, shipped())) is Verdict.UNKNOWN


def test_distributions_of_all_kinds_are_safe():
    if importlib.util.find_spec("scipy") is None:
        pytest.skip("needs scipy: run `python3 dev.py test`, which installs the libraries of the examples")
    import pickle

    from scipy import stats

    for frozen in (
        stats.norm(1, 2),
        stats.loguniform(1, 2),
        stats.randint(1, 9),
        stats.norm,
        stats.levy_stable,
    ):
        for protocol in range(6):
            report = judge(pickle.dumps(frozen, protocol), shipped())
            assert verdict(report) is None, (frozen, protocol, report.issues)


ZONE = stack_global("builtins", "getattr") + stack_global("zoneinfo", "ZoneInfo")


def test_getattr_reaches_listed_methods_only():
    use = short("Europe/Rome") + b"K\x01\x86R."
    good = b"\x80\x04" + ZONE + short("_unpickle") + b"\x86R" + use
    assert verdict(judge(good, shipped())) is None
    for bad in (
        b"\x80\x04" + ZONE + short("no_cache") + b"\x86R" + use,
        b"\x80\x04" + ZONE + short("__class__") + b"\x86R.",
        b"\x80\x04" + ZONE + b"K\x01\x86R.",
        b"\x80\x04" + ZONE + b"\x85R.",
        b"\x80\x04" + ZONE + short("_unpickle") + b"N\x87R.",
        b"\x80\x04" + stack_global("builtins", "getattr") + b"N" + short("_unpickle") + b"\x86R.",
        # An object, not a class; and the method of a distribution, called.
        NORM + b"0" + stack_global("builtins", "getattr") + NORM[2:] + short("rvs") + b"\x86R.",
        NORM + b"0" + stack_global("builtins", "getattr") + NORM[2:] + short("_entropy") + b"\x86R)R.",
        b"\x80\x04" + stack_global("functools", "partial") + stack_global("builtins", "getattr") + b"\x85R.",
    ):
        assert verdict(judge(bad, shipped())) is Verdict.MALICIOUS, bad
    held = NORM + b"0" + stack_global("builtins", "getattr") + NORM[2:] + short("_entropy") + b"\x86R."
    assert verdict(judge(held, shipped())) is None
