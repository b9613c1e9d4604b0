"""Trusted issuers of identity tokens: what a realm pins of them, and which token speaks for which machine. Pure.

A rule gives exact values of claims that nobody but the issuer can choose, and names a machine of the realm. Names of
repositories and projects can be given to somebody else later, so each kind of issuer has numbers that a rule must hold.
"""

from __future__ import annotations

import hashlib
import re
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from lockflight.core.attest import statement as st
from lockflight.core.canonical import dumps
from lockflight.core.records import dataclass
from lockflight.core.shape import array, hex64, natural, obj, text
from lockflight.core.verify.crypto.jwks import Jwk, parse_keys
from lockflight.core.verify.crypto.jwt import MAX_LIFE_S, MIN_LIFE_S

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lockflight.core.canonical import JsonObject, JsonValue

MAX_RULES = 100
MAX_CLAIMS = 20
MAX_VALUE = 512
_MAX_URL = 256
_PRINCIPAL = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
_AUDIENCE = re.compile(r"[!-~]{1,256}", re.ASCII)
_URL = re.compile(
    r"(https://[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::[0-9]{1,5})?)(?:/[A-Za-z0-9._~-]+)*/?", re.ASCII
)
_NUMBER = re.compile(r"[1-9][0-9]{0,19}", re.ASCII)
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
_SPIFFE = re.compile(r"spiffe://[a-z0-9._-]{1,255}(?:/[A-Za-z0-9._-]+)+", re.ASCII)
#: A workflow in a repository at a branch or a commit; a tag can be moved without a trace.
_WORKFLOW = re.compile(
    r"[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+/[!-?A-~]+@(?:refs/heads/[!-~]+|[0-9a-f]{40}|[0-9a-f]{64})", re.ASCII
)
_PIPELINE = re.compile(r"[!-~]+//[!-~]+@(?:refs/heads/[!-~]+|[0-9a-f]{40}|[0-9a-f]{64})", re.ASCII)
_TRUE = re.compile("true")
_WORD = re.compile(r"[ -~]+", re.ASCII)
#: GitHub's own service, whose tokens name repositories of another host than the issuer's.
_GITHUB = "https://token.actions.githubusercontent.com"


class IssuerKind(StrEnum):
    """Who makes the tokens: which claims a rule must hold, and what is never accepted."""

    GITHUB = "github"
    GITLAB = "gitlab"
    KUBERNETES = "kubernetes"
    SPIFFE = "spiffe"
    OIDC = "oidc"


NAMESPACE: Final = "kubernetes.io/namespace"
ACCOUNT_UID: Final = "kubernetes.io/serviceaccount/uid"

#: Claims that a rule of a kind must name, and the form of their values.
DEMANDED: Final[dict[IssuerKind, dict[str, re.Pattern[str]]]] = {
    IssuerKind.GITHUB: {
        "repository_id": _NUMBER,
        "repository_owner_id": _NUMBER,
        "job_workflow_ref": _WORKFLOW,
    },
    IssuerKind.GITLAB: {
        "project_id": _NUMBER,
        "namespace_id": _NUMBER,
        "ref_protected": _TRUE,
        "ci_config_ref_uri": _PIPELINE,
    },
    IssuerKind.KUBERNETES: {NAMESPACE: _LABEL, ACCOUNT_UID: _UUID},
    IssuerKind.SPIFFE: {"sub": _SPIFFE},
    IssuerKind.OIDC: {"sub": _WORD},
}
#: What stands in every token, and is checked before any rule.
_NEVER_RULED: Final = frozenset({"iss", "aud", "exp", "iat", "nbf", "jti"})
#: Kinds whose tokens have an id of their own.
WITH_ID: Final = frozenset({IssuerKind.GITHUB, IssuerKind.GITLAB})


