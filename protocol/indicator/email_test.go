package indicator

import (
	"strings"
	"testing"
)

func TestEmailAccepts(t *testing.T) {
	label := strings.Repeat("a", 63)
	for raw, want := range map[string]string{
		"simple@example.com":                     "simple@example.com",
		"x@example.com":                          "x@example.com",
		"long.with-hyphens@and.subdomains.org":   "long.with-hyphens@and.subdomains.org",
		"user.name+tag+sorting@example.com":      "user.name+tag+sorting@example.com",
		"name/surname@example.com":               "name/surname@example.com",
		"example@s.example":                      "example@s.example",
		"mailhost!username@example.org":          "mailhost!username@example.org",
		`"john..doe"@example.org`:                `"john..doe"@example.org`,
		`" "@example.org`:                        `" "@example.org`,
		`"Very.(),:;<>[]\".VERY"@example.com`:    `"very.(),:;<>[]\".very"@example.com`,
		`"john.doe"@example.org`:                 "john.doe@example.org",
		"user%example.com@example.org":           "user%example.com@example.org",
		"user-@example.org":                      "user-@example.org",
		"!#$%&*+-/=?^_`{|}~@example.org":         "!#$%&*+-/=?^_`{|}~@example.org",
		"1234567890@example.com":                 "1234567890@example.com",
		"USER@EXAMPLE.COM":                       "user@example.com",
		"Jo <jo@example.com>":                    "jo@example.com",
		`"Doe, Jo" <jo@example.com>`:             "jo@example.com",
		"MAILTO:jo@example.com":                  "jo@example.com",
		"mailto:jo@example.com?cc=a@example.com": "jo@example.com",
		"jo(at)example(dot)com":                  "jo@example.com",
		"jo@ｅｘａｍｐｌｅ.com":                         "jo@example.com",
		"δοκιμή@παράδειγμα.example":              "δοκιμή@xn--hxajbheg2az3al.example",
		"我買@example.com":                         "我買@example.com",
		strings.Repeat("a", 64) + "@example.com": strings.Repeat("a", 64) + "@example.com",
		"a@" + label + "." + label + ".example":  "a@" + label + "." + label + ".example",
	} {
		v, _, err := Parse(Email, raw, Defaults{})
		if err != nil || v.Canonical() != want {
			t.Errorf("%q: %q, %v", raw, v.Canonical(), err)
		}
	}
}

func TestEmailRejects(t *testing.T) {
	label := strings.Repeat("a", 63)
	for raw, reason := range map[string]Reason{
		"abc.example.com":                        ReasonAddress,
		"a@b@c@example.com":                      ReasonAddress,
		`a"b(c)d,e:f;g<h>i[j\k]l@example.com`:    ReasonAddress,
		`just"not"right@example.com`:             ReasonAddress,
		`this is"not\allowed@example.com`:        ReasonAddress,
		"i.like.underscores@but_they.not.in.dns": ReasonDomain,
		"jo.@example.com":                        ReasonAddress,
		".jo@example.com":                        ReasonAddress,
		"jo..doe@example.com":                    ReasonAddress,
		`"jo@example.com`:                        ReasonAddress,
		`""@example.com`:                         ReasonAddress,
		`"jo\"@example.com`:                      ReasonAddress,
		"jo@-example.com":                        ReasonDomain,
		"jo@example":                             ReasonDomain,
		"jo@.com":                                ReasonDomain,
		"jo@example..com":                        ReasonDomain,
		"jo@[2001:db8::1]":                       ReasonNetworkAddress,
		"jo@127.0.0.1":                           ReasonNetworkAddress,
		"a@example.com,b@example.com":            ReasonSeveralValues,
		"a@example.com|b@example.com":            ReasonSeveralValues,
		strings.Repeat("a", 65) + "@example.com": ReasonTooLong,
		strings.Repeat("a", 64) + "@" + label + "." + label + "." + label: ReasonTooLong,
		"no-reply@example.com":  ReasonStopValue,
		"NoReply@example.com":   ReasonStopValue,
		"jo@ex\u0430mple.com\t": "",
	} {
		_, _, err := Parse(Email, raw, Defaults{})
		if reason == "" { // a Cyrillic letter makes another domain, not a mistake
			if err != nil {
				t.Errorf("%q: %v", raw, err)
			}
			continue
		}
		wantReason(t, err, string(reason))
	}
}

// TestProviderRules: off, nothing is folded; on, only at the provider that does it.
func TestProviderRules(t *testing.T) {
	for _, c := range []struct{ raw, off, on string }{
		{"J.o.Doe+x@gmail.com", "j.o.doe+x@gmail.com", "jodoe@gmail.com"},
		{"jo@googlemail.com", "jo@googlemail.com", "jo@gmail.com"},
		{"j.o+x@example.com", "j.o+x@example.com", "j.o+x@example.com"},
		{"+x@gmail.com", "+x@gmail.com", "+x@gmail.com"},
		{`"j o"@gmail.com`, `"j o"@gmail.com`, `"j o"@gmail.com`},
	} {
		for on, want := range map[bool]string{false: c.off, true: c.on} {
			v, _, err := Parse(Email, c.raw, Defaults{ProviderRules: on})
			if err != nil || v.Canonical() != want {
				t.Errorf("%s, rules %t: %q, %v", c.raw, on, v.Canonical(), err)
			}
		}
	}
}
