# What every rule of the baseline uses: lookups of evidence, and the form of a result.
package lockflight.lib

# Rows of evidence by key, subject, grain and place: an object, since the rows of a set would be compared over and over.
found[name][row.subject][row.grain][i] := row if {
	some name, list in input.evidence
	some i, row in list
}

key(check) := concat("/", ["scan", check])

rows(check, subject) := [row |
	some row in object.get(found, [key(check), subject.subject, subject.grain], {})
]

all_rows(check) := object.get(input.evidence, key(check), [])

expected(check) := object.get(input.expected, key(check), [])

is_expected(check) if is_array(input.expected[key(check)])

is_complete(row) if {
	row.status == "complete"
	row.coverage_ppm == 1000000
}

rank(severity) := object.get(data.ranks, severity, 4)

# Entries of data.required that fit the release; all of them count.
required_ages[entry.check] contains entry.max_age_s if {
	some kind in ["*", input.release.kind]
	some tier in ["*", input.release.tier]
	some entry in data.required[input.environment][kind][tier]
}

required[check] := min(ages) if some check, ages in required_ages

is_required(check) if required[check] >= 0

# At most three names, for a sentence.
some_names(names) := concat(", ", sort(names)) if count(names) <= 3

some_names(names) := sprintf("%s and %d more", [concat(", ", array.slice(sort(names), 0, 3)), count(names) - 3]) if {
	count(names) > 3
}

# Envelope digests of rows.
digests(rows_) := sort({row.digest | some row in rows_})

# A result: `facts` holds term, value, threshold and evidence.
result(code, holds, facts, msg) := object.union(
	{
		"code": code,
		"rule": data.rule_meta[code].rule,
		"severity": data.rule_meta[code].severity,
		"basis": data.rule_meta[code].basis,
		"passed": holds,
		"msg": msg,
	},
	facts,
)

# A failed result takes its words from the rule's metadata.
failed(code, facts, args) := result(code, false, facts, sprintf(data.rule_meta[code].failure_msg, args))

passed(code, facts, msg) := result(code, true, facts, msg)
