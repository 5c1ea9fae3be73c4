package collective

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math"
	"math/big"
	"strconv"
	"strings"
	"testing"

	"github.com/tuneinsight/lattigo/v5/ring"

	"entente/crypto/he/sample"
	"entente/crypto/transcript"
	"entente/protocol/vectors"
)

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// index is a 4-byte number, big endian.
func index(i int) []byte { return binary.BigEndian.AppendUint32(nil, uint32(i)) }

func unsigned(v []int8) []byte {
	out := make([]byte, len(v))
	for i, x := range v {
		out[i] = byte(x)
	}
	return out
}

func digest(b []byte) []byte {
	d := sha256.Sum256(b)
	return d[:]
}

func number(t *testing.T, s string) int {
	t.Helper()
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestVectors recomputes every vector from its input.
func TestVectors(t *testing.T) {
	all, err := vectors.Load("collective")
	if err != nil {
		t.Fatal(err)
	}
	computed := map[string]map[string][]byte{} // by the group
	valid := 0
	for _, v := range all {
		want, err := v.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		if !v.Valid {
			if v.Fault != "malformed" || unpackLimb(append(want, make([]byte, 64)...), number(t, v.Input["limb"]), make([]uint64, 8)) == nil {
				t.Errorf("%s passes", v.Name)
			}
			continue
		}
		valid++
		group := v.Input["points"] + "/" + v.Input["threshold"]
		if computed[group] == nil {
			computed[group] = compute(t, v.Input)
		}
		name := v.Name[strings.Index(v.Name, "/")+1:]
		if got, ok := computed[group][name]; !ok || !bytes.Equal(got, want) {
			t.Errorf("%s: got %x, want %x", v.Name, got, want)
		}
	}
	if valid < 16 || valid == len(all) {
		t.Errorf("%d valid vectors of %d", valid, len(all))
	}
}

// compute deals a key, encrypts two contributions, adds and decrypts them, and returns all
// that vectors name.
func compute(t *testing.T, in map[string]string) map[string][]byte {
	t.Helper()
	p := parameters(t)
	out := map[string][]byte{}
	g := Group{Points: unhex(t, in["points"]), Threshold: number(t, in["threshold"])}
	active := unhex(t, in["active"])
	seeds := func(name string) (all [][SeedSize]byte) {
		for s := range strings.SplitSeq(in[name], ",") {
			all = append(all, [SeedSize]byte(unhex(t, s)))
		}
		return all
	}
	r := p.NewReference(seeds("reference")[0])
	a := p.ring.NewPoly()
	p.ring.INTT(r.a, a)
	out["reference/first"] = pack(nil, a)[:32]
	small := make([]int8, Degree)
	dealers := seeds("dealers")
	own := r.own(dealers[0])
	sample.New(secretLabel, own, 0).Ternary(small)
	out["dealer/secret"] = unsigned(small[:32])
	sample.New(keyErrorLabel, own, 0).Binomial(small)
	out["dealer/error"] = unsigned(small[:32])
	m := &members{params: p, group: g, holders: map[uint8]Holder{}, journals: map[uint8]*memory{}}
	sum := r.NewKeySum()
	for _, s := range dealers {
		d, err := r.Deal(g, s)
		if err != nil {
			t.Fatal(err)
		}
		m.dealings = append(m.dealings, d)
		if err := sum.Add(d.Public()); err != nil {
			t.Fatal(err)
		}
	}
	first, last := g.Points[0], g.Points[len(g.Points)-1]
	out["dealer/public/sha-256"] = digest(m.dealings[0].Public())
	out["dealer/seed"] = m.dealings[0].Share(first)
	out["dealer/share/first"] = m.dealings[0].Share(last)[:32]
	out["dealer/share/sha-256"] = digest(m.dealings[0].Share(last))
	m.key = sum.Key()
	key := m.key.Digest()
	out["key"] = key[:]
	for _, x := range g.Points {
		m.journals[x] = newMemory()
		h, err := p.NewHolder(g, x, Life{1})
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range m.dealings {
			if err := h.Add(d.Share(x)); err != nil {
				t.Fatal(err)
			}
		}
		m.holders[x] = h
		out["holder/sha-256/"+strconv.Itoa(int(x))] = digest(h.Secret())
	}
	m.computeSum(t, in, out, seeds("contributors"), active)
	return out
}

// computeSum is compute's second half.
func (m *members) computeSum(t *testing.T, in map[string]string, out map[string][]byte, contributors [][SeedSize]byte, active []uint8) {
	t.Helper()
	var s *Sum
	counters := 0
	for i, list := range strings.Split(in["values"], ",") {
		var values []int32
		for v := range strings.FieldsSeq(list) {
			values = append(values, int32(number(t, v)))
		}
		counters = len(values)
		c, err := m.key.Encrypt(contributors[i], values)
		if err != nil {
			t.Fatal(err)
		}
		if s == nil {
			out["mask/first"], out["mask/sha-256"] = c.Masks[0][:32], digest(c.Masks[0])
			out["body/first"], out["body/sha-256"] = c.Bodies[0][:32], digest(c.Bodies[0])
			if s, err = m.key.NewSum(counters); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Add(c); err != nil {
			t.Fatal(err)
		}
	}
	d := s.Masks().Digest()
	out["sum"] = d[:]
	c, err := s.NewCombiner(m.group, active)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range active {
		random := bytes.NewReader(append(make([]byte, 16), unhex(t, in["fresh"])...)) // attempt, then the seed
		b, err := m.holders[x].Share(s.Masks(), active, m.journals[x], random)
		if err != nil {
			t.Fatal(err)
		}
		out["share/sha-256/"+strconv.Itoa(int(x))] = digest(b)
		if err := c.Add(x, b); err != nil {
			t.Fatal(err)
		}
	}
	values, err := c.Values(counters)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range values {
		out["values"] = append(out["values"], index(int(v))...)
	}
}

// TestAgainstSchoolbook computes a ciphertext's coefficients without transforms, packed digits
// or Montgomery's form: b·u + e₀ + Δ·M and a·u + e₁.
func TestAgainstSchoolbook(t *testing.T) {
	m := newMembers(t, Group{points(2), 2}, 60)
	p := m.params
	values := make([]int32, 2*Degree+3)
	values[0], values[1], values[Degree], values[2*Degree+1] = 5, -6, 7, -MaxValue
	c, err := m.key.Encrypt(seed(61), values)
	if err != nil {
		t.Fatal(err)
	}
	var encoded []byte
	for _, v := range values {
		encoded = append(encoded, index(int(v))...)
	}
	d := m.key.Digest()
	first := seed(61)
	own := transcript.Digest(encryptionLabel, first[:], d[:], encoded)
	u := make([]int8, Degree)
	e := [2][]int8{make([]int8, Degree), make([]int8, Degree)}
	sample.New(maskLabel, own, 0).Ternary(u)
	errors := sample.New(errorLabel, own, 0)
	errors.Binomial(e[0])
	errors.Binomial(e[1])
	plain := map[int][digits]int64{0: {5, 7, 0}, 1: {-6, 0, -MaxValue}}
	for half := range 2 {
		factor := p.ring.NewPoly()
		p.ring.INTT([]ring.Poly{m.key.b, m.key.a}[half], factor)
		f := coefficients(p, factor)
		got := coefficients(p, unpacked(t, p, [][]byte{c.Bodies[0], c.Masks[0]}[half]))
		for _, n := range []int{0, 1, 2, Degree - 1} {
			want := big.NewInt(int64(e[half][n]))
			for k, v := range u {
				term := big.NewInt(int64(v))
				if n >= k {
					want.Add(want, term.Mul(term, f[n-k]))
				} else {
					want.Sub(want, term.Mul(term, f[Degree+n-k]))
				}
			}
			if half == 0 {
				for k, v := range plain[n] {
					x := big.NewInt(v)
					want.Add(want, x.Lsh(x, uint(scaleBits+counterBits*k)))
				}
			}
			if want.Mod(want, p.ring.Modulus()).Cmp(got[n]) != 0 {
				t.Fatalf("coefficient %d of polynomial %d differs", n, half)
			}
		}
	}
}

// TestSamplers compares means and variances of what is drawn with what they should be.
func TestSamplers(t *testing.T) {
	small := make([]int8, 1<<18)
	for name, c := range map[string]struct {
		draw     func()
		variance float64
		most     int8
	}{
		"ternary":  {func() { sample.New(secretLabel, seed(1), 0).Ternary(small) }, 2.0 / 3, 1},
		"binomial": {func() { sample.New(errorLabel, seed(1), 0).Binomial(small) }, 12, 24},
	} {
		c.draw()
		var sum, square float64
		for _, v := range small {
			sum, square = sum+float64(v), square+float64(v)*float64(v)
			if v > c.most || v < -c.most {
				t.Fatalf("%s: %d", name, v)
			}
		}
		n := float64(len(small))
		if math.Abs(sum/n) > 5*math.Sqrt(c.variance/n) || math.Abs(square/n/c.variance-1) > 0.02 {
			t.Errorf("%s: mean %.4f, variance %.4f", name, sum/n, square/n)
		}
	}
}
