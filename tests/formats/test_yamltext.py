from __future__ import annotations

import pytest

from lockflight.core.findings import Verdict
from lockflight.formats.settings import yamltext
from lockflight.formats.settings.yamltext import check_yaml
from tests.formats.files import rules, source, verdict

TAGS = {
    "apply": "a: !!python/object/apply:os.system ['true']",
    "name": "a: !!python/name:os.system",
    "local": "a: !python/x y",
    "verbatim": "a: !<tag:yaml.org,2002:python/object/new:os.system> x",
    "percent": "a: !!py%74hon/object/apply:os.system ['true']",
    "directive": "%TAG ! tag:yaml.org,2002:python/\n---\na: !object x",
    "directive behind CR": "# a\r%TAG ! tag:yaml.org,2002:py\r---\ra: !thon/name:os.system\r",
    "directive behind BOM": "\ufeff%TAG !e! tag:yaml.org,2002:pyth\n---\na: !e!on/name:os.system\n",
    "directive behind NEL": "# a\x85%TAG ! tag:yaml.org,2002:py\x85---\x85a: !thon/name:os.system\n",
    "directive behind a separator": "# a\u2028%TAG ! tag:yaml.org,2002:py\n---\na: !thon/name:os.system\n",
    "second document": "a: 1\n---\nb: [{c: !!python/name:os.system}]\n",
    "key": "{? !!python/name:os.system x : 1}",
    "broken": "a: [!!python/name:os.system\n",
}
TARGETS = {
    "plain": "a:\n  _target_: os.getpid\n",
    "folded": "a:\n  _target_: >-\n    os.getpid\n",
    "block": "a:\n  _target_: |-\n    os.getpid\n",
    "tag": "a:\n  _target_: !!str os.getpid\n",
    "anchor": "a:\n  _target_: &q os.getpid\n",
    "alias": "x: &q os.getpid\na:\n  _target_: *q\n",
    "long key": "a:\n  ? _target_\n  : os.getpid\n",
    "CR": "a:\r  _target_: os.getpid\r",
    "escapes": 'a:\n  "\\x5ftarget_": "\\x6fs.getpid"\n',
    "key as an alias": "k: &k _target_\na:\n  *k : os.getpid\n",
    "key as a block": "a:\n  ? >-\n    _target_\n  : os.getpid\n",
    "key with a tag": "a: {!!str _target_: os.getpid}\n",
    "behind a comment": "a:\n  _target_: # the class\n    os.getpid\n",
    "continued": 'a:\n  _target_: "\\\n    os.getpid"\n',
    "merged": "base: &b {_target_: os.getpid}\na:\n  <<: *b\n",
    "class_path": "a:\n  class_path: os.system\n  init_args: {command: 'true'}\n",
    "target with params": "a:\n  target: os.system\n  params: {command: 'true'}\n",
}
COMPUTED = {
    "interpolated": "a:\n  _target_: ${x}\nx: os.getpid\n",
    "in part": "a:\n  _target_: o${x}.getpid\nx: s\n",
    "decoded": 'a: ${oc.decode:"{${k}${l}: os.getpid}"}\nk: _tar\nl: get_\n',
    "a key on two lines": 'a:\n  "_tar\\\nget_": os.getpid\n',
    "a resolver with a computed name": "a: ${oc.${n}:x}\nn: decode\n",
    "a name of two parts": 'r: oc\ns: create\nx: "${${r}.${s}:{_target_: os.getpid}}"\n',
    "a name of items": 'r: {a: oc}\ns: {b: create}\nx: "${${r[a]}.${s[b]}:{_target_: os.getpid}}"\n',
    "behind a tab": 'x: "${\\toc.create:{_target_: os.getpid}}"\n',
    "behind a tab of its own": "x: '${\toc.create:{k: v}}'\n",
}
ORDINARY = {
    "words": "# about python\nlibrary: scikit-learn\nscript: 'python x.py'\nlist: [1, 2]\n",
    "a comment": "# _target_: os.system\na: 1  # !!python/name:os.system\n",
    "a text": "a: 'write !!python/object to see it fail!'\nb: \"Hello!\"\n",
    "standard tags": "a: !!str 1\nb: !!float 1\nc: !!binary aGk=\nd: !!set {x}\n",
    "tags of an application": "a: !Ref Bucket\nb: !include other.yaml\n",
    "interpolations": "a: ${b}\nb: ${oc.env:HOME,x}\nc: ${d.${a}}\n",
    "a script": "run: |\n  echo ${A:-b} ${c%%:*} ${#d} ${{ matrix.x && 'y:z' }}\n",
    "settings of others": "a: ${b.${c}}\nd: ${oc.select:e,${f}}\ng: ${now:%Y}\n",
    "a target of a build": "target: os.arch\nclass_path: lib.main\n",
    "a directive": "%YAML 1.1\n---\na: 1\n",
    "separators": "a: 'x\u2028y'\nb: \x85\n",
    "documents": "a: 1\n---\nb: 2\n...\n",
    "a template": "a: {{ value }}\n{% if b %}\nb: Hello!\n{% endif %}\n",
}


