package sign

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/cloudflare/circl/sign/mldsa/mldsa65"
)

const testDomain Domain = "entente/test/1"

// knownKey is the key of the seed 00 01 02 … 3f.
func knownKey(t testing.TB) *PrivateKey {
	t.Helper()
	seed := make([]byte, SeedSize)
	for i := range seed {
		seed[i] = byte(i)
	}
	k, err := NewPrivateKey(seed)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestSignAndVerify(t *testing.T) {
	k, err := Generate()
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{0, 1, 63, 64, 65, 1000, 1 << 20} {
		for _, d := range []Domain{"d", testDomain, Domain(strings.Repeat("d", MaxDomain))} {
			message := bytes.Repeat([]byte{7}, size)
			signature, err := k.Sign(d, message)
			if err != nil || len(signature) != SignatureSize {
				t.Fatalf("%d bytes of signature, %v", len(signature), err)
			}
			if err := k.Public().Verify(d, message, signature); err != nil {
				t.Errorf("%d bytes under %d bytes of domain: %v", size, len(d), err)
			}
		}
	}
}

func TestSigningIsHedged(t *testing.T) {
	k := knownKey(t)
	a, errA := k.Sign(testDomain, nil)
	b, errB := k.Sign(testDomain, nil)
	if errA != nil || errB != nil || bytes.Equal(a, b) {
		t.Errorf("two signatures are equal: %v, %v", errA, errB)
	}
	if !bytes.Equal(a[:ed25519.SignatureSize], b[:ed25519.SignatureSize]) {
		t.Error("Ed25519 is not deterministic")
	}
}

// TestBothHalvesSignTheStatedBytes checks each half by its own library.
func TestBothHalvesSignTheStatedBytes(t *testing.T) {
	k := knownKey(t)
	signature, err := k.Sign(testDomain, []byte("message"))
	if err != nil {
		t.Fatal(err)
	}
	framed := []byte("\x0eentente/test/1message")
	public := k.Public().Bytes()
	if !ed25519.Verify(public[:32], framed, signature[:64]) {
		t.Error("Ed25519 signs other bytes")
	}
	var lattice mldsa65.PublicKey
	if err := lattice.UnmarshalBinary(public[32:]); err != nil {
		t.Fatal(err)
	}
	if !mldsa65.Verify(&lattice, framed, []byte(testDomain), signature[64:]) {
		t.Error("ML-DSA signs other bytes")
	}
	if mldsa65.Verify(&lattice, framed, nil, signature[64:]) {
		t.Error("ML-DSA does not bind the domain as its context")
	}
}

func TestVerifyRefuses(t *testing.T) {
	k, message := knownKey(t), []byte("message")
	other, err := Generate()
	if err != nil {
		t.Fatal(err)
	}
	good, err := k.Sign(testDomain, message)
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := other.Sign(testDomain, message)
	if err != nil {
		t.Fatal(err)
	}
	half := ed25519.SignatureSize
	for name, c := range map[string]struct {
		d                  Domain
		message, signature []byte
	}{
		"other message":      {testDomain, []byte("messagf"), good},
		"longer message":     {testDomain, []byte("message "), good},
		"other domain":       {"entente/test/2", message, good},
		"shifted border":     {"entente/test/1m", []byte("essage"), good},
		"empty":              {testDomain, message, nil},
		"short":              {testDomain, message, good[:SignatureSize-1]},
		"long":               {testDomain, message, append(bytes.Clone(good), 0)},
		"Ed25519 alone":      {testDomain, message, good[:half]},
		"ML-DSA alone":       {testDomain, message, good[half:]},
		"Ed25519 and zeros":  {testDomain, message, append(bytes.Clone(good[:half]), make([]byte, SignatureSize-half)...)},
		"zeros and ML-DSA":   {testDomain, message, append(make([]byte, half), good[half:]...)},
		"other key's halves": {testDomain, message, append(bytes.Clone(good[:half]), foreign[half:]...)},
		"halves, other way":  {testDomain, message, append(bytes.Clone(foreign[:half]), good[half:]...)},
		"other key":          {testDomain, message, foreign},
	} {
		if err := k.Public().Verify(c.d, c.message, c.signature); !errors.Is(err, ErrSignature) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, at := range []int{0, 31, 32, 63, 64, 64 + 48, 2000, SignatureSize - 1} {
		bad := bytes.Clone(good)
		bad[at] ^= 1
		if err := k.Public().Verify(testDomain, message, bad); !errors.Is(err, ErrSignature) {
			t.Errorf("byte %d altered: %v", at, err)
		}
	}
}

func TestDomainLength(t *testing.T) {
	k := knownKey(t)
	for _, d := range []Domain{"", Domain(strings.Repeat("d", MaxDomain+1))} {
		if _, err := k.Sign(d, nil); err == nil {
			t.Errorf("signs under %d bytes of domain", len(d))
		}
		if err := k.Public().Verify(d, nil, make([]byte, SignatureSize)); err == nil {
			t.Errorf("verifies under %d bytes of domain", len(d))
		}
	}
}

func TestSeedIsTheWholeKey(t *testing.T) {
	k, err := Generate()
	if err != nil {
		t.Fatal(err)
	}
	seed := k.Seed()
	again, err := NewPrivateKey(seed)
	if err != nil || !again.Public().Equal(k.Public()) {
		t.Fatalf("the key does not come back: %v", err)
	}
	clear(seed)
	if bytes.Equal(k.Seed(), seed) || bytes.Equal(again.Seed(), seed) {
		t.Error("the key changes with its seed")
	}
	for _, b := range [][]byte{nil, make([]byte, SeedSize-1), make([]byte, SeedSize+1)} {
		if _, err := NewPrivateKey(b); err == nil {
			t.Errorf("%d bytes are a seed", len(b))
		}
	}
}

func TestPrivateKeyPrintsNothing(t *testing.T) {
	k := knownKey(t)
	type inside struct {
		Pointer *PrivateKey
		Copy    PrivateKey
	}
	in := inside{k, *k}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("key", "key", k, "copy", *k, "inside", in)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("key", "key", k, "copy", *k, "inside", in)
	out, err := json.Marshal([]any{k, *k, in})
	if err != nil {
		t.Fatal(err)
	}
	all := log.String() + string(out) + k.String()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%X", "%q", "%d"} {
		all += fmt.Sprintf(verb+verb+verb+verb, k, *k, in, &in)
	}
	for _, secret := range []string{"000102", "0 1 2 3", "0x1, 0x2", "AAECAw", "\x01\x02\x03"} {
		if strings.Contains(all, secret) {
			t.Errorf("the key shows as %q", secret)
		}
	}
}

func TestConcurrentVerify(t *testing.T) {
	k := knownKey(t)
	signature, err := k.Sign(testDomain, []byte("message"))
	if err != nil {
		t.Fatal(err)
	}
	p, err := ParsePublicKey(k.Public().Bytes())
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for range 20 {
				if err := p.Verify(testDomain, []byte("message"), signature); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
}

func FuzzVerify(f *testing.F) {
	k := knownKey(f)
	message := []byte("message")
	good, err := k.Sign(testDomain, message)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(message, good)
	f.Add(message, make([]byte, SignatureSize))
	f.Add(message, good[:ed25519.SignatureSize])
	f.Fuzz(func(t *testing.T, m, signature []byte) {
		err := k.Public().Verify(testDomain, m, signature)
		if err == nil && !bytes.Equal(m, message) {
			t.Errorf("a signature on %x was never made", m)
		}
		if err != nil && !errors.Is(err, ErrSignature) {
			t.Errorf("foreign error: %v", err)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	k := knownKey(b)
	message := make([]byte, 200)
	signature, err := k.Sign(testDomain, message)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := k.Public().Verify(testDomain, message, signature); err != nil {
			b.Fatal(err)
		}
	}
}
