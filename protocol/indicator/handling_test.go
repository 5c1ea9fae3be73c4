package indicator

import (
	"strings"
	"testing"
	"time"
)

func handling() Handling {
	return Handling{
		Category: Suspect, Offence: "THB-1", Purpose: "trafficking", Basis: "AU-TIP", NeverWith: []string{"ID", "TH"},
		FirstObserved: time.Date(2024, 1, 2, 0, 0, 0, 0, time.UTC), LastObserved: time.Date(2025, 1, 2, 0, 0, 0, 0, time.UTC),
		SourceEvaluation: "B", InformationEvaluation: "2", Codes: []string{"H1", "H2", "TLP:AMBER+STRICT", "PAP:AMBER"},
		CaseReference: "C-17", Expires: time.Date(2029, 1, 2, 0, 0, 0, 0, time.UTC),
	}
}

func TestHandlingValidate(t *testing.T) {
	if err := handling().Validate(); err != nil {
		t.Fatal(err)
	}
	if err := (Handling{Category: Missing}).Validate(); err != nil {
		t.Errorf("a category alone: %v", err)
	}
	for name, spoil := range map[string]func(*Handling){
		"no category":          func(h *Handling) { h.Category = "" },
		"unknown category":     func(h *Handling) { h.Category = "migrant" },
		"long offence":         func(h *Handling) { h.Offence = strings.Repeat("x", maxFieldBytes+1) },
		"line break":           func(h *Handling) { h.Purpose = "a\nb" },
		"not UTF-8":            func(h *Handling) { h.Basis = "\xff" },
		"control in reference": func(h *Handling) { h.CaseReference = "\x1b[2J" },
		"empty member":         func(h *Handling) { h.NeverWith = []string{""} },
		"member twice":         func(h *Handling) { h.NeverWith = []string{"ID", "TH", "ID"} },
		"member with control":  func(h *Handling) { h.NeverWith = []string{"I\tD"} },
		"too many members":     func(h *Handling) { h.NeverWith = make([]string, maxNeverWith+1) },
		"source D":             func(h *Handling) { h.SourceEvaluation = "D" },
		"source a":             func(h *Handling) { h.SourceEvaluation = "a" },
		"information 5":        func(h *Handling) { h.InformationEvaluation = "5" },
		"information 0":        func(h *Handling) { h.InformationEvaluation = "0" },
		"H4":                   func(h *Handling) { h.Codes = []string{"H4"} },
		"TLP of version 1":     func(h *Handling) { h.Codes = []string{"TLP:WHITE"} },
		"TLP in lower case":    func(h *Handling) { h.Codes = []string{"tlp:red"} },
		"two TLP labels":       func(h *Handling) { h.Codes = []string{"TLP:RED", "TLP:CLEAR"} },
		"two PAP labels":       func(h *Handling) { h.Codes = []string{"PAP:RED", "PAP:GREEN"} },
		"H1 twice":             func(h *Handling) { h.Codes = []string{"H1", "H1"} },
		"seen backwards":       func(h *Handling) { h.LastObserved = h.FirstObserved.Add(-time.Second) },
		"expired before seen":  func(h *Handling) { h.Expires = h.FirstObserved.Add(-time.Second) },
	} {
		h := handling()
		spoil(&h)
		err := h.Validate()
		if err == nil {
			t.Errorf("%s passes", name)
			continue
		}
		for _, content := range []string{h.Offence, h.Purpose, h.CaseReference} {
			if content != "" && strings.Contains(err.Error(), content) {
				t.Errorf("%s: the error holds a field's content", name)
			}
		}
	}
}

func TestHandlingCodesPass(t *testing.T) {
	for _, c := range handlingCodes() {
		if err := (Handling{Category: Suspect, Codes: []string{c}}).Validate(); err != nil {
			t.Errorf("%s: %v", c, err)
		}
	}
	for _, s := range []string{"A", "B", "C", "X"} {
		for _, i := range []string{"1", "2", "3", "4"} {
			if err := (Handling{Category: Suspect, SourceEvaluation: s, InformationEvaluation: i}).Validate(); err != nil {
				t.Errorf("%s%s: %v", s, i, err)
			}
		}
	}
}

func TestShielded(t *testing.T) {
	for _, c := range Categories() {
		want := c == Victim || c == Witness
		if got := (Handling{Category: c}).Shielded(); got != want {
			t.Errorf("%s: shielded %t", c, got)
		}
		if !(Handling{Category: c, Minor: true}).Shielded() || !(Handling{Category: c, Protected: true}).Shielded() {
			t.Errorf("%s: a minor or protected person is not shielded", c)
		}
	}
}

func TestParseCategory(t *testing.T) {
	for _, c := range Categories() {
		if got, err := ParseCategory(string(c)); err != nil || got != c {
			t.Errorf("%s: %v", c, err)
		}
	}
	for _, s := range []string{"", "Suspect", "migrant", "suspect "} {
		if _, err := ParseCategory(s); err == nil {
			t.Errorf("category %q passes", s)
		}
	}
}
