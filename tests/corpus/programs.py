"""Hostile programs of torch: TorchScript and torch.export, made from real ones by one change each.

What the changes use was read in torch 2.13 (serialization/import_source.cpp, _export/serde/serialize.py,
utils/_pytree.py, export/_unlift.py); each would run `true`, write a word, or nothing. None is ever loaded.
"""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.formats.files import archive

if TYPE_CHECKING:
    from collections.abc import Iterator

VECTORS = Path(__file__).resolve().parent.parent / "vectors" / "models" / "torch"


def members(name: str) -> dict[str, bytes]:
    """The members of a real archive."""
    with zipfile.ZipFile(VECTORS / name) as opened:
        return {info.filename: opened.read(info) for info in opened.infolist()}


def changed(name: str, more: dict[str, bytes]) -> bytes:
    """A real archive with some members added or replaced."""
    root = next(iter(members(name))).split("/")[0]
    return archive({**members(name), **{f"{root}/{inner}": data for inner, data in more.items()}})


def script(body: str) -> bytes:
    """A real TorchScript program with another body of `forward`."""
    code = members("script.pt")["script/code/__torch__.py"].decode()
    start = code.index("    norm = self.norm\n")
    return changed("script.pt", {"code/__torch__.py": (code[:start] + body).encode()})


def program(change: Any) -> bytes:
    """A real exported program whose JSON was changed."""
    body = json.loads(members("sizes.pt2")["sizes/models/model.json"])
    change(body)
    return changed("sizes.pt2", {"models/model.json": json.dumps(body).encode()})


#: What `forward` could do, and the rule that says so.
BODIES = {
    "save": ('    _0 = torch.save(x, "word")\n    return x\n', "torch:reaches"),
    "save-method": ('    _0 = (x).save("word")\n    return x\n', "torch:reaches"),
    "save-room": ('    _0 = torch.nn.functional.save(x, "word")\n    return x\n', "torch:reaches"),
    "save-ops": ('    _0 = ops.aten.save(x, "word")\n    return x\n', "torch:reaches"),
    "save-getattr": ('    _0 = getattr(torch, "save")(x, "word")\n    return x\n', "torch:reaches"),
    "save-lines": ('    _0 = (x.\n  save("word"))\n    return x\n', "torch:reaches"),
    "save-comment": ('    _0 = (x. # a remark\n  save("word"))\n    return x\n', "torch:reaches"),
    "save-kept": ('    f = torch.save\n    _0 = f(x, "word")\n    return x\n', "torch:reaches"),
    "read": ('    return torch.from_file("/etc/hostname", False, 4)\n', "torch:reaches"),
    "image": ('    return ops.image.read_file("/etc/hostname")\n', "torch:reaches"),
    "rpc": ('    _0 = ops.prim.rpc_async("a", "b")\n    return x\n', "torch:reaches"),
    "library": ("    return ops.mylib.run(x)\n", "torch:operator"),
    "private": ("    return torch._debug_has_internal_overlap(x)\n", "torch:operator"),
    "unknown": ("    return torch.operator_of_tomorrow(x)\n", "torch:operator"),
    "unknown-method": ("    return (x).operator_of_tomorrow()\n", "torch:operator"),
    "function": ("    return eval_of_tomorrow(x)\n", "torch:operator"),
    "class": ("    _0 = __torch__.torch.classes.mylib.Runner(x)\n    return x\n", "torch:class"),
    "process-group": ("    _0 = __torch__.torch.classes.c10d.Work()\n    return x\n", "torch:class"),
    "alias": ('    t = torch\n    _0 = (t).save(x, "word")\n    return x\n', "torch:script"),
    "alias-ops": ('    o = ops\n    _0 = o.aten.save(x, "word")\n    return x\n', "torch:script"),
    "split": ('    _0 = (torch\n.save(x, "word"))\n    return x\n', "torch:reaches"),
    "long-string": ('    _0 = """a" + torch.save(x, "b") + """"\n    return x\n', "torch:script"),
    "single-quotes": ("    _0 = torch.save(x, 'word')\n    return x\n", "torch:script"),
    "escape": ('    _0 = getattr(torch, "s\\x61ve")(x, "word")\n    return x\n', "torch:script"),
    "joined": ('    _0 = torch.\\\nsave(x, "word")\n    return x\n', "torch:script"),
    "letters": ('    _0 = torch.\uff53ave(x, "word")\n    return x\n', "torch:script"),
    "import": ("    import os\n    return x\n", "torch:script"),
    "brackets": ("    return (x\n", "torch:script"),
}


def scripts() -> Iterator[tuple[str, bytes, str]]:
    """Name, bytes and rule of TorchScript archives."""
    for label, (body, rule) in BODIES.items():
        yield f"script-{label}.pt", script(body), rule
    data = members("dynamic.pt")["dynamic/data.pkl"]
    other = data.replace(b"quantized\nLinearPackedParamsBase", b"mylibrary\nPickedRunnersOfMine")
    yield "script-state-of-a-class.pt", changed("dynamic.pt", {"data.pkl": other}), "torch:class"
    python = b"import os\nos.system('true')\n"
    yield "script-python.pt", changed("script.pt", {"code/run.py": python}), "torch:script"
    yield "script-python-in-extra.pt", changed("script.pt", {"extra/run.py": python}), "file:code"
    yield (
        "script-native.pt",
        changed("script.pt", {"extra/run.so": b"\x7fELF" + bytes(90)}),
        "file:unsupported",
    )


