package policy

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"entente/protocol/indicator"
	"entente/protocol/terms"
)

func TestWhyNamesTheRules(t *testing.T) {
	b := pilot(t)
	const title = `"Pilot with ID: suspects, for trafficking"`
	for name, c := range map[string]struct {
		change func(*Request)
		want   []string
	}{
		"permitted": {func(*Request) {}, []string{
			"ID may learn which of the suspect entries of kind phone (purpose trafficking) match.",
			"Permitted by the rule " + title + " (rules#1, legal basis AU-TIP).",
		}},
		"we count": {func(r *Request) { r.Learner, r.Asked = Us, terms.Count }, []string{
			"We may learn how many of the suspect entries of kind phone (purpose trafficking) match, not which.",
			"Permitted by the rule " + title + " (rules#1, legal basis AU-TIP).",
		}},
		"over the limit": {func(r *Request) { r.ItemsToday = PilotItemsPerDay }, []string{
			"ID may learn nothing of the suspect entries of kind phone (purpose trafficking).",
			"No rule allows it.",
			"The rule " + title + " would permit it, but needs that the items already matched with the partner today plus the items of this round are at most 250,000.",
		}},
		"another partner": {func(r *Request) { r.Partner = "TH" }, []string{
			"TH may learn nothing of the suspect entries of kind phone (purpose trafficking).",
			"No rule allows it.",
		}},
		"victims": {func(r *Request) { r.Category = "victim" }, []string{
			"ID may learn nothing of the victim entries of kind phone (purpose trafficking).",
			`Refused by the rule "Victims, witnesses and missing persons take no part in bulk matching" (baseline#1). What to do: Use a single request to the protection desk of the partner.`,
		}},
		"nonsense": {func(r *Request) { r.OwnItems = 0 }, []string{
			"ID may learn nothing of the suspect entries of kind phone (purpose trafficking).",
			"Refused to be safe: the size of the own list is missing.",
		}},
	} {
		if got := b.Why(question(c.change)); !slices.Equal(got, c.want) {
			t.Errorf("%s:\n%s\nwant\n%s", name, strings.Join(got, "\n"), strings.Join(c.want, "\n"))
		}
	}
}

func TestWhyShowsTheClosestRulesFirst(t *testing.T) {
	b := load(t, pass("far", `permit (principal, action, resource) when { resource.kind == Kind::"document" && context.items < 5 && context.learner == Learner::"us" };`)+
		pass("near", `permit (principal, action, resource) when { resource.kind == Kind::"document" };`)+
		pass("unless", `permit (principal, action, resource) when { resource.kind == Kind::"phone" } unless { context.learner == Learner::"partner" };`)+
		pass("other mode", `permit (principal, action == Action::"count", resource) when { false };`)+
		pass("further", `permit (principal, action, resource) when { context.items < 1 && context.items < 2 && context.items < 3 && context.items < 4 };`))
	got := b.Why(question())
	want := []string{
		`The rule "near" would permit it, but needs that the list's kind is document.`,
		`The rule "unless" would permit it, but needs that not (the side that learns is partner).`,
		`The rule "far" would permit it, but needs that the list's kind is document, the items of this round are less than 5 and the side that learns is us.`,
	}
	if !slices.Equal(got[2:], want) {
		t.Errorf("%s\nwant\n%s", strings.Join(got[2:], "\n"), strings.Join(want, "\n"))
	}
}

func TestRulesInWords(t *testing.T) {
	for condition, want := range map[string]string{
		`resource.kind == Kind::"phone"`:                                         "the list's kind is phone",
		`resource.kind != Kind::"phone"`:                                         "the list's kind is not phone",
		`[Kind::"phone", Kind::"email", Kind::"wallet"].contains(resource.kind)`: "the list's kind is phone, email or wallet",
		`resource.kind in [Kind::"phone"]`:                                       "the list's kind is phone",
		`context.own_items >= 1000000`:                                           "the size of our list is at least 1,000,000",
		`context.partner_items > 999`:                                            "the size of the partner's list is more than 999",
		`context.items_today < 1000`:                                             "the items already matched with the partner today are less than 1,000",
		`context.items >= -1000`:                                                 "the items of this round are at least -1,000",
		`context.now < datetime("2027-01-01")`:                                   "the time is before 2027-01-01",
		`context.now >= datetime("2027-01-01")`:                                  "the time is not before 2027-01-01",
		`context.standing && context.items <= 10`:                                "the round is a standing one and the items of this round are at most 10",
		`!context.standing`:                                                      "not (the round is a standing one)",
		`!resource.minors`:                                                       "not (the list is about minors)",
		`resource.minors || principal.role == Role::"ngo"`:                       "(the list is about minors or the partner's role is ngo)",
		`if resource.minors then true else false`:                                "`if resource.minors then true else false`",
		`context.items * 2 <= 10`:                                                "`context.items * 2` is at most 10",
		`true`:                                                                   "always",
		`principal == Member::"ID"`:                                              "the partner is ID",
	} {
		b := load(t, `@title("x") forbid (principal, action == Action::"ids", resource) when { `+condition+` };`)
		if got := b.Rules()[3].Sentence; got != "Forbids with any partner: which match, if "+want+"." {
			t.Errorf("%s: %q, want %q", condition, got, want)
		}
	}
}

