package sign

import (
	"errors"
	"math/big"
	"slices"
)

var errPoint = errors.New("not an Ed25519 key")

// checkPoint refuses encodings of Ed25519 points that are not canonical (RFC 8032 section
// 5.1.3), not on the curve, or of small order. The standard library refuses the second
// kind when it verifies, and accepts the others.
func checkPoint(b [32]byte) error {
	b[31] &= 0x7f // the sign of x; x = 0 is of small order
	slices.Reverse(b[:])
	y := new(big.Int).SetBytes(b[:])

	one := big.NewInt(1)
	p := new(big.Int).Lsh(one, 255)
	p.Sub(p, big.NewInt(19))
	if y.Cmp(p) >= 0 {
		return errPoint
	}

	// d = −121665/121666, the curve is −x² + y² = 1 + d·x²·y².
	d := new(big.Int).ModInverse(big.NewInt(121666), p)
	d.Mul(d, big.NewInt(-121665)).Mod(d, p)

	square := new(big.Int).Mul(y, y)
	square.Mod(square, p)
	u := new(big.Int).Sub(square, one) // x² = u/v
	v := new(big.Int).Mul(d, square)
	v.Add(v, one).Mod(v, p)

	// x² is a square exactly if u·v is; d is none, so v is never 0.
	if big.Jacobi(new(big.Int).Mod(new(big.Int).Mul(u, v), p), p) < 0 {
		return errPoint
	}
	if smallOrder(y, square, d, p) {
		return errPoint
	}
	return nil
}

// smallOrder reports whether the points with this y have an order of at most 8. Orders 1
// and 2 have x = 0, so y = ±1; order 4 has y = 0; doubling a point of order 8 gives one
// with y = 0, that is x² = −y², and on the curve d·y⁴ + 2·y² − 1 = 0.
func smallOrder(y, square, d, p *big.Int) bool {
	one := big.NewInt(1)
	if y.Sign() == 0 || square.Cmp(one) == 0 {
		return true
	}
	r := new(big.Int).Mul(square, square)
	r.Mul(r, d)
	r.Add(r, square).Add(r, square).Sub(r, one)
	return r.Mod(r, p).Sign() == 0
}
