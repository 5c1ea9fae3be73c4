package collective

import (
	"fmt"
	"math/big"
	"math/bits"
	"slices"
)

// Group is who holds a key: each holder's point, at which it has all polynomials' values, and
// how many are needed to decrypt.
type Group struct {
	Points    []uint8 // 1 to MaxHolders, ascending
	Threshold int     // 2 to len(Points)
}

// Check reports ErrGroup.
func (g Group) Check() error {
	if g.Threshold < 2 || g.Threshold > len(g.Points) {
		return fmt.Errorf("%w: %d of %d", ErrGroup, g.Threshold, len(g.Points))
	}
	return checkPoints(g.Points)
}

func checkPoints(points []uint8) error {
	last := uint8(0)
	for _, x := range points {
		if x <= last || x > MaxHolders {
			return fmt.Errorf("%w: points are not ascending from 1 to %d", ErrGroup, MaxHolders)
		}
		last = x
	}
	return nil
}

// CheckActive reports ErrGroup unless active are exactly Threshold holders of the group, in
// ascending order. There is one such list for each set: which key a share is for does not
// depend on an order.
func (g Group) CheckActive(active []uint8) error {
	if err := g.Check(); err != nil {
		return err
	}
	if len(active) != g.Threshold {
		return fmt.Errorf("%w: %d holders are active, not %d", ErrGroup, len(active), g.Threshold)
	}
	if err := checkPoints(active); err != nil {
		return err
	}
	for _, x := range active {
		if !slices.Contains(g.Points, x) {
			return fmt.Errorf("%w: point %d is not of the group", ErrGroup, x)
		}
	}
	return nil
}

// seeded are the holders that are dealt seeds: the first t − 1. The values there and the
// secret at 0 are t values, which make the polynomial.
func (g Group) seeded() []uint8 { return g.Points[:g.Threshold-1] }

// dealt are the holders that are dealt whole polynomials.
func (g Group) dealt() []uint8 { return g.Points[g.Threshold-1:] }

// ShareSize is the length in bytes of what is dealt to a holder; 0 if it is none.
func (g Group) ShareSize(point uint8) int {
	switch {
	case slices.Contains(g.seeded(), point):
		return SeedSize
	case slices.Contains(g.dealt(), point):
		return PolynomialSize
	}
	return 0
}

// weights are Lagrange's coefficients modulo q for points that are no nodes: the value there is
// the sum of products with those at the nodes. All of this is public.
func weights(nodes, at []uint8, q uint64) [][]uint64 {
	mul := func(a, b uint64) uint64 {
		h, l := bits.Mul64(a, b)
		return bits.Rem64(h, l, q)
	}
	difference := func(a, b uint8) uint64 { return (q + uint64(a) - uint64(b)) % q }
	inverses := make([]uint64, len(nodes)) // of the products of differences between nodes
	modulus := new(big.Int).SetUint64(q)
	for i, a := range nodes {
		below := uint64(1)
		for j, b := range nodes {
			if i != j {
				below = mul(below, difference(a, b))
			}
		}
		x := new(big.Int).SetUint64(below)
		inverses[i] = x.ModInverse(x, modulus).Uint64()
	}
	out := make([][]uint64, len(at))
	for t, x := range at {
		// The product of all differences but one: that of those before times that of those after.
		w := make([]uint64, len(nodes))
		before, after := uint64(1), uint64(1)
		for i, a := range nodes {
			w[i] = mul(inverses[i], before)
			before = mul(before, difference(x, a))
		}
		for i, a := range slices.Backward(nodes) {
			w[i] = mul(w[i], after)
			after = mul(after, difference(x, a))
		}
		out[t] = w
	}
	return out
}
