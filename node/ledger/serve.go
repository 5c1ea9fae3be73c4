package ledger

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"time"

	"entente/protocol/checkpoint"
	"entente/protocol/exchange"
	"entente/protocol/recovery"
	"entente/protocol/replay"
	"entente/protocol/wire"
)

type kind = wire.Kind

// orderTime is how long a sequencer that is asked for a signature waits until it has ordered
// that far itself.
const orderTime = 3 * time.Second

// Serve answers a member's requests on a stream of exchange.Protocol until it ends the
// stream or breaks the protocol. It owns the stream.
func (s *Service) Serve(ctx context.Context, stream Stream) {
	defer context.AfterFunc(ctx, stream.Reset)()
	conn := wire.NewConn(struct {
		io.Reader
		io.Writer
	}{bufio.NewReader(stream), stream})
	for {
		k, b, err := conn.Receive(exchange.Limit)
		if errors.Is(err, io.EOF) {
			_ = stream.Close() // the other side is done
			return
		}
		if err == nil {
			err = s.answer(ctx, conn, stream.Member(), k, b)
		}
		if err != nil {
			s.end(conn, stream, err)
			return
		}
	}
}

// end says what was wrong, if it was the other side's fault, and ends the stream.
func (s *Service) end(conn *wire.Conn, stream Stream, err error) {
	if p, ok := errors.AsType[*wire.ProtocolError](err); ok {
		_ = conn.SendError(p.Code) // the stream is reset anyway
	}
	stream.Reset()
	s.o.Log.Debug("ledger stream ended", slog.String("member", stream.Member()), slog.Any("reason", err))
}

// answer answers one request. What this side cannot do is said in an Error frame, and the
// stream goes on; an error ends it.
func (s *Service) answer(ctx context.Context, conn *wire.Conn, member string, k kind, b []byte) error {
	reply, err := s.reply(ctx, member, k, b)
	answer, _ := exchange.Answer(k)
	switch {
	case errors.Is(err, wire.ErrMalformed):
		return &wire.ProtocolError{Code: wire.Malformed, Err: err}
	case errors.Is(err, errBusy):
		return conn.SendError(wire.Busy)
	case err != nil:
		s.o.Log.Debug("ledger request refused", slog.String("member", member), slog.Int("kind", int(k)), slog.Any("reason", err))
		return conn.SendError(wire.NotAvailable)
	}
	if b, bulk := reply.([]byte); bulk {
		return conn.SendBytes(answer, b)
	}
	return conn.Send(answer, reply)
}

var errBusy = errors.New("another step is being fetched")

// decode decodes a request and checks it.
func decode[T any](b []byte) (T, error) {
	var v T
	err := wire.Unmarshal(b, &v)
	if c, ok := any(v).(interface{ Validate() error }); err == nil && ok {
		if err = c.Validate(); err != nil {
			err = errors.Join(wire.ErrMalformed, err)
		}
	}
	return v, err
}

func (s *Service) reply(ctx context.Context, member string, k kind, b []byte) (any, error) {
	switch k {
	case exchange.KindStatus:
		r, err := decode[exchange.Status](b)
		if err != nil {
			return nil, err
		}
		s.observe(ctx, member, r)
		return s.status()
	case exchange.KindFetch:
		r, err := decode[exchange.Range](b)
		if err != nil {
			return nil, err
		}
		return s.entries(r)
	case exchange.KindNext:
		r, err := decode[exchange.Position](b)
		if err != nil {
			return nil, err
		}
		return s.next(r.Size)
	case exchange.KindSubmit:
		r, err := decode[exchange.Entries](b)
		if err != nil {
			return nil, err
		}
		return s.submitted(member, r.Entries)
	case exchange.KindSequence:
		r, err := decode[exchange.Position](b)
		if err != nil {
			return nil, err
		}
		return s.sequenced(ctx, member, r.Size)
	case exchange.KindOffer:
		r, err := decode[exchange.Offer](b)
		if err != nil {
			return nil, err
		}
		return s.cosign(ctx, member, r)
	case exchange.KindCall:
		r, err := decode[recovery.Call](b)
		if err != nil {
			return nil, err
		}
		return s.heed(member, r)
	case exchange.KindTerm:
		r, err := decode[exchange.Position](b)
		if err != nil {
			return nil, err
		}
		return s.opening(r.Size)
	default: // KindFinal: exchange.Limit admits no other
		final, _, err := checkpoint.Unmarshal(b)
		if err != nil {
			return nil, errors.Join(wire.ErrMalformed, err)
		}
		if err := s.finalise(ctx, member, final); err != nil {
			return nil, err
		}
		return s.status()
	}
}

// status is how far this node is.
func (s *Service) status() (exchange.Status, error) {
	var out exchange.Status
	if err := s.mirror.State(func(st *replay.State) { out.Size, out.Term = st.Size(), st.Term().String() }); err != nil {
		return out, err
	}
	final, err := s.mirror.LastFinal()
	if err == nil && final.Size > 0 {
		out.Final = final.Text()
		out.Size = max(out.Size, final.Size) // it may have grown in between
	}
	return out, err
}

// entries are those of a range that are held, as many as a frame holds.
func (s *Service) entries(r exchange.Range) (exchange.Entries, error) {
	most := int(min(r.Until-r.From, exchange.MaxEntries))
	list, err := s.mirror.Entries(r.From, most, exchange.MaxBatch)
	if err != nil {
		return exchange.Entries{}, err
	}
	if len(list) == 0 {
		return exchange.Entries{}, ErrNotHeld
	}
	return exchange.Entries{Entries: list[:exchange.Fit(list)]}, nil
}

// next is the smallest final checkpoint above a size, as bytes; empty if there is none.
func (s *Service) next(above uint64) ([]byte, error) {
	if above > checkpoint.MaxSize {
		return nil, ErrNotHeld
	}
	final, found, err := s.mirror.Next(above)
	if err != nil || !found {
		return []byte{}, err
	}
	return final.Marshal()
}

// sequenced signs a tree as sequencer, if it is ordered here within orderTime.
func (s *Service) sequenced(ctx context.Context, member string, size uint64) (exchange.Vote, error) {
	q := s.sequencer()
	if q == nil || !q.isVoter(member) {
		return exchange.Vote{}, errors.New("one of the two is no sequencer")
	}
	if !q.reaches(ctx, size) {
		have, _ := q.tail.end()
		return exchange.Vote{Size: have}, nil
	}
	return s.vote(q, size)
}

// reaches waits until entries are ordered here up to a size, or for orderTime in vain.
func (q *sequencer) reaches(ctx context.Context, size uint64) bool {
	ctx, cancel := context.WithTimeout(ctx, orderTime)
	defer cancel()
	for {
		have, changed := q.tail.end()
		if have >= size {
			return true
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return false
		}
	}
}

// vote signs a tree as sequencer, if it is ordered here.
func (s *Service) vote(q *sequencer, size uint64) (exchange.Vote, error) {
	have, _ := q.tail.end()
	c, signature, err := q.tail.sign(s.signer, size)
	if errors.Is(err, ErrNotHeld) {
		return exchange.Vote{Size: have}, nil
	}
	if err != nil {
		return exchange.Vote{}, err
	}
	return exchange.Vote{Size: have, Checkpoint: c.Text(), Signatures: []checkpoint.Signature{signature}}, nil
}
