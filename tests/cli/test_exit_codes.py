"""The contract of exit codes: every command ends with each code that it declares, in words and as JSON."""

from __future__ import annotations

import json
import shutil
import tempfile
import time

import pytest

from lockflight.app.realm import clock
from lockflight.core.times import rfc3339
from lockflight.engine import local
from lockflight.infra.proc import Limits
from lockflight.signing.keys import P256, generate
from tests.app.test_convert import unnameable
from tests.app.trusting import described
from tests.cli.runner import every_command
from tests.cli.world import MODEL
from tests.formats.files import npy
from tests.tokens import MAKERS

COMMANDS = every_command()
#: A path that the system refuses, whoever asks.
REFUSED = "x" * 300
PICKLE = "cposix\nsystem\n(S'true'\ntR."

# Each maker prepares its world and returns the words to type.
CASES = {}


def case(*pairs):
    def keep(maker):
        for pair in pairs:
            assert pair not in CASES, pair
            CASES[pair] = maker
        return maker

    return keep


def plain(name, code, words, **options):
    CASES[name, code] = lambda world: (words, options)


# 2, for all: an option that there is not.
for name in COMMANDS:
    plain(name, 2, f"{name} --no-such-option")

# 4, for all that read settings: a configuration that everybody may write.
ARGUMENTS = {
    "check": "work",
    "intake": "third --from https://models.example/third --licence Apache-2.0 --as alice",
    "record": "--step copy --workspace work --product made.txt --record -- cp lockflight.toml made.txt",
    "sign": "work --out out --as alice",
    "verify": "package",
    "approve": "package --env staging --as bob",
    "deny": "package --env staging --as bob",
    "review": "",
    "promote": "package --to staging --as alice",
    "status": "",
    "find": "predict.py",
    "recheck": "",
    "expose": "--project berth-classifier --env development --exposure 50% --as alice",
    "hold": "--project berth-classifier --env development --as alice",
    "break-glass": "package --env staging --incident INC-1 --reason storm --as alice",
    "freeze": "--env staging --reason storm --as bob",
    "rollback": "--project berth-classifier --env development --as alice",
    "retire": "--project berth-classifier --env development --as alice",
    "revoke": "package --reason harmful --as bob",
    "doctor": "",
    "realm init": "other --member a=approver --member b=author",
    "realm show": "",
    "ca init": "",
    "ca issue": "--out lent --as alice",
    "ca renew": "",
    "ca show": "",
    "trust show": "",
    "trust export": "--out trust.json",
    "trust renew": "--until 2099-12-31",
    "key show": "--all",
    "key rotate": "--duty gate",
    "policy adopt": "--pack baseline --as bob",
    "policy dry-run": "--pack strict",
    "policy replay": "12",
    "policy capsule": "12 --out capsule.json",
    "realm backup": "--out copy",
    "realm join": "copy --name other",
    "realm snapshot": "--out acme.realm",
    "realm environments": "--quorum staging=approver:2 --as bob",
    "identity add": "dana --role approver --as bob",
    "identity grant": "eve --role author,releaser --as bob",
    "identity renew": "eve --as bob",
    "identity withdraw": "eve --as bob",
    "identity revoke": "eve --reason other --as bob",
    "identity totp": "enrol --as bob",
    "identity issuer": "list",
    "identity list": "",
    "evidence add": "statement.json",
    "evidence list": "",
    "evidence show": "0",
    "evidence export": "--out export.jsonl",
    "evidence import": "export.jsonl",
    "log show": "",
    "log verify": "",
    "log rebuild": "",
    "log export": "--out web",
    "log proof": "0 --out zero.tlog-proof",
    "release prove": "package predict.py --out predict.proof",
    "release proven": "predict.proof package/predict.py",
    "log cosign": "--request request",
    "log stamp": "",
    "log witness": "init witness --name witness.example/w1",
    "policy explain": "15",
    "waiver request": (
        "--rule LF4110 --project berth-classifier --env staging --days 9 --ticket T-1"
        " --reason because --control watched --as alice"
    ),
    "waiver list": "",
    "allowlist show": "",
    "tools list": "",
    "tools install": "bandit",
    "config show": "",
}


