"""`lockflight demo`: real commands in a temporary home, printed as if typed, with their real output."""

from __future__ import annotations

import contextlib
import io
import os
from typing import TYPE_CHECKING

from lockflight.cli.reply import Reply, Run
from lockflight.core.records import dataclass
from lockflight.errors import InternalError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator
    from typing import TextIO

    from lockflight.app.demo import Stage
    from lockflight.cli.style import Style

REALM = "harbour"


@dataclass(frozen=True, slots=True)
class Step:
    """One command of the demo.

    Attributes:
        say: what the reader should know before it.
        command: what follows `lockflight`.
        exit_code: how it must end.
        act: what is done to the files before it; returns the lines that a person would have typed.
    """

    say: str
    command: str
    exit_code: int = 0
    act: Callable[[Stage], str] | None = None


def _fix(stage: Stage) -> str:
    stage.fix()
    return "$ rm berths/model/adapter.pkl"


def _tamper(stage: Stage) -> str:
    name, offset = stage.tamper()
    return f"# one bit of package/{name} is flipped, at offset {offset}"


STEPS = (
    Step(
        "A team has its own realm: a log with keys of its own. Ada develops, Ben approves.",
        "realm init harbour --member ada=author --member ben=approver,risk-owner",
    ),
    Step(
        "Somebody sent Ada an adapter for her model. A look at the file alone:",
        "scan berths/model/adapter.pkl",
        10,
    ),
    Step(
        "The gate asks for more than one look. May this folder go to development?",
        "check berths --env development --record --as ada",
        10,
    ),
    Step(
        "Denied, with the rule, the file and the way out. Ada removes it. Staging asks for more; what is known stays:",
        "check berths --env staging --record --as ada",
        0,
        _fix,
    ),
    Step("She packs exactly the files of the release, and signs.", "sign berths --out package --as ada"),
    Step("Anybody with the realm can verify that package, offline.", "verify package"),
    Step("Development needs nobody else.", "promote package --to development --as ada"),
    Step(
        "Staging does: the gate allows it, but nobody has approved.",
        "promote package --to staging --as ada",
        10,
    ),
    Step(
        "Ada cannot approve her own work, whatever key she uses.",
        "approve package --env staging --as ada",
        10,
    ),
    Step("Ben can.", "approve package --env staging --as ben --reason 'read the checks'"),
    Step("Now it moves.", "promote package --to staging --as ada"),
    Step("What every environment holds is folded from the log, never from a table.", "status"),
    Step(
        "Much later, one bit of the package changes on some disk. It is caught:",
        "verify package",
        12,
        _tamper,
    ),
    Step("And the log is still what its keys signed.", "log verify"),
)


def demo_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `demo`."""
    parser.add_argument("--keep", action="store_true", help="keep the folder, to play on in it")


def demo(args: argparse.Namespace, run: Run) -> Reply:
    """From denial to a verified promotion."""
    from lockflight.app.demo import stage

    tell = (lambda text: None) if run.json else _teller(run)
    with stage(keep=args.keep) as place, _inside(place):
        tell(f"A tiny model of our own in {place.folder}; nothing leaves this machine.\n")
        tell(f"$ cd {place.folder}\n$ export LOCKFLIGHT_HOME={place.home} LOCKFLIGHT_REALM={REALM}\n")
        done = [_play(step, place, run, tell) for step in STEPS]
    result = {"steps": done, "folder": str(place.folder) if args.keep else None}

    def human(style: Style) -> Iterator[str]:
        yield ""
        yield f"{style.yes} denied, mended, signed, approved by another person, promoted; a changed bit was caught"
        if args.keep:
            yield f"  the folder is yours: cd {place.folder}"
            yield f"  export LOCKFLIGHT_HOME={place.home} LOCKFLIGHT_REALM={REALM}"
        yield "  next: lockflight init DIR, in a folder of yours"

    return Reply("demo/v1", result, human)


def _teller(run: Run) -> Callable[[str], None]:
    def tell(text: str) -> None:
        run.out.write(text)
        run.out.flush()

    return tell


@contextlib.contextmanager
def _inside(place: Stage) -> Iterator[None]:
    """The folder and the settings of the demo, and the caller's afterwards."""
    before, environ = os.getcwd(), dict(os.environ)  # noqa: PTH109 - kept as the system gives it
    for name in [name for name in os.environ if name.startswith("LOCKFLIGHT_")]:
        del os.environ[name]
    os.environ.update(LOCKFLIGHT_HOME=str(place.home), LOCKFLIGHT_REALM=REALM)
    os.chdir(place.folder)
    try:
        yield
    finally:
        os.chdir(before)
        os.environ.clear()
        os.environ.update(environ)


class _Tee(io.TextIOWrapper):
    """Keeps what a command prints, and passes it on at once to what looks like the same terminal."""

    def __init__(self, tell: Callable[[str], None], like: TextIO) -> None:
        super().__init__(io.BytesIO(), encoding=like.encoding or "ascii", write_through=True)
        self._tell = tell
        self._like = like
        self.kept: list[str] = []

    def write(self, text: str) -> int:
        """Keep and pass on."""
        self.kept.append(text)
        self._tell(text)
        return len(text)

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        return self._like.isatty()


def _play(step: Step, place: Stage, run: Run, tell: Callable[[str], None]) -> dict[str, object]:
    import shlex

    from lockflight.cli.main import INTERRUPTED, main
    from lockflight.cli.style import Style

    style = Style.for_stream(run.out)
    tell(f"\n{style.dim('# ' + step.say)}\n")
    if step.act is not None:
        tell(f"{step.act(place)}\n")
    tell(f"{style.bold('$ lockflight ' + step.command)}\n")
    output = _Tee(tell, run.out)
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
        code = main(shlex.split(step.command))
    if code == INTERRUPTED:
        raise KeyboardInterrupt  # that command has told it; the demo ends as well
    if code:
        tell(style.dim(f"(exit code {code})") + "\n")
    if code != step.exit_code:
        raise InternalError(
            "LF0906",
            f"The demo's command `lockflight {step.command}` ended with {code} instead of {step.exit_code}.",
            hint="lockflight doctor",
            details={"output": "".join(output.kept)},
        )
    return {"command": f"lockflight {step.command}", "exit_code": code, "output": "".join(output.kept)}
