# Rules about data that lie in the release itself.
package lockflight.rules.datacards

import data.lockflight.lib

# METADATA
# title: Data in the release are described
# description: Data of unknown licence or origin, or of which nobody says whether they are about people, cannot be defended later.
# custom:
#   code: LF4123
#   rule: data-carded
#   severity: high
#   effect: deny
#   basis: value
#   waivable: true
#   failure_msg: "The data %s do not say: %s."
#   solution: Give its [[assets]] rule licence, source, purpose, personal_data (and legal_basis for people's data), then sign again.
#   collections: [high-risk]
#   controls: ["eu-ai-act:Art.10", "gdpr:Art.5", "gdpr:Art.6", "iso42001:A.7.3", "iso42001:A.7.5"]
results contains lib.failed("LF4123", facts, [asset.name, lib.some_names(unsaid(asset))]) if {
	some asset in input.release.assets
	count(unsaid(asset)) > 0
	facts := {"term": asset.name, "value": count(unsaid(asset)), "threshold": 0, "evidence": []}
}

results contains lib.passed("LF4123", facts, "All data in the release are described.") if {
	count([1 | some asset in input.release.assets; count(unsaid(asset)) > 0]) == 0
	facts := {"term": "", "value": 0, "threshold": 0, "evidence": []}
}

unsaid(asset) := {key |
	not input.environment in data.unsaid_environments
	asset.role in data.carded_roles
	some key in ["legal_basis", "licence", "personal_data", "purpose", "source"]
	not is_said(object.get(asset, "data", {}), key)
}

is_said(card, "licence") if card.licence_known == true

is_said(card, key) if {
	key in ["purpose", "source"]
	card[key] != ""
}

is_said(card, "personal_data") if card.personal_data in ["yes", "no"]

is_said(card, "legal_basis") if card.personal_data == "no"

is_said(card, "legal_basis") if card.legal_basis != ""
