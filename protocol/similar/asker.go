package similar

import (
	"crypto/rand"
	"crypto/sha256"

	"entente/crypto/compare"
	"entente/crypto/he"
	"entente/protocol/wire"
)

// ask sends a query for each batch of probes that has blocks left, and compares what comes back.
func (r *run) ask() error {
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
	for batch := r.session.batchOf(r.first); batch < r.session.batches; batch++ {
		opener, err := r.query(batch)
		if err != nil {
			return err
		}
		end := r.session.start(batch + 1)
		for at := max(r.session.start(batch), r.first); at < end; at += window {
			if err := r.askWindow(chooser, opener, at, min(window, end-at)); err != nil {
				return err
			}
		}
	}
	return nil
}

// query sends a batch's ciphertexts.
func (r *run) query(batch int) (*he.Opener, error) {
	probes, inputs, err := r.list.read(r.ctx, r.session.probes(batch))
	if err != nil {
		return nil, err
	}
	if err := r.journal.input(r.ctx, batch, inputs); err != nil {
		return nil, err
	}
	digest := sha256.New()
	opener, err := r.session.query(r.params, batch, probes, inputs, func(k wire.Kind, b []byte) error {
		digest.Write(b)
		return r.conn.SendBytes(k, b)
	})
	if err != nil {
		return nil, err
	}
	return opener, r.journal.own(r.ctx, queriesFlow, batch, [32]byte(digest.Sum(nil)))
}

// query hands the frames of a batch's query to send.
func (s *agreed) query(p *he.Parameters, batch int, probes [][]int8, inputs [32]byte, send func(wire.Kind, []byte) error) (*he.Opener, error) {
	seeds, err := s.seeds(batch, inputs)
	if err != nil {
		return nil, err
	}
	q, err := p.NewQuery(s.layout, seeds, probes)
	if err != nil {
		return nil, err
	}
	if err := send(kindPublicKey, append(seeds.Public[:], q.PublicKey()...)); err != nil {
		return nil, err
	}
	for i := range s.layout.Ciphertexts() {
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
	chunks, columns := make([]*compare.ChooserChunk, blocks), make([][]byte, blocks)
	for i := range chunks {
		reply, err := r.expect(kindReply, r.session.replySize(first+i))
		if err != nil {
			return err
		}
		if err := r.journal.theirs(r.ctx, repliesFlow, first+i, sha256.Sum256(reply)); err != nil {
			return err
		}
		shares, err := r.session.open(opener, first+i, reply)
		if err != nil {
			return blame(err)
		}
		if chunks[i], columns[i], err = chooser.Open(shares); err != nil {
			return blame(err)
		}
	}
	if err := r.journal.begin(r.ctx, first, blocks); err != nil {
		return err
	}
	if err := r.sendAll(kindColumns, columns); err != nil {
		return err
	}
	challenge := func(int) int { return compare.ChallengeSize }
	err := r.exchange(first, blocks, kindChallenge, challenge, kindChoices, func(i int, b []byte) ([]byte, error) {
		return chunks[i].Choose(b)
	})
	if err == nil {
		err = r.exchange(first, blocks, kindTables, compare.TablesSize, kindCombining, func(i int, b []byte) ([]byte, error) {
			return chunks[i].Combine(b)
		})
	}
	if err != nil {
		return err
	}
	shares := make([][]byte, blocks)
	for i := range chunks {
		last, err := r.expect(kindLast, compare.LastSize(r.session.pairs(first+i), r.compared().Learns))
		if err != nil {
			return err
		}
		bits, own, err := chunks[i].Finish(last)
		if err != nil {
			return blame(err)
		}
		shares[i] = own
		if err := r.keep(first+i, bits); err != nil {
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

// open gives the asker's shares of a block.
func (p *plan) open(o *he.Opener, block int, reply []byte) ([]uint16, error) {
	if p.listing == nil {
		return o.Open(reply)
	}
	var out []uint16
	for _, slots := range p.listing.slots(block) {
		size := he.SomeSize(len(slots))
		shares, err := o.OpenSome(reply[:size], slots)
		if err != nil {
			return nil, err
		}
		out, reply = append(out, shares...), reply[size:]
	}
	return out, nil
}

// exchange receives a frame for each block, as long as its pairs make it, then sends what
// becomes of them.
func (r *run) exchange(first, blocks int, in wire.Kind, size func(pairs int) int, out wire.Kind, step func(i int, b []byte) ([]byte, error)) error {
	replies := make([][]byte, blocks)
	for i := range replies {
		b, err := r.expect(in, size(r.session.pairs(first+i)))
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
	r.report(r.session.before(max(blocks, r.journal.blocks)), r.session.before(r.session.blocks()))
}
