package sign

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
)

func cosigner(t *testing.T, n byte) *CosigningKey {
	t.Helper()
	k, err := NewCosigningKey(bytes.Repeat([]byte{n}, CosigningSeedSize))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestCosigning(t *testing.T) {
	k, other, m := cosigner(t, 1), cosigner(t, 2), []byte("message")
	p, err := ParseCosigningPublicKey(k.Public().Bytes())
	if err != nil {
		t.Fatal(err)
	}
	classic, lattice := k.Ed25519(m), k.MLDSA44(m)
	if !p.VerifyEd25519(m, classic) || !p.VerifyMLDSA44(m, lattice) {
		t.Error("an own signature does not verify")
	}
	for name, ok := range map[string]bool{
		"other key":            other.Public().VerifyEd25519(m, classic) || other.Public().VerifyMLDSA44(m, lattice),
		"other message":        p.VerifyEd25519(m[1:], classic) || p.VerifyMLDSA44(m[1:], lattice),
		"short":                p.VerifyEd25519(m, classic[1:]) || p.VerifyMLDSA44(m, lattice[1:]),
		"none":                 p.VerifyEd25519(m, nil) || p.VerifyMLDSA44(m, nil),
		"of the other halves":  p.VerifyEd25519(m, lattice[:Ed25519Size]) || p.VerifyMLDSA44(m, append(classic, lattice[Ed25519Size:]...)),
		"changed in last byte": p.VerifyEd25519(m, flipped(classic)) || p.VerifyMLDSA44(m, flipped(lattice)),
	} {
		if ok {
			t.Errorf("a signature verifies: %s", name)
		}
	}
	again, err := NewCosigningKey(k.Seed())
	if err != nil || !bytes.Equal(again.Public().Bytes(), k.Public().Bytes()) {
		t.Errorf("the seed gives another key: %v", err)
	}
}

func flipped(b []byte) []byte {
	b = bytes.Clone(b)
	b[len(b)-1] ^= 1
	return b
}

func TestCosigningKeysAreRefused(t *testing.T) {
	good := cosigner(t, 1).Public().Bytes()
	if _, err := ParseCosigningPublicKey(good[1:]); err == nil {
		t.Error("a short key was taken")
	}
	small := bytes.Clone(good)
	copy(small, make([]byte, 32)) // of order 4
	if _, err := ParseCosigningPublicKey(small); !errors.Is(err, errPoint) {
		t.Errorf("a key of small order: %v", err)
	}
	if _, err := NewCosigningKey(good[:CosigningSeedSize-1]); err == nil {
		t.Error("a short seed was taken")
	}
	a, err := GenerateCosigning()
	if err != nil {
		t.Fatal(err)
	}
	b, err := GenerateCosigning()
	if err != nil || bytes.Equal(a.Seed(), b.Seed()) {
		t.Errorf("two new keys are the same: %v", err)
	}
}

func TestCosigningKeysPrintNothing(t *testing.T) {
	k := cosigner(t, 7)
	text := fmt.Sprintf("%v %+v %#v %x %s %v", k, *k, k, *k, k, k.LogValue())
	b, err := k.MarshalText()
	if err != nil || strings.Contains(text+string(b), "070707") || strings.Contains(text+string(b), "7 7 7") {
		t.Errorf("printed %s, %v", text, err)
	}
}
