from __future__ import annotations

import json

import pytest

from lockflight.core.findings import Verdict
from lockflight.formats.settings.jsontext import BadJson, check_json, parse_json
from tests.formats.files import mutants, rules, source, verdict

EVIL = "{{ ''.__class__ }}"


def check(value):
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return check_json(source(data, "config.json"))


def test_ordinary_configurations():
    assert (
        check(
            {
                "model_type": "llama",
                "rope": float("inf"),
                "x": [1, None, "auto_map"],
                "trust_remote_code": False,
            }
        )
        == ()
    )
    assert check({"model": {"vocab": {f"word{i}": i for i in range(3000)}, "merges": ["a b"] * 1000}}) == ()
    assert check(b"\xef\xbb\xbf{}") == ()
    assert check({"_attn_implementation": "flash_attention_2", "size": ["a", "b"]}) == ()
    assert check({"_diffusers_version": "0.35", "vae": ["diffusers", "VAE"], "x": [None, None]}) == ()
    assert check({"types": {"a": "b"}, "words": ["x"]}) == ()
    types = {"q": "sentence_transformers.models.Transformer"}
    assert check({"types": types, "structure": {"query": ["q"]}}) == ()
    assert check({"activation_function": "gelu_new", "tokenizer_class": "LlamaTokenizer"}) == ()
    assert check({"activation_function": "torch.nn.modules.activation.Tanh"}) == ()
    assert check({"activation_fn": "torch.nn.Identity", "loss_fn": "losses.mine", "class": "code"}) == ()
    words = "sentence_transformers.models.tokenizer.WhitespaceTokenizer.WhitespaceTokenizer"
    assert check({"tokenizer_class": words, "_data_files": [{"filename": "data-00000.arrow"}]}) == ()
    assert check({"peft_type": "LORA", "auto_mapping": None, "target_modules": ["q_proj", "v_proj"]}) == ()
    assert check({"chat_template": "{% for m in messages %}{{ m.content }}{% endfor %}"}) == ()


@pytest.mark.parametrize(
    ("value", "rule", "what"),
    [
        ({"auto_map": {"AutoModel": "modeling_x.Model"}}, "config:local-code", Verdict.REVIEW),
        ({"auto_map": {"AutoModel": "who/repo--modeling_x.Model"}}, "config:remote-code", Verdict.UNKNOWN),
        ({"auto_map": {"AutoTokenizer": ["a--b.C", None]}}, "config:remote-code", Verdict.UNKNOWN),
        ({"a": [{"auto_map": "x.Y"}]}, "config:local-code", Verdict.REVIEW),
        (b'{"\\u0061uto_map": "x.Y"}', "config:local-code", Verdict.REVIEW),
        ({"trust_remote_code": True}, "config:trust-remote-code", Verdict.REVIEW),
        ({"custom_pipelines": {"x": {}}}, "config:trust-remote-code", Verdict.REVIEW),
        ({"model": {"_target_": "nemo.Model"}}, "config:target", Verdict.REVIEW),
        ({"model": {"_target_": "os.system"}}, "config:target", Verdict.MALICIOUS),
        ({"activation_function": "code.interact"}, "config:local-code", Verdict.MALICIOUS),
        ({"activation_function": "torch.hub.load"}, "config:local-code", Verdict.REVIEW),
        ({"sentence_transformers": {"activation_fn": "mine.Act"}}, "config:local-code", Verdict.REVIEW),
        ({"types": {"q": "this.s"}, "structure": {"query": ["q"]}}, "config:local-code", Verdict.REVIEW),
        ({"tokenizer_class": "os.getcwd"}, "config:local-code", Verdict.MALICIOUS),
        ({"parts": [{"loss_fn": "subprocess.call"}]}, "config:target", Verdict.MALICIOUS),
        ({"_data_files": [{"filename": "../../x.arrow"}]}, "config:path", Verdict.MALICIOUS),
        ({"_attn_implementation": "who/kernels"}, "config:remote-code", Verdict.UNKNOWN),
        ({"text_config": {"attn_implementation": {"": "who/k"}}}, "config:remote-code", Verdict.UNKNOWN),
        (
            {"_diffusers_version": "0.35", "unet": ["diffusers", "UNet"], "x": ["my_unet", "UNet"]},
            "config:local-code",
            Verdict.REVIEW,
        ),
        (
            {"_diffusers_version": "0.35", "_class_name": ["pipe", "Mine"]},
            "config:local-code",
            Verdict.REVIEW,
        ),
        (
            {"peft_type": "LORA", "auto_mapping": {"parent_library": "transformers_modules.who.x"}},
            "config:local-code",
            Verdict.REVIEW,
        ),
        ({"peft_type": "LORA", "base_model_name_or_path": "who/base"}, "config:base-model", Verdict.SAFE),
        ({"a": {"py/reduce": []}}, "json:jsonpickle", Verdict.MALICIOUS),
        ({"chat_template": EVIL}, "template:private", Verdict.MALICIOUS),
        ({"chat_template": [{"name": "default", "template": EVIL}]}, "template:private", Verdict.MALICIOUS),
        ({"chat_template": {"tool_use": EVIL}}, "template:private", Verdict.MALICIOUS),
        ({"processor": {"chat_template": EVIL}}, "template:private", Verdict.MALICIOUS),
        (b'{"a": 1, "a": 2}', "json:broken", Verdict.UNKNOWN),
        (b"{nonsense", "json:broken", Verdict.UNKNOWN),
        (b"\xff", "json:broken", Verdict.UNKNOWN),
        (b"[" * 200_000, "json:broken", Verdict.UNKNOWN),
        (b"1" * 5000, "json:broken", Verdict.UNKNOWN),
    ],
)
def test_what_a_loader_would_do(value, rule, what):
    issues = check(value)
    assert rule in rules(issues)
    assert verdict(issues) is what


