"""Formats that hold nothing of another format, and the books that are kept about an asset.

Readers are loaded with the first file that they are for: all of them together take longer than a hundred pickles.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lockflight.core.findings import Verdict
from lockflight.core.source import BytesSource, Window
from lockflight.formats.archive.inflate import MAX_OUTPUT, MAX_RATIO, RATIO_FREE
from lockflight.formats.pickle.records import Budget
from lockflight.formats.pickle.streams import Aside, PickleReport, Streams, aside_of, finish
from lockflight.formats.report import Issue, Issues, join_member, shown
from lockflight.formats.sniff import sniff

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lockflight.core.source import ByteSource
    from lockflight.formats.archive.zip import Member
    from lockflight.formats.pickle.allow import AllowList
    from lockflight.formats.tensors.hdf5 import Attribute

#: What all members of one asset may inflate to: together, and as a multiple of its bytes once past what is free.
MAX_INFLATED = 2 * MAX_OUTPUT
INFLATED_FREE = 2 * RATIO_FREE
#: TorchScript's own reader finds these names in the archive; Python has no such modules.
SCRIPT_NAMES = ("__torch__.", "torch.jit._pickle.")
_ONNX_KEYS = frozenset({"irVersion", "ir_version", "opsetImport", "opset_import"})
#: Attributes of HDF5 files that Keras builds from, and whether they describe the model itself.
_KERAS_TEXTS = {"model_config": True, "training_config": False}


class Single:
    """Judges what lies in one piece; collects issues, counts and what was left unjudged."""

    def __init__(self, allow: AllowList) -> None:
        self.allow = allow
        self.issues = Issues()
        self.budget = Budget()
        #: The file that is looked at, and its first stream as a pickle once that was run.
        self._looked: ByteSource | None = None
        self._streams: Streams | None = None
        self.inflated = MAX_INFLATED
        self.opcodes = 0
        self.unjudged = 0
        self.over_budget = ""

    # -- bookkeeping --

    def limit(self, size: int) -> None:
        """Set what may be inflated of a file: many small streams are as much a bomb as one large one."""
        self.inflated = min(MAX_INFLATED, INFLATED_FREE + MAX_RATIO * size)

    def add(
        self, rule: str, verdict: Verdict, message: str, member: str, *, offset: int = -1, subject: str = ""
    ) -> None:
        """Keep one issue."""
        self.take([Issue(rule, verdict, message, offset, subject=subject)], member)

    def take(self, issues: Iterable[Issue], member: str) -> bool:
        """Keep issues of something inside `member`; whether it could be judged."""
        judged = True
        for issue in issues:
            self.issues.add(replace(issue, member=join_member(member, issue.member)))
            judged = judged and issue.verdict is not Verdict.UNKNOWN
            if issue.rule.endswith(":budget") or issue.rule in {"compressed:bomb", "file:nesting"}:
                self.over_budget = issue.message
        return judged

    def parsed(self, issues: Iterable[Issue], source: ByteSource, member: str) -> None:
        """Keep what a parser said; what is unknown was not judged."""
        if not self.take(issues, member):
            self.unjudged += source.size

    def run_pickle(
        self, source: ByteSource, member: str, *, torch: bool, script: bool = False, joblib: bool = True
    ) -> PickleReport:
        """Judge what is unpickled; `joblib`, where that may load it."""
        if torch or not joblib:
            streams = Streams(source, self.allow, self.budget, torch=torch, joblib=False)
        else:
            streams = self._begun(source)
        report = finish(streams)
        self.take((i for i in report.issues if not (script and i.subject.startswith(SCRIPT_NAMES))), member)
        self.opcodes += report.opcodes
        if not report.complete:
            self.unjudged += source.size - report.judged
        return report

    def _look(self, source: ByteSource) -> str:
        """What a file is; as a pickle it runs once, whoever asks."""
        self._looked, self._streams = source, None
        return sniff(source, lambda: self._begun(source))

    def _begun(self, source: ByteSource) -> Streams:
        if self._streams is None or self._looked is not source:
            self._looked, self._streams = source, Streams(source, self.allow, self.budget)
        return self._streams

    def _aside(self, source: ByteSource, member: str) -> Aside:
        """What a file that is something else would do if it were unpickled."""
        aside = aside_of(self._begun(source))
        if aside.over:
            message = f"The file may also be a pickle, which cannot be followed to its end: {aside.over}."
            self.add("pickle:budget", Verdict.UNKNOWN, message, member)
        return aside

    # -- formats --

    def npy(self, source: ByteSource, member: str, depth: int) -> None:
        """An array; one of objects is a pickle."""
        del depth
        from lockflight.formats.tensors.npy import parse_npy

        array = parse_npy(source)
        self.parsed(array.issues, source, member)
        if array.objects:
            self.run_pickle(
                Window(source, array.data, source.size - array.data, source.name),
                member,
                torch=False,
                joblib=False,
            )

    def safetensors(self, source: ByteSource, member: str, depth: int) -> None:
        """Tensors with a header."""
        del depth
        from lockflight.formats.tensors.safetensors import parse_safetensors

        self.parsed(parse_safetensors(source).issues, source, member)

    def gguf(self, source: ByteSource, member: str, depth: int) -> None:
        """A model with pairs, one of which may be a template."""
        del depth
        from lockflight.formats.chat.template import MAX_TEMPLATES, check_template
        from lockflight.formats.render.meter import Meter
        from lockflight.formats.tensors.gguf import parse_gguf

        found = parse_gguf(source)
        self.parsed(found.issues, source, member)
        if len(found.templates) > MAX_TEMPLATES:
            message = "The file has more chat templates than are read."
            self.add("gguf:budget", Verdict.UNKNOWN, message, member, subject="chat templates")
        meter = Meter()
        for key, template in list(found.templates.items())[:MAX_TEMPLATES]:
            self.take(check_template(template, meter=meter), join_member(member, shown(key, 200)[1:-1]))

    def sentencepiece(self, source: ByteSource, member: str, depth: int) -> None:
        """A tokenizer."""
        del depth
        from lockflight.formats.graphs.protobuf import check_sentencepiece

        self.parsed(check_sentencepiece(source), source, member)

    def json(self, source: ByteSource, member: str, depth: int) -> None:
        """A configuration."""
        del depth
        from lockflight.formats.keras import check_value, is_config, keras_tables
        from lockflight.formats.settings.jsontext import read_json

        value, issues = read_json(source)
        if is_config(value):
            # What Keras's model_from_json takes.
            issues += check_value(value, keras_tables(self.allow.tables["keras"]))
        if isinstance(value, dict) and "graph" in value and not _ONNX_KEYS.isdisjoint(value):
            message = "The document is an ONNX model as JSON, which this version does not judge."
            issues += (Issue("file:unsupported", Verdict.UNKNOWN, message, subject="onnx"),)
        self.parsed(issues, source, member)

    def yaml(self, source: ByteSource, member: str, depth: int) -> None:
        """A configuration."""
        del depth
        from lockflight.formats.settings.yamltext import check_yaml

        self.parsed(check_yaml(source), source, member)
        self._rendered(source, member)
        self._by_name(source, member)

    def text(self, source: ByteSource, member: str, depth: int) -> None:
        """Words."""
        del depth
        from lockflight.formats.plaintext import check_text

        self.parsed(check_text(source), source, member)
        self._rendered(source, member)
        self._by_name(source, member)

    def _by_name(self, source: ByteSource, member: str) -> None:
        """What a loader reads from a text because of its name."""
        base = source.name.rsplit("/", 1)[-1].lower()
        if base in {"readme.md", ".huggingface.yaml"}:
            from lockflight.formats.settings.datacard import check_card

            self.take(check_card(source), member)
        elif base in {"pickle_module_info.txt", "keras_module.txt"}:
            from lockflight.formats.settings.mlmodel import check_module_name

            self.take(check_module_name(source), member)

    def boosters(self, source: ByteSource, member: str) -> None:
        """Trees in a text of any name: their loaders go by what it holds."""
        from lockflight.formats.boosters import check_lightgbm, is_xgboost
        from lockflight.formats.settings.jsontext import MAX_BYTES, read_json

        self.parsed(check_lightgbm(source), source, member)
        head = source.read_at(0, MAX_BYTES)
        if is_xgboost(head):
            value, issues = read_json(source)
            found = [issue for issue in issues if issue.rule.startswith("trees:")]
            if value is None and b'"learner"' in head:
                found += issues
            self.parsed(found, source, member)

    def _rendered(self, source: ByteSource, member: str) -> None:
        """A text that somebody may render: what is no template, or a harmless one, is none of our business."""
        from lockflight.formats.jinja.lexer import MAX_TEMPLATE

        if source.size > MAX_TEMPLATE:
            return
        data = source.read_at(0, source.size)
        if b"{{" in data or b"{%" in data:
            from lockflight.formats.chat.rendered import check_rendered

            self.take(check_rendered(data.decode("utf-8", "replace")), member)

    def jinja(self, source: ByteSource, member: str, depth: int) -> None:
        """A template."""
        del depth
        from lockflight.formats.chat.rendered import check_file
        from lockflight.formats.jinja.lexer import MAX_TEMPLATE
        from lockflight.formats.plaintext import check_text

        self.parsed(check_text(source), source, member)
        text = source.read_at(0, MAX_TEMPLATE + 1).decode("utf-8", "replace")
        self.take(check_file(source.name.rsplit("/", 1)[-1], text), member)

    def markup(self, source: ByteSource, member: str, depth: int) -> None:
        """XML and pages of HTML."""
        del depth
        from lockflight.formats.xmltext import check_xml

        self.parsed(check_xml(source), source, member)
        self._rendered(source, member)

    def graph_text(self, source: ByteSource, member: str, depth: int) -> None:
        """A graph that is written as text, or settings in the same language."""
        del depth
        from lockflight.formats.graphs.textual import check_graph_text

        self.parsed(check_graph_text(source), source, member)

    def mlmodel(self, source: ByteSource, member: str, depth: int) -> None:
        """The description of a model of MLflow."""
        del depth
        from lockflight.formats.settings.mlmodel import check_mlmodel

        self.parsed(check_mlmodel(source), source, member)

    def onnx(self, source: ByteSource, member: str, depth: int) -> None:
        """A graph of operators."""
        del depth
        from lockflight.formats.graphs.onnx import onnx_tables, parse_onnx

        self.parsed(parse_onnx(source, onnx_tables(self.allow.tables["onnx"])).issues, source, member)

    def saved_model(self, source: ByteSource, member: str, depth: int) -> None:
        """Graphs of TensorFlow with what surrounds them."""
        del depth
        from lockflight.formats.graphs.tensorflow import check_graph, tensorflow_tables

        tables = tensorflow_tables(self.allow.tables["tensorflow"])
        self.parsed(check_graph(source, tables, saved=True), source, member)

    def graph(self, source: ByteSource, member: str, depth: int) -> None:
        """One graph of TensorFlow."""
        del depth
        from lockflight.formats.graphs.tensorflow import check_graph, tensorflow_tables

        tables = tensorflow_tables(self.allow.tables["tensorflow"])
        self.parsed(check_graph(source, tables, saved=False), source, member)

    def hdf5(self, source: ByteSource, member: str, depth: int) -> None:
        """Arrays in groups, with texts that Keras builds a model from."""
        del depth
        from lockflight.formats.tensors.hdf5 import parse_hdf5

        found = parse_hdf5(source)
        self.parsed(found.issues, source, member)
        for attribute in found.texts:
            place = join_member(member, shown(f"{attribute.path}@{attribute.name}", 200)[1:-1])
            self._hdf5_text(attribute, place, source.size)

    def _hdf5_text(self, attribute: Attribute, member: str, size: int) -> None:
        if attribute.name in _KERAS_TEXTS:
            from lockflight.formats.keras import check_config, keras_tables

            tables = keras_tables(self.allow.tables["keras"])
            model = _KERAS_TEXTS[attribute.name]
            self.take(check_config(attribute.value, tables, model=model, size=size), member)
        # PyTables takes a text that ends in a dot for a pickle.
        if attribute.value.endswith(b"."):
            aside = self._aside(BytesSource(attribute.value, attribute.name), member)
            if aside.stops and aside.names:
                message = f"The attribute is also a pickle, which imports {aside.names[0]}."
                self.add("file:polyglot", Verdict.MALICIOUS, message, member, subject=aside.names[0])

    def keras_config(self, source: ByteSource, member: str, size: int) -> None:
        """The configuration of a model in an archive of Keras of `size` bytes."""
        from lockflight.formats.keras import MAX_CONFIG, check_config, keras_tables

        data = source.read_at(0, MAX_CONFIG + 1)
        tables = keras_tables(self.allow.tables["keras"])
        self.parsed(check_config(data, tables, size=size), source, member)

    def nothing(self, source: ByteSource, member: str, depth: int) -> None:
        """Numbers: there is nothing to judge."""


def inside(member: str, found: Member) -> str:
    """The path of a member, in a form that is safe to print."""
    return join_member(member, shown(found.name, 200)[1:-1])
