package policy

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"entente/protocol/terms"
)

// TestWarningsOneByOne starts from a permit without warnings and takes one
// condition away at a time.
func TestWarningsOneByOne(t *testing.T) {
	conditions := map[string]string{
		"every registered purpose":     `context.purpose == Purpose::"trafficking"`,
		"every category":               `resource.category == Category::"suspect"`,
		"every registered legal basis": `resource.basis == Basis::"AU-TIP"`,
		"no limit a day":               `context.items_today + context.items <= 250000`,
	}
	// The register's own warnings are about line 0.
	about := func(rules string) []string {
		var out []string
		for _, f := range load(t, rules).Warnings() {
			if f.Line > 0 {
				out = append(out, f.Text)
			}
		}
		return out
	}
	rule := func(scope, without string) string {
		var parts []string
		for warning, c := range conditions {
			if warning != without {
				parts = append(parts, c)
			}
		}
		return pass("x", "permit ("+scope+", action, resource) when { "+strings.Join(parts, " && ")+" };")
	}
	if got := about(rule(`principal == Member::"ID"`, "")); len(got) != 0 {
		t.Errorf("a narrow permit warns: %q", got)
	}
	for warning := range conditions {
		if got := about(rule(`principal == Member::"ID"`, warning)); len(got) != 1 || !strings.Contains(got[0], warning) {
			t.Errorf("without %q: warnings %q", warning, got)
		}
	}
	if got := about(rule(`principal`, "")); len(got) != 1 || !strings.Contains(got[0], "every member") {
		t.Errorf("open to all: warnings %q", got)
	}
	// A role, or names in a condition, restrict who it is.
	for _, narrow := range []string{`principal.role == Role::"state"`, `[Member::"ID", Member::"TH"].contains(principal)`} {
		text := strings.Replace(rule("principal", ""), "when { ", "when { "+narrow+" && ", 1)
		if got := about(text); len(got) != 0 {
			t.Errorf("%s: warnings %q", narrow, got)
		}
	}
	if got := about(`@title("x") forbid (principal, action, resource);`); len(got) != 0 {
		t.Errorf("a forbid warns: %q", got)
	}
}

func TestEveryRepeatedFindingOnce(t *testing.T) {
	fs := findings(t, files(pass("x", `permit (principal, action, resource) when { context.x && context.x && resource.kind == Kind::"a" && resource.kind == Kind::"a" };`)))
	if n := len(slices.DeleteFunc(slices.Clone(fs), func(f Finding) bool { return !strings.Contains(f.Text, `no Kind "a"`) })); n != 1 {
		t.Errorf("one name is reported %d times", n)
	}
	seen := map[Finding]bool{}
	for _, f := range fs {
		if seen[f] {
			t.Errorf("reported twice: %v", f)
		}
		seen[f] = true
	}
}

func TestNamesThatNeedQuotingAreFound(t *testing.T) {
	// The place of a name with escapes is that of the rule.
	fs := findings(t, files("@title(\"x\")\nforbid (principal, action, resource) when {\n resource.kind == Kind::\"\\u{61}b\" };"))
	if !has(fs, 1, Error, `no Kind "ab"`) {
		t.Errorf("findings %v", fs)
	}
	fs = findings(t, files(`@title("x") forbid (principal, action, resource) when { resource.kind == Kind::"\u{202e}\n" };`))
	if !has(fs, 1, Error, `no Kind "??"`) {
		t.Errorf("findings %v", fs)
	}
}

