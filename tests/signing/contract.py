"""What every signer must do, whatever holds its key: a file today, an agent, a token or a service one day.

A test module of a new scheme gives a `signer` fixture and inherits `SignerContract`.
"""

from __future__ import annotations

import copy
import hashlib
import pickle
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from lockflight.core.attest import statement as st
from lockflight.core.attest.dsse import decode
from lockflight.core.verify.crypto.keys import ED25519, ORDERS, load_der
from lockflight.signing.oms import sign_statement

if TYPE_CHECKING:
    from lockflight.core.ports import Signer

MESSAGES = (b"", b"m", bytes(range(256)), b"x" * 1_000_000)


class SignerContract:
    """Inherit, and give a fixture `signer`."""

    def test_its_key_is_one_that_verifiers_read(self, signer: Signer) -> None:
        key = load_der(signer.public_der)
        assert key.der == signer.public_der
        assert signer.keyid == hashlib.sha256(signer.public_der).hexdigest() == key.keyid

    @pytest.mark.parametrize("message", MESSAGES, ids=len)
    def test_what_it_signs_verifies_and_nothing_else(self, signer: Signer, message: bytes) -> None:
        key, signature = load_der(signer.public_der), signer.sign(message)
        assert key.verify(message, signature)
        assert not key.verify(message + b".", signature)

    def test_signatures_have_one_form(self, signer: Signer) -> None:
        key = load_der(signer.public_der)
        for number in range(20):
            signature = signer.sign(b"%d" % number)
            if key.algorithm == ED25519:
                assert len(signature) == 64
            else:  # strict DER with the lower s
                from cryptography.hazmat.primitives.asymmetric.utils import (
                    decode_dss_signature,
                    encode_dss_signature,
                )

                r, s = decode_dss_signature(signature)
                assert encode_dss_signature(r, s) == signature
                assert 2 * s <= ORDERS[key.algorithm]

    def test_envelopes_of_it_verify(self, signer: Signer) -> None:
        body = st.Statement(
            "https://example.com/report/v1", (st.SubjectRef("it", "ab" * 32),), {"said": "yes"}
        )
        envelope = decode(sign_statement(body, signer).encode())
        assert envelope.keyid == signer.keyid
        assert load_der(signer.public_der).verify(envelope.signed_bytes, envelope.signature)

    def test_threads_share_it(self, signer: Signer) -> None:
        key = load_der(signer.public_der)
        with ThreadPoolExecutor(4) as pool:
            signed = list(pool.map(lambda n: (n, signer.sign(b"%d" % n)), range(40)))
        assert all(key.verify(b"%d" % n, signature) for n, signature in signed)

    def test_it_keeps_its_secret(self, signer: Signer) -> None:
        assert "PRIVATE" not in repr(signer)
        for travel in (pickle.dumps, copy.deepcopy):
            with pytest.raises(TypeError):
                travel(signer)
