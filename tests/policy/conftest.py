from __future__ import annotations

import pytest

from lockflight.policy.bundle import baseline
from lockflight.policy.gate import PolicyGate
from lockflight.policy.regorus import RegorusEngine


@pytest.fixture(scope="session")
def engine():
    engine = RegorusEngine()
    yield engine
    engine.close()


@pytest.fixture(scope="session")
def gate(engine):
    return PolicyGate(baseline(), engine)
