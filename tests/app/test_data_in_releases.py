"""Rows of tables, and what is said about data, in releases: signed, verified, shown, compared, in facts."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from lockflight.app.data.dataset import prove_row, proven_row, show_file
from lockflight.app.data.rowdiff import row_delta
from lockflight.app.files.describe import describe
from lockflight.app.files.remembered import Remembered
from lockflight.app.release.diff import diff
from lockflight.app.release.show import opened
from lockflight.app.release.sign import sign
from lockflight.app.release.verify import verify_package
from lockflight.core.facts.facts import release_fact
from lockflight.core.gate.factshape import check_facts
from lockflight.core.release.datacard import DataCard
from lockflight.core.release.release import parse_release
from lockflight.errors import LockflightError
from tests.cli.runner import validator
from tests.policy.factories import facts

CARD = (
    'licence = "CC0-1.0"\nsource = "made up"\ncollected_from = "2026-01-01"\ncollected_until = "2026-01-31"\n'
    'purpose = "tests"\nlegal_basis = "none is needed"\nconsent = "none is needed"\npersonal_data = "no"\n'
    'limits = "two rows"\n'
)


@pytest.fixture
def described_workspace(workspace):
    manifest = workspace / "lockflight.toml"
    text = manifest.read_text(encoding="utf-8")
    assert 'role = "dataset"\n' in text
    manifest.write_text(text.replace('role = "dataset"\n', 'role = "dataset"\n' + CARD), encoding="utf-8")
    return workspace


def signed(home, workspace, out):
    return sign(home, "acme", workspace, out, actor="alice").package


def refused(call, *args, **options):
    with pytest.raises(LockflightError) as caught:
        call(*args, **options)
    return caught.value.code


def test_signed_and_verified(home, realm, described_workspace, tmp_path):
    package = signed(home, described_workspace, tmp_path / "package")
    release = verify_package(home, "acme", package).release
    table = release.asset("data/a.csv")
    assert table.rows == show_file(package / "data" / "a.csv").index
    assert table.data == DataCard(
        "CC0-1.0",
        "made up",
        "2026-01-01",
        "2026-01-31",
        "tests",
        "none is needed",
        "none is needed",
        "no",
        "two rows",
    )
    assert release.asset("README.md").rows is None
    assert parse_release(release.payload) == release
    with opened(package) as shown:
        assert shown.release.digest == release.digest
    assert show_file(package / "data" / "a.csv").card == table.data


def test_a_proof_against_a_package(home, realm, described_workspace, tmp_path):
    package = signed(home, described_workspace, tmp_path / "package")
    tables = {a.name: a.rows for a in verify_package(home, "acme", package).release.assets if a.rows}
    out = tmp_path / "row.proof"
    for match in (b"3,4\n", b"5,6\n"):
        prove_row(package / "data" / "b.csv", out, match=match)
        assert proven_row(out, "", tables=tables).asset == "data/b.csv"
    del tables["data/b.csv"]
    assert refused(proven_row, out, "", tables=tables) == "LF7347"


def test_packages_of_older_versions_still_verify(home, realm, workspace, tmp_path, monkeypatch):
    with monkeypatch.context() as older:
        older.setattr("lockflight.app.files.describe.table_indexes", lambda *_, **__: ({}, ()))
        package = signed(home, workspace, tmp_path / "package")
    release = verify_package(home, "acme", package).release
    assert release.asset("data/a.csv").rows is None
    with opened(package) as shown:
        assert shown.release.digest == release.digest
    fact = release_fact(release, {a.sha256: "unknown" for a in release.assets})
    assert all(set(a) == {"name", "role", "digest", "size", "provenance"} for a in fact["assets"])


def test_other_rows_than_those_of_the_file_are_refused(home, realm, workspace, tmp_path, monkeypatch):
    lie = show_file(workspace / "data" / "b.csv").index
    with monkeypatch.context() as liar:
        liar.setattr(
            "lockflight.app.files.describe.table_indexes", lambda *_, **__: ({"data/a.csv": lie}, ())
        )
        package = signed(home, workspace, tmp_path / "package")
    assert refused(verify_package, home, "acme", package) == "LF7350"


def test_what_is_said_must_be_what_the_manifest_says(home, realm, described_workspace, tmp_path, monkeypatch):
    import lockflight.app.files.describe as module

    honest = module._asset
    with monkeypatch.context() as liar:
        liar.setattr(
            module, "_asset", lambda f, role, rows, data: honest(f, role, rows, data and DataCard("MIT"))
        )
        package = signed(home, described_workspace, tmp_path / "package")
    assert refused(verify_package, home, "acme", package) == "LF7114"


def test_facts(described_workspace):
    with describe(described_workspace) as found:
        release = found.release
    fact = release_fact(release, {a.sha256: "unknown" for a in release.assets})
    table = next(a for a in fact["assets"] if a["name"] == "data/a.csv")
    assert table["rows"]["rows"] == 1
    assert table["data"]["licence_known"] is True
    whole = {**facts(), "release": fact, "provenance": []}
    check_facts(whole)
    validator("facts").validate(whole)
    for change in (
        {"rows": {}},
        {"data": {"licence": "MIT"}},
        {"data": {**table["data"], "personal_data": "maybe"}},
    ):
        broken = json.loads(json.dumps(whole))
        next(a for a in broken["release"]["assets"] if a["name"] == "data/a.csv").update(change)
        with pytest.raises(ValueError, match=r"assets\.\d"):
            check_facts(broken)


def test_a_table_that_does_not_read_is_named(workspace):
    (workspace / "data" / "a.csv").write_bytes(b"a,b\n1\n")
    with describe(workspace) as found:
        assert found.release.asset("data/a.csv").rows is None
        assert [n.code for n in found.notices] == ["LF1033"]


def test_too_many_columns_for_a_statement(workspace, monkeypatch):
    monkeypatch.setattr("lockflight.core.release.release.MAX_ROWS_COST", 500)
    with describe(workspace) as found:
        assert not any(a.rows for a in found.release.assets)


def test_rows_are_remembered(workspace, tmp_path, monkeypatch):
    class Memory:
        def __init__(self):
            self.recalled, self.kept = {}, {}

        begin = save = recall = lambda *_: None

        def settle(self, source):
            return False

        def rows_of(self, name):
            return self.kept.get(name)

        def keep_rows(self, name, rows):
            self.kept[name] = rows

    memory = Memory()
    with describe(workspace, memory=memory) as first:
        assert set(memory.kept) == {"data/a.csv", "data/b.csv"}
    memory.kept["data/b.csv"] = "It has none."
    monkeypatch.setattr("lockflight.app.files.rows.row_index", None)  # nothing is read again
    with describe(workspace, memory=memory) as second:
        assert second.release.asset("data/a.csv").rows == first.release.asset("data/a.csv").rows
        assert [n.message for n in second.notices] == ["It has none."]
    assert Remembered.keep_rows.__doc__


def test_compared(workspace, tmp_path):
    with describe(workspace) as one:
        old = one.release
        (tmp_path / "old.csv").write_bytes((workspace / "data" / "a.csv").read_bytes())
        (workspace / "data" / "a.csv").write_text('x,y\n"1",2\n5,6\n5,6\n')
        with describe(workspace) as other:
            found = diff(old, other.release, {}, other.sources)
            (rows,) = found.rows
            assert (rows.asset, rows.old, rows.new, rows.added, rows.columns) == (
                "data/a.csv",
                1,
                3,
                None,
                False,
            )
            name = "data/a.csv"
            before = show_source(tmp_path / "old.csv")
            delta = row_delta(old.asset(name), other.release.asset(name), before, other.sources[name])
            assert (delta.added, delta.removed, delta.same_set) == (2, 0, False)
            (workspace / "data" / "b.csv").write_text('x,y\r\n"3",4')
        with describe(workspace) as third:
            found = diff(other.release, third.release)
            assert [r.same_set for r in found.rows] == [True]
            assert (found.rows[0].added, found.rows[0].removed) == (0, 0)
    with pytest.raises(ValueError, match="not known"):
        row_delta(replace(old.asset(name), rows=None), old.asset(name))


def show_source(path):
    from lockflight.core.source import BytesSource

    return BytesSource(path.read_bytes(), path.name)


def test_words_that_changed_are_named(described_workspace):
    with describe(described_workspace) as one:
        old = one.release
    manifest = described_workspace / "lockflight.toml"
    manifest.write_text(manifest.read_text().replace('"CC0-1.0"', '"MIT"'))
    with describe(described_workspace) as other:
        found = diff(old, other.release)
    assert {y.name for _, y in found.data} == {"data/a.csv", "data/b.csv"}
    assert found.to_json()["data"][0]["to"]["licence"] == "MIT"
