package he

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"
)

// TestResiduesMustBeReduced sets single residues and filling bits to what no sender writes.
func TestResiduesMustBeReduced(t *testing.T) {
	for limb := range limbs {
		for _, count := range []int{1, 2, 3, 7, 8, Degree} {
			r := rand.New(source(uint64(limb)))
			in, out := make([]uint64, count), make([]uint64, count)
			for i := range in {
				in[i] = r.Uint64N(modulus(limb))
			}
			in[count-1] = modulus(limb) - 1
			b := pack(nil, limb, in)
			if len(b) != packedSize(limb, count) {
				t.Fatalf("%d residues take %d bytes, not %d", count, len(b), packedSize(limb, count))
			}
			if err := unpack(b, limb, out); err != nil {
				t.Fatal(err)
			}
			for i := range in {
				if in[i] != out[i] {
					t.Fatalf("residue %d of %d came out as another", i, count)
				}
			}
			for _, x := range []uint64{modulus(limb), modulus(limb) + 1, 1<<modulusBits(limb) - 1} {
				bad := append([]uint64{}, in...)
				bad[count/2] = x
				if err := unpack(pack(nil, limb, bad), limb, out); !errors.Is(err, ErrMalformed) {
					t.Errorf("limb %d: residue %d passes: %v", limb, x, err)
				}
			}
			for bit := count * modulusBits(limb); bit < 8*len(b); bit++ {
				bad := bytes.Clone(b)
				bad[bit/8] |= 1 << (bit % 8)
				if err := unpack(bad, limb, out); !errors.Is(err, ErrMalformed) {
					t.Errorf("limb %d: filling bit %d of %d passes", limb, bit, count)
				}
			}
		}
	}
}

// TestMalformedInput gives answerer and asker bytes of wrong lengths, of another modulus, and
// ones that cannot be residues.
func TestMalformedInput(t *testing.T) {
	p := parameters(t)
	l := Layout{Dimension: 2, Slots: Degree, Split: 1}
	q := query(t, p, l, nil, 1)
	good, err := q.Ciphertext(0)
	if err != nil {
		t.Fatal(err)
	}
	a, err := p.NewAnswerer(l, q.seeds.Public, q.PublicKey())
	if err != nil {
		t.Fatal(err)
	}
	ones := bytes.Repeat([]byte{0xff}, CiphertextSize)
	oneLimb := bytes.Clone(good)
	for i := packedSize(0, Degree); i < packedSize(0, Degree)+4; i++ {
		oneLimb[i] = 0xff
	}
	for name, b := range map[string][]byte{
		"nothing": nil, "a byte less": good[1:], "a byte more": append(bytes.Clone(good), 0), "ones": ones, "a residue of the second limb": oneLimb,
	} {
		if err := a.Take(b); !errors.Is(err, ErrMalformed) {
			t.Errorf("ciphertext, %s: %v", name, err)
		}
		if _, err := p.NewAnswerer(l, q.seeds.Public, b); !errors.Is(err, ErrMalformed) {
			t.Errorf("public key, %s: %v", name, err)
		}
	}
	reply := make([]byte, l.ReplySize())
	last := bytes.Clone(reply)
	last[len(last)-1], last[len(last)-2], last[len(last)-3], last[len(last)-4] = 0xff, 0xff, 0xff, 0xff
	o := q.Opener()
	for name, b := range map[string][]byte{
		"nothing": nil, "a byte less": reply[1:], "a byte more": append(bytes.Clone(reply), 0), "ones": bytes.Repeat([]byte{0xff}, len(reply)), "the last residue": last,
	} {
		if _, err := o.Open(b); !errors.Is(err, ErrMalformed) {
			t.Errorf("reply, %s: %v", name, err)
		}
	}
	if _, err := o.Open(reply); err != nil {
		t.Errorf("a reply of zeros is well-formed: %v", err)
	}
}

func FuzzCiphertext(f *testing.F) {
	f.Add([]byte{1, 2, 3}, uint32(0))
	f.Add(bytes.Repeat([]byte{0xff}, 40), uint32(packedSize(0, Degree)-20))
	f.Add([]byte{0x00, 0x10, 0xfa, 0x0f}, uint32(CiphertextSize-4))
	f.Fuzz(func(t *testing.T, patch []byte, at uint32) {
		b := make([]byte, CiphertextSize)
		copy(b[at%CiphertextSize:], patch)
		out := make([][]uint64, limbs)
		for i := range out {
			out[i] = make([]uint64, Degree)
		}
		if err := unpackPoly(b, out); err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Fatal(err)
			}
			return
		}
		if !bytes.Equal(packPoly(out), b) {
			t.Fatal("what was taken is written otherwise")
		}
	})
}

func FuzzReply(f *testing.F) {
	p, err := New()
	if err != nil {
		f.Fatal(err)
	}
	l := Layout{Dimension: 8, Slots: 1, Split: 8}
	q, err := p.NewQuery(l, Seeds{Public: [SeedSize]byte{1}, secret: [SeedSize]byte{2}}, nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte{1, 2, 3}, uint32(0))
	f.Add(bytes.Repeat([]byte{0xff}, 40), uint32(packedSize(0, l.Pairs())-20))
	f.Fuzz(func(t *testing.T, patch []byte, at uint32) {
		b := make([]byte, l.ReplySize())
		copy(b[int(at)%len(b):], patch)
		shares, err := q.Opener().Open(b)
		if err != nil && !errors.Is(err, ErrMalformed) || err == nil && len(shares) != l.Pairs() {
			t.Fatalf("%d shares: %v", len(shares), err)
		}
	})
}
