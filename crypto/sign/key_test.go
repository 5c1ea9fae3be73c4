package sign

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"math/big"
	"slices"
	"testing"
)

func TestPublicKeyComesBack(t *testing.T) {
	for range 20 {
		k, err := Generate()
		if err != nil {
			t.Fatal(err)
		}
		b := k.Public().Bytes()
		p, err := ParsePublicKey(b)
		if err != nil {
			t.Fatal(err)
		}
		if !p.Equal(k.Public()) || !bytes.Equal(p.Bytes(), b) || len(b) != PublicKeySize {
			t.Error("a public key does not come back")
		}
		clear(b)
		if !p.Equal(k.Public()) {
			t.Error("the key changes with its bytes")
		}
	}
}

func TestEqualLooksAtBothHalves(t *testing.T) {
	a, b := knownKey(t), make([]byte, SeedSize)
	for _, from := range []int{0, ed25519.SeedSize} {
		copy(b, a.Seed())
		b[from] ^= 1
		other, err := NewPrivateKey(b)
		if err != nil {
			t.Fatal(err)
		}
		if a.Public().Equal(other.Public()) {
			t.Errorf("keys of seeds that differ at byte %d are equal", from)
		}
	}
	if a.Public().Equal(nil) {
		t.Error("a key equals none")
	}
}

// withPoint is a whole public key with the given Ed25519 half, in hex.
func withPoint(t *testing.T, point string) []byte {
	t.Helper()
	b, err := hex.DecodeString(point)
	if err != nil || len(b) != ed25519.PublicKeySize {
		t.Fatalf("bad point %q", point)
	}
	return append(b, knownKey(t).Public().Bytes()[ed25519.PublicKeySize:]...)
}

// smallPoints are the y coordinates of all points of small order, and their encodings that
// are not canonical; the sign bit may be set on each.
var smallPoints = []string{
	"0100000000000000000000000000000000000000000000000000000000000000", // 1, the identity
	"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // −1, order 2
	"0000000000000000000000000000000000000000000000000000000000000000", // 0, order 4
	"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05", // order 8
	"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a", // order 8
	"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // p = 0
	"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // p + 1 = 1
}

func TestParseRefusesBadPoints(t *testing.T) {
	bad := slices.Clone(smallPoints)
	for _, s := range smallPoints {
		b, _ := hex.DecodeString(s)
		b[31] |= 0x80
		bad = append(bad, hex.EncodeToString(b))
	}
	bad = append(bad,
		"0200000000000000000000000000000000000000000000000000000000000000", // not on the curve
		"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // largest number
		"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
		"f0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // p + 3 = 3, on the curve
	)
	for _, s := range bad {
		if _, err := ParsePublicKey(withPoint(t, s)); err == nil {
			t.Errorf("%s is a key", s)
		}
	}
	for _, b := range [][]byte{nil, make([]byte, PublicKeySize-1), make([]byte, PublicKeySize+1), knownKey(t).Public().Bytes()[:32]} {
		if _, err := ParsePublicKey(b); err == nil {
			t.Errorf("%d bytes are a key", len(b))
		}
	}
}

// TestSmallOrderKeysWouldVerify shows what the check is for: under the identity as key
// the standard library accepts one signature for every message.
func TestSmallOrderKeysWouldVerify(t *testing.T) {
	identity, _ := hex.DecodeString(smallPoints[0])
	signature := append(bytes.Clone(identity), make([]byte, 32)...) // R = identity, s = 0
	for _, m := range []string{"one", "another"} {
		if !ed25519.Verify(identity, []byte(m), signature) {
			t.Errorf("%q does not verify: the check may be needless", m)
		}
	}
}

// TestPointsOnTheCurve counts: about half of all y are on the curve, and the standard
// library's own keys all are.
func TestPointsOnTheCurve(t *testing.T) {
	on := 0
	for i := range 256 {
		var b [32]byte
		b[0], b[1] = byte(i), 1
		if checkPoint(b) == nil {
			on++
		}
	}
	if on < 96 || on > 160 { // 128 ± 8: four standard deviations
		t.Errorf("%d of 256 are on the curve", on)
	}
}

// TestOrderEight doubles the points by the addition law and must reach the identity at
// the third step, not before.
func TestOrderEight(t *testing.T) {
	p := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 255), big.NewInt(19))
	d := new(big.Int).Mul(big.NewInt(-121665), new(big.Int).ModInverse(big.NewInt(121666), p))
	for _, s := range smallPoints[3:5] {
		b, _ := hex.DecodeString(s)
		slices.Reverse(b)
		y := new(big.Int).SetBytes(b)
		yy := new(big.Int).Mul(y, y)
		num := new(big.Int).Sub(yy, big.NewInt(1))
		den := new(big.Int).Add(new(big.Int).Mul(d, yy), big.NewInt(1))
		xx := num.Mul(num, den.ModInverse(den, p))
		x := new(big.Int).ModSqrt(xx.Mod(xx, p), p)
		if x == nil {
			t.Fatalf("%s is not on the curve", s)
		}
		for step := 1; step <= 3; step++ {
			x, y = double(x, y, d, p)
			if identity := x.Sign() == 0 && y.Cmp(big.NewInt(1)) == 0; identity != (step == 3) {
				t.Errorf("%s after %d doublings: identity %v", s, step, identity)
			}
		}
	}
}

// double adds a point of the curve −x² + y² = 1 + d·x²·y² to itself.
func double(x, y, d, p *big.Int) (*big.Int, *big.Int) {
	mul := func(a, b *big.Int) *big.Int { m := new(big.Int).Mul(a, b); return m.Mod(m, p) }
	xy, xx, yy := mul(x, y), mul(x, x), mul(y, y)
	t := mul(d, mul(xx, yy))
	one := big.NewInt(1)
	inverse := func(a *big.Int) *big.Int { return new(big.Int).ModInverse(a.Mod(a, p), p) }
	return mul(new(big.Int).Add(xy, xy), inverse(new(big.Int).Add(one, t))),
		mul(new(big.Int).Add(yy, xx), inverse(new(big.Int).Sub(one, t)))
}

func FuzzParsePublicKey(f *testing.F) {
	f.Add(knownKey(f).Public().Bytes())
	f.Add(make([]byte, PublicKeySize))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := ParsePublicKey(b)
		if err == nil && !bytes.Equal(p.Bytes(), b) {
			t.Error("a key comes back as other bytes")
		}
	})
}
