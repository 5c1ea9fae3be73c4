package policy

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/cedar-policy/cedar-go"
	cedarast "github.com/cedar-policy/cedar-go/ast"
	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/ast"

	"entente/protocol/terms"
)

// Why explains a decision to the own side in sentences: the outcome, the rules that
// made it, and, if nothing was allowed, which permits came close and what they
// still need. It is never for the partner.
func (b *Bundle) Why(r Request) []string {
	d := b.Decide(r)
	out := []string{d.outcome()}
	for _, e := range d.Errors {
		out = append(out, "Refused to be safe: "+plain(e, maxText)+".")
	}
	for i, g := range d.Grounds {
		same := func(e Ground) bool { return e.Rule == g.Rule && e.Forbids == g.Forbids && e.Remedy == g.Remedy }
		if slices.IndexFunc(d.Grounds, same) == i {
			out = append(out, g.Sentence())
		}
	}
	byDefault := !slices.ContainsFunc(d.Grounds, func(g Ground) bool { return g.Rule != defaultRule })
	if d.Mode == terms.None && len(d.Errors) == 0 && byDefault {
		out = append(out, b.nearly(r)...)
	}
	return out
}

func (d Decision) outcome() string {
	r := d.Request
	subject := plain(r.Partner, maxName)
	if r.Learner == Us {
		subject = "We"
	}
	about := fmt.Sprintf("of the %s entries of kind %s (purpose %s)", plain(string(r.Category), maxName), plain(string(r.Kind), maxName), plain(r.Purpose, maxName))
	switch d.Mode {
	case terms.IDs:
		return fmt.Sprintf("%s may learn which %s match.", subject, about)
	case terms.Count:
		return fmt.Sprintf("%s may learn how many %s match, not which.", subject, about)
	}
	return fmt.Sprintf("%s may learn nothing %s.", subject, about)
}

// Sentence says what the rule did.
func (g Ground) Sentence() string {
	text := "Permitted by"
	switch {
	case g.Rule == defaultRule:
		return g.Title + "."
	case g.Forbids:
		text = "Refused by"
	}
	text += fmt.Sprintf(" the rule %q (%s", g.Title, g.Rule)
	if g.Basis != "" {
		text += ", legal basis " + g.Basis
	}
	text += ")."
	if g.Remedy != "" {
		text += " What to do: " + g.Remedy
	}
	return text
}

// nearly names the permits for this partner and mode whose conditions fail, with
// what fails, the closest first.
func (b *Bundle) nearly(r Request) []string {
	if r.validate() != nil || r.Asked == terms.None {
		return nil
	}
	world, question := r.cedar()
	question.Action = action(r.Asked)
	type miss struct {
		rule  *rule
		unmet []string
	}
	var misses []miss
	for _, rule := range b.rules {
		p := (*ast.Policy)(rule.policy.AST())
		if rule.forbids || !inScope(p, r.Asked) || !holds(world, question, p) || rule.duties.MinScore > 0 && !r.Kind.Similar() {
			continue
		}
		unmet := unmet(world, question, p)
		if rule.duties.MinScore == 0 && r.Kind.Similar() {
			unmet = append(unmet, "it says from which score entries are alike enough (@min_score)")
		}
		if len(unmet) > 0 {
			misses = append(misses, miss{rule, unmet})
		}
	}
	slices.SortStableFunc(misses, func(a, b miss) int { return cmp.Compare(len(a.unmet), len(b.unmet)) })
	const shown = 3
	var out []string
	for _, m := range misses[:min(shown, len(misses))] {
		out = append(out, fmt.Sprintf("The rule %q would permit it, but needs that %s.", m.rule.title, list(m.unmet, "and")))
	}
	return out
}

// unmet says which conditions of a rule do not hold.
func unmet(world types.EntityGetter, q cedar.Request, p *ast.Policy) []string {
	var out []string
	for _, c := range p.Conditions {
		if c.Condition == ast.ConditionUnless {
			if !holds(world, q, p, c) {
				out = append(out, "not ("+words(c.Body)+")")
			}
			continue
		}
		for _, n := range conjuncts(c.Body) {
			if !holds(world, q, p, ast.ConditionType{Condition: ast.ConditionWhen, Body: n}) {
				out = append(out, words(n))
			}
		}
	}
	return out
}

// holds evaluates a rule's scope with only these conditions.
func holds(world types.EntityGetter, q cedar.Request, p *ast.Policy, conditions ...ast.ConditionType) bool {
	part := *p
	part.Effect, part.Conditions = ast.EffectPermit, conditions
	decision, _ := cedar.Authorize(cedar.PolicyMap{"part": cedar.NewPolicyFromAST((*cedarast.Policy)(&part))}, world, q)
	return decision == cedar.Allow
}
