package collective

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/big"
	mathrand "math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"entente/crypto/he/sample"
)

// shared are the parameters of all tests: their tables take a while.
var shared = sync.OnceValues(New)

func parameters(t testing.TB) *Parameters {
	t.Helper()
	p, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// source is a reproducible source for what a test invents.
func source(n uint64) *mathrand.Rand { return mathrand.New(mathrand.NewPCG(n, 1)) }

func seed(n uint64) (s [SeedSize]byte) {
	binary.BigEndian.PutUint64(s[:], n)
	return s
}

// memory is a journal as a store would keep it.
type memory struct {
	life    Life
	entries map[[32]byte]Entry
	err     error // of Record, once set
}

func newMemory() *memory { return &memory{life: Life{1}, entries: map[[32]byte]Entry{}} }

func (m *memory) Life() (Life, error) { return m.life, nil }

func (m *memory) Record(e Entry) (Entry, error) {
	if m.err != nil {
		return Entry{}, m.err
	}
	old, ok := m.entries[e.Key]
	if !ok || old.Request == e.Request && old.Attempt == e.Attempt && old.Share == nil {
		m.entries[e.Key] = e
	}
	return m.entries[e.Key], nil
}

// members are the holders of one key, with a journal each.
type members struct {
	params   *Parameters
	number   uint64
	group    Group
	key      *Key
	dealings []Dealing
	holders  map[uint8]Holder
	journals map[uint8]*memory
}

func points(n int) (out []uint8) {
	for i := range n {
		out = append(out, uint8(i+1))
	}
	return out
}

// newMembers deals a key to a group.
func newMembers(t testing.TB, g Group, n uint64) *members {
	t.Helper()
	p := parameters(t)
	m := &members{params: p, number: n, group: g, holders: map[uint8]Holder{}, journals: map[uint8]*memory{}}
	r := p.NewReference(seed(n))
	sum := r.NewKeySum()
	for _, x := range g.Points {
		d, err := r.Deal(g, seed(n<<8+uint64(x)))
		if err != nil {
			t.Fatal(err)
		}
		m.dealings = append(m.dealings, d)
		if err := sum.Add(d.Public()); err != nil {
			t.Fatal(err)
		}
	}
	m.key = sum.Key()
	for _, x := range g.Points {
		m.journals[x] = newMemory()
		h, err := p.NewHolder(g, x, m.journals[x].life)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range m.dealings {
			if err := h.Add(d.Share(x)); err != nil {
				t.Fatal(err)
			}
		}
		m.holders[x] = h
	}
	return m
}

// secret is what the dealer at a point draws.
func (m *members) secret(x uint8, out []int8) {
	r := &Reference{seed: seed(m.number)}
	sample.New(secretLabel, r.own(seed(m.number<<8+uint64(x))), 0).Ternary(out)
}

// sum adds up contributions.
func (m *members) sum(t testing.TB, contributions ...[]int32) *Sum {
	t.Helper()
	s, err := m.key.NewSum(len(contributions[0]))
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range contributions {
		c, err := m.key.Encrypt(seed(uint64(1000+i)), v)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Add(c); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// open has a set of holders decrypt.
func (m *members) open(t testing.TB, s *Sum, counters int, active []uint8) ([]int32, error) {
	t.Helper()
	c, err := s.NewCombiner(m.group, active)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range active {
		share, err := m.holders[x].Share(s.Masks(), active, m.journals[x], rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Add(x, share); err != nil {
			t.Fatal(err)
		}
	}
	return c.Values(counters)
}

// TestSums compares decrypted sums with clear ones: at the edges of a block, of the values, of
// groups, and with points that are not 1 to n.
func TestSums(t *testing.T) {
	for _, c := range []struct {
		name     string
		group    Group
		active   []uint8
		counters int
	}{
		{"two of two, one counter", Group{points(2), 2}, []uint8{1, 2}, 1},
		{"two of three, a whole block", Group{points(3), 2}, []uint8{2, 3}, CountersPerBlock},
		{"three of four, a block and one", Group{[]uint8{3, 7, 8, MaxHolders}, 3}, []uint8{3, 8, MaxHolders}, CountersPerBlock + 1},
		{"a coefficient's second counter", Group{points(2), 2}, []uint8{1, 2}, Degree + 1},
		{"four of four", Group{points(4), 4}, points(4), 100},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newMembers(t, c.group, 1)
			r := source(2)
			want := make([]int32, c.counters)
			var all [][]int32
			for range 3 {
				v := make([]int32, c.counters)
				for i := range v {
					v[i] = int32(r.IntN(2*MaxValue+1)) - MaxValue
					want[i] += v[i]
				}
				all = append(all, v)
			}
			again, err := m.params.NewReference(seed(1)).LoadKey(m.key.Bytes())
			if err != nil || again.Digest() != m.key.Digest() {
				t.Fatalf("a loaded key is another: %v", err)
			}
			m.key = again
			got, err := m.open(t, m.sum(t, all...), c.counters, c.active)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got, want) {
				t.Error("the sums differ from those in the clear")
			}
		})
	}
}

// TestExtremeSums adds the largest values of as many contributors as there may be, in all
// signs, and one more.
func TestExtremeSums(t *testing.T) {
	m := newMembers(t, Group{points(2), 2}, 3)
	v := []int32{MaxValue, -MaxValue, 0, 1, -1}
	row := make([]int32, 2*Degree+len(v))
	for i := range v { // all three digits of the first coefficients, in different signs
		row[i], row[Degree+i], row[2*Degree+i] = v[i], v[(i+1)%len(v)], v[(i+2)%len(v)]
	}
	s := m.sum(t, row)
	c, err := m.key.Encrypt(seed(5), row)
	if err != nil {
		t.Fatal(err)
	}
	for s.Added() < MaxContributors {
		if err := s.Add(c); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Add(c); !errors.Is(err, ErrFull) {
		t.Errorf("a vector too many: %v", err)
	}
	got, err := m.open(t, s, len(row), m.group.Points)
	if err != nil {
		t.Fatal(err)
	}
	for i := range row {
		if got[i] != MaxContributors*row[i] {
			t.Fatalf("counter %d is %d, not %d", i, got[i], MaxContributors*row[i])
		}
	}
}

// TestEverySetOpens has each set of three of five holders open a sum, and nobody else.
func TestEverySetOpens(t *testing.T) {
	g := Group{points(5), 3}
	want := []int32{5, -3, 100_000}
	for a := 1; a <= 5; a++ {
		for b := a + 1; b <= 5; b++ {
			for c := b + 1; c <= 5; c++ {
				m := newMembers(t, g, uint64(100*a+10*b+c))
				got, err := m.open(t, m.sum(t, want), len(want), []uint8{uint8(a), uint8(b), uint8(c)})
				if err != nil || !slices.Equal(got, want) {
					t.Errorf("holders %d, %d, %d: %v, %v", a, b, c, got, err)
				}
			}
		}
	}
}

// TestWrongParts has a share of another sum, another key or another set among the shares.
func TestWrongParts(t *testing.T) {
	g := Group{points(3), 2}
	active := []uint8{1, 3}
	right, other := newMembers(t, g, 10), newMembers(t, g, 11)
	s := right.sum(t, []int32{7, 8})
	share := func(m *members, s *Sum, x uint8, active ...uint8) []byte {
		b, err := m.holders[x].Share(s.Masks(), active, m.journals[x], rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	wrong := map[string][]byte{
		"another key": share(other, other.sum(t, []int32{7, 8}), 3, active...),
		"another set": share(newMembers(t, g, 10), s, 3, 2, 3),
		"another sum": share(newMembers(t, g, 10), right.sum(t, []int32{8, 8}), 3, active...),
		"nothing":     make([]byte, PolynomialSize),
	}
	good := share(right, s, 1, active...)
	for name, b := range wrong {
		c, err := s.NewCombiner(g, active)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(c.Add(1, good), c.Add(3, b)); err != nil {
			t.Fatal(err)
		}
		if v, err := c.Values(2); !errors.Is(err, ErrInconsistent) {
			t.Errorf("%s: %v, %v", name, v, err)
		}
	}
	c, err := s.NewCombiner(g, active)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Values(2); !errors.Is(err, ErrOrder) {
		t.Errorf("without shares: %v", err)
	}
	if err := errors.Join(c.Add(1, good), c.Add(3, share(right, s, 3, active...))); err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"a share twice": c.Add(1, good), "an idle holder's": c.Add(2, good), "a stranger's": c.Add(9, good),
	} {
		if !errors.Is(err, ErrOrder) && !errors.Is(err, ErrGroup) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got, err := c.Values(2); err != nil || !slices.Equal(got, []int32{7, 8}) {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := c.Values(1); !errors.Is(err, ErrInconsistent) {
		t.Errorf("an unused counter of 8 passes: %v", err)
	}
	if _, err := c.Values(CountersPerBlock + 1); !errors.Is(err, ErrRange) {
		t.Errorf("more counters than blocks: %v", err)
	}
}

func TestGroups(t *testing.T) {
	p := parameters(t)
	r := p.NewReference(seed(1))
	for name, g := range map[string]Group{
		"nobody": {nil, 0}, "one": {points(1), 1}, "threshold of one": {points(3), 1}, "more than all": {points(3), 4},
		"twice": {[]uint8{1, 1}, 2}, "descending": {[]uint8{2, 1}, 2}, "point 0": {[]uint8{0, 1}, 2}, "point 65": {[]uint8{1, MaxHolders + 1}, 2},
	} {
		_, deal := r.Deal(g, seed(1))
		_, hold := p.NewHolder(g, 1, Life{})
		_, load := p.LoadHolder(g, 1, Life{}, make([]byte, PolynomialSize))
		for _, err := range []error{g.Check(), deal, hold, load} {
			if !errors.Is(err, ErrGroup) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	g := Group{[]uint8{2, 4, 6, 8}, 3}
	for name, active := range map[string][]uint8{
		"too few": {2, 4}, "too many": {2, 4, 6, 8}, "a stranger": {2, 4, 5}, "out of order": {4, 2, 6}, "twice": {2, 2, 4}, "nobody": nil,
	} {
		if err := g.CheckActive(active); !errors.Is(err, ErrGroup) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := g.CheckActive([]uint8{2, 6, 8}); err != nil {
		t.Error(err)
	}
	if _, err := p.NewHolder(g, 3, Life{}); !errors.Is(err, ErrGroup) {
		t.Errorf("a stranger holds: %v", err)
	}
	m := newMembers(t, g, 4)
	s := m.sum(t, []int32{1})
	if _, err := m.holders[8].Share(s.Masks(), []uint8{2, 4, 6}, m.journals[8], rand.Reader); !errors.Is(err, ErrGroup) {
		t.Errorf("an idle holder shares: %v", err)
	}
	if _, err := s.NewCombiner(g, []uint8{2, 4}); !errors.Is(err, ErrGroup) {
		t.Errorf("two of three combine: %v", err)
	}
}

func TestRanges(t *testing.T) {
	m := newMembers(t, Group{points(2), 2}, 5)
	for name, v := range map[string][]int32{
		"nothing": nil, "above": {0, MaxValue + 1}, "below": {-MaxValue - 1}, "least": {math.MinInt32}, "too many": make([]int32, MaxCounters+1),
	} {
		if _, err := m.key.Encrypt(seed(1), v); !errors.Is(err, ErrRange) {
			t.Errorf("encrypt, %s: %v", name, err)
		}
	}
	for _, n := range []int{-1, 0, MaxCounters + 1} {
		if _, err := m.key.NewMaskSum(n); !errors.Is(err, ErrRange) {
			t.Errorf("masks of %d counters: %v", n, err)
		}
		if _, err := m.key.NewSum(n); !errors.Is(err, ErrRange) {
			t.Errorf("sum of %d counters: %v", n, err)
		}
	}
	if n, err := Blocks(MaxCounters); n != MaxBlocks || err != nil {
		t.Errorf("%d blocks, %v", n, err)
	}
}

// TestEncryptionIsDerived: the same seed, key and values give the same bytes, and any other
// seed, key or values a ciphertext that has nothing in common with it.
func TestEncryptionIsDerived(t *testing.T) {
	m, other := newMembers(t, Group{points(2), 2}, 6), newMembers(t, Group{points(2), 2}, 7)
	encrypt := func(k *Key, n uint64, v ...int32) Vector {
		c, err := k.Encrypt(seed(n), v)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	first := encrypt(m.key, 1, 5)
	if again := encrypt(m.key, 1, 5); !bytes.Equal(first.Masks[0], again.Masks[0]) || !bytes.Equal(first.Bodies[0], again.Bodies[0]) {
		t.Error("the same gives other bytes")
	}
	for name, c := range map[string]Vector{
		"seed": encrypt(m.key, 2, 5), "value": encrypt(m.key, 1, 6), "length": encrypt(m.key, 1, 5, 0), "key": encrypt(other.key, 1, 5),
	} {
		if n := equalResidues(t, m.params, first.Masks[0], c.Masks[0]) + equalResidues(t, m.params, first.Bodies[0], c.Bodies[0]); n > 0 {
			t.Errorf("with another %s %d residues are the same", name, n)
		}
	}
	two, err := m.key.Encrypt(seed(1), make([]int32, 2*CountersPerBlock))
	if err != nil {
		t.Fatal(err)
	}
	if n := equalResidues(t, m.params, two.Masks[0], two.Masks[1]) + equalResidues(t, m.params, two.Bodies[0], two.Bodies[1]); n > 0 {
		t.Errorf("two blocks have %d residues in common", n)
	}
}

func equalResidues(t *testing.T, p *Parameters, a, b []byte) (n int) {
	t.Helper()
	x, y := unpacked(t, p, a), unpacked(t, p, b)
	for limb := range limbs {
		for i := range Degree {
			if x.Coeffs[limb][i] == y.Coeffs[limb][i] {
				n++
			}
		}
	}
	return n
}

// TestConcurrentUse has parameters, a reference and a key in many hands; the race detector
// looks on.
func TestConcurrentUse(t *testing.T) {
	g := Group{points(2), 2}
	m := newMembers(t, g, 9)
	want, err := m.key.Encrypt(seed(1), []int32{1})
	if err != nil {
		t.Fatal(err)
	}
	r := m.params.NewReference(seed(9))
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			got, err := m.key.Encrypt(seed(1), []int32{1})
			if err != nil || !bytes.Equal(got.Bodies[0], want.Bodies[0]) {
				t.Errorf("another body: %v", err)
			}
			d, err := r.Deal(g, seed(9<<8+1))
			if err != nil || !bytes.Equal(d.Share(2), m.dealings[0].Share(2)) {
				t.Errorf("another dealing: %v", err)
			}
			s, err := m.key.NewSum(1)
			if err != nil || s.Add(got) != nil {
				t.Errorf("no sum: %v", err)
			}
		})
	}
	all.Wait()
}

// TestSecretsDoNotPrint formats all that holds a secret with every verb.
func TestSecretsDoNotPrint(t *testing.T) {
	m := newMembers(t, Group{points(2), 2}, 8)
	for _, v := range []any{m.holders[1], m.dealings[0], struct{ H Holder }{m.holders[1]}, []Dealing{m.dealings[1]}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
			if got := fmt.Sprintf(verb, v); !strings.Contains(got, redacted) || len(got) > 200 {
				t.Errorf("%s prints %d bytes", verb, len(got))
			}
		}
	}
}

// TestParameters calculates again what the comment on Parameters claims.
func TestParameters(t *testing.T) {
	p := parameters(t)
	for i := range limbs {
		q := new(big.Int).SetUint64(modulus(i))
		if !q.ProbablyPrime(40) || modulus(i)%(2*Degree) != 1 || q.BitLen() != modulusBits(i) {
			t.Errorf("modulus %d does not fit", i)
		}
	}
	q := p.ring.Modulus()
	if q.BitLen() != 163 {
		t.Errorf("Q has %d bits", q.BitLen())
	}
	power := func(n int) *big.Int { return new(big.Int).Lsh(big.NewInt(1), uint(n)) }
	largest := big.NewInt(0) // |M|
	for k := range digits {
		largest.Add(largest, new(big.Int).Mul(big.NewInt(MaxContributors*MaxValue), power(counterBits*k)))
	}
	if MaxContributors*MaxValue >= 1<<(counterBits-1) {
		t.Error("a sum does not fit into its digit")
	}
	if scaled := new(big.Int).Mul(largest, power(scaleBits)); scaled.Cmp(new(big.Int).Rsh(q, 1)) >= 0 {
		t.Error("a plaintext does not fit into the modulus")
	}
	worst := MaxContributors * (2*Degree*24*MaxHolders + 24)
	if worst >= 1<<noiseBits {
		t.Errorf("the worst noise is %d", worst)
	}
	noise := new(big.Int).Mul(big.NewInt(MaxHolders), power(floodBits-1))
	if noise.Add(noise, power(noiseBits)).Cmp(power(scaleBits-1)) >= 0 {
		t.Error("flooding reaches the plaintext")
	}
	likely := math.Log2(2 * 15.3 * 15.3 * math.Sqrt(12*MaxContributors*MaxHolders*Degree))
	if likely >= 23.3 || likely-floodBits+math.Log2(MaxBlocks*Degree) >= -40 {
		t.Errorf("the likely noise is 2^%.1f", likely)
	}
	if 2*math.Exp(-15.3*15.3/2) > math.Pow(2, -167) {
		t.Error("15.3 deviations are exceeded too often")
	}
}
