package collective

import (
	"bytes"
	"crypto/rand"
	"errors"
	"slices"
	"testing"

	"entente/crypto/he/sample"
	"entente/crypto/transcript"
)

// TestResiduesMustBeReduced sets single residues, first and last of each limb among them, to
// what no sender writes.
func TestResiduesMustBeReduced(t *testing.T) {
	p := parameters(t)
	in, out := p.ring.NewPoly(), p.ring.NewPoly()
	uniform(sample.New(shareLabel, seed(1), 0), in)
	for limb := range limbs {
		for _, i := range []int{0, 1, 63, 64, Degree / 2, Degree - 1} {
			old := in.Coeffs[limb][i]
			for _, good := range []uint64{0, 1, modulus(limb) - 1} {
				in.Coeffs[limb][i] = good
				b := pack(nil, in)
				if err := unpack(b, out); err != nil || !out.Equal(&in) || !bytes.Equal(pack(nil, out), b) {
					t.Errorf("limb %d: residue %d is not what came out: %v", limb, good, err)
				}
			}
			for _, bad := range []uint64{modulus(limb), modulus(limb) + 1, 1<<modulusBits(limb) - 1} {
				in.Coeffs[limb][i] = bad
				if err := unpack(pack(nil, in), out); !errors.Is(err, ErrMalformed) {
					t.Errorf("limb %d: residue %d passes: %v", limb, bad, err)
				}
			}
			in.Coeffs[limb][i] = old
		}
	}
}