@pytest.mark.parametrize(
    ("value", "what"),
    [
        ({"activation_function": "os.abort"}, Verdict.MALICIOUS),
        ({"activation_function": "subprocess.Popen"}, Verdict.MALICIOUS),
        ({"activation_function": "torch.utils.collect_env.main"}, Verdict.REVIEW),
        ({"activation_function": "torch.nn.utils.parametrize.Anything"}, Verdict.REVIEW),
        ({"sbert_ce_default_activation_function": "mine.Act"}, Verdict.REVIEW),
        ({"sentence_transformers": {"activation_fn": "mine.Act"}}, Verdict.REVIEW),
        ({"tokenizer_class": "mine.Tokenizer"}, Verdict.REVIEW),
        ({"tokenizer_class": "runpy.run_path"}, Verdict.MALICIOUS),
        ({"activation_function": "torch.nn.modules.activation.Tanh"}, Verdict.SAFE),
        ({"activation_function": "gelu_new", "tokenizer_class": "BertTokenizer"}, Verdict.SAFE),
        ({"sbert_ce_default_activation_function": "torch.nn.modules.linear.Identity"}, Verdict.SAFE),
        ({"sentence_transformers": {"activation_fn": "torch.nn.Sigmoid"}}, Verdict.SAFE),
        (
            {
                "tokenizer_class": "sentence_transformers.models.tokenizer.WhitespaceTokenizer.WhitespaceTokenizer"
            },
            Verdict.SAFE,
        ),
    ],
)
def test_what_sentence_transformers_imports_by_name(value, what):
    issues = check(value)
    assert verdict(issues) is what
    assert rules(issues) == (set() if what is Verdict.SAFE else {"config:local-code"})


LORA = {"peft_type": "LORA", "target_modules": ["q_proj"]}


@pytest.mark.parametrize(
    ("more", "what"),
    [
        ({"corda_config": {"cache_file": "/srv/keys.pt"}}, Verdict.UNKNOWN),
        ({"corda_config": {"cache_file": "C:\\models\\cache.pt"}}, Verdict.UNKNOWN),
        ({"corda_config": {"cache_file": "~/.bashrc"}}, Verdict.UNKNOWN),
        ({"corda_config": {"cache_file": "../../other/cache.pt"}}, Verdict.MALICIOUS),
        ({"corda_config": {"covariance_file": "a/../../b.pt"}}, Verdict.MALICIOUS),
        ({"corda_config": {"covariance_file": "https://example.com/a.pt"}}, Verdict.MALICIOUS),
        ({"prompt_tuning_init_state_dict_path": "/dev/shm/a.bin"}, Verdict.UNKNOWN),
        ({"prompt_tuning_init_state_dict_path": "\\\\host\\share\\a.bin"}, Verdict.MALICIOUS),
        ({"adapters": {"0": "one", "1": "/srv/other"}}, Verdict.UNKNOWN),
        ({"adapters": {"0": "../other"}}, Verdict.MALICIOUS),
        ({"adapters": {"0": "https://example.com/adapter"}}, Verdict.MALICIOUS),
        ({"parts": [{"deep": {"adapters": ["../other"]}}]}, Verdict.MALICIOUS),
        ({"base_model_name_or_path": "\\\\host\\share\\base"}, Verdict.MALICIOUS),
        ({"base_model_name_or_path": "//host/share"}, Verdict.MALICIOUS),
        ({"base_model_name_or_path": "s3://bucket/base"}, Verdict.UNKNOWN),
        ({"tokenizer_name_or_path": "\\\\host\\share"}, Verdict.MALICIOUS),
    ],
)
def test_an_adapter_that_opens_something_elsewhere(more, what):
    issues = check({**LORA, **more})
    assert "config:outside" in rules(issues)
    assert verdict(issues) is what
    # The configuration of an adapter is known by its name too.
    named = check_json(source(json.dumps(more).encode(), "x/adapter_config.json"))
    assert verdict(named) is what


