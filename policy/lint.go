package policy

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/ast"
	"github.com/cedar-policy/cedar-go/x/exp/schema/resolved"
)

// lint checks one rule against the schema and against what Cedar's validator lets
// pass: names that no entity has, and comparisons of different things, which are
// simply false and would leave a forbid without effect.
func (c *compiler) lint(r *rule, tokens []token) {
	p := (*ast.Policy)(r.policy.AST())
	start := token{line: r.line}
	if len(tokens) > 0 {
		start = tokens[0]
	}
	if err := c.engine.validator.Policy("", p); err != nil {
		texts := messages(err) // one for each action
		for i, text := range texts {
			if !slices.Contains(texts[:i], text) {
				c.fault(r.file, start, "the rule does not fit the schema: "+plain(text, maxText), "")
			}
		}
	}
	seen := make(map[types.EntityUID]bool)
	for _, uid := range literals(p) {
		if !seen[uid] {
			seen[uid] = true
			c.literal(r, uid, tokens, start)
		}
	}
	for _, condition := range p.Conditions {
		ast.Inspect(ast.NewNode(condition.Body), func(n ast.IsNode) bool {
			if left, right, ok := c.compared(n); ok && left != right {
				c.fault(r.file, start, fmt.Sprintf("the rule compares a %s with a %s, which is never true", left, right),
					"Compare a name with the field that holds such names.")
			}
			return true
		})
	}
	if !r.forbids {
		c.lintPermit(r, p, start)
	}
}

// literal checks that a name in a rule exists.
func (c *compiler) literal(r *rule, uid types.EntityUID, tokens []token, start token) {
	id := string(uid.ID)
	if used := c.used[uid.Type]; used != nil {
		used[id] = true
	}
	if uid.Type == typeMember {
		r.namedMembers = append(r.namedMembers, id)
	}
	names, known := c.literals[uid.Type]
	if !known || slices.Contains(names, id) { // the validator refuses unknown types
		return
	}
	at, ok := find(tokens, string(uid.Type), "::", strconv.Quote(id))
	if !ok {
		at = start
	}
	remedy := fmt.Sprintf("Known are %s.", strings.Join(names, ", "))
	switch {
	case uid.Type == typeList:
		remedy = "Rules are about categories, purposes and legal bases, not about single lists."
	case len(names) == 0 || c.used[uid.Type] != nil:
		remedy = "Add it to bundle.toml if it is spelt correctly. " + remedy
	}
	c.fault(r.file, at, fmt.Sprintf("there is no %s %q", uid.Type, plain(id, maxName)), remedy)
}

// literals collects every entity that a rule names, in scope and conditions.
func literals(p *ast.Policy) []types.EntityUID {
	var out []types.EntityUID
	for _, scope := range []ast.IsScopeNode{p.Principal, p.Action, p.Resource} {
		switch s := scope.(type) {
		case ast.ScopeTypeEq:
			out = append(out, s.Entity)
		case ast.ScopeTypeIn:
			out = append(out, s.Entity)
		case ast.ScopeTypeInSet:
			out = append(out, s.Entities...)
		case ast.ScopeTypeIsIn:
			out = append(out, s.Entity)
		}
	}
	for _, condition := range p.Conditions {
		ast.Inspect(ast.NewNode(condition.Body), func(n ast.IsNode) bool {
			if v, ok := n.(ast.NodeValue); ok {
				if uid, ok := v.Value.(types.EntityUID); ok {
					out = append(out, uid)
				}
			}
			return true
		})
	}
	return out
}

// compared returns the entity types on both sides of a comparison, where they are
// known.
func (c *compiler) compared(n ast.IsNode) (left, right types.EntityType, ok bool) {
	var l, r ast.IsNode
	switch n := n.(type) {
	case ast.NodeTypeEquals:
		l, r = n.Left, n.Right
	case ast.NodeTypeNotEquals:
		l, r = n.Left, n.Right
	case ast.NodeTypeIn:
		l, r = n.Left, n.Right
	case ast.NodeTypeContains:
		l, r = n.Left, n.Right
	case ast.NodeTypeContainsAny:
		l, r = n.Left, n.Right
	case ast.NodeTypeContainsAll:
		l, r = n.Left, n.Right
	case ast.NodeTypeIs:
		left, ok = c.typeOf(n.Left)
		return left, n.EntityType, ok
	default:
		return "", "", false
	}
	left, known := c.typeOf(l)
	right, ok = c.typeOf(r)
	return left, right, known && ok
}

