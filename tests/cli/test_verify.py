"""`verify --key`: what is no key is a mistake of the caller, not of the package."""

from __future__ import annotations

import pytest

from tests.cli.runner import run


@pytest.mark.parametrize("body", [b"", b"no key", b"\xff\x00"])
def test_a_file_without_a_key(home, tmp_path, body):
    (tmp_path / "key.pem").write_bytes(body)
    done = run("verify . --key key.pem", cwd=tmp_path)
    assert (done.code, "error LF0130: key.pem: This is not a public key" in done.err) == (2, True), done.err
