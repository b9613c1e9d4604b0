"""Composes pickles from what the allow-list lets a stream name: objects, arguments, states and attributes that fit ill.

Every stream is put together opcode by opcode, so that nothing has to be built to be written. What a class asks of
others comes from its own code: the names that its methods mention are the attributes that a forged object brings.
"""

from __future__ import annotations

import contextlib
import dis
import importlib
import inspect
import io
import pickle
import pickletools
import struct
import types
import warnings

from lockflight.formats.pickle.arguments import JOBLIB
from lockflight.formats.pickle.attributes import WORDS
from tests.formats.pickle import canary

#: Attributes that code asks of what it is given, whatever it is.
_ASKED_TEXT = """
    __array__ __array_interface__ __array_struct__ __array_priority__ __class__ __dict__ __setstate__
    __reduce_ex__ __call__ __del__ __getattr__ append extend add pop get keys items values update copy
    astype dtype shape nodes tolist ravel reshape view size ndim strides data base flags fill format
    indices indptr maps __iter__ __len__ func args keywords x y detach detached name _build_f
    free_network handle _handle __missing__ default_factory __hash__ __eq__ __index__ __float__ __int__
    __getitem__ __setitem__ __contains__ pyfunc __wrapped__ __func__ __self__
"""
ASKED = _ASKED_TEXT.split()
#: Methods whose code says what loading, dropping or comparing an object asks of it and of what it holds.
_RUN_TEXT = """
    __setstate__ __reduce__ __reduce_ex__ __new__ __init__ __getattr__ __getattribute__ __setattr__
    __setitem__ __hash__ __eq__ __del__ __array_finalize__ append extend update add __missing__
    __init_subclass__ __lt__
"""
_RUN = _RUN_TEXT.split()
_DTYPES = ("f8", "i8", "i4", "u1", "b1", "O8", "S4", "U2", "c16", "M8", "V8", "f4")
_OBJECT, _RECONSTRUCT = 63, ("numpy._core.multiarray", "_reconstruct")
_EVIL = "import os\nos.mkdir('made')\n"
_BUILDERS = frozenset({"class-first", "reconstructor"})


def text(value):
    raw = value.encode("utf-8", "surrogatepass")
    return b"X" + struct.pack("<I", len(raw)) + raw


def number(value):
    if -(1 << 31) <= value < 1 << 31:
        return b"J" + struct.pack("<i", value)
    raw = value.to_bytes(16, "little", signed=True)
    return b"\x8a\x10" + raw


def name(module, attribute):
    return text(module) + text(attribute) + b"\x93"


def items(*parts):
    return b"(" + b"".join(parts) + b"t"


def pairs(*parts):
    return b"}(" + b"".join(parts) + b"u"


class Words:
    """The listed names that exist here, and what their code mentions."""

    def __init__(self, allow):
        self.entries = {}
        self.things = {}
        self.mentioned = {}
        for key, entry in sorted(allow.entries.items()):
            with warnings.catch_warnings(), contextlib.suppress(Exception):
                warnings.simplefilter("ignore")
                thing = importlib.import_module(key[0])
                for part in key[1].split("."):
                    thing = getattr(thing, part)
                self.entries[key], self.things[key] = entry, thing
        self.classes = [
            k for k, e in self.entries.items() if isinstance(self.things[k], type) and e.kind != "value"
        ]
        self.called = [
            k for k, e in self.entries.items() if e.kind == "callable" for _ in range(1 if e.arguments else 9)
        ]
        self.functions = [k for k in self.entries if callable(self.things[k]) and k not in self.classes]
        #: Classes with a `__setstate__` of their own, by whose it is: many distributions share one.
        groups = {}
        for key in self.classes:
            owner = self._owner(self.things[key])
            if owner is not None:
                groups.setdefault((owner, _names_key(self.things[key])), []).append(key)
        self.odd = list(groups.values())
        self.handed = [k for k in self.functions if self.entries[k].kind == "value"]
        self.canaries = [k for k in self.entries if k[0] == canary.__name__]
        self.everything = list(self.entries)
        #: Attributes that real objects hold, by class.
        self.held = {}

    def learn(self, data):
        """What the objects of a real pickle hold."""
        top = []
        for op, arg, _ in pickletools.genops(data):
            if op.name == "GLOBAL":
                module, _, attribute = arg.partition(" ")
                top.append((module, attribute))
            elif "UNICODE" in op.name and arg.isidentifier():
                for key in top[-3:]:
                    self.held.setdefault(key, set()).add(arg)

    @staticmethod
    def _owner(kind):
        """Whose `__setstate__` it is; None for Python's own and scikit-learn's common one."""
        for base in kind.__mro__:
            if "__setstate__" in vars(base) or "__setstate_cython__" in vars(base):
                return None if base.__module__ in {"builtins", "sklearn.base"} else base
        return None

    def keys(self, key):
        """Attributes that objects of a class have, and that its code mentions."""
        if key not in self.mentioned:
            cls, found = self.things[key], set()
            for one in _RUN:
                found |= _names(getattr(cls, one, None))
            own = [a for a in dir(cls) if not a.startswith("__")]
            told = sorted(self.held.get(key, set()) | _reached(cls, "__setstate__"))
            self.mentioned[key] = (told or ["x"], sorted(found)[:200] or ["x"], own or ["x"])
        return self.mentioned[key]


