"""The identity token of a job in GitHub Actions, asked of GitHub with what the job was given for that."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from urllib.parse import quote

from lockflight.core.canonical import loads_object
from lockflight.core.state.issuers import IssuerKind
from lockflight.core.verify.crypto.jwt import MAX_BYTES
from lockflight.errors import EnvironmentProblem, VerificationFailed
from lockflight.infra.net import Budget, fetch

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from lockflight.core.state.state import State

URL = "ACTIONS_ID_TOKEN_REQUEST_URL"
TOKEN = "ACTIONS_ID_TOKEN_REQUEST_TOKEN"  # noqa: S105 - the name of a variable
_REPLY = Budget(2 * MAX_BYTES, wall_s=30.0)


def github_token(
    state: State, *, offline: bool, environ: Mapping[str, str] | None = None, ca: Path | None = None
) -> bytes:
    """A new token of this job, for the audience that the realm pins.

    Args:
        state: the realm, which trusts exactly one issuer of the kind `github`.
        offline: the caller forbids the network.
        environ: the job's environment; None for that of this process.
        ca: PEM file of the authorities that count instead of the system's.

    Raises:
        EnvironmentProblem: LF4657 this is no such job, the realm does not know for whom to ask, or GitHub answers
            something else; LF5060 to LF5065 as `infra.net.fetch`.
        UsageError: LF0183 the address is not one.
    """
    environ = os.environ if environ is None else environ
    url, key = environ.get(URL, ""), environ.get(TOKEN, "")
    if not url or not key:
        raise _none(
            "the job may not ask for one",
            "permissions: {id-token: write} lets the job; --oidc-token FILE takes a token from elsewhere",
        )
    audiences = {one.audience for one in state.issuers.values() if one.kind is IssuerKind.GITHUB}
    if len(audiences) != 1:
        raise _none(
            f"the realm pins {len(audiences)} audiences for GitHub, and a token has one",
            "lockflight identity issuer list",
        )
    joint = "&" if "?" in url else "?"
    asked = f"{url}{joint}audience={quote(audiences.pop(), safe='')}"
    body = fetch(asked, _REPLY, ca=ca, offline=offline, bearer=key)
    try:
        value = loads_object(body, what="reply", max_depth=3, max_values=50).get("value")
    except VerificationFailed:
        value = None
    if not isinstance(value, str) or not value.isascii():
        raise _none(
            "its reply holds no token", "Try again; https://www.githubstatus.com says what is out of order."
        )
    return value.encode()


def _none(why: str, hint: str) -> EnvironmentProblem:
    return EnvironmentProblem("LF4657", f"GitHub gives no identity token: {why}.", hint=hint)
