package entry

import (
	"bytes"
	"crypto/ed25519"
	"testing"
	"time"

	"entente/crypto/sign"
)

// start is the time of the first entry in tests.
var start = time.UnixMilli(1_790_000_000_000)

func author(t testing.TB, member string, b byte) Author {
	t.Helper()
	k, err := sign.NewPrivateKey(bytes.Repeat([]byte{b}, sign.SeedSize))
	if err != nil {
		t.Fatal(err)
	}
	return Author{Member: member, Key: k}
}

// channel is a transport key, and half of no signing key.
func channel(b byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{b, 0xff}, ed25519.SeedSize/2))
}

func body(t testing.TB, v any) []byte {
	t.Helper()
	b, err := Body(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// grower appends entries to one chain and keeps what was signed.
type grower struct {
	t      testing.TB
	author Author
	chain  Chain
	head   Head
	now    time.Time
	signed []Signed
}

func grow(t testing.TB, c Chain) *grower {
	return &grower{t: t, author: author(t, "AU", 1), chain: c, now: start}
}

func (g *grower) add(k Kind, b []byte) Signed {
	g.t.Helper()
	s, h, err := g.author.Next(g.head, g.chain, k, b, g.now)
	if err != nil {
		g.t.Fatal(err)
	}
	return g.keep(s, h)
}

func (g *grower) restore(newest uint64) Signed {
	g.t.Helper()
	s, h, err := g.author.Restore(g.head, g.chain, newest, g.now)
	if err != nil {
		g.t.Fatal(err)
	}
	return g.keep(s, h)
}

func (g *grower) keep(s Signed, h Head) Signed {
	g.head, g.now = h, g.now.Add(time.Second)
	g.signed = append(g.signed, s)
	return s
}

// five is a chain of five entries.
func five(t testing.TB, c Chain) *grower {
	t.Helper()
	g := grow(t, c)
	g.add(Created, nil)
	g.add(RosterJoined, body(t, RosterState{Version: 1, Digest: bytes.Repeat([]byte{7}, 32)}))
	g.add(PolicyActivated, body(t, PolicyState{Version: 3, Digest: bytes.Repeat([]byte{8}, 32)}))
	for range 2 {
		if c == Local {
			g.add(Imported, nil)
		} else {
			g.add(SealedDigest, body(t, Sealed{Digest: bytes.Repeat([]byte{byte(len(g.signed))}, 32)}))
		}
	}
	return g
}

// check adds entries to a new check and returns it with the first error.
func check(t testing.TB, c Chain, ss []Signed) (*Check, error) {
	t.Helper()
	k := NewCheck("AU", c, author(t, "AU", 1).Key.Public())
	for _, s := range ss {
		if _, err := k.Add(s); err != nil {
			return k, err
		}
	}
	return k, nil
}
