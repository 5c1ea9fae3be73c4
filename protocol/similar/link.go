package similar

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"entente/crypto/compare"
	"entente/crypto/he"
	"entente/crypto/ot"
	"entente/protocol/wire"
)

// Kinds of frames. One of each but Start has a fixed length, which the session gives.
const (
	kindStart      wire.Kind = 1 // startMessage
	kindDone       wire.Kind = 2 // empty; the last frame of a side
	kindRequest    wire.Kind = 3
	kindBase       wire.Kind = 4
	kindPublicKey  wire.Kind = 5 // public seed and key of a batch
	kindCiphertext wire.Kind = 6
	kindReply      wire.Kind = 7
	kindColumns    wire.Kind = 8
	kindChallenge  wire.Kind = 9
	kindChoices    wire.Kind = 10
	kindTables     wire.Kind = 11
	kindCombining  wire.Kind = 12
	kindLast       wire.Kind = 13
	kindShares     wire.Kind = 14
)

const (
	nonceSize = 32
	maxStart  = 1 + 1 + 34 + 5 + 34
	// grace is how long a failing side waits for the peer to read why.
	grace = 2 * time.Second
)

// startMessage opens a side: who it is, which run it means, how many blocks of it are durable,
// and a nonce that no other attempt has.
type startMessage struct {
	_       struct{} `codec:",toarray"`
	Role    uint8
	Session [32]byte
	Blocks  uint32
	Nonce   [nonceSize]byte
}

// run is one attempt at a run, on one stream.
type run struct {
	ctx     context.Context
	conn    *wire.Conn
	stream  io.ReadWriter
	session *agreed
	role    role
	list    list
	journal *records
	report  Progress
	params  *he.Parameters

	first      int // block from which both go on
	comparison [32]byte
}

func newRun(ctx context.Context, rw io.ReadWriter, s Session, as role, vectors Vectors, j Journal, p Progress) (*run, error) {
	x, err := s.agree()
	if err != nil {
		return nil, err
	}
	if err := s.opened(as); err != nil {
		return nil, fmt.Errorf("session: %w", err)
	}
	l, err := x.list(as, vectors)
	if err != nil {
		return nil, err
	}
	if p == nil {
		p = func(int64, int64) {}
	}
	params, err := he.New()
	if err != nil {
		return nil, err
	}
	r := &run{
		ctx: ctx, conn: wire.NewConn(rw), stream: rw, session: x, role: as, list: l,
		report: p, params: params,
	}
	if r.journal, err = openRecords(ctx, j, x, as); err != nil {
		return nil, err
	}
	return r, nil
}

// finish runs a side between Start and Done. The stream is reset when the context ends, and
// after a failure, as soon as the peer has had time to read why.
func (r *run) finish(work func() error) (Result, error) {
	ended := make(chan struct{})
	var watch sync.WaitGroup
	watch.Go(func() {
		select {
		case <-r.ctx.Done():
			wire.Reset(r.stream)
		case <-ended:
		}
	})
	err := r.attempt(work)
	if err != nil && r.ctx.Err() == nil {
		r.giveUp(err)
	}
	close(ended)
	watch.Wait()
	if err != nil {
		wire.Reset(r.stream)
		if cause := context.Cause(r.ctx); cause != nil {
			err = cause
		}
		return Result{}, fmt.Errorf("similar: %w", err)
	}
	out, err := r.outcome()
	if err != nil {
		return Result{}, fmt.Errorf("similar: %w", err)
	}
	out.Queries, out.Replies = r.journal.known[queriesFlow], r.journal.known[repliesFlow]
	out.BytesSent, out.BytesReceived = r.conn.Sent(), r.conn.Received()
	return out, nil
}

func (r *run) attempt(work func() error) error {
	if err := r.start(); err != nil {
		return err
	}
	if err := work(); err != nil {
		return err
	}
	return r.meet(func() error { return r.conn.SendBytes(kindDone, nil) }, func() error {
		_, err := r.conn.ExpectBytes(kindDone, 0)
		return err
	})
}