def statement(world, predicate_type="https://example.com/report/v1"):
    body = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "it", "digest": {"sha256": "a" * 64}}],
        "predicateType": predicate_type,
        "predicate": {"said": "yes"},
    }
    (world.folder / "statement.json").write_text(json.dumps(body))


def own_export(world):
    world.ok("evidence export --out export.jsonl")


def raise_version(world):
    manifest = world.work / "lockflight.toml"
    manifest.write_text(manifest.read_text().replace("1.0.0", "1.1.0"))


def edit(world):
    raise_version(world)
    path = world.work / "predict.py"
    path.write_text(path.read_text() + "\nVERSION = 2\n")


def third_party(world):
    (world.folder / "third").mkdir()
    shutil.copy(world.folder / "work" / MODEL, world.folder / "third" / "model.safetensors")
    (world.folder / "third" / "LICENSE").write_text("Apache License 2.0")


def candidate(world):
    raise_version(world)
    world.ok("check work --record --env development --as alice")
    world.ok("sign work --out package2 --as alice")
    world.ok("promote package2 --to development --exposure 5% --as alice")


def own_copy(world):
    world.ok("realm backup --out copy")
    pins = world.home / "trust.toml"
    pins.write_text(pins.read_text() + pins.read_text().replace("realms.acme", "realms.other"))


def authority(world):
    world.ok("ca init")


def asset_proof(world):
    world.ok("release prove package predict.py --out predict.proof")


PREPARE = {
    "release proven": asset_proof,
    "ca issue": authority,
    "ca renew": authority,
    "ca show": authority,
    "trust show": authority,
    "trust export": authority,
    "realm join": own_copy,
    "evidence add": statement,
    "evidence import": own_export,
    "intake": third_party,
    "expose": candidate,
    "hold": candidate,
}


def typed(name):
    return f"{name} {ARGUMENTS[name]}".strip()


def make(name, spoil):
    def maker(world):
        PREPARE.get(name, lambda _: None)(world)
        spoil(world)
        return typed(name), {}

    return maker


for name in ARGUMENTS:
    CASES[name, 4] = make(name, lambda world: world.open_config())

# 12, for all that read the realm: its root is not the pinned one.
for name in ARGUMENTS:
    if 12 in COMMANDS[name][2] and name != "log witness":
        CASES[name, 12] = make(name, lambda world: world.forget_root())

# 3, for all that read the realm: there is none of that name.
NO_REALM = [
    n for n in ARGUMENTS if 3 in COMMANDS[n][2] and n not in {"tools install", "realm join", "log witness"}
]


def without_realm(name):
    def maker(world):
        PREPARE.get(name, lambda _: None)(world)
        return typed(name), {"realm": "nowhere"}

    return maker


for name in NO_REALM:
    CASES[name, 3] = without_realm(name)

# 0, where the arguments above succeed as they stand.
for name in sorted({*ARGUMENTS} - {"approve", "promote", "rollback", "tools install"}):
    CASES[name, 0] = make(name, lambda world: None)

# Folders that the system refuses, or that are not there.
for name, rest in {
    "init": "",
    "scan": "",
    "release create": "",
    "release show": "",
    "release diff": " work",
    "release pack": " out",
}.items():
    plain(name, 4, f"{name} {REFUSED}{rest}")
    plain(name, 3, f"{name} nowhere{rest}")

