package collective

import (
	"crypto/rand"
	"errors"
	"math"
	"math/big"
	"slices"
	"testing"

	"github.com/tuneinsight/lattigo/v5/ring"

	"entente/crypto/he/sample"
)

// coefficients reads a polynomial as numbers modulo Q.
func coefficients(p *Parameters, x ring.Poly) []*big.Int {
	out := make([]*big.Int, Degree)
	for i := range out {
		out[i] = new(big.Int)
	}
	p.ring.PolyToBigint(x, 1, out)
	return out
}

// unpacked reads a polynomial that a sender packed.
func unpacked(t testing.TB, p *Parameters, b []byte) ring.Poly {
	t.Helper()
	x := p.ring.NewPoly()
	if err := unpack(b, x); err != nil {
		t.Fatal(err)
	}
	return x
}

// weight is Lagrange's coefficient modulo Q for decrypting.
func weight(p *Parameters, active []uint8, at int) *big.Int {
	q := p.ring.Modulus()
	above, below := big.NewInt(1), big.NewInt(1)
	for i, x := range active {
		if i != at {
			above.Mul(above, big.NewInt(-int64(x)))
			below.Mul(below, big.NewInt(int64(active[at])-int64(x)))
		}
	}
	return above.Mul(above, below.ModInverse(below.Mod(below, q), q)).Mod(above, q)
}

// TestTwoSharesOpenTheKey is why there is a journal. A holder that forgets makes two shares of
// one ciphertext for two sets, d = λ·k·c + f and d′ = λ′·k·c + f′. Then λ′·d − λ·d′ =
// λ′·f − λ·f′ modulo Q, which in a lattice of two dimensions has one solution as small as the
// flooding (if the sets are large: else λ/λ′ is too simple a fraction), coefficient by
// coefficient. What is left is k·c without noise: the key.
func TestTwoSharesOpenTheKey(t *testing.T) {
	m := newMembers(t, Group{points(2), 2}, 30)
	p, q := m.params, m.params.ring.Modulus()
	s := m.sum(t, []int32{1})
	key := p.ring.NewPoly()
	uniform(sample.New(shareLabel, seed(30), 0), key)
	g := Group{points(MaxHolders), 40}
	r := source(30)
	var sets [2][]uint8
	var la, lb *big.Int
	var lattice *plane
	for lattice == nil || dot(lattice.v, lattice.v).BitLen() < 2*floodBits {
		for i := range sets {
			sets[i] = []uint8{1}
			for _, x := range r.Perm(MaxHolders - 1)[:g.Threshold-1] {
				sets[i] = append(sets[i], uint8(x+2))
			}
			slices.Sort(sets[i])
		}
		la, lb = weight(p, sets[0], 0), weight(p, sets[1], 0)
		lattice = newPlane(la, lb, q)
	}
	var shares [2][]*big.Int
	for i, active := range sets {
		h, err := p.LoadHolder(g, 1, Life{1}, pack(nil, key))
		if err != nil {
			t.Fatal(err)
		}
		b, err := h.Share(s.Masks(), active, newMemory(), rand.Reader) // a journal without memory
		if err != nil {
			t.Fatal(err)
		}
		shares[i] = coefficients(p, unpacked(t, p, b))
	}
	product, c1 := p.ring.NewPoly(), p.ring.NewPoly()
	p.ring.NTT(key, product)
	p.ring.NTT(s.masks.blocks[0], c1)
	p.ring.MulCoeffsBarrett(product, c1, product)
	p.ring.INTT(product, product)
	truth := coefficients(p, product) // k·c
	found := 0
	const tried = 256
	for i := range tried {
		d := new(big.Int).Mul(lb, shares[0][i])
		d.Sub(d, new(big.Int).Mul(la, shares[1][i])).Mod(d, q)
		f := lattice.smallest(d)
		guess := new(big.Int).Sub(shares[0][i], f) // (d − f)/λ
		guess.Mul(guess, new(big.Int).ModInverse(la, q)).Mod(guess, q)
		if guess.Cmp(truth[i]) == 0 {
			found++
		}
	}
	if found < tried*9/10 {
		t.Errorf("only %d of %d coefficients: the attack that the journal is for is not what it is said to be", found, tried)
	}
	// With the journal there is no second share.
	h, err := p.LoadHolder(g, 1, m.journals[1].life, pack(nil, key))
	if err != nil {
		t.Fatal(err)
	}
	again, err := p.LoadHolder(g, 1, m.journals[1].life, pack(nil, key))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Share(s.Masks(), sets[0], m.journals[1], rand.Reader); err != nil {
		t.Fatal(err)
	}
	if b, err := again.Share(s.Masks(), sets[1], m.journals[1], rand.Reader); !errors.Is(err, ErrShared) || b != nil {
		t.Errorf("a second share: %v", err)
	}
}