// typeOf is the entity type of an expression, or of the elements of a set.
func (c *compiler) typeOf(n ast.IsNode) (types.EntityType, bool) {
	switch n := n.(type) {
	case ast.NodeValue:
		uid, ok := n.Value.(types.EntityUID)
		return uid.Type, ok
	case ast.NodeTypeSet:
		if len(n.Elements) > 0 {
			return c.typeOf(n.Elements[0]) // the validator wants one type in a set
		}
	case ast.NodeTypeVariable:
		t, ok := map[types.String]types.EntityType{"principal": typeMember, "action": typeAction, "resource": typeList}[n.Name]
		return t, ok
	case ast.NodeTypeAccess:
		t, ok := c.attribute(n).(resolved.EntityType)
		return types.EntityType(t), ok
	}
	return "", false
}

// attribute is the type of context.x, or of x of an entity; nil if there is none.
func (c *compiler) attribute(n ast.NodeTypeAccess) resolved.IsType {
	if v, ok := n.Arg.(ast.NodeTypeVariable); ok && v.Name == "context" {
		for _, a := range c.engine.schema.Actions { // all actions have the same context
			return a.AppliesTo.Context[n.Value].Type
		}
	}
	owner, ok := c.typeOf(n.Arg)
	if !ok {
		return nil
	}
	return c.engine.schema.Entities[owner].Shape[n.Value].Type
}

// lintPermit warns of permits that open more than their author may have meant.
func (c *compiler) lintPermit(r *rule, p *ast.Policy, at token) {
	asked := make(map[types.String]bool)
	for _, condition := range p.Conditions {
		ast.Inspect(ast.NewNode(condition.Body), func(n ast.IsNode) bool {
			if access, ok := n.(ast.NodeTypeAccess); ok {
				asked[access.Value] = true
			}
			return true
		})
	}
	if _, all := p.Principal.(ast.ScopeTypeAll); all && len(r.namedMembers) == 0 && !asked["role"] {
		c.warn(r.file, at, "the permit holds for every member of the federation", "Name the member: principal == Member::\"…\".")
	}
	if !asked["purpose"] {
		c.warn(r.file, at, "the permit holds for every registered purpose", "Name the purpose: context.purpose == Purpose::\"…\".")
	}
	if !asked["category"] {
		c.warn(r.file, at, "the permit holds for every category but those that the baseline protects", "Name the category: resource.category == Category::\"…\".")
	}
	if !asked["basis"] {
		c.warn(r.file, at, "the permit holds for lists of every registered legal basis", "Name the basis: resource.basis == Basis::\"…\".")
	}
	if r.duties.MinScore > 0 {
		if !asked["kind"] {
			c.warn(r.file, at, "the permit opens names and faces from one score, and every kind that is matched by equality", "Name the kind: resource.kind == Kind::\"person\".")
		}
		if !asked["pairs_today"] {
			c.warn(r.file, at, "the permit has no limit on pairs a day, so a partner may narrow records down by many answers", "Add context.pairs_today + context.pairs <= 100000000, or another number.")
		}
	}
	if !asked["items_today"] {
		c.warn(r.file, at, "the permit has no limit a day, so a partner may test any number of guesses", "Add context.items_today + context.items <= 250000, or another number.")
	}
}

// lintRegister warns of registered names that no rule uses: usually a slip of one
// of the two.
func (c *compiler) lintRegister() {
	for _, set := range []struct {
		name string
		of   types.EntityType
	}{{"members", typeMember}, {"purposes", typePurpose}, {"bases", typeBasis}} {
		for _, id := range c.literals[set.of] {
			if !c.used[set.of][id] {
				c.warn(registerFile, token{}, fmt.Sprintf("%s: no rule uses %q", set.name, plain(id, maxName)), "")
			}
		}
	}
}

// messages flattens joined errors.
func messages(err error) []string {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var out []string
		for _, e := range joined.Unwrap() {
			out = append(out, messages(e)...)
		}
		return out
	}
	return []string{err.Error()}
}
