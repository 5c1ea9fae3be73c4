package standing

import (
	"bytes"
	"strings"
	"testing"

	"entente/crypto/sign"
	"entente/protocol/wire"
)

// Both sides hold the same certificate; it verifies under the keys and the roster of the
// agreement, and under nothing else.
func TestCertificate(t *testing.T) {
	p := newPair(t)
	a, b := p.active(t)
	own, err := a.Certificate()
	if err != nil {
		t.Fatal(err)
	}
	if theirs, err := b.Certificate(); err != nil || !bytes.Equal(own, theirs) {
		t.Fatalf("the two sides' certificates differ: %v", err)
	}
	roster := p.proposer.Roster
	if got, err := RosterOf(own); err != nil || got != roster {
		t.Errorf("roster %x: %v", got, err)
	}
	ring := map[string]*sign.PublicKey{"AU": p.proposer.Key.Public(), "ID": p.responder.Key.Public()}
	keys := func(id string) (*sign.PublicKey, bool) { k, ok := ring[id]; return k, ok }
	agreed, err := VerifyCertificate(own, roster, keys)
	if err != nil || agreed.Agreement != a.Agreement() {
		t.Fatalf("agreement %x: %v", agreed.Agreement, err)
	}
	for feed, want := range []string{"AU", "ID", ""} {
		if got, ok := agreed.Asks(uint8(feed)); got != want || ok != (want != "") {
			t.Errorf("in feed %d asks %q", feed, got)
		}
	}
	fresh, _ := p.begin(t)
	if _, err := fresh.Certificate(); err == nil {
		t.Error("there is a certificate without an agreement")
	}
	if _, err := VerifyCertificate(own, [32]byte{8}, keys); err == nil || !strings.Contains(err.Error(), "another roster") {
		t.Errorf("another roster: %v", err)
	}
	for name, keys := range map[string]func(string) (*sign.PublicKey, bool){
		"exchanged": func(id string) (*sign.PublicKey, bool) {
			return keys(map[string]string{"AU": "ID", "ID": "AU"}[id])
		},
		"none": func(string) (*sign.PublicKey, bool) { return nil, false },
	} {
		if _, err := VerifyCertificate(own, roster, keys); err == nil {
			t.Errorf("keys %s: it verifies", name)
		}
	}
	for name, change := range map[string]func(*Certificate){
		"version": func(c *Certificate) { c.Version++ }, "offer": func(c *Certificate) { c.Offer.Signature[5] ^= 1 },
		"answer": func(c *Certificate) { c.Answer.Signature[5] ^= 1 }, "confirmation": func(c *Certificate) { c.Confirm[5] ^= 1 },
		"another answer": func(c *Certificate) { c.Answer.Body = c.Offer.Body },
	} {
		var c Certificate
		if err := wire.Unmarshal(own, &c); err != nil {
			t.Fatal(err)
		}
		change(&c)
		altered, err := wire.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := VerifyCertificate(altered, roster, keys); err == nil {
			t.Errorf("another %s: it verifies", name)
		}
	}
	for _, short := range [][]byte{nil, {0x80}, own[1:], own[:len(own)-1]} {
		if _, err := VerifyCertificate(short, roster, keys); err == nil {
			t.Error("what is no certificate verifies")
		}
		if _, err := RosterOf(short); err == nil {
			t.Error("what is no certificate names a roster")
		}
	}
}
