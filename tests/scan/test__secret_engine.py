from __future__ import annotations

import base64
import random
import string
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockflight.core.findings import Severity
from lockflight.scan._secret_engine import CACHE_VARIABLE, SecretEngine, _scanner, secret_tool

R = random.Random(11)
ALNUM = string.ascii_letters + string.digits
HEX = "0123456789abcdef"


def token(n, alphabet=ALNUM):
    return "".join(R.choice(alphabet) for _ in range(n))


# Random strings of the providers' shapes: no secret of anybody.
OPENAI = f"sk-{token(20)}T3BlbkFJ{token(20)}"
KEYS = {
    "openai": OPENAI,
    "anthropic": f"sk-ant-api03-{token(93)}AA",
    "hugging face": f"hf_{token(34, string.ascii_letters)}",
    "google": f"AIza{token(35)}",
    "groq": f"gsk_{token(52)}",
    "xai": f"xai-{token(80)}",
    "perplexity": f"pplx-{token(48)}",
    "replicate": f"r8_{token(37)}",
    "mistral": f"MISTRAL_API_KEY={token(32)}",
    "cohere": f"COHERE_API_KEY={token(40)}",
    "together": f"TOGETHER_API_KEY={token(64, HEX)}",
    "openrouter": f"sk-or-v1-{token(64, HEX)}",
    "langsmith": f"lsv2_pt_{token(32, HEX)}_{token(10, HEX)}",
    "langfuse": f"sk-lf-{token(8, HEX)}-{token(4, HEX)}-{token(4, HEX)}-{token(4, HEX)}-{token(12, HEX)}",
    "pinecone": f"pcsk_{token(5)}_{token(63)}",
    "nvidia": f"nvapi-{token(64)}",
    "tavily": f"tvly-{token(32)}",
    "azure openai": f"AZURE_OPENAI_API_KEY={token(32, HEX)}",
    "github": f"ghp_{token(36)}",
    "gitlab": f"glpat-{token(20)}",
    "aws": f"aws_access_key_id=AKIA{token(16, string.ascii_uppercase + '234567')}\naws_secret_access_key={token(40)}",
    "aws without id": f"aws_secret_access_key = {token(40)}",
    "slack": f"xoxb-{token(12, '123456789')}-{token(12, '123456789')}-{token(24)}",
    "url": f"postgres://admin:{token(14)}@db.internal:5432/x",
    "private key": "-----BEGIN RSA PRIVATE KEY-----\n"
    + "\n".join(base64.b64encode(R.randbytes(48)).decode() for _ in range(12))
    + "\n-----END RSA PRIVATE KEY-----",
    "in base64": base64.b64encode(f"key={OPENAI}".encode()).decode(),
}


@pytest.fixture(scope="module")
def engine():
    return SecretEngine()


@pytest.mark.parametrize("name", sorted(KEYS))
def test_keys_of_providers_are_found(engine, name):
    found = engine.find(f"a = 1\n{KEYS[name]}\n".encode())
    assert found
    assert max(s.severity is not Severity.LOW for s in found)


def test_one_secret_is_told_once_under_its_best_name(engine):
    (found,) = engine.find(f"OPENAI_API_KEY={OPENAI}\n".encode())
    assert found.rule == "kingfisher:betterleaks.openai-api-key"
    assert found.value.decode() == OPENAI
    assert found.start == 15


def test_comments_do_not_silence(engine):
    assert engine.find(
        f"k = '{OPENAI}'  # kingfisher:ignore gitleaks:allow nosec pragma: allowlist secret".encode()
    )


@pytest.mark.parametrize("escape", [r"\n", r"\t", r"\""])
def test_escapes_before_a_token_do_not_hide_it(engine, escape):
    text = f'{{"text": "first line{escape}{OPENAI}{escape}"}}'.encode()
    (found,) = engine.find(text)
    assert text[found.start : found.start + len(OPENAI)].decode() == OPENAI


def test_values_with_a_telling_name_only_where_names_count(engine):
    text = f'service_token = "{token(32)}"'.encode()
    assert [s.rule for s in engine.find(text)] == ["own:named-secret"]
    assert engine.find(text, named=False) == []


@pytest.mark.parametrize(
    "text",
    [
        "aws_access_key_id = AKIAIOSFODNN7EXAMPLE",
        "OPENAI_API_KEY=sk-your-key-here",
        "token: ${{ secrets.GITHUB_TOKEN }}",
        "The quick brown fox jumps over the lazy dog. " * 20,
        "sha256: " + "".join(f"{i:02x}" for i in range(32)),
    ],
)
def test_placeholders_and_prose_pass(engine, text):
    assert engine.find(text.encode()) == []


def test_a_placeholder_in_an_address_counts_little(engine):
    (found,) = engine.find(b"https://user:your-password-here-1@host.io/x")
    assert found.severity is Severity.LOW


def test_the_tool_names_version_and_digest_of_the_rules():
    tool = secret_tool("1")
    assert tool.version.startswith("1+kingfisher")
    assert len(tool.digest) == 64
    assert tool == secret_tool("1")


def test_no_cache_of_compiled_rules_is_read_unless_a_folder_is_named(monkeypatch, tmp_path):
    monkeypatch.delenv(CACHE_VARIABLE, raising=False)
    assert SecretEngine()._scanner.rules.cache_status == "bypassed"
    tmp_path.chmod(0o700)
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    assert _scanner.__wrapped__().rules.cache_status == "stored"
    assert _scanner.__wrapped__().rules.cache_status == "loaded"


@settings(max_examples=40)
@given(st.binary(max_size=3000))
def test_any_bytes_are_read_in_order(data):
    found = SecretEngine().find(data)
    assert [s.start for s in found] == sorted(s.start for s in found)
    for one, two in pairwise(found):
        assert one.start + len(one.value) <= two.start or len(one.value) == 0