@dataclass(frozen=True, slots=True)
class Rule:
    """Which tokens speak for a machine.

    Attributes:
        principal: pseudonym of the machine.
        claims: (name, exact value), by name; parts of Kubernetes' own claim are named with a slash.
    """

    principal: str
    claims: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class TrustedIssuer:
    """What an `issuer/v1` statement says: tokens of this issuer count from now on, so and not otherwise.

    Attributes:
        url: the `iss` of its tokens, exactly.
        kind: who it is.
        audience: the `aud` of its tokens, exactly.
        life_s: longest life of a token, seconds.
        keys: the pinned keys; tokens are verified without a network.
        rules: whom its tokens speak for.
        removed: none of its tokens counts any more; everything but `url` is empty.
        prev: envelope digest of the last effective statement about this issuer; empty for the first.
        realm: root digest.
    """

    url: str
    kind: IssuerKind | None
    audience: str
    life_s: int
    keys: tuple[Jwk, ...]
    rules: tuple[Rule, ...]
    removed: bool
    prev: str
    realm: str

    @property
    def sha256(self) -> str:
        """What the statement is about: the SHA-256 of the issuer's canonical name."""
        return hashlib.sha256(dumps(["lockflight-issuer/v1", self.url])).hexdigest()

    def statement(self) -> st.Statement:
        """The statement to sign with the person's key."""
        predicate: JsonObject = {
            "action": "remove" if self.removed else "trust",
            "kind": self.kind.value if self.kind is not None else "",
            "audience": self.audience,
            "lifeSeconds": self.life_s,
            "keys": [key.to_json() for key in self.keys],
            "rules": [{"principal": rule.principal, "claims": dict(rule.claims)} for rule in self.rules],
            "prev": self.prev,
            "realm": self.realm,
        }
        return st.Statement(st.ISSUER, (st.SubjectRef(self.url, self.sha256),), predicate)


def parse_issuer(statement: st.Statement) -> TrustedIssuer:
    """Read an `issuer/v1` statement.

    Raises:
        KeyError, TypeError, ValueError: another shape, a key that must not be pinned, or a rule that is too wide.
    """
    raw = statement.predicate
    removed = text(raw["action"]) == "remove"
    issuer = TrustedIssuer(
        url=check_url(statement.subjects[0].name),
        kind=None if removed else IssuerKind(text(raw["kind"])),
        audience=text(raw["audience"]),
        life_s=natural(raw["lifeSeconds"]),
        keys=() if removed else parse_keys(raw["keys"]),
        rules=tuple(_rule(obj(one)) for one in array(raw["rules"])),
        removed=removed,
        prev=text(raw["prev"]),
        realm=hex64(raw["realm"]),
    )
    if issuer.statement() != statement:
        raise ValueError("unknown fields")
    if not removed:
        check_issuer(issuer)
    return issuer


def _rule(raw: JsonObject) -> Rule:
    claims = {name: text(value) for name, value in obj(raw["claims"]).items()}
    return Rule(text(raw["principal"]), tuple(sorted(claims.items())))


def check_url(url: str) -> str:
    """The name of an issuer: an https address that means one thing.

    Raises:
        ValueError: it is none.
    """
    if len(url) > _MAX_URL or not _URL.fullmatch(url):
        raise ValueError(
            f"{url[:80]!r} is no address of an issuer: https://HOST/PATH, the host in lower case"
        )
    return url


def check_issuer(issuer: TrustedIssuer) -> None:
    """See that an issuer is pinned tightly enough.

    Raises:
        ValueError: audience, life, or a rule that more than one workload could meet.
    """
    if not _AUDIENCE.fullmatch(issuer.audience):
        raise ValueError("the audience is not 1 to 256 printable ASCII characters without spaces")
    if not MIN_LIFE_S <= issuer.life_s <= MAX_LIFE_S:
        raise ValueError(f"a token may live between {MIN_LIFE_S} and {MAX_LIFE_S} seconds")
    if not 0 < len(issuer.rules) <= MAX_RULES:
        raise ValueError(f"there are {len(issuer.rules)} rules; 1 to {MAX_RULES} are possible")
    if len({rule.claims for rule in issuer.rules}) != len(issuer.rules):
        raise ValueError("two rules have the same claims")
    for rule in issuer.rules:
        fault = rule_fault(issuer.kind, rule)
        if fault:
            raise ValueError(fault)


def rule_fault(kind: IssuerKind | None, rule: Rule) -> str:
    """Why a rule is not narrow enough for its kind of issuer; empty when it is."""
    if kind is None or not _PRINCIPAL.fullmatch(rule.principal):
        return "a rule names no machine by its pseudonym"
    claims = dict(rule.claims)
    if len(claims) > MAX_CLAIMS or any(len(value) > MAX_VALUE for value in claims.values()):
        return f"a rule holds more than {MAX_CLAIMS} claims, or a value longer than {MAX_VALUE} characters"
    for name, value in claims.items():
        if name in _NEVER_RULED:
            return f"a rule names the claim {name}, which every token is checked for"
        if not _WORD.fullmatch(name) or not _WORD.fullmatch(value):
            return f"name or value of the claim {name[:40]!r} is empty, or not of printable ASCII"
    for name, form in DEMANDED[kind].items():
        if name not in claims:
            return f"a rule for {kind.value} names no {name}, so others could meet it"
        if not form.fullmatch(claims[name]):
            return f"{claims[name][:80]!r} is no exact {name} of {kind.value}"
    return ""