// TestMalformedInput gives all that takes bytes other lengths, residues, and the polynomials
// of other parameters; nothing of it changes what is there.
func TestMalformedInput(t *testing.T) {
	g := Group{points(3), 3}
	m := newMembers(t, g, 50)
	p := m.params
	good := m.dealings[0].Public()
	lastResidue := bytes.Clone(good)
	for i := range 8 {
		lastResidue[len(lastResidue)-1-i] = 0xff
	}
	bad := map[string][]byte{
		"nothing": nil, "a byte less": good[1:], "a byte more": append(bytes.Clone(good), 0),
		"ones": bytes.Repeat([]byte{0xff}, PolynomialSize), "the last residue": lastResidue,
		"two limbs":          good[:limbSize(0)+limbSize(1)],
		"half the degree":    good[:PolynomialSize/2],
		"words of 64 bits":   make([]byte, 8*limbs*Degree),
		"another set's size": make([]byte, 4096*109/8),
	}
	s := m.sum(t, []int32{4})
	before := s.sum()
	c, err := s.NewCombiner(g, g.Points)
	if err != nil {
		t.Fatal(err)
	}
	keys := p.NewReference(seed(1)).NewKeySum()
	none := keys.Key().Digest()
	half := make([]byte, PolynomialSize)
	if err := CheckPolynomial(good); err != nil {
		t.Error(err)
	}
	for name, b := range bad {
		if err := CheckPolynomial(b); !errors.Is(err, ErrMalformed) {
			t.Errorf("polynomial, %s: %v", name, err)
		}
		if err := keys.Add(b); !errors.Is(err, ErrMalformed) || keys.Key().Digest() != none {
			t.Errorf("public part, %s: %v", name, err)
		}
		h := m.holders[3] // of three, the one that is dealt a polynomial
		secret := h.Secret()
		if err := h.Add(b); !errors.Is(err, ErrMalformed) || !bytes.Equal(h.Secret(), secret) {
			t.Errorf("dealt share, %s: %v", name, err)
		}
		if err := m.holders[1].Add(b); !errors.Is(err, ErrMalformed) {
			t.Errorf("dealt seed, %s: %v", name, err)
		}
		if _, err := p.LoadHolder(g, 1, Life{}, b); len(b) > 0 && !errors.Is(err, ErrMalformed) {
			t.Errorf("stored share, %s: %v", name, err)
		}
		if _, err := p.NewReference(seed(1)).LoadKey(b); !errors.Is(err, ErrMalformed) {
			t.Errorf("stored key, %s: %v", name, err)
		}
		if err := c.Add(1, b); !errors.Is(err, ErrMalformed) {
			t.Errorf("decryption share, %s: %v", name, err)
		}
		for place, v := range map[string]Vector{"mask": {[][]byte{b}, [][]byte{half}}, "body": {[][]byte{half}, [][]byte{b}}} {
			if err := s.Add(v); !errors.Is(err, ErrMalformed) {
				t.Errorf("%s, %s: %v", place, name, err)
			}
		}
		if err := s.Masks().Add([][]byte{b}); !errors.Is(err, ErrMalformed) {
			t.Errorf("mask alone, %s: %v", name, err)
		}
	}
	one, two := [][]byte{half}, [][]byte{half, half}
	for name, v := range map[string]Vector{"nothing": {}, "two masks": {two, one}, "two bodies": {one, two}, "two blocks": {two, two}, "no body": {one, nil}} {
		if err := s.Add(v); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if s.sum() != before || s.Added() != 1 {
		t.Error("what was refused changed the sum")
	}
	for _, x := range g.Points {
		b, err := m.holders[x].Share(s.Masks(), g.Points, m.journals[x], rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Add(x, b); err != nil {
			t.Fatal(err)
		}
	}
	if v, err := c.Values(1); err != nil || v[0] != 4 {
		t.Errorf("%v, %v", v, err)
	}
}

// sum is a digest of masks and bodies.
func (s *Sum) sum() (d [32]byte) {
	masks := s.masks.Digest()
	t := transcript.New("entente/test/1").Append("masks", masks[:])
	for _, x := range s.bodies {
		t.Append("body", pack(nil, x))
	}
	return t.Sum()
}

// TestSumIsWholeOrNothing refuses the second block: the first must not stay.
func TestSumIsWholeOrNothing(t *testing.T) {
	m := newMembers(t, Group{points(2), 2}, 51)
	s, err := m.key.NewSum(CountersPerBlock + 1)
	if err != nil {
		t.Fatal(err)
	}
	before := s.sum()
	good, err := m.key.Encrypt(seed(1), make([]int32, CountersPerBlock+1))
	if err != nil {
		t.Fatal(err)
	}
	short := func(b [][]byte) [][]byte { return [][]byte{b[0], b[1][1:]} }
	for name, v := range map[string]Vector{"masks": {short(good.Masks), good.Bodies}, "bodies": {good.Masks, short(good.Bodies)}} {
		if err := s.Add(v); !errors.Is(err, ErrMalformed) || s.sum() != before || s.Added() != 0 {
			t.Errorf("half a contribution is added, of %s: %v", name, err)
		}
	}
}

func FuzzPolynomial(f *testing.F) {
	p := parameters(f)
	f.Add([]byte{1, 2, 3}, uint32(0))
	f.Add(bytes.Repeat([]byte{0xff}, 40), uint32(limbSize(0)-20))
	f.Add([]byte{0x01, 0x40, 0xfb, 0xff, 0xff, 0xff, 0x7f}, uint32(0)) // q₀
	f.Add([]byte{0x00}, uint32(PolynomialSize))
	f.Fuzz(func(t *testing.T, patch []byte, at uint32) {
		b := make([]byte, PolynomialSize)
		copy(b[at%PolynomialSize:], patch)
		if at == PolynomialSize {
			b = patch // of any length
		}
		out := p.ring.NewPoly()
		if err := unpack(b, out); err != nil {
			if !errors.Is(err, ErrMalformed) || CheckPolynomial(b) == nil {
				t.Fatal(err)
			}
			return
		}
		if !bytes.Equal(pack(nil, out), b) {
			t.Fatal("what was taken is written otherwise")
		}
	})
}

// FuzzContribution has a sum take what a contributor may send, a holder share it and a combiner
// read what comes out: there may be any error, but no panic.
func FuzzContribution(f *testing.F) {
	g := Group{points(2), 2}
	m := newMembers(f, g, 52)
	secret := m.holders[1].Secret()
	good, err := m.key.Encrypt(seed(1), []int32{1})
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte{}, uint32(0), false, false)
	f.Add(bytes.Repeat([]byte{0x80}, 64), uint32(limbSize(0)), false, true)
	f.Add([]byte{9}, uint32(0), true, false)
	f.Fuzz(func(t *testing.T, patch []byte, at uint32, whole, body bool) {
		v := Vector{Masks: slices.Clone(good.Masks), Bodies: slices.Clone(good.Bodies)}
		b := bytes.Clone(v.Masks[0])
		copy(b[at%PolynomialSize:], patch)
		if whole {
			b = patch
		}
		if v.Masks[0] = b; body {
			v = Vector{Masks: good.Masks, Bodies: v.Masks}
		}
		s, err := m.key.NewSum(1)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Add(v); err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Fatal(err)
			}
			return
		}
		h, err := m.params.LoadHolder(g, 1, Life{1}, secret)
		if err != nil {
			t.Fatal(err)
		}
		share, err := h.Share(s.Masks(), g.Points, newMemory(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		c, err := s.NewCombiner(g, g.Points)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(c.Add(1, share), c.Add(2, share)); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Values(1); err != nil && !errors.Is(err, ErrInconsistent) {
			t.Fatal(err)
		}
	})
}
