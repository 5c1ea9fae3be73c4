package machine

import (
	"bytes"
	"fmt"

	"entente/crypto/he/collective"
	"entente/crypto/he/sample"
	"entente/crypto/transcript"
	"entente/protocol/tally"
)

// encrypted is a contribution with what its head says of it.
type encrypted struct {
	collective.Vector
	masks, bodies [32]byte
}

// drawNoise draws a contributor's noise, a value a cell, or nil if the tally has none. It
// follows from the contributor's seed and the key: the seed was committed to before the key was
// known, so that nobody chooses noise by trying seeds.
func drawNoise(p tally.Proposal, seed []byte, key [32]byte) ([]int64, error) {
	if p.EpsilonMilli == 0 {
		return nil, nil
	}
	split, err := p.Noise()
	if err != nil {
		return nil, err
	}
	return split.DrawFrom(sample.New(tally.NoiseStream, tally.NoiseSeed(seed, key), 0), p.Question.Cells())
}

// encrypt computes a contribution from what its contributor would open to an auditor. Errors:
// tally.ErrCount.
func encrypt(key *collective.Key, p tally.Proposal, place uint8, seed []byte, counts []uint32) (*encrypted, error) {
	if len(counts) != p.Question.Cells() {
		return nil, fmt.Errorf("contribute: %w: %d cells, not %d", tally.ErrCount, len(counts), p.Question.Cells())
	}
	noise, err := drawNoise(p, seed, key.Digest())
	if err != nil {
		return nil, fmt.Errorf("contribute: %w", err)
	}
	values := make([]int32, len(counts))
	for i, n := range counts {
		if n > tally.MaxCount {
			return nil, fmt.Errorf("contribute: %w: cell %d is above %d", tally.ErrCount, i, tally.MaxCount)
		}
		values[i] = int32(n)
		if noise != nil {
			values[i] += int32(noise[i]) // within tally.MaxNoise, as Proposal.Check has seen to
		}
	}
	v, err := key.Encrypt([collective.SeedSize]byte(seed), values)
	clear(noise)
	clear(values)
	if err != nil {
		return nil, err
	}
	name := p.Contributors[place]
	return &encrypted{
		Vector: v,
		masks:  digest(tally.MasksDigest(key.Digest(), name), v.Masks),
		bodies: digest(tally.BodiesDigest(key.Digest(), name), v.Bodies),
	}, nil
}

// digest appends blocks to a digest.
func digest(t *transcript.Transcript, blocks [][]byte) [32]byte {
	for _, b := range blocks {
		t.Append("block", b)
	}
	return t.Sum()
}

// fits reports whether it is the contribution that a head is of.
func (e *encrypted) fits(head tally.Contribution) bool {
	return bytes.Equal(e.masks[:], head.Masks) && bytes.Equal(e.bodies[:], head.Bodies)
}
