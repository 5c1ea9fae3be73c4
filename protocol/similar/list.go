package similar

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"entente/crypto/he"
)

// list is a side's vectors in the places of a run.
type list struct {
	layout  he.Layout
	square  int // largest squared norm
	vectors Vectors
	order   []int // position in each place; −1 where it only fills up
}

// list shuffles a side's vectors among the places that only fill the list up.
func (s *Session) list(r role, vectors Vectors) (list, error) {
	places := s.Probes
	if r == answerer {
		places = s.replies() * s.layout().Templates()
	}
	if n := vectors.Len(); n > s.Probes && r == asker || n > s.Templates && r == answerer {
		return list{}, fmt.Errorf("session: a list of %d does not fit", n)
	}
	order := make([]int, places)
	for i := range order {
		if order[i] = i; i >= vectors.Len() {
			order[i] = -1
		}
	}
	key := s.derive(orderLabel, 0)
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return list{}, fmt.Errorf("order list: %w", err)
	}
	draw := cipher.NewCTR(block, make([]byte, aes.BlockSize))
	for i := len(order) - 1; i > 0; i-- {
		// 64 bits modulo at most 2²⁹: off from uniform by less than 2⁻³⁵.
		var b [8]byte
		draw.XORKeyStream(b[:], b[:])
		j := binary.BigEndian.Uint64(b[:]) % uint64(i+1)
		order[i], order[j] = order[j], order[i]
	}
	return list{s.layout(), s.MaxSquare(), vectors, order}, nil
}

// read returns the vectors of n places from one on, and the digest of their coordinates. What
// only fills up is zero, but some vector is read for it too: how long that takes must not tell
// how many there are.
func (l *list) read(ctx context.Context, place, n int) ([][]int8, [32]byte, error) {
	positions := make([]int, n)
	for i := range positions {
		if positions[i] = l.order[place+i]; positions[i] < 0 && l.vectors.Len() > 0 {
			positions[i] = (place + i) % l.vectors.Len()
		}
	}
	out := make([][]int8, n)
	if l.vectors.Len() > 0 {
		var err error
		if out, err = l.vectors.Vectors(ctx, positions); err != nil {
			return nil, [32]byte{}, fmt.Errorf("read list: %w", err)
		}
	}
	if len(out) != n {
		return nil, [32]byte{}, fmt.Errorf("read list: %d vectors, not %d", len(out), n)
	}
	zero := make([]int8, l.layout.Dimension)
	digest, bytes := sha256.New(), make([]byte, l.layout.Dimension)
	for i := range out {
		if l.order[place+i] < 0 {
			out[i] = zero
		}
		if err := l.check(out[i]); err != nil {
			return nil, [32]byte{}, fmt.Errorf("read list: %w", err)
		}
		for j, x := range out[i] {
			bytes[j] = byte(x)
		}
		digest.Write(bytes)
	}
	return out, [32]byte(digest.Sum(nil)), nil
}

// check holds a vector to what both sides agreed on.
func (l *list) check(v []int8) error {
	if err := l.layout.CheckVector(v); err != nil {
		return err
	}
	square := 0
	for _, x := range v {
		square += int(x) * int(x)
	}
	if square > l.square {
		return fmt.Errorf("%w: its squared norm is above %d", he.ErrVector, l.square)
	}
	return nil
}
