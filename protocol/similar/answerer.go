package similar

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"fmt"

	"entente/crypto/compare"
	"entente/crypto/he"
)

// answer takes a query for each batch that has blocks left, and compares its scores with the
// asker.
func (r *run) answer(templates Templates) error {
	sender, request, err := compare.NewSender(r.compared(), rand.Reader)
	if err != nil {
		return err
	}
	if err := r.conn.SendBytes(kindRequest, request); err != nil {
		return err
	}
	base, err := r.expect(kindBase, compare.ReplySize())
	if err != nil {
		return err
	}
	if err := sender.Start(base); err != nil {
		return blame(err)
	}
	each := r.session.replies()
	for batch := r.first / each; batch < r.session.batches(); batch++ {
		q, err := r.take()
		if err != nil {
			return err
		}
		if err := r.journal.query(r.ctx, batch, q.digest); err != nil {
			return err
		}
		for at := max(batch*each, r.first); at < (batch+1)*each; at += window {
			if err := r.answerWindow(sender, q, templates, at, min(window, (batch+1)*each-at)); err != nil {
				return err
			}
		}
	}
	return nil
}

// taken is a batch's query, the digest of all its bytes, and replies that are not sent yet.
type taken struct {
	*he.Answerer
	digest [32]byte
	ready  []he.Reply
}

func (r *run) take() (*taken, error) {
	digest := sha256.New()
	head, err := r.expect(kindPublicKey, he.SeedSize+he.CiphertextSize)
	if err != nil {
		return nil, err
	}
	digest.Write(head)
	a, err := r.params.NewAnswerer(r.layout, [he.SeedSize]byte(head), head[he.SeedSize:])
	if err != nil {
		return nil, blame(err)
	}
	for range r.layout.Ciphertexts() {
		c, err := r.expect(kindCiphertext, he.CiphertextSize)
		if err != nil {
			return nil, err
		}
		digest.Write(c)
		if err := a.Take(c); err != nil {
			return nil, blame(err)
		}
	}
	return &taken{Answerer: a, digest: [32]byte(digest.Sum(nil))}, nil
}

// replies are those of a few blocks. They are made for as many templates at a time as share
// one pass over the query, and those that are not wanted yet are kept.
func (r *run) replies(q *taken, templates Templates, first, blocks int) ([]he.Reply, error) {
	each := r.layout.Templates()
	for len(q.ready) < blocks {
		from := first + len(q.ready)
		left := r.session.replies() - from%r.session.replies()
		step := min(max(1, r.layout.Step()/each), left)
		_, place := r.place(from, 0)
		vectors, err := r.vectors(templates, r.order[place:place+step*each])
		if err != nil {
			return nil, fmt.Errorf("read templates: %w", err)
		}
		g, err := r.params.Gallery(r.layout, vectors)
		if err != nil {
			return nil, err
		}
		var seeds bytes.Buffer
		for i := range step {
			seed := r.session.replySeed(q.digest, from+i)
			seeds.Write(seed[:])
		}
		replies, err := q.Replies(r.ctx, g, &seeds)
		if err != nil {
			return nil, err
		}
		q.ready = append(q.ready, replies...)
	}
	out := q.ready[:blocks]
	q.ready = q.ready[blocks:]
	return out, nil
}

// vectors reads the templates of some places; what only fills up is zero.
func (r *run) vectors(templates Templates, places []int) ([][]int8, error) {
	var wanted []int
	for _, position := range places {
		if position >= 0 {
			wanted = append(wanted, position)
		}
	}
	read, err := templates.Vectors(r.ctx, wanted)
	if err != nil {
		return nil, err
	}
	if len(read) != len(wanted) {
		return nil, fmt.Errorf("%d vectors, not %d", len(read), len(wanted))
	}
	zero := make([]int8, r.session.Dimension)
	out := make([][]int8, len(places))
	for i, position := range places {
		if out[i] = zero; position < 0 {
			continue
		}
		if err := checkVector(r.layout, read[0]); err != nil {
			return nil, err
		}
		out[i], read = read[0], read[1:]
	}
	return out, nil
}

// answerWindow compares a few blocks, from first on.
func (r *run) answerWindow(sender *compare.Sender, q *taken, templates Templates, first, blocks int) error {
	replies, err := r.replies(q, templates, first, blocks)
	if err != nil {
		return err
	}
	for _, reply := range replies {
		if err := r.conn.SendBytes(kindReply, reply.Ciphertext); err != nil {
			return err
		}
	}
	pairs := r.layout.Pairs()
	chunks := make([]*compare.SenderChunk, blocks)
	err = r.exchange(blocks, kindColumns, compare.ColumnsSize(pairs), kindChallenge, func(i int, b []byte) (out []byte, err error) {
		chunks[i], out, err = sender.Open(replies[i].Shares, b)
		return out, err
	})
	if err == nil {
		err = r.exchange(blocks, kindChoices, compare.ChoicesSize(pairs), kindTables, func(i int, b []byte) ([]byte, error) {
			return chunks[i].Tables(b)
		})
	}
	if err == nil {
		err = r.exchange(blocks, kindCombining, compare.CombiningSize(pairs), kindLast, func(i int, b []byte) ([]byte, error) {
			return chunks[i].Combine(b)
		})
	}
	if err != nil {
		return err
	}
	for i := range chunks {
		var bits []bool
		if r.session.Learns.answerer() {
			shares, err := r.expect(kindShares, compare.SharesSize(pairs))
			if err != nil {
				return err
			}
			if bits, err = chunks[i].Finish(shares); err != nil {
				return blame(err)
			}
		}
		if err := r.journal.put(r.ctx, first+i, r.durable, bits); err != nil {
			return err
		}
	}
	r.done(first + blocks)
	return nil
}
