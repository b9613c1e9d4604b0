"""Adopting a policy: one person proposes a bundle that has proven its bite, another consents."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.app.policy.allowing import added_by
from lockflight.app.policy.losses import falls_away, need_none
from lockflight.app.policy.policies import keep
from lockflight.app.realm.realm import open_realm
from lockflight.app.realm.speak import Said
from lockflight.app.realm.view import need_environment
from lockflight.core.attest.changes import Adoption
from lockflight.core.verify.crypto.keys import load_der
from lockflight.errors import PolicyDenied
from lockflight.policy.engines.pool import Engines
from lockflight.policy.gate import PolicyGate

if TYPE_CHECKING:
    from pathlib import Path

    from lockflight.core.verify.crypto.keys import PublicKey
    from lockflight.policy.bundle import Bundle
    from lockflight.policy.losses import Loss


def people_of(home: Path, realm_name: str) -> list[PublicKey]:
    """Keys of the people of a realm: whose signature of a policy counts where no key is named."""
    return [load_der(key.der) for key in open_realm(home, realm_name).state.people().values()]


def adopt(
    home: Path,
    realm_name: str,
    bundle: Bundle,
    *,
    environments: tuple[str, ...],
    actor: str,
    signed_by: str = "",
    drop: bool = False,
) -> tuple[Said, Adoption, bool, tuple[Loss, ...]]:
    """Propose that a policy judges from now on; in a personal realm it does at once.

    Every rule must bite on every engine that is here, before anybody is asked. `signed_by` is the id of the key whose
    signature of the bundle was verified. `drop` says that what falls away by it is meant to.

    Returns:
        What was said, the adoption, whether it waits for a second person, and what falls away by it.

    Raises:
        UsageError: LF0121 no such environment.
        InvalidInput: LF2302 what it adds to the allow-list does not read.
        EnvironmentProblem: LF2303 it does not know the allow-list of this installation, LF4001 to LF4008 it cannot
            judge here.
        PolicyDenied: LF4527 this person may not propose policies, LF4528 something falls away and `drop` is not set.
    """
    realm = open_realm(home, realm_name)
    person = realm.actor(actor)
    for name in environments:
        need_environment(realm.state, name)
    added_by(bundle)
    engines = Engines()
    try:
        for engine in engines.installed:
            PolicyGate(bundle, engine).prove()
    finally:
        engines.close()
    lost = falls_away(realm.folder, realm.state, bundle, environments)
    if not drop:
        need_none(
            lost,
            f"{bundle.name} {bundle.version}",
            "Add it to a bundle that keeps what is asked now (lockflight policy new NAME --from baseline), "
            "or add --drop if that is what you mean.",
        )
    adoption = Adoption(
        name=bundle.name,
        version=bundle.version,
        bundle=bundle.digest,
        blob=keep(realm.folder, bundle),
        environments=environments,
        prev=realm.state.policy_head,
        realm=realm.state.root,
        signed_by=signed_by,
    )
    receipt = realm.append([(adoption.statement(), person.signer)])[0]
    record = realm.state.by_digest[receipt.envelope]
    if not record.effective:
        raise PolicyDenied(
            "LF4527",
            f"{person.name} cannot propose the policy {bundle.name} {bundle.version}: {record.reason}.",
            hint="lockflight realm show lists who has which role",
            details={"code": record.code, "entry": record.index},
        )
    waits = receipt.envelope in realm.state.proposals
    return Said(receipt.envelope, receipt.index, person.principal, person.name), adoption, waits, lost