// meet sends while it receives, where both sides send first. A peer that does not read has the
// stream reset.
func (r *run) meet(send, receive func() error) error {
	sent := make(chan error, 1)
	go func() { sent <- send() }()
	err := receive()
	late := time.AfterFunc(grace, func() { wire.Reset(r.stream) })
	defer late.Stop()
	return errors.Join(err, <-sent)
}

// start exchanges Start and settles from which block both go on.
func (r *run) start() error {
	own := r.journal.blocks
	mine := startMessage{Role: uint8(r.role), Session: r.session.id, Blocks: uint32(own)}
	_, _ = rand.Read(mine.Nonce[:]) // never fails
	var theirs startMessage
	err := r.meet(func() error { return r.conn.Send(kindStart, &mine) }, func() error {
		return r.conn.Expect(kindStart, maxStart, &theirs)
	})
	if err != nil {
		return err
	}
	switch {
	case theirs.Role != uint8(asker+answerer-r.role):
		return &wire.ProtocolError{Code: wire.Unexpected, Err: fmt.Errorf("start of role %d", theirs.Role)}
	case theirs.Session != mine.Session:
		return &wire.ProtocolError{Code: wire.Altered, Err: errors.New("start: the peer means another session")}
	case int64(theirs.Blocks) > int64(r.session.blocks()):
		return malformed("start: %d blocks of %d", theirs.Blocks, r.session.blocks())
	case int(theirs.Blocks)+window < own:
		return malformed("start: the peer lacks %d blocks that it had", own-int(theirs.Blocks))
	}
	r.first = min(own, int(theirs.Blocks))
	nonces := [2][nonceSize]byte{mine.Nonce, theirs.Nonce}
	if r.role == answerer {
		nonces[0], nonces[1] = nonces[1], nonces[0]
	}
	r.comparison = r.session.comparison(nonces)
	return nil
}

// compared are the parameters of the comparison, whose sender is the answerer.
func (r *run) compared() compare.Parameters {
	learns := map[Learns]compare.Learns{AskerLearns: compare.ChooserLearns, AnswererLearns: compare.SenderLearns, BothLearn: compare.BothLearn}
	return compare.Parameters{Session: r.comparison, Threshold: int16(r.session.Threshold), Learns: learns[r.session.Learns]}
}

// expect receives a frame of exactly one length.
func (r *run) expect(k wire.Kind, size int) ([]byte, error) {
	b, err := r.conn.ExpectBytes(k, uint32(size))
	if err == nil && len(b) != size {
		err = malformed("frame of kind %d: %d bytes, not %d", k, len(b), size)
	}
	return b, err
}

// giveUp tells the peer why this side stops, unless the peer is the one who said so, and then
// lets it read: what the peer sends meanwhile is discarded, until it closes or the time is up.
func (r *run) giveUp(cause error) {
	var peer *wire.PeerError
	var protocol *wire.ProtocolError
	late := time.AfterFunc(grace, func() { wire.Reset(r.stream) })
	defer late.Stop()
	var err error
	switch {
	case errors.As(cause, &peer):
		return
	case errors.As(cause, &protocol):
		err = r.conn.SendError(protocol.Code)
	default:
		err = r.conn.SendError(wire.Internal)
	}
	for b := make([]byte, 4096); err == nil; {
		_, err = r.stream.Read(b)
	}
}

// malformed blames the peer for bytes that break the layout.
func malformed(format string, args ...any) error {
	return &wire.ProtocolError{Code: wire.Malformed, Err: fmt.Errorf(format, args...)}
}

// blame turns an error of cryptography into the fault of the peer whose bytes they were.
func blame(err error) error {
	var code wire.Code
	switch {
	case err == nil:
		return nil
	case errors.Is(err, he.ErrMalformed), errors.Is(err, ot.ErrSize), errors.Is(err, compare.ErrSize), errors.Is(err, compare.ErrMalformed):
		code = wire.Malformed
	case errors.Is(err, ot.ErrElement):
		code = wire.BadPoint
	case errors.Is(err, ot.ErrProof), errors.Is(err, ot.ErrTrees):
		code = wire.BadProof
	default:
		return err
	}
	return &wire.ProtocolError{Code: code, Err: err}
}
