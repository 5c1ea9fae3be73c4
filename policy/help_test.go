package policy

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"entente/protocol/terms"
)

// noon is the time of all decisions in these tests.
var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

const testRegister = `
version = 7
members = ["ID", "TH"]
purposes = ["trafficking", "fraud"]
[bases]
AU-TIP = "Act on trafficking in persons"
AU-FRAUD = "Act on fraud"
`

// pass is a permit with the annotations that every permit needs.
func pass(title, rest string) string {
	return fmt.Sprintf("@title(%q)\n@legal_basis(\"AU-TIP\")\n%s\n", title, rest)
}

// openAll permits whatever the baseline and the register leave.
const openAll = `permit (principal, action, resource);`

func files(rules string) map[string][]byte {
	return map[string][]byte{registerFile: []byte(testRegister), rulesFile: []byte(rules)}
}

func load(t testing.TB, rules string) *Bundle {
	t.Helper()
	b, err := Parse(files(rules))
	if err != nil {
		t.Fatalf("rules do not load: %v", err)
	}
	return b
}

// findings loads rules that must be refused.
func findings(t testing.TB, fs map[string][]byte) []Finding {
	t.Helper()
	_, err := Parse(fs)
	invalid, ok := errors.AsType[*InvalidError](err)
	if !ok {
		t.Fatalf("error is %v, want an InvalidError", err)
	}
	return invalid.Findings
}

// question asks whether ID may learn which of AU's suspects' phones it has too.
func question(change ...func(*Request)) Request {
	r := Request{
		Self: "AU", Partner: "ID", PartnerRole: "state", Kind: "phone", Category: "suspect",
		ListPurpose: "trafficking", Purpose: "trafficking", Basis: "AU-TIP",
		Learner: Partner, Asked: terms.IDs, OwnItems: 10240, PartnerItems: 10240, Now: noon,
	}
	for _, c := range change {
		c(&r)
	}
	return r
}

func pilot(t testing.TB, change ...func(*PilotOptions)) *Bundle {
	t.Helper()
	o := PilotOptions{Partners: []string{"ID"}, Basis: "AU-TIP"}
	for _, c := range change {
		c(&o)
	}
	fs, err := Pilot(o)
	if err != nil {
		t.Fatal(err)
	}
	b, err := Parse(fs)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// ids are the rules named by grounds.
func ids(gs []Ground) []string {
	var out []string
	for _, g := range gs {
		out = append(out, g.Rule)
	}
	return out
}

func has(fs []Finding, line int, severity Severity, part string) bool {
	return slices.ContainsFunc(fs, func(f Finding) bool {
		return f.Line == line && f.Severity == severity && strings.Contains(f.Text, part)
	})
}

func with(fs map[string][]byte, name, content string) map[string][]byte {
	out := maps.Clone(fs)
	out[name] = []byte(content)
	return out
}
