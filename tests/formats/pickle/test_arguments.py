from __future__ import annotations

import pickle

import pytest

from lockflight.core.findings import Verdict
from tests.formats.pickles import judge, rules, shipped, short, stack_global, verdict

GOOD = [
    b"c_codecs\nencode\n(Vabc\nVlatin1\ntR.",
    b"ccopy_reg\n_reconstructor\n(ccollections\nCounter\nc__builtin__\ndict\n(dtR.",
    b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR.",
    b"c__builtin__\nbytearray\n(c_codecs\nencode\n(Vabc\nVlatin1\ntRtR.",
    b"\x80\x03cbuiltins\nbytearray\nC\x01a\x85R.",
    b"c__builtin__\nbytearray\n(Vabc\nVlatin-1\ntR.",
    b"c__builtin__\nbytes\n(tR.",
    b"c__builtin__\ntype\n(NtR.",
    b"c__builtin__\nset\n((lI1\naI2\natR.",
    b"ccollections\ndefaultdict\n(c__builtin__\nlist\ntR.",
    b"ccollections\ndefaultdict\n(tR.",
    b"cfractions\nFraction\n(V-3/4\ntR.",
    b"cdecimal\nDecimal\n(V1.5E+3\ntR.",
    b"cdatetime\ntimezone\n(cdatetime\ntimedelta\n(I0\nI3600\nI0\ntRtR.",
    b"cfunctools\npartial\n(cnumpy\nadd\ntR(cnumpy\nadd\n(I1\nt(dNtb.",
    b"cnumpy.random._pickle\n__generator_ctor\n(VPCG64\ncnumpy.random._pickle\n__bit_generator_ctor\ntR.",
    b"ctypes\nSimpleNamespace\n(tR(dVa\nI1\nsb.",
]
CALLS = b"cfunctools\npartial\n(c_codecs\nencode\ntR"
BAD = [
    b"c_codecs\nencode\n(Vabc\nVutf7\ntR.",
    b"c_codecs\nencode\n(Vabc\ntR.",
    b"c_codecs\nencode\n(I1\nVlatin1\ntR.",
    b"c_codecs\nencode\nNR.",
    b"ccopy_reg\n_reconstructor\n(ccollections\nCounter\nNNtR.",
    b"ccopy_reg\n_reconstructor\n(cnumpy\nadd\nc__builtin__\nobject\nNtR.",
    b"ccopy_reg\n_reconstructor\n(NtR.",
    b"cnumpy.core.multiarray\n_reconstruct\n(NNNtR.",
    b"cnumpy.core.multiarray\n_reconstruct\n(tR.",
    b"\x80\x03cbuiltins\nbytearray\nJ\xff\xff\xff\x7f\x85R.",
    b"c__builtin__\ntype\n(I1\ntR.",
    # What calls, iterates or counts without end what it is given.
    b"cnumpy.random._pickle\n__generator_ctor\n(Vx\nc__builtin__\nsum\ntR.",
    b"cnumpy.random._pickle\n__generator_ctor\n(Vx\n" + CALLS + b"tR.",
    b"cnumpy.random._pickle\n__randomstate_ctor\n(Vx\nc__builtin__\nbytearray\ntR.",
    CALLS + b".",
    b"cfunctools\npartial\n(csklearn.utils._bunch\nBunch\n)\x81tR.",
    b"cfunctools\npartial\n(cnumpy\nadd\ntR(csklearn.utils._bunch\nBunch\n)\x81(t(dNtb.",
    b"cfunctools\npartial\n(cnumpy\nadd\ntRNb.",
    b"ctypes\nSimpleNamespace\n(I1\ntR.",
    b"ccollections\ndefaultdict\n(csklearn.utils._bunch\nBunch\n)\x81tR.",
    b"ccollections\ndeque\n(citertools\ncount\n(tRtR.",
    b"c__builtin__\nset\n(c__builtin__\nxrange\n(L1099511627776L\ntRtR.",
    b"cfractions\nFraction\n(V1e2000000000\ntR.",
    b"cfractions\nFraction\n(cdecimal\nDecimal\n(V1e900000000\ntRtR.",
    b"\x80\x04cbuiltins\ntype\n(Vx\n)}t\x81.",
    b"\x80\x04ccollections\ndeque\n)}\x92.",
    b"csklearn.neighbors._kd_tree\nnewObj\n(cpandas.core.indexes.base\nIndex\ntR.",
    b"ccopy_reg\n_reconstructor\n(ccollections\nCounter\nc__builtin__\ndict\ncsklearn.utils._bunch\nBunch\n)\x81tR.",
]


