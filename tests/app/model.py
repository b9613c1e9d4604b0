"""The rules of slots, written a second time, from DESIGN alone: what `core.fold` says is compared with this.

Shares no code with `core`: envelopes are JSON, keys are DER, rules are plain loops over lists. It knows only what the
tests that use it write: founding grants, no waivers, freezes or changes of environments.
"""

from __future__ import annotations

import base64
import calendar
import hashlib
import json
import time

LONGEST_APPROVAL, FRESH_DECISION, WINDOW = 30 * 86_400, 3600, 90 * 86_400
REVOKERS = {"approver", "risk-owner", "realm-admin"}
SIGNS = {
    "https://model_signing/signature/v1.0": "person",
    "https://slsa.dev/verification_summary/v1": "gate",
    "https://lockflight.dev/attestation/scan/v1": "producer",
    "https://lockflight.dev/attestation/promotion/v1": "gate",
    "https://lockflight.dev/attestation/registration/v1": "person",
    "https://lockflight.dev/attestation/approval/v1": "person",
    "https://lockflight.dev/attestation/revocation/v1": "person",
}
RULING = "https://lockflight.dev/gate/v1"


def seconds(text):
    return calendar.timegm(time.strptime(text, "%Y-%m-%dT%H:%M:%SZ"))


class No(Exception):
    """The statement does not count."""


def need(fact, why):
    if not fact:
        raise No(why)


class Slot:
    def __init__(self):
        self.head, self.current, self.candidate, self.part = "", "", "", 0
        self.let_in = ()
        self.had, self.left = [], {}

    def shares(self):
        if not self.current:
            return {}
        rest = {self.current: 10_000 - self.part}
        return {**rest, self.candidate: self.part} if self.candidate else rest

    def hold(self, release, now):
        if self.current:
            self.left[self.current] = now
        self.current, self.candidate, self.part = release, "", 0
        if release:
            self.had.append(release)