// plane finds small (f, f′) with λ′·f − λ·f′ = d modulo Q.
type plane struct {
	q, ratio *big.Int // ratio λ/λ′: f = d/λ′ + ratio·f′
	inverse  *big.Int // of λ′
	u, v     [2]*big.Int
}

func newPlane(la, lb, q *big.Int) *plane {
	p := &plane{q: q, inverse: new(big.Int).ModInverse(lb, q)}
	p.ratio = new(big.Int).Mul(la, p.inverse)
	p.ratio.Mod(p.ratio, q)
	p.u = [2]*big.Int{new(big.Int).Set(q), big.NewInt(0)}
	p.v = [2]*big.Int{new(big.Int).Set(p.ratio), big.NewInt(1)}
	for { // Lagrange's and Gauss's reduction
		if dot(p.u, p.u).Cmp(dot(p.v, p.v)) < 0 {
			p.u, p.v = p.v, p.u
		}
		n := nearest(dot(p.u, p.v), dot(p.v, p.v))
		if n.Sign() == 0 {
			return p
		}
		for i := range p.u {
			p.u[i] = new(big.Int).Sub(p.u[i], new(big.Int).Mul(n, p.v[i]))
		}
	}
}

// smallest returns f by Babai's rounding.
func (p *plane) smallest(d *big.Int) *big.Int {
	x := [2]*big.Int{new(big.Int).Mul(d, p.inverse), big.NewInt(0)}
	x[0].Mod(x[0], p.q)
	det := new(big.Int).Sub(new(big.Int).Mul(p.u[0], p.v[1]), new(big.Int).Mul(p.u[1], p.v[0]))
	a := nearest(new(big.Int).Sub(new(big.Int).Mul(x[0], p.v[1]), new(big.Int).Mul(x[1], p.v[0])), det)
	b := nearest(new(big.Int).Sub(new(big.Int).Mul(p.u[0], x[1]), new(big.Int).Mul(p.u[1], x[0])), det)
	x[0].Sub(x[0], new(big.Int).Mul(a, p.u[0])).Sub(x[0], new(big.Int).Mul(b, p.v[0]))
	return x[0]
}

func dot(a, b [2]*big.Int) *big.Int {
	return new(big.Int).Add(new(big.Int).Mul(a[0], b[0]), new(big.Int).Mul(a[1], b[1]))
}

// nearest is a/b rounded.
func nearest(a, b *big.Int) *big.Int {
	if b.Sign() < 0 {
		a, b = new(big.Int).Neg(a), new(big.Int).Neg(b)
	}
	n := new(big.Int).Lsh(a, 1)
	n.Add(n, b)
	return n.Div(n, new(big.Int).Lsh(b, 1))
}