func TestRulesListsAll(t *testing.T) {
	b := load(t, pass("a", `@remedy_("")`)[:0]+pass("first", `@retention_days("5") permit (principal == Member::"ID", action, resource);`)+
		"\n"+`@title("second") @remedy("Ask.") forbid (principal is Member, action in Action::"count", resource) unless { resource.minors };`)
	rules := b.Rules()
	if len(rules) != 5 || !rules[0].Baseline || !rules[2].Baseline || rules[3].Baseline {
		t.Fatalf("rules %+v", rules)
	}
	first, second := rules[3], rules[4]
	if first.ID != "rules#1" || first.File != rulesFile || first.Line != 1 || first.Forbids || first.Basis != "AU-TIP" || first.Duties.RetentionDays != 5 ||
		first.Sentence != "Permits with ID: how many match and which match." {
		t.Errorf("first %+v", first)
	}
	if second.Line != 5 || !second.Forbids || second.Remedy != "Ask." || second.Duties != (Duties{}) ||
		second.Sentence != "Forbids with any partner: how many match, if not (the list is about minors)." {
		t.Errorf("second %+v", second)
	}
}

func TestExplainThePilot(t *testing.T) {
	b := pilot(t)
	got := b.Explain("AU", []Counterpart{{"ID", "state"}, {"TH", "state"}}, noon)
	rest := []string{
		"which entries match on our lists of category suspect and kind phone, document, handle, email, account, wallet or domain, " +
			`for trafficking, on the legal basis AU-TIP, without further approval: "Pilot with ID: suspects, for trafficking".`,
		"which entries are alike from a score of 2,000 on our lists of category suspect and kind person, " +
			`for trafficking, on the legal basis AU-TIP, without further approval: "Pilot with ID: names of suspects that are alike, for trafficking".`,
		"which entries are alike from a score of 4,839 on our lists of category suspect and kind face, " +
			`for trafficking, on the legal basis AU-TIP, without further approval: "Pilot with ID: faces of suspects that are alike, for trafficking".`,
	}
	if len(got) != 2*len(rest) {
		t.Fatalf("%d openings, want three for each direction: %+v", len(got), got)
	}
	for i, o := range got {
		want := "ID may learn " + rest[i%len(rest)]
		if i >= len(rest) {
			want = "We may learn, with ID, " + rest[i%len(rest)]
		}
		if o.Sentence != want {
			t.Errorf("sentence\n%s\nwant\n%s", o.Sentence, want)
		}
		if o.Mode != terms.IDs || i%len(rest) == 0 && !slices.Equal(o.Kinds, equalKinds()) || !slices.Equal(o.Categories, []indicator.Category{"suspect"}) || o.Duties.Approval {
			t.Errorf("opening %+v", o)
		}
	}
	out, err := json.Marshal(got[0])
	if err != nil || !strings.Contains(string(out), `"learner":"partner","mode":"ids"`) {
		t.Errorf("json %s, %v", out, err)
	}
}

