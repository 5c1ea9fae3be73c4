package roster

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"entente/protocol/vectors/memory"
)

func TestFilesRoundTrip(t *testing.T) {
	c := card(t, "AU", 1)
	c.Member.Addresses = nil
	c, err := NewCard(c.Member, key(t, 1))
	if err != nil {
		t.Fatal(err)
	}
	got, err := ParseCard(mustJSON(t, c))
	if err != nil || !got.Member.Equal(c.Member) || !bytes.Equal(got.Signature, c.Signature) {
		t.Errorf("card: %v", err)
	}
	r := two(t)
	again, err := Parse(mustJSON(t, r))
	if err != nil || again.Digest() != r.Digest() {
		t.Errorf("roster: %v", err)
	}
	s := signature(t, r, "AU", 1)
	gotten, err := ParseSignature(mustJSON(t, s))
	if err != nil || gotten.Member != s.Member || gotten.Roster != s.Roster || !bytes.Equal(gotten.Signature, s.Signature) {
		t.Errorf("signature: %v", err)
	}
}

func TestFilesAreReadable(t *testing.T) {
	b := string(mustJSON(t, card(t, "AU", 1)))
	for _, want := range []string{"\n  \"member\": {\n    \"id\": \"AU\",\n    \"name\": \"Member AU\",\n", "\"role\": \"state\"", "/ip4/192.0.2.1/tcp/7101"} {
		if !strings.Contains(b, want) {
			t.Errorf("the card does not show %q", want)
		}
	}
}