@pytest.mark.parametrize("name", TAGS)
def test_tags_that_build_objects(name):
    issues = check_yaml(source(TAGS[name].encode()))
    assert verdict(issues) is Verdict.MALICIOUS
    assert rules(issues) == {"yaml:tag"}


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_is_found_however_it_is_written(name):
    issues = check_yaml(source(TARGETS[name].encode()))
    assert verdict(issues) is Verdict.MALICIOUS
    assert rules(issues) == {"config:target"}


@pytest.mark.parametrize("name", COMPUTED)
def test_a_target_that_is_computed_is_unknown(name):
    assert verdict(check_yaml(source(COMPUTED[name].encode()))) is Verdict.UNKNOWN


@pytest.mark.parametrize("name", ORDINARY)
def test_ordinary_yaml(name):
    assert check_yaml(source(ORDINARY[name].encode())) == ()


def test_a_target_of_a_library_is_for_a_person():
    issues = check_yaml(source(b"model:\n  _target_: nemo.Model\n  other: 1\n"))
    assert rules(issues) == {"config:target"}
    assert verdict(issues) is Verdict.REVIEW
    assert issues[0].subject == "nemo.Model"


def test_a_tag_for_other_languages_is_for_a_person():
    issues = check_yaml(source(b"a: !!javax.script.ScriptEngineManager [x]\n"))
    assert verdict(issues) is Verdict.REVIEW
    pages = check_yaml(source(b"a: !!python/name:material.extensions.emoji.twemoji\n"))
    assert verdict(pages) is Verdict.REVIEW


def test_what_is_not_utf8_is_unknown():
    for encoding in ("utf-16", "utf-16-be", "utf-32"):
        text = "a: !!python/name:os.system\n".encode(encoding)
        assert verdict(check_yaml(source(text))) is Verdict.UNKNOWN


def test_size_and_depth_are_budgeted(monkeypatch):
    deep = "a: " + "[" * 300 + "!!str _target_" + "]" * 300
    assert verdict(check_yaml(source(deep.encode()))) is Verdict.UNKNOWN
    monkeypatch.setattr(yamltext, "MAX_COMPOSED", 30)
    assert check_yaml(source(b"word: " + b"x" * 50 + b" Hello!")) == ()
    assert rules(check_yaml(source(b"word: " + b"x" * 50 + b" !y z"))) == {"json:budget"}
    monkeypatch.setattr(yamltext, "MAX_YAML", 3)
    assert rules(check_yaml(source(b"a: 1"))) == {"json:budget"}


def test_aliases_in_aliases_cost_no_more_than_they_take():
    lines = ["a0: &a0 [!!str _target_]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 30)]
    assert check_yaml(source("\n".join(lines).encode())) == ()
