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
	most    int   // terms of a template of a listing; 0: not counted yet
}

// order shuffles so many vectors of a side's among the places that only fill the list up: the
// position in each place, or −1.
func (s *Session) order(r role, vectors int) ([]int, error) {
	places := s.Probes
	switch {
	case r == answerer && s.Split == 0:
		places = s.Templates // there are candidates, or will be
	case r == answerer:
		places = s.allReplies() * s.allLayout().Templates()
	}
	if vectors > s.Probes && r == asker || vectors > s.Templates && r == answerer {
		return nil, fmt.Errorf("session: a list of %d does not fit", vectors)
	}
	order := make([]int, places)
	for i := range order {
		if order[i] = i; i >= vectors {
			order[i] = -1
		}
	}
	key := s.Secret.derive(orderLabel, s.base(), 0)
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, fmt.Errorf("order list: %w", err)
	}
	draw := cipher.NewCTR(block, make([]byte, aes.BlockSize))
	for i := len(order) - 1; i > 0; i-- {
		// 64 bits modulo at most 2²⁹: off from uniform by less than 2⁻³⁵.
		var b [8]byte
		draw.XORKeyStream(b[:], b[:])
		j := binary.BigEndian.Uint64(b[:]) % uint64(i+1)
		order[i], order[j] = order[j], order[i]
	}
	return order, nil
}

// list shuffles a side's vectors among the places that only fill the list up.
func (s *agreed) list(r role, vectors Vectors) (list, error) {
	order, err := s.order(r, vectors.Len())
	return list{layout: s.layout, square: s.MaxSquare(), vectors: vectors, order: order}, err
}

// AskerPlaces are the places of an asker's vectors, by position, in a run with candidates. They
// follow from the secret and all of the session but the candidates, and tell nothing of a list
// but which vectors are the same one.
func AskerPlaces(s Session, vectors int) ([]uint32, error) { return s.places(asker, vectors) }

// AnswererPlaces are AskerPlaces for the answerer.
func AnswererPlaces(s Session, vectors int) ([]uint32, error) { return s.places(answerer, vectors) }

func (s *Session) places(r role, vectors int) ([]uint32, error) {
	trial := *s
	trial.Candidates = []Pair{}
	if err := trial.Check(); err != nil {
		return nil, err
	}
	order, err := s.order(r, vectors)
	if err != nil {
		return nil, err
	}
	out := make([]uint32, vectors)
	for place, position := range order {
		if position >= 0 {
			out[position] = uint32(place)
		}
	}
	return out, nil
}

// read returns the vectors of places, and the digest of their coordinates. What only fills up
// is zero, and so is what stands in no place, −1; but some vector is read for it too: how long
// that takes must not tell how many there are.
func (l *list) read(ctx context.Context, places []int) ([][]int8, [32]byte, error) {
	n := len(places)
	positions, fills := make([]int, n), make([]bool, n)
	for i, place := range places {
		if positions[i] = -1; place >= 0 {
			positions[i] = l.order[place]
		}
		if fills[i] = positions[i] < 0; fills[i] && l.vectors.Len() > 0 {
			positions[i] = (max(place, 0) + i) % l.vectors.Len()
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
		if fills[i] {
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

// terms is how many coordinates each template of a listing multiplies: the most that are not 0
// in one of them, up to the next multiple of termStep. That is all that the time tells of it.
func (l *list) terms(ctx context.Context, p *plan) (int, error) {
	most := 0
	for block := range p.blocks() {
		vectors, _, err := l.read(ctx, p.templates(block))
		if err != nil {
			return 0, err
		}
		for _, v := range vectors {
			n := 0
			for _, x := range v {
				if x != 0 {
					n++
				}
			}
			most = max(most, n)
		}
	}
	return (most/termStep + 1) * termStep, nil
}

// termStep is what numbers of terms are multiples of.
const termStep = 16
