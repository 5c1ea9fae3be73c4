package policy

import (
	"iter"

	"github.com/cedar-policy/cedar-go"
	cedarast "github.com/cedar-policy/cedar-go/ast"
	"github.com/cedar-policy/cedar-go/x/exp/ast"

	"entente/protocol/terms"
)

// index holds, for each mode, the rules that can matter for a partner. It leaves
// out only rules whose scope names another mode or another member: those neither
// match nor fail, so leaving them out changes no decision (tested against Cedar
// over all rules). Cedar evaluates every rule it is given, and a scope with a set of
// actions costs it more than all conditions together.
type index map[terms.Mode]shelf

// shelf is the part of the index for one mode.
type shelf struct {
	anyone ruleSet            // rules whose scope names no member
	named  map[string]ruleSet // those, and the rules that name this member, in order
}

func newIndex(rules ruleSet) index {
	x := make(index)
	for _, mode := range []terms.Mode{terms.Count, terms.IDs} {
		s := shelf{named: make(map[string]ruleSet)}
		for _, r := range rules {
			if member, ok := r.onlyMember(); ok {
				s.named[member] = nil
			}
		}
		for _, r := range rules {
			if !inScope((*ast.Policy)(r.policy.AST()), mode) {
				continue
			}
			only, named := r.onlyMember()
			if !named {
				s.anyone = append(s.anyone, r)
			}
			for member := range s.named {
				if !named || only == member {
					s.named[member] = append(s.named[member], r)
				}
			}
		}
		x[mode] = s
	}
	return x
}

// rules returns the rules to evaluate, in their order.
func (x index) rules(mode terms.Mode, partner string) ruleSet {
	if named, ok := x[mode].named[partner]; ok {
		return named
	}
	return x[mode].anyone
}

// onlyMember is the member that a rule's scope is restricted to.
func (r *rule) onlyMember() (string, bool) {
	eq, ok := (*ast.Policy)(r.policy.AST()).Principal.(ast.ScopeTypeEq)
	return string(eq.Entity.ID), ok && eq.Entity.Type == typeMember
}

// inAnyMode compiles a rule without its action scope, which the index has decided.
func inAnyMode(p *cedar.Policy) *cedar.Policy {
	part := *(*ast.Policy)(p.AST())
	part.Action = ast.Scope{}.All()
	return cedar.NewPolicyFromAST((*cedarast.Policy)(&part))
}

// ruleSet feeds Cedar the rules in a fixed order, so that grounds are too.
type ruleSet []*rule

// All implements cedar.PolicyIterator.
func (s ruleSet) All() iter.Seq2[cedar.PolicyID, *cedar.Policy] {
	return func(yield func(cedar.PolicyID, *cedar.Policy) bool) {
		for _, r := range s {
			if !yield(cedar.PolicyID(r.id), r.evaluated) {
				return
			}
		}
	}
}
