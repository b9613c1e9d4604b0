"""Everything a developer, or a machine that builds, needs: python3 (3.11 or newer), git and this file.

    python3 dev.py setup [--peers] [--croissant]
                                        make .venv (and environments for tests against stock peers)
    python3 dev.py demo                 the whole way of a release, on this machine, then both examples
    python3 dev.py test [--all] [ARGS]  what every change must pass; with ARGS only `pytest ARGS`
    python3 dev.py lint [--fix]         formatting, lint, types, floors, workflows
    python3 dev.py docs [--check]       generate the reference pages (or compare them)
    python3 dev.py bench [--full] [NAMES]
    python3 dev.py lock [--upgrade]     write requirements/*.txt again
    python3 dev.py build                wheel and sdist into dist/, built twice and compared

A second run installs nothing: the digests of what was installed are kept in each environment.
"""

from __future__ import annotations

import argparse
import filecmp
import hashlib
import importlib.util
import json
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent
REQUIREMENTS = ROOT / "requirements"
MAIN, PEERS, WHEEL = ROOT / ".venv", ROOT / ".venv-peers", ROOT / ".venv-wheel"
PEERS_NODE = ROOT / ".venv-peers-node"
PEERS_CROISSANT = ROOT / ".venv-peers-croissant"
PEERS_FIXTURES = ROOT / ".venv-peers-fixtures"
NEEDS_PYTHON = (3, 11)
WORKERS = "2"

COMPILE = ("pip", "compile", "--quiet", "--universal", "--generate-hashes", "--no-header")
# lock -> what it is made from; dev first, since it constrains those that share its environment
LOCKS = {
    "dev": ("pyproject.toml", "--group", "dev"),
    "bootstrap": ("requirements/bootstrap.in", "--constraints", "requirements/dev.txt"),
    "runtime": ("pyproject.toml", "--constraints", "requirements/dev.txt"),
    "examples": ("pyproject.toml", "requirements/examples.in", "--constraints", "requirements/dev.txt"),
    "examples-nodeps": ("requirements/examples-nodeps.in", "--no-deps"),
    "opa": ("requirements/opa.in", "--no-deps"),
    "peers": ("requirements/peers.in",),
    "croissant": ("requirements/croissant.in",),
    "fixtures": ("requirements/fixtures.in", "--no-deps"),
}
LOWEST_PYTHON = {"opa": "3.14"}
NEVER_LOCKED = ("torch", "nvidia-", "tensorflow", "llama-cpp-python")

IMPORT_ALL = """
import importlib, pkgutil, lockflight
names = [m.name for m in pkgutil.walk_packages(lockflight.__path__, "lockflight.")]
for name in names:
    if not name.endswith(".__main__"):
        importlib.import_module(name)
assert "site-packages" in lockflight.__file__, lockflight.__file__
print(len(names), "modules")
"""


class Failed(Exception):
    """A step that cannot go on; the message says what to do."""


def say(line: str) -> None:
    """One line, seen at once even when output goes to a file."""
    print(line, flush=True)