func TestStrictJSON(t *testing.T) {
	whole := string(mustJSON(t, two(t)))
	replace := func(old, new string) string {
		if !strings.Contains(whole, old) {
			t.Fatalf("the roster does not hold %q", old)
		}
		return strings.Replace(whole, old, new, 1)
	}
	for name, c := range map[string]struct {
		text string
		good bool
	}{
		"as it is":          {whole, true},
		"Windows lines":     {strings.ReplaceAll(whole, "\n", "\r\n"), true},
		"on one line":       {strings.ReplaceAll(whole, "\n", ""), true},
		"unknown field":     {replace(`"version": 1,`, `"version": 1, "extra": 1,`), false},
		"unknown in member": {replace(`"id": "AU",`, `"id": "AU", "extra": 1,`), false},
		"repeated field":    {replace(`"version": 1,`, `"version": 2, "version": 1,`), false},
		"repeated name":     {replace(`"name": "Member AU",`, `"name": "Shown", "name": "Member AU",`), false},
		"other order":       {replace("\"id\": \"AU\",\n      \"name\": \"Member AU\",", `"name": "Member AU", "id": "AU",`), false},
		"other letter case": {replace(`"version"`, `"Version"`), false},
		"missing field":     {replace(`"version": 1,`, ``), false},
		"other number form": {replace(`"version": 1,`, `"version": 1e0,`), false},
		"negative number":   {replace(`"version": 1,`, `"version": -1,`), false},
		"escaped letter":    {replace(`"id": "AU"`, `"id": "\u0041U"`), false},
		"null list":         {whole[:strings.Index(whole, `"members"`)] + `"members": null}`, false},
		"null addresses":    {replace("\"addresses\": [\n        \"/ip4/192.0.2.1/tcp/7101\",\n        \"/dns/node.example/udp/7101/quic-v1\"\n      ]", `"addresses": null`), false},
		"list as object":    {whole[:strings.Index(whole, `"members"`)] + `"members": {}}`, false},
		"empty list":        {whole[:strings.Index(whole, `"members"`)] + `"members": []}`, false},
		"line in base64":    {replace(`"sign_key": "`, `"sign_key": "\n`), false},
		"other format":      {replace(rosterFormat, cardFormat), false},
		"trailing value":    {whole + "{}", false},
		"byte order mark":   {"\ufeff" + whole, false},
		"cut":               {whole[:len(whole)/2], false},
		"empty":             {"", false},
		"null":              {"null", false},
		"too long":          {whole + strings.Repeat(" ", MaxRosterSize), false},
	} {
		if _, err := Parse([]byte(c.text)); (err == nil) != c.good {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestEveryAlteredByteIsSeen(t *testing.T) {
	b := mustJSON(t, card(t, "AU", 1))
	for i := 0; i < len(b); i += 7 {
		b[i] ^= 1
		if _, err := ParseCard(b); err == nil {
			t.Errorf("byte %d altered, and the card still verifies", i)
		}
		b[i] ^= 1
	}
}

func TestSignatureFile(t *testing.T) {
	r := two(t)
	good := string(mustJSON(t, signature(t, r, "AU", 1)))
	digest := fmt.Sprintf("%x", r.Digest())
	for name, text := range map[string]string{
		"capital hex":   strings.Replace(good, digest, strings.ToUpper(digest), 1),
		"short digest":  strings.Replace(good, digest, digest[2:], 1),
		"no hex":        strings.Replace(good, digest, "z"+digest[1:], 1),
		"bad id":        strings.Replace(good, `"AU"`, `"../AU"`, 1),
		"other format":  strings.Replace(good, signatureFormat, rosterFormat, 1),
		"unknown field": strings.Replace(good, `"member"`, `"x": 1, "member"`, 1),
	} {
		if text == good {
			t.Fatalf("%s changed nothing", name)
		}
		if _, err := ParseSignature([]byte(text)); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}

func TestLoadCollectsSignatures(t *testing.T) {
	r := two(t)
	fsys := fstest.MapFS{
		"x/fed.json":          {Data: mustJSON(t, r)},
		"x/fed.json.AU.sig":   {Data: mustJSON(t, signature(t, r, "AU", 1))},
		"x/fed.json.ID.sig":   {Data: mustJSON(t, signature(t, r, "ID", 2))},
		"x/other.json.TH.sig": {Data: []byte("not looked at")},
		"x/fed.json.txt":      {Data: []byte("not looked at")},
	}
	got, ss, err := Load(fsys, "x/fed.json")
	if err != nil || len(ss) != 2 {
		t.Fatalf("%d signatures, %v", len(ss), err)
	}
	if err := got.Verify(ss); err != nil {
		t.Error(err)
	}
	fsys["x/fed.json.TH.sig"] = fsys["x/fed.json.ID.sig"]
	if _, _, err := Load(fsys, "x/fed.json"); !errors.Is(err, ErrFormat) {
		t.Errorf("a signature file with another's name: %v", err)
	}
	fsys["x/fed.json.TH.sig"] = &fstest.MapFile{Data: bytes.Repeat([]byte{' '}, MaxSignatureSize+1)}
	if _, _, err := Load(fsys, "x/fed.json"); !errors.Is(err, ErrFormat) {
		t.Errorf("a signature file that is too long: %v", err)
	}
	if _, _, err := Load(fsys, "x/none.json"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a roster that is not there: %v", err)
	}
}

func TestHostileListsStayCheap(t *testing.T) {
	for _, form := range []string{
		`{"format":"` + rosterFormat + `","name":"x","version":1,"members":[`,
		`{"format":"` + ledgerRosterFormat + `","name":"x","version":1,"members":[],"sequencers":[`,
		`{"format":"` + ledgerRosterFormat + `","name":"x","version":1,"members":[],"sequencers":[],"blocs":[`,
		`{"format":"` + ledgerRosterFormat + `","name":"x","version":1,"members":[],"sequencers":[],"blocs":[{"name":"","members":[`,
	} {
		for _, unit := range []string{"{},", `"",`, "[", "null,"} {
			text := []byte(form + strings.Repeat(unit, 100_000/len(unit)))
			text = append(bytes.TrimSuffix(text, []byte(",")), "]}"...)
			if n := memory.Allocated(func() {
				if _, err := Parse(text); err == nil {
					t.Errorf("%.120s was accepted", text)
				}
			}); n > 16*uint64(len(text))+64<<10 {
				t.Errorf("%.120s: %d bytes allocated for %d", text, n, len(text))
			}
		}
	}
}
