package indicator

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// samples holds one raw value a kind and the part of it that must never show.
func samples() map[Kind]struct{ raw, secret string } {
	return map[Kind]struct{ raw, secret string }{
		Phone:    {"+61 491 570 006", "491570006"},
		Document: {"AUS:N1230123", "1230123"},
		Handle:   {"telegram:name:river_trader", "river"},
		Email:    {"river@example.org", "river"},
		Account:  {"iban:GB29NWBK60161331926819", "601613"},
		Wallet:   {"0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "5aaeb"},
		Domain:   {"shop.example.org", "shop"},
		Person:   {"1990-05-17|Omar Khalid", "omar"},
		Face:     {"net-1/64:" + plainFace(), "ea8r"},
	}
}

func mustParse(t testing.TB, k Kind, raw string) Value {
	t.Helper()
	v, _, err := Parse(k, raw, Defaults{})
	if err != nil {
		t.Fatalf("%s: %v", k, err)
	}
	return v
}

func TestValuePrintsNothing(t *testing.T) {
	for k, s := range samples() {
		t.Run(string(k), func(t *testing.T) {
			v := mustParse(t, k, s.raw)
			for name, text := range renderings(t, v) {
				folded := strings.ToLower(text)
				if strings.Contains(folded, s.secret) || strings.Contains(folded, fmt.Sprintf("%x", s.secret)) {
					t.Errorf("%s reveals the value", name)
				}
			}
			if want := "[" + string(k) + "]"; fmt.Sprint(v) != want {
				t.Errorf("prints %s, want %s", v, want)
			}
		})
	}
}

// renderings are all the ways in which a program prints things without thinking.
func renderings(t *testing.T, v Value) map[string]string {
	type hidden struct{ inner Value }
	type shown struct{ Inner Value }
	out := map[string]string{}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "% x", "%#x", "%d", "%t", "%T", "%p", "%c", "%10.3s"} {
		for name, x := range map[string]any{
			"value": v, "pointer": &v, "slice": []Value{v}, "map": map[string]Value{"a": v}, "array": [1]Value{v},
			"shown": shown{v}, "hidden": hidden{v}, "hidden pointer": &hidden{v}, "any": []any{v},
		} {
			out[verb+" "+name] = fmt.Sprintf(verb, x)
		}
	}
	out["error"] = fmt.Errorf("store %v: %w", v, errors.New("full")).Error()
	for name, x := range map[string]any{"value": v, "shown": shown{v}, "hidden": hidden{v}} {
		var text, logged bytes.Buffer
		slog.New(slog.NewTextHandler(&text, nil)).Info("m", "v", x)
		slog.New(slog.NewJSONHandler(&logged, nil)).Info("m", "v", x)
		out["slog text "+name], out["slog json "+name] = text.String(), logged.String()
		b, err := json.Marshal(x)
		if err != nil {
			t.Fatal(err)
		}
		out["json "+name] = string(b)
	}
	b, err := xml.Marshal(shown{v})
	if err != nil {
		t.Fatal(err)
	}
	out["xml"] = string(b)
	var g bytes.Buffer
	if err := gob.NewEncoder(&g).Encode(shown{v}); err != nil {
		t.Fatal(err)
	}
	out["gob"] = g.String()
	return out
}

func TestZeroValue(t *testing.T) {
	var v Value
	if v.Kind() != "" || v.Element() != nil || v.Canonical() != "" || v.AsObserved() || v.Country() != "" {
		t.Error("the zero value claims to be something")
	}
	if got := fmt.Sprintf("%+v", v); got != "[no indicator]" {
		t.Errorf("prints %s", got)
	}
	if !v.Equal(Value{}) || v.Equal(mustParse(t, Phone, "+61491570006")) {
		t.Error("the zero value equals only itself")
	}
}

func TestEqual(t *testing.T) {
	a, b := mustParse(t, Phone, "+61491570006"), mustParse(t, Phone, "+61 491 570 006")
	if !a.Equal(b) || a.Equal(mustParse(t, Phone, "+61491570156")) {
		t.Error("equality does not follow the canonical form")
	}
	observed := mustParse(t, Document, "AUS:N1230123:9")
	if !observed.AsObserved() || observed.Equal(mustParse(t, Document, "AUS:N1230123")) {
		t.Error("an observation equals the number it resembles")
	}
}

// TestElementIsFresh: a caller may write into what Element returned.
func TestElementIsFresh(t *testing.T) {
	v := mustParse(t, Phone, "+61491570006")
	clear(v.Element())
	if v.Canonical() != "+61491570006" || v.Element()[0] != byte(formCanonical) {
		t.Error("writing into an element changed the value")
	}
}

