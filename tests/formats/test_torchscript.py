from __future__ import annotations

import contextlib
import io
import json
import random
import re
import tokenize

import pytest

from lockflight.core.findings import Verdict
from lockflight.formats.torch import script as torchscript
from lockflight.formats.torch.script import Script, TorchTables, foreign_class
from lockflight.infra.allowlist import shipped_allow_list
from tests.corpus.programs import members
from tests.formats.files import mutants

TABLES = TorchTables(shipped_allow_list().tables["torchscript"])
HEAD = (
    "class Net(Module):\n  weight : Tensor\n  def forward(self: __torch__.Net,\n    x: Tensor) -> Tensor:\n"
)


def judge(*files):
    code = Script(TABLES)
    found = []
    for number, text in enumerate(files):
        found += code.add(text if isinstance(text, bytes) else text.encode(), str(number))
    for _, issues in code.judge():
        found += issues
    return found


def body(text):
    return judge(HEAD + text)


CODE = [
    data
    for name in ("script.pt", "words.pt", "trace.pt", "frozen.pt", "dynamic.pt")
    for inner, data in members(name).items()
    if inner.endswith(".py")
]


@pytest.mark.parametrize(
    "call",
    [
        'torch.segment_reduce(x, "sum", lengths=x, unsafe=True)',
        "torch._ctc_loss(x, x, [5], [1])",
        "torch.ctc_loss(x, x, [5], [1])",
        "torch.sparse_coo_tensor(x, x, [4])",
        "torch.sparse_csr_tensor(x, x, x, [4])",
        "torch.max_pool2d_with_indices_backward(x, x, [2], [2], [0], [1], False, x)",
        "torch._embedding_bag_dense_backward(x, x, x, x, x, 4, False, 0, None)",
        "ops.aten._convert_indices_from_coo_to_csr(x, 4)",
        "torch._reshape_alias(x, [1000000], [1])",
        "torch._cummax_helper(x, x, x, 0)",
    ],
)
def test_operators_that_believe_indices_are_not_known(call):
    found = body(f"    return {call}\n")
    assert {issue.rule for issue in found} == {"torch:operator"}
    assert {issue.verdict for issue in found} == {Verdict.UNKNOWN}


@pytest.mark.parametrize(
    "call",
    [
        "torch.gather(x, 0, x)",
        "torch.index_select(x, 0, x)",
        "torch.embedding(self.weight, x)",
        "torch.to_sparse(x)",
    ],
)
def test_operators_that_look_at_indices_are(call):
    assert body(f"    return {call}\n") == []


def test_what_torch_writes_is_judged_to_the_end():
    assert len(CODE) > 20
    assert judge(*CODE) == []


@pytest.mark.parametrize(
    "text",
    [
        "    return x\n",
        "    _0 = torch.add(self.weight, x, alpha=1)\n    return torch.relu(_0)\n",
        '    _0 = getattr(self, "weight")\n    return ops.aten.relu(_0)\n',
        "    return (self).forward(CONSTANTS.c0, )\n",
        '    if torch.gt(torch.dim(x), 2):\n      ops.prim.RaiseException("no")\n    else:\n      pass\n    return x\n',
        "    _0 = annotate(List[int], [])\n    for _1 in range(2):\n      _2 = torch.append(_0, _1)\n    return x\n",
        "    _0 = __torch__.torch.classes.quantized.LinearPackedParamsBase.__new__(x)\n    return x\n",
        "    return torch.mul(x, 1.5e-3)  # torch.save(x)\n",
        '    _0 = "torch.save \\" ops.aten.save"\n    return x\n',
    ],
)
def test_what_only_computes_is_safe(text):
    assert body(text) == []


def test_names_of_one_file_are_known_in_the_other():
    use = "def run(x: Tensor) -> Tensor:\n  return (x).of_mine(1, )\n"
    assert [issue.rule for issue in judge(use)] == ["torch:operator"]
    assert judge(use, "class A(Module):\n  def of_mine(self) -> int:\n    return 1\n") == []
    assert judge(use, 'class A(Module):\n  __annotations__["of_mine"] = Tensor\n') == []


