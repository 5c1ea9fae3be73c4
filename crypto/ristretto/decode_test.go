package ristretto

import (
	"bytes"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"filippo.io/edwards25519"
	"filippo.io/edwards25519/field"
	"github.com/cloudflare/circl/group"
)

// prime is p.
func prime() *big.Int {
	p := new(big.Int).Lsh(big.NewInt(1), 255)
	return p.Sub(p, big.NewInt(19))
}

// littleEndian writes a number as 32 bytes.
func littleEndian(x *big.Int) []byte {
	b := x.FillBytes(make([]byte, 32))
	for i := range 16 {
		b[i], b[31-i] = b[31-i], b[i]
	}
	return b
}

// hostile lists 32 bytes of which few decode: around 0, p, 2²⁵⁵ and 2²⁵⁶, single bits, and
// elements with a bit flipped.
func hostile(t testing.TB) [][]byte {
	t.Helper()
	var out [][]byte
	p := prime()
	for i := range int64(60) {
		out = append(out, littleEndian(big.NewInt(i)), littleEndian(new(big.Int).Add(p, big.NewInt(i-40))))
		full := new(big.Int).Lsh(big.NewInt(1), 256)
		out = append(out, littleEndian(full.Sub(full, big.NewInt(i+1))))
	}
	good := elements(t, "hostile", 8)
	for bit := range 256 {
		one := make([]byte, Size)
		one[bit/8] = 1 << (bit % 8)
		flipped := bytes.Clone(good[bit%8*Size:][:Size])
		flipped[bit/8] ^= 1 << (bit % 8)
		out = append(out, one, flipped)
		// The other spelling and the negative of a good one.
		x := new(big.Int).SetBytes(reversed(good[bit%8*Size:][:Size]))
		out = append(out, littleEndian(new(big.Int).Sub(p, x)))
	}
	random := stream("hostile", 500*Size)
	for i := range 500 {
		b := random[i*Size : (i+1)*Size]
		if i%2 == 0 { // a good chance to decode
			b[0] &^= 1
			b[31] &= 0x7f
		}
		out = append(out, b)
	}
	return out
}

func reversed(b []byte) []byte {
	b = bytes.Clone(b)
	for i := range len(b) / 2 {
		b[i], b[len(b)-1-i] = b[len(b)-1-i], b[i]
	}
	return b
}

// All agree on what decodes, also where nothing but the place in the block differs.
func TestDecodeAgreesWithCircl(t *testing.T) {
	all := hostile(t)
	var good []byte
	for _, b := range all {
		if group.Ristretto255.NewElement().UnmarshalBinary(b) == nil {
			good = append(good, b...)
		}
	}
	if n := len(good) / Size; n < 100 || n > len(all)/2 {
		t.Fatalf("%d of %d decode", n, len(all))
	}
	onEach(t, func(t *testing.T, w *Worker) {
		var p Points
		for i, b := range all {
			want := group.Ristretto255.NewElement().UnmarshalBinary(b)
			if err := w.Decode(&p, b); (err == nil) != (want == nil) {
				t.Errorf("%x: %v, circl says %v", b, err, want)
			}
			padded := append(bytes.Clone(good[:i%8*Size]), b...)
			err := w.Decode(&p, padded)
			if (err == nil) != (want == nil) {
				t.Errorf("%x at %d: %v, circl says %v", b, i%8, err, want)
			}
			if err != nil && !strings.Contains(err.Error(), fmt.Sprintf("element %d of %d", i%8, i%8+1)) {
				t.Errorf("%x at %d: %v", b, i%8, err)
			}
		}
		wantRows(t, "decoded", encode(w, decode(t, w, good)), good)
	})
}

// fromCurve makes a batch of points as they are, with any denominator and coset.
func fromCurve(w *Worker, points []*edwards25519.Point) *Points {
	p := new(Points)
	w.Generator(p, len(points))
	fill(p, points)
	return p
}

// smallOrder returns the eight points whose order divides 8, as multiples of one.
func smallOrder(t testing.TB) []*edwards25519.Point {
	t.Helper()
	b := unhex(t, "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05")
	eighth, err := new(edwards25519.Point).SetBytes(b)
	if err != nil {
		t.Fatal(err)
	}
	out := []*edwards25519.Point{edwards25519.NewIdentityPoint()}
	for i := range 7 {
		out = append(out, new(edwards25519.Point).Add(out[i], eighth))
	}
	if new(edwards25519.Point).Add(out[7], eighth).Equal(out[0]) != 1 {
		t.Fatal("not of order 8")
	}
	return out
}

// rescale multiplies the coordinates by a number.
func rescale(t testing.TB, p *edwards25519.Point, by uint32) *edwards25519.Point {
	t.Helper()
	x, y, z, tt := p.ExtendedCoordinates()
	for _, c := range []*field.Element{x, y, z, tt} {
		c.Mult32(c, by)
	}
	out, err := new(edwards25519.Point).SetExtendedCoordinates(x, y, z, tt)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// All points of a coset of the four-torsion are the same element, before and after any
// operation.
func TestCosets(t *testing.T) {
	small := smallOrder(t)
	k := randomScalars(t, "coset", 1)
	var points []*edwards25519.Point
	for i := range 4 {
		base := new(edwards25519.Point).ScalarBaseMult(&randomScalars(t, "coset", 5)[i].s)
		base.Add(base, base) // the group's points are the even ones
		if i == 0 {
			base = edwards25519.NewIdentityPoint()
		}
		for j := 0; j < 8; j += 2 {
			points = append(points, rescale(t, new(edwards25519.Point).Add(base, small[j]), uint32(3*i+j+1)))
		}
	}
	onEach(t, func(t *testing.T, w *Worker) {
		same := func(what string, p *Points) {
			b := encode(w, p)
			for i := 0; i < len(b); i += 4 * Size {
				for j := range 4 {
					if !bytes.Equal(b[i:i+Size], b[i+j*Size:][:Size]) {
						t.Errorf("%s: coset %d differs at %d", what, i/4/Size, j)
					}
				}
			}
			if !bytes.Equal(b[:Size], make([]byte, Size)) {
				t.Errorf("%s: the identity's coset encodes to %x", what, b[:Size])
			}
			for i := range 5 {
				var rest Points
				w.Slice(&rest, p, i, p.Len())
				if got, want := w.FirstIdentity(&rest), 0; i < 4 && got != want || i == 4 && got != -1 {
					t.Errorf("%s from %d on: first identity at %d", what, i, got)
				}
			}
		}
		p := fromCurve(w, points)
		var q, r Points
		same("as they are", p)
		w.Mul(&q, p, &k[0])
		same("product", &q)
		w.Mul(&r, &q, &k[0])
		same("product of product", &r)
		w.Add(&r, p, &q)
		same("sum", &r)
		w.Add(&r, &r, p)
		same("sum of sum", &r)
		var zero Scalar
		w.Mul(&r, p, &zero)
		if b := encode(w, &r); !bytes.Equal(b, make([]byte, len(b))) {
			t.Errorf("zero times: %x", b)
		}
	})
}
