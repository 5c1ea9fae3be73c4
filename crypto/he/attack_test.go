package he

import (
	"bytes"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/tuneinsight/lattigo/v5/ring"

	"entente/crypto/he/sample"
)

// An asker who knows its own errors looks at what is left of a reply beside the message. Here
// it even sees the reply before the switch of the modulus, which only takes away from it.

const attacked = 512 // coordinates

// unhidden is how an answerer would reply that forgets some of what hides its sums.
func unhidden(a *Answerer, sums [2]ring.Poly, zero, flood bool, n uint64) {
	var seed [SeedSize]byte
	_, _ = source(n).Read(seed[:])
	if zero {
		a.addZero(sums, seed)
	}
	if flood {
		a.flood(sums[0], Degree, seed)
		return
	}
	r := rand.New(source(n + 1))
	for i := range Degree { // the mask alone
		mask := uint64(r.Uint32N(1 << ShareBits))
		for limb := range limbs {
			k := &a.params.limb[limb]
			sums[0].Coeffs[limb][i] = k.reduce(sums[0].Coeffs[limb][i] + mask*k.delta)
		}
	}
}

// rests are what the asker finds beside the masked message: its coefficients' distances from
// the nearest multiple of Δ.
func rests(q *Query, c [2]ring.Poly) []*big.Int {
	r := q.params.ring
	phase := r.NewPoly()
	r.NTT(c[1], phase)
	r.MulCoeffsBarrett(phase, q.key, phase)
	r.INTT(phase, phase)
	r.Add(phase, c[0], phase)
	out := make([]*big.Int, Degree)
	for i := range out {
		out[i] = new(big.Int)
	}
	r.PolyToBigint(phase, 1, out)
	delta := new(big.Int).Rsh(r.Modulus(), ShareBits)
	half := new(big.Int).Rsh(delta, 1)
	for _, x := range out {
		x.Add(x, half).Mod(x, delta).Sub(x, half)
	}
	return out
}

// errorsOf are the errors in a query's ciphertexts, which its seed gives.
func errorsOf(q *Query) [][]int8 {
	out := make([][]int8, attacked)
	for i := range out {
		out[i] = make([]int8, Degree)
		sample.New(errorLabel, q.seeds.secret, uint32(i)).Binomial(out[i])
	}
	return out
}

