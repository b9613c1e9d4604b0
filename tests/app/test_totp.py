"""The second factor: enrolled once, each code used once, and recorded with the approval."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from lockflight.app.identity.totp import enrol, enrolled, file_of, use
from lockflight.app.realm.clock import now
from lockflight.errors import ConflictError, EnvironmentProblem, NotFound, PolicyDenied
from lockflight.identity.totp import hotp, read, step_of

if TYPE_CHECKING:
    from lockflight.app.realm.realm import Realm


def test_a_code_is_used_once(realm: Realm) -> None:
    person, uri, word = enrol(realm.home, "acme", actor="bob", replace=False)
    assert word in uri
    assert enrolled(realm, person.principal)
    assert stat.S_IMODE(file_of(realm, person.principal).stat().st_mode) == 0o600
    code = hotp(read(word), step_of(now()))
    use(realm, person, f"{code[:3]} {code[3:]}", now())
    with pytest.raises(PolicyDenied) as info:
        use(realm, person, code, now())
    assert info.value.code == "LF4613"


@pytest.mark.parametrize("code", ["", "000", "abcdef", "1234567890"])
def test_a_wrong_code(realm: Realm, code: str) -> None:
    person, _, _ = enrol(realm.home, "acme", actor="bob", replace=False)
    with pytest.raises(PolicyDenied):
        use(realm, person, code, now())


def test_a_secret_is_not_lost_by_accident(realm: Realm) -> None:
    person, _, old = enrol(realm.home, "acme", actor="bob", replace=False)
    with pytest.raises(ConflictError) as info:
        enrol(realm.home, "acme", actor="bob", replace=False)
    assert info.value.code == "LF4611"
    _, _, new = enrol(realm.home, "acme", actor="bob", replace=True)
    assert new != old
    use(realm, person, hotp(read(new), step_of(now())), now())


def test_nobody_uses_what_is_not_enrolled(realm: Realm) -> None:
    enrol(realm.home, "acme", actor="bob", replace=False)
    with pytest.raises(NotFound) as info:
        use(realm, realm.actor("alice"), "123456", now())
    assert info.value.code == "LF4612"


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", b'{"secret": "AAAA", "last": 1}', b"\xff", b"x" * 5000, b"[" * 4000]
)
def test_a_damaged_secret(realm: Realm, body: bytes) -> None:
    person, _, _ = enrol(realm.home, "acme", actor="bob", replace=False)
    file_of(realm, person.principal).write_bytes(body)
    with pytest.raises(EnvironmentProblem) as info:
        use(realm, person, "123456", now())
    assert info.value.code == "LF4614"
