package roster

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"entente/protocol/vectors/memory"
)

// bounded fails if decoding hostile bytes takes memory out of proportion to them.
func bounded(t *testing.T, b []byte, f func()) {
	t.Helper()
	f() // what the standard library keeps after the first use of a type does not count
	if n := memory.Allocated(f); n > 16*uint64(len(b))+64<<10 {
		t.Errorf("%d bytes allocated for an input of %d", n, len(b))
	}
}

func FuzzParseCard(f *testing.F) {
	f.Add(mustJSON(f, card(f, "AU", 1)))
	f.Add([]byte(`{"format":"entente member card 1"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var c Card
		var err error
		bounded(t, b, func() { c, err = ParseCard(b) })
		if err != nil {
			return
		}
		again, err := ParseCard(mustJSON(t, c))
		if err != nil || !again.Member.Equal(c.Member) || !bytes.Equal(again.Signature, c.Signature) {
			t.Errorf("the card does not survive writing and reading: %v", err)
		}
	})
}

func FuzzParseRoster(f *testing.F) {
	f.Add(mustJSON(f, two(f)))
	ordered := two(f) // of two, because keys of many members take more memory than the file's length allows
	ordered.Sequencers, ordered.Spread = []string{"AU"}, Spread{Blocs: []Bloc{{Name: "all", Members: []string{"AU", "ID"}}}, Wanted: 1}
	f.Add(mustJSON(f, ordered))
	f.Add([]byte(`{"format":"entente roster 1","name":"x","version":1,"members":[{},{}]}`))
	f.Add([]byte(`{"format":"entente roster 2","name":"x","version":1,"members":[],"sequencers":[],"blocs":[{"name":"","members":[]}],"blocs_wanted":0}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var r Roster
		var err error
		bounded(t, b, func() { r, err = Parse(b) })
		if err != nil {
			return
		}
		again, err := Parse(mustJSON(t, r))
		if err != nil || again.Digest() != r.Digest() || !slices.EqualFunc(again.Members, r.Members, Member.Equal) ||
			!slices.Equal(again.Sequencers, r.Sequencers) || !slices.EqualFunc(again.Spread.Blocs, r.Spread.Blocs, sameBloc) || again.Spread.Wanted != r.Spread.Wanted {
			t.Errorf("the roster does not survive writing and reading: %v", err)
		}
	})
}

func sameBloc(a, b Bloc) bool { return a.Name == b.Name && slices.Equal(a.Members, b.Members) }

func FuzzParseSignature(f *testing.F) {
	r := two(f)
	f.Add(mustJSON(f, signature(f, r, "AU", 1)))
	f.Fuzz(func(t *testing.T, b []byte) {
		var s Signature
		var err error
		bounded(t, b, func() { s, err = ParseSignature(b) })
		if err != nil {
			return
		}
		again, err := ParseSignature(mustJSON(t, s))
		if err != nil || again.Member != s.Member || again.Roster != s.Roster || !bytes.Equal(again.Signature, s.Signature) {
			t.Errorf("the signature does not survive writing and reading: %v", err)
		}
		var amiss *VerifyError
		if err := r.Verify([]Signature{s}); !errors.As(err, &amiss) {
			t.Errorf("one signature was enough for two members: %v", err)
		}
	})
}

func FuzzCheckAddress(f *testing.F) {
	f.Add("/ip4/192.0.2.1/tcp/7101")
	f.Add("/dns/node.example/udp/7101/quic-v1")
	f.Fuzz(func(t *testing.T, a string) {
		if CheckAddress(a) != nil {
			return
		}
		for _, c := range []byte(a) {
			if c <= ' ' || c > '~' || c == '%' || c >= 'A' && c <= 'Z' {
				t.Errorf("%q holds %q and was accepted", a, c)
			}
		}
	})
}
