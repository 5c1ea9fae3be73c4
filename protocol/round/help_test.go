package round

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strconv"
	"testing"

	"entente/crypto/sign"
	"entente/protocol/terms"
	"entente/protocol/wire"
)

// pair is both sides of a round in one process.
type pair struct {
	proposer, responder Parties
	offer               Offer
	answer              Answer
	members             Members
}

const testNow = int64(1_800_000_000_000)

func key(t testing.TB, b byte) *sign.PrivateKey {
	t.Helper()
	k, err := sign.NewPrivateKey(bytes.Repeat([]byte{b}, sign.SeedSize))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func newPair(t testing.TB) *pair {
	t.Helper()
	a, b := key(t, 1), key(t, 2)
	roster := [32]byte{7}
	p := &pair{
		proposer:  Parties{Self: "AU", Peer: "ID", Roster: roster, Key: a, PeerKey: b.Public()},
		responder: Parties{Self: "ID", Peer: "AU", Roster: roster, Key: b, PeerKey: a.Public()},
		members:   Members{Proposer: [32]byte{8}, Responder: [32]byte{9}},
	}
	granted := terms.Widest(terms.IDs, terms.IDs)
	p.offer = Offer{
		Version: Version, Round: bytes.Repeat([]byte{3}, IDSize), Roster: roster[:], From: "AU", To: "ID",
		Created: testNow, Expires: testNow + 86_400_000, Kind: "phone", Normaliser: 1, Purpose: "trafficking", Basis: "AU-TIP",
		Asked: granted, Granted: granted, Rules: make([]byte, 32), Class: 64, Commitment: make([]byte, 32),
		Suites: []SuiteKey{{Name: "oprf", Public: bytes.Repeat([]byte{4}, 32)}, {Name: CountSuite}},
	}
	p.answer = Answer{
		Created: testNow + 1000, Expires: testNow + 86_400_000, Normaliser: 1, Basis: "ID-TIP", Terms: granted,
		Rules: make([]byte, 32), Class: 80, Commitment: make([]byte, 32),
		Suites: []SuiteKey{{Name: "oprf", Public: bytes.Repeat([]byte{5}, 32)}},
	}
	return p
}

// through encodes and decodes a message as the wire does.
func through(t testing.TB, m Message) Message {
	t.Helper()
	b, err := wire.Marshal(m.Body)
	if err != nil {
		t.Fatal(err)
	}
	out, err := Parse(m.Kind, b)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// again stores a machine and loads it, as after a crash.
func again(t testing.TB, m *Machine, p Parties) *Machine {
	t.Helper()
	b, err := m.Record()
	if err != nil {
		t.Fatal(err)
	}
	out, err := Load(b, p)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func wantCode(t *testing.T, err error, want wire.Code) {
	t.Helper()
	var broke *wire.ProtocolError
	var over *OverError
	switch {
	case errors.As(err, &broke) && broke.Code == want:
	case errors.As(err, &over) && over.Code == want:
	default:
		t.Errorf("error is %v, want code %d (%s)", err, want, want)
	}
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func number(t *testing.T, s string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