def claim(kind: IssuerKind | None, claims: Mapping[str, JsonValue], name: str) -> str:
    """A claim of a token as rules compare it; empty where there is none, or it is no text."""
    value: JsonValue = claims.get(name)
    if kind is IssuerKind.KUBERNETES and name.startswith("kubernetes.io/"):
        value = dict(claims)
        for part in name.split("/"):
            value = value.get(part) if isinstance(value, dict) else None
    return value if isinstance(value, str) else ""


def matching(issuer: TrustedIssuer, claims: Mapping[str, JsonValue]) -> tuple[Rule, ...]:
    """The rules that a verified token meets: each claim there, and equal to the last character."""
    return tuple(
        rule
        for rule in issuer.rules
        if all(claim(issuer.kind, claims, name) == value for name, value in rule.claims)
    )


def proposed_change(issuer: TrustedIssuer, claims: Mapping[str, JsonValue]) -> str:
    """What shows that a job ran for a change that nobody has taken in yet; empty for other jobs.

    Whoever may propose a change chooses what such a job runs. No rule lets it in.
    """

    def said(name: str) -> str:
        return claim(issuer.kind, claims, name)

    if issuer.kind is IssuerKind.GITHUB:
        event = said("event_name")
        if not event or event.startswith("pull_request"):
            return f"its event is {event[:40] or 'unknown'!r}"
        refs = (
            said("ref"),
            said("job_workflow_ref").partition("@")[2],
            said("workflow_ref").partition("@")[2],
        )
        if any(ref.startswith("refs/pull/") for ref in refs) or said("head_ref") or said("base_ref"):
            return "its ref is that of a pull request"
    if issuer.kind is IssuerKind.GITLAB:
        source = said("pipeline_source")
        if source in {"merge_request_event", "external_pull_request_event"}:
            return f"its pipeline was started by {source}"
        ref, config = said("ref_path"), said("ci_config_ref_uri").rpartition("@")[2]
        if any(one.startswith("refs/merge-requests/") for one in (ref, config)):
            return "its ref is that of a merge request"
    return ""


def notes(issuer: TrustedIssuer, claims: Mapping[str, JsonValue]) -> tuple[tuple[int, str], ...]:
    """What a certificate says of the job, as Fulcio's extensions (1.3.6.1.4.1.57264.1.n): (n, text), in order.

    Numbers, refs, digests and addresses of the run; never an account or an e-mail address of whoever started it.
    """

    def said(name: str) -> str:
        return claim(issuer.kind, claims, name)[:MAX_VALUE]

    found: dict[int, str] = {}
    if issuer.kind is IssuerKind.GITHUB:
        host = "https://github.com" if issuer.url.startswith(_GITHUB) else _origin(issuer.url)
        run = f"{said('repository')}/actions/runs/{said('run_id')}/attempts/{said('run_attempt')}"
        found = {
            9: _under(host, said("job_workflow_ref")),
            10: said("job_workflow_sha"),
            11: said("runner_environment"),
            13: said("sha"),
            14: said("ref"),
            15: said("repository_id"),
            17: said("repository_owner_id"),
            18: _under(host, said("workflow_ref")),
            19: said("workflow_sha"),
            20: said("event_name"),
            21: _under(host, run if said("repository") and said("run_id") and said("run_attempt") else ""),
        }
    elif issuer.kind is IssuerKind.GITLAB:
        pipeline = said("ci_config_ref_uri")
        job = f"{said('project_path')}/-/jobs/{said('job_id')}"
        found = {
            9: f"https://{pipeline}" if pipeline else "",
            10: said("ci_config_sha"),
            11: said("runner_environment"),
            13: said("sha"),
            14: said("ref_path"),
            15: said("project_id"),
            17: said("namespace_id"),
            18: f"https://{pipeline}" if pipeline else "",
            19: said("ci_config_sha"),
            20: said("pipeline_source"),
            21: _under(_origin(issuer.url), job if said("project_path") and said("job_id") else ""),
        }
    return tuple((number, words) for number, words in sorted(found.items()) if words)


def _origin(url: str) -> str:
    found = _URL.fullmatch(url)
    return found[1] if found is not None else ""


def _under(host: str, path: str) -> str:
    return f"{host}/{path}" if path else ""
