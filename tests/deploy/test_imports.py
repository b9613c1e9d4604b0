"""A load inside of a serving process brings nothing along but what it needs."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.deploy.conftest import MODEL

OURS = ("lockflight.core", "lockflight.formats", "lockflight.deploy")
ONE_BY_ONE = {"lockflight", "lockflight.errors", "lockflight.infra", "lockflight.infra.files"}
#: Of the standard library: what opens databases, sockets or children.
NEVER = {"sqlite3", "socket", "ssl", "subprocess", "asyncio", "multiprocessing", "concurrent.futures", "http"}
SCRIPT = """
import json, sys
before = set(sys.modules)
import lockflight
package, root, snapshot = sys.argv[1:]
trust = lockflight.Trust(root=root, snapshot=snapshot, seen=snapshot + ".seen")
with lockflight.load(package, environment="development", trust=trust) as release:
    name = "{model}"
    data = release.read(name)
    with release.open(name) as stream:
        assert stream.read() == data
    assert (release.private_copy("model/") / "model.safetensors").read_bytes() == data
    assert open(release.path(name), "rb").read() == data
    assert len(release.tensors(name).raw("layer.00")) == 1024
print(json.dumps(sorted(set(sys.modules) - before)))
"""


def test_a_load_by_trust_imports_core_formats_and_deploy_alone(world):
    done = json.loads(world.ok("realm snapshot --out acme.realm --json").out)["result"]
    loaded = subprocess.run(
        [sys.executable, "-I", "-c", SCRIPT.format(model=MODEL), world.package, done["root"], done["file"]],
        capture_output=True,
        text=True,
        check=False,
        cwd=world.folder,
    )
    assert loaded.returncode == 0, loaded.stderr
    modules = json.loads(loaded.stdout)
    ours = [m for m in modules if m.split(".")[0] == "lockflight"]
    assert [m for m in ours if not m.startswith(OURS) and m not in ONE_BY_ONE] == []
    assert [m for m in modules if m in NEVER] == []
    foreign = {m.split(".")[0] for m in modules} - set(sys.stdlib_module_names) - {"lockflight"}
    # _cffi_backend and the like belong to cryptography.
    assert {m for m in foreign if not m.startswith("_")} <= {"cryptography", "blake3"}


def test_importing_the_package_imports_nothing_else():
    code = "import sys, lockflight; print(sorted(m for m in sys.modules if m.startswith('lockflight')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['lockflight']"


def test_the_public_names_are_few_and_there():
    import lockflight

    assert len(lockflight.__all__) <= 12
    for name in lockflight.__all__:
        assert getattr(lockflight, name).__doc__
    assert not hasattr(lockflight, "nothing")
