package collective

import (
	"fmt"

	"github.com/tuneinsight/lattigo/v5/ring"

	"entente/crypto/transcript"
)

const masksLabel = "entente/collective/masks/1"

// MaskSum adds up the masks of contributors' vectors under one key: all that holders need to
// open their sum. Masks alone show nothing, whoever has the key. For one goroutine.
type MaskSum struct {
	key    *Key
	blocks []ring.Poly
	part   []ring.Poly
	added  int
}

// NewMaskSum begins the sum for vectors of so many counters. ErrRange is the only error.
func (k *Key) NewMaskSum(counters int) (*MaskSum, error) {
	n, err := Blocks(counters)
	if err != nil {
		return nil, fmt.Errorf("begin sum: %w", err)
	}
	return &MaskSum{key: k, blocks: k.params.polys(n), part: k.params.polys(n)}, nil
}

func (p *Parameters) polys(n int) []ring.Poly {
	out := make([]ring.Poly, n)
	for i := range out {
		out[i] = p.ring.NewPoly()
	}
	return out
}

// Add takes all masks of a contributor, or changes nothing and reports ErrMalformed or
// ErrFull. It cannot tell whether they are of encryptions.
func (s *MaskSum) Add(masks [][]byte) error {
	if err := s.read(masks); err != nil {
		return fmt.Errorf("add to sum: %w", err)
	}
	s.add()
	return nil
}

// read unpacks the masks of a contributor; add then adds them.
func (s *MaskSum) read(masks [][]byte) error {
	if s.added == MaxContributors {
		return fmt.Errorf("%w: there are %d", ErrFull, s.added)
	}
	return unpackAll(masks, s.part)
}

func (s *MaskSum) add() {
	for i := range s.blocks {
		s.key.params.ring.Add(s.blocks[i], s.part[i], s.blocks[i])
	}
	s.added++
}

func unpackAll(in [][]byte, out []ring.Poly) error {
	if len(in) != len(out) {
		return fmt.Errorf("%w: %d polynomials, not %d", ErrMalformed, len(in), len(out))
	}
	for i, b := range in {
		if err := unpack(b, out[i]); err != nil {
			return fmt.Errorf("block %d: %w", i, err)
		}
	}
	return nil
}

// Digest names the sum: all of its bytes, and the key.
func (s *MaskSum) Digest() [transcript.Size]byte {
	t := transcript.New(masksLabel).Append("key", s.key.digest[:])
	for _, x := range s.blocks {
		t.Append("block", pack(nil, x))
	}
	return t.Sum()
}

// ShareSize is the length in bytes of a decryption share: a polynomial for each block.
func (s *MaskSum) ShareSize() int { return len(s.blocks) * PolynomialSize }

// Sum adds up contributors' whole vectors, masks and bodies. For one goroutine.
type Sum struct {
	masks  *MaskSum
	bodies []ring.Poly
	part   []ring.Poly
}

// NewSum begins the sum of vectors of so many counters. ErrRange is the only error.
func (k *Key) NewSum(counters int) (*Sum, error) {
	m, err := k.NewMaskSum(counters)
	if err != nil {
		return nil, err
	}
	return &Sum{masks: m, bodies: k.params.polys(len(m.blocks)), part: k.params.polys(len(m.blocks))}, nil
}

// Add takes a contributor's vector, or changes nothing and reports ErrMalformed or ErrFull.
func (s *Sum) Add(v Vector) error {
	if err := s.masks.read(v.Masks); err != nil {
		return fmt.Errorf("add to sum: masks: %w", err)
	}
	if err := unpackAll(v.Bodies, s.part); err != nil {
		return fmt.Errorf("add to sum: bodies: %w", err)
	}
	s.masks.add()
	for i := range s.bodies {
		s.masks.key.params.ring.Add(s.bodies[i], s.part[i], s.bodies[i])
	}
	return nil
}

// Added is how many vectors the sum has.
func (s *Sum) Added() int { return s.masks.added }

// Masks is the part of the sum that holders have too, which changes with it.
func (s *Sum) Masks() *MaskSum { return s.masks }
