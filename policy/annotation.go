package policy

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"entente/protocol/terms"
)

// Duties come with a permit: what holds if the round takes place.
type Duties struct {
	MinItems      uint32 `json:"min_items"`      // smallest size class of both lists
	RetentionDays uint32 `json:"retention_days"` // hits are erased after so many days
	EpsilonMilli  uint32 `json:"epsilon_milli"`  // noise of a count, ε/1000; 0: exact
	MinCount      uint32 `json:"min_count"`      // smaller counts are shown as "under" it
	Approval      bool   `json:"approval"`       // one person has to approve the round
	// MinScore is the least score from which records may be matched by similarity; 0: not at all.
	MinScore uint32 `json:"min_score,omitempty"`
}

// Duties of a permit that says nothing else.
const (
	DefaultRetentionDays = 90
	DefaultEpsilonMilli  = 1000
	DefaultMinCount      = 11
)

// MaxMinScore is the largest threshold of similarity; it is that of protocol/similar.
const MaxMinScore = 1<<14 - 1

func defaultDuties() Duties {
	return Duties{RetentionDays: DefaultRetentionDays, EpsilonMilli: DefaultEpsilonMilli, MinCount: DefaultMinCount, Approval: true}
}

// noDuties is the neutral element of stricter.
func noDuties() Duties { return Duties{RetentionDays: terms.MaxRetentionDays} }

// stricter merges field by field, exactly as terms.Merge does between two members.
func (d Duties) stricter(e Duties) Duties {
	t := terms.Merge(d.terms(), e.terms())
	return Duties{t.MinItems, t.RetentionDays, t.EpsilonMilli, t.MinCount, d.Approval || e.Approval, max(d.MinScore, e.MinScore)}
}

func (d Duties) terms() terms.Terms {
	return terms.Terms{MinItems: d.MinItems, RetentionDays: d.RetentionDays, EpsilonMilli: d.EpsilonMilli, MinCount: d.MinCount}
}

// annotation is one word of the closed vocabulary.
type annotation struct {
	key     string
	permits bool   // may stand on a permit
	forbids bool   // may stand on a forbid
	values  string // for people
	set     func(r *rule, value string) bool
}

// vocabulary lists every annotation. Cedar gives them no meaning and accepts any,
// so a misspelt one would be silent: what is not in this list is an error.
func vocabulary() []annotation {
	number := func(low, high uint32, field func(*Duties) *uint32) func(*rule, string) bool {
		return func(r *rule, value string) bool {
			n, err := strconv.ParseUint(value, 10, 32)
			if err != nil || strconv.FormatUint(n, 10) != value || n < uint64(low) || n > uint64(high) {
				return false
			}
			*field(&r.duties) = uint32(n)
			return true
		}
	}
	text := func(field func(*rule) *string, valid func(string) bool) func(*rule, string) bool {
		return func(r *rule, value string) bool {
			*field(r) = value
			return valid(value)
		}
	}
	line := func(s string) bool { return isText(s, maxText) }
	return []annotation{
		{"title", true, true, "one line of text, different for each rule", text(func(r *rule) *string { return &r.title }, line)},
		{"legal_basis", true, true, "a legal basis registered in bundle.toml", text(func(r *rule) *string { return &r.basis }, isToken)},
		{"remedy", false, true, "one line of text: what the own side can do instead", text(func(r *rule) *string { return &r.remedy }, line)},
		{"approval", true, false, `"none" or "one" (the default)`, func(r *rule, v string) bool {
			r.duties.Approval = v == "one"
			return v == "one" || v == "none"
		}},
		{"min_items", true, false, fmt.Sprintf("1 to %d", terms.MaxMinItems),
			number(1, terms.MaxMinItems, func(d *Duties) *uint32 { return &d.MinItems })},
		{"retention_days", true, false, fmt.Sprintf("%d to %d", terms.MinRetentionDays, terms.MaxRetentionDays),
			number(terms.MinRetentionDays, terms.MaxRetentionDays, func(d *Duties) *uint32 { return &d.RetentionDays })},
		{"epsilon_milli", true, false, fmt.Sprintf("%d to %d", terms.MinEpsilonMilli, terms.MaxEpsilonMilli),
			number(terms.MinEpsilonMilli, terms.MaxEpsilonMilli, func(d *Duties) *uint32 { return &d.EpsilonMilli })},
		{"exact_count", true, false, `"yes" or "no" (the default), and then without epsilon_milli`, func(r *rule, v string) bool {
			if v == "yes" {
				r.duties.EpsilonMilli = 0
			}
			return v == "yes" || v == "no"
		}},
		{"min_count", true, false, fmt.Sprintf("0 to %d", terms.MaxMinCount),
			number(0, terms.MaxMinCount, func(d *Duties) *uint32 { return &d.MinCount })},
		{"min_score", true, false, fmt.Sprintf("1 to %d", MaxMinScore),
			number(1, MaxMinScore, func(d *Duties) *uint32 { return &d.MinScore })},
	}
}

