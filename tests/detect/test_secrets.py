from __future__ import annotations

import base64
import random
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockflight.detect.secrets import _PATTERNS, entropy, find_secrets, is_placeholder

R = random.Random(7)
ALNUM = string.ascii_letters + string.digits
HEX = "0123456789abcdef"


def token(n, alphabet=ALNUM):
    return "".join(R.choice(alphabet) for _ in range(n))


# Random strings of the right shape: no secret of anybody.
KEYS = {
    "openai-api-key": f"sk-proj-{token(74)}T3BlbkFJ{token(73)}-",
    "langsmith-api-key": f"lsv2_pt_{token(32, HEX)}_{token(10, HEX)}",
    "langfuse-secret-key": f"sk-lf-{token(8, HEX)}-{token(4, HEX)}-{token(4, HEX)}-{token(4, HEX)}-{token(12, HEX)}",
    "tavily-api-key": "tvly-dev-" + token(32),
    "fireworks-api-key": "fw_3" + token(23),
    "anyscale-api-key": "esecret_" + token(28),
    "xai-api-key": "xai-" + token(80),
    "elevenlabs-api-key": "sk_" + token(48, HEX),
    "telegram-bot-token": f"{token(10, '123456789')}:AA{token(33)}",
    "azure-openai-api-key": f"AZURE_OPENAI_API_KEY={token(32, HEX)}",
    "azure-storage-account-key": "AccountKey=" + base64.b64encode(R.randbytes(64)).decode(),
    "togetherai-api-key": f'TOGETHER_API_KEY = "{token(64, HEX)}"',
    "assemblyai-api-key": f"ASSEMBLYAI_API_KEY: {token(32, HEX)}",
    "ai21-api-key": f"AI21_API_KEY={token(32)}",
    "comet-api-key": f"COMET_API_KEY={token(25)}",
    "aws-secret-access-key": f'"aws_secret_access_key": "{token(40)}"',
    "authorization-header": f"Authorization: Bearer {token(40)}",
    "named-secret": f'db_password = "{token(10)}7{token(9)}"',
}
NAMED = [
    f"API_KEY={token(32)}",
    f"export SERVICE_TOKEN={token(40, HEX)}",
    f"  client_secret: {token(24)}",
    f'os.environ["SERVICE_API_KEY"] = "{token(32)}"',
    f'{{"privateKey": "{token(40)}"}}',
    "password = 'Tr0ub4dor&3xyz'",
    f'{{\\"api_key\\": \\"{token(32)}\\"}}',
    f'cfg.access_key := "{token(32)}"',
]
BENIGN = [
    'pin_token = "7301942856104"',
    'service_token = "qWxZvBnMkLpOiUyT"',
    "API_KEY=your-api-key-here-123",
    'token = "xxxxxxxxxxxxxxxx1111"',
    'password = os.environ["DB_PASSWORD_1"]',
    'password: "{{ vault_password_2024 }}"',
    "token = tokenizer.decode(output_ids[0])",
    'tokenizer_name = "bert-base-uncased-v1-2024"',
    'secret_name = "projects/12/secrets/db/versions/3"',
    'secret_file = "/run/secrets/db-password-2"',
    f'token_hash = "{token(64, HEX)}"',
    f"sha256 = {token(64, HEX)}",
    f"commit: {token(40, HEX)}",
    "max_tokens = 1234567890123",
    "The password is checked by the function check_password_1().",
    'api_key_url = "https://example.org/keys/4711"',
    'password = "correct-horse-battery-staple"',
    "TAVILY_API_KEY=tvly-YOUR_API_KEY_PLACEHOLDER",
    "sk-lf-1234 is the shape of a key",
    f"call secret({token(20)}) and go on with the text",
]


def rules(text, **options):
    return {hit.rule for hit in find_secrets(text.encode(), **options)}


FRAMES = ["{}", "key = '{}'\n", "see {} there", '{{"a": 1, "b": "{}"}}', "\n\n{}\n"]
#: These bring a name, and some of them quotes, of their own.
WHOLE = {"named-secret", "aws-secret-access-key", "togetherai-api-key"}


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (rule, frame.format(key))
        for rule, key in KEYS.items()
        for frame in (FRAMES[-1:] if rule in WHOLE else FRAMES)
    ],
)
def test_each_shape_is_found(rule, text):
    hits = [h for h in find_secrets(text.encode()) if h.rule == rule]
    assert hits
    value = text.encode()[hits[0].start : hits[0].end].decode()
    assert value in KEYS[rule]
    assert len(value) >= 12


def test_each_pattern_has_a_sample():
    assert {p.rule for p in _PATTERNS} | {"named-secret"} == set(KEYS)


@pytest.mark.parametrize("text", NAMED)
def test_random_values_with_a_telling_name_are_found(text):
    assert "named-secret" in rules(text)
    assert "named-secret" not in rules(text, named=False)


@pytest.mark.parametrize("text", BENIGN)
def test_what_only_looks_like_a_secret_passes(text):
    assert rules(text) == set()


def test_offsets_are_bytes():
    text = "ключ: " + KEYS["xai-api-key"]
    (hit,) = find_secrets(text.encode())
    assert text.encode()[hit.start : hit.end].decode() == KEYS["xai-api-key"]


@pytest.mark.parametrize(
    ("value", "placeholder"),
    [(b"your-key", True), (b"aaaaaaaaaaaaaaaa", True), (b"sk-example-1", True), (b"q8ZtB3nLw0Xy", False)],
)
def test_placeholders(value, placeholder):
    assert is_placeholder(value) is placeholder


def test_entropy_is_bits_per_byte():
    assert entropy(b"") == 0
    assert entropy(b"aaaa") == 0
    assert entropy(bytes(range(256))) == 8


@pytest.mark.parametrize(
    "blob",
    [
        b"token" * 100_000,
        b"secret=" * 60_000,
        b"password=" + b"a1" * 200_000,
        (b"AccountKey=" + b"A" * 80) * 4_000,
        b"AZURE_OPENAI_" * 30_000,
        b"sk_" + b"a" * 400_000,
        b"Authorization: Bearer " + b"a" * 400_000,
    ],
)
def test_hostile_texts_do_not_backtrack(blob):
    # Each pattern does bounded work per character: these take well under a second, not minutes.
    assert list(find_secrets(blob)) == []


@given(st.binary(max_size=2000))
def test_any_bytes_are_read(data):
    for hit in find_secrets(data):
        assert 0 <= hit.start < hit.end <= len(data)


words = st.sampled_from(
    [b"token", b"=", b"'", b'"', b"sk-lf-", b"Bearer ", b"Authorization:", b"AKIA", b"\n", b"api_key", b":"]
)


@given(st.lists(st.one_of(words, st.binary(max_size=30)), max_size=40))
def test_mixtures_are_read(parts):
    data = b"".join(parts)
    for hit in find_secrets(data):
        assert data[hit.start : hit.end]