def environ() -> dict[str, str]:
    """The caller's environment, with quiet installers that trust what this system trusts."""
    ours = {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1", "UV_NO_PROGRESS": "1"}
    ours |= {"UV_SYSTEM_CERTS": "1", "UV_NATIVE_TLS": "1", "UV_PYTHON_DOWNLOADS": "never"}
    inherited = {k: v for k, v in os.environ.items() if k not in {"VIRTUAL_ENV", "PYTHONHOME", "PYTHONPATH"}}
    return {**ours, **inherited}


def run(*command: str | Path, cwd: Path = ROOT, **extra: str) -> tuple[bool, str]:
    """Run to the end in silence; whether it succeeded, and all that it printed."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**environ(), **extra},
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    return done.returncode == 0, done.stdout.strip()


def show(*command: str | Path, **extra: str) -> int:
    """Run with its output on the screen; its exit code."""
    return subprocess.run(
        [str(part) for part in command], cwd=ROOT, env={**environ(), **extra}, check=False
    ).returncode


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


class Environment:
    """One virtual environment and the stamp that says what was installed into it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.python = folder / "bin" / "python"
        self._stamp = folder / ".lockflight-stamp.json"

    def create(self) -> None:
        """Make it unless it works already."""
        if self.python.exists() and run(self.python, "-c", "import sys")[0]:
            return
        say(f"making {self.folder.name} with Python {sys.version.split()[0]}")
        if importlib.util.find_spec("ensurepip"):
            ok, output = run(sys.executable, "-m", "venv", "--clear", self.folder)
        elif shutil.which("uv"):
            ok, output = run("uv", "venv", "--seed", "--clear", "--python", sys.executable, self.folder)
        else:
            ok, output = False, "this python3 has no ensurepip"
        if not ok:
            raise Failed(
                f"no virtual environment could be made: {tail(output)}\n"
                "On Debian and Ubuntu: apt-get install python3-venv   (elsewhere: a Python from python.org)"
            )

    def need(self, *locks: str) -> None:
        """Install what is missing of these locks, each with its hashes; nothing when all are there."""
        self.create()
        have = self._read()
        wanted = {name: digest(REQUIREMENTS / f"{name}.txt") for name in locks}
        missing = [name for name in locks if have.get(name) != wanted[name]]
        if not missing:
            return
        say(f"installing {', '.join(missing)} into {self.folder.name}")
        plain = [name for name in missing if name != "opa"]
        if plain:
            self._install(plain)
        if "opa" in missing:
            self._install_opa()
        self._write({**have, **wanted})

    def need_project(self) -> None:
        """Install this tree, editable, without dependencies."""
        have, wanted = self._read(), f"{ROOT} {digest(ROOT / 'pyproject.toml')}"
        if have.get("project") == wanted:
            return
        ok, output = run(
            self.python,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-deps",
            "--no-build-isolation",
            "--editable",
            ".",
        )
        if not ok:
            raise Failed(f"the project does not install:\n{tail(output)}")
        self._write({**have, "project": wanted})

    def uv(self) -> Path | None:
        """An installer that is eight times faster, where there is one."""
        own, found = self.folder / "bin" / "uv", shutil.which("uv")
        return own if own.exists() else Path(found) if found else None

    def _install(self, locks: list[str]) -> None:
        # --no-deps: a lock is complete, so whatever it does not name is not wanted
        options = ["--require-hashes", "--no-deps"]
        files = [option for name in locks for option in ("-r", str(REQUIREMENTS / f"{name}.txt"))]
        uv = self.uv()
        if uv is not None and run(uv, "pip", "install", "--python", self.python, *options, *files)[0]:
            return
        ok, output = run(self.python, "-m", "pip", "install", "--quiet", *options, *files)
        if not ok:
            raise Failed(
                f"pip could not install {', '.join(locks)}:\n{tail(output)}\n"
                "Is a package index reachable? Behind a mirror set PIP_INDEX_URL; without a network set "
                "PIP_NO_INDEX=1 and PIP_FIND_LINKS=<folder of wheels>."
            )

    def _install_opa(self) -> None:
        # pip, since uv has no --ignore-requires-python
        options = ("--require-hashes", "--no-deps", "--ignore-requires-python")
        ok, output = run(
            self.python, "-m", "pip", "install", "--quiet", *options, "-r", REQUIREMENTS / "opa.txt"
        )
        if ok:
            return
        if (platform.machine(), platform.libc_ver()[0]) != ("x86_64", "glibc"):
            say("note: OPA as a library has no build for this platform; its tests will be skipped")
            return
        raise Failed(f"pip could not install opa:\n{tail(output)}")

    def _read(self) -> dict[str, str]:
        try:
            found = json.loads(self._stamp.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return {str(k): str(v) for k, v in found.items()} if isinstance(found, dict) else {}

    def _write(self, stamp: dict[str, str]) -> None:
        self._stamp.write_text(json.dumps(stamp, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def flag(option: str, *, given: bool) -> list[str]:
    """An option of a command line, or none."""
    return [option] if given else []


def tail(output: str, lines: int = 12) -> str:
    """The end of what a tool printed, where its reason is."""
    said = [line for line in output.splitlines() if not line.startswith("WARNING: Retrying")]
    return "\n".join(said[-lines:])


def setup(*sets: str) -> Environment:
    """The main environment with these sets of requirements and this project."""
    main = Environment(MAIN)
    main.need("bootstrap")
    main.need(*sets)
    main.need_project()
    return main


def setup_peers() -> Path:
    """The environment of the stock peers; its interpreter."""
    peers = Environment(PEERS)
    peers.need("peers")
    return peers.python


def need_node() -> None:
    """The stock verifiers that run on Node.js, where it is here; tests against them say so where it is not."""
    npm, source = shutil.which("npm"), REQUIREMENTS / "peers-node"
    wanted = digest(source / "lock.json")
    stamp = PEERS_NODE / "stamp"
    if npm is None or (stamp.is_file() and stamp.read_text(encoding="utf-8") == wanted):
        return
    say(f"installing {source.name} into {PEERS_NODE.name}")
    shutil.rmtree(PEERS_NODE, ignore_errors=True)
    PEERS_NODE.mkdir()
    # The lock holds versions and hashes, and no address of a registry, so that any mirror serves.
    shutil.copyfile(source / "package.json", PEERS_NODE / "package.json")
    shutil.copyfile(source / "lock.json", PEERS_NODE / "package-lock.json")
    ok, output = run(npm, "ci", "--prefix", PEERS_NODE, "--ignore-scripts", "--no-audit", "--no-fund")
    if ok:
        stamp.write_text(wanted, encoding="utf-8")
    else:
        say(
            f"note: npm could not install {source.name}; tests that need it will be skipped\n{tail(output, 3)}"
        )


def need_fixtures() -> None:
    """Source archives of other scanners, whose test files are judged where they lie; nothing of them is run."""
    lock = REQUIREMENTS / "fixtures.txt"
    stamp = PEERS_FIXTURES / "stamp"
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == digest(lock):
        return
    say(f"fetching {lock.stem} into {PEERS_FIXTURES.name}")
    shutil.rmtree(PEERS_FIXTURES, ignore_errors=True)
    PEERS_FIXTURES.mkdir()
    options = ("--quiet", "--no-deps", "--no-binary", ":all:", "--no-build-isolation", "--require-hashes")
    ok, output = run(
        MAIN / "bin" / "python", "-m", "pip", "download", *options, "-d", PEERS_FIXTURES, "-r", lock
    )
    if ok:
        stamp.write_text(digest(lock), encoding="utf-8")
    else:
        say(f"note: pip could not fetch {lock.stem}; tests that need them will be skipped\n{tail(output, 3)}")


def need_postgres() -> None:
    """In CI, where this is root's own machine: the server that the log is tried in. Tests without it say so."""
    if os.environ.get("CI") != "true" or os.geteuid() or not shutil.which("apt-get"):
        return
    if any(Path("/usr/lib/postgresql").glob("*/bin/initdb")):
        return
    say("installing postgresql")
    patience = (
        "timeout",
        "300",
        "apt-get",
        "-qq",
        "-o",
        "Acquire::http::Timeout=20",
        "-o",
        "Acquire::Retries=1",
    )
    run(*patience, "update", DEBIAN_FRONTEND="noninteractive")
    wanted = ("install", "--no-install-recommends", "postgresql")
    ok, output = run(*patience, *wanted, DEBIAN_FRONTEND="noninteractive")
    if not ok:
        say(f"went on without it: {tail(output, 1)}")


class Steps:
    """Runs steps, one line each, and remembers which failed; all run, so that one run tells everything."""

    def __init__(self) -> None:
        self.failed: list[str] = []

    def step(self, name: str, *command: str | Path, cwd: Path = ROOT) -> bool:
        """Run one command as a step."""
        began = time.monotonic()
        ok, output = run(*command, cwd=cwd)
        return self.result(name, ok=ok, output=output, seconds=time.monotonic() - began)

    def result(self, name: str, *, ok: bool, output: str = "", seconds: float = 0.0) -> bool:
        """Report a step that was run elsewhere."""
        say(f"{'ok  ' if ok else 'FAIL'}  {name}" + (f"  ({seconds:.0f} s)" if seconds >= 1 else ""))
        if not ok:
            self.failed.append(name)
            say("\n".join("      " + line for line in tail(output, 60).splitlines()))
        return ok


def lint(steps: Steps, *, fix: bool = False) -> None:
    """Formatting, lint, types, floors, workflows."""
    tools = MAIN / "bin"
    if fix:
        run(tools / "ruff", "check", "--fix", "--quiet", ".")
        run(tools / "ruff", "format", "--quiet", ".")
    steps.step("ruff format", tools / "ruff", "format", "--check", ".")
    steps.step("ruff check", tools / "ruff", "check", "--output-format=concise", ".")
    steps.step("mypy --strict", tools / "mypy")
    steps.step("import-linter", tools / "lint-imports", "--no-logo")
    steps.step("zizmor pedantic", tools / "zizmor", "--offline", "--persona=pedantic", "--no-progress", ".")


def copy_tree(target: Path) -> None:
    """What would be committed, and nothing else that lies around."""
    ok, listing = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    if not ok:
        raise Failed(f"git cannot list this tree: {tail(listing)}")
    for name in filter(None, listing.split("\0")):
        source = ROOT / name
        if source.is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target / name)


def hatch(source: Path, out: Path, *targets: str) -> None:
    """Build with the locked backend, without isolation."""
    options = [option for target in targets for option in ("-t", target)]
    ok, output = run(MAIN / "bin" / "python", "-m", "hatchling", "build", "-d", out, *options, cwd=source)
    if not ok:
        raise Failed(f"the build failed:\n{tail(output)}")


def unpack(sdist: Path, target: Path) -> Path:
    """The folder inside an sdist that we made ourselves."""
    with tarfile.open(sdist) as archive:
        for member in archive.getmembers():
            content = archive.extractfile(member)
            if content is not None:
                (target / member.name).parent.mkdir(parents=True, exist_ok=True)
                (target / member.name).write_bytes(content.read())
    (inner,) = target.iterdir()
    return inner


def build(steps: Steps) -> list[Path]:
    """Wheel and sdist into dist/; built from two copies and from the sdist, and compared byte for byte."""
    dist = ROOT / "dist"
    shutil.rmtree(dist, ignore_errors=True)
    with tempfile.TemporaryDirectory() as folder:
        one, two, three = (Path(folder) / name for name in ("one", "another/name", "from-sdist"))
        for copy in (one, two):
            copy.mkdir(parents=True)
            copy_tree(copy)
        hatch(one, dist, "sdist", "wheel")
        hatch(two, two / "out", "sdist", "wheel")
        made = sorted(path for path in dist.iterdir() if path.is_file())
        (sdist,) = (path for path in made if path.name.endswith(".tar.gz"))
        hatch(unpack(sdist, three), three / "out", "wheel")
        differing = [
            str(other.relative_to(folder))
            for other in sorted([*(two / "out").iterdir(), *(three / "out").iterdir()])
            if other.is_file() and not filecmp.cmp(other, dist / other.name, shallow=False)
        ]
    steps.result(
        "wheel and sdist are reproducible", ok=not differing, output="differ: " + ", ".join(differing)
    )
    return made


def check_distribution(steps: Steps, made: list[Path]) -> None:
    """The metadata, the contents, and the wheel alone in an environment of its own."""
    tools = MAIN / "bin"
    (wheel,) = (path for path in made if path.suffix == ".whl")
    steps.step("twine check", tools / "twine", "check", "--strict", *made)
    steps.step("check-wheel-contents", tools / "check-wheel-contents", wheel)
    alone = Environment(WHEEL)
    alone.need("runtime")
    install = ("-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--force-reinstall", wheel)
    if steps.step("the wheel installs", alone.python, *install):
        steps.step("the wheel imports, module by module", alone.python, "-I", "-W", "error", "-c", IMPORT_ALL)
        steps.step("the wheel's command runs", alone.folder / "bin" / "lockflight", "--version")


def verb_setup(arguments: argparse.Namespace) -> int:
    """Make the environments."""
    setup("dev", "opa")
    say(f"ready: {MAIN.name}/bin/lockflight, {MAIN.name}/bin/pytest")
    if arguments.peers:
        say(f"ready: {setup_peers().relative_to(ROOT)}")
        need_node()
        need_fixtures()
    if arguments.croissant:
        Environment(PEERS_CROISSANT).need("croissant")
        say(f"ready: {PEERS_CROISSANT.name}")
    return 0


def verb_demo(_: argparse.Namespace) -> int:
    """Run the demonstration, then both examples."""
    main = setup("runtime", "examples", "examples-nodeps", "opa")
    home = ROOT / "build" / "demo-home"
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True, mode=0o700)
    code = show(main.folder / "bin" / "lockflight", "demo", LOCKFLIGHT_HOME=str(home))
    return code or show(main.python, ROOT / "examples" / "demo.py", LOCKFLIGHT_HOME=str(home))


def verb_test(arguments: argparse.Namespace) -> int:
    """Everything that a change must pass; pytest last, so that its closing line closes the output."""
    main = setup("dev", "examples", "examples-nodeps", "opa")
    peers = setup_peers()
    need_node()
    need_fixtures()
    need_postgres()
    steps = Steps()
    pytest: list[str | Path] = [main.python, "-m", "pytest", "-q"]
    if arguments.rest:
        return show(*pytest, *arguments.rest, LOCKFLIGHT_PEERS_PYTHON=str(peers))
    lint(steps)
    if (ROOT / "docs" / "generate.py").exists():
        steps.step("reference pages are current", main.python, "docs/generate.py", "--check")
    try:
        check_distribution(steps, build(steps))
    except Failed as problem:
        steps.result("build", ok=False, output=str(problem))
    if steps.failed:
        say(f"{len(steps.failed)} of the steps before the tests failed: {', '.join(steps.failed)}")
    everything = ["-m", "long or not long", "--hypothesis-profile=long"] if arguments.all else []
    code = show(*pytest, "-n", WORKERS, *everything, LOCKFLIGHT_PEERS_PYTHON=str(peers))
    return code or bool(steps.failed)


def verb_lint(arguments: argparse.Namespace) -> int:
    """Only what reads the source."""
    setup("dev")
    steps = Steps()
    lint(steps, fix=arguments.fix)
    return bool(steps.failed)


def verb_docs(arguments: argparse.Namespace) -> int:
    """Generate the pages of docs/reference, or compare them with the source."""
    main = setup("dev")
    return show(main.python, "docs/generate.py", *flag("--check", given=arguments.check))


def verb_bench(arguments: argparse.Namespace) -> int:
    """Run the scripts of bench/ one after another; 0 when every claim holds."""
    main = setup("dev", "examples", "examples-nodeps", "opa")
    found = sorted(path.stem for path in (ROOT / "bench").glob("[a-z]*.py"))
    unknown = [name for name in arguments.rest if name not in found]
    if unknown:
        raise Failed(f"no bench {', '.join(unknown)}; there are: {', '.join(found)}")
    failed = []
    for name in arguments.rest or found:
        say(f"== {name}")
        if show(main.python, f"bench/{name}.py", *flag("--quick", given=not arguments.full)):
            failed.append(name)
    say(f"missed: {', '.join(failed)}" if failed else "every claim holds")
    return bool(failed)


def verb_lock(arguments: argparse.Namespace) -> int:
    """Resolve every lock again, keeping versions that still fit unless told to upgrade."""
    main = Environment(MAIN)
    main.need("bootstrap")
    uv = main.uv()
    if uv is None:
        raise Failed("uv is needed to lock, and could not be installed")
    for name, sources in LOCKS.items():
        lock = REQUIREMENTS / f"{name}.txt"
        lowest = LOWEST_PYTHON.get(name, ".".join(map(str, NEEDS_PYTHON)))
        options = ["--python-version", lowest, "--output-file", f"requirements/{name}.txt"]
        ok, output = run(uv, *COMPILE, *sources, *options, *flag("--upgrade", given=arguments.upgrade))
        if not ok:
            raise Failed(f"{name} does not resolve:\n{tail(output)}")
        text = lock.read_text(encoding="utf-8")
        wrong = [
            line
            for line in text.splitlines()
            if "://" in line or " @ " in line or line.startswith(NEVER_LOCKED)
        ]
        if wrong:
            raise Failed(f"{lock.name} must not contain: {wrong[0]}")
        say(f"ok    {lock.relative_to(ROOT)}  ({text.count('==')} packages)")
    return 0


def verb_build(_: argparse.Namespace) -> int:
    """Build and compare."""
    setup("dev")
    steps = Steps()
    for path in build(steps):
        say(f"{digest(path)}  {path.relative_to(ROOT)}")
    return bool(steps.failed)


def parse(argv: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="dev.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for verb, options in {
        "setup": ["--peers", "--croissant"],
        "demo": [],
        "test": ["--all"],
        "lint": ["--fix"],
        "docs": ["--check"],
        "bench": ["--full"],
        "lock": ["--upgrade"],
        "build": [],
    }.items():
        one = verbs.add_parser(verb, help=(globals()[f"verb_{verb}"].__doc__ or "").strip())
        for option in options:
            one.add_argument(option, action="store_true")
    arguments, rest = parser.parse_known_args(argv)
    if rest and arguments.verb not in {"test", "bench"}:
        parser.error(f"{arguments.verb} takes no {' '.join(rest)}")
    arguments.rest = [argument for argument in rest if argument != "--"]
    return arguments


def main() -> int:
    """Run one verb; 0 when all is well, 1 when a step failed, 4 when this machine lacks something."""
    if sys.version_info < NEEDS_PYTHON:
        needed, here = ".".join(map(str, NEEDS_PYTHON)), sys.version.split()[0]
        say(f"dev.py needs Python {needed} or newer; this is {here}. Use a newer one: python3.13 dev.py …")
        return 4
    arguments = parse(sys.argv[1:])
    try:
        return int(globals()[f"verb_{arguments.verb}"](arguments))
    except Failed as problem:
        say(f"dev.py {arguments.verb}: {problem}")
        return 4
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