plain("init", 0, "init bare")
plain("key new", 0, "key new --out k.pem --algorithm p384")
plain("key new", 4, f"key new --out {REFUSED}")
plain("scan", 0, "scan work/model")
plain("convert", 3, "convert nowhere new.safetensors")
plain("allowlist show", 0, "allowlist show")
plain("allowlist show", 3, "allowlist show os.system")
plain("allowlist show", 4, f"allowlist show --allow {REFUSED}")
plain("release create", 0, "release create work --assets")
plain("release show", 0, "release show package --assets")
plain("release diff", 0, "release diff work package")
plain("release pack", 0, "release pack work out")
plain("explain", 0, "explain LF4506")
plain("explain", 3, "explain LF4598")
plain("schema", 0, "schema check")
plain("schema", 3, "schema chek")
plain("policy show", 0, "policy show --env staging")
plain("policy show", 3, "policy show nowhere")
plain("policy show", 4, "policy show work/model")
plain("policy test", 0, "policy test")
plain("policy new", 0, "policy new our-rules --out rules")
plain("policy new", 4, f"policy new our-rules --out {REFUSED}")
plain("policy lint", 0, "policy lint pack:baseline")
plain("policy lint", 3, "policy lint nowhere")
plain("policy lint", 4, f"policy lint {REFUSED}")
plain("policy mutate", 0, "policy mutate --every 200")
plain("policy mutate", 3, "policy mutate --pack lenient")
plain("policy mutate", 4, "policy mutate work")
plain("policy bundle", 0, "policy bundle pack:agent --out agent.tar.gz")
plain("policy bundle", 3, "policy bundle nowhere --out agent.tar.gz")
plain("policy bundle", 4, "policy bundle work --out agent.tar.gz")
plain("policy diff", 0, "policy diff pack:baseline pack:strict")
plain("policy diff", 3, "policy diff pack:baseline nowhere")
plain("policy diff", 4, "policy diff pack:baseline work")
plain("policy test", 3, "policy test nowhere")
plain("policy test", 4, "policy test work")
plain("log witness", 3, "log witness show nowhere")
plain("realm join", 3, f"realm join nowhere --root sha256:{'0' * 64}")
plain("tools install", 3, "tools install bandid")
plain("demo", 0, "demo")


@case(("log witness", 12))
def another_log(world):
    world.ok("log witness init witness --name witness.example/w1")
    world.ok("log cosign --request request")
    return "log witness sign witness --request request --out reply", {}


def people(world):
    (world.folder / "people.csv").write_text("name,age\nAda,36\nBo,7\n")
    return "people.csv"


def row_proof(world, digest=""):
    found = json.loads(world.ok(f"dataset prove {people(world)} --row 2 --out row.proof --json").out)
    return f"dataset proven row.proof --root {digest or found['result']['digest']}"


plain("dataset show", 3, "dataset show nowhere.csv")
plain("dataset show", 4, f"dataset show {REFUSED}")
plain("dataset prove", 4, f"dataset prove {REFUSED} --row 1 --out row.proof")
plain("dataset proven", 3, f"dataset proven nowhere --root sha256:{'0' * 64}")
plain("dataset proven", 4, f"dataset proven {REFUSED} --root sha256:{'0' * 64}")
CASES["dataset show", 0] = lambda world: (f"dataset show {people(world)}", {})
CASES["dataset prove", 0] = lambda world: (f"dataset prove {people(world)} --row 2 --out row.proof", {})
CASES["dataset prove", 3] = lambda world: (f"dataset prove {people(world)} --row 9 --out row.proof", {})
CASES["dataset proven", 0] = lambda world: (row_proof(world), {})
CASES["dataset proven", 12] = lambda world: (row_proof(world, "0" * 64), {})


DATA = '[release]\nname = "d"\nkind = "dataset"\ntier = "minimal"\n[[assets]]\nrole = "dataset"\nfiles = ["*.csv"]\n'


def croissant(world, spoil=""):
    folder = world.folder / "visits"
    folder.mkdir()
    (folder / "lockflight.toml").write_text(DATA)
    (folder / "a.csv").write_text("x,y\na,b\n")
    world.ok("dataset croissant visits --write")
    if spoil:
        (folder / "a.csv").write_text(spoil)
    return "dataset croissant visits", {}


plain("dataset croissant", 3, "dataset croissant work")
plain("dataset croissant", 4, f"dataset croissant {REFUSED}")
CASES["dataset croissant", 0] = croissant
CASES["dataset croissant", 12] = lambda world: croissant(world, "x,y\na,c\n")


@case(("dataset prove", 12))
def the_line_of_names(world):
    (world.folder / "record").write_text("name,age\n")
    return f"dataset prove {people(world)} --match record --out row.proof", {}


