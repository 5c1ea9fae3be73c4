package rounds

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"entente/node/federation"
	"entente/node/store"
	"entente/protocol/entry"
	"entente/protocol/exact"
	"entente/protocol/round"
	"entente/protocol/similar"
	"entente/protocol/wire"
)

// goodbye is how long a peer may take to read why it is turned away.
const goodbye = 2 * time.Second

// talk is one stream of one round, on either side.
type talk struct {
	s       *Service
	stream  Stream
	bytes   *Counted
	conn    *wire.Conn
	file    *file
	machine *round.Machine
	before  round.Traffic // on earlier streams of the round
}

func newTalk(s *Service, stream Stream, f *file) *talk {
	t := &talk{s: s, stream: stream, bytes: Count(stream, s.o.Tap)}
	t.conn = wire.NewConn(t.bytes)
	if f != nil {
		t.use(f)
	}
	return t
}

func (t *talk) use(f *file) {
	t.file, t.machine = f, f.machine
	t.before = round.Traffic{Sent: f.Sent, Received: f.Received}
}

// traffic is what the round has cost so far on this side.
func (t *talk) traffic() round.Traffic {
	return round.Traffic{
		Sent: t.before.Sent + t.bytes.sent.Load(), Received: t.before.Received + t.bytes.received.Load(),
		Finished: time.Now().UnixMilli(),
	}
}

func (t *talk) save(ctx context.Context, also func(*store.Tx) error) error {
	sum := t.traffic()
	t.file.Sent, t.file.Received, t.file.Note = sum.Sent, sum.Received, ""
	return t.s.put(ctx, t.file, also)
}

// ownHello is this side's greeting at this moment. Members that are suspended get none, though
// the channel admits them.
func (t *talk) ownHello() (round.Hello, [32]byte, error) {
	f := t.s.o.Federation()
	if f == nil {
		return round.Hello{}, [32]byte{}, federation.ErrNotJoined
	}
	if slices.Contains(f.Suspended(), t.stream.Member()) {
		return round.Hello{}, [32]byte{}, ErrUnknownPartner
	}
	digest := f.Digest()
	return round.Hello{Version: round.Version, Roster: digest[:], Clock: time.Now().UnixMilli()}, digest, nil
}

// hello greets and checks the greeting of the other side. Both send first: a
// greeting is small enough for any stream to hold it.
func (t *talk) hello() error {
	own, digest, err := t.ownHello()
	if err != nil {
		return err
	}
	if err := round.Write(t.conn, round.Message{Kind: round.KindHello, Body: own}); err != nil {
		return fmt.Errorf("greet partner: %w", err)
	}
	m, err := round.Read(t.conn)
	if err != nil {
		return err
	}
	theirs, ok := m.Body.(round.Hello)
	if !ok {
		return &wire.ProtocolError{Code: wire.Unexpected, Err: errors.New("a greeting was expected")}
	}
	return theirs.Check(digest, time.Now().UnixMilli())
}

// end closes the stream, or tells the peer by number why it is reset.
func (t *talk) end(err error) { Farewell(t.stream, t.conn, err) }

// errLink marks errors of the stream itself.
var errLink = errors.New("the connection was lost")

// isEnd reports whether a stream ended in an orderly way.
func isEnd(err error) bool { return errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) }

// noteOf says in plain words what a round is waiting for or why it ended.
func noteOf(err error) string {
	var broke *wire.ProtocolError
	var said *wire.PeerError
	switch {
	case err == nil:
		return ""
	case errors.Is(err, errPending):
		return "a person at the partner has to approve the round"
	case errors.As(err, &broke) && broke.Code.Fault() == wire.Peer:
		return "the partner broke the protocol: " + broke.Code.String()
	case errors.As(err, &broke):
		return "the two sides do not fit: " + broke.Code.String()
	case errors.As(err, &said):
		return "the partner says: " + said.Code.String()
	case errors.Is(err, store.ErrFull):
		return "the disk is full; the round goes on when there is room"
	case errors.Is(err, similar.ErrRepeated):
		return "the round was interrupted too often at one place to go on: each time something could be learnt that must not be"
	case errors.Is(err, exact.ErrChanged), errors.Is(err, similar.ErrChanged):
		return "what was kept of the round does not fit it any more"
	}
	return "the round was interrupted and is tried again: " + err.Error()
}

// members are the digests of both roster entries, in the order of the offer.
func (t *talk) members() (round.Members, error) {
	f, partner, err := t.s.partner(t.file.Partner)
	if err != nil {
		return round.Members{}, err
	}
	if t.machine.Proposer() {
		return round.Members{Proposer: f.Own().Digest, Responder: partner.Digest}, nil
	}
	return round.Members{Proposer: partner.Digest, Responder: f.Own().Digest}, nil
}

// Labels of what a round seals into the submitted chain.
const (
	labelAgreement   = "entente/round-agreement/1"
	labelCertificate = "entente/round-certificate/1"
)

// agreed stores an agreement that both sides have signed, and its sealed digest in
// the submitted chain, in one step with the state. The proposer counts the round
// against its quota here; the responder has done so with its answer.
func (t *talk) agreed(ctx context.Context, charge bool) error {
	agreement := t.machine.Agreement()
	opening, err := entry.Seal(labelAgreement, agreement[:])
	if err != nil {
		return err
	}
	if t.file.details.Agreement, err = opening.Marshal(); err != nil {
		return err
	}
	return t.save(ctx, func(tx *store.Tx) error {
		if charge {
			if err := t.s.charge(tx, t.file); err != nil {
				return err
			}
		}
		return submit(tx, opening)
	})
}

// submit publishes a sealed digest.
func submit(tx *store.Tx, o entry.Opening) error {
	body, err := o.Entry()
	if err != nil {
		return err
	}
	return tx.Append(entry.Submitted, entry.SealedDigest, body, time.Now())
}

// closed stores the receipt of both sides, seals its digest, and destroys what
// served the round.
func (t *talk) closed(ctx context.Context) error {
	closing, err := t.s.certified(t.file)
	if err != nil {
		return err
	}
	if err := t.save(ctx, closing); err != nil {
		return err
	}
	t.s.publish(ctx)
	return nil
}

// certified prepares what belongs to the step in which a round is closed.
func (s *Service) certified(f *file) (func(*store.Tx) error, error) {
	certificate, err := f.machine.Certificate()
	if err != nil {
		return nil, err
	}
	digest := round.CertificateDigest(certificate)
	opening, err := entry.Seal(labelCertificate, digest[:])
	if err != nil {
		return nil, err
	}
	if f.details.Receipt, err = opening.Marshal(); err != nil {
		return nil, err
	}
	ending := s.ending(f)
	return func(tx *store.Tx) error {
		if err := submit(tx, opening); err != nil {
			return err
		}
		return ending(tx)
	}, nil
}

// publish brings the audit folder up to date; it can be made up for at any time.
func (s *Service) publish(ctx context.Context) {
	if err := s.o.Audit(ctx); err != nil {
		s.o.Log.Error("bring the audit folder up to date", "error", err)
	}
}

// lapsed stores that a round's time has run out. One that has both signatures under its
// receipt here is done, whether or not the partner said so.
func (s *Service) lapsed(ctx context.Context, f *file) error {
	if f.machine.State() != round.Closed {
		return s.put(ctx, f, s.ending(f))
	}
	closing, err := s.certified(f)
	if err == nil {
		err = s.put(ctx, f, closing)
	}
	if err == nil {
		s.publish(ctx)
	}
	return err
}
