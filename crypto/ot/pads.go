package ot

import "fmt"

// pads are the transfers of one extension at either side.
type pads struct {
	secret
	session *session
	hasher  *hasher
	rows    []Block
	taken   int
}

// newPads takes the first n rows of a matrix, which is not used any more.
func newPads(s *session, m *matrix, n int, key Block, shifts ...Block) pads {
	return pads{session: s, rows: s.spare.turn(m, n), hasher: newHasher(key, shifts...)}
}

// Len returns how many transfers have not been taken.
func (p *pads) Len() int { return len(p.rows) - p.taken }

// take fills outs, which have the same length, with the hashes of the next rows.
func (p *pads) take(outs ...[]Block) error {
	n := len(outs[0])
	if p.session.ended {
		return fmt.Errorf("take %d transfers: %w", n, ErrEnded)
	}
	if n > p.Len() {
		return fmt.Errorf("take %d transfers of %d: %w", n, p.Len(), ErrUsed)
	}
	p.hasher.run(p.rows[p.taken:p.taken+n], outs...)
	p.taken += n
	if p.taken == len(p.rows) {
		p.session.spare.rows = append(p.session.spare.rows, p.rows)
		p.rows, p.taken = nil, 0
	}
	return nil
}