@pytest.mark.parametrize("stream", GOOD)
def test_the_arguments_that_picklers_write(stream):
    assert judge(stream).issues == ()


@pytest.mark.parametrize("stream", BAD)
def test_other_arguments(stream):
    assert "pickle:arguments" in rules(judge(stream))


def test_arguments_that_are_not_kept_are_unknown():
    report = judge(b"c_codecs\nencode\n(" + b"N" * 65 + b"tR.")
    assert (rules(report), verdict(report)) == ({"pickle:arguments"}, Verdict.UNKNOWN)


def test_a_tuple_from_long_ago_is_not_kept(monkeypatch):
    from lockflight.formats.pickle import state, turns

    monkeypatch.setattr(state, "RECENT", 10)
    monkeypatch.setattr(turns, "CHUNK", 64)
    old = b"\x80\x04c_codecs\nencode\n" + b"\x8c\x01a\x8c\x06latin1\x86\x94" + b"R" + b"N\x940" * 200
    assert judge(old + b"0N.").issues == ()
    again = judge(old + b"0c_codecs\nencode\nh\x00R.")
    assert (rules(again), verdict(again)) == ({"pickle:arguments"}, Verdict.UNKNOWN)


def test_every_rule_is_used_by_the_shipped_list():
    from lockflight.formats.pickle.arguments import RULES

    used = {entry.arguments for entry in shipped().entries.values()} - {""}
    assert used | {"listed-name"} == set(RULES)


def test_a_ufunc_by_its_name():
    from lockflight.formats.pickle.allow import AllowList, Entry

    allow = AllowList({("r", "ufunc"): Entry("callable", "listed-name"), ("numpy", "add"): Entry("value")})
    assert judge(b"cr\nufunc\n(S'numpy'\nS'add'\ntR.", allow).issues == ()
    assert rules(judge(b"cr\nufunc\n(S'os'\nS'system'\ntR.", allow)) == {"pickle:arguments"}
    assert rules(judge(b"cr\nufunc\n(NNtR.", allow)) == {"pickle:arguments"}
    assert rules(judge(b"cr\nufunc\n(tR.", allow)) == {"pickle:arguments"}


OBJECT = stack_global("sklearn.utils._bunch", "Bunch") + b")\x81"
VALUE = stack_global("numpy", "mean")
WORD = "__setstate__"


