package similar

import (
	"crypto/rand"
	"fmt"
	"iter"

	"entente/crypto/compare"
	"entente/crypto/he"
	"entente/protocol/wire"
)

// ask sends a query for each batch of probes that has blocks left, and compares what comes back.
func (r *run) ask(probes Probes) error {
	request, err := r.expect(kindRequest, compare.RequestSize)
	if err != nil {
		return err
	}
	chooser, base, err := compare.NewChooser(r.compared(), request, rand.Reader)
	if err != nil {
		return blame(err)
	}
	if err := r.conn.SendBytes(kindBase, base); err != nil {
		return err
	}
	next, stop := iter.Pull2(probes.All())
	defer stop()
	each := r.session.replies()
	for batch := range r.session.batches() {
		own, err := readBatch(r.layout, next)
		if err != nil {
			return fmt.Errorf("read probes: %w", err)
		}
		if (batch+1)*each <= r.first {
			continue
		}
		opener, err := r.query(batch, own)
		if err != nil {
			return err
		}
		for at := max(batch*each, r.first); at < (batch+1)*each; at += window {
			if err := r.askWindow(chooser, opener, at, min(window, (batch+1)*each-at)); err != nil {
				return err
			}
		}
	}
	return nil
}

// readBatch reads the next probes, as many as a query takes.
func readBatch(l he.Layout, next func() ([]int8, error, bool)) (out [][]int8, err error) {
	for len(out) < l.Slots {
		v, err, ok := next()
		if err != nil || !ok {
			return out, err
		}
		if err := checkVector(l, v); err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

// checkVector holds a vector to what both sides agreed on.
func checkVector(l he.Layout, v []int8) error {
	if err := l.CheckVector(v); err != nil {
		return err
	}
	square := 0
	for _, x := range v {
		square += int(x) * int(x)
	}
	if square > MaxSquare {
		return fmt.Errorf("%w: its squared norm is above %d", he.ErrVector, MaxSquare)
	}
	return nil
}

// query sends a batch's ciphertexts.
func (r *run) query(batch int, probes [][]int8) (*he.Opener, error) {
	return r.session.query(r.params, batch, probes, r.conn.SendBytes)
}

// query hands the frames of a batch's query to send.
func (s *Session) query(p *he.Parameters, batch int, probes [][]int8, send func(wire.Kind, []byte) error) (*he.Opener, error) {
	seeds, err := s.seeds(batch)
	if err != nil {
		return nil, err
	}
	q, err := p.NewQuery(s.layout(), seeds, probes)
	if err != nil {
		return nil, err
	}
	if err := send(kindPublicKey, append(seeds.Public[:], q.PublicKey()...)); err != nil {
		return nil, err
	}
	for i := range s.layout().Ciphertexts() {
		c, err := q.Ciphertext(i)
		if err != nil {
			return nil, err
		}
		if err := send(kindCiphertext, c); err != nil {
			return nil, err
		}
	}
	return q.Opener(), nil
}

// askWindow compares a few blocks, from first on.
func (r *run) askWindow(chooser *compare.Chooser, opener *he.Opener, first, blocks int) error {
	pairs := r.layout.Pairs()
	chunks, columns := make([]*compare.ChooserChunk, blocks), make([][]byte, blocks)
	for i := range chunks {
		reply, err := r.expect(kindReply, r.layout.ReplySize())
		if err != nil {
			return err
		}
		shares, err := opener.Open(reply)
		if err != nil {
			return blame(err)
		}
		if chunks[i], columns[i], err = chooser.Open(shares); err != nil {
			return blame(err)
		}
	}
	if err := r.sendAll(kindColumns, columns); err != nil {
		return err
	}
	err := r.exchange(blocks, kindChallenge, compare.ChallengeSize, kindChoices, func(i int, b []byte) ([]byte, error) {
		return chunks[i].Choose(b)
	})
	if err == nil {
		err = r.exchange(blocks, kindTables, compare.TablesSize(pairs), kindCombining, func(i int, b []byte) ([]byte, error) {
			return chunks[i].Combine(b)
		})
	}
	if err != nil {
		return err
	}
	shares := make([][]byte, blocks)
	for i := range chunks {
		last, err := r.expect(kindLast, compare.LastSize(pairs, r.compared().Learns))
		if err != nil {
			return err
		}
		bits, own, err := chunks[i].Finish(last)
		if err != nil {
			return blame(err)
		}
		shares[i] = own
		if err := r.journal.put(r.ctx, first+i, r.durable, bits); err != nil {
			return err
		}
	}
	if r.session.Learns.answerer() {
		if err := r.sendAll(kindShares, shares); err != nil {
			return err
		}
	}
	r.done(first + blocks)
	return nil
}

// exchange receives a frame for each block, then sends what becomes of them.
func (r *run) exchange(blocks int, in wire.Kind, size int, out wire.Kind, step func(i int, b []byte) ([]byte, error)) error {
	replies := make([][]byte, blocks)
	for i := range replies {
		b, err := r.expect(in, size)
		if err != nil {
			return err
		}
		if replies[i], err = step(i, b); err != nil {
			return blame(err)
		}
	}
	return r.sendAll(out, replies)
}

// sendAll sends a frame for each block, once all are ready: at any moment one side alone sends.
func (r *run) sendAll(k wire.Kind, frames [][]byte) error {
	for _, b := range frames {
		if err := r.conn.SendBytes(k, b); err != nil {
			return err
		}
	}
	return nil
}

// done reports progress.
func (r *run) done(blocks int) {
	pairs := int64(r.layout.Pairs())
	r.report(int64(max(blocks, r.durable))*pairs, int64(r.session.blocks())*pairs)
}