func TestCountry(t *testing.T) {
	for _, c := range []struct {
		kind      Kind
		raw, want string
	}{
		{Phone, "+61491570006", "AU"},
		{Phone, "+12025550143", "US"},
		{Phone, "+66705550123", "TH"}, // not assigned: the code's main country
		{Phone, "+881655501234", ""},  // satellite
		{Document, "D<<:C01X00T47", "DE"},
		{Document, "GBD:512301239", "GB"},
		{Document, "UNO:A1230123", ""},
		{Document, "AUS:N1230123:9", "AU"},
		{Account, "iban:GB29NWBK60161331926819", "GB"},
		{Account, "th-bank:004:1234567899", "TH"},
		{Wallet, "0xde709f2102306220921060314715629080e2fb77", ""},
		{Email, "river@example.co.uk", ""},
	} {
		if got := mustParse(t, c.kind, c.raw).Country(); got != c.want {
			t.Errorf("%s: country %q, want %q", c.kind, got, c.want)
		}
	}
}

func TestRejectionsHoldNoValue(t *testing.T) {
	seen := map[Reason]bool{}
	for _, k := range Kinds() {
		for _, r := range loadCorpus(t, k) {
			_, _, err := Parse(k, r.raw, defaultsOf(t, r.defaults))
			if err == nil {
				continue
			}
			rejection, ok := errors.AsType[*Rejection](err)
			if !ok || err.Error() != rejection.Text || rejection.Text != rejection.Reason.text() {
				t.Fatalf("%s: not one of the fixed rejections: %T", k, err)
			}
			seen[rejection.Reason] = true
		}
	}
	for _, r := range Reasons() {
		if r.text() == "rejected" || r.text() == "" {
			t.Errorf("reason %s has no sentence", r)
		}
		// These two cannot come from a cell of a known kind.
		if !seen[r] && r != ReasonUnknownKind && r != ReasonNotCanonical {
			t.Errorf("no row of any corpus is rejected as %s", r)
		}
	}
	if Reason("other").text() != "rejected" {
		t.Error("an unknown reason has a sentence of its own")
	}
}

func TestKinds(t *testing.T) {
	if len(Kinds()) != len(samples()) {
		t.Errorf("%d kinds, %d samples", len(Kinds()), len(samples()))
	}
	for _, k := range Kinds() {
		if got, err := ParseKind(string(k)); err != nil || got != k || k.Version() == 0 {
			t.Errorf("%s: %v, version %d", k, err, k.Version())
		}
	}
	for k := range samples() {
		if k.Similar() != (k == Person || k == Face) {
			t.Errorf("%s: similar %v", k, k.Similar())
		}
	}
	for _, s := range []string{"", "Phone", "phone ", "plate"} {
		if _, err := ParseKind(s); err == nil {
			t.Errorf("kind %q passes", s)
		}
		if Kind(s).Version() != 0 || Kind(s).Similar() {
			t.Errorf("kind %q has a version, or is matched", s)
		}
	}
	_, _, err := Parse("plate", "x", Defaults{})
	wantReason(t, err, string(ReasonUnknownKind))
	wantReason(t, restoreError("plate", []byte("\x01x")), string(ReasonUnknownKind))
}

func TestClean(t *testing.T) {
	for _, c := range []struct{ raw, want, reason string }{
		{"  a  ", "a", ""},
		{"\u00a0a\u3000", "a", ""},
		{"a\u200bb", "ab", ""},
		{"a\u200cb\u200d", "a\u200cb\u200d", ""},
		{"'a", "a", ""},
		{`="a"`, "a", ""},
		{`="a`, `="a`, ""},
		{"a\nb", "a\nb", ""},
		{"", "", "empty"},
		{"\u200e \u200f", "", "empty"},
		{"'", "", "empty"},
		{`=""`, "", "empty"},
		{"a\x00", "", "not_text"},
		{"a\x7fb", "", "not_text"},
		{"a\xff", "", "not_text"},
		{strings.Repeat("a", usualRaw), strings.Repeat("a", usualRaw), ""},
		{strings.Repeat("a", usualRaw+1), "", "too_long"},
	} {
		got, _, r := clean(c.raw, usualRaw)
		if c.reason == "" && (r != nil || got != c.want) {
			t.Errorf("clean %q = %q, %v", c.raw, got, r)
		}
		if c.reason != "" && (r == nil || string(r.Reason) != c.reason) {
			t.Errorf("clean %q: %v, want %s", c.raw, r, c.reason)
		}
	}
}
