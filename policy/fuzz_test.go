package policy

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"entente/protocol/terms"
)

// FuzzLoad feeds hostile rules and registers. Nothing may panic, hang or open the
// baseline, and what loads must load again from its own files.
func FuzzLoad(f *testing.F) {
	p, err := Pilot(PilotOptions{Partners: []string{"ID"}, Basis: "AU-TIP"})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(p[rulesFile], p[registerFile])
	f.Add([]byte(pass("x", openAll)), []byte(testRegister))
	f.Add([]byte(`@title("x") forbid (principal in Member::"ID", action in [Action::"ids"], resource is List in List::"x") unless { [1,{a:"\u{41}"}] == [] || -9223372036854775808 < 0 };`), []byte(testRegister))
	f.Add([]byte(`permit(principal,action,resource)when{if context has now.x then"a"like"*"else decimal("1.0").lessThan(decimal("2.0"))};`), []byte("version=1\n[bases]\n[[x]]\n"))
	f.Fuzz(func(t *testing.T, rules, register []byte) {
		for _, reg := range [][]byte{register, []byte(testRegister)} {
			fs := map[string][]byte{registerFile: reg, rulesFile: rules}
			findings, err := Check(dir(fs), Known{Self: "AU", Members: []string{"AU"}})
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range findings {
				if line := f.String(); strings.ContainsFunc(line, hidden) || strings.Contains(line, "\n") {
					t.Errorf("finding %q is not fit for a screen", line)
				}
			}
			b, err := Parse(fs)
			if err != nil {
				if _, ok := errors.AsType[*InvalidError](err); !ok {
					t.Fatal(err)
				}
				continue
			}
			exercise(t, b)
		}
	})
}

// exercise uses a bundle in every way.
func exercise(t *testing.T, b *Bundle) {
	for _, category := range []string{"suspect", "victim"} {
		q := question(func(r *Request) {
			r.Category = "victim"
			if category == "suspect" {
				r.Category = "suspect"
			}
		})
		if d := b.Decide(q); d.Mode > q.Asked || category == "victim" && d.Mode != terms.None {
			t.Fatalf("decision %+v", d)
		}
		b.Why(q)
	}
	if g := b.Grant(proposal()); g.Terms.Validate() != nil {
		t.Fatalf("grant %+v", g)
	}
	for _, r := range b.Rules() {
		if r.Title == "" || r.Sentence == "" {
			t.Fatalf("rule %+v does not explain itself", r)
		}
	}
	if again, err := Parse(b.Files()); err != nil || again.Digest() != b.Digest() {
		t.Fatalf("the bundle does not load again: %v", err)
	}
}

// TestHostileShapesEndSoon bounds the time that the worst text within the limits
// takes: deep, long and wide.
func TestHostileShapesEndSoon(t *testing.T) {
	const limit = 10 * time.Second // they take milliseconds; what grows without bound takes hours
	when := func(condition string) string {
		return pass("x", "permit (principal, action, resource) when { "+condition+" };")
	}
	repeat := func(s string, n int) string { return strings.Repeat(s, n) }
	shapes := map[string]string{
		"not":        when(repeat("!", 950) + "true"),
		"minus":      when(repeat("-", 950) + "1 == 1"),
		"and":        when(repeat("true && ", 315) + "true"),
		"or":         when(repeat("false || ", 315) + "false"),
		"or failing": when(repeat("context.x || ", 190) + "true"),
		"if":         when(repeat("if true then ", 190) + "true" + repeat(" else false", 190)),
		"if failing": when(repeat("if context.x then ", 135) + "1" + repeat(" else 2", 135)),
		"nested if":  when(repeat("(if ", 31) + "context.x" + repeat(" then context.y else context.z)", 31)),
		"brackets":   when(repeat("(", 31) + "true" + repeat(")", 31)),
		"sets":       when(repeat("[", 31) + repeat("]", 31) + " == []"),
		"records":    when(repeat("{a:", 31) + "1" + repeat("}", 31) + ".a.a.a == 1"),
		"access":     when("context" + repeat(".a", 470)),
		"has":        when(repeat("context has items && ", 190) + "context.items > 0"),
		"has chain":  when("context has a" + repeat(".a", 470)),
		"plus":       when("1" + repeat(" + 9223372036854775807", 470) + " > 0"),
		"like":       when(`"` + repeat("a", 20000) + `" like "` + repeat("*a", 10000) + `b"`),
		"set":        when("[" + repeat("1,", 470) + "2].contains(3)"),
		"literals":   when("[" + repeat(`Kind::"phone",`, 230) + `Kind::"email"].contains(resource.kind)`),
		"slashes":    repeat("/", 200_000),
		"quotes":     repeat("\"", 200_000),
		"colons":     repeat(":", 200_000),
		"lines":      repeat("\n", 200_000) + "permit",
		"ats":        repeat("@a ", 60_000),
		"semicolons": repeat(";", 200_000),
	}
	var many strings.Builder
	for i := range 1900 {
		fmt.Fprintf(&many, "@title(\"%d\")forbid(principal,action,resource)when{context.items>1&&context.x};\n", i)
	}
	shapes["many rules"] = many.String()
	for name, text := range shapes {
		start := time.Now()
		b, err := Parse(files(text))
		if err == nil {
			exercise(t, b)
		}
		if spent := time.Since(start); spent > limit {
			t.Errorf("%s: %v", name, spent)
		} else if testing.Verbose() {
			t.Logf("%s: %v, %v", name, spent, err)
		}
	}
}

// BenchmarkDecide measures a decision among 200 rules, one of which permits.
func BenchmarkDecide(b *testing.B) {
	for _, rules := range []int{4, 200} {
		b.Run(fmt.Sprintf("rules=%d", rules), func(b *testing.B) {
			bundle := load(b, benchmarkRules(rules))
			q := question()
			if d := bundle.Decide(q); d.Mode != terms.IDs {
				b.Fatalf("decision %+v", d)
			}
			b.ReportAllocs()
			for b.Loop() {
				bundle.Decide(q)
			}
		})
	}
	b.Run("refused", func(b *testing.B) {
		bundle := load(b, benchmarkRules(200))
		q := question(func(r *Request) { r.ItemsToday = PilotItemsPerDay })
		for b.Loop() {
			bundle.Decide(q)
		}
	})
}

// benchmarkRules are n rules as the pilot has them, a fifth of them forbids.
func benchmarkRules(n int) string {
	var s strings.Builder
	for i := range n {
		kind := []string{"document", "email", "account", "wallet"}[i%4]
		if i == n/2 {
			kind = "phone"
		}
		condition := fmt.Sprintf(`{ resource.kind == Kind::%q && resource.category == Category::"suspect" &&
			resource.basis == Basis::"AU-TIP" && context.purpose == Purpose::"trafficking" && context.items_today + context.items <= 250000 };`, kind)
		if i%5 == 1 && i != n/2 {
			fmt.Fprintf(&s, "@title(\"rule %d\") forbid (principal, action, resource) when %s\n", i, condition)
			continue
		}
		s.WriteString(pass(fmt.Sprintf("rule %d", i), `permit (principal == Member::"ID", action in [Action::"count", Action::"ids"], resource) when `+condition))
	}
	return s.String()
}
