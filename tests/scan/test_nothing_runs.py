"""Nothing that is scanned runs: the interpreter's own audit events are the witness, over the whole corpus.

A child scans everything twice. The first time modules of ours and of the standard library may be loaded, and nothing
from the folder that it stands in, where modules lie whose names pickles like to import. The second time, when all is
loaded, there is nothing to do for the outside: no event at all but the parsing of literals.
"""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

PLANTED = (
    "numpy",
    "torch",
    "joblib",
    "sklearn",
    "skops",
    "onnx",
    "keras",
    "tensorflow",
    "h5py",
    "pandas",
    "payload",
)

_CHILD = """
import json, os, sys
from pathlib import Path

root, here = Path(sys.argv[1]), os.getcwd()
sys.path[:0] = [here, str(root)]
from lockflight.core.source import BytesSource
from lockflight.infra.allowlist import shipped_allow_list
from lockflight.scan.models import scan_source
from tests.corpus.hostile import samples

vectors = sorted(path for path in (root / "tests" / "vectors" / "models").iterdir() if path.is_file())
sources = [BytesSource(sample.data, sample.name) for sample in samples()]
sources += [BytesSource(path.read_bytes(), path.name) for path in vectors]
for name in sys.argv[2:]:
    sources.append(BytesSource(b"\\x80\\x02c%b\\nrun\\n)R." % name.encode(), name + ".pkl"))
allow = shipped_allow_list()
rounds, events = [], None

def hook(event, arguments):
    if events is not None:
        events.append([event, repr(arguments[:2])[:300]])

def scan():
    for source in sources:
        scan_source(source, allow)

sys.addaudithook(hook)
for _ in range(2):
    events = []
    scan()
    rounds.append(events)
    events = None
# That the hook sees what would happen.
import pickle
events = []
pickle.loads(b"cbuiltins\\nlen\\n(]tR.")
seen = events
events = None
print(json.dumps({"files": len(sources), "rounds": rounds, "seen": seen, "loaded": sorted(sys.modules), "here": here}))
"""

#: What loading a module of Python raises, and what making its classes does; `id` tells objects apart.
_LOADING = {"import", "open", "exec", "marshal.loads", "os.listdir", "compile", "builtins.id"}
_LOADING |= {"object.__getattr__", "object.__setattr__", "sys._getframe", "code.__new__"}


@pytest.fixture(scope="module")
def witnessed(project_root, tmp_path_factory):
    folder = tmp_path_factory.mktemp("planted")
    for name in PLANTED:
        (folder / f"{name}.py").write_text(f"open({str(folder / 'ran')!r}, 'w').close()\nrun = print\n")
    command = [sys.executable, "-B", "-c", _CHILD, str(project_root), *PLANTED]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert not (folder / "ran").exists()
    return json.loads(done.stdout)


def test_the_witness_sees_what_a_pickle_does(witnessed):
    assert "pickle.find_class" in {event for event, _ in witnessed["seen"]}
    assert witnessed["files"] > 800


def test_at_first_only_modules_are_loaded_and_none_from_the_folder(witnessed):
    first = witnessed["rounds"][0]
    assert {event for event, _ in first} <= _LOADING
    assert [told for event, told in first if event != "import" and witnessed["here"] in told] == []
    assert set(PLANTED).isdisjoint(witnessed["loaded"])


def test_then_nothing_happens_at_all(witnessed):
    def harmless(event, told):
        """`ast.literal_eval` and `ast.parse` compile to a tree, never to code."""
        return event == "builtins.id" or (event == "compile" and told.endswith("'<unknown>')"))

    assert [one for one in witnessed["rounds"][1] if not harmless(*one)] == []
