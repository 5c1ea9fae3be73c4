package sign

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"

	"entente/protocol/vectors"
)

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestVectors: signatures in vectors are made without ML-DSA's randomness, so that they
// can be made again.
func TestVectors(t *testing.T) {
	all, err := vectors.Load("sign")
	if err != nil || len(all) < 12 {
		t.Fatalf("%d vectors, %v", len(all), err)
	}
	for _, v := range all {
		t.Run(v.Name, func(t *testing.T) {
			b, err := v.Bytes()
			if err != nil {
				t.Fatal(err)
			}
			if v.Valid {
				checkValid(t, v.Input, b)
			} else if got := faultOf(t, v.Input, b); got != v.Fault {
				t.Errorf("fault %q, want %q", got, v.Fault)
			}
		})
	}
}

func checkValid(t *testing.T, in map[string]string, want []byte) {
	if words, ok := in["words"]; ok {
		if got := Words([32]byte(want)); got != words {
			t.Errorf("got %q, want %q", got, words)
		}
		return
	}
	k, err := NewPrivateKey(unhex(t, in["seed"]))
	if err != nil {
		t.Fatal(err)
	}
	if in["as"] == "public key" {
		p, err := ParsePublicKey(want)
		if err != nil || !p.Equal(k.Public()) || !bytes.Equal(p.Bytes(), want) {
			t.Errorf("another key: %v", err)
		}
		return
	}
	message := unhex(t, in["message"])
	got, err := k.sign(Domain(in["domain"]), message, false)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("another signature: %v", err)
	}
	if err := k.Public().Verify(Domain(in["domain"]), message, want); err != nil {
		t.Error(err)
	}
}

// faultOf returns the class with which b is refused, or nothing if it is taken.
func faultOf(t *testing.T, in map[string]string, b []byte) string {
	if in["as"] == "public key" {
		_, err := ParsePublicKey(b)
		switch {
		case err == nil:
			return ""
		case errors.Is(err, errPoint):
			return "point"
		default:
			return "length"
		}
	}
	k, err := NewPrivateKey(unhex(t, in["seed"]))
	if err != nil {
		t.Fatal(err)
	}
	err = k.Public().Verify(Domain(in["domain"]), unhex(t, in["message"]), b)
	switch {
	case err == nil:
		return ""
	case !errors.Is(err, ErrSignature):
		return "domain"
	case len(b) != SignatureSize:
		return "length"
	default:
		return "signature"
	}
}
