package indicator

import (
	"math/rand/v2"
	"strings"
	"testing"
	"unicode"

	"github.com/nyaruka/phonenumbers"
)

// TestAssigned: the own lookup agrees with the library's on example numbers of all regions
// and on random ones around them.
func TestAssigned(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 3))
	both := [2]int{}
	for range 6000 {
		n, err := phonenumbers.Parse(randomPhone(r), "")
		if err != nil {
			continue
		}
		national := phonenumbers.GetNationalSignificantNumber(n)
		want := phonenumbers.IsValidNumber(n)
		if got := plans()[n.GetCountryCode()].assigned(national); got != want {
			t.Errorf("+%d %s: assigned %t, the library says %t", n.GetCountryCode(), national, got, want)
		}
		if want {
			both[1]++
		} else {
			both[0]++
		}
	}
	if both[0] < 1000 || both[1] < 1000 {
		t.Errorf("%d unassigned and %d assigned numbers are too few", both[0], both[1])
	}
}

// TestStable: where no second reading is made, it would change nothing.
func TestStable(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 8))
	skipped := 0
	for range 6000 {
		p, rejected := parseOnce(randomPhone(r), "")
		if rejected != nil || !p.stable() {
			continue
		}
		skipped++
		again, rejected := parseOnce(p.text, "")
		if rejected != nil || again.text != p.text {
			t.Fatalf("%s changes when it is read again", p.text)
		}
	}
	if skipped < 1000 {
		t.Errorf("only %d numbers were stable", skipped)
	}
}

// TestNotations: the ways in which people write one number all lead to it.
func TestNotations(t *testing.T) {
	for _, c := range []struct{ country, want, notations string }{
		{"AU", "+61491570006", "0491570006|0491 570 006|(04) 9157 0006|+61 491 570 006|+61(0)491570006|0061491570006|001161491570006|61491570006|491570006|tel:+61491570006|＋61491570006|0491.570.006|0491–570–006|+61 491 570 006 ext 7|04\u200d91570006"},
		{"ID", "+6281000550123", "081000550123|0810-0055-0123|+62 810-0055-0123|62 810 0055 0123|0062 810 0055 0123|81000550123"},
		{"TH", "+66705550123", "0705550123|070-555-0123|+66 (0)70 555 0123|66705550123|0066705550123|66 70 555 0123|๐๗๐ ๕๕๕ ๐๑๒๓"},
		{"US", "+12025550143", "2025550143|(202) 555-0143|1-202-555-0143|+1 202.555.0143|202-555-0143 x12|001 202 555 0143"},
		{"GB", "+442079460018", "020 7946 0018|+44 (0)20 7946 0018|0044 20 7946 0018|44 20 7946 0018"},
		{"", "+390655501234", "+39 06 5550 1234|0039 06 5550 1234|011 39 06 5550 1234"},
	} {
		for notation := range strings.SplitSeq(c.notations, "|") {
			v, _, err := Parse(Phone, notation, Defaults{Country: c.country})
			if err != nil || v.Canonical() != c.want {
				t.Errorf("%s as %q: %q, %v", c.country, notation, v.Canonical(), err)
			}
		}
	}
}

// TestPlausible: ranges kept for fiction and ranges that nobody has assigned pass, with a
// remark where the metadata do not know them.
func TestPlausible(t *testing.T) {
	for _, c := range []struct {
		raw      string
		remarked bool
	}{
		{"+61491570006", false}, {"+61491570804", false}, {"+61255501234", false}, {"+61370105678", false},
		{"+12025550143", false}, {"+13105550199", false},
		{"+447700900123", true}, {"+442079460000", false}, {"+33199001234", false},
		{"+66705550123", true}, {"+915000512345", true}, {"+639005550123", true},
	} {
		_, changes, err := Parse(Phone, c.raw, Defaults{})
		if err != nil {
			t.Errorf("%s: %v", c.raw, err)
		}
		if got := len(changes) == 1 && changes[0] == changePlausible; got != c.remarked {
			t.Errorf("%s: changes %v", c.raw, changes)
		}
	}
}

// TestDigitsOfAllScripts: every decimal digit of Unicode counts as its value.
func TestDigitsOfAllScripts(t *testing.T) {
	scripts := 0
	for r := rune(0); r <= unicode.MaxRune; r++ {
		v, ok := digitValue(r)
		if ok != unicode.IsDigit(r) {
			t.Fatalf("%U: digit %t", r, ok)
		}
		if !ok || v != 0 {
			continue
		}
		scripts++
		var b strings.Builder
		for _, d := range "0491570006" {
			b.WriteRune(r + d - '0')
		}
		w, _, err := Parse(Phone, b.String(), Defaults{Country: "AU"})
		if err != nil || w.Canonical() != "+61491570006" {
			t.Errorf("digits from %U: %v", r, err)
		}
	}
	if scripts < 60 {
		t.Errorf("only %d sets of digits", scripts)
	}
}

func TestPlaceholder(t *testing.T) {
	for s, want := range map[string]bool{
		"000": true, "1111111": true, "123456": true, "7890123": true, "987654321": true, "3210987": true,
		"": false, "0": false, "00": false, "123": false, "12345": false, "112": false, "1234567899": false, "135791": false,
	} {
		if placeholder(s) != want {
			t.Errorf("placeholder %q is %t", s, !want)
		}
	}
}

// TestHotlinesAreStopped: the table holds canonical numbers, so that it can match at all.
func TestHotlinesAreStopped(t *testing.T) {
	for _, h := range hotlines() {
		p, rejected := parseOnce(h, "")
		if rejected != nil || p.text != h {
			t.Errorf("%s is not canonical", h)
			continue
		}
		_, _, err := Parse(Phone, h, Defaults{})
		wantReason(t, err, string(ReasonStopValue))
	}
}

func TestShortCodes(t *testing.T) {
	for _, c := range []struct{ country, code string }{
		{"AU", "000"}, {"AU", "112"}, {"US", "911"}, {"GB", "999"}, {"TH", "191"}, {"ID", "110"}, {"MY", "999"},
		{"IN", "112"}, {"NZ", "111"}, {"PH", "911"}, {"VN", "113"}, {"AU", "131444"},
	} {
		_, _, err := Parse(Phone, c.code, Defaults{Country: c.country})
		wantReason(t, err, string(ReasonStopValue))
	}
}
