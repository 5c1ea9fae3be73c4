package he

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

// TestKernelsAgree compares what runs here with the generic code, at the bounds too.
func TestKernelsAgree(t *testing.T) {
	r := rand.New(source(2))
	word := func(most int) int16 {
		switch r.IntN(8) {
		case 0:
			return int16(-most)
		case 1:
			return int16(most - 1)
		}
		return int16(r.IntN(2*most) - most)
	}
	for _, pairs := range []int{1, 2, 3, 255, 256, 512} {
		words, templates := make([]int16, pairs*pairWords), make([]int16, pairs*groupSize*2)
		for i := range words {
			words[i] = word(1 << 15)
		}
		for i := range templates {
			templates[i] = word(8) // so that sums stay within 32 bits
		}
		templates[0], templates[1] = -127, -127
		var a, b [groupSums]int32
		multiply(&a, words, templates)
		multiplyGeneric(&b, words, templates)
		if a != b {
			t.Errorf("%d pairs: products differ", pairs)
		}
	}
	for _, terms := range []int{1, 2, 255, chunkTerms} {
		query, values := make([]uint32, terms*2*blockSize), make([]uint32, terms*blockSize)
		for i := range query {
			query[i] = q0 - 1 - r.Uint32N(1+r.Uint32N(q0))
		}
		for i := range values {
			values[i] = q0 - 1 - r.Uint32N(1+r.Uint32N(q0))
		}
		if terms == chunkTerms {
			for i := range query {
				query[i] = q0 - 1
			}
			for i := range values {
				values[i] = q0 - 1
			}
		}
		var a, b [2 * blockSize]uint64
		accumulate(&a, query, values)
		accumulateGeneric(&b, query, values)
		if a != b {
			t.Errorf("%d terms: sums differ", terms)
		}
		if terms == chunkTerms {
			want := new(big.Int).Mul(big.NewInt(q0-1), big.NewInt(q0-1))
			if want.Mul(want, big.NewInt(chunkTerms)); !want.IsUint64() || a[0] != want.Uint64() {
				t.Errorf("%d largest terms: %d, not %d", terms, a[0], want)
			}
		}
	}
}

func TestBarrett(t *testing.T) {
	r := rand.New(source(3))
	for limb := range limbs {
		b := newBarrett(modulus(limb))
		check := func(x uint64) {
			if got := b.reduce(x); got != x%b.q {
				t.Fatalf("%d modulo %d: %d", x, b.q, got)
			}
		}
		for _, x := range []uint64{0, 1, b.q - 1, b.q, b.q + 1, 2*b.q - 1, math.MaxUint64, math.MaxUint64 - 1, math.MaxUint64 / b.q * b.q} {
			check(x)
			check(x - 1)
		}
		for range 100_000 {
			check(r.Uint64())
		}
	}
}

// TestModuli checks what the comments say of the moduli.
func TestModuli(t *testing.T) {
	Q := big.NewInt(1)
	for limb := range limbs {
		q := new(big.Int).SetUint64(modulus(limb))
		if !q.ProbablyPrime(40) || modulus(limb)%(1<<17) != 1 || q.BitLen() != modulusBits(limb) {
			t.Errorf("modulus %d", limb)
		}
		Q.Mul(Q, q)
	}
	if Q.BitLen() > 106 || new(big.Int).Mod(Q, big.NewInt(1<<ShareBits)).Int64() != 1 {
		t.Errorf("Q has %d bits", Q.BitLen())
	}
	// Flooding and all noise fit beside a message, before the switch and after it.
	delta := new(big.Int).Rsh(Q, ShareBits)
	noise := new(big.Int).Add(new(big.Int).Lsh(big.NewInt(1), floodBits-1), big.NewInt(1<<30))
	if noise.Lsh(noise, 1).Cmp(delta) >= 0 {
		t.Error("noise can be larger than half of Δ")
	}
	noise.Rsh(noise, 1).Mul(noise, big.NewInt(q0)).Div(noise, Q)
	if got := noise.Int64() + 1; got > 1140 || got+900 >= q0>>(ShareBits+1) {
		t.Errorf("noise after the switch: %d", got)
	}
}
