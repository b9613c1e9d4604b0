from __future__ import annotations

import os
import platform

import pytest

from lockflight.policy.bundle import baseline
from lockflight.policy.engines import opa as opa_module
from lockflight.policy.engines.dual import DualEngine
from lockflight.policy.engines.regorus import RegorusEngine
from lockflight.policy.gate import PolicyGate


@pytest.fixture(scope="session")
def engine():
    engine = RegorusEngine()
    yield engine
    engine.close()


@pytest.fixture(scope="session")
def opa():
    if not opa_module.installed():
        message = "OPA as a library is not installed here: `python3 dev.py test` installs it"
        # Where CI lacks it, two engines would quietly become one.
        if os.environ.get("PYTEST_LOCKFLIGHT_CI") == "true" and platform.machine() == "x86_64":
            pytest.fail(message, pytrace=False)
        pytest.skip(message)
    engine = opa_module.OpaEngine()
    yield engine
    engine.close()


@pytest.fixture(scope="session")
def dual(engine, opa):
    return DualEngine(engine, opa)


@pytest.fixture(scope="session")
def gate(engine):
    return PolicyGate(baseline(), engine)
