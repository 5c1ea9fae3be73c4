package indicator

import (
	"strings"
	"testing"
)

// TestDomainNames: the mapping of UTS #46 and the rules of IDNA2008 that differ from 2003.
func TestDomainNames(t *testing.T) {
	for raw, want := range map[string]string{
		"EXAMPLE.com":                "example.com",
		"example.com.":               "example.com",
		"faß.de":                     "xn--fa-hia.de",
		"βόλος.com":                  "xn--nxasmm1c.com",
		"bücher.de":                  "xn--bcher-kva.de",
		"BÜCHER.de":                  "xn--bcher-kva.de",
		"bu\u0308cher.de":            "xn--bcher-kva.de",
		"xn--bcher-kva.de":           "xn--bcher-kva.de",
		"XN--BCHER-KVA.de":           "xn--bcher-kva.de",
		"日本語。jp":                     "xn--wgv71a119e.jp",
		"日本語．ＪＰ":                     "xn--wgv71a119e.jp",
		"ශ්\u200dරී.com":             "xn--10cl1a0b660p.com",
		"ශ්රී.com":                   "xn--10cl1a0b.com",
		"نامه\u200cای.com":           "xn--mgba3gch31f060k.com",
		"http://example.com":         "example.com",
		"https://example.com:443/":   "example.com",
		"example.com:8080":           "example.com",
		"example.com?q":              "example.com",
		`http://example.com\path`:    "example.com",
		"ftp://u:p@example.com/a@b":  "example.com",
		"hxxp://example[.]com":       "example.com",
		"hXXps[:]//example(.)com/x":  "example.com",
		"example[dot]com":            "example.com",
		"a.b.c.d.example.com":        "a.b.c.d.example.com",
		"1and1.example":              "1and1.example",
		"3com.com":                   "3com.com",
		"s3.amazonaws.com.example":   "s3.amazonaws.com.example",
		"ab--cd.example":             "ab--cd.example",
		"bucket.blogspot.com":        "bucket.blogspot.com",
		"name.id.au":                 "name.id.au",
		"www.example.co.th":          "www.example.co.th",
		"xn--o3cw4h.example":         "xn--o3cw4h.example",
		"a" + "." + "xn--p1ai":       "a.xn--p1ai",
		"пример.рф":                  "xn--e1afmkfd.xn--p1ai",
		"example.verylongunknowntld": "example.verylongunknowntld",
	} {
		v, _, err := Parse(Domain, raw, Defaults{})
		if err != nil || v.Canonical() != want {
			t.Errorf("%q: %q, %v", raw, v.Canonical(), err)
		}
	}
}

func TestDomainRejects(t *testing.T) {
	for raw, reason := range map[string]Reason{
		"com":                   ReasonDomain,
		".":                     ReasonDomain,
		"..":                    ReasonDomain,
		"http://":               ReasonDomain,
		"example..com":          ReasonDomain,
		".example.com":          ReasonDomain,
		"exa mple.com":          ReasonDomain,
		"exa_mple.com":          ReasonDomain,
		"-example.com":          ReasonDomain,
		"example-.com":          ReasonDomain,
		"*.example.com":         ReasonDomain,
		"xn--bcher-kv.de":       ReasonDomain,
		"xn--abc-.de":           ReasonDomain,
		"xn--.de":               ReasonDomain,
		"a\u05d0.de":            ReasonDomain, // both writing directions in one label
		"\u0301a.de":            ReasonDomain, // starts with a mark
		"example.123":           ReasonDomain,
		"jo@example.com":        ReasonDomain,
		"10.0.0.1":              ReasonNetworkAddress,
		"http://10.0.0.1:80/":   ReasonNetworkAddress,
		"::1":                   ReasonNetworkAddress,
		"[fe80::1]":             ReasonNetworkAddress,
		"co.th":                 ReasonStopValue,
		"com.my":                ReasonStopValue,
		"herokuapp.com":         ReasonStopValue,
		"https://facebook.com/": ReasonStopValue,
		"www.google.com":        ReasonStopValue,
		"#ck":                   ReasonDomain,
		"a.ck":                  ReasonStopValue, // every name under ck is a suffix, www apart
	} {
		_, _, err := Parse(Domain, raw, Defaults{})
		t.Run(raw, func(t *testing.T) { wantReason(t, err, string(reason)) })
	}
}

// TestDomainLengths: labels of 63 and names of 253 characters are the longest.
func TestDomainLengths(t *testing.T) {
	label := func(n int) string { return strings.Repeat("q", n) }
	long := strings.Join([]string{label(63), label(63), label(63), label(54), "example"}, ".")
	for raw, ok := range map[string]bool{
		label(63) + ".example": true,
		label(64) + ".example": false,
		long[1:]:               true, // 253
		long:                   false,
	} {
		if _, _, err := Parse(Domain, raw, Defaults{}); ok != (err == nil) {
			t.Errorf("a name of %d characters: %v", len(raw), err)
		}
	}
	if len(long) != 254 {
		t.Errorf("the long name has %d characters", len(long))
	}
}