// TestExplainIsWhatDecideDoes compares the openings with single decisions.
func TestExplainIsWhatDecideDoes(t *testing.T) {
	b := load(t, pass("documents", `@approval("none") permit (principal, action, resource) when { resource.kind == Kind::"document" };`)+
		pass("large lists", `@min_items("4096") permit (principal == Member::"ID", action == Action::"count", resource) when { context.learner == Learner::"us" };`)+
		`@title("no convicts' papers") forbid (principal, action, resource) when { resource.category == Category::"convicted" && resource.kind == Kind::"document" };`+
		`@title("states only") forbid (principal, action, resource) unless { principal.role == Role::"state" };`)
	openings := b.Explain("AU", []Counterpart{{"ID", "state"}, {"TH", "ngo"}}, noon)
	open := func(r Request) terms.Mode {
		for _, o := range openings {
			if o.Partner == r.Partner && o.Learner == r.Learner && o.Purpose == r.Purpose && o.Basis == r.Basis &&
				slices.Contains(o.Kinds, r.Kind) && slices.Contains(o.Categories, r.Category) {
				return o.Mode
			}
		}
		return terms.None
	}
	permitted := 0
	for _, partner := range []Counterpart{{"ID", "state"}, {"TH", "ngo"}} {
		for _, kind := range indicator.Kinds() {
			for _, category := range indicator.Categories() {
				for _, learner := range []Learner{Us, Partner} {
					q := question(func(r *Request) {
						r.Partner, r.PartnerRole, r.Kind, r.Category, r.Learner = partner.ID, partner.Role, kind, category, learner
						r.OwnItems, r.PartnerItems = 4096, 4096
					})
					d := b.Decide(q)
					if d.Mode != open(q) {
						t.Errorf("%+v: decided %v, explained %v", q, d.Mode, open(q))
					}
					if d.Mode != terms.None {
						permitted++
					}
				}
			}
		}
	}
	// Documents of four of the five open categories both ways, and for us counts of
	// all other kinds of the five, but those that are matched by similarity.
	if permitted != 4*2+5*6 {
		t.Errorf("%d requests are permitted", permitted)
	}
	for _, o := range openings {
		if len(o.Grounds) == 0 || slices.ContainsFunc(o.Grounds, func(g Ground) bool { return g.Forbids }) {
			t.Errorf("opening %+v has no permit", o)
		}
	}
	if got := load(t, "").Explain("AU", []Counterpart{{"ID", "state"}}, noon); len(got) != 0 {
		t.Errorf("rules that deny all open %+v", got)
	}
}

// Rules can tell standing rounds from single ones, and Explain says so where they do.
func TestExplainTellsStandingRounds(t *testing.T) {
	const permit = `permit (principal == Member::"ID", action, resource) when { resource.kind == Kind::"phone" && resource.category == Category::"suspect" && context.learner == Learner::"us"`
	for name, c := range map[string]struct {
		rules string
		want  []Rounds
		says  []string
	}{
		"any":       {pass("p", permit+` };`), []Rounds{AnyRounds}, []string{"which entries match on"}},
		"single":    {pass("p", permit+` && !context.standing };`), []Rounds{SingleRounds}, []string{"which entries match, in single rounds only, on"}},
		"standing":  {pass("p", permit+` && context.standing };`), []Rounds{StandingRounds}, []string{"which entries match, in standing rounds only, on"}},
		"forbidden": {pass("p", permit+` };`) + `@title("f") forbid (principal, action, resource) when { context.standing };`, []Rounds{SingleRounds}, []string{"in single rounds only"}},
		"count":     {pass("p", strings.Replace(permit, "action,", `action == Action::"count",`, 1)+` };`), []Rounds{SingleRounds}, []string{"how many entries match on"}},
		"approval": {pass("p", `@approval("none") `+permit+` && !context.standing };`) + pass("q", `@approval("one") `+permit+` && context.standing };`),
			[]Rounds{SingleRounds, StandingRounds}, []string{"without further approval", "after a person's approval"}},
	} {
		openings := load(t, c.rules).Explain("AU", []Counterpart{{"ID", "state"}}, noon)
		openings = slices.DeleteFunc(openings, func(o Opening) bool { return o.Basis != "AU-TIP" || o.Purpose != "trafficking" })
		if len(openings) != len(c.want) {
			t.Errorf("%s: %+v", name, openings)
			continue
		}
		for i, o := range openings {
			if o.Rounds != c.want[i] || !strings.Contains(o.Sentence, c.says[i]) {
				t.Errorf("%s: %s, %q", name, o.Rounds, o.Sentence)
			}
		}
	}
}

func TestList(t *testing.T) {
	for want, parts := range map[string][]string{"nothing": nil, "a": {"a"}, "a and b": {"a", "b"}, "a, b and c": {"a", "b", "c"}} {
		if got := list(parts, "and"); got != want {
			t.Errorf("list(%v) = %q", parts, got)
		}
	}
}

func TestNumber(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", -999: "-999", -1000: "-1,000", 1234567: "1,234,567", -123456: "-123,456"} {
		if got := number(n); got != want {
			t.Errorf("number(%d) = %q", n, got)
		}
	}
}