class Model:
    """Reads (index, envelope, logged_at) in order; afterwards `effective` holds the digests of what counts."""

    def __init__(self, entries):
        self.keys, self.people, self.ladder = {}, {}, {}
        self.effective, self.why, self.slots = {}, {}, {}
        self.signed, self.makers, self.registered, self.revoked = {}, {}, set(), set()
        self.decided, self.words, self.said, self.versions = {}, {}, {}, {}
        self.nonces, self.used = set(), set()
        for index, envelope, logged_at in entries:
            self.read(index, envelope, logged_at)

    def read(self, index, envelope, now):
        digest = hashlib.sha256(envelope).hexdigest()
        outer = json.loads(envelope)
        statement = json.loads(base64.b64decode(outer["payload"]))
        kind, says = statement["predicateType"], statement["predicate"]
        about = statement["subject"][0]
        payload = hashlib.sha256(base64.b64decode(outer["payload"])).hexdigest()
        try:
            if index == 0:
                self.begin(says)
            elif kind.endswith("/grant/v1"):
                self.give(says)
            else:
                duty, who = self.keys.get(outer["signatures"][0]["keyid"], ("", ""))
                need(digest not in self.effective, "a repetition")
                need(duty == SIGNS[kind], "a key of another duty")
                self.apply(kind, digest, payload, about, says, who, now)
        except No as no:
            self.why[digest] = str(no)
        else:
            self.effective[digest] = kind

    def begin(self, says):
        for key in says["keys"]:
            self.keys[keyid(key["key"])] = key["duty"], ""
        self.ladder = {step["name"]: step for step in says["environments"]}

    def give(self, says):
        self.keys[keyid(says["key"])] = says["duty"], says["principal"]
        self.people[says["principal"]] = set(says["roles"])

    def apply(self, kind, digest, payload, about, says, who, now):
        release = about["digest"]["sha256"]
        name = kind.removeprefix("https://lockflight.dev/attestation/")
        if kind == "https://model_signing/signature/v1.0":
            self.signed[digest] = payload
            self.makers.setdefault(payload, set()).add(who)
        elif kind == "https://slsa.dev/verification_summary/v1":
            place = release, says[RULING]["environment"]
            allow = says["verificationResult"] == "PASSED"
            self.decided[place] = digest, allow, says[RULING]["basis"], now
        elif name == "registration/v1":
            need(self.signed.get(says["signature"]) == release, "its signature is about something else")
            need(self.people[who] & {"author", "builder"}, "no author")
            self.makers.setdefault(release, set()).add(who)
            self.registered.add(release)
        elif name == "revocation/v1":
            need(self.people[who] & REVOKERS, "may not revoke")
            self.revoked.add(release)
        elif name == "approval/v1":
            need(seconds(says["expires"]) <= now + LONGEST_APPROVAL, "it lasts too long")
            need(says["nonce"] not in self.nonces, "nonce")
            self.nonces.add(says["nonce"])
            self.said[digest] = release, says["environment"], says["verdict"], says["basis"]
            words = self.words.setdefault((release, says["environment"]), {})
            words[who] = digest, says["verdict"], says["basis"], seconds(says["expires"])
        elif name == "promotion/v1":
            self.move(digest, release, about["name"], says, now)

    def move(self, digest, release, name, says, now):
        step = self.ladder.get(says["environment"])
        need(step, "no such environment")
        place = says["project"], says["environment"], says["slot"]
        slot = self.slots.get(place) or Slot()
        need(says["prev"] == slot.head, "another change came first")
        roles = self.people.get(says["requester"], set())
        need(roles, "a requester without a grant")
        if says["action"] in {"promote", "expose"}:
            self.may_enter(slot, release, name, says, now)
            self.used.update(says["approvals"])
            self.versions[name, says["version"]] = release
            if says["exposure"] == 10_000:
                slot.hold(release, now)
            else:
                slot.candidate, slot.part, slot.let_in = release, says["exposure"], says["approvals"]
        else:
            need(roles & (REVOKERS | {"releaser"} | set(step["requesters"])), "may not take out")
            need(not says["decision"] and not says["approvals"], "it rests on a decision")
            self.leave(slot, release, says, now)
        slot.head = digest
        self.slots[place] = slot

    def may_enter(self, slot, release, name, says, now):
        step = self.ladder[says["environment"]]
        newest, allow, basis, decided = self.decided.get((release, step["name"]), ("", False, "", 0))
        need(newest and newest == says["decision"], "not the newest decision")
        need(allow, "denied")
        need(now <= decided + FRESH_DECISION, "the decision is old")
        need(self.versions.get((name, says["version"]), release) == release, "the version is another's")
        need(release not in self.revoked, "revoked")
        need(release in self.registered, "not registered")
        if says["action"] == "expose":
            need(slot.candidate == release and says["exposure"] > 0, "no such candidate")
        else:
            need(slot.candidate in {"", release}, "another candidate")
            if says["exposure"] < 10_000:
                need(says["exposure"] > 0 and slot.current not in {"", release}, "nothing to share with")
        if step["after"]:
            below = self.slots.get((says["project"], step["after"], "main"))
            need(below and release in below.had, "never in the step below")
        need(
            not step["requesters"] or self.people[says["requester"]] & set(step["requesters"]), "may not ask"
        )
        self.quorum(slot, release, step, says, basis, now)

    def quorum(self, slot, release, step, says, basis, now):
        makers = self.makers[release] | {says["requester"]}
        yes = 0
        for who, (digest, verdict, seen, expires) in self.words.get((release, step["name"]), {}).items():
            if verdict == "deny":
                need(not self.people[who] & {"approver", "risk-owner"}, "denied by a person")
                continue
            good = digest in says["approvals"] and seen == basis and now < expires and who not in makers
            let_in = says["action"] == "expose" and digest in slot.let_in
            yes += good and (digest not in self.used or let_in) and "approver" in self.people[who]
        # Every quorum of the shipped ladder asks for approvers only.
        assert {seat["role"] for seat in step["quorum"]} <= {"approver"}
        need(yes >= sum(seat["count"] for seat in step["quorum"]), "the quorum is not full")
        wanted = release, step["name"], "approve", basis
        need(
            all(self.said.get(d) == wanted for d in says["approvals"]),
            "it names an approval of something else",
        )

    def leave(self, slot, release, says, now):
        if says["action"] == "hold":
            need(slot.candidate == release and says["exposure"] <= slot.part, "no such candidate")
            slot.part, slot.let_in = says["exposure"], ()
        elif says["action"] == "retire":
            need(slot.current == release, "it does not hold that")
            slot.hold("", now)
        else:
            need(slot.current != release or slot.candidate, "it holds that alone, so nothing would change")
            recent = release in slot.left and now - slot.left[release] <= WINDOW
            need(slot.current == release or recent, "it did not hold that lately")
            need(says["exposure"] == 10_000 and release not in self.revoked, "not back in this way")
            slot.hold(release, now)


def keyid(der):
    return hashlib.sha256(base64.b64decode(der)).hexdigest()