def _names_key(kind):
    """So that classes with other attributes count on their own."""
    return kind.__module__


def _reached(kind, start):
    """Attributes that a method asks for, and those that methods of its own which it calls do."""
    found, rest = set(), [(start, 0)]
    while rest:
        one, depth = rest.pop()
        code = getattr(getattr(kind, one, None), "__code__", None)
        if code is None or depth > 3:
            continue
        names = {
            i.argval
            for i in dis.get_instructions(code)
            if i.opname in {"LOAD_ATTR", "LOAD_METHOD", "STORE_ATTR"}
        }
        rest += [(name, depth + 1) for name in names - found - {"__init__"}]
        found |= names
    return found


def _names(function):
    code = getattr(inspect.unwrap(function), "__code__", None) if callable(function) else None
    if code is None:
        return set()
    found, rest = set(), [code]
    while rest:
        one = rest.pop()
        found.update(one.co_names)
        for constant in one.co_consts:
            if isinstance(constant, str) and constant.isidentifier():
                found.add(constant)
            elif isinstance(constant, types.CodeType):
                rest.append(constant)
    return found


class Grammar:
    """Streams by chance; `asked` grows by what loading asked of canaries."""

    def __init__(self, words, allow, chance, seeds):
        self.words, self.chance = words, chance
        self.seeds = [parsed for parsed in map(spans, seeds) if parsed]
        for seed in seeds:
            words.learn(seed)
        self.asked = list(ASKED)
        self.permitted = sorted(allow.attributes)
        self.puts = 0
        self.ready = []

    def stream(self):
        """One pickle."""
        self.puts, self.ready = 0, []
        if self.seeds and self.chance.random() < 0.35:
            return self.grafted()
        start = (self.thing, self.made, self.made, self.made, self.call, self.changed)
        body = self.pick(start)(4)
        for _ in range(self.chance.choice((0, 0, 1, 2))):
            body += b"0" + self.thing(3)
        return b"\x80\x04" + body + b"."

    def grafted(self):
        """A real model with something else in a place or two."""
        data, places = self.chance.choice(self.seeds)
        self.puts = 5_000
        for start, end in sorted(self.chance.sample(places, min(len(places), self.chance.choice((1, 1, 2)))))[
            ::-1
        ]:
            if end <= len(data):
                data = data[:start] + self.thing(3) + data[end:]
        return data

    def pick(self, options):
        return self.chance.choice(options)

    def thing(self, depth):
        """Any value."""
        kinds = _DEEP if depth > 0 else _FLAT
        made = getattr(self, self.pick(kinds))(depth - 1)
        if self.chance.random() < 0.15:
            made += b"r" + struct.pack("<I", self.puts)
            self.ready.append(self.puts)
            self.puts += 1
        return made

    def again(self, depth):
        del depth
        return b"j" + struct.pack("<I", self.pick(self.ready)) if self.ready else b"N"

    def plain(self, depth):
        del depth
        return self.pick(
            (
                b"N", b"\x88", b"\x89", b")", b"]", b"}", b"\x8f", number(0), number(1), number(-1), number(3),
                number(1 << 40), b"G?\xf0" + bytes(6), text("x"), text(self.pick(self.asked)), text("f8"),
                b"C\x08" + bytes(8), b"C\x04abcd", text(_EVIL), text("auto"), text("O"), text("latin1"),
            )
        )  # fmt: skip

    def listed(self, depth):
        del depth
        return name(*self.pick(self.words.everything))

    def function(self, depth):
        """Something that can be called, and mostly tells when it is."""
        del depth
        if self.words.canaries and self.chance.random() < 0.5:
            return name(*self.pick(self.words.canaries))
        return name(*self.pick(self.words.handed if self.chance.random() < 0.9 else self.words.functions))

    def partial(self, depth):
        start = name("functools", "partial")
        called = name(*self.pick(self.words.canaries[-1:] or self.words.handed))
        if self.chance.random() < 0.3:
            called = name(*self.pick(self.words.handed))
        del depth
        args = [self.plain(0) for _ in range(self.chance.choice((0, 0, 1, 2)))]
        keywords = b"}" if self.chance.random() < 0.9 else pairs(text("key"), self.function(0))
        return start + called + b"\x85R" + items(called, items(*args), keywords, b"N") + b"b"

    def dtype(self, depth):
        del depth
        code = self.pick(_DTYPES)
        made = name("numpy", "dtype") + items(text(code), b"\x89", b"\x88") + b"R"
        told = {
            "O8": (b"N", b"N", b"N", number(-1), number(-1), number(_OBJECT)),
            "S4": (b"N", b"N", b"N", number(4), number(1), number(0)),
            "U2": (b"N", b"N", b"N", number(8), number(4), number(8)),
            "V8": (b"N", b"N", b"N", number(8), number(1), number(0)),
        }.get(code, (b"N", b"N", b"N", number(-1), number(-1), number(0)))
        order = text("|" if code in {"O8", "S4", "V8", "u1", "b1"} else "<")
        if self.chance.random() < 0.1:
            return made
        return made + items(number(3), order, *told) + b"b"

    def array(self, depth):
        kind = ("numpy", "ndarray") if self.chance.random() < 0.7 else self.pick(self.words.classes)
        made = name(*_RECONSTRUCT) + items(name(*kind), items(number(0)), b"C\x01b") + b"R"
        count = self.pick((0, 1, 1, 2, 3))
        what = self.chance.random()
        if what < 0.4:
            objects = b"](" + b"".join(self.thing(depth) for _ in range(count)) + b"e"
            dtype = name("numpy", "dtype") + items(text("O8"), b"\x89", b"\x88") + b"R"
            dtype += items(number(3), text("|"), b"N", b"N", b"N", number(-1), number(-1), number(63)) + b"b"
            return made + items(number(1), items(number(count)), dtype, b"\x89", objects) + b"b"
        if what < 0.9:
            dtype = name("numpy", "dtype") + items(text("f8"), b"\x89", b"\x88") + b"R"
            dtype += items(number(3), text("<"), b"N", b"N", b"N", number(-1), number(-1), number(0)) + b"b"
            data = b"C" + bytes([8 * count]) + bytes(8 * count)
            return made + items(number(1), items(number(count)), dtype, b"\x89", data) + b"b"
        return made + items(number(1), items(self.plain(0)), self.dtype(0), b"\x89", self.thing(depth)) + b"b"

    def container(self, depth):
        kind = self.pick("ltdsf")
        inside = [self.thing(depth) for _ in range(self.pick((0, 1, 2, 3)))]
        if kind == "l":
            return b"](" + b"".join(inside) + b"e"
        if kind == "t":
            return items(*inside)
        if kind == "d":
            return pairs(*(part for one in inside for part in (self.hashed(depth), one)))
        if kind == "s":
            return b"\x8f(" + b"".join(self.hashed(depth) for _ in inside) + b"\x90"
        return b"(" + b"".join(self.hashed(depth) for _ in inside) + b"\x91"

    def hashed(self, depth):
        return self.plain(0) if self.chance.random() < 0.6 else self.thing(depth)

    def doubled(self, depth):
        """Containers that share each other: small, and endless to whoever walks them."""
        body = self.pick((b")", b"]", b"K\x01\x85", b"]K\x01a"))
        close = self.pick((b"t", b"t", b"l", b"\x91"))
        for _ in range(self.pick((3, 40))):
            body += b"r" + struct.pack("<I", self.puts)
            got = b"j" + struct.pack("<I", self.puts)
            body = b"(" + body + got + close
            self.puts += 1
        shape = self.pick((b"%s", b"}%sNs", b"\x8f(%s\x90", b"(%s\x91", b"](%se"))
        del depth
        return shape.replace(b"%s", body)

    def made(self, depth):
        """An object that is built without its constructor, most often given a state."""
        key = (
            self.pick(self.pick(self.words.odd))
            if self.chance.random() < 0.6
            else self.pick(self.words.classes)
        )
        how = self.chance.random()
        if how < 0.75:
            made = name(*key) + b")\x81"
        elif how < 0.85:
            made = (
                name("copyreg", "_reconstructor") + items(name(*key), name("builtins", "object"), b"N") + b"R"
            )
        else:
            args = [self.thing(depth) for _ in range(self.pick((0, 1, 1, 2)))]
            made = name(*key) + items(*args) + b"\x81"
        if self.chance.random() < 0.7:
            made += self.state(key, depth) + b"b"
        if self.chance.random() < 0.1:
            made += self.state(key, depth) + b"b"
        return made

    def state(self, key, depth):
        kind = self.chance.random()
        if kind < 0.65:
            return self.attributes(key, depth)
        if kind < 0.8:
            return items(self.pick((b"N", self.attributes(key, depth))), self.attributes(key, depth))
        if kind < 0.95:
            return items(*(self.thing(depth) for _ in range(self.pick((0, 1, 2, 4, 5, 6)))))
        return self.thing(depth)

    def attributes(self, key, depth):
        told, mentioned, own = self.words.keys(key)
        parts = []
        if self.chance.random() < 0.3:
            # One thing under every name that `__setstate__` asks for.
            value, kind = self.value(depth), self.words.things[key]
            told = [one for one in told if not callable(getattr(kind, one, None))] or told
            return pairs(*(part for one in told[:60] if one not in WORDS for part in (text(one), value)))
        for _ in range(self.pick((1, 2, 3, 5))):
            names = self.pick((told, told, told, mentioned, own, self.asked))
            parts += [text(self.pick(names)), self.value(depth)]
        return pairs(*parts)

    def value(self, depth):
        kind = self.chance.random()
        if kind < 0.35:
            return self.forged(depth)
        if kind < 0.45:
            return self.called(depth)
        return text(_EVIL) if kind < 0.65 else self.thing(depth)

    def called(self, depth):
        return self.function(depth) if self.chance.random() < 0.5 else self.partial(depth)

    def forged(self, depth):
        """An object that brings what others ask of it."""
        kind = self.pick((("argparse", "Namespace"), ("sklearn.utils._bunch", "Bunch")))
        kinds = (
            self.asked,
            self.chance.sample(self.asked, 3),
            self.permitted,
            self.chance.sample(self.permitted, 3),
        )
        wanted = self.pick(kinds)
        parts = [part for one in wanted if one not in WORDS for part in (text(one), self.called(0))]
        if self.chance.random() < 0.1:
            parts += [text(self.pick(self.asked)), self.thing(depth)]
        if kind[1] == "Bunch":
            return name(*kind) + b")\x81(" + b"".join(parts) + b"u"
        return name(*kind) + b")\x81" + pairs(*parts) + b"b"

    def watched(self, depth):
        """A canary: it tells what is asked of it."""
        del depth
        return name(canary.__name__, "Canary") + b")\x81" if self.words.canaries else b"N"

    def call(self, depth):
        """A call that its rule lets pass, or nearly."""
        key = self.pick(self.words.called)
        rule = self.words.entries[key].arguments
        first = b""
        if rule in _BUILDERS:
            near = [k for k in self.words.classes if k[0] == key[0]]
            first = name(*self.pick(near if near and self.chance.random() < 0.7 else self.words.classes))
        elif rule == "function-first":
            first = self.function(depth)
        elif rule in {"dtype", "latin1", "numbers", "listed-name"}:
            first = text(self.pick(("f8", "O8", "1", "a", "numpy", "x")))
        elif rule in {"scalar", "from-buffer"}:
            first = self.dtype(0)
        elif rule in {"factory", ""}:
            first = self.function(depth)
        args = [first] if first else []
        args += [self.thing(depth) for _ in range(self.pick((0, 1, 1, 2, 3)))]
        if rule == "reconstructor":
            args = [first, name("builtins", "object"), b"N"]
        made = self.pick((
            name(*key) + items(*args) + b"R",
            name(*key) + items(*args) + b"R",
            b"(" + name(*key) + b"".join(args) + b"o",
            b"(" + b"".join(args) + b"i" + f"{key[0]}\n{key[1]}\n".encode(),
        ))  # fmt: skip
        if self.chance.random() < 0.3:
            owner = key if key in self.words.classes else self.pick(self.words.classes)
            made += self.state(owner, depth) + b"b"
        return made

    def changed(self, depth):
        """Items set of, or appended to, something."""
        target = self.pick((self.made, self.call, self.array, self.forged))(depth)
        if self.chance.random() < 0.6:
            return target + self.hashed(depth) + self.value(depth) + b"s"
        return target + b"(" + self.value(depth) + self.pick((b"e", b"\x90"))

    def wrapper(self, depth):
        """One of joblib's arrays."""
        told = pairs(
            text("subclass"), name("numpy", "ndarray"), text("shape"), items(number(1)), text("order"), text("C"),
            text("dtype"), self.dtype(0), text("allow_mmap"), b"\x88", text("numpy_array_alignment_bytes"), b"N",
        )  # fmt: skip
        del depth
        return name(JOBLIB[0], "NumpyArrayWrapper") + b")\x81" + told + b"b" + bytes(8)


