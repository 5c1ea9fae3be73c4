package demo

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"entente/node/audit"
	"entente/policy"
	"entente/protocol/entry"
	"entente/protocol/indicator"
)

// fiction are the ranges that no person can have: the Australian regulator's thirty
// mobile numbers, the British regulator's block, North America's, and the specimen state.
var fiction = regexp.MustCompile(`^(?:` +
	`\+6149157(?:0(?:006|110|15[6-9]|313|737)|1(?:266|491|804)|2(?:549|665|983)|3(?:087|770)|4(?:118|632)|` +
	`5(?:254|789)|6(?:398|801)|7(?:426|644)|8(?:148|888|957)|9(?:212|455|760))` +
	`|\+447700900\d{3}|\+1[2-9]\d{2}55501\d{2}|UTO:[A-Z]\d{7})$`)

// figures are the persons of the story: of novels and tales, so that nobody's name is on a list.
func figures() []string {
	return []string{
		"Sindbad al-Bahri", "السندباد البحري", "Rodion Raskolnikov", "Родион Раскольников", "Wanthong Phimphilalai", "วันทอง พิมพิลาไลย",
		"Vuong Thuy Kieu", "Vương Thúy Kiều", "Edmond Dantes", "Siti Nurbaya", "Huckleberry Finn", "Lin Daiyu", "Elizabeth Bennet",
		"Josef Schwejk", "Emma Bovary", "Crisostomo Ibarra", "Sun Wukong", "Anna Karenina", "Hang Tuah", "Maria Clara de los Santos",
	}
}

func TestEveryValueIsFiction(t *testing.T) {
	all, err := allListed()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 410 {
		t.Errorf("%d values", len(all))
	}
	for _, v := range all {
		if v.value.Kind() == indicator.Person {
			if !slices.Contains(figures(), v.original) {
				t.Errorf("%q might be somebody's name", v.original)
			}
		} else if !fiction.MatchString(v.value.Canonical()) {
			t.Errorf("%q might be somebody's", v.original)
		}
	}
	if !fiction.MatchString(control) || slices.ContainsFunc(all, func(v listed) bool { return v.value.Canonical() == control }) {
		t.Error("the control value is somebody's or on a list")
	}
}

// TestTruthFollowsFromTheFiles compares the truth with the files without any node.
func TestTruthFollowsFromTheFiles(t *testing.T) {
	lists := map[string][]string{}
	for _, f := range sources() {
		values, err := f.values()
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range values {
			lists[f.name()] = append(lists[f.name()], v.value.Canonical())
		}
		slices.Sort(lists[f.name()])
		lists[f.name()] = slices.Compact(lists[f.name()])
	}
	both := func(a, b string) []string {
		return slices.DeleteFunc(slices.Clone(lists[a]), func(v string) bool { return !slices.Contains(lists[b], v) })
	}
	truth := theTruth()
	never := []string{truth.held, "+61491572549", "+61491574118"}
	open := slices.DeleteFunc(both("au-wanted.csv", "id-watch.csv"), func(v string) bool { return slices.Contains(never, v) })
	if !slices.Equal(open, truth.phones.hits[au]) || len(never) != protected {
		t.Errorf("shared phones are %v", open)
	}
	if got := both("au-papers.csv", "id-papers.csv"); !slices.Equal(got, truth.papers.hits[au]) {
		t.Errorf("shared passports are %v", got)
	}
	if got := both("au-wanted.csv", "au-protected.csv"); !slices.Equal(got, []string{truth.held}) {
		t.Errorf("held are %v", got)
	}
	if got := len(both("au-wanted.csv", "th-watch.csv")); got != truth.overlaps[th] {
		t.Errorf("%d phones are shared with Thailand", got)
	}
	w := truth.wanted
	if w.rows != w.ready+w.merged+w.held+w.rejected || len(lists["au-wanted.csv"]) != w.ready+w.held {
		t.Errorf("the counts do not add up: %+v, %d values", w, len(lists["au-wanted.csv"]))
	}
}

func TestRules(t *testing.T) {
	for _, member := range ids() {
		rules, err := rulesOf(member)
		if err != nil {
			t.Fatal(err)
		}
		folder := t.TempDir()
		for name, b := range rules {
			if err := os.WriteFile(filepath.Join(folder, name), b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		findings, err := policy.Check(os.DirFS(folder), policy.Known{Self: member, Members: ids()})
		if err != nil || len(findings) > 0 {
			t.Errorf("%s: %v, %v", member, findings, err)
		}
		if forbids := slices.ContainsFunc(mustParse(t, rules).Rules(), func(r policy.Rule) bool { return r.Title == operationTitle }); forbids != (member == th) {
			t.Errorf("%s: forbids is %v", member, forbids)
		}
	}
}

func mustParse(t *testing.T, rules map[string][]byte) *policy.Bundle {
	t.Helper()
	b, err := policy.Parse(rules)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// What alter does to a log that can be read is seen in the story.
func TestAlterNeedsALog(t *testing.T) {
	log := filepath.Join(t.TempDir(), entry.Local.LogName())
	if _, _, _, err := alter(log); err == nil {
		t.Error("altered a log that is not there")
	}
	before := entry.LogHeader(entry.Local)
	if err := os.WriteFile(log, append(slices.Clone(before), "xxxxxxxx"...), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := alter(log); err == nil {
		t.Error("altered a log that cannot be read")
	}
}

func TestWords(t *testing.T) {
	for want, got := range map[string]string{
		"everything is right": verdict(audit.Report{OK: true}), "1 faults": verdict(audit.Report{Faults: make([]audit.Fault, 1)}),
		"one receipt, signed by both sides": receipts(1), "two receipts, each signed by both sides": receipts(2),
		"none": few(0), "four": few(4), "5": few(5), "-1": few(-1), "Three": first("three"), "": first(""),
		"999 bytes": bytesText(999), "1.5 kB": bytesText(1500), "no hits": hitsText(0), "2 hits": hitsText(2),
		`allowed by the rule "T" (r#1)`:               sayings([]string{"allows: T (r#1)"}),
		`forbidden by the rule "A: B" (r#2); strange`: sayings([]string{"forbids: A: B (r#2)", "strange"}),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if (source{au, "papers", indicator.Document, indicator.Suspect, indicator.Defaults{}}).name() != "au-papers.csv" {
		t.Error("a file has another name")
	}
}