EVIL_TARGETS = {
    "system": "torch.serialization.os.system",
    "load": "torch.hub.load",
    "methodcaller": "_operator.methodcaller",
    "math": "math.__loader__.load_module",
    "extension": "#mine:run",
}


def exports(evil: bytes) -> Iterator[tuple[str, bytes, str]]:
    """Name, bytes and rule of exported programs."""

    def node(body: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = body["graph_module"]["graph"]["nodes"][1]
        return found

    def signature(body: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = body["graph_module"]["module_call_graph"][0]["signature"]
        return found

    for label, target in EVIL_TARGETS.items():
        yield f"export-{label}.pt2", program(lambda b, t=target: node(b).update(target=t)), "torch:lookup"
    yield (
        "export-library.pt2",
        program(lambda b: node(b).update(target="torch.ops.mine.run.default")),
        "torch:operator",
    )
    yield (
        "export-save.pt2",
        program(lambda b: node(b).update(target="torch.ops.aten.save.default")),
        "torch:reaches",
    )
    operator = {"name": "f", "arg": {"as_operator": "torch.os.system"}, "kind": 1}
    yield "export-operator.pt2", program(lambda b: node(b)["inputs"].append(operator)), "torch:lookup"

    def shape(text: str) -> Any:
        def change(body: dict[str, Any]) -> None:
            sizes = body["graph_module"]["graph"]["tensor_values"]["x"]["sizes"]
            sizes[0]["as_expr"]["expr_str"] = text

        return change

    for number, text in enumerate(
        (
            "__import__('os').system('true')",
            "Symbol('s0').__class__",
            "Add('__import__(1)')",
            "sympify('1')",
            "(lambda: 1)()",
            "S('1')",
            "parse_expr(Symbol('s0'))",
            "[1 for i in Integer(2)]",
            'Symbol("s0")',
            "Symbol('s0', evaluate=exec)",
        )
    ):
        yield f"export-shape-{number}.pt2", program(shape(text)), "torch:expression"
    limit = {"__import__('os').system('true')": {"min_val": 1, "max_val": 2}}
    yield "export-range.pt2", program(lambda b: b["range_constraints"].update(limit)), "torch:expression"
    for number, guard in enumerate(
        (
            "__import__('os').system('true')",
            "L['x'].size()[0] == (exec(1))",
            "L['x'].tofile('word')",
            "L['x'] or 0\n  import os",
        )
    ):
        yield (
            f"export-guard-{number}.pt2",
            program(lambda b, g=guard: b.update(guards_code=[g])),
            "torch:expression",
        )
    leaf = {"type": None, "context": None, "children_spec": []}
    trees = {
        "factory": {
            "type": "collections.defaultdict",
            "context": {
                "default_factory_module": "antigravity",
                "default_factory_name": "x",
                "dict_context": [],
            },
            "children_spec": [],
        },
        "enumeration": {
            "type": "builtins.dict",
            "context": json.dumps([{"__enum__": True, "fqn": "antigravity:x", "name": "y"}]),
            "children_spec": [leaf],
        },
        "type": {"type": "mine.Registered", "context": "null", "children_spec": []},
    }
    for label, tree in trees.items():
        text = json.dumps([1, tree])
        yield (
            f"export-tree-{label}.pt2",
            program(lambda b, t=text: signature(b).update(in_spec=t)),
            "torch:tree",
        )
    yield "export-not-json.pt2", changed("net.pt2", {"models/model.json": b"{"}), "torch:program"
    twice = members("net.pt2")["net/models/model.json"].replace(b"{", b'{"guards_code": [], ', 1)
    yield "export-twice.pt2", changed("net.pt2", {"models/model.json": twice}), "torch:program"
    yield "export-second.pt2", changed("net.pt2", {"models/other": b"[]"}), "torch:program"
    yield "export-inputs.pt2", changed("net.pt2", {"data/sample_inputs/model.pt": evil}), "pickle:global"
    yield "export-weights.pt2", changed("net.pt2", {"data/weights/model.pt": evil}), "pickle:global"

    def config(folder: str, name: str, *, pickled: bool) -> dict[str, bytes]:
        body = {
            "config": {"w": {"path_name": name, "is_param": True, "use_pickle": pickled, "tensor_meta": None}}
        }
        return {
            f"data/{folder}/model_{folder}_config.json": json.dumps(body).encode(),
            f"data/{folder}/{name}": evil,
        }

    yield (
        "export-pickled.pt2",
        changed("net.pt2", config("weights", "weight_0", pickled=True)),
        "pickle:global",
    )
    yield (
        "export-opaque.pt2",
        changed("net.pt2", config("constants", "opaque_obj_0", pickled=False)),
        "pickle:global",
    )
    yield (
        "export-custom.pt2",
        changed("net.pt2", config("constants", "custom_obj_0", pickled=False)),
        "torch:member",
    )
    yield (
        "export-named.pt2",
        changed("net.pt2", config("weights", "model.pt", pickled=False)),
        "pickle:global",
    )
    native = {"data/aotinductor/model/a.so": b"\x7fELF" + bytes(90)}
    yield "export-compiled.pt2", changed("net.pt2", native), "torch:compiled"
