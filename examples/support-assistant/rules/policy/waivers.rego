# Waivers: the one place where a person's word takes a failure away.
package lockflight.waivers

# What the rules say. Rules that count waivers are not among them: they come after.
results := {result | some group; some result in data.lockflight.rules[group].results}

# A failure that only warns: by the rule's effect, or because the rule takes effect later.
warns(code) if data.rule_meta[code].effect == "warn"

warns(code) if is_later(code)

is_later(code) if data.rule_meta[code].effective_on > input.now

# Whether a waiver speaks of a failed result here and now. Nothing else in the policy reads waivers.
fits(waiver, result) if {
	data.rule_meta[result.code].waivable == true
	not warns(result.code)
	waiver.status == "active"
	waiver.expires > input.now
	names(waiver, result)
	reaches(waiver, result)
	not is_elsewhere(waiver)
}

names(waiver, result) if {
	waiver.kind == "waiver"
	waiver.rule == result.code
	waiver.term == result.term
}

# In an emergency two people may waive all that can be waived, for one release only.
names(waiver, result) if {
	waiver.kind == "break-glass"
	waiver.rule in {"*", result.code}
	waiver.scope.kind == "release"
}

reaches(waiver, _) if is_whole(waiver)

reaches(waiver, result) if {
	waiver.scope.kind == "asset"
	waiver.scope.digest in result.subjects
	waiver.scope.digest in assets
}

is_whole(waiver) if {
	waiver.scope.kind == "release"
	waiver.scope.digest == input.release.digest
}

is_whole(waiver) if {
	waiver.scope.kind == "project"
	waiver.scope.project == input.project
	waiver.scope.environment == input.environment
}

# Whatever the scope, a project or environment that it names must be this one.
is_elsewhere(waiver) if not object.get(waiver.scope, "project", "") in {"", input.project}

is_elsewhere(waiver) if not object.get(waiver.scope, "environment", "") in {"", input.environment}

assets := {asset.digest | some asset in input.release.assets}

# Digests of the waivers that take a failed result away; empty when it stands. One is enough where it speaks of all;
# waivers of single assets must add up to everything that failed.
used(result) := {min(whole(result))} if count(whole(result)) > 0

else := {min(parts(result, subject)) | some subject in result.subjects} if {
	count(result.subjects) > 0
	every subject in result.subjects { count(parts(result, subject)) > 0 }
}

else := set()

whole(result) := {waiver.digest | some waiver in input.waivers; is_whole(waiver); fits(waiver, result)}

parts(result, subject) := {waiver.digest |
	some waiver in input.waivers
	waiver.scope.digest == subject
	fits(waiver, result)
}
