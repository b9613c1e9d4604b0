"""Hostile identity tokens, each with the code that must refuse it, and look-alikes that must pass."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives import serialization

from tests.tokens import AUDIENCE, SHA, UID, WORKFLOW, Maker, b64, hs, jwk, key, parts, pem, sealed, signature

if TYPE_CHECKING:
    from collections.abc import Iterator

#: A Cyrillic letter that looks like the Latin one.
TWINS = {"a": "\u0430", "e": "\u0435", "i": "\u0456", "o": "\u043e"}


@dataclass(frozen=True)
class Case:
    name: str
    code: str
    token: bytes


def twin(word: str) -> str:
    """The same word to the eye."""
    letter = next(one for one in TWINS if one in word)
    return word.replace(letter, TWINS[letter], 1)


def hostile(maker: Maker, now: int) -> Iterator[Case]:
    """Tokens of one issuer that must issue nothing."""
    for family in (
        _form,
        _header,
        _algorithm,
        _kid,
        _signature,
        _json,
        _claims,
        _issuer,
        _audience,
        _times,
        _rules,
    ):
        for name, code, token in family(maker, now):
            yield Case(f"{maker.kind}: {family.__name__.strip('_')}: {name}", code, token)


Found = "Iterator[tuple[str, str, bytes]]"


def _form(maker: Maker, now: int) -> Found:
    whole = maker.token(now).decode()
    head, body, mark = whole.split(".")
    bad = {
        "nothing": "",
        "one dot": ".",
        "two dots": "..",
        "one part": head,
        "two parts": f"{head}.{body}",
        "no signature": f"{head}.{body}.",
        "no header": f".{body}.{mark}",
        "no claims": f"{head}..{mark}",
        "four parts": f"{whole}.{mark}",
        "five parts": f"{head}.{body}.{mark}.{body}.{mark}",
        "padded header": f"{head}=.{body}.{mark}",
        "padded signature": f"{whole}==",
        "plain base64": f"{head}.{body}+/.{mark}",
        "blank inside": f"{head}. {body}.{mark}",
        "blank before": f" {whole}",
        "blank after": f"{whole} ",
        "line inside": f"{head}.{body[:9]}\n{body[9:]}.{mark}",
        "two lines after": f"{whole}\n\n",
        "bearer": f"Bearer {whole}",
        "quoted": f'"{whole}"',
        "not ASCII": f"{head}.{body}.{mark}\u0430",
        "NUL": f"{whole}\0",
        "one letter too many": f"{head}.{body}.{mark}" + "A" * ((1 - len(mark)) % 4),
        "JSON form": json.dumps({"protected": head, "payload": body, "signature": mark}),
        "two tokens": f"{whole}\n{whole}",
        "huge": f"{head}.{b64(b'x' * 20_000)}.{mark}",
    }
    for name, text in bad.items():
        yield name, "LF4631", text.encode()
    yield "huge header", "LF4631", sealed(maker.signer, maker.header(x5t="A" * 2000), maker.good(now))
    for place, name in enumerate(("header", "claims", "signature")):
        found = whole.split(".")
        spare = len(found[place]) % 4
        if spare:
            # The bits that an encoder leaves at zero are set: another text, the same bytes.
            alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
            last = alphabet[alphabet.index(found[place][-1]) | 1]
            if last != found[place][-1]:
                found[place] = found[place][:-1] + last
                yield f"loose bits in the {name}", "LF4631", ".".join(found).encode()


def _header(maker: Maker, now: int) -> Found:
    own = jwk("ES256+thief", "k1")
    extra: dict[str, Any] = {
        "jwk": own,
        "jku": "https://evil.example/jwks.json",
        "x5u": "https://evil.example/chain.pem",
        "x5c": ["MIIB"],
        "crit": ["exp"],
        "zip": "DEF",
        "enc": "A256GCM",
        "epk": own,
        "cty": "JWT",
        "b64": "false",
        "url": "https://evil.example",
        "nonce": "1",
        "ALG": "RS256",
        "": "",
    }
    for name, value in extra.items():
        yield (
            name or "no name",
            "LF4632",
            sealed(maker.signer, maker.header(**{name: value}), maker.good(now)),
        )
    header = maker.header(jwk=own, alg="ES256")
    yield "jwk that signed", "LF4632", sealed("ES256+thief", header, maker.good(now))
    for value in ("JWE", "", "jwt;x", 1, None, True):
        yield f"typ {value!r}", "LF4632", sealed(maker.signer, maker.header(typ=value), maker.good(now))


def _algorithm(maker: Maker, now: int) -> Found:
    claims = maker.good(now)
    for word in (
        "none",
        "None",
        "NONE",
        "nOnE",
        "",
        "RS1",
        "ES256K",
        "dir",
        "RSA-OAEP",
        "ps256",
        "RS256 ",
        "EdDSA\0",
    ):
        header = maker.header(alg=word)
        yield f"{word!r}", "LF4634", sealed(maker.signer, header, claims, maker.algorithm)
        yield f"{word!r}, junk for a signature", "LF4634", f"{parts(header, claims)}.AA".encode()
    raw = (
        key(maker.signer)
        .public_key()
        .public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    text = pem(maker.signer)
    secrets = {
        "PEM": text,
        "PEM without its last line end": text.rstrip(),
        "DER": raw,
        "JWK": json.dumps(jwk(maker.signer, "k1")).encode(),
        "nothing": b"",
    }
    for word in ("HS256", "HS384", "HS512"):
        for name, secret in secrets.items():
            yield (
                f"{word} under the public key's {name}",
                "LF4634",
                hs(maker.header(alg=word), claims, secret),
            )
    headless = {name: value for name, value in maker.header().items() if name != "alg"}
    yield "missing", "LF4634", sealed(maker.signer, headless, claims, maker.algorithm)
    yield "null", "LF4632", sealed(maker.signer, maker.header(alg=None), claims, maker.algorithm)
    yield "number", "LF4632", sealed(maker.signer, maker.header(alg=256), claims, maker.algorithm)
    yield "list", "LF4632", sealed(maker.signer, maker.header(alg=["RS256"]), claims, maker.algorithm)
    family = {"rsa": ("RS", "PS")}.get(maker.signer[:3], (maker.algorithm,))
    for word, other in {
        "RS256": "rsa+thief",
        "RS512": "rsa+thief",
        "PS256": "rsa+thief",
        "ES256": "ES256+thief",
        "ES384": "ES384+thief",
        "ES512": "ES512+thief",
        "EdDSA": "EdDSA+thief",
    }.items():
        # Under a key of its own type: only the pin says that it is not the issuer's.
        code = "LF4637" if word.startswith(family) else "LF4635"
        yield f"{word} under a key of somebody else", code, sealed(other, maker.header(alg=word), claims)


def _kid(maker: Maker, now: int) -> Found:
    claims = maker.good(now)
    headless = {name: value for name, value in maker.header().items() if name != "kid"}
    yield "missing", "LF4636", sealed(maker.signer, headless, claims)
    for word in (
        "",
        "k3",
        "K1",
        "k1 ",
        " k1",
        "k",
        "k1\0",
        "../k1",
        "k1,k2",
        "k\u0661",
        "' OR 1=1 --",
        "*",
        "x" * 200,
    ):
        yield f"{word[:20]!r}", "LF4636", sealed(maker.signer, maker.header(kid=word), claims)
    yield "null", "LF4632", sealed(maker.signer, maker.header(kid=None), claims)
    yield "number", "LF4632", sealed(maker.signer, maker.header(kid=1), claims)
    yield "list", "LF4632", sealed(maker.signer, maker.header(kid=["k1", "k2"]), claims)
    twice = f'{{"alg":"{maker.algorithm}","kid":"k1","kid":"k2"}}'.encode()
    yield "two of them", "LF4633", sealed(maker.second, twice, claims, maker.algorithm)
    yield "the other key's", "LF4637", sealed(maker.signer, maker.header(kid="k2"), claims)
    yield "the other key's signature", "LF4637", sealed(maker.second, maker.header(), claims)


def _signature(maker: Maker, now: int) -> Found:
    whole = maker.token(now)
    head, body, mark = whole.decode().split(".")
    signed = f"{head}.{body}"
    raw = signature(maker.signer, maker.algorithm, signed.encode())
    bad = {
        "first bit": bytes([raw[0] ^ 1]) + raw[1:],
        "last bit": raw[:-1] + bytes([raw[-1] ^ 1]),
        "cut": raw[:-1],
        "half": raw[: len(raw) // 2],
        "longer": raw + b"\0",
        "zero before": b"\0" + raw,
        "zeros": bytes(len(raw)),
        "ones": b"\xff" * len(raw),
        "one byte": b"\0",
        "twice": raw * 2,
        "reversed": raw[::-1],
        "of the claims alone": signature(maker.signer, maker.algorithm, body.encode()),
        "of nothing": signature(maker.signer, maker.algorithm, b""),
        "of another token": signature(
            maker.signer, maker.algorithm, parts(maker.header(), maker.good(now)).encode()
        ),
        "of a stranger": signature(f"{maker.signer}+thief", maker.algorithm, signed.encode()),
    }
    if maker.algorithm.startswith("ES"):
        from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

        half = len(raw) // 2
        r, s = (int.from_bytes(one, "big") for one in (raw[:half], raw[half:]))
        bad["DER"] = encode_dss_signature(r, s)
        bad["r is zero"] = bytes(half) + raw[half:]
        bad["s is zero"] = raw[:half] + bytes(half)
    for name, data in bad.items():
        yield name, "LF4637", f"{signed}.{b64(data)}".encode()
    other = b64(json.dumps(maker.good(now, sub="admin")).encode())
    yield "claims changed", "LF4637", f"{head}.{other}.{mark}".encode()
    yield (
        "header changed",
        "LF4637",
        f"{b64(json.dumps(maker.header(x5t='A')).encode())}.{body}.{mark}".encode(),
    )
    same = b64(json.dumps(json.loads(_plain(body)), separators=(",", ":")).encode())
    yield "claims spelt in another way", "LF4637", f"{head}.{same}.{mark}".encode()


def _plain(part: str) -> bytes:
    import base64

    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _json(maker: Maker, now: int) -> Found:
    claims = maker.good(now)
    text = json.dumps(claims)
    inner = text[1:-1]
    deep = "[" * 40 + "]" * 40
    bad: dict[str, bytes] = {
        "issuer twice": f'{{"iss":"https://evil.example",{inner}}}'.encode(),
        "audience twice": f'{{{inner},"aud":"{AUDIENCE}"}}'.encode(),
        "subject twice": f'{{{inner},"sub":"admin"}}'.encode(),
        "expiry twice": f'{{{inner},"exp":{now + 3000}}}'.encode(),
        "subject twice, once escaped": f'{{{inner},"s\\u0075b":"admin"}}'.encode(),
        "twice inside": f'{{{inner},"x":{{"a":1,"a":2}}}}'.encode(),
        "NaN": f'{{{inner},"x":NaN}}'.encode(),
        "Infinity": f'{{{inner},"x":-Infinity}}'.encode(),
        "too large a number": f'{{{inner},"x":1e999}}'.encode(),
        "too large an integer": f'{{{inner},"x":9007199254740993}}'.encode(),
        "many digits": f'{{{inner},"x":{"9" * 5000}}}'.encode(),
        "nested arrays": f'{{{inner},"x":{deep}}}'.encode(),
        "very nested arrays": f'{{{inner},"x":{"[" * 4000 + "]" * 4000}}}'.encode(),
        "many values": f'{{{inner},"x":[{"1," * 500}1]}}'.encode(),
        "a list": f"[{text}]".encode(),
        "a text": json.dumps(text).encode(),
        "null": b"null",
        "a number": b"1",
        "an open object": text[:-1].encode(),
        "a comma too many": f"{{{inner},}}".encode(),
        "something after it": f"{text}x".encode(),
        "another object after it": f"{text}{{}}".encode(),
        "byte order mark": b"\xef\xbb\xbf" + text.encode(),
        "UTF-16": text.encode("utf-16"),
        "not UTF-8": f'{{{inner},"x":"'.encode() + b'\xff"}',
        "overlong": f'{{{inner},"x":"'.encode() + b'\xc0\xaf"}',
        "a lone surrogate": f'{{{inner},"x":"\\ud800"}}'.encode(),
        "a comment": f"{{{inner}/* */}}".encode(),
        "single quotes": text.replace('"', "'").encode(),
        "a raw line end in a text": f'{{{inner},"x":"a\nb"}}'.encode(),
        "a number with a zero before": f'{{{inner},"x":01}}'.encode(),
    }
    for name, body in bad.items():
        yield name, "LF4633", sealed(maker.signer, maker.header(), body)
    head = json.dumps(maker.header())[1:-1]
    for name, header in {
        "algorithm twice": f'{{"alg":"none",{head}}}',
        "algorithm twice, once escaped": f'{{{head},"\\u0061lg":"none"}}',
        "header is a list": f"[{{{head}}}]",
        "header is open": f"{{{head}",
    }.items():
        yield name, "LF4633", sealed(maker.signer, header.encode(), claims, maker.algorithm)


def _claims(maker: Maker, now: int) -> Found:
    bad: list[tuple[str, Any]] = [
        ("sub", None),
        ("sub", ""),
        ("sub", 1),
        ("sub", True),
        ("sub", ["a"]),
        ("sub", {"a": "b"}),
        ("sub", "x" * 600),
        ("iss", None),
        ("iss", ""),
        ("iss", 1),
        ("iss", [maker.url]),
        ("jti", ""),
        ("jti", 1),
        ("jti", ["a"]),
        ("jti", "x" * 600),
    ]
    for name in ("exp", "iat"):
        values: list[Any] = [None, str(now), float(now), now + 0.5, True, -1, [now], {"t": now}, ""]
        bad += [(name, value) for value in values]
    bad += [("nbf", value) for value in (str(now), float(now), False, -5, [now])]
    if maker.with_id and maker.kind != "oidc":
        bad.append(("jti", None))
    for name, value in bad:
        yield f"{name} = {str(value)[:20]!r}", "LF4638", maker.token(now, **{name: value})


def _issuer(maker: Maker, now: int) -> Found:
    url = maker.url
    for word in (
        url + "/",
        url.replace("https:", "http:"),
        url.upper(),
        url + "?x=1",
        url + "#x",
        url[:-1],
        " " + url,
        url + " ",
        url + "\0",
        twin(url),
        url.replace("https://", "https://evil@"),
        url + ".evil.example",
        url + ":443",
        "https://evil.example/" + url,
        "null",
        AUDIENCE,
        "https://accounts.example",
    ):
        yield repr(word)[:60], "LF4639", maker.token(now, iss=word)


def _audience(maker: Maker, now: int) -> Found:
    values: list[Any] = [
        None,
        "",
        0,
        True,
        {},
        [],
        [[AUDIENCE]],
        {"aud": AUDIENCE},
        [AUDIENCE, AUDIENCE],
        [AUDIENCE, "sigstore"],
        ["sigstore", AUDIENCE],
        [AUDIENCE, ""],
        ["sigstore"],
        [1],
        "sigstore",
        AUDIENCE + "/",
        AUDIENCE[:-1],
        AUDIENCE.upper(),
        " " + AUDIENCE,
        AUDIENCE + "\n",
        AUDIENCE + "\0",
        f"{AUDIENCE} sigstore",
        f"{AUDIENCE},sigstore",
        twin(AUDIENCE),
        AUDIENCE.replace("https", "http"),
        "*",
        maker.url,
    ]
    for value in values:
        yield repr(value)[:60], "LF4640", maker.token(now, aud=value)


def _times(maker: Maker, now: int) -> Found:
    for ago in (61, 90, 600, 3600, 86_400 * 365):
        yield f"ended {ago} s ago", "LF4641", maker.token(now, iat=now - ago - 60, nbf=None, exp=now - ago)
    yield "ended in 1970", "LF4641", maker.token(now, iat=0, nbf=0, exp=1)
    yield "expiry is zero", "LF4641", maker.token(now, exp=0)
    for ahead in (120, 600, 3600, 86_400 * 365):
        yield (
            f"begins in {ahead} s",
            "LF4642",
            maker.token(now, iat=now + ahead, nbf=None, exp=now + ahead + 60),
        )
        yield f"not before {ahead} s", "LF4642", maker.token(now, nbf=now + ahead, exp=now + 300)
    for life in (3601, 3660, 7200, 86_400, 86_400 * 365 * 10):
        yield f"lives {life} s", "LF4643", maker.token(now, exp=now - 5 + life)
    yield "issued after it ends", "LF4643", maker.token(now, iat=now + 40, nbf=None, exp=now + 30)
    yield "issued when it ends", "LF4643", maker.token(now, iat=now + 30, nbf=None, exp=now + 30)
    yield "issued long ago, ends soon", "LF4643", maker.token(now, iat=now - 7200, nbf=None, exp=now + 60)


def _rules(maker: Maker, now: int) -> Found:
    yield from {
        "github": _github,
        "gitlab": _gitlab,
        "kubernetes": _kubernetes,
        "spiffe": _spiffe,
        "oidc": _oidc,
    }[maker.kind](maker, now)


def _values(maker: Maker, now: int, name: str, values: list[Any], code: str = "LF4644") -> Found:
    for value in values:
        yield f"{name} = {str(value)[:50]!r}", code, maker.token(now, **{name: value})


def _numbers(word: str) -> list[Any]:
    twins = "".join(chr(0x0660 + int(digit)) for digit in word)
    return [
        None,
        int(word),
        f"0{word}",
        f" {word}",
        f"{word} ",
        f"{word}0",
        f"+{word}",
        f"{word}.0",
        f"{word}\n",
        twins,
        [word],
        {"id": word},
        "",
        True,
        str(int(word) + 1),
    ]


def _github(maker: Maker, now: int) -> Found:
    yield from _values(maker, now, "repository_id", _numbers("74"))
    yield from _values(maker, now, "repository_owner_id", _numbers("1001"))
    renamed = maker.token(now, repository_id="9999", repository="acme/five")
    yield "another repository that took the name", "LF4644", renamed
    yield "the owner's name taken by somebody else", "LF4644", maker.token(now, repository_owner_id="6666")
    yield "both ids swapped", "LF4644", maker.token(now, repository_id="1001", repository_owner_id="74")
    path, _, _ = WORKFLOW.partition("@")
    yield from _values(
        maker,
        now,
        "job_workflow_ref",
        [
            None,
            "",
            path,
            f"{path}@",
            f"{path}@main",
            f"{path}@refs/heads/main2",
            f"{path}@refs/heads/Main",
            f"{path}@refs/heads/main/",
            f"{path}@refs/heads/feature",
            f"{path}@refs/tags/main",
            f"{path}@{SHA}",
            WORKFLOW.upper(),
            WORKFLOW + "\0",
            WORKFLOW + "\n",
            WORKFLOW + "@refs/heads/main",
            WORKFLOW.replace("release.yml", "test.yml"),
            WORKFLOW.replace("acme/five", "acme/six"),
            WORKFLOW.replace("acme/", "evil/"),
            WORKFLOW.replace(".github", "./.github"),
            WORKFLOW.replace("workflows/", "workflows//"),
            twin(WORKFLOW),
            [WORKFLOW],
            {"ref": WORKFLOW},
            True,
        ],
    )
    events = [
        "pull_request",
        "pull_request_target",
        "pull_request_review",
        "pull_request_review_comment",
        None,
        "",
    ]
    yield from _values(maker, now, "event_name", [*events, 1, ["push"]], "LF4646")
    yield from _values(maker, now, "ref", ["refs/pull/1/merge", "refs/pull/1/head"], "LF4646")
    yield from _values(maker, now, "workflow_ref", [f"{path}@refs/pull/1/merge"], "LF4646")
    yield from _values(maker, now, "job_workflow_ref", [f"{path}@refs/pull/1/merge"], "LF4646")
    yield from _values(maker, now, "head_ref", ["feature"], "LF4646")
    yield from _values(maker, now, "base_ref", ["main"], "LF4646")


def _gitlab(maker: Maker, now: int) -> Found:
    yield from _values(maker, now, "project_id", _numbers("22"))
    yield from _values(maker, now, "namespace_id", _numbers("72"))
    yield "another project that took the name", "LF4644", maker.token(now, project_id="23")
    yield from _values(
        maker,
        now,
        "ref_protected",
        [None, "false", "True", "TRUE", True, 1, "1", "yes", " true", ["true"], ""],
    )
    wanted = maker.rule["ci_config_ref_uri"]
    yield from _values(
        maker,
        now,
        "ci_config_ref_uri",
        [
            None,
            "",
            wanted.replace("main", "feature"),
            wanted.replace("heads", "tags"),
            wanted.replace("//", "/"),
            wanted.replace("five", "six"),
            wanted + "\n",
            wanted.upper(),
            twin(wanted),
            f"https://{wanted}",
            [wanted],
        ],
    )
    sources = ["merge_request_event", "external_pull_request_event"]
    yield from _values(maker, now, "pipeline_source", sources, "LF4646")
    yield from _values(
        maker, now, "ref_path", ["refs/merge-requests/1/head", "refs/merge-requests/1/merge"], "LF4646"
    )
    merge = wanted.replace("refs/heads/main", "refs/merge-requests/1/head")
    yield from _values(maker, now, "ci_config_ref_uri", [merge], "LF4646")


def _kubernetes(maker: Maker, now: int) -> Found:
    def inside(**more: Any) -> dict[str, Any]:
        return {**maker.claims["kubernetes.io"], **more}

    account = {"name": "signer", "uid": UID}
    bad: list[Any] = [
        None,
        {},
        [],
        "build",
        [inside()],
        inside(namespace="default"),
        inside(namespace="Build"),
        inside(namespace="build "),
        inside(namespace=["build"]),
        inside(namespace=twin("build")),
        inside(namespace=None),
        inside(serviceaccount=None),
        inside(serviceaccount="signer"),
        inside(serviceaccount=[account]),
        inside(serviceaccount={"name": "signer"}),
        inside(serviceaccount={**account, "uid": UID.upper()}),
        inside(serviceaccount={**account, "uid": UID[:-1] + "e"}),
        inside(serviceaccount={**account, "uid": f"{{{UID}}}"}),
        inside(serviceaccount={**account, "uid": UID.replace("-", "")}),
        inside(serviceaccount={**account, "uid": [UID]}),
        inside(serviceaccount={**account, "uid": {"uid": UID}}),
        {"namespace": "build", "serviceaccount/uid": UID},
        {"namespace": "build", "uid": UID},
        {"kubernetes.io": inside()},
    ]
    yield from _values(maker, now, "kubernetes.io", bad)
    flat = {"kubernetes.io/namespace": "build", "kubernetes.io/serviceaccount/uid": UID}
    yield "claims that only look nested", "LF4644", maker.token(now, **{"kubernetes.io": None}, **flat)
    legacy = {
        "kubernetes.io/serviceaccount/namespace": "build",
        "kubernetes.io/serviceaccount/service-account.uid": UID,
    }
    yield "a legacy token", "LF4644", maker.token(now, **{"kubernetes.io": None}, **legacy)
    again = inside(serviceaccount={**account, "uid": "00000000-0000-4000-8000-000000000000"})
    yield (
        "an account that was made again under its name",
        "LF4644",
        maker.token(now, **{"kubernetes.io": again}),
    )


def _spiffe(maker: Maker, now: int) -> Found:
    name = maker.claims["sub"]
    yield from _values(
        maker,
        now,
        "sub",
        [
            name + "/",
            name + "/x",
            name[:-1],
            name.replace("acme", "evil"),
            name.replace("acme.example", "acme.example.evil"),
            name.replace("spiffe:", "https:"),
            name.upper(),
            name.replace("spiffe://", "SPIFFE://"),
            name.replace("//acme", "//user@acme"),
            name.replace("/ns", "//ns"),
            name.replace("signer", "../sa/signer"),
            name.replace("signer", "%73igner"),
            name + "?x",
            name + "#x",
            name + "\0",
            twin(name),
            "spiffe://acme.example",
            "*",
        ],
    )


def _oidc(maker: Maker, now: int) -> Found:
    yield from _values(
        maker, now, "azp", [None, "", "other", 1, ["signer"], "Signer", "signer ", twin("signer")]
    )
    yield from _values(
        maker, now, "sub", ["admin", maker.claims["sub"].upper(), twin(maker.claims["sub"]), "*"]
    )


def friendly(maker: Maker, now: int) -> Iterator[tuple[str, bytes]]:
    """Tokens of one issuer that look odd and are right."""
    yield "plain", maker.token(now)
    yield "audience in a list", maker.token(now, aud=[AUDIENCE])
    yield "no nbf", maker.token(now, nbf=None)
    yield "nbf long ago", maker.token(now, nbf=now - 600)
    yield "a clock that is ahead", maker.token(now, iat=now + 30, nbf=now + 30)
    yield "a clock that is behind", maker.token(now, iat=now - 300, nbf=None, exp=now - 20)
    yield "an hour", maker.token(now, iat=now - 5, exp=now + 3595)
    yield "a line end after it", maker.token(now) + b"\n"
    yield "a line end of Windows after it", maker.token(now) + b"\r\n"
    yield "typ JOSE", maker.token(now, head={"typ": "JOSE"})
    yield "the thumbprint of a certificate", maker.token(now, head={"x5t": b64(b"x" * 20)})
    untyped = {name: value for name, value in maker.header().items() if name != "typ"}
    yield "no typ", sealed(maker.signer, untyped, maker.good(now))
    yield "the second key", sealed(maker.second, maker.header(kid="k2"), maker.good(now))
    yield "claims nobody asked for", maker.token(now, x=[1, 2.5, None, {"y": "\u0430"}], scope="openid")
    spaced = json.dumps(maker.good(now), indent=2, sort_keys=True).encode()
    yield "claims with blanks", sealed(maker.signer, maker.header(), spaced)
    spelt = json.dumps(maker.good(now)).replace(
        maker.claims["sub"], "".join(f"\\u{ord(c):04x}" for c in maker.claims["sub"])
    )
    yield "claims spelt in escapes", sealed(maker.signer, maker.header(), spelt.encode())
    if maker.kind == "github":
        for event in ("workflow_dispatch", "schedule", "release", "merge_group"):
            yield f"event {event}", maker.token(now, event_name=event)
        yield (
            "a branch that is called like a pull request",
            maker.token(now, ref="refs/heads/refs/pull/1/merge"),
        )
        yield "renamed, same id", maker.token(now, repository="acme/six")
        yield (
            "called from another workflow",
            maker.token(now, workflow_ref=WORKFLOW.replace("release", "nightly")),
        )
    if maker.kind == "gitlab":
        yield "web", maker.token(now, pipeline_source="web")
        yield "renamed, same id", maker.token(now, project_path="acme/six")
    if maker.kind == "kubernetes":
        yield "with an id", maker.token(now, jti="a-jti")
        yield (
            "an account of another name, same uid",
            maker.token(now, sub="system:serviceaccount:build:other"),
        )
    if maker.signer.startswith("rsa"):
        for algorithm in ("RS384", "RS512", "PS256"):
            yield algorithm, sealed(maker.signer, maker.header(alg=algorithm), maker.good(now))
