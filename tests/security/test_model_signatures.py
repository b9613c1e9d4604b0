"""The abuse list of model signatures: what each profile says. `tests/live` shows what the stock verifier says."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from lockflight.app.release.foreign import Asked, verify_model
from lockflight.errors import VerificationFailed
from lockflight.signing.certificates import CertificateAuthority, make_intermediate, make_root
from lockflight.signing.keys import P256, P384, generate
from tests.abuse import CASES, FILES, chained, listed, sealed, statement, write
from tests.cli.runner import run
from tests.signed import signer
from tests.sovereign import ALICE, sovereign

if TYPE_CHECKING:
    from pathlib import Path

DAY = 86_400


def judged(place: Path, name: str, *, compat: bool):
    """The relaxations of a case, or the error with which it is refused."""
    case, folder = CASES[name], place / "model"
    folder.mkdir()
    (place / "their.sig").write_bytes(case.make(folder))
    (place / "key.pem").write_text(signer().public_key.pem)
    try:
        return verify_model(
            folder / case.file if case.file else folder,
            Asked(key=place / "key.pem", compat=compat),
            home=place / "home",
            realm_name="personal",
            now=1_800_000_000,
            signature=place / "their.sig",
        )
    except VerificationFailed as error:
        return error


@pytest.mark.parametrize("name", CASES)
def test_strict(tmp_path: Path, name: str) -> None:
    done, case = judged(tmp_path, name, compat=False), CASES[name]
    assert getattr(done, "code", "") == case.strict
    if not case.strict:
        assert done.relaxations == ()


@pytest.mark.parametrize("name", CASES)
def test_compat(tmp_path: Path, name: str) -> None:
    done, case = judged(tmp_path, name, compat=True), CASES[name]
    assert getattr(done, "code", "") == case.compat
    if not case.compat:
        assert {one.name for one in done.relaxations} == case.relaxed


@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("e-empty-file", ("__init__.py",)),
        ("g-git-hooks", (".git/hooks/post-checkout", ".github/workflows/x.yml")),
        ("v-left-out-by-the-signer", ("evil.py",)),
    ],
)
def test_compat_names_every_file_that_nobody_signed(
    tmp_path: Path, name: str, files: tuple[str, ...]
) -> None:
    assert judged(tmp_path, name, compat=True).left_out == files


@pytest.mark.parametrize("name", ["o-no-utf-8", "p-more-in-the-predicate", "s-outside"])
@pytest.mark.parametrize("json_", ["", " --json"])
def test_a_refusal_is_an_answer_and_no_traceback(tmp_path: Path, home: Path, name: str, json_: str) -> None:
    code = judged(tmp_path, name, compat=False).code
    done = run(f"verify model --key key.pem --signature their.sig{json_}", cwd=tmp_path)
    assert done.code == 12
    assert code in (done.out if json_ else done.err)
    assert "Traceback" not in done.err


def test_who_is_named_by_the_root_digest_alone_is_not_named(tmp_path: Path) -> None:
    """Other names over the same bytes in the same order have the same root, and another identity."""
    from lockflight.core.verify.maker import verify_foreign

    one = verify_foreign(sealed(statement(listed(FILES))), signer().public_key)
    other = verify_foreign(
        sealed(statement([(f"x{name}", digest) for name, digest in listed(FILES)])), signer().public_key
    )
    assert one.root == other.root
    assert one.payload_digest != other.payload_digest


def expired(place: Path, *, stamped: bool) -> Asked:
    """Case k: a model signed today under a certificate that ended 400 days ago, with a time stamp of today or none."""
    realm, key, root_key, issuing_key = sovereign(), generate(P256), generate(P384), generate(P256)
    begins = realm.now - 401 * DAY
    root = make_root(root_key, "old root", begins)
    issuing = make_intermediate(root_key, root, issuing_key.public_der, "old issuing", begins)
    authority = CertificateAuthority(issuing, issuing_key, generate(P256))
    leaf = authority.issue(key.public_der, ALICE, realm.now - 400 * DAY)
    write(place / "model", FILES)
    (place / "their.sig").write_bytes(
        chained(key, [leaf.der, issuing.der], realm.stamper if stamped else None)
    )
    (place / "roots.pem").write_bytes(root.x509.public_bytes(Encoding.PEM))
    (place / "trust.json").write_bytes(realm.config())
    return Asked(roots=place / "roots.pem", trust_root=place / "trust.json")


@pytest.mark.parametrize(
    ("stamped", "compat", "code"),
    [
        (True, False, "LF7402"),
        (False, False, "LF7425"),
        (True, True, "LF7402"),
        (False, True, "LF7402"),
    ],
)
def test_a_certificate_that_had_ended(tmp_path: Path, *, stamped: bool, compat: bool, code: str) -> None:
    asked = replace(expired(tmp_path, stamped=stamped), compat=compat)
    with pytest.raises(VerificationFailed) as caught:
        verify_model(
            tmp_path / "model",
            asked,
            home=tmp_path / "home",
            realm_name="personal",
            now=sovereign().now,
            signature=tmp_path / "their.sig",
        )
    assert caught.value.code == code
