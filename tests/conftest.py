"""What surrounds every test: a bare environment, an empty home, pure floors watched, data and peers."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from lockflight.store.log.address import write_address
from tests import purity

pytest_plugins = ["tests.postgres"]

ROOT = Path(__file__).resolve().parent.parent

# A whitelist: no colour, terminal, CI, identity or LOCKFLIGHT_* setting of the caller reaches a test.
_KEPT = {"PATH", "TMPDIR", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "SSL_CERT_FILE", "SSL_CERT_DIR"}
# Read before the environment is emptied; under these names xdist's workers see them too.
_HANDED_ON = {"CI": "PYTEST_LOCKFLIGHT_CI", "LOCKFLIGHT_PEERS_PYTHON": "PYTEST_LOCKFLIGHT_PEERS_PYTHON"}
_KEPT_PREFIXES = ("PYTEST", "COV_", "COVERAGE_", "HYPOTHESIS_", "PIP_", "UV_", "OPENBLAS_", "OMP_")
# A zone with an odd offset, so that a local time that passes for UTC is seen.
_SET = {"LC_ALL": "C.UTF-8", "TZ": "Pacific/Chatham", "TERM": "dumb", "COLUMNS": "100"}

settings.register_profile("short", deadline=None, max_examples=60, print_blob=True)
settings.register_profile(
    "long", deadline=None, max_examples=5000, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    # Before xdist starts its workers, which inherit the bare environment.
    if not config.getoption("--hypothesis-profile"):
        settings.load_profile("short")
    for name, handed_on in _HANDED_ON.items():
        if name in os.environ:
            os.environ[handed_on] = os.environ[name]
    for name in list(os.environ):
        if name not in _KEPT and not name.startswith(_KEPT_PREFIXES):
            del os.environ[name]
    os.environ.update(_SET)
    # Tests start the system's own programs (a shell, unshare, a compiler) also where PATH holds only python and git.
    os.environ["PATH"] = os.pathsep.join(
        [os.environ.get("PATH", ""), "/usr/local/bin", "/usr/bin", "/bin"]
    ).lstrip(":")


_breaches = purity.watch(ROOT / "src" / "lockflight", ROOT / "tests")


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown() -> None:
    """No test passes in which a pure floor touched the outside, even where the code swallowed the error."""
    if _breaches:
        found = "\n".join(_breaches)
        _breaches.clear()
        pytest.fail(f"pure code did I/O:\n{found}", pytrace=False)


@pytest.fixture(autouse=True, scope="session")
def _person(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Whoever runs the tests has an empty home, so nothing is read from theirs and nothing is left there."""
    os.environ["HOME"] = str(tmp_path_factory.mktemp("person"))


@pytest.fixture(scope="session")
def project_root() -> Path:
    """The folder of this repository."""
    return ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Public test vectors beside a development checkout; not part of the repository."""
    folder = ROOT.parent / "shared"
    if not folder.is_dir():
        pytest.skip(f"no folder ../{folder.name} beside this checkout: its test vectors are not here")
    return folder


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A module that lists `STORES` runs each of its tests that has a home once for each of these stores."""
    stores = getattr(metafunc.module, "STORES", ())
    if stores and "home" in metafunc.fixturenames:
        metafunc.parametrize("home", stores, indirect=True)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[Path]:
    """An empty LOCKFLIGHT_HOME, also for child processes; its folder `realm` may keep its log in a database."""
    folder = tmp_path / "home"
    folder.mkdir(mode=0o700)
    monkeypatch.setenv("LOCKFLIGHT_HOME", str(folder))
    if getattr(request, "param", "sqlite") != "postgres":
        yield folder
        return
    server = request.getfixturevalue("postgres")
    url = server.url(server.database())
    (folder / "realm").mkdir(mode=0o700)
    write_address(folder / "realm", url)
    yield folder
    server.leave(url)


@pytest.fixture(scope="session")
def peers_python() -> Path:
    """The interpreter that has the stock peers (model-signing); see requirements/peers.in."""
    named = os.environ.get("PYTEST_LOCKFLIGHT_PEERS_PYTHON")
    python = Path(named) if named else ROOT / ".venv-peers" / "bin" / "python"
    if python.is_file():
        return python
    message = f"no peers at {python}: run `python3 dev.py setup --peers`"
    if os.environ.get("PYTEST_LOCKFLIGHT_CI") == "true":
        pytest.fail(message, pytrace=False)
    pytest.skip(message)


@pytest.fixture(scope="session")
def croissant_python() -> Path:
    """The interpreter that has mlcroissant; see requirements/croissant.in."""
    python = ROOT / ".venv-peers-croissant" / "bin" / "python"
    if not python.is_file():
        pytest.skip(f"no mlcroissant at {python}: run `python3 dev.py setup --croissant`")
    return python


@pytest.fixture(scope="session")
def peers_node() -> Path:
    """A folder with the stock verifiers that run on Node.js; see requirements/peers-node."""
    folder = ROOT / ".venv-peers-node"
    if shutil.which("node") is None or not (folder / "stamp").is_file():
        pytest.skip("Node.js with npm is not here, so sigstore-js cannot be asked")
    return folder


@pytest.fixture(scope="session")
def peers_fixtures() -> Path:
    """A folder with source archives of other scanners; see requirements/fixtures.in."""
    folder = ROOT / ".venv-peers-fixtures"
    if (folder / "stamp").is_file():
        return folder
    message = (
        f"no archives in {folder}: run `python3 dev.py setup --peers` where an index of packages answers"
    )
    if os.environ.get("PYTEST_LOCKFLIGHT_CI") == "true":
        pytest.fail(message, pytrace=False)
    pytest.skip(message)
