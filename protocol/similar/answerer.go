package similar

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"

	"entente/crypto/compare"
	"entente/crypto/he"
)

// answer takes a query for each batch that has blocks left, and compares its scores with the
// asker.
func (r *run) answer() error {
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
		a, err := r.take(batch)
		if err != nil {
			return err
		}
		for at := max(batch*each, r.first); at < (batch+1)*each; at += window {
			if err := r.answerWindow(sender, a, at, min(window, (batch+1)*each-at)); err != nil {
				return err
			}
		}
	}
	return nil
}

// take receives a batch's query.
func (r *run) take(batch int) (*answering, error) {
	head, err := r.expect(kindPublicKey, he.SeedSize+he.CiphertextSize)
	if err != nil {
		return nil, err
	}
	a, err := newAnswering(r.params, &r.session, &r.list, head)
	if err != nil {
		return nil, blame(err)
	}
	digest := sha256.New()
	digest.Write(head)
	for range r.layout.Ciphertexts() {
		c, err := r.expect(kindCiphertext, he.CiphertextSize)
		if err != nil {
			return nil, err
		}
		digest.Write(c)
		if err := a.query.Take(c); err != nil {
			return nil, blame(err)
		}
	}
	a.digest = [32]byte(digest.Sum(nil))
	return a, r.journal.theirs(r.ctx, queriesFlow, batch, a.digest)
}

// answering makes the replies to one batch's query.
type answering struct {
	params  *he.Parameters
	session *Session
	list    *list
	query   *he.Answerer
	digest  [32]byte // of the query
	ready   []reply  // made already
}

// reply is one, with the digest of the vectors that it is for.
type reply struct {
	he.Reply
	inputs [32]byte
}

// newAnswering takes the body of a query's first frame.
func newAnswering(p *he.Parameters, s *Session, l *list, head []byte) (*answering, error) {
	q, err := p.NewAnswerer(s.layout(), [he.SeedSize]byte(head), head[he.SeedSize:])
	if err != nil {
		return nil, err
	}
	return &answering{params: p, session: s, list: l, query: q}, nil
}

// replies are those of a few blocks. They are made for as many templates at a time as share
// one pass over the query, and those that are not wanted yet are kept.
func (a *answering) replies(ctx context.Context, first, blocks int) ([]reply, error) {
	l := a.session.layout()
	each := l.Templates()
	for len(a.ready) < blocks {
		from := first + len(a.ready)
		step := min(max(1, l.Step()/each), a.session.replies()-from%a.session.replies())
		var all [][]int8
		var seeds bytes.Buffer
		made := make([]reply, step)
		for i := range made {
			_, place := a.session.place(from+i, 0)
			vectors, inputs, err := a.list.read(ctx, place, each)
			if err != nil {
				return nil, err
			}
			seed := a.session.replySeed(from+i, a.digest, inputs)
			seeds.Write(seed[:])
			made[i].inputs, all = inputs, append(all, vectors...)
		}
		g, err := a.params.Gallery(l, all)
		if err != nil {
			return nil, err
		}
		replies, err := a.query.Replies(ctx, g, &seeds)
		if err != nil {
			return nil, err
		}
		for i := range made {
			made[i].Reply = replies[i]
		}
		a.ready = append(a.ready, made...)
	}
	out := a.ready[:blocks]
	a.ready = a.ready[blocks:]
	return out, nil
}

// sendReplies sends a window's, once it is noted what they are.
func (r *run) sendReplies(a *answering, first, blocks int) ([]reply, error) {
	replies, err := a.replies(r.ctx, first, blocks)
	if err != nil {
		return nil, err
	}
	for i, reply := range replies {
		if err := r.journal.input(r.ctx, first+i, reply.inputs); err != nil {
			return nil, err
		}
		if err := r.journal.own(r.ctx, repliesFlow, first+i, sha256.Sum256(reply.Ciphertext)); err != nil {
			return nil, err
		}
	}
	if err := r.journal.begin(r.ctx, first, blocks); err != nil {
		return nil, err
	}
	for _, reply := range replies {
		if err := r.conn.SendBytes(kindReply, reply.Ciphertext); err != nil {
			return nil, err
		}
	}
	return replies, nil
}

// answerWindow compares a few blocks, from first on.
func (r *run) answerWindow(sender *compare.Sender, a *answering, first, blocks int) error {
	replies, err := r.sendReplies(a, first, blocks)
	if err != nil {
		return err
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
		if r.learned() {
			shares, err := r.expect(kindShares, compare.SharesSize(pairs))
			if err != nil {
				return err
			}
			if bits, err = chunks[i].Finish(shares); err != nil {
				return blame(err)
			}
		}
		if err := r.keep(first+i, bits); err != nil {
			return err
		}
	}
	r.done(first + blocks)
	return nil
}
