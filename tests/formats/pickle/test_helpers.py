"""What people hang on a model is safe: the makers of the benchmark, as far as their libraries are here."""

from __future__ import annotations

import importlib.util
import io
import pickle
import warnings

import pytest

from bench import _helpers
from tests.formats.pickles import judge, shipped, verdict

#: Makers, what they need, and how many objects they make at least.
MAKERS = {
    "distributions": (("scipy", "sklearn"), 100),
    "searches": (("sklearn",), 20),
    "helpers": (("scipy", "sklearn", "joblib"), 15),
    "selectors": (("sklearn", "pandas"), 9),
    "times": (("pandas",), 30),
    "frames": (("pandas",), 25),
}


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.filterwarnings("ignore")
def test_what_people_hang_on_a_model_is_safe(name):
    needed, least = MAKERS[name]
    if missing := [one for one in needed if importlib.util.find_spec(one) is None]:
        pytest.skip(
            f"needs {', '.join(missing)}: `python3 dev.py test` installs the libraries of the examples, pip any other"
        )
    made = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for what, thing in getattr(_helpers, name)():
            made += 1
            files = [pickle.dumps(thing, protocol) for protocol in (2, 4, 5)]
            if importlib.util.find_spec("joblib"):
                import joblib

                out = io.BytesIO()
                joblib.dump(thing, out)
                files.append(out.getvalue())
            for number, data in enumerate(files):
                report = judge(data, shipped())
                assert report.complete, (what, number)
                assert verdict(report) is None, (what, number, report.issues)
    assert made >= least


def test_options_of_a_command_line_are_safe():
    import argparse

    for protocol in range(6):
        report = judge(pickle.dumps({"options": argparse.Namespace(lr=0.1, on=True)}, protocol), shipped())
        assert verdict(report) is None