@case(("check", 10))
def denied(world):
    (world.work / "model" / "adapter.pkl").write_text(PICKLE)
    return "check work --env staging --only models", {}


@case(("check", 11))
def evidence_is_missing(world):
    edit(world)
    return "check work --env production --no-run", {}


@case(("scan", 10))
def not_safe(world):
    (world.folder / "adapter.pkl").write_text(PICKLE)
    return "scan adapter.pkl work/model", {}


def arrays(world):
    (world.folder / "weights.npy").write_bytes(npy())


@case(("convert", 0))
def converts(world):
    arrays(world)
    return "convert weights.npy new.safetensors", {}


@case(("convert", 4))
def target_exists(world):
    arrays(world)
    return "convert weights.npy weights.npy.safetensors/new.safetensors", {}


@case(("convert", 10))
def source_not_safe(world):
    (world.folder / "adapter.pkl").write_text(PICKLE)
    return "convert adapter.pkl new.safetensors", {}


@case(("convert", 11))
def source_not_analysed(world):
    (world.folder / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(64))
    return "convert picture.png new.safetensors", {}


@case(("convert", 12))
def result_not_safe(world):
    (world.folder / "weights.pkl").write_bytes(unnameable())
    return "convert weights.pkl new.safetensors", {}


@case(("scan", 11))
def not_analysed(world):
    (world.folder / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(64))
    return "scan picture.png work/model", {}


@case(("release show", 12))
def package_changed(world):
    world.flip(f"package/{MODEL}")
    return "release show package", {}


@case(("release diff", 12))
def other_package_changed(world):
    world.flip(f"package/{MODEL}")
    return "release diff work package", {}


@case(("approve", 0))
def approves(world):
    return "approve package --env staging --as bob --reason because --hours 5", {}


@case(("approve", 10))
def own_work(world):
    return "approve package --env staging --as alice", {}


def foreign_export(world):
    """Another home's evidence, and the id of its producer's key."""
    elsewhere = {"LOCKFLIGHT_HOME": str(world.folder / "elsewhere"), "realm": "personal"}
    world.ok("check work --env development", **elsewhere)
    world.ok("evidence export --out theirs.jsonl", **elsewhere)
    key = json.loads(world.ok("realm show --json", **elsewhere).out)["result"]["keys"]
    return next(row["keyid"] for row in key if row["duty"] == "producer")


@case(("key rotate", 10))
def trust_that_ended(world):
    world.ok(f"trust renew --until {rfc3339(int(time.time()) + 3600)}")
    return "key rotate --as eve", {"later": 2 * 3600}


@case(("policy adopt", 10))
def not_an_admin(world):
    return "policy adopt --pack baseline --as alice", {}


@case(("evidence import", 10))
def grant_of_one_person(world):
    return f"evidence import theirs.jsonl --trust-producer {foreign_export(world)}", {}


@case(("recheck", 10))
def deployed_and_revoked(world):
    world.ok("revoke package --reason harmful --as bob")
    return "recheck", {}


@case(("expose", 10))
def frozen_meanwhile(world):
    candidate(world)
    world.ok("freeze --env development --reason storm --as bob")
    return typed("expose"), {}


@case(("expose", 11))
def evidence_grew_old(world):
    candidate(world)
    return typed("expose"), {"later": 400 * 86_400}


@case(("break-glass", 10))
def auditors_only_look(world):
    world.ok("realm init other --member a=auditor --member b=approver --member c=author")
    words = typed("break-glass").replace("package", "a" * 64).replace("alice", "a")
    return words, {"realm": "other"}


@case(("freeze", 10))
def may_not_freeze(world):
    return "freeze --reason storm --as eve", {}


@case(("waiver request", 10))
def never_waived(world):
    return typed("waiver request").replace("LF4110", "LF4101"), {}


@case(("review", 10))
def decided_before(world):
    producer = foreign_export(world)
    assert world.run(f"evidence import theirs.jsonl --trust-producer {producer}").code == 10
    waiting = json.loads(world.ok("review --json").out)["result"]["waiting"]
    word = f"review {waiting[0]['proposal']} --as bob"
    world.ok(word)
    return word, {}