// attackedReply gives the sums of one template with a well-formed query of zeros, as often
// as they are wanted.
func attackedReply(t *testing.T, p *Parameters) (*Query, *Answerer, []int8, func() [2]ring.Poly) {
	t.Helper()
	l := Layout{Dimension: attacked, Slots: Degree, Split: 1}
	q := query(t, p, l, nil, 77)
	a := asked(t, p, l, q)
	template := drawn(rand.New(source(78)), 1, attacked)
	g, err := p.Gallery(l, template)
	if err != nil {
		t.Fatal(err)
	}
	sums := newSums(p.ring)
	err = a.query.sum(g, func(c [2]ring.Poly) error {
		for i := range c {
			sums[i].CopyLvl(limbs-1, c[i])
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return q, a, template[0], func() [2]ring.Poly { return [2]ring.Poly{*sums[0].CopyNew(), *sums[1].CopyNew()} }
}

// solve finds x with Σ_i x_i·e_i[c] = rest[c] for the first coefficients, modulo a prime, or
// fails if the equations are dependent.
func solve(e [][]int8, rest []*big.Int) ([]int64, bool) {
	const p = 2147483647
	mod := func(x int64) int64 { return ((x % p) + p) % p }
	power := func(b int64) int64 { // b^(p−2)
		out, n := int64(1), int64(p-2)
		for ; n > 0; n >>= 1 {
			if n&1 == 1 {
				out = out * b % p
			}
			b = b * b % p
		}
		return out
	}
	m := make([][]int64, attacked)
	for c := range m {
		m[c] = make([]int64, attacked+1)
		for i := range attacked {
			m[c][i] = mod(int64(e[i][c]))
		}
		m[c][attacked] = new(big.Int).Mod(rest[c], big.NewInt(p)).Int64()
	}
	for i := range attacked {
		pivot := i
		for pivot < attacked && m[pivot][i] == 0 {
			pivot++
		}
		if pivot == attacked {
			return nil, false
		}
		m[i], m[pivot] = m[pivot], m[i]
		inverse := power(m[i][i])
		for j := i; j <= attacked; j++ {
			m[i][j] = m[i][j] * inverse % p
		}
		for c := range m {
			if f := m[c][i]; c != i && f != 0 {
				for j := i; j <= attacked; j++ {
					m[c][j] = (m[c][j] + (p-f)*m[i][j]) % p
				}
			}
		}
	}
	out := make([]int64, attacked)
	for i := range out {
		if out[i] = m[i][attacked]; out[i] > p/2 {
			out[i] -= p
		}
	}
	return out, true
}

func right(template []int8, found []int64) (n int) {
	for i, x := range found {
		if x == int64(template[i]) {
			n++
		}
	}
	return n
}

// TestFloodingHidesTemplates recovers a whole template from one masked reply that is not
// flooded, by linear algebra, and nothing from one that is.
func TestFloodingHidesTemplates(t *testing.T) {
	p := parameters(t)
	q, a, template, fresh := attackedReply(t, p)
	sums := fresh()
	unhidden(a, sums, false, false, 5)
	found, ok := solve(errorsOf(q), rests(q, sums))
	if !ok || right(template, found) != attacked {
		t.Errorf("without flooding %d of %d coordinates come out", right(template, found), attacked)
	}

	sums = fresh()
	unhidden(a, sums, true, true, 5)
	found, ok = solve(errorsOf(q), rests(q, sums))
	if n := right(template, found); ok && n > 40 { // a coordinate is 0 for one in 14, by chance
		t.Errorf("with flooding %d of %d coordinates come out", n, attacked)
	}
}

// TestEncryptionOfZeroDoesNotHideTemplates: without flooding the template stands out as the
// correlation of what is left with the errors, though noise was added to it; with flooding not.
func TestEncryptionOfZeroDoesNotHideTemplates(t *testing.T) {
	p := parameters(t)
	q, a, template, fresh := attackedReply(t, p)
	for _, flood := range []bool{false, true} {
		sums := fresh()
		unhidden(a, sums, true, flood, 6)
		e, rest := errorsOf(q), rests(q, sums)
		var xy, xx, yy float64
		for i, g := range template {
			x := 0.0
			for c, r := range rest {
				f, _ := new(big.Float).SetInt(r).Float64()
				x += float64(e[i][c]) * f
			}
			xy, xx, yy = xy+x*float64(g), xx+x*x, yy+float64(g)*float64(g)
		}
		correlation := xy / math.Sqrt(xx*yy)
		if !flood && correlation < 0.8 {
			t.Errorf("without flooding the correlation is %.2f: the test is blind", correlation)
		}
		if flood && math.Abs(correlation) > 0.25 { // 5.6 standard deviations for 512 coordinates
			t.Errorf("with flooding the correlation is %.2f", correlation)
		}
	}
}

// TestMalformedQueryOpensTemplates is the attack that flooding does not stop: errors far
// larger than a seed gives shift the flooding so far that its mean shows a coordinate. Opened
// seeds convict the asker.
func TestMalformedQueryOpensTemplates(t *testing.T) {
	p := parameters(t)
	l := Layout{Dimension: 4, Slots: Degree, Split: 1}
	q := query(t, p, l, nil, 31)
	a, err := p.NewAnswerer(l, q.seeds.Public, q.PublicKey())
	if err != nil {
		t.Fatal(err)
	}
	sent := make([][]byte, l.Ciphertexts())
	for i := range sent {
		if sent[i], err = q.Ciphertext(i); err != nil {
			t.Fatal(err)
		}
		if i == 2 { // 2⁸⁴ on every coefficient
			c := p.ring.NewPoly()
			if err := unpackPoly(sent[i], c.Coeffs); err != nil {
				t.Fatal(err)
			}
			large := new(big.Int).Lsh(big.NewInt(1), 84)
			for limb := range limbs {
				k := &p.limb[limb]
				add := new(big.Int).Mod(large, new(big.Int).SetUint64(k.q)).Uint64()
				for j := range Degree {
					c.Coeffs[limb][j] = k.reduce(c.Coeffs[limb][j] + add)
				}
			}
			sent[i] = packPoly(c.Coeffs)
		}
		if err := a.Take(sent[i]); err != nil {
			t.Fatal(err)
		}
	}
	template := []int8{90, -20, 17, 3}
	g, err := p.Gallery(l, [][]int8{template})
	if err != nil {
		t.Fatal(err)
	}
	replies, err := a.Replies(t.Context(), g, source(4))
	if err != nil {
		t.Fatal(err)
	}
	// The asker's mean over all coefficients of the rest after the switch, as an angle.
	o := q.Opener()
	if _, err := o.Open(replies[0].Ciphertext); err != nil {
		t.Fatal(err)
	}
	var sin, cos float64
	for i := range Degree {
		phase := o.params.limb[0].reduce(o.b[i] + o.a[i])
		angle := 2 * math.Pi * math.Mod(float64(phase)*(1<<ShareBits)/q0, 1)
		sin, cos = sin+math.Sin(angle), cos+math.Cos(angle)
	}
	delta, _ := new(big.Float).SetInt(new(big.Int).Rsh(p.ring.Modulus(), ShareBits)).Float64()
	shift := math.Atan2(sin, cos) / (2 * math.Pi) * delta
	if got := math.Round(shift / math.Exp2(84)); got != float64(template[2]) {
		t.Errorf("the attack finds %v: SPEC says that it works", got)
	}
	for i := range sent { // whoever has the opened seeds and probes computes all of them
		right, err := query(t, p, l, nil, 31).Ciphertext(i)
		if err != nil || bytes.Equal(right, sent[i]) != (i != 2) {
			t.Errorf("opened seeds give ciphertext %d otherwise than it should be: %v", i, err)
		}
	}
}

// TestNoiseIsBounded measures what the comment of Parameters bounds.
func TestNoiseIsBounded(t *testing.T) {
	p := parameters(t)
	for _, l := range []Layout{{Dimension: 512, Slots: Degree, Split: 1}, {Dimension: 512, Slots: 1, Split: 1}, {Dimension: 64, Slots: 64, Split: 1}} {
		q := query(t, p, l, nil, 3)
		a := asked(t, p, l, q)
		g, err := p.Gallery(l, drawn(rand.New(source(1)), l.Step(), l.Dimension))
		if err != nil {
			t.Fatal(err)
		}
		most := new(big.Int)
		err = a.query.sum(g, func(c [2]ring.Poly) error {
			a.addZero(c, [SeedSize]byte{1})
			for _, x := range rests(q, c) {
				if x.CmpAbs(most) > 0 {
					most.Abs(x)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if most.BitLen() > 19 || most.BitLen() < 8 {
			t.Errorf("%+v: noise up to %v", l, most)
		}
	}
}

// TestFloodingIsUniform sorts what replies hold beside the message into sixteen classes, which
// a chi-square test compares, and looks at both ends.
func TestFloodingIsUniform(t *testing.T) {
	p := parameters(t)
	l := Layout{Dimension: 1, Slots: Degree, Split: 1}
	q := query(t, p, l, nil, 3)
	a := asked(t, p, l, q)
	var classes [16]int
	var masks [16]int
	for n := range uint64(8) {
		sums := newSums(p.ring)
		var seed [SeedSize]byte
		_, _ = source(n).Read(seed[:])
		for _, s := range a.flood(sums[0], Degree, seed) {
			masks[s>>12]++
		}
		for _, x := range rests(q, sums) {
			x.Add(x, new(big.Int).Lsh(big.NewInt(1), floodBits-1))
			if x.Sign() < 0 || x.BitLen() > floodBits {
				t.Fatalf("flooding of %v is out of its range", x)
			}
			classes[x.Rsh(x, floodBits-4).Int64()]++
		}
	}
	for name, all := range map[string][16]int{"flooding": classes, "masks": masks} {
		chi := 0.0
		for _, n := range all {
			d := float64(n) - 8*Degree/16
			chi += d * d / (8 * Degree / 16)
		}
		if chi > 50 { // of 15 degrees of freedom: below 1 in 10⁵
			t.Errorf("%s: chi-square %.1f: %v", name, chi, all)
		}
	}
}

// TestOutcomesAreAnOracle is what an answerer can do that sees an outcome for each pair: two
// replies of its own making show the whole key. Opened replies convict it: see protocol/similar.
func TestOutcomesAreAnOracle(t *testing.T) {
	p := parameters(t)
	l := Layout{Dimension: 1, Slots: Degree, Split: 1}
	q := query(t, p, l, nil, 5)
	key := make([]int8, Degree)
	sample.New(secretLabel, q.seeds.secret, 0).Ternary(key)
	outcomes := func(a uint64) []bool { // whether share + 0 reaches 1
		b := pack(nil, 0, make([]uint64, Degree))
		constant := make([]uint64, Degree)
		constant[0] = a
		shares, err := q.Opener().Open(pack(b, 0, constant))
		if err != nil {
			t.Fatal(err)
		}
		out := make([]bool, Degree)
		for i, s := range shares {
			out[i] = int16(s) >= 1
		}
		return out
	}
	plus, minus := outcomes(q0/4), outcomes(q0-q0/4)
	for i, s := range key {
		if plus[i] != (s == 1) || minus[i] != (s == -1) {
			t.Fatalf("coefficient %d of the key does not show: SPEC says that it does", i)
		}
	}
}
