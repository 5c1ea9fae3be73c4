package demo

import (
	"entente/policy"
)

// operationTitle names the rule by which Thailand refuses. A partner who read it would
// know that somebody on the list is being watched: that is why it stays at home.
const operationTitle = "Ongoing operation: no phones to Australia until it ends"

// operation is a rule of Thailand's own beside the pilot's.
const operation = `@title("` + operationTitle + `")
@remedy("Ask the head of the operation.")
forbid (
  principal == Member::"AU",
  action,
  resource
) when { resource.kind == Kind::"phone" };
`

// rulesOf writes a member's rules: the pilot template for the other two.
func rulesOf(member string) (map[string][]byte, error) {
	o := policy.PilotOptions{
		Version: 2, Basis: basisOf(member), BasisTitle: "Agreement on trafficking in persons (invented)",
		ExactCount: true, // so that the truth has one number
	}
	for _, other := range ids() {
		if other != member {
			o.Partners = append(o.Partners, other)
		}
	}
	rules, err := policy.Pilot(o)
	if err == nil && member == th {
		rules["operation.cedar"] = []byte(operation)
	}
	return rules, err
}
