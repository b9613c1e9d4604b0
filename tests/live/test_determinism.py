"""The same files give the same bytes of report on other Pythons, and beside other libraries.

Pyodide is CPython for WebAssembly: 3.12 and 3.13, with 32 bits, another C library and no library but the standard one.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.corpus.hostile import samples
from tests.corpus.template_backdoors import BACKDOORS
from tests.corpus.template_families import FAMILIES

pytestmark = pytest.mark.live

CHILD = Path(__file__).with_name("report_child.py")
NODE = """\
const fs = require('fs');
const [, , python, child, ...folders] = process.argv;
(async () => {
  const { loadPyodide } = require(python);
  const runtime = await loadPyodide({ stdout: console.log, stderr: console.error });
  folders.forEach((root, i) => {
    runtime.FS.mkdirTree(`/folder${i}`);
    runtime.FS.mount(runtime.FS.filesystems.NODEFS, { root }, `/folder${i}`);
  });
  await runtime.runPythonAsync(`
import sys
sys.path[:0] = ["/folder2", "/folder3"]
source = open("/folder1/${child}").read()
names = {"__name__": "child"}
exec(compile(source, "report_child.py", "exec"), names)
names["main"]("/folder0", "/folder1/out.jsonl")
print("%d.%d" % sys.version_info[:2])
`);
})().catch((error) => { console.error(String(error.message || error).slice(-2000)); process.exit(1); });
"""
#: Damage that JSON, numbers and texts can have, about which versions of Python have said different things.
ODD = {
    "comma.json": b'{"a": 1,}',
    "list-comma.json": b"[1, 2, ]",
    "open.json": b'{"a": ',
    "quote.json": b"{'a': 1}",
    "control.json": b'{"a": "\x01"}',
    "deep.json": b"[" * 900 + b"]" * 900,
    "deep-enough.json": b"[" * 190 + b"]" * 190,
    "digits.json": b'{"a": ' + b"9" * 5000 + b"}",
    "escape.json": b'{"a": "\\x"}',
    "new-letters.jinja": "{{ \U00031350 }}{{ \U0002ebf0 }}".encode(),
    "new-emoji.txt": "\U0001fae8 \U0001fae9".encode(),
    "escape.npy": b"\x93NUMPY\x01\x00\x20\x00{'descr': '\\d', 'a': ((((1))))}  ",
    "deep.npy": b"\x93NUMPY\x01\x00\x40\x01" + b"(" * 300 + b")" * 20,
}


def files(folder, project_root):
    """Write everything that is compared; names tell the order, and behind the sign @ the name to scan under."""
    folder.mkdir()
    named = [(sample.name.rsplit("/", 1)[-1], sample.data) for sample in samples()]
    named += [("chat_template.jinja", text.encode()) for text in [*FAMILIES.values(), *BACKDOORS.values()]]
    named += [("tokenizer_config.json", json.dumps({"chat_template": t}).encode()) for t in FAMILIES.values()]
    named += list(ODD.items())
    vectors = sorted((project_root / "tests" / "vectors" / "models").rglob("*"))
    named += [(path.name, path.read_bytes()) for path in vectors if path.is_file()]
    for number, (name, data) in enumerate(named):
        # What takes minutes under WebAssembly and is compared in no other way than the small ones.
        if len(data) < 1 << 20:
            (folder / f"{number:05}@{name}").write_bytes(data)
    return len(list(folder.iterdir()))


@pytest.fixture(scope="module")
def place(tmp_path_factory, project_root):
    folder = tmp_path_factory.mktemp("determinism")
    assert files(folder / "files", project_root) > 900
    shutil.copyfile(CHILD, folder / CHILD.name)
    # Libraries that are written in Python alone, as they are installed here.
    (folder / "modules").mkdir()
    import yaml

    shutil.copytree(
        Path(yaml.__file__).parent,
        folder / "modules" / "yaml",
        ignore=shutil.ignore_patterns("*.so", "__pycache__"),
    )
    return folder


@pytest.fixture(scope="module")
def here(place, project_root):
    return run(place, project_root, sys.executable, "here.jsonl")


def run(place, project_root, python, name, *options, **environment):
    command = [
        python,
        *options,
        CHILD,
        place / "files",
        place / name,
        project_root / "src",
        place / "modules",
    ]
    done = subprocess.run(
        [str(word) for word in command],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return (place / name).read_bytes().splitlines()


def compared(lines, others, *, may_lack=()):
    """How many lines were compared."""
    assert len(lines) == len(others)
    same = 0
    for one, other in zip(lines, others, strict=True):
        found = json.loads(other)
        if "lacks" in found:
            assert found["lacks"] in may_lack, found
            continue
        assert json.loads(one) == found
        assert one == other
        same += 1
    return same


def test_verdicts_of_all_kinds_are_compared(here):
    verdicts = [json.loads(line)["verdict"] for line in here]
    assert all(verdicts.count(word) > 30 for word in ("safe", "review", "unknown", "malicious"))


def test_other_hashes_times_and_libraries_change_nothing(place, project_root, here, peers_python):
    for seed, zone in (("1", "UTC"), ("4242", "Asia/Tokyo")):
        again = run(
            place, project_root, sys.executable, f"{seed}.jsonl", PYTHONHASHSEED=seed, TZ=zone, LC_ALL="C"
        )
        assert compared(here, again) == len(here)
    # numpy, skops and a hundred others are installed here; there only model_signing and what it needs.
    assert compared(here, run(place, project_root, peers_python, "peers.jsonl", "-O")) == len(here)


@pytest.mark.parametrize("version", ["3.12", "3.13"])
def test_another_python_says_the_same(place, project_root, here, peers_node, version):
    runtime = peers_node / "node_modules" / f"python-{version}"
    if not runtime.is_dir():
        pytest.skip(f"Python {version} for Node.js is not here: `python3 dev.py setup --peers`")
    script = peers_node / "report.cjs"
    script.write_text(NODE, encoding="utf-8")
    folders = [place / "files", place, project_root / "src", place / "modules"]
    command = [shutil.which("node"), "--stack-size=4000", script, runtime, CHILD.name, *folders]
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.split()[-1] == version
    others = (place / "out.jsonl").read_bytes().splitlines()
    # That build has no lzma.
    assert compared(here, others, may_lack={"lzma"}) > 0.95 * len(here)
