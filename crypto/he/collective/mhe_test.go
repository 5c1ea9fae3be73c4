package collective

import (
	"math"
	"math/big"
	"testing"

	"github.com/tuneinsight/lattigo/v5/core/rlwe"
	"github.com/tuneinsight/lattigo/v5/mhe"
	"github.com/tuneinsight/lattigo/v5/ring"
	"github.com/tuneinsight/lattigo/v5/ring/ringqp"
	"github.com/tuneinsight/lattigo/v5/utils/sampling"
)

// library are the same parameters for Lattigo's packages.
func library(t *testing.T) rlwe.Parameters {
	t.Helper()
	l, err := rlwe.NewParametersFromLiteral(rlwe.ParametersLiteral{LogN: 13, Q: []uint64{q0, q1, q2}, NTTFlag: true})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// form is a polynomial as Lattigo keeps keys: transformed, in Montgomery's form.
func form(p *Parameters, x ring.Poly) ringqp.Poly {
	out := p.ring.NewPoly()
	p.ring.NTT(x, out)
	p.ring.MForm(out, out)
	return ringqp.Poly{Q: out}
}

// TestAgainstLibrary has Lattigo do everything but the drawing: it adds up the same key, turns
// the same shares into additive ones, and decrypts a sum with the whole key and by its protocol
// for several parties. What it finds must be what we find.
func TestAgainstLibrary(t *testing.T) {
	g := Group{[]uint8{2, 3, 5, 7, 11}, 3}
	active := []uint8{3, 5, 11}
	m := newMembers(t, g, 40)
	p, l := m.params, library(t)

	// The secret key from the dealers' secrets, and from the active holders' shares.
	whole := rlwe.NewSecretKey(l)
	secret, part, small := p.ring.NewPoly(), p.ring.NewPoly(), make([]int8, Degree)
	for _, x := range g.Points {
		m.secret(x, small)
		lift(small, part)
		p.ring.Add(secret, part, secret)
	}
	whole.Value = form(p, secret)
	public := make([]mhe.ShamirPublicPoint, 0, len(active))
	for _, x := range active {
		public = append(public, mhe.ShamirPublicPoint(x))
	}
	additive := map[uint8]*rlwe.SecretKey{}
	sum := rlwe.NewSecretKey(l)
	for i, x := range active {
		c := mhe.NewCombiner(l, public[i], public, g.Threshold)
		own := mhe.ShamirSecretShare{Poly: form(p, m.holders[x].share)}
		additive[x] = rlwe.NewSecretKey(l)
		if err := c.GenAdditiveShare(public, public[i], own, additive[x]); err != nil {
			t.Fatal(err)
		}
		p.ring.Add(sum.Value.Q, additive[x].Value.Q, sum.Value.Q)
	}
	if !sum.Value.Q.Equal(&whole.Value.Q) {
		t.Fatal("its Combiner makes another key of our shares")
	}

	// The public key: b + a·s is small.
	pk := rlwe.NewPublicKey(l)
	protocol := mhe.NewPublicKeyGenProtocol(l)
	shares := protocol.AllocateShare()
	for _, d := range m.dealings {
		protocol.AggregateShares(shares, mhe.PublicKeyGenShare{Value: form(p, unpacked(t, p, d.Public()))}, &shares)
	}
	a := p.ring.NewPoly()
	p.ring.MForm(m.key.a, a)
	protocol.GenPublicKey(shares, mhe.PublicKeyGenCRP{Value: ringqp.Poly{Q: a}}, pk)
	ours := p.ring.NewPoly()
	p.ring.MForm(m.key.b, ours)
	if !pk.Value[0].Q.Equal(&ours) {
		t.Fatal("its key is another")
	}

	// Decryption with the whole key, and by the parties' shares.
	values := []int32{12, -345, 67_890, MaxValue}
	s := m.sum(t, values, values)
	phases := map[string]ring.Poly{}
	ct := rlwe.NewCiphertext(l, 1, l.MaxLevel())
	p.ring.NTT(s.bodies[0], ct.Value[0])
	p.ring.NTT(s.masks.blocks[0], ct.Value[1])
	pt := rlwe.NewPlaintext(l, l.MaxLevel())
	rlwe.NewDecryptor(l, whole).Decrypt(ct, pt)
	phases["the whole key"] = pt.Value
	switching, err := mhe.NewKeySwitchProtocol(l, ring.DiscreteGaussian{Sigma: 1 << 20, Bound: 6 << 20})
	if err != nil {
		t.Fatal(err)
	}
	combined := switching.AllocateShare(l.MaxLevel())
	for _, x := range active {
		one := switching.AllocateShare(l.MaxLevel())
		switching.GenShare(additive[x], rlwe.NewSecretKey(l), ct, &one)
		if err := switching.AggregateShares(combined, one, &combined); err != nil {
			t.Fatal(err)
		}
	}
	opened := rlwe.NewCiphertext(l, 1, l.MaxLevel())
	switching.KeySwitch(ct, combined, opened)
	phases["its protocol"] = opened.Value[0]
	for name, phase := range phases {
		x := p.ring.NewPoly()
		p.ring.INTT(phase, x)
		for i, v := range values {
			got, ok := p.radix.decode(x.Coeffs[0][i], x.Coeffs[1][i], x.Coeffs[2][i], len(active))
			if !ok || got[0] != 2*v {
				t.Errorf("%s gives %d for counter %d: %v", name, got[0], i, ok)
			}
		}
	}
	got, err := m.open(t, s, len(values), active)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range values {
		if got[i] != 2*v {
			t.Errorf("ours gives %d for counter %d", got[i], i)
		}
	}
}

// TestLibraryShares has Lattigo's Thresholdizer deal a secret: our holders decrypt with it.
func TestLibraryShares(t *testing.T) {
	g := Group{[]uint8{1, 4, 9}, 2}
	m := newMembers(t, g, 41)
	p, l := m.params, library(t)
	secret, part, small := p.ring.NewPoly(), p.ring.NewPoly(), make([]int8, Degree)
	for _, x := range g.Points {
		m.secret(x, small)
		lift(small, part)
		p.ring.Add(secret, part, secret)
	}
	// Its shares are values of a polynomial in whatever domain the secret is in: here ours.
	dealer := mhe.NewThresholdizer(l)
	poly, err := dealer.GenShamirPolynomial(g.Threshold, &rlwe.SecretKey{Value: ringqp.Poly{Q: secret}})
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range g.Points {
		share := dealer.AllocateThresholdSecretShare()
		dealer.GenShamirSecretShare(mhe.ShamirPublicPoint(x), poly, &share)
		p.ring.Reduce(share.Q, share.Q)
		if m.holders[x], err = p.LoadHolder(g, x, m.journals[x].life, pack(nil, share.Q)); err != nil {
			t.Fatal(err)
		}
	}
	got, err := m.open(t, m.sum(t, []int32{42, -7}), 2, []uint8{4, 9})
	if err != nil || got[0] != 42 || got[1] != -7 {
		t.Errorf("%v, %v", got, err)
	}
}

// zeros is a source that gives what a source gives once in a while.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}

// TestLibrarySmudging is why its smudging is not used: at a deviation of 2⁸⁰ its sampler has
// no value for numbers whose first 53 bits are 0, and panics; ours takes them.
func TestLibrarySmudging(t *testing.T) {
	p := parameters(t)
	wide := ring.DiscreteGaussian{Sigma: 1 << floodBits, Bound: 6 * (1 << floodBits)}
	panics := func() (did bool) {
		defer func() { did = recover() != nil }()
		ring.NewGaussianSampler(zeros{}, p.ring, wide, false).Read(p.ring.NewPoly())
		return false
	}
	if !panics() {
		t.Error("it does not panic any more: say so in the package's comment")
	}
	m := newMembers(t, Group{points(2), 2}, 42)
	if b, err := m.holders[1].Share(m.sum(t, []int32{1}).Masks(), []uint8{1, 2}, m.journals[1], zeros{}); err != nil || len(b) != PolynomialSize {
		t.Errorf("%d bytes, %v", len(b), err)
	}
}

// factors are those of the ziggurat by which the library draws (Marsaglia and Tsang 2000, 128
// strips): a number of 31 bits times one of them is a draw of deviation 1.
func factors() (out [128]float64) {
	const r, v, m = 3.442619855899, 9.91256303526217e-3, 1 << 31
	x := r
	out[0] = float64(float32(v / math.Exp(-r*r/2) / m))
	for i := 127; i > 0; i-- {
		out[i] = float64(float32(x / m))
		x = math.Sqrt(-2 * math.Log(v/x+math.Exp(-x*x/2)))
	}
	return out
}

// TestLibrarySmudgingIsCoarse is the other reason. A draw is one of 31 bits times a factor times
// 2⁸⁰, to which a random number of less than 2⁻⁵³ times it is added. Between those values are
// gaps, in which a ciphertext's noise shows: whether the smudging of 2⁸⁰ has 2³⁰ added to it or
// nothing is seen in each coefficient, and in some of them 2²⁰.
func TestLibrarySmudgingIsCoarse(t *testing.T) {
	const deviation = 1 << floodBits
	p := parameters(t)
	prng, err := sampling.NewKeyedPRNG([]byte("collective"))
	if err != nil {
		t.Fatal(err)
	}
	drawn := p.ring.NewPoly()
	ring.NewGaussianSampler(prng, p.ring, ring.DiscreteGaussian{Sigma: deviation, Bound: 6 * deviation}, false).Read(drawn)
	possible := func(y *big.Int) bool { // may the sampler give this?
		approximate, _ := new(big.Float).SetInt(y).Float64()
		for _, f := range factors() {
			for j := math.Floor(approximate/(f*deviation)) - 1; j < 1<<31; j++ {
				least, _ := new(big.Float).SetFloat64(j*f*deviation + 0.5).Int(nil)
				more := new(big.Int).Sub(y, least)
				if more.Sign() < 0 {
					break
				}
				if more.Cmp(new(big.Int).Rsh(least, 53)) <= 0 {
					return true
				}
			}
		}
		return false
	}
	const tried = 300
	q := p.ring.Modulus()
	seen := map[int64]int{}
	for _, y := range coefficients(p, drawn)[:tried] {
		if y.Cmp(new(big.Int).Rsh(q, 1)) > 0 {
			y.Sub(q, y)
		}
		for _, shift := range []int64{0, 1 << 20, 1 << 30} {
			if !possible(new(big.Int).Add(y, big.NewInt(shift))) {
				seen[shift]++
			}
		}
	}
	if seen[0] > 0 || seen[1<<20] < tried/100 || seen[1<<30] < tried*99/100 {
		t.Errorf("it is not what it is said to be any more: shifts are seen in %v of %d", seen, tried)
	}
}

// TestLift compares the mixed radices with big numbers, at the edges and in between.
func TestLift(t *testing.T) {
	p := parameters(t)
	q := p.ring.Modulus()
	half := new(big.Int).Rsh(q, 1)
	one := big.NewInt(1)
	xs := []*big.Int{big.NewInt(0), one, new(big.Int).Sub(q, one), half, new(big.Int).Add(half, one), new(big.Int).Sub(half, one)}
	r := source(1)
	for range 2000 {
		x := new(big.Int)
		for range 3 {
			x.Lsh(x, 64).Add(x, new(big.Int).SetUint64(r.Uint64()))
		}
		xs = append(xs, x.Mod(x, q))
	}
	for _, x := range xs {
		got := p.radix.lift(residue(x, q0), residue(x, q1), residue(x, q2))
		want := new(big.Int).Set(x)
		if want.Cmp(half) > 0 {
			want.Sub(want, q)
		}
		want.Add(want, new(big.Int).Lsh(one, scaleBits-1)).Mod(want, new(big.Int).Lsh(one, 192))
		for i, w := range got {
			if new(big.Int).Rsh(want, uint(64*i)).Uint64() != w {
				t.Fatalf("%v: word %d is %x", x, i, w)
			}
		}
	}
}

// TestDecode has counters and noise at their edges, and just beyond.
func TestDecode(t *testing.T) {
	p := parameters(t)
	const most = 1<<(counterBits-1) - 1
	shift := func(x int64, n uint) *big.Int { return new(big.Int).Lsh(big.NewInt(x), n) }
	try := func(noise *big.Int, shares int, v ...int64) ([digits]int32, bool) {
		x := new(big.Int).Set(noise)
		for k, d := range v {
			x.Add(x, shift(d, uint(scaleBits+counterBits*k)))
		}
		return p.radix.decode(residue(x, q0), residue(x, q1), residue(x, q2), shares)
	}
	for _, shares := range []int{2, 23, MaxHolders} {
		limit := shift(int64(shares), floodBits-1)
		limit.Add(limit, shift(1, noiseBits))
		for _, v := range [][]int64{{0, 0, 0}, {1, -1, 1}, {-1, -1, -1}, {most, most, most}, {-most - 1, -most - 1, -most - 1}, {most, -most - 1, most}, {-5, 0, 0}} {
			for _, sign := range []int64{1, -1} {
				n := new(big.Int).Mul(limit, big.NewInt(sign))
				got, ok := try(n, shares, v...)
				if !ok || int64(got[0]) != v[0] || int64(got[1]) != v[1] || int64(got[2]) != v[2] {
					t.Errorf("%d shares, %v with noise %v: %v, %v", shares, v, n, got, ok)
				}
				if _, ok := try(n.Add(n, big.NewInt(sign)), shares, v...); ok {
					t.Errorf("%d shares, %v: noise beyond the limit passes", shares, v)
				}
			}
		}
	}
	for _, v := range [][]int64{{0, 0, most + 1}, {0, 0, -most - 2}, {0, most + 1, most}} {
		if _, ok := try(big.NewInt(0), 2, v...); ok {
			t.Errorf("%v passes", v)
		}
	}
}
