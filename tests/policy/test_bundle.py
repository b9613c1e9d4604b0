from __future__ import annotations

import hashlib
import json
from importlib import resources

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockflight.core.canonical import dumps
from lockflight.errors import EnvironmentProblem, NotFound
from lockflight.policy import bundle as bundle_module
from lockflight.policy.bundle import baseline, bundle_digest, read_bundle, read_folder
from lockflight.policy.engines.mode import Mode
from lockflight.policy.text.annotations import rule_metadata_file
from tests.policy import factories as f
from tests.policy.small import small_bundle


def refused(files, code="LF4005"):
    with pytest.raises(EnvironmentProblem) as caught:
        read_bundle(files)
    assert caught.value.code == code
    assert caught.value.hint
    return caught.value.message


def manifest(**changes):
    raw = json.loads(small_bundle()[".manifest"])
    raw["metadata"] |= changes.pop("metadata", {})
    return json.dumps(raw | changes).encode()


def test_a_bundle_reads():
    bundle = read_bundle(small_bundle())
    assert (bundle.name, bundle.version, bundle.entrypoint) == ("small", "1", "data.small.decision")
    assert bundle.required_rules == {"XX0001"}
    assert bundle.ref.digest == bundle.digest
    assert set(bundle.modules) == {"policy/small.rego"}
    assert set(bundle.tests) == {"policy/small_test.rego"}
    assert bundle.data["limits"] == {"size": 9}
    assert bundle.rules["XX0001"]["rule"] == "name-is-short"
    assert bundle.base == f.facts()


def test_a_bundle_says_how_many_engines_must_judge():
    files = small_bundle() | {".manifest": manifest(metadata={"engines": {"production": "dual"}})}
    assert read_bundle(files).mode("production") is Mode.DUAL
    assert read_bundle(small_bundle()).mode("production") is Mode.ANY
    for engines in (["dual"], {"production": "two"}, {"production": None}):
        refused(small_bundle() | {".manifest": manifest(metadata={"engines": engines})})


def test_the_digest_is_that_of_sorted_paths_and_contents():
    files = small_bundle()
    pairs = [[path, hashlib.sha256(files[path]).hexdigest()] for path in sorted(files)]
    assert read_bundle(files).digest == hashlib.sha256(dumps(pairs)).hexdigest()
    assert read_bundle(dict(reversed(files.items()))).digest == read_bundle(files).digest


@pytest.mark.parametrize("path", small_bundle())
def test_the_digest_covers_every_file(path):
    files = small_bundle()
    digests = {name: hashlib.sha256(body).hexdigest() for name, body in files.items()}
    other = digests | {path: hashlib.sha256(files[path] + b" ").hexdigest()}
    assert bundle_digest(other) != bundle_digest(digests)
    moved = {("x" + name if name == path else name): value for name, value in digests.items()}
    assert bundle_digest(moved) != bundle_digest(digests)


def test_the_shipped_pack_reads_the_same_from_its_folder(tmp_path):
    top = resources.files("lockflight.policy").joinpath("packs", "baseline")
    with resources.as_file(top) as folder:
        assert read_folder(folder).digest == baseline().digest


def write(files, folder):
    for name, body in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    return folder


def test_a_folder_reads_like_its_files(tmp_path):
    assert read_folder(write(small_bundle(), tmp_path)) == read_bundle(small_bundle())


def test_links_in_a_folder_are_refused(tmp_path):
    write(small_bundle(), tmp_path)
    (tmp_path / "policy" / "more.rego").symlink_to("/etc/passwd")
    with pytest.raises(EnvironmentProblem) as caught:
        read_folder(tmp_path)
    assert caught.value.code == "LF4005"
    (tmp_path / "policy" / "more.rego").unlink()
    (tmp_path / "policy" / "big.rego").write_bytes(b"#" * (bundle_module.MAX_FILE_BYTES + 1))
    with pytest.raises(EnvironmentProblem) as caught:
        read_folder(tmp_path)
    assert "big.rego" in caught.value.message


def test_no_folder(tmp_path):
    with pytest.raises(NotFound):
        read_folder(tmp_path / "nowhere")


