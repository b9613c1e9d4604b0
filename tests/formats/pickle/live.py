"""Child process of the live oracle: composes pickles, judges them, and really loads what is judged safe.

What is safe is loaded by CPython's own unpickler (and joblib, where it has arrays of joblib) in a process of its own,
which has no more memory and processor time than a file of that size may ask for, and lies in an empty folder. An audit
hook sees what loading does. Loading a model makes objects; whatever else it does is unsound:

- it runs, compiles or makes code, but for the one text of SciPy's distributions;
- it opens anything but time zones, changes a folder, starts a process, reaches for a network or foreign code;
- it imports what is no part of the listed libraries;
- it calls a canary: a listed function or object that the stream only handed on;
- it asks for memory or time out of all proportion, or the process dies.

That code of a listed class asks a canary for an attribute is no fault: the names go back to the grammar, which brings
them along in forged objects, with canaries to be called. Prints one line of JSON: what the cases were, and the faults.
"""

from __future__ import annotations

import collections
import gc
import io
import json
import os
import pickle
import random
import resource
import shutil
import signal
import sys
import tempfile
import types
import warnings
from dataclasses import replace
from pathlib import Path

from lockflight.core.source import BytesSource
from lockflight.formats.pickle.allow import Entry
from lockflight.formats.pickle.distributions import TEMPLATE
from lockflight.formats.pickle.streams import Streams, finish
from tests.formats.pickle import canary, grammar, honest
from tests.formats.pickles import shipped

#: Files that one process loads, before a new one begins.
BATCH = 64
#: What one small file may ask for: bytes of memory, and seconds of the processor.
MEMORY, SECONDS = 1 << 29, 4
_LIBRARIES = {"numpy", "scipy", "sklearn", "joblib", "encodings"} | set(sys.stdlib_module_names)
#: Events of honest loads.
_QUIET = {
    "array.__new__", "builtins.id", "sys._getframe", "sys.unraisablehook", "pickle.find_class",
}  # fmt: skip
_METHODS = ("_parse_args", "_parse_args_rvs", "_parse_args_stats")
_ZONES = ("zoneinfo", "tzdata")
#: Lists that are known to be wrong, so that the oracle has to find something: a distribution's text is not looked at,
#: or C code reads any tuple.
CONTROLS = ("program", "lengths")


def listed(control):
    """The shipped list, canaries, and what a control adds."""
    allow = shipped()
    more = {
        (canary.__name__, "sing"): Entry("value"),
        (canary.__name__, "Canary"): Entry("class", answers=True),
    }
    entries = allow.entries.items()
    if control == "program":
        more |= {k: replace(e, state="") for k, e in entries if e.state == "distribution"}
    elif control == "lengths":
        more |= {k: replace(e, state="") for k, e in entries if e.state.startswith("tuple")}
    return replace(allow, entries={**allow.entries, **more})


class Watch:
    """What loading does, as Python's auditing says."""

    def __init__(self):
        self.on = False
        self.events = []

    def __call__(self, event, args):
        if not self.on:
            return
        said = self.judged(event, args)
        if said:
            self.events.append(said)

    @staticmethod
    def judged(event, args):
        """What is wrong with an event; empty for nothing."""
        if event == "import":
            top = str(args[0]).partition(".")[0]
            return "" if top in _LIBRARIES else f"import of {args[0]}"
        if event == "open":
            path, mode = str(args[0]), args[1]
            zone = any(part in path for part in _ZONES)
            own = path.startswith((sys.prefix, sys.base_prefix)) and path.endswith((".py", ".pyc", ".so"))
            return (
                ""
                if (zone or own) and (mode is None or set(mode) <= {"r", "b", "t"})
                else f"open of {path}, {mode}"
            )
        if event == "exec":
            code = args[0]
            told = code.co_filename == "<string>" and code.co_names == _METHODS
            inner = [c for c in code.co_consts if isinstance(c, types.CodeType)]
            told = told and all(set(c.co_names) <= {"_argcheck_rvs"} for c in inner)
            imported = code.co_filename.startswith((sys.prefix, sys.base_prefix))
            return "" if told or imported else f"exec of {code.co_names}"
        if event == "marshal.loads":
            return "" if _importing() else event
        if event == "compile":
            return "" if _called("literal_eval") or _told(args[0]) else f"compile of {str(args[0])[:80]}"
        # Reading an attribute changes nothing.
        return "" if event in _QUIET or event == "object.__getattr__" else f"{event} {str(args)[:80]}"