@pytest.mark.parametrize(
    "word",
    [
        short(WORD),
        b"X\x0c\0\0\0" + WORD.encode(),
        b"\x8d\x0c\0\0\0\0\0\0\0" + WORD.encode(),
        b"V" + WORD.encode() + b"\n",
        b"V\\u005f_setstate__\n",
        b"S'" + WORD.encode() + b"'\n",
        b"S'_\\x5fsetstate__'\n",
        b"S'\\137_setstate__'\n",
        b"U\x0c" + WORD.encode(),
    ],
)
@pytest.mark.parametrize("at", [0, 262_100, 262_140, 262_144])
def test_no_object_gets_a_setstate_of_its_own(word, at):
    """CPython's second BUILD would call it: whatever is listed, with whatever argument."""
    before = b"N0" * (at // 2)
    stream = b"\x80\x04" + before + OBJECT + b"}" + word + VALUE + b"sb]K\x01ab."
    assert rules(judge(stream)) >= {"pickle:attribute"}


def test_a_text_about_setstate_is_a_text():
    assert judge(b"\x80\x04" + short("def __setstate__(self, state):") + b".").issues == ()


@pytest.mark.parametrize("end", [b"K\x01a.", b"(K\x01e.", b"(K\x01\x90."])
def test_nothing_is_appended_to_an_object(end):
    """Its `append`, `extend` or `add` may have come with its state."""
    state = b"}" + short("append") + VALUE + b"sb"
    assert "pickle:use" in rules(judge(b"\x80\x04" + OBJECT + state + end))


FRAME = stack_global("pandas", "DataFrame") + b")\x81"


@pytest.mark.parametrize(
    "body",
    [
        # What a class does with arguments, an object as a state, items of an object, what a partial calls.
        stack_global("numpy", "ndarray") + b"K\x01\x85" + short("O") + b"\x86\x81",
        stack_global("numpy", "matrix") + OBJECT + b"\x85\x81",
        OBJECT + OBJECT + b"b",
        FRAME + b"K\x00K\x01s",
        b"cfunctools\npartial\n(csklearn.utils._bunch\nBunch\ntR",
        b"cfunctools\npartial\n(cnumpy\nadd\ntR(cnumpy\nadd\n(" + OBJECT + b"t(dNtb",
    ],
)
def test_what_picklers_never_write_about_objects(body):
    assert rules(judge(b"\x80\x04" + body + b".")) & {"pickle:arguments", "pickle:use"}


@pytest.mark.parametrize("word", ["__class__", "__dict__", "__array__", "__array_interface__", "_build_f"])
def test_an_attribute_that_others_believe(word):
    stream = b"\x80\x04" + OBJECT + b"}" + short(word) + b"K\x01sb."
    assert (rules(judge(stream)), verdict(judge(stream))) == ({"pickle:attribute"}, Verdict.UNKNOWN)


def numpy_text(word):
    """`numpy.str_` of a word that only stands there as escaped bytes."""
    width = len(word)
    kind = b"cnumpy\ndtype\n(" + short(f"U{width}") + b"\x89\x88tR(K\x03" + short("<") + b"NNN"
    kind += b"K" + bytes([4 * width]) + b"K\x04K\x08tb"
    told = "".join(f"{letter}\\u0000\\u0000\\u0000" for letter in word)
    return (
        b"cnumpy.core.multiarray\nscalar\n("
        + kind
        + b"c_codecs\nencode\n(V"
        + told.encode()
        + b"\nVlatin1\ntRtR"
    )


def test_a_text_of_numpy_as_the_name_of_an_attribute():
    """It equals the word, and is an attribute's name to Python."""
    stream = OBJECT + b"}" + numpy_text(WORD) + VALUE + b"sb."
    assert (rules(judge(stream)), verdict(judge(stream))) == ({"pickle:attribute"}, Verdict.UNKNOWN)
    assert judge(b"}" + numpy_text(WORD) + b"K\x01s.").issues == ()


@pytest.mark.parametrize("word", ["__class__", "__setstate__", "__array__", "free_network"])
@pytest.mark.parametrize("protocol", range(6))
def test_a_vocabulary_may_hold_any_word(word, protocol):
    vocabulary = {f"token{i}": i for i in range(300)} | {word: 7}
    for thing in (
        {"vocabulary": vocabulary, "tokens": [word, (word, 1)]},
        {word: [1]},
        [{word: {word: word}}],
    ):
        assert judge(pickle.dumps(thing, protocol)).issues == ()
    told = b"}" + short("vocabulary_") + b"}" + short(word) + b"K\x01ssb."
    assert judge(OBJECT + told).issues == ()


PARTIAL = b"cfunctools\npartial\n(cnumpy\nmean\ntR(cnumpy\nmean\n)}Ntb"
FRAME_OF = stack_global("argparse", "Namespace") + b")\x81"


@pytest.mark.parametrize(
    "body",
    [
        FRAME_OF + b"}" + short("astype") + VALUE + b"sb",
        FRAME_OF + b"}" + short("astype") + PARTIAL + b"sb",
        FRAME_OF + b"N}" + short("pop") + VALUE + b"s\x86b",
        FRAME_OF + b"}" + short("keys") + stack_global("joblib.memory", "Memory") + b"sb",
        FRAME_OF + b"(" + short("dtype_") + VALUE + b"dq\x05bh\x05" + short("copy") + VALUE + b"s",
        FRAME_OF + b"}q\x05bh\x05" + short("copy") + VALUE + b"s",
        OBJECT + short("astype") + VALUE + b"s",
        FRAME_OF + b"}" + short("tolist") + stack_global("operator", "itemgetter") + b"K\x00\x85Rsb",
        b"cfunctools\npartial\n(cnumpy\nmean\ntR(cnumpy\nmean\n)}}" + short("x") + VALUE + b"stb",
    ],
)
def test_what_others_could_call(body):
    assert (rules(judge(body + b".")), verdict(judge(body + b"."))) == ({"pickle:attribute"}, Verdict.UNKNOWN)


@pytest.mark.parametrize(
    "body",
    [
        b"]cbuiltins\ngetattr\na",
        b"]cbuiltins\ngetattr\nq\x05ah\x05a",
        b"}" + short("x") + stack_global("numpy._core.multiarray", "_reconstruct") + b"s",
    ],
)
def test_what_only_the_stream_may_call(body):
    assert (rules(judge(body + b".")), verdict(judge(body + b"."))) == ({"pickle:use"}, Verdict.UNKNOWN)


@pytest.mark.parametrize(
    "body",
    [
        FRAME_OF + b"}" + short("func") + VALUE + b"sb",
        FRAME_OF + b"}" + short("metric") + PARTIAL + b"sb",
        FRAME_OF + b"}" + short("anything") + stack_global("numpy", "float64") + b"sb",
        b"]" + VALUE + b"a" + PARTIAL + b"a",
        OBJECT + b"}" + short("x") + b"}" + short("astype") + VALUE + b"ssb",
    ],
)
def test_what_real_objects_hold(body):
    assert judge(body + b".").issues == ()


def test_an_argument_is_looked_at_at_every_call():
    """The first call of a kind has none."""
    kind = stack_global("sklearn.tree._classes", "DecisionTreeClassifier")
    assert rules(judge(kind + b")\x810" + kind + OBJECT + b"\x85\x81.")) == {"pickle:arguments"}
    assert rules(judge(stack_global("numpy", "ndarray") + b"K\x05\x85\x81.")) == {"pickle:arguments"}


@pytest.mark.parametrize("close", [b"\x86", b"t", b"\x91"])
@pytest.mark.parametrize("before", [0, 40_000])
def test_tuples_that_share_each_other(close, before):
    open_, join = (b"", b"\x86") if close == b"\x86" else (b"(", close)
    bomb = b"N0" * (before // 2) + b")"
    for i in range(60):
        bomb += b"q" + bytes([i]) + b"0" + open_ + b"h" + bytes([i]) + b"h" + bytes([i]) + join
    found = judge(b"\x80\x04}" + bomb + b"Ns.")
    assert (rules(found), verdict(found)) == ({"pickle:budget"}, Verdict.UNKNOWN)


def test_tuples_that_are_used_again_and_again_are_no_harm():
    shared = tuple((i, str(i)) for i in range(20))
    things = [shared, (shared, shared)] * 2_000 + [{(shared, i): shared} for i in range(500)]
    for protocol in range(6):
        assert judge(pickle.dumps(things, protocol)).issues == ()


def test_a_function_under_a_name_where_models_hold_functions_needs_no_second_look():
    model = stack_global("sklearn.preprocessing._function_transformer", "FunctionTransformer") + b")\x81"
    for name, expected in (("func", set()), ("validate", {"pickle:attribute"})):
        body = b"\x80\x04" + model + b"}(" + short(name) + stack_global("numpy", "log1p") + b"ub."
        assert rules(judge(body)) == expected