// TestFewerThanThresholdSeeNothing: to t − 1 holders every plaintext is as likely as every
// other. For any sum that they may think of there is a share of the missing holder that gives
// it, and what they have together is uniform, whatever the plaintext is.
func TestFewerThanThresholdSeeNothing(t *testing.T) {
	g := Group{points(5), 3}
	active := []uint8{1, 4, 5}
	for name, plain := range map[string][]int32{"zeros": make([]int32, CountersPerBlock), "ones": filled(1), "largest": filled(MaxValue)} {
		m := newMembers(t, g, 31)
		p, s := m.params, m.sum(t, plain)
		c, err := s.NewCombiner(g, active)
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range active[:2] {
			b, err := m.holders[x].Share(s.Masks(), active, m.journals[x], rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Add(x, b); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := c.Values(len(plain)); !errors.Is(err, ErrOrder) {
			t.Fatalf("two of three open: %v", err)
		}
		// What two have: the body and their shares. Its highest bits, where plaintexts stand, are uniform.
		seen := p.ring.NewPoly()
		p.ring.Add(s.bodies[0], c.shares[0], seen)
		if x := chiSquare(coefficients(p, seen), p.ring.Modulus()); x > 330 { // 255 degrees of freedom: above with 0.001
			t.Errorf("%s: what two of three see is not uniform: %.0f", name, x)
		}
		// The missing share that makes it 123, 123, …: as good as the true one.
		lie := p.ring.NewPoly()
		w := newEncryption(m.key)
		w.c.Zero()
		w.addPlain(filled(123))
		p.ring.Sub(w.c, seen, lie)
		if err := c.Add(5, pack(nil, lie)); err != nil {
			t.Fatal(err)
		}
		got, err := c.Values(len(plain))
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range got {
			if v != 123 {
				t.Fatalf("counter %d is %d", i, v)
			}
		}
		// And with all three what is true.
		m = newMembers(t, g, 31)
		if got, err = m.open(t, s, len(plain), active); err != nil || got[0] != plain[0] || got[len(got)-1] != plain[0] {
			t.Errorf("%s: three of three: %v", name, err)
		}
	}
}

func filled(v int32) []int32 {
	out := make([]int32, CountersPerBlock)
	for i := range out {
		out[i] = v
	}
	return out
}

// chiSquare tests whether numbers are uniform below q, in 256 classes.
func chiSquare(xs []*big.Int, q *big.Int) (sum float64) {
	var counts [256]float64
	for _, x := range xs {
		n := new(big.Int).Lsh(x, 8)
		counts[n.Div(n, q).Int64()]++
	}
	want := float64(len(xs)) / 256
	for _, n := range counts {
		sum += (n - want) * (n - want) / want
	}
	return sum
}

// TestSharesHideTheSecret: for each t − 1 holders and each secret that a dealer may have there
// is just one polynomial that gives what they hold, and each single share is uniform.
func TestSharesHideTheSecret(t *testing.T) {
	g := Group{points(5), 3}
	p := parameters(t)
	reference := p.NewReference(seed(1))
	d, err := reference.Deal(g, seed(32))
	if err != nil {
		t.Fatal(err)
	}
	values := map[uint8]ring.Poly{}
	for _, x := range g.Points {
		h, err := p.NewHolder(g, x, Life{})
		if err != nil {
			t.Fatal(err)
		}
		if err := h.Add(d.Share(x)); err != nil {
			t.Fatal(err)
		}
		values[x] = h.share
		if s := chiSquare(coefficients(p, h.share), p.ring.Modulus()); s > 330 {
			t.Errorf("the share of holder %d is not uniform: %.0f", x, s)
		}
	}
	secret := p.ring.NewPoly()
	small := make([]int8, Degree)
	sample.New(secretLabel, reference.own(seed(32)), 0).Ternary(small)
	lift(small, secret)
	for a := uint8(1); a <= 5; a++ {
		for b := a + 1; b <= 5; b++ {
			for c := uint8(1); c <= 5; c++ {
				if c == a || c == b {
					continue
				}
				// With the true secret the third share follows …
				got := p.ring.NewPoly()
				for limb := range limbs {
					rows := [][]uint64{secret.Coeffs[limb], values[a].Coeffs[limb], values[b].Coeffs[limb]}
					p.limb[limb].interpolate(rows, []uint8{0, a, b}, [][]uint64{got.Coeffs[limb]}, []uint8{c})
				}
				if !got.Equal(&ring.Poly{Coeffs: values[c].Coeffs}) {
					t.Fatalf("holders %d and %d with the secret do not give share %d", a, b, c)
				}
				// … and a secret that differs in one coefficient gives another third share, by
				// which the two cannot tell, since it is not theirs: its weight is not 0.
				for limb := range limbs {
					if weights([]uint8{0, a, b}, []uint8{c}, modulus(limb))[0][0] == 0 {
						t.Fatalf("share %d does not depend on the secret", c)
					}
				}
			}
		}
	}
}

// TestMalformedContributionOpensTheKey shows what semi-honest means: a contributor that sends
// no encryption but the mask Δ has the sum show coefficients of the key, so that who has the
// other bodies can read them all. It is caught when its contribution is opened.
func TestMalformedContributionOpensTheKey(t *testing.T) {
	m := newMembers(t, Group{points(2), 2}, 33)
	p := m.params
	honest := filled(100)
	s := m.sum(t, honest)
	forged := p.ring.NewPoly()
	for limb := range limbs {
		forged.Coeffs[limb][0] = residue(new(big.Int).Lsh(big.NewInt(1), scaleBits), modulus(limb))
	}
	sent := pack(nil, forged)
	if err := s.Add(Vector{Masks: [][]byte{sent}, Bodies: [][]byte{pack(nil, p.ring.NewPoly())}}); err != nil {
		t.Fatal(err)
	}
	got, err := m.open(t, s, CountersPerBlock, m.group.Points)
	if err != nil {
		t.Fatal(err)
	}
	key := make([]int, Degree)
	small := make([]int8, Degree)
	for _, x := range m.group.Points {
		m.secret(x, small)
		for i, v := range small {
			key[i] += int(v)
		}
	}
	for i := range Degree {
		if int(got[i]-honest[i]) != key[i] {
			t.Fatalf("coefficient %d of the key does not show", i)
		}
	}
	opened, err := m.key.Encrypt(seed(1), filled(0))
	if err != nil {
		t.Fatal(err)
	}
	if equalResidues(t, p, opened.Masks[0], sent) > 0 {
		t.Error("an opening gives what was forged")
	}
}

// TestNoise measures what a sum is off by, before flooding: within the bounds of Parameters.
func TestNoise(t *testing.T) {
	const contributors = 16
	m := newMembers(t, Group{points(8), 5}, 34)
	p := m.params
	var all [][]int32
	for range contributors {
		all = append(all, filled(7))
	}
	s := m.sum(t, all...)
	key, x := p.ring.NewPoly(), p.ring.NewPoly()
	small, part := make([]int8, Degree), p.ring.NewPoly()
	for _, point := range m.group.Points {
		m.secret(point, small)
		lift(small, part)
		p.ring.Add(key, part, key)
	}
	p.ring.NTT(key, key)
	p.ring.NTT(s.masks.blocks[0], x)
	p.ring.MulCoeffsBarrett(x, key, x)
	p.ring.INTT(x, x)
	p.ring.Add(x, s.bodies[0], x)
	w := newEncryption(m.key)
	w.addPlain(filled(7 * contributors))
	p.ring.Sub(x, w.c, x)
	q := p.ring.Modulus()
	half := new(big.Int).Rsh(q, 1)
	var square float64
	for _, v := range coefficients(p, x) {
		if v.Cmp(half) > 0 {
			v.Sub(v, q)
		}
		f, _ := new(big.Float).SetInt(v).Float64()
		square += f * f
	}
	// u·e and e₁·s: variances of 2/3 and 12 for each of the contributors' and dealers' values.
	want := math.Sqrt(2 * contributors * 8 * Degree * 12 * 2.0 / 3)
	if got := math.Sqrt(square / Degree); got < want*0.9 || got > want*1.1 {
		t.Errorf("the noise deviates by %.0f, not %.0f", got, want)
	}
}

// TestFlooding draws flooding and tests all 80 bits of what it is plus 2⁷⁹.
func TestFlooding(t *testing.T) {
	p := parameters(t)
	var ones [floodBits]int
	const rounds = 4
	for n := range rounds {
		x := p.ring.NewPoly()
		p.flood(sample.New(floodLabel, seed(uint64(n)), 0), x)
		half := new(big.Int).Lsh(big.NewInt(1), floodBits-1)
		for _, v := range coefficients(p, x) {
			v.Add(v, half).Mod(v, p.ring.Modulus())
			if v.BitLen() > floodBits {
				t.Fatalf("a value of %d bits", v.BitLen())
			}
			for i := range ones {
				ones[i] += int(v.Bit(i))
			}
		}
	}
	const draws = rounds * Degree
	for i, n := range ones {
		if math.Abs(float64(n)-draws/2) > 5*math.Sqrt(draws)/2 {
			t.Errorf("bit %d is set in %d of %d", i, n, draws)
		}
	}
}
