"""Each rule has code that it must find and code beside it that it must let pass."""

from __future__ import annotations

import ast

import pytest

from lockflight.scan.code import ALL_RULES, code_findings
from lockflight.scan.python.flow import FLOW_RULES

COMMIT = "0123456789abcdef0123456789abcdef01234567"

BAD = [
    ("pickle-load", "import pickle\npickle.load(f)"),
    ("pickle-load", "from pickle import loads as L\nL(data)"),
    ("pickle-load", "import pickle as p\nload = p.load\nload(f)"),
    ("pickle-load", "import pickle\ngetattr(pickle, 'loads')(data)"),
    ("pickle-load", "__import__('pickle').loads(data)"),
    ("pickle-load", "import importlib\nimportlib.import_module('pickle').loads(data)"),
    ("pickle-load", "import sys\nsys.modules['pickle'].loads(data)"),
    ("pickle-load", "from pickle import *\nloads(data)"),
    ("pickle-load", "import pickle\nu = pickle.Unpickler(f)\nu.load()"),
    (
        "pickle-load",
        "import pickle\nfrom functools import partial\npartial(pickle.loads, encoding='x')(data)",
    ),
    (
        "pickle-load",
        "try:\n    import cPickle as pickle\nexcept ImportError:\n    import pickle\npickle.load(f)",
    ),
    ("pickle-load", "def f():\n    import dill\n    return dill.loads(x)"),
    ("pickle-load", "import pandas as pd\npd.read_pickle('a')"),
    ("pickle-load", "import shelve\nshelve.open('db')"),
    ("pickle-load", "(pickle := __import__('pickle')).loads(x)"),
    ("torch-load", "import torch\ntorch.load('m.pt')"),
    ("torch-load", "import torch as t\nt.load('m.pt', weights_only=False)"),
    ("torch-load", "import torch\ntorch.load('m.pt', **options)"),
    ("joblib-load", "import joblib\njoblib.load('m.joblib')"),
    ("joblib-load", "from joblib import load\nmodel = load(path)"),
    ("numpy-pickle", "import numpy as np\nnp.load('a.npy', allow_pickle=True)"),
    ("numpy-pickle", "import numpy as np\nFLAG = True\nnp.load('a.npy', allow_pickle=FLAG)"),
    ("yaml-load", "import yaml\nyaml.load(text)"),
    ("yaml-load", "import yaml\nyaml.load(text, Loader=yaml.Loader)"),
    ("yaml-load", "import yaml\nyaml.load(text, yaml.FullLoader)"),
    ("yaml-unsafe-load", "import yaml\nyaml.unsafe_load(text)"),
    ("keras-unsafe", "import keras\nkeras.models.load_model('m.keras', safe_mode=False)"),
    ("keras-enable-unsafe", "import keras\nkeras.config.enable_unsafe_deserialization()"),
    ("dangerous-deserialization", "FAISS.load_local('d', e, allow_dangerous_deserialization=True)"),
    ("trust-remote-code", "AutoModel.from_pretrained(path, trust_remote_code=True)"),
    (
        "trust-remote-code",
        "from transformers import pipeline as p\np('text-generation', trust_remote_code=True)",
    ),
    ("trust-remote-code", "from datasets import load_dataset\nload_dataset('a/b', trust_remote_code=True)"),
    ("hub-unpinned", "AutoModel.from_pretrained('org/model')"),
    ("hub-unpinned", "AutoModel.from_pretrained('org/model', revision='main')"),
    ("hub-unpinned", "from huggingface_hub import snapshot_download\nsnapshot_download(repo_id='org/model')"),
    ("hub-unpinned", "NAME = 'org/model'\nAutoTokenizer.from_pretrained(NAME)"),
    ("pipeline-unpinned", "from transformers import pipeline\npipeline('text-generation', 'org/model')"),
    (
        "pipeline-unpinned",
        "from transformers import pipeline\npipeline('text-generation', model='org/model')",
    ),
    ("torch-hub", "import torch\ntorch.hub.load('org/repo', 'net')"),
    ("torch-hub", "import torch\ntorch.hub.load('org/repo:main', 'net')"),
    ("dynamic-code", "eval(expression)"),
    ("dynamic-code", "import builtins\nbuiltins.exec(text)"),
    ("dynamic-code", "__builtins__['eval'](text)"),
    ("dynamic-code", "class A:\n    def eval(self):\n        return eval(self.text)"),
    ("shell", "import subprocess\nsubprocess.run(f'ls {x}', shell=True)"),
    ("shell", "from subprocess import check_output as co\nco(cmd, shell=True)"),
    ("shell-command", "import os\nos.system('rm ' + path)"),
    ("shell-command", "from os import popen\npopen(cmd)"),
    ("sql-built", "cur.execute(f'SELECT * FROM t WHERE a = {x}')"),
    ("sql-built", "q = 'DELETE FROM t WHERE a = %s' % x\ncur.execute(q)"),
    ("sql-built", "cur.execute('select ' + col + ' from t')"),
    ("sql-built", "cur.execute('SELECT {}'.format(x))"),
    ("template-unescaped", "from jinja2 import Environment\nEnvironment(loader=l)"),
    ("template-unescaped", "import jinja2\njinja2.Environment(autoescape=False)"),
    ("template-dynamic", "from jinja2 import Template\nTemplate(f'Hi {name}')"),
    (
        "agent-runs-code",
        "from langchain_experimental.tools import PythonREPLTool\ntools = [PythonREPLTool()]",
    ),
    ("dangerous-flag", "create_pandas_dataframe_agent(llm, df, allow_dangerous_code=True)"),
    ("agent-without-container", "UserProxyAgent('u', code_execution_config={'use_docker': False})"),
    ("agent-unbounded", "AgentExecutor(agent=a, tools=t, max_iterations=None)"),
    ("safety-checker-off", "StableDiffusionPipeline.from_pretrained(p, safety_checker=None)"),
    ("tls-unverified", "import requests\nrequests.get(u, verify=False, timeout=3)"),
    ("tls-unverified", "import requests\ns = requests.Session()\ns.post(u, verify=False, timeout=3)"),
    ("tls-unverified", "import httpx\nhttpx.Client(verify=False)"),
    (
        "tls-unverified",
        (
            "import requests\nclass C:\n    def __init__(self):\n        self.s = requests.Session()\n"
            "    def get(self):\n        return self.s.get(u, verify=False, timeout=1)"
        ),
    ),
    ("tls-unverified-context", "import ssl\nssl._create_unverified_context()"),
    ("tls-unverified-mode", "import ssl\nctx.verify_mode = ssl.CERT_NONE"),
    ("tls-unverified-mode", "ctx.check_hostname = False"),
    ("tls-unverified-mode", "urllib3.PoolManager(cert_reqs='CERT_NONE')"),
    ("request-without-timeout", "import requests\nrequests.get(u)"),
    ("bind-all", "import uvicorn\nuvicorn.run(app, host='0.0.0.0')"),
    ("bind-all", "s.bind(('', 80))"),
    ("public-share", "demo.launch(share=True)"),
    ("debug-server", "from flask import Flask\napp = Flask(__name__)\napp.run(debug=True)"),
    ("cors-any-origin", "app.add_middleware(CORSMiddleware, allow_origins=['*'], allow_credentials=True)"),
    ("mktemp", "import tempfile\ntempfile.mktemp()"),
    ("tar-extract", "import tarfile\nwith tarfile.open(p) as t:\n    t.extractall(d)"),
    ("agent-auto-run", "from interpreter import interpreter\ninterpreter.auto_run = True"),
    ("safety-block-none", "settings = {c: HarmBlockThreshold.BLOCK_NONE}"),
    ("system-prompt-built", "messages = [{'role': 'system', 'content': f'You help {user}'}]"),
]