@case(("promote", 0))
def promotes(world):
    world.ok("approve package --env staging --as bob")
    return "promote package --to staging --as alice", {}


@case(("promote", 10))
def nobody_approved(world):
    return "promote package --to staging --as alice", {}


@case(("promote", 11))
def promotion_lacks_evidence(world):
    edit(world)
    world.ok("sign work --out package2 --as alice")
    return "promote package2 --to development --as alice", {}


def second_version(world):
    raise_version(world)
    world.ok("check work --record --env development --as alice")
    world.ok("sign work --out package2 --as alice")
    world.ok("promote package2 --to development --as alice")


@case(("rollback", 0))
def rolls_back(world):
    second_version(world)
    return "rollback --project berth-classifier --env development --as alice", {}


@case(("rollback", 10))
def what_is_revoked_stays_away(world):
    second_version(world)
    world.ok("revoke package --reason harmful --as bob")
    return "rollback --project berth-classifier --env development --as alice", {}


@case(("status", 10))
def revoked_release_in_use(world):
    world.ok("revoke package --reason harmful --as bob")
    return "status", {}


@case(("revoke", 10))
def may_not_revoke(world):
    return "revoke package --reason harmful --as eve", {}


@case(("intake", 10))
def does_not_come_in(world):
    (world.folder / "adapter.pkl").write_text(PICKLE)
    return "intake adapter.pkl --as alice", {}


@case(("intake", 11))
def not_judged_to_the_end(world):
    third_party(world)
    return "intake third --as alice", {"limits": Limits(output_bytes=1)}


for name in ("add dana --role approver", "grant eve --role author", "renew eve", "withdraw eve"):
    plain(f"identity {name.split()[0]}", 10, f"identity {name} --as alice")
plain("realm environments", 10, "realm environments --quorum staging=approver:2 --as alice")
plain("revoke", 10, "revoke --identity eve --reason other --as alice")
plain("identity revoke", 10, "identity revoke eve --reason other --as alice")


@case(("record", 10))
def recorded_by_somebody_who_left(world):
    leave(world)
    return (
        "record --step copy --workspace work --product made.txt --as eve -- cp lockflight.toml made.txt",
        {},
    )


@case(("identity totp", 10))
def who_left_enrols_nothing(world):
    leave(world)
    return "identity totp enrol --as eve", {}


@case(("policy bundle", 10))
def who_left_signs_no_policy(world):
    leave(world)
    return "policy bundle pack:agent --out agent.tar.gz --sign --as eve", {}


plain("sign", 10, "sign work --out out --as bob")
plain("deny", 10, "deny package --env staging --as alice")


@case(("retire", 10))
def an_auditor_moves_nothing(world):
    join(world, "dana", "auditor")
    return "retire --project berth-classifier --env development --as dana", {}


@case(("hold", 10))
def an_auditor_holds_nothing_back(world):
    join(world, "dana", "auditor")
    return "hold --project berth-classifier --env development --as dana", {}


@case(("identity issuer", 10))
def an_author_trusts_no_issuer(world):
    world.ok("identity add ci --machine --no-key --owner alice --role builder --as bob")
    proposal = world.ok("review --json").json()["result"]["waiting"][0]["proposal"]
    world.ok(f"review {proposal} --as eve")
    file, keys = described(world.folder, MAKERS["github"], ("ci", MAKERS["github"].rule))
    return f"identity issuer add {file.name} --jwks {keys.name} --as alice", {}


def leave(world):
    """Eve leaves: bob proposes it, and alice consents."""
    done = world.ok("identity withdraw eve --as bob --json")
    world.ok(f"review {done.json()['result']['envelope']} --as alice")


def join(world, name, roles):
    """Bob proposes somebody, and alice consents."""
    done = world.ok(f"identity add {name} --role {roles} --as bob --json")
    world.ok(f"review {done.json()['result']['envelope']} --as alice")


