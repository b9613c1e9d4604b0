"""Patterns: what tokenizers and adapters are published with is plain; what engines never end with is not."""

from __future__ import annotations

import pytest

from lockflight.core.findings import Verdict
from lockflight.formats.report import Issues
from lockflight.formats.settings import patterns as module
from lockflight.formats.settings.patterns import check_adapter, slow

#: Of the tokenizers of GPT-2, CLIP, GPT-4, GPT-4o, Llama 3, Qwen 2 and 3.5, DeepSeek, Bloom, T5, mBART and others.
TOKENIZERS = [
    r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+",
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s",
    (
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
        r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    ),
    r"(?i:'s|'t|'re|'ve)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    r"(?i:'s|'t)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+",
    "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+",
    " ?[^(\\s|[.,!?\u2026\u3002\uff0c\u3001\u0964\u06d4\u060c])]+",
    r" {2,}",
    r"\A +| +\z",
    r"\s{2,}|[\n\r\t]",
    "^\u2581+$",
    r"(?=(\d{3})+(?!\d))",
    r"\p{N}{1,3}(?=(?:\p{N}{3})*(?!\p{N}))",
    r"(?<=\p{N})(?=\p{N})",
    r"(?:\r?\n)+(?!\r?\n)",
    r"[ ]?(?:[\p{L}\p{M}]+|\p{N}+)",
]

ADAPTERS = [
    "q_proj",
    r".*decoder.*(SelfAttention|EncDecAttention).*(q|v)$",
    r"^(?!.*patch_embed).*(?:q_proj|k_proj|v_proj|out_proj).*$",
    (
        r"(?:.*?(?:vision|image|language|text).*?(?:self_attn|attention|attn|mlp|ffn|dense).*?(?:k_proj|v_proj|fc1).*?)"
        r"|(?:\bmodel\.layers\.[\d]{1,}\.(?:self_attn|attention|attn|mlp)\.(?:(?:k_proj|v_proj|q_proj)))"
    ),
    r"model\.layers\.(?:[0-9]|[12][0-9]|3[01])\.self_attn\.[qkv]_proj",
    r"^language_model\.model\.layers\.\d+\.(self_attn\.(q|k|v|o)_proj|mlp\.(gate|up|down)_proj)$",
    r".*(\.to_[qkv])|(.*ff\.net\.0\.proj)",
    r"(?:[a-z_]+\.)*q_proj",
    r"layers(?:\.\d+)+\.q_proj",
    r"(transformer|single_transformer_blocks)\.\d+(\.attn)?\.(to_q|to_k)",
    r"(?P<name>q|k)_proj",
]

HOSTILE = [
    r"^(a+)+$",
    r"((([a-z0-9_]+)\.?)+)+!",
    r"(a|a)+$",
    r"(a|aa)+!",
    r"(?i:(a|A)*)b",
    r"(?:aA*)+$",
    r"(a*)*b",
    r"(?:a?){40}a",
    r"(.*.*)+",
    r".*.*.*.*.*.*.*x",
    r"(\w+\s?)*$",
    r"([a-z]+\.?)*!",
    r"(\.a?a?)*!",
    r"(\.[a-z]*[a-z]*)*!",
    r"(?:\.[a-z.]+)+!",
    r"(?:\.(?:a|a))+!",
    r"(?:(?:\.a+)+)*!",
    r"(?:a[^b]*)*c",
    r"(?:a{1,2}){50}b",
    r"a{0,60}a{0,60}a{0,60}a{0,60}a{0,60}a{0,60}b",
    "a?" * 40 + "a" * 40,
    r"(?=(a+)+$)",
    r"(?>(a+)+)$",
    r"(?<n>a+)+$",
    r"(?:(?:a{1000}){1000}){1000}",
    r"(a)\1*b",
    r"(?x)(a+ # words",
    r"(?(1)a|b)",
    r"a**",
    r"(a",
    r"a)",
    r"[a",
    "(" * 60 + "a" + ")" * 60,
    "\\",
    "*a",
]


@pytest.mark.parametrize("pattern", TOKENIZERS)
def test_patterns_of_tokenizers_are_plain(pattern):
    assert slow(pattern, python=False) == ""


@pytest.mark.parametrize("pattern", ADAPTERS)
def test_patterns_of_adapters_are_plain(pattern):
    assert slow(pattern, python=True) == ""


@pytest.mark.parametrize("python", [True, False])
@pytest.mark.parametrize("pattern", HOSTILE)
def test_patterns_without_end_are_told(pattern, python):
    assert slow(pattern, python=python)


def test_classes_of_oniguruma_lie_in_each_other():
    assert slow("[a[(]b]+", python=False) == ""
    assert slow("[a[]b+", python=True) == ""


def test_a_long_pattern_is_not_read(monkeypatch):
    monkeypatch.setattr(module, "MAX_PATTERN", 3)
    assert slow("abcd", python=True)
    assert slow("abc", python=True) == ""


@pytest.mark.parametrize(
    "config",
    [
        {"target_modules": "(a+)+!"},
        {"exclude_modules": "(a+)+!"},
        {"modules_to_save": ["head", "(a+)+!"]},
        {"layers_pattern": ["(a+)+!"]},
        {"rank_pattern": {"(a+)+!": 8}},
    ],
)
def test_where_adapters_have_patterns(config):
    issues = Issues()
    check_adapter(config, issues)
    assert [(issue.rule, issue.verdict) for issue in issues.frozen()] == [("config:pattern", Verdict.REVIEW)]


def test_an_adapter_as_people_publish_it():
    issues = Issues()
    check_adapter(
        {
            "target_modules": ["q_proj", "v_proj"],
            "layers_pattern": None,
            "rank_pattern": {"q_proj": 8},
            "r": 8,
        },
        issues,
    )
    assert issues.frozen() == ()