@pytest.mark.parametrize(
    "more",
    [
        {"corda_config": {"cache_file": None, "covariance_file": None, "corda_method": "ipm"}},
        {"corda_config": {"cache_file": "cache/svd.pt", "verbose": False}},
        {"adapters": {"0": "adapter_0", "1": "./adapter_1", "2": "who/adapter"}},
        {"adapters": None, "prompt_tuning_init_state_dict_path": None},
        {
            "base_model_name_or_path": "/srv/models/base",
            "tokenizer_name_or_path": "/srv/models/base",
        },
        {"base_model_name_or_path": "..\\base", "revision": None},
        {"adapters": [], "cache_file": ""},
    ],
)
def test_what_adapters_honestly_name(more):
    assert rules(check({**LORA, **more})) <= {"config:base-model"}
    assert verdict(check({**LORA, **more})) is Verdict.SAFE


def test_only_adapters_are_read_so():
    assert check({"cache_file": "/tmp/x", "adapters": ["../y"]}) == ()


def test_a_pipeline_is_known_by_its_name_too():
    data = json.dumps({"unet": ["my_unet", "UNet"]}).encode()
    assert rules(check_json(source(data, "x/model_index.json"))) == {"config:local-code"}
    assert check_json(source(data, "x/other.json")) == ()


def test_the_place_of_a_template_is_named():
    (issue,) = check(
        {"chat_template": [{"name": "a", "template": "{{ 1 }}"}, {"name": "b", "template": EVIL}]}
    )
    assert issue.member == "chat_template[1]"


@pytest.mark.parametrize(
    "value",
    [{"custom_chat_template": EVIL}, {"prompts": {"one": EVIL}}, {"prompts": ["{{ a }}", EVIL]}, [[EVIL]]],
)
def test_an_escape_under_any_key_is_found(value):
    assert verdict(check(value)) is Verdict.MALICIOUS


def test_texts_that_only_look_like_templates_are_safe():
    assert check({"pattern": "{{ frobnicate( }}", "prompts": ["{{ name|title_case }}", "{% if"]}) == ()


def test_sizes_are_budgeted(monkeypatch):
    monkeypatch.setattr("lockflight.formats.settings.jsontext._MAX_TEMPLATES", 10)
    assert rules(check({"a": "{{ name }}", "b": ["{{ name }}"]})) == {"json:budget"}
    monkeypatch.setattr("lockflight.formats.settings.jsontext.MAX_BYTES", 10)
    assert rules(check({"a": "0123456789"})) == {"json:budget"}
    monkeypatch.setattr("lockflight.formats.settings.jsontext.MAX_BYTES", 1000)
    monkeypatch.setattr("lockflight.formats.settings.jsontext._MAX_NODES", 3)
    assert rules(check([{}, {}, {}, {}, {}])) == {"json:budget"}


def test_errors_hold_nothing_of_the_file():
    with pytest.raises(BadJson) as caught:
        parse_json(b'{"secret": hunter2}')
    assert "hunter2" not in str(caught.value)


def test_damage_is_an_issue_and_never_more():
    seeds = [
        json.dumps({"auto_map": {"A": "b.C"}, "chat_template": EVIL, "x": [1, 2.5, None]}).encode(),
        b'{"a": "b"}',
    ]
    safe = sum(not check(data) for data in mutants(seeds, 1500, 8, (b'"', b"{", b"[", b"\\u005f", b"NaN")))
    assert 0 < safe < 1000


def test_chat_templates_are_budgeted():
    many = [{"name": str(i), "template": "{{ bos_token }}" + "x" * i} for i in range(40)]
    assert rules(check({"chat_template": many})) == {"json:budget"}
    assert rules(check([{"chat_template": one["template"]} for one in many])) == {"json:budget"}


@pytest.mark.parametrize(
    "document",
    [
        {"model_type": "detr", "backbone": "evil/backbone", "use_pretrained_backbone": True},
        {"vision_config": {"backbone": "evil/backbone", "use_timm_backbone": False}},
        {"architectures": ["X"], "backbone": "hf_hub:evil/x"},
        {"model_type": "timm_wrapper", "architecture": "hf-hub:evil/x"},
        {"backbone": "local-dir:/somewhere"},
    ],
)
def test_a_backbone_from_elsewhere_is_not_judged(document):
    found = check_json(source(json.dumps(document).encode(), "config.json"))
    assert rules(found) == {"config:outside"}
    assert verdict(found) is Verdict.UNKNOWN


@pytest.mark.parametrize(
    "document",
    [
        {
            "model_type": "detr",
            "backbone": "resnet50",
            "use_timm_backbone": True,
            "use_pretrained_backbone": True,
        },
        {"model_type": "dpt", "backbone": None, "backbone_config": {"model_type": "dinov2"}},
        {"model_type": "timm_wrapper", "architecture": "vit_base_patch16_224.augreg2_in21k_ft_in1k"},
        {"backbone": "runs/first", "lr": 0.1},
    ],
)
def test_a_backbone_of_timm_is_what_everybody_has(document):
    assert check_json(source(json.dumps(document).encode(), "config.json")) == ()


def test_patterns_of_answers_are_looked_at():
    def found(pattern):
        return check_json(source(json.dumps({"response_schema": {"x-regex": pattern}}).encode(), "a.json"))

    assert rules(found("(a+)+$")) == {"config:pattern"}
    assert found(r"<think>(?P<thinking>.*?)</think>(?P<content>.*)") == ()