_FLAT = ("plain", "plain", "listed", "function", "again", "watched")
_DEEP = (
    "plain", "plain", "listed", "function", "function", "partial", "dtype", "array", "array", "container", "container",
    "made", "made", "made", "made", "made", "forged", "forged", "forged", "watched", "call", "call", "call", "changed",
    "again", "again", "wrapper", "doubled",
)  # fmt: skip


def spans(data):
    """A pickle, and where the values in it begin and end that nothing refers to later."""
    ops = list(pickletools.genops(data))
    ends = [*(at for _, _, at in ops[1:]), len(data)]
    gets = {arg for op, arg, _ in ops if "GET" in op.name}
    stack, found, marks = [], [], []
    for (op, arg, at), end in zip(ops, ends, strict=True):
        if op.name in {"PROTO", "STOP", "FRAME"}:
            continue
        if op.name == "MEMOIZE":
            return None
        if "PUT" in op.name:
            start, _, held = stack[-1]
            stack[-1] = (start, end, held or arg in gets)
            continue
        if op.name == "MARK":
            marks.append((len(stack), at))
            continue
        before, start, taken = len(op.stack_before), at, []
        if pickletools.markobject in op.stack_before:
            height, start = marks.pop()
            taken = stack[height:]
            del stack[height:]
            before = op.stack_before.index(pickletools.markobject)
        if before:
            taken = stack[-before:] + taken
            del stack[-before:]
        found += [(s, e) for s, e, held in taken if not held]
        if op.stack_after:
            stack.append((min([start, *(s for s, _, _ in taken)]), end, any(held for _, _, held in taken)))
    return (data, found) if found else None


def dumped(thing):
    out = io.BytesIO()
    pickle.Pickler(out, 2).dump(thing)
    return out.getvalue()
