from __future__ import annotations

import pytest

from lockflight.core.findings import Verdict
from lockflight.core.source import BytesSource
from lockflight.formats.settings.datacard import check_card
from tests.formats.files import rules, verdict


def card(front: str, name: str = "README.md") -> BytesSource:
    return BytesSource(front.encode(), name)


LEADS_OUT = {
    "absolute": "---\nconfigs:\n- config_name: a\n  data_files:\n  - split: train\n    path: /etc/passwd\n---\n# x\n",
    "parent": "---\nconfigs:\n- data_files: '../secret.txt'\n---\n",
    "in the middle": "---\nconfigs:\n- data_files: [a.csv, data/../../b.csv]\n---\n",
    "home": "---\nconfigs:\n- data_files: {train: ~/a.csv}\n---\n",
    "windows": "---\nconfigs:\n- data_dir: 'C:\\\\x'\n---\n",
    "backslashes": "---\nconfigs:\n- data_dir: '..\\\\x'\n---\n",
    "file": "---\nconfigs:\n- data_files: file:///etc/passwd\n---\n",
    "chained": "---\nconfigs:\n- data_files: zip://a.csv::/etc/x.zip\n---\n",
    "fetched and out": "---\nconfigs:\n- data_files: https://example.org/../a::x\n---\n",
    "escapes": '---\nconfigs:\n- "data\\x5ffiles": "\\x2fetc/passwd"\n---\n',
    "alias": "---\nx: &p /etc/passwd\nconfigs:\n- data_files: *p\n---\n",
    "CR": "---\rconfigs:\r- data_files: /etc/passwd\r---\r# x",
    "no end": "---\nconfigs:\n- data_files: /etc/passwd\n",
    "separator": "---\u2028configs:\u2028- data_files: /etc/passwd\u2028---\u2028",
}
ORDINARY = {
    "beside": "---\nconfigs:\n- config_name: a\n  data_files:\n  - split: train\n    path: data/train-*.parquet\n---\n",
    "by split": "---\nconfigs:\n- data_files: {train: 'data/**', test: [a.csv, b..c.csv]}\n  data_dir: data\n---\n",
    "no front": "# data\n\ndata_files: /etc/passwd\n",
    "in the text": "---\nlicense: mit\n---\nUse data_files: ../x\n---\n",
    "other paths": "---\nlicense: mit\nlink: https://example.org\nhomepage: /x\n---\n",
    "empty": "---\n---\n",
}


@pytest.mark.parametrize("name", LEADS_OUT)
def test_a_card_that_leads_out_of_the_folder(name):
    issues = check_card(card(LEADS_OUT[name]))
    assert verdict(issues) is Verdict.MALICIOUS
    assert rules(issues) == {"config:path"}


@pytest.mark.parametrize("name", ORDINARY)
def test_an_ordinary_card(name):
    assert check_card(card(ORDINARY[name])) == ()


@pytest.mark.parametrize(
    "path", ["https://example.org/a.csv", "http://127.0.0.1:8000/x", "hf://datasets/a/b/c.csv"]
)
def test_data_from_elsewhere_is_unknown(path):
    issues = check_card(card(f"---\nconfigs:\n- data_files: '{path}'\n---\n"))
    assert verdict(issues) is Verdict.UNKNOWN
    assert rules(issues) == {"config:path"}


def test_the_file_of_settings_alone():
    text = "configs:\n- data_files: ../x.csv\n"
    assert verdict(check_card(card(text, "a/.huggingface.yaml"))) is Verdict.MALICIOUS
    assert check_card(card(text.replace("../", ""), ".huggingface.yaml")) == ()


def test_what_is_no_yaml_is_unknown():
    assert verdict(check_card(card("---\ndata_files: [\n---\n"))) is Verdict.UNKNOWN


def test_settings_beyond_the_budget_are_unknown():
    text = "---\n" + "# x\n" * 300_000 + "configs:\n- data_files: /etc/passwd\n---\n"
    assert verdict(check_card(card(text))) is Verdict.UNKNOWN
    long = "---\nlicense: mit\n---\n" + "words\n" * 300_000
    assert check_card(card(long)) == ()
