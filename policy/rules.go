package policy

import (
	"fmt"
	"slices"

	"github.com/cedar-policy/cedar-go/x/exp/ast"

	"entente/protocol/terms"
)

// Rule is one rule as an officer reads it.
type Rule struct {
	ID       string `json:"id"`
	Title    string `json:"title"`
	File     string `json:"file"`
	Line     int    `json:"line"`
	Forbids  bool   `json:"forbids"`
	Baseline bool   `json:"baseline"` // embedded: no bundle can relax it
	Basis    string `json:"legal_basis,omitempty"`
	Remedy   string `json:"remedy,omitempty"`
	Sentence string `json:"sentence"`
	Duties   Duties `json:"duties"` // of permits
}

// Rules lists all rules in the order in which they are evaluated, the baseline
// first, each with a sentence that says what it permits or forbids.
func (b *Bundle) Rules() []Rule {
	out := make([]Rule, len(b.rules))
	for i, r := range b.rules {
		out[i] = Rule{ID: r.id, Title: r.title, File: r.file, Line: r.line, Forbids: r.forbids, Baseline: r.baseline,
			Basis: r.basis, Remedy: r.remedy, Sentence: r.sentence()}
		if !r.forbids {
			out[i].Duties = r.duties
		}
	}
	return out
}

// sentence says scope and conditions of a rule in English.
func (r *rule) sentence() string {
	p := (*ast.Policy)(r.policy.AST())
	who := "any partner"
	switch s := p.Principal.(type) {
	case ast.ScopeTypeEq:
		who = value(s.Entity)
	case ast.ScopeTypeIn:
		who = value(s.Entity)
	case ast.ScopeTypeIsIn:
		who = value(s.Entity)
	}
	verb := "Permits with"
	if r.forbids {
		verb = "Forbids with"
	}
	text := fmt.Sprintf("%s %s: %s", verb, who, list(modesOf(p), "and"))
	var needs []string
	for _, c := range p.Conditions {
		if c.Condition == ast.ConditionUnless {
			needs = append(needs, "not ("+words(c.Body)+")")
			continue
		}
		for _, n := range conjuncts(c.Body) {
			needs = append(needs, words(n))
		}
	}
	if len(needs) > 0 {
		text += ", if " + list(needs, "and")
	}
	return text + "."
}

// modesOf names the modes in a rule's scope.
func modesOf(p *ast.Policy) []string {
	var out []string
	for _, m := range []terms.Mode{terms.Count, terms.IDs} {
		if inScope(p, m) {
			out = append(out, map[terms.Mode]string{terms.Count: "how many match", terms.IDs: "which match"}[m])
		}
	}
	return out
}

// inScope reports whether a rule speaks about a mode at all.
func inScope(p *ast.Policy, m terms.Mode) bool {
	switch s := p.Action.(type) {
	case ast.ScopeTypeEq:
		return s.Entity == action(m)
	case ast.ScopeTypeIn:
		return s.Entity == action(m)
	case ast.ScopeTypeInSet:
		return slices.Contains(s.Entities, action(m))
	}
	return true
}
