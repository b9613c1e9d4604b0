"""Model output that reaches a sink, and look-alikes that do not."""

from __future__ import annotations

import pytest

from lockflight.scan.python.flow import FLOW_RULES
from tests.scan.test__code_rules import found

BAD = [
    ("model-output-executed", "r = client.chat.completions.create(m)\nexec(r.choices[0].message.content)"),
    ("model-output-executed", "code = llm.invoke(q).content\ncode = strip(code)\nx = eval(code)"),
    ("model-output-executed", "for c in client.messages.create(m).content:\n    exec(c.text)"),
    ("model-output-executed", "import importlib\nn = model.generate(x)\nimportlib.import_module(n)"),
    ("model-output-executed", "if (t := llm.invoke(q)):\n    exec(t)"),
    ("model-output-executed", "a, b = parse(llm.invoke(q))\nexec(b)"),
    ("model-output-executed", "out = []\nout.append(llm.invoke(q))\nexec(out[0])"),
    (
        "model-output-executed",
        "from transformers import pipeline\np = pipeline('t')\nexec(p(q)[0]['generated_text'])",
    ),
    ("model-output-executed", "async def f():\n    r = await llm.ainvoke(q)\n    exec(r)"),
    ("model-output-executed", "@tool\ndef run(code: str):\n    return eval(code)"),
    ("model-output-executed", "class T(BaseTool):\n    def _run(self, code):\n        exec(code)"),
    (
        "model-output-executed",
        "class A:\n    def f(self):\n        self.r = llm.invoke(q)\n        exec(self.r)",
    ),
    ("model-output-executed", "r = llm.invoke(q)\ndef later():\n    exec(r)"),
    ("model-output-shell", "import os\nos.system(llm.invoke(q).content)"),
    (
        "model-output-shell",
        "import subprocess\n@mcp.tool()\ndef sh(cmd: str):\n    subprocess.run(cmd, shell=True)",
    ),
    ("model-output-shell", "import subprocess\n@tool\ndef sh(cmd):\n    subprocess.run(['bash', '-c', cmd])"),
    ("model-output-sql", "sql = llm.invoke(q).content\ncur.execute(sql)"),
    ("model-output-template", "from jinja2 import Template\nTemplate(llm.invoke(q)).render()"),
    ("model-output-template", "env.from_string(llm.invoke(q))"),
    ("model-output-path", "@tool\ndef read(path: str):\n    return open(path).read()"),
    (
        "model-output-path",
        "from pathlib import Path\n@tool\ndef read(name):\n    p = Path('d') / name\n    return p.read_text()",
    ),
    ("model-output-path", "import shutil\n@function_tool\ndef drop(d):\n    shutil.rmtree(d)"),
    (
        "model-output-request",
        "import requests\n@tool\ndef fetch(url: str):\n    return requests.get(url, timeout=1)",
    ),
    ("model-output-request", "import httpx\n@tool\ndef fetch(h):\n    return httpx.get(f'https://{h}/x')"),
    ("model-output-request", "import requests\n@tool\ndef f(u):\n    requests.request('GET', u, timeout=1)"),
    ("model-output-html", "from markupsafe import Markup\nMarkup(llm.invoke(q))"),
    ("model-output-html", "st.markdown(llm.invoke(q), unsafe_allow_html=True)"),
    ("model-output-unpickled", "import pickle\npickle.loads(llm.invoke(q))"),
]

BENIGN = [
    ("model-output-executed", "r = client.chat.completions.create(m)\nprint(r)\nexec('x = 1')"),
    ("model-output-executed", "import json\nr = json.loads(llm.invoke(q))\nTABLE[r['name']](r['value'])"),
    ("model-output-executed", "n = int(llm.invoke(q))\neval(n)"),
    ("model-output-executed", "r = llm.invoke(q)\ndef f(r):\n    exec(r)"),
    (
        "model-output-shell",
        "import subprocess\n@tool\ndef find(q):\n    subprocess.run(['grep', '-F', '--', q, 'f.txt'])",
    ),
    ("model-output-shell", "import subprocess\n@tool\ndef find(q):\n    subprocess.run(['make', 'all'])"),
    ("model-output-sql", "v = llm.invoke(q)\ncur.execute('SELECT * FROM t WHERE a = ?', (v,))"),
    ("model-output-template", "from jinja2 import Template\nTemplate('{{ a }}').render(a=llm.invoke(q))"),
    (
        "model-output-path",
        (
            "from pathlib import Path\n@tool\ndef read(name):\n    p = (ROOT / name).resolve()\n"
            "    if not p.is_relative_to(ROOT):\n        raise ValueError\n    return p.read_text()"
        ),
    ),
    ("model-output-path", "def read(path):\n    return open(path).read()"),
    ("model-output-path", "@tool\ndef read(ctx: RunContext, query: str):\n    return open(ctx).read()"),
    (
        "model-output-request",
        "import requests\n@tool\ndef f(c):\n    requests.get(f'https://api.example/{c}', timeout=1)",
    ),
    (
        "model-output-request",
        "import requests\n@tool\ndef f(c):\n    requests.get(BASE + '/' + c, timeout=1)",
    ),
    ("model-output-html", "st.markdown(llm.invoke(q))\nst.markdown('<b>x</b>', unsafe_allow_html=True)"),
    ("model-output-unpickled", "import json\njson.loads(llm.invoke(q))"),
]


@pytest.mark.parametrize(("rule", "source"), BAD)
def test_model_output_is_followed_to_the_sink(rule, source):
    assert rule in found(source)


@pytest.mark.parametrize(("rule", "source"), BENIGN)
def test_benign_look_alikes_pass(rule, source):
    assert rule not in found(source)


def test_each_rule_has_both_kinds_of_example():
    rules = {rule.rule for rule in FLOW_RULES}
    assert {rule for rule, _ in BAD} == rules
    assert {rule for rule, _ in BENIGN} == rules


def test_a_chain_of_names_is_followed_in_any_order():
    chain = "".join(f"a{i} = a{i + 1}\n" for i in range(10))
    assert "model-output-executed" in found(
        "def f():\n    while x:\n        exec(a)\n        a = b\n        b = llm.invoke(q)"
    )
    assert "model-output-executed" in found(f"exec(a0)\n{chain}a10 = llm.invoke(q)")


def test_a_call_that_model_output_reaches_is_told_once():
    assert found("exec(llm.invoke(q))") == ["model-output-executed"]