// annotate reads a rule's annotations into it and reports what is wrong with them.
func (c *compiler) annotate(r *rule, tokens []token) {
	known := vocabulary()
	given := r.policy.Annotations()
	place := func(key string) token {
		t, ok := find(tokens, "@", key)
		if !ok && len(tokens) > 0 {
			t = tokens[0]
		}
		return t
	}
	for key := range given {
		if !slices.ContainsFunc(known, func(a annotation) bool { return a.key == string(key) }) {
			c.fault(r.file, place(string(key)), fmt.Sprintf("unknown annotation @%s", plain(string(key), maxName)), "Known are "+keys(known)+".")
		}
	}
	r.duties = defaultDuties()
	for _, a := range known {
		value, ok := given[cedarKey(a.key)]
		switch {
		case !ok:
		case r.forbids && !a.forbids:
			c.fault(r.file, place(a.key), fmt.Sprintf("@%s has no effect on a forbid", a.key), "Remove it.")
		case !r.forbids && !a.permits:
			c.fault(r.file, place(a.key), fmt.Sprintf("@%s has no effect on a permit", a.key), "Remove it.")
		case len(value) > math.MaxUint16 || !a.set(r, string(value)):
			c.fault(r.file, place(a.key), fmt.Sprintf("@%s has a wrong value", a.key), "It is "+a.values+".")
		}
	}
	c.complete(r, place, given[cedarKey("exact_count")] == "yes" && given[cedarKey("epsilon_milli")] != "")
}

// complete checks what annotations must say together.
func (c *compiler) complete(r *rule, place func(string) token, contradicts bool) {
	if r.title == "" {
		c.fault(r.file, place("title"), "the rule has no @title", `Write @title("…") above it: explanations name rules by title.`)
	} else if first, ok := c.titles[r.title]; ok {
		c.fault(r.file, place("title"), fmt.Sprintf("the title is already that of %s", first), "Give each rule a title of its own.")
	} else {
		c.titles[r.title] = r.id
	}
	if r.basis == "" && !r.forbids {
		c.fault(r.file, place("legal_basis"), "the permit has no @legal_basis", "Name one of the bases in bundle.toml.")
	} else if _, ok := c.register.Bases[r.basis]; !ok && r.basis != "" {
		c.fault(r.file, place("legal_basis"), fmt.Sprintf("legal basis %q is not registered", plain(r.basis, maxName)), "Add it under [bases] in bundle.toml.")
	}
	if contradicts {
		c.fault(r.file, place("exact_count"), "an exact count has no epsilon_milli", "Remove one of the two.")
	}
	c.used[typeBasis][r.basis] = true
}

func keys(as []annotation) string {
	out := make([]string, len(as))
	for i, a := range as {
		out[i] = a.key
	}
	return strings.Join(out, ", ")
}
