package intake

import (
	"strings"
	"testing"

	"entente/protocol/indicator"
)

func TestFold(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "Phone": "phone", " PHONE_No. ": "phone no", "e-mail": "e mail", "#": "", "S/N": "s n", "Tel.:": "tel",
		"phone\u00a0number": "phone number", "phone\nnumber": "phone number", "Số": "số", "So\u0302\u0301": "số", "เบอร์โทร": "เบอร์โทร",
		"\"phone\"": "phone", "\ufeffphone": "phone", "column1": "column1",
	} {
		if got := fold(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestFieldNamed(t *testing.T) {
	for _, c := range []struct {
		name string
		kind indicator.Kind
		want field
		ok   bool
	}{
		{"value", indicator.Phone, fieldValue, true},
		{"phone", indicator.Phone, fieldValue, true},
		{"document", indicator.Document, fieldValue, true},
		{"phone", indicator.Document, 0, false},
		{"Never-With", indicator.Phone, fieldNeverWith, true},
		{" expires ", indicator.Phone, fieldExpires, true},
		{"country", indicator.Phone, fieldCountry, true},
		{"country", indicator.Domain, 0, false},
		{"platform", indicator.Wallet, fieldPlatform, true},
		{"", indicator.Phone, 0, false},
		{"telephone", indicator.Phone, 0, false}, // a header's synonym is no field
	} {
		got, ok := fieldNamed(c.name, c.kind)
		if got != c.want || ok != c.ok {
			t.Errorf("%q of %s: %d %v", c.name, c.kind, got, ok)
		}
	}
}

func TestFieldNames(t *testing.T) {
	phone, domain := fieldNames(indicator.Phone), fieldNames(indicator.Domain)
	for _, n := range []string{"value", "country", "never_with", "expires"} {
		if !strings.Contains(phone, n) {
			t.Errorf("no %s in %s", n, phone)
		}
	}
	if strings.Contains(domain, "country") || strings.Contains(phone, "issuer") {
		t.Errorf("%s; %s", phone, domain)
	}
}

// The best name must outweigh any number of others, so that the separator is right.
func TestWeigh(t *testing.T) {
	o := phoneOptions()
	o.Columns = map[string]string{"codes": "Marking"}
	for text, want := range map[string]int{
		"phone": weightValue, "Nomor HP": weightValue, "marking": weightValue,
		"number": weightName, "passport": weightName, "category": weightName, "Name": weightName,
		"": 0, "  ": 0, "zzz": 0, "0491570006": 0, strings.Repeat("phone ", 1000): 0,
	} {
		if got := weigh(text, o); got != want {
			t.Errorf("%.20q: %d, want %d", text, got, want)
		}
	}
	if weightValue <= maxColumns*weightName {
		t.Error("many names outweigh the one that must be there")
	}
}

func TestNearest(t *testing.T) {
	for _, c := range []struct {
		headers []string
		want    string
	}{
		{[]string{"a", "b"}, ""},
		{[]string{"ref", "phnoe"}, "phnoe"},
		{[]string{"ref", "Telephon"}, "Telephon"},
		{[]string{"ref", "home phone (old)"}, "home phone (old)"},
		{[]string{"ref", "xphonex"}, "xphonex"}, // two letters from it
		{[]string{"te", "ce"}, ""},              // too short to be a misspelling of tel or cell
		{nil, ""},
	} {
		got, ok := nearest(c.headers, phoneOptions())
		if got != c.want || ok != (c.want != "") {
			t.Errorf("%q: %q %v, want %q", c.headers, got, ok, c.want)
		}
	}
}

func TestManyDigits(t *testing.T) {
	for in, want := range map[string]bool{"phone": false, "phone 123": false, "Q1 2026": true, "๐๑๒๓": true, "a@b": true, "": false} {
		if manyDigits(in) != want {
			t.Errorf("%q: %v", in, !want)
		}
	}
}
