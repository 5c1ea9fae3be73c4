package person

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestPersonsPrintNothing(t *testing.T) {
	p, _, err := Parse(Fields{Name: "Omar Khalid", Born: "1990-05-17"}, Defaults{})
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("record", "person", p, "profile", p.Profile())
	text, err := json.Marshal(map[string]any{"p": p, "in": struct{ P *Person }{&p}})
	if err != nil {
		t.Fatal(err)
	}
	b, err := p.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	printed := []string{log.String(), string(text), string(b), p.String(), p.Profile().String()}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		printed = append(printed, fmt.Sprintf(verb, p), fmt.Sprintf(verb, []Person{p}), fmt.Sprintf(verb, struct{ X Person }{p}),
			fmt.Sprintf(verb, p.Profile()))
	}
	for _, s := range printed {
		if low := strings.ToLower(s); strings.Contains(low, "omar") || strings.Contains(low, "1990") || strings.Contains(low, "6f6d6172") {
			t.Errorf("printed: %s", s)
		}
	}
}

// TestRejectionsHoldNothing: reasons are distinct, and no rejection repeats its input.
func TestRejectionsHoldNothing(t *testing.T) {
	seen := map[Reason]bool{}
	for _, r := range Reasons() {
		if seen[r] || r.Text() == "rejected" {
			t.Errorf("reason %s", r)
		}
		seen[r] = true
	}
	for _, f := range []Fields{{"Secret4", nil, "1990"}, {"Secret", nil, "Secret 1990"}, {"Secret", nil, "1790"}} {
		_, _, err := Parse(f, Defaults{})
		if err == nil || strings.Contains(strings.ToLower(err.Error()), "secret") || strings.Contains(err.Error(), "90") {
			t.Errorf("error %v", err)
		}
	}
}

func TestZeroPerson(t *testing.T) {
	var p Person
	if p.Element() != nil || p.Canonical() != "" || p.Names() != nil || p.String() != "[no person]" || !p.Equal(Person{}) {
		t.Error("the zero person holds something")
	}
	if n := len(p.Profile().Keys()); n != 0 {
		t.Errorf("the zero person has %d keys", n)
	}
	q, _, err := Parse(Fields{Name: "Omar", Born: "1990"}, Defaults{})
	if err != nil || p.Equal(q) || q.Equal(p) {
		t.Errorf("the zero person equals another (%v)", err)
	}
}

// TestBounds tries lengths at and beyond each limit.
func TestBounds(t *testing.T) {
	name := func(n int) string { return strings.Repeat("a", n) }
	variants := func(n int) []string {
		var vs []string
		for i := range n {
			vs = append(vs, "variant "+strings.Repeat("b", i+1))
		}
		return vs
	}
	for _, c := range []struct {
		fields Fields
		reason Reason
	}{
		{Fields{name(maxCanonical - 5), nil, "1990"}, ""},
		{Fields{name(maxCanonical - 4), nil, "1990"}, ReasonTooLong},
		{Fields{name(maxRaw + 1), nil, "1990"}, ReasonTooLong},
		{Fields{"omar", variants(maxNames - 1), "1990"}, ""},
		{Fields{"omar", variants(maxNames), "1990"}, ReasonTooLong},
		{Fields{"omar", nil, strings.Repeat(" ", maxRaw+1)}, ReasonTooLong},
		{Fields{"omar", nil, "1880"}, ""},
		{Fields{"omar", nil, "1879"}, ReasonYear},
		{Fields{"omar", nil, "2099-12-31"}, ""},
		{Fields{"omar", nil, "2100"}, ReasonYear},
		{Fields{"omar", nil, "2000-02-29"}, ""},
		{Fields{"omar", nil, "1999-02-29"}, ReasonNoSuchDay},
		{Fields{"\xff", nil, "1990"}, ReasonNotText},
		{Fields{"omar", nil, "\xff"}, ReasonNotText},
	} {
		_, _, err := Parse(c.fields, Defaults{})
		if got, ok := err.(*Rejection); (err == nil) != (c.reason == "") || (ok && got.Reason != c.reason) {
			t.Errorf("%d bytes, %d variants, born %.12q: %v, want %q", len(c.fields.Name), len(c.fields.Variants), c.fields.Born, err, c.reason)
		}
	}
}

// TestKeysMeetAcrossDamage: records of one person share a key whatever one damage is done.
func TestKeysMeetAcrossDamage(t *testing.T) {
	a := profileOf(t, "Mohammed Khaled al-Masri", "1985-03-07")
	for _, c := range [][2]string{
		{"Muhammad Khalid El-Masry", "1985-03-07"}, {"محمد خالد المصري", "1985-03-07"}, {"Mohammed al-Masri", "1985-07-03"},
		{"Khaled Masri", "1986-03-07"}, {"al-Masri, Mohammed", "1985"}, {"Mohammed Khaled al-Masri", "1985-01-01"},
		{"Mohammed Kxaled", "1985-03-19"}, {"Mohammedkhaled Almasri", "1985"}, {"Mohammed K.", "1985-03-07"},
	} {
		if !shareKey(a, profileOf(t, c[0], c[1])) {
			t.Errorf("%s, %s shares no key", c[0], c[1])
		}
	}
	for _, c := range [][2]string{{"Anna Petrova", "1985-03-07"}, {"Mohammed Khaled al-Masri", "1979-11-20"}} {
		if shareKey(a, profileOf(t, c[0], c[1])) {
			t.Errorf("%s, %s shares a key", c[0], c[1])
		}
	}
}

func shareKey(a, b Profile) bool {
	in := map[string]bool{}
	for _, k := range a.Keys() {
		in[string(k)] = true
	}
	for _, k := range b.Keys() {
		if in[string(k)] {
			return true
		}
	}
	return false
}

// TestKeysOfManyWords: what does not fit is the least selective, and equal on both sides.
func TestKeysOfManyWords(t *testing.T) {
	p := profileOf(t, "karimov bolotbek sadirov temirlan nazgulov dastanbek", "1990-05-17")
	keys := p.Keys()
	if len(keys) != KeysPerPerson {
		t.Fatalf("%d keys", len(keys))
	}
	for i, k := range keys {
		if i > 0 && strings.IndexByte("DMPLI", k[0]) < strings.IndexByte("DMPLI", keys[i-1][0]) {
			t.Errorf("key %d is of kind %c, behind kind %c", i, k[0], keys[i-1][0])
		}
	}
	yearOnly := profileOf(t, "karimov bolotbek sadirov temirlan nazgulov dastanbek", "1990").Keys()
	for _, k := range yearOnly {
		if k[0] == 'D' || k[0] == 'M' {
			t.Errorf("a key of kind %c without a day or month", k[0])
		}
	}
}
