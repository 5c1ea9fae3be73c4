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
	for batch := r.session.batchOf(r.first); batch < r.session.batches; batch++ {
		a, err := r.take(batch)
		if err != nil {
			return err
		}
		end := r.session.start(batch + 1)
		for at := max(r.session.start(batch), r.first); at < end; at += window {
			if err := r.answerWindow(sender, a, at, min(window, end-at)); err != nil {
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
	a, err := newAnswering(r.params, r.session, &r.list, head)
	if err != nil {
		return nil, blame(err)
	}
	digest := sha256.New()
	digest.Write(head)
	for range r.session.layout.Ciphertexts() {
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
	session *agreed
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
func newAnswering(p *he.Parameters, s *agreed, l *list, head []byte) (*answering, error) {
	begin := p.NewAnswerer
	if s.listing != nil {
		begin = p.NewSparseAnswerer
	}
	q, err := begin(s.layout, [he.SeedSize]byte(head), head[he.SeedSize:])
	if err != nil {
		return nil, err
	}
	return &answering{params: p, session: s, list: l, query: q}, nil
}

// replies are those of a few blocks. They are made for as many templates at a time as share
// one pass over the query, and those that are not wanted yet are kept.
func (a *answering) replies(ctx context.Context, first, blocks int) ([]reply, error) {
	for len(a.ready) < blocks {
		from := first + len(a.ready)
		made, err := a.build(ctx, from)
		if err != nil {
			return nil, err
		}
		a.ready = append(a.ready, made...)
	}
	out := a.ready[:blocks]
	a.ready = a.ready[blocks:]
	return out, nil
}

// build makes the replies of a block, and of those after it that cost little besides.
func (a *answering) build(ctx context.Context, first int) ([]reply, error) {
	if a.session.listing != nil {
		return a.buildListed(ctx, first)
	}
	l := a.session.layout
	step := min(max(1, l.Step()/l.Templates()), a.session.replies-first%a.session.replies)
	var all [][]int8
	var seeds bytes.Buffer
	made := make([]reply, step)
	for i := range made {
		vectors, inputs, err := a.list.read(ctx, a.session.templates(first+i))
		if err != nil {
			return nil, err
		}
		seed := a.session.replySeed(first+i, a.digest, inputs)
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
	return made, nil
}

// buildListed makes the replies of a block of candidates, one after the other.
func (a *answering) buildListed(ctx context.Context, block int) ([]reply, error) {
	vectors, inputs, err := a.list.read(ctx, a.session.templates(block))
	if err != nil {
		return nil, err
	}
	if a.list.most == 0 {
		if a.list.most, err = a.list.terms(ctx, &a.session.plan); err != nil {
			return nil, err
		}
	}
	var seeds bytes.Buffer
	for i := range vectors {
		seed := a.session.replySeed(a.session.listing.blocks[block]+i, a.digest, inputs)
		seeds.Write(seed[:])
	}
	g, err := a.params.SparseGallery(a.session.layout, vectors, a.session.listing.slots(block), a.list.most)
	if err != nil {
		return nil, err
	}
	replies, err := a.query.Replies(ctx, g, &seeds)
	if err != nil {
		return nil, err
	}
	made := reply{inputs: inputs}
	for _, r := range replies {
		made.Ciphertext, made.Shares = append(made.Ciphertext, r.Ciphertext...), append(made.Shares, r.Shares...)
	}
	return []reply{made}, nil
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
	chunks := make([]*compare.SenderChunk, blocks)
	err = r.exchange(first, blocks, kindColumns, compare.ColumnsSize, kindChallenge, func(i int, b []byte) (out []byte, err error) {
		chunks[i], out, err = sender.Open(replies[i].Shares, b)
		return out, err
	})
	if err == nil {
		err = r.exchange(first, blocks, kindChoices, compare.ChoicesSize, kindTables, func(i int, b []byte) ([]byte, error) {
			return chunks[i].Tables(b)
		})
	}
	if err == nil {
		err = r.exchange(first, blocks, kindCombining, compare.CombiningSize, kindLast, func(i int, b []byte) ([]byte, error) {
			return chunks[i].Combine(b)
		})
	}
	if err != nil {
		return err
	}
	for i := range chunks {
		var bits []bool
		if r.learned() {
			shares, err := r.expect(kindShares, compare.SharesSize(r.session.pairs(first+i)))
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
