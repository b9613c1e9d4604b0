"""The operator restores yesterday's database and appends to it. Whoever saw the newer log refuses the other one.

Every verifier, the exporter and the witness are asked, for each store.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from lockflight.app.log import cosign, logbook, logexport
from lockflight.app.log.demands import Demands, read_policy
from lockflight.app.realm import clock
from lockflight.app.realm.realm import Member, Realm, create_realm
from lockflight.app.registry.promote import promote
from lockflight.app.release.sign import sign
from lockflight.app.release.verify import verify_package
from lockflight.core.attest.statement import SCAN, Statement, SubjectRef
from lockflight.core.attest.trust import RealmKind
from lockflight.core.verify.log.note import parse_vkey
from lockflight.errors import LockflightError
from lockflight.log.witness import Witness
from lockflight.store.cosigned import CosignedNotes
from lockflight.store.log.static import StaticReader
from lockflight.store.pins import PinStore
from lockflight.store.witnessed import create
from tests.app.conftest import workspace
from tests.log.making import fixed
from tests.log.witnessing import serving

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["workspace"]

MEMBERS = [Member("alice", ("author",)), Member("bob", ("approver",))]
SIGNER = fixed(61)


def refused(code, work):
    with pytest.raises(LockflightError) as caught:
        work()
    assert caught.value.code in code, caught.value
    return caught.value


class Site:
    """A realm, a second home that only verifies, and what surrounds them."""

    def __init__(self, tmp_path: Path, workspace: Path, postgres=None):
        self.home, self.verifier, self.tmp = tmp_path / "home", tmp_path / "verifier", tmp_path
        self.server = postgres
        self.url = postgres.url(postgres.database()) if postgres else ""
        self.realm = create_realm(self.home, "acme", RealmKind.TEAM, MEMBERS, store=self.url)
        self.package = sign(self.home, "acme", workspace, tmp_path / "package", actor="alice").package
        trust = self.realm.state.trust
        PinStore(self.verifier).set("acme", root=f"sha256:{self.realm.state.root}", origin=trust.origin)
        self.mirror()

    def mirror(self):
        """Bring the realm to the verifier, as a copy without its keys."""
        target = self.verifier / "realms" / "acme"
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(self.realm.folder, target, ignore=shutil.ignore_patterns("keys"))

    def backup(self):
        if self.server is None:
            shutil.copytree(self.realm.folder, self.tmp / "backup")
            return
        self.server.leave(self.url)
        name = self.url.split("/")[3].split("?")[0]
        self.saved = self.server.database(like=name)

    def restore(self):
        if self.server is None:
            shutil.rmtree(self.realm.folder)
            shutil.copytree(self.tmp / "backup", self.realm.folder)
        else:
            self.server.leave(self.url)
            name = self.url.split("/")[3].split("?")[0]
            self.server.execute(f"DROP DATABASE {name} WITH (FORCE)")
            self.server.execute(f"CREATE DATABASE {name} TEMPLATE {self.saved}")
        # What the operator's own home remembers is put back with it.
        shutil.rmtree(self.home / "pins")
        self.realm = Realm(self.home, "acme")

    def close(self):
        if self.server is not None:
            self.server.leave(self.url)


@pytest.fixture(params=["sqlite", "postgres"])
def site(request, tmp_path, workspace):
    server = request.getfixturevalue("postgres") if request.param == "postgres" else None
    found = Site(tmp_path, workspace, server)
    yield found
    found.close()


def act(site, number):
    """Append an entry."""
    site.realm.reread()
    bob = site.realm.actor("bob")
    statement = Statement(SCAN, (SubjectRef("x", f"{number:064x}"),), {"number": number})
    site.realm.append([(statement, bob.signer)])


@pytest.mark.enable_socket
def test_a_log_that_was_put_back_is_refused_by_all_who_saw_it(site, tmp_path):
    demands = Demands(now=clock.now())
    act(site, 1)
    site.backup()
    act(site, 2)
    origin = site.realm.state.trust.origin
    root = site.realm.state.root
    log_vkey, _ = logexport.of_trust(site.realm.state).vkeys
    state = create(tmp_path / "witness", "w.example")
    state.watch([parse_vkey(log_vkey)])
    witness = Witness(state, SIGNER, clock.now)
    web = tmp_path / "web"
    with serving(witness) as url:
        (tmp_path / "policy").write_text(
            f"log {log_vkey}\nwitness w {witness.key.vkey} {url}\nquorum w\n", encoding="utf-8"
        )
        policy = read_policy(tmp_path / "policy")
        assert cosign.cosign(site.home, "acme", policy).quorum
        logexport.export(site.home, "acme", web, demands)
        shutil.copytree(web, tmp_path / "good")
        site.mirror()
        verify_package(site.verifier, "acme", site.package)
        logexport.verify_export(site.verifier, web, demands, root=root)
        seen = state.logs()[origin].size

        site.restore()
        shutil.rmtree(site.realm.folder / "cosigned", ignore_errors=True)
        # Shorter: an old copy.
        site.mirror()
        refused({"LF7220"}, lambda: verify_package(site.verifier, "acme", site.package))
        refused({"LF7220"}, lambda: logbook.verify(site.verifier, "acme"))
        refused({"LF7220"}, lambda: logexport.export(site.home, "acme", web, demands))
        refused({"LF7228"}, lambda: cosign.cosign(site.home, "acme", policy))

        # Longer again: another history.
        for number in range(3):
            act(site, 100 + number)
        site.mirror()
        for work in (
            lambda: verify_package(site.verifier, "acme", site.package),
            lambda: logbook.verify(site.verifier, "acme"),
            lambda: promote(
                site.verifier, "acme", site.package, environment="development", actor="", now=clock.now()
            ),
            lambda: logexport.export(site.home, "acme", web, demands),
        ):
            refused({"LF7221"}, work)
        refused({"LF7228"}, lambda: cosign.cosign(site.home, "acme", policy))
        assert not CosignedNotes(site.realm.folder).notes()
        # A verifier that never saw the newer log is told by the witness's absence.
        fresh = tmp_path / "fresh"
        logexport.export(site.home, "acme", tmp_path / "forged", demands)
        logexport.verify_export(fresh, tmp_path / "forged", demands, root=root)
        wanted = Demands(policy, 0, clock.now())
        other = tmp_path / "other"
        refused({"LF7226"}, lambda: logexport.verify_export(other, tmp_path / "forged", wanted, root=root))
        refused(
            {"LF7221"},
            lambda: logexport.verify_export(site.verifier, tmp_path / "forged", demands, root=root),
        )
        assert state.logs()[origin].size == seen
    # And the export that was published before is still the one that everybody has seen.
    assert logexport.verify_export(site.verifier, tmp_path / "good", demands, root=root).report.size == seen
    assert StaticReader(web).checkpoint() == StaticReader(tmp_path / "good").checkpoint()


HOUR = 3600


def test_a_log_that_is_held_back_is_refused_when_it_is_old(tmp_path, workspace, monkeypatch):
    """A frozen log hides a revocation: every proof in it holds, and only its age tells."""
    site = Site(tmp_path, workspace)
    now = clock.now()
    young, old = Demands(max_age=HOUR, now=now + HOUR - 60), Demands(max_age=HOUR, now=now + 2 * HOUR)
    web = tmp_path / "web"
    logexport.export(site.home, "acme", web, Demands())
    root = site.realm.state.root
    checks = {
        "verify": lambda d: verify_package(site.verifier, "acme", site.package, demands=d),
        "log verify": lambda d: logbook.verify(site.verifier, "acme", d),
        "export": lambda d: logexport.verify_export(site.verifier, web, d, root=root),
    }
    for work in checks.values():
        work(young)
        work(Demands(now=now + 10**9))
        refused({"LF7225"}, lambda work=work: work(old))
        refused({"LF5032"}, lambda work=work: work(Demands(max_age=HOUR, now=now - 10 * HOUR)))
    refused(
        {"LF7225"},
        lambda: promote(
            site.home, "acme", site.package, environment="development", actor="alice", now=now, demands=old
        ),
    )
    # Whoever keeps the log stamps it, and it is young again.
    monkeypatch.setattr(clock, "now", lambda: now + 2 * HOUR)
    origin, point = logbook.stamp(site.home, "acme")
    assert (origin, point.timestamp) == (site.realm.state.trust.origin, now + 2 * HOUR)
    site.mirror()
    logexport.export(site.home, "acme", web, Demands())
    for work in checks.values():
        work(old)