BENIGN = [
    ("pickle-load", "import json as pickle\npickle.loads(data)"),
    ("pickle-load", "import pickle\npickle.dumps(x)\nloader.load(f)"),
    ("pickle-load", "def loads(x): ...\nloads(data)"),
    ("pickle-load", "import pickle\ndef f(pickle):\n    return pickle.loads(x)"),
    ("torch-load", "import torch\ntorch.load('m.pt', weights_only=True)"),
    ("torch-load", "import torch\nSAFE = True\ntorch.load('m.pt', weights_only=SAFE)"),
    ("joblib-load", "import joblib\njoblib.dump(m, p)"),
    ("numpy-pickle", "import numpy as np\nnp.load('a.npy')\nnp.load('a.npy', allow_pickle=False)"),
    (
        "yaml-load",
        "import yaml\nyaml.safe_load(t)\nyaml.load(t, Loader=yaml.SafeLoader)\nyaml.load(t, CSafeLoader)",
    ),
    ("yaml-unsafe-load", "import yaml\nyaml.safe_load_all(t)"),
    (
        "keras-unsafe",
        "import keras\nkeras.models.load_model('m.keras')\nkeras.models.load_model('m', safe_mode=True)",
    ),
    ("keras-enable-unsafe", "import keras\nkeras.config.enable_flash_attention()"),
    ("dangerous-deserialization", "FAISS.load_local('d', e, allow_dangerous_deserialization=False)"),
    ("trust-remote-code", "AutoModel.from_pretrained(path, trust_remote_code=False)"),
    ("hub-unpinned", f"AutoModel.from_pretrained('org/model', revision='{COMMIT}')"),
    ("hub-unpinned", "AutoModel.from_pretrained('./model')\nAutoModel.from_pretrained(path)"),
    ("hub-unpinned", "AutoModel.from_pretrained('org/model', revision=REVISION)"),
    ("pipeline-unpinned", f"from transformers import pipeline\npipeline('t', 'a/b', revision='{COMMIT}')"),
    ("torch-hub", f"import torch\ntorch.hub.load('org/repo:{COMMIT}', 'net')"),
    ("torch-hub", "import torch\ntorch.hub.load('d', 'net', source='local')"),
    ("dynamic-code", "eval('1 + 1')\nmodel.eval()\ndf.eval(expr)"),
    ("dynamic-code", "def exec(x): ...\nexec(text)"),
    ("dynamic-code", "import ast\nast.literal_eval(text)"),
    ("shell", "import subprocess\nsubprocess.run(['ls', x])\nsubprocess.run('ls -l', shell=True)"),
    ("shell", "import subprocess\nCMD = 'make ' + 'all'\nsubprocess.run(CMD, shell=True)"),
    ("shell-command", "import os\nos.system('clear')\nos.getenv(x)"),
    ("sql-built", "cur.execute('SELECT * FROM t WHERE a = ?', (x,))\nexecutor.execute(f'job {x}')"),
    ("sql-built", "cur.execute('SELECT 1 ' + 'FROM t')"),
    (
        "template-unescaped",
        "from jinja2 import Environment, select_autoescape\nEnvironment(autoescape=select_autoescape())",
    ),
    ("template-dynamic", "from jinja2 import Template\nTemplate('Hi {{ name }}').render(name=name)"),
    ("agent-runs-code", "from langchain_core.tools import Tool\ntools = [Tool()]"),
    ("dangerous-flag", "create_pandas_dataframe_agent(llm, df)"),
    ("agent-without-container", "UserProxyAgent('u', code_execution_config={'use_docker': True})"),
    ("agent-unbounded", "AgentExecutor(agent=a, tools=t, max_iterations=None, max_execution_time=60)"),
    ("safety-checker-off", "StableDiffusionPipeline.from_pretrained(p)"),
    ("tls-unverified", "import requests\nrequests.get(u, verify='ca.pem', timeout=3)"),
    ("tls-unverified-context", "import ssl\nssl.create_default_context()"),
    ("tls-unverified-mode", "import ssl\nctx.verify_mode = ssl.CERT_REQUIRED\nctx.check_hostname = True"),
    (
        "request-without-timeout",
        "import requests\nrequests.get(u, timeout=3)\nrequests.get(u, **options)\ncache.get(u)",
    ),
    ("bind-all", "import uvicorn\nuvicorn.run(app, host='127.0.0.1')\ns.bind(('127.0.0.1', 80))"),
    ("public-share", "demo.launch(share=False)\ndemo.launch()"),
    ("debug-server", "from flask import Flask\nFlask(__name__).run()\nlogger.run(debug=True)"),
    (
        "cors-any-origin",
        "app.add_middleware(CORSMiddleware, allow_origins=['https://a.example'], allow_credentials=True)",
    ),
    ("mktemp", "import tempfile\ntempfile.mkstemp()"),
    ("tar-extract", "import tarfile\nwith tarfile.open(p) as t:\n    t.extractall(d, filter='data')"),
    ("tar-extract", "import zipfile\nwith zipfile.ZipFile(p) as t:\n    t.extractall(d)"),
    ("agent-auto-run", "interpreter.auto_run = False\nserver.auto_run = True"),
    ("safety-block-none", "settings = {c: HarmBlockThreshold.BLOCK_LOW_AND_ABOVE}"),
    (
        "system-prompt-built",
        "messages = [{'role': 'system', 'content': PROMPT}, {'role': 'user', 'content': f'{q}'}]",
    ),
]