def test_a_name_of_its_own_that_is_also_one_that_writes_is_seen_by_a_person():
    own = "class A(Module):\n  def save(self) -> int:\n    return 1\n"
    own += "  def forward(self) -> int:\n    return (self).save()\n"
    (issue,) = judge(own)
    assert (issue.rule, issue.verdict) == ("torch:reaches", Verdict.REVIEW)
    (issue,) = judge(own.replace("(self).save()", "torch.save(1)"))
    assert issue.verdict is Verdict.MALICIOUS


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("    return x \\\n", "character"),
        ("    return 'x'\n", "string"),
        ('    return """x"""\n', "string"),
        ("    return (x\n", "brackets"),
        ("    return x)\n", "brackets"),
        ("    import os\n", "import"),
        ("    return torch\n", "torch"),
        ("    return ops.aten\n", "ops"),
        ("    return ops.aten.a.b\n", "ops"),
        ("    return $x\n", "character"),
        ('    return getattr(self, "\\x61")\n', "escape"),
    ],
)
def test_what_torch_does_not_write_is_unknown(text, why):
    (issue,) = body(text)
    assert (issue.rule, issue.verdict) == ("torch:script", Verdict.UNKNOWN)
    assert why in issue.message


def test_files_that_are_none():
    assert [i.rule for i in judge("x = 1\n")] == ["torch:script"]
    assert [i.rule for i in judge(b"def \xff")] == ["torch:script"]
    assert judge("") == []
    assert judge("op_version_set = 1\n" + HEAD + "    return x\n") == []


def test_a_budget(monkeypatch):
    monkeypatch.setattr(torchscript, "MAX_CODE", 10)
    assert [i.rule for i in judge("def a():\n  return 1\n")] == ["torch:budget"]


@pytest.mark.parametrize(
    ("space", "name", "rule"),
    [
        ("aten", "relu", None),
        ("aten", "save", "torch:reaches"),
        ("image", "anything", "torch:reaches"),
        ("prim", "PythonOp", "torch:reaches"),
        ("mine", "run", "torch:operator"),
        ("torchvision", "nms", None),
        ("c10d", "allreduce_", "torch:operator"),
    ],
)
def test_operators(space, name, rule):
    issue = TABLES.operator(space, name)
    assert (issue.rule if issue else None) == rule


def test_classes():
    assert foreign_class("__torch__.Net", TABLES) is None
    assert foreign_class("__torch__.torch.classes.quantized.LinearPackedParamsBase", TABLES) is None
    assert foreign_class("__torch__.torch.classes.mine.Runner", TABLES) is not None
    assert foreign_class("__torch__.torch.classes.quantized.LinearPackedParamsBaseOther", TABLES) is not None


def test_the_list_has_nothing_that_reaches():
    table = shipped_allow_list().tables["torchscript"]
    listed = {f"{space}::{name}" for space, names in table["ops"].items() for name in names}
    assert len(listed) > 1900
    assert not [name for name in listed if re.search(r"::(save|from_file|load|.*_ptr)$|rpc|file", name)]
    assert "json" not in table["targets"]
    assert json.dumps(table)


def test_the_fuzz_never_raises_and_never_lets_a_write_pass():
    words = [
        b'torch.save(x, "f")',
        b".save",
        b"ops.aten.save",
        b'getattr(torch, "save")',
        b"\n",
        b"(",
        b")",
        b"#",
        b'"',
    ]
    safe = 0
    for data in mutants(CODE, 3000, 7, words):
        if judge(data):
            continue
        safe += 1
        assert not re.search(r"(?<!\. )(torch|\b(ops|torch) \. aten|\)) \. save\b", python_words(data)), data
    assert safe >= 100


def python_words(data):
    """The same words as Python's own tokenizer sees them, as far as it can."""
    words = []
    with contextlib.suppress(tokenize.TokenError, SyntaxError):
        words.extend(
            token.string
            for token in tokenize.tokenize(io.BytesIO(data).readline)
            if token.type in {tokenize.NAME, tokenize.OP}
        )
    return " ".join(words)


def test_noise_never_raises():
    chance = random.Random(3)
    for _ in range(500):
        judge(HEAD + "".join(chance.choice(' \n\t().:,="#torchops_save1+[]{}') for _ in range(60)))