def _called(name):
    """Whether a function of this name is under way."""
    frame = sys._getframe()
    while frame and frame.f_code.co_name != name:
        frame = frame.f_back
    return frame is not None


def _importing():
    """Whether a module of Python is being read."""
    frame = sys._getframe()
    while frame and "importlib" not in frame.f_code.co_filename:
        frame = frame.f_back
    return frame is not None


def _told(source):
    """Whether it is the text of a distribution that SciPy makes."""
    source = source.decode() if isinstance(source, bytes) else source
    return isinstance(source, str) and TEMPLATE.match(source) is not None


WATCH = Watch()


def load(data):
    """Load one file for real; what it did that no load may do."""
    canary.clear()
    WATCH.events = []
    faults = []
    ways = [pickle.loads]
    if b"joblib" in data:
        import joblib

        ways.append(lambda d: joblib.load(io.BytesIO(d)))
    for way in ways:
        WATCH.on = True
        try:
            found = way(data)
        except MemoryError:
            faults.append("memory out of proportion")
        except RecursionError:
            pass
        except BaseException:  # noqa: BLE001 - whatever the stream's objects raise
            pass
        found = None
        gc.collect()
        WATCH.on = False
        del found
    return faults + WATCH.events + [f"call of a canary: {one}" for one in canary.CALLED]


def child(files, out):
    """Load files one after the other; says which one it begins, and what was wrong with it."""
    place = tempfile.mkdtemp()
    os.chdir(place)
    used = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    gc.collect()
    gc.freeze()
    sys.addaudithook(WATCH)
    for at, data in enumerate(files):
        out.write(json.dumps({"begins": at}) + "\n")
        out.flush()
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        faults = load(data)
        signal.setitimer(signal.ITIMER_PROF, 0)
        out.write(json.dumps({"ends": at, "faults": faults, "asked": sorted(set(canary.ASKED))}) + "\n")
        out.flush()
    shutil.rmtree(place, ignore_errors=True)


def loaded(files):
    """What loading each of the files did, and what it asked of canaries; a new process after each that dies."""
    asked, faults, at = set(), {}, 0
    while at < len(files):
        reading, writing = os.pipe()
        process = os.fork()
        if process == 0:
            os.close(reading)
            with os.fdopen(writing, "w") as out:
                child(files[at:], out)
            os._exit(0)
        os.close(writing)
        begun = ended = -1
        with os.fdopen(reading) as lines:
            for line in lines:
                said = json.loads(line)
                begun = said.get("begins", begun)
                if "ends" in said:
                    ended = said["ends"]
                    asked |= set(said["asked"])
                    if said["faults"]:
                        faults[at + ended] = said["faults"]
        _, status = os.waitpid(process, 0)
        if ended == begun and status == 0:
            break
        killed = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
        died = f"the process died ({signal.Signals(killed).name})" if killed else f"it ended with {status}"
        faults[at + max(begun, 0)] = ["time out of proportion" if killed == signal.SIGPROF else died]
        at += max(begun, 0) + 1
    return faults, asked


def run(seed, count, control="", most=20):
    """So many cases; what they were, and the first faults."""
    allow, chance, tally = listed(control), random.Random(seed), collections.Counter()
    words = grammar.Words(allow)
    made = grammar.Grammar(words, allow, chance, honest.seeds())
    found, safe = [], []
    while tally["cases"] < count:
        data = made.stream()
        tally["cases"] += 1
        streams = Streams(BytesSource(data), allow)
        if not finish(streams).issues:
            safe.append(data)
        if len(safe) >= BATCH or tally["cases"] == count:
            faults, asked = loaded(safe)
            tally["safe"] += len(safe)
            made.asked += sorted(asked - set(made.asked))
            for at, what in sorted(faults.items()):
                tally["faults"] += 1
                found.append({"case": safe[at].hex(), "why": what[:4]})
            safe = []
            if len(found) >= most:
                break
    return {**tally, "asked": len(made.asked), "found": found}


def main():
    """Seed, number of cases and control come as arguments."""
    warnings.simplefilter("ignore")
    control = sys.argv[3] if len(sys.argv) > 3 else ""
    most = int(sys.argv[4]) if len(sys.argv) > 4 else 20
    with Path(os.devnull).open("w") as sys.stderr:
        found = run(int(sys.argv[1]), int(sys.argv[2]), control, most)
    sys.stdout.write(json.dumps(found))