#: Tested with notebooks, in test_code.py.
ELSEWHERE = {"notebook-shell-built", "notebook-pipe-to-shell", "runs-at-import"}


def found(source):
    return [f.rule.removeprefix("code:") for f in code_findings(ast.parse(source), "a.py")]


@pytest.mark.parametrize(("rule", "source"), BAD)
def test_known_bad_code_is_found(rule, source):
    assert rule in found(source)


@pytest.mark.parametrize(("rule", "source"), BENIGN)
def test_benign_look_alikes_pass(rule, source):
    assert rule not in found(source)


def test_each_rule_has_both_kinds_of_example():
    rules = {rule.rule for rule in ALL_RULES} - {rule.rule for rule in FLOW_RULES} - ELSEWHERE
    assert {rule for rule, _ in BAD} == rules
    assert {rule for rule, _ in BENIGN} == rules


def test_rules_have_whole_entries():
    ids = [rule.rule for rule in ALL_RULES]
    assert len(ids) == len(set(ids))
    for rule in ALL_RULES:
        assert rule.code.startswith("LF24"), rule.rule
        assert rule.message.endswith("."), rule.rule
        assert rule.fix.endswith("."), rule.rule
        assert any(i.startswith("CWE-") for i in rule.ids), rule.rule


def test_a_finding_says_what_where_and_how_sure():
    (finding,) = code_findings(ast.parse("import torch\n\n\ntorch.load(p)"), "src/a.py", "cell 3")
    assert finding.code == "LF2411"
    assert finding.message == "torch.load without weights_only=True runs code that the checkpoint names."
    assert (finding.location.member, finding.location.line) == ("cell 3", 4)
    assert "CVE-2025-32434" in finding.ids
