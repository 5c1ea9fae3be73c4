package policy

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/ast"

	"github.com/cedar-policy/cedar-go"
	cedarast "github.com/cedar-policy/cedar-go/ast"
)

// number writes an integer with separators, as people read it: 250,000.
func number(n int64) string {
	s := strconv.FormatInt(n, 10)
	first := 0
	if n < 0 {
		first = 1
	}
	for i := len(s) - 3; i > first; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// fields are the facts of a request in words.
var fields = map[string]string{
	"principal":             "the partner",
	"principal.role":        "the partner's role",
	"resource":              "the list",
	"resource.kind":         "the list's kind",
	"resource.category":     "the list's category",
	"resource.purpose":      "the list's purpose",
	"resource.basis":        "the list's legal basis",
	"resource.minors":       "the list is about minors",
	"context.purpose":       "the round's purpose",
	"context.learner":       "the side that learns",
	"context.items":         "the items of this round",
	"context.own_items":     "the size of our list",
	"context.partner_items": "the size of the partner's list",
	"context.items_today":   "the items already matched with the partner today",
	"context.standing":      "the round is a standing one",
	"context.pairs":         "the pairs of records that this round compares",
	"context.pairs_today":   "the pairs already compared with the partner today",
	"context.now":           "the time",
	"action":                "the result",
}

// conjuncts splits a condition at its outermost "and".
func conjuncts(n ast.IsNode) []ast.IsNode {
	if and, ok := n.(ast.NodeTypeAnd); ok {
		return append(conjuncts(and.Left), conjuncts(and.Right)...)
	}
	return []ast.IsNode{n}
}

// words says a condition in English. What it has no words for stays Cedar.
func words(n ast.IsNode) string {
	switch n := n.(type) {
	case ast.NodeValue:
		return value(n.Value)
	case ast.NodeTypeVariable, ast.NodeTypeAccess:
		if w, ok := fields[path(n)]; ok {
			return w
		}
	case ast.NodeTypeAnd:
		return words(n.Left) + " and " + words(n.Right)
	case ast.NodeTypeOr:
		return "(" + words(n.Left) + " or " + words(n.Right) + ")"
	case ast.NodeTypeNot:
		return "not (" + words(n.Arg) + ")"
	case ast.NodeTypeAdd:
		return words(n.Left) + " plus " + words(n.Right)
	case ast.NodeTypeSet:
		return oneOf(n)
	case ast.NodeTypeEquals:
		return words(n.Left) + " is " + words(n.Right)
	case ast.NodeTypeNotEquals:
		return words(n.Left) + " is not " + words(n.Right)
	case ast.NodeTypeIn:
		return words(n.Left) + " is " + words(n.Right)
	case ast.NodeTypeContains:
		return words(n.Right) + " is " + words(n.Left)
	case ast.NodeTypeLessThanOrEqual:
		return order(n.Left, "at most", "not after", n.Right)
	case ast.NodeTypeLessThan:
		return order(n.Left, "less than", "before", n.Right)
	case ast.NodeTypeGreaterThanOrEqual:
		return order(n.Left, "at least", "not before", n.Right)
	case ast.NodeTypeGreaterThan:
		return order(n.Left, "more than", "after", n.Right)
	case ast.NodeTypeExtensionCall:
		if len(n.Args) == 1 && (n.Name == "datetime" || n.Name == "duration") {
			return words(n.Args[0])
		}
	}
	return cedarText(n)
}

func value(v types.Value) string {
	switch v := v.(type) {
	case types.EntityUID:
		return plain(string(v.ID), maxName)
	case types.Long:
		return number(int64(v))
	case types.String:
		return plain(string(v), maxName)
	case types.Boolean:
		if v {
			return "always"
		}
		return "never"
	}
	return plain(string(v.MarshalCedar()), maxText)
}

func oneOf(n ast.NodeTypeSet) string {
	parts := make([]string, len(n.Elements))
	for i, e := range n.Elements {
		parts[i] = words(e)
	}
	return list(parts, "or")
}

// order says a comparison of numbers or of times.
func order(left ast.IsNode, numbers, times string, right ast.IsNode) string {
	relation := numbers
	if path(left) == "context.now" || path(right) == "context.now" {
		relation = times
	}
	plural := "is "
	if strings.HasPrefix(words(left), "the items") {
		plural = "are "
	}
	return words(left) + " " + plural + relation + " " + words(right)
}

// path is the dotted name of a fact, or empty.
func path(n ast.IsNode) string {
	switch n := n.(type) {
	case ast.NodeTypeVariable:
		return string(n.Name)
	case ast.NodeTypeAccess:
		if owner := path(n.Arg); owner != "" {
			return owner + "." + string(n.Value)
		}
	}
	return ""
}

// cedarText prints an expression as Cedar, by way of a rule around it.
func cedarText(n ast.IsNode) string {
	text := cedar.NewPolicyFromAST((*cedarast.Policy)(ast.Permit().When(ast.NewNode(n)))).MarshalCedar()
	_, body, _ := bytes.Cut(text, []byte("{"))
	if end := bytes.LastIndexByte(body, '}'); end >= 0 {
		body = body[:end]
	}
	return fmt.Sprintf("`%s`", plain(strings.Join(strings.Fields(string(body)), " "), maxText))
}

// list joins words: "a", "a and b", "a, b and c".
func list(parts []string, last string) string {
	switch len(parts) {
	case 0:
		return "nothing"
	case 1:
		return parts[0]
	}
	return strings.Join(parts[:len(parts)-1], ", ") + " " + last + " " + parts[len(parts)-1]
}