func TestFindingAsJSONAndText(t *testing.T) {
	f := Finding{File: "a.cedar", Line: 2, Column: 3, Severity: Error, Text: "is wrong", Remedy: "Mend it."}
	b, err := json.Marshal(f)
	if err != nil || string(b) != `{"file":"a.cedar","line":2,"column":3,"severity":"error","text":"is wrong","remedy":"Mend it."}` {
		t.Errorf("json %s, %v", b, err)
	}
	if f.String() != "a.cedar:2:3: error: is wrong. Mend it." {
		t.Errorf("text %q", f)
	}
	d := pilot(t).Decide(question())
	b, err = json.Marshal(d)
	const want = `{"mode":"ids","duties":{"min_items":64,"retention_days":90,"epsilon_milli":1000,"min_count":11,"approval":false},` +
		`"grounds":[{"rule":"rules#1","title":"Pilot with ID: suspects, for trafficking","mode":"ids","forbids":false,"legal_basis":"AU-TIP"}]}`
	if err != nil || string(b) != want {
		t.Errorf("json %s, %v", b, err)
	}
}

func TestLearnerNames(t *testing.T) {
	for l, want := range map[Learner]string{Us: "us", Partner: "partner", 0: "nobody", 9: "nobody"} {
		if l.String() != want {
			t.Errorf("%d is %q", l, l.String())
		}
	}
}

// TestUnreadableFile: a rule that cannot be read must not be left out.
func TestUnreadableFile(t *testing.T) {
	folder := t.TempDir()
	for name, content := range files(pass("ok", openAll)) {
		if err := os.WriteFile(filepath.Join(folder, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	b, err := Load(os.DirFS(folder))
	if err != nil || !reflect.DeepEqual(b.Files(), files(pass("ok", openAll))) {
		t.Fatalf("Load = %v", err)
	}
	if err := os.Mkdir(filepath.Join(folder, "more.cedar"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(os.DirFS(folder)); err == nil {
		t.Error("a folder named like a rules file is left out")
	}
}

// TestIndexKeepsOrderAndLeavesOutOthers: what Cedar gets for a partner and mode.
func TestIndexKeepsOrderAndLeavesOutOthers(t *testing.T) {
	b := load(t, pass("1 all", openAll)+
		pass("2 ID", `permit (principal == Member::"ID", action, resource);`)+
		pass("3 TH", `permit (principal == Member::"TH", action, resource);`)+
		pass("4 ids", `permit (principal, action == Action::"ids", resource);`)+
		pass("5 ID counts", `permit (principal == Member::"ID", action in [Action::"count"], resource);`)+
		pass("6 in", `permit (principal in Member::"TH", action in Action::"ids", resource);`)+
		pass("7 is in", `permit (principal is Member in Member::"TH", action, resource);`))
	for _, c := range []struct {
		partner string
		mode    terms.Mode
		want    string
	}{
		{"ID", terms.IDs, "1 2 4 6 7"},
		{"ID", terms.Count, "1 2 5 7"},
		{"TH", terms.IDs, "1 3 4 6 7"},
		{"MY", terms.Count, "1 7"},
	} {
		var got []string
		for _, r := range b.index.rules(c.mode, c.partner) {
			if number, _, ok := strings.Cut(r.title, " "); ok && !r.baseline {
				got = append(got, number)
			}
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s, %v: rules %v, want %s", c.partner, c.mode, got, c.want)
		}
	}
	for id := range b.index.rules(terms.IDs, "ID").All() {
		if id != "baseline#1" {
			t.Errorf("the baseline is not first: %s", id)
		}
		break
	}
}

func TestDutiesAreALattice(t *testing.T) {
	some := []Duties{defaultDuties(), noDuties(), {64, 30, 0, 0, false, 0}, {128, 365, 500, 11, true, 0}, {0, 1, 2000, 1000, false, 0}}
	for _, a := range some {
		if a.stricter(noDuties()) != a || a.stricter(a) != a {
			t.Errorf("%+v is not kept", a)
		}
		for _, b := range some {
			if a.stricter(b) != b.stricter(a) {
				t.Errorf("order matters for %+v and %+v", a, b)
			}
			for _, c := range some {
				if a.stricter(b).stricter(c) != a.stricter(b.stricter(c)) {
					t.Errorf("grouping matters for %+v, %+v, %+v", a, b, c)
				}
			}
		}
	}
}