@pytest.mark.parametrize(
    "name", ["README.md", "policy/x.txt", "x.rego", "bin/tool", "bite/base.yaml", "data.yaml"]
)
def test_files_without_a_place_are_refused(name):
    assert name in refused(small_bundle() | {name: b"x"})


@pytest.mark.parametrize(
    "name", ["../x.rego", "/policy/x.rego", "policy/../x.rego", "policy//x.rego", "POLICY/small.rego"]
)
def test_names_that_could_mean_two_things_are_refused(name):
    refused(small_bundle() | {name: b"package small\n"})


def test_budgets(monkeypatch):
    monkeypatch.setattr(bundle_module, "MAX_FILES", 3)
    assert "more than 3 files" in refused(small_bundle())


def test_a_file_over_its_budget_is_refused():
    assert "bytes long" in refused(
        small_bundle() | {"policy/big.rego": b"#" * (bundle_module.MAX_FILE_BYTES + 1)}
    )


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"a": 1, "a": 2}',
        manifest(rego_version=0),
        manifest(roots="small"),
        manifest(extra=1),
        manifest(metadata={"entrypoint": "small.decision"}),
        manifest(metadata={"entrypoint": "data.x; data.y"}),
        manifest(metadata={"name": ""}),
        manifest(metadata={"required_rules": []}),
        manifest(metadata={"required_rules": ["XX9999"]}),
        manifest(metadata={"extra": 1}),
        manifest(revision=3),
    ],
)
def test_a_manifest_that_does_not_read_is_refused(body):
    refused(small_bundle() | {".manifest": body})


@pytest.mark.parametrize("path", [".manifest", "bite/base.json", "policy/small.rego"])
def test_a_missing_file_is_refused(path):
    files = small_bundle()
    del files[path]
    files.pop("policy/small_test.rego", None) if path.startswith("policy") else None
    refused(files)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("data.json", b'{"limits": {"size": 0.5}}'),
        ("data.json", b'{"limits": 1, "elsewhere": 2}'),
        ("data.json", b'{"limits": {"size": 9}, "rule_meta": {"XX0001": 1}}'),
        ("limits/data.json", b'{"size": 3}'),
        ("limits/size/data.json", b'{"x": 3}'),
        ("data.json", b"[1]"),
        ("bite/XX0001.json", b"{}"),
        ("bite/XX0001.json", b'{"facts": []}'),
        ("bite/XX0001.json", b'{"facts": {}, "says": {}}'),
        ("bite/XX0001.json", b'{"facts": [], "says": []}'),
        ("bite/XX0001.json", b'{"facts": [], "says": {}, "more": 1}'),
        ("policy/more.rego", b"package small\n\xff"),
    ],
)
def test_data_that_does_not_fit_is_refused(path, body):
    refused(small_bundle() | {path: body})


def test_data_below_a_folder_is_mounted_there():
    bundle = read_bundle(small_bundle() | {"limits/more/data.json": b'{"x": 3}'})
    assert bundle.data["limits"] == {"size": 9, "more": {"x": 3}}


def test_impure_modules_are_refused():
    message = refused(
        small_bundle() | {"policy/more.rego": b"package small\ny := time.now_ns()\nz := 0.5\n"}, "LF4006"
    )
    assert "policy/more.rego:2: " in message
    assert "(and " in message


def test_metadata_that_nobody_wrote_down_is_refused():
    files = small_bundle()
    files["rule_meta/data.json"] = files["rule_meta/data.json"].replace(b"high", b"low")
    with pytest.raises(EnvironmentProblem) as caught:
        read_bundle(files)
    assert caught.value.code == "LF4007"
    expected = json.loads(rule_metadata_file(read_bundle(small_bundle()).modules))
    assert caught.value.details["expected"] == expected


@given(st.data())
def test_a_mutated_bundle_reads_or_is_refused(data):
    files = small_bundle()
    path = data.draw(st.sampled_from(sorted(files)))
    body = bytearray(files[path])
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(body) - 1))
        body[place] = data.draw(st.integers(0, 255))
    files[path] = bytes(body)
    try:
        code = read_bundle(files).digest and ""
    except EnvironmentProblem as error:
        code = error.code
    assert code in {"", "LF4005", "LF4006", "LF4007"}
