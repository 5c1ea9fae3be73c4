package roster

import (
	"bytes"
	"crypto/ed25519"
	"fmt"
	"testing"

	"entente/crypto/sign"
)

// key returns the signing key whose seed repeats one byte.
func key(t testing.TB, b byte) *sign.PrivateKey {
	t.Helper()
	k, err := sign.NewPrivateKey(bytes.Repeat([]byte{b}, sign.SeedSize))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// member returns a valid entry made from the keys of one byte.
func member(t testing.TB, id string, b byte) Member {
	t.Helper()
	return Member{
		ID: id, Name: "Member " + id, Role: State, Sign: key(t, b).Public().Bytes(),
		Transport: ed25519.NewKeyFromSeed(bytes.Repeat([]byte{b ^ 0x80}, 32)).Public().(ed25519.PublicKey),
		Addresses: []string{"/ip4/192.0.2.1/tcp/7101", "/dns/node.example/udp/7101/quic-v1"},
	}
}

func card(t testing.TB, id string, b byte) Card {
	t.Helper()
	c, err := NewCard(member(t, id, b), key(t, b))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// two is a roster of AU and ID with the keys 1 and 2.
func two(t testing.TB) Roster {
	t.Helper()
	r, err := New("bali", []Card{card(t, "ID", 2), card(t, "AU", 1)})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// four is a roster of M1 to M4 with the keys 1 to 4, who all sequence a ledger.
func four(t testing.TB) Roster {
	t.Helper()
	var cards []Card
	var ids []string
	for i := range 4 {
		ids = append(ids, fmt.Sprint("M", 4-i))
		cards = append(cards, card(t, ids[i], byte(4-i)))
	}
	r, err := NewWithLedger("bali", cards, ids, Spread{Wanted: 2, Blocs: []Bloc{{Name: "south", Members: ids[2:]}, {Name: "north", Members: ids[:2]}}})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func signature(t testing.TB, r Roster, id string, b byte) Signature {
	t.Helper()
	s, err := r.Sign(id, key(t, b))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func mustJSON(t testing.TB, v interface{ JSON() ([]byte, error) }) []byte {
	t.Helper()
	b, err := v.JSON()
	if err != nil {
		t.Fatal(err)
	}
	return b
}
