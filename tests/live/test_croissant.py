"""The reference implementation of Croissant loads what we write; broken ones that it refuses, we refuse too."""

from __future__ import annotations

import json
import subprocess

import pytest

from lockflight.app.data.croissant import check_croissant, write_croissant
from lockflight.errors import LockflightError

pytestmark = pytest.mark.live

READ = """
import json, sys
import mlcroissant as mlc
found = mlc.Dataset(jsonld=sys.argv[1])
rows = {}
for records in found.metadata.record_sets:
    rows[records.uuid] = [
        {k.rpartition("/")[2]: v.decode() if isinstance(v, bytes) else str(v) for k, v in row.items()}
        for row in found.records(records.uuid)
    ]
print(json.dumps(rows))
"""


@pytest.fixture
def reference(croissant_python):
    def read(path):
        done = subprocess.run(
            [croissant_python, "-I", "-c", READ, str(path)], capture_output=True, text=True, check=False
        )
        return json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else None, done.stderr

    return read


@pytest.fixture
def written(tmp_path):
    workspace = tmp_path / "work"
    (workspace / "data").mkdir(parents=True)
    (workspace / "data" / "a.csv").write_text("x,y\n1,2\n")
    (workspace / "data" / "b.csv").write_text("x,y\n3,4\n")
    (workspace / "data" / "c.jsonl").write_text('{"q": "x", "n": 1}\n{"q": "y", "n": 2}\n')
    text = (
        '[release]\nname = "five"\nkind = "dataset"\ntier = "minimal"\n'
        '[[assets]]\nrole = "dataset"\nfiles = ["data/*.csv"]\n'
        '[[assets]]\nrole = "eval-set"\nfiles = ["data/c.jsonl"]\nlicence = "CC0-1.0"\nsource = "made up"\n'
        'collected_from = "2026-01-01"\npurpose = "tests"\npersonal_data = "no"\n'
    )
    (workspace / "lockflight.toml").write_text(text)
    write_croissant(workspace)
    return workspace


def test_what_we_write_is_loaded(written, reference):
    rows, said = reference(written / "croissant.json")
    assert rows == {
        "data/a.csv/rows": [{"x": "1", "y": "2"}],
        "data/b.csv/rows": [{"x": "3", "y": "4"}],
        "data/c.jsonl/rows": [{"n": "1", "q": "x"}, {"n": "2", "q": "y"}],
    }, said


def break_hash(document):
    document["distribution"][0]["sha256"] = "0" * 64


def break_reference(document):
    document["recordSet"][0]["field"][0]["source"]["fileObject"]["@id"] = "nothing.csv"


def break_type(document):
    document["distribution"][0]["@type"] = "cr:Nothing"


def break_url(document):
    del document["distribution"][0]["contentUrl"]


def break_name(document):
    del document["name"]


def break_contained(document):
    document["distribution"][0]["containedIn"] = {"@id": "nothing.zip"}


def break_encoding(document):
    del document["distribution"][0]["encodingFormat"]


def break_twice(document):
    document["distribution"].append(document["distribution"][0])


def break_key(document):
    document["recordSet"][0]["key"] = {"@id": "nobody"}


#: Where it loads what two readers could take for two things.
LENIENT = (break_key, break_name, break_twice)


@pytest.mark.parametrize(
    "spoil",
    [
        break_hash,
        break_reference,
        break_type,
        break_url,
        break_name,
        break_contained,
        break_encoding,
        break_twice,
        break_key,
    ],
)
def test_what_it_refuses_we_refuse(written, reference, spoil):
    path = written / "croissant.json"
    document = json.loads(path.read_text())
    spoil(document)
    path.write_text(json.dumps(document))
    rows, _ = reference(path)
    with pytest.raises(LockflightError) as caught:
        check_croissant(path)
    assert caught.value.code in {"LF1028", "LF7351"}
    assert (rows is None) == (spoil not in LENIENT)
