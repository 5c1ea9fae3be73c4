package collective

import (
	"math/big"
	"math/bits"
)

// radix reads coefficients as numbers of three words, by mixed radices (Garner 1959):
// x = y₀ + q₀·y₁ + q₀·q₁·y₂.
type radix struct {
	limb         *[limbs]limb
	inverse1     uint64    // q₀⁻¹ modulo q₁, as the others in Montgomery's form
	inverse2     [2]uint64 // (q₀·q₁)⁻¹ and q₁⁻¹ modulo q₂
	product      [2]uint64 // q₀·q₁, low word first
	modulus      [3]uint64 // Q
	halfModulus  [3]uint64 // ⌊Q/2⌋
	halfInterval uint64    // 2⁸⁶, in the second word
}

func newRadix(p *Parameters) radix {
	big0, big1 := new(big.Int).SetUint64(q0), new(big.Int).SetUint64(q1)
	product := new(big.Int).Mul(big0, big1)
	inverse := func(x *big.Int, limb int) uint64 {
		q := new(big.Int).SetUint64(modulus(limb))
		return p.limb[limb].form(new(big.Int).ModInverse(x, q).Uint64())
	}
	r := radix{limb: &p.limb, inverse1: inverse(big0, 1)}
	r.inverse2 = [2]uint64{inverse(product, 2), inverse(big1, 2)}
	words := func(x *big.Int) (w [3]uint64) {
		for i := range w {
			w[i] = new(big.Int).Rsh(x, uint(64*i)).Uint64()
		}
		return w
	}
	all := p.ring.Modulus()
	pair := words(product)
	r.product = [2]uint64(pair[:2])
	r.modulus, r.halfModulus = words(all), words(new(big.Int).Rsh(all, 1))
	r.halfInterval = 1 << (scaleBits - 1 - 64)
	return r
}

// lift returns the number with the given residues that is nearest to zero, plus 2⁸⁶: three
// words, the lowest first, in two's complement.
func (r *radix) lift(x0, x1, x2 uint64) [3]uint64 {
	l1, l2 := &r.limb[1], &r.limb[2]
	y1 := l1.add(l1.mul(x1, r.inverse1), l1.q-l1.mul(x0, r.inverse1))
	y2 := l2.add(l2.mul(x2, r.inverse2[0]), l2.q-l2.mul(x0, r.inverse2[0]))
	y2 = l2.add(y2, l2.q-l2.mul(y1, r.inverse2[1]))
	var w [3]uint64
	var carry uint64
	// y₂·q₀·q₁, then y₁·q₀, then x₀
	h, l := bits.Mul64(y2, r.product[0])
	w[0], w[1] = l, h
	h, l = bits.Mul64(y2, r.product[1])
	w[1], carry = bits.Add64(w[1], l, 0)
	w[2] = h + carry
	h, l = bits.Mul64(y1, q0)
	w = add3(w, [3]uint64{l, h})
	w = add3(w, [3]uint64{x0})
	if _, above := sub3(r.halfModulus, w); above != 0 {
		w, _ = sub3(w, r.modulus)
	}
	return add3(w, [3]uint64{0, r.halfInterval})
}

func add3(a, b [3]uint64) (c [3]uint64) {
	var carry uint64
	for i := range c {
		c[i], carry = bits.Add64(a[i], b[i], carry)
	}
	return c
}

func sub3(a, b [3]uint64) (c [3]uint64, borrow uint64) {
	for i := range c {
		c[i], borrow = bits.Sub64(a[i], b[i], borrow)
	}
	return c, borrow
}

// decode splits a coefficient into its counters, and reports whether its noise is within the
// limit of so many shares, and the highest counter within its bits.
func (r *radix) decode(x0, x1, x2 uint64, shares int) (v [digits]int32, ok bool) {
	w := r.lift(x0, x1, x2)
	// The noise plus 2⁸⁶ is the number's lowest 87 bits; it lies within shares·2⁷⁹ + 2³¹.
	const top = scaleBits - 64
	low, high := w[0], w[1]&(1<<top-1)
	limit := uint64(shares) << (floodBits - 1 - 64)
	fromLow, borrow := bits.Sub64(low, 1<<64-1<<noiseBits, 0) // low − (2⁸⁶ − limit)
	fromHigh, borrow := bits.Sub64(high, r.halfInterval-limit-1, borrow)
	ok = borrow == 0 && (fromHigh < 2*limit || fromHigh == 2*limit && fromLow <= 1<<(noiseBits+1))
	// What is left is the plaintext of up to 76 bits.
	low, high = w[1]>>top|w[2]<<(64-top), uint64(int64(w[2])>>top)
	for k := range digits - 1 {
		d := int64(low<<(64-counterBits)) >> (64 - counterBits)
		v[k] = int32(d)
		low, borrow = bits.Sub64(low, uint64(d), 0)
		high, _ = bits.Sub64(high, uint64(d>>63), borrow)
		low, high = low>>counterBits|high<<(64-counterBits), uint64(int64(high)>>counterBits)
	}
	last := int64(low)
	v[digits-1] = int32(last)
	const most = int64(1) << (counterBits - 1)
	return v, ok && uint64(last>>63) == high && -most <= last && last < most
}