@case(("ca issue", 10))
def nothing_is_lent_to_a_grant_that_ended(world):
    authority(world)
    done = world.ok("identity renew eve --hours 1 --as bob --json")
    world.ok(f"review {done.json()['result']['envelope']} --as alice")
    return "ca issue --out lent --as eve", {"later": 2 * 3600}


def unsigned(words):
    def maker(world):
        world.ok("policy bundle pack:agent --out agent.tar.gz")
        (world.folder / "public.pem").write_text(generate(P256).public_key.pem)
        return f"{words} agent.tar.gz --key public.pem", {}

    return maker


CASES["policy show", 12] = unsigned("policy show")
CASES["policy test", 12] = unsigned("policy test")
CASES["policy diff", 12] = unsigned("policy diff pack:agent")


@case(("policy bundle", 12))
def signs_in_no_other_realm(world):
    world.forget_root()
    return "policy bundle pack:agent --out agent.tar.gz --sign --as alice", {}


@case(("policy lint", 10))
def reads_the_clock(world):
    world.ok("policy new our-rules --out rules")
    module = world.folder / "rules" / "policy" / "our_rules.rego"
    module.write_text(module.read_text() + "\nx := time.now_ns()\n")
    return "policy lint rules", {}


@case(("policy bundle", 10))
def does_not_bite(world):
    world.ok("policy new our-rules --out rules")
    (world.folder / "rules" / "bite" / "OR1001.json").write_text("[]")
    return "policy bundle rules --out rules.tar.gz", {}


@case(("policy mutate", 10))
def nobody_notices(world):
    world.ok("policy new our-rules --out rules")
    module = world.folder / "rules" / "policy" / "our_rules.rego"
    module.write_text(module.read_text() + "\nblind(n) := n + 12\n\nworse(n) := n - 7\n")
    return "policy mutate rules --min 100", {}


@case(("policy test", 10))
def rule_that_does_not_bite(world):
    from lockflight.policy import bundle

    source = bundle.__file__.replace("bundle.py", "packs/baseline")
    shutil.copytree(source, world.folder / "pack")
    (world.folder / "pack" / "bite" / "LF4110.json").write_text("[]")
    return "policy test pack", {}


@case(("tools install", 0))
def tool_is_there(world):
    from lockflight.infra.tools import environment_digest, pinned_version

    digest = environment_digest("bandit")
    folder = world.home / "tools" / "bandit" / digest
    (folder / "venv" / "bin").mkdir(parents=True)
    (folder / "venv" / "bin" / "python").touch()
    record = {"name": "bandit", "version": pinned_version("bandit"), "digest": digest}
    (folder / "tool.json").write_text(json.dumps(record))
    (folder / "bandit").touch(mode=0o700)
    return "tools install bandit", {}


@case(("demo", 4))
def no_room_for_the_demo(world):
    return "demo", {"temporary": str(world.folder / "nowhere")}


@pytest.mark.parametrize(("name", "code"), sorted(CASES), ids=lambda x: str(x).replace(" ", "-"))
@pytest.mark.parametrize("form", ["words", "json"])
def test_command_ends_with_the_code(world, monkeypatch, name, code, form):
    words, options = CASES[name, code](world)
    monkeypatch.setattr(tempfile, "tempdir", options.pop("temporary", tempfile.tempdir))
    monkeypatch.setattr(local, "LIMITS", options.pop("limits", local.LIMITS))
    later = options.pop("later", 0)
    monkeypatch.setattr(clock, "now", lambda: int(time.time()) + later)
    if form == "json":
        own, behind, command = words.partition(" -- ")
        words = f"{own} --json{behind}{command}"
    done = world.run(words, **options)
    assert done.code == code, f"{words}\n{done.out}\n{done.err}"
    assert "Traceback" not in done.err
    assert "does not declare" not in done.err
    if form == "words" and code:
        assert done.err.count("error LF") == 1, done.err


def test_every_declared_code_has_a_case():
    declared = {(name, code) for name, (_, _, codes) in COMMANDS.items() for code in codes}
    assert sorted(declared - set(CASES)) == []
    assert sorted(set(CASES) - declared) == []
