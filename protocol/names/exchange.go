package names

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"entente/crypto/transcript"
	"entente/protocol/exact"
	"entente/protocol/similar"
	"entente/protocol/wire"
)

// Kinds of frames, behind those of the runs that share the stream.
const (
	kindOpen    wire.Kind = 15 // openMessage
	kindHandles wire.Kind = 16
)

const (
	maxOpen = 1 + 1 + 34 + 5 + 34
	// grace is how long a failing side waits for the peer to read why.
	grace = 2 * time.Second
	// handlesFlow holds session and role, the digest of the own handles, and that of the other's.
	handlesFlow = "names/handles"
	// candidatesFlow holds all candidates, eight bytes each, so many in a record.
	candidatesFlow = "names/candidates"
	candidateChunk = 1 << 16
)

// openMessage says which run a side means and which keys it has found to be common.
type openMessage struct {
	_       struct{} `codec:",toarray"`
	Role    uint8
	Session [32]byte
	Labels  uint32
	Proofs  [32]byte // digest of the proofs, in order
}

// exchange tells the other side under which common keys the own records are.
type exchange struct {
	session *Session
	role    role
	stream  io.ReadWriter
	journal Journal

	proofs         [32]byte // digest
	own, theirs    [][]uint32
	digests        [2][32]byte // of the asker's handles and the answerer's
	pairs          []similar.Pair
	sent, received uint64
}

// begin puts the common keys into the order of labels.
func (x *exchange) begin(own *buckets, common exact.Result, records int) error {
	side := similar.AskerPlaces
	if x.role == answerer {
		side = similar.AnswererPlaces
	}
	places, err := side(x.session.Similar(), records)
	if err != nil {
		return err
	}
	proofs, handles, err := own.label(common, places)
	if err != nil {
		return err
	}
	x.own = handles
	parts := make([][]byte, len(proofs))
	for i := range proofs {
		parts[i] = proofs[i][:]
	}
	x.proofs = transcript.Digest(labelsLabel, bytes.Join(parts, nil))
	return nil
}

// run sends and receives. The stream is reset when the context ends, and after a failure, as
// soon as the peer has had time to read why.
func (x *exchange) run(ctx context.Context) error {
	ended := make(chan struct{})
	var watch sync.WaitGroup
	watch.Go(func() {
		select {
		case <-ctx.Done():
			wire.Reset(x.stream)
		case <-ended:
		}
	})
	conn := wire.NewConn(x.stream)
	err := x.talk(ctx, conn)
	if err != nil && ctx.Err() == nil {
		x.giveUp(conn, err)
	}
	close(ended)
	watch.Wait()
	x.sent, x.received = conn.Sent(), conn.Received()
	if err != nil {
		wire.Reset(x.stream)
		if cause := context.Cause(ctx); cause != nil {
			return cause
		}
	}
	return err
}

func (x *exchange) talk(ctx context.Context, conn *wire.Conn) error {
	session := x.session.digest()
	own := x.digest(x.own)
	if same, err := x.note(ctx, 0, append(session[:], byte(x.role))); err != nil || !same {
		return cmp.Or(err, ErrChanged)
	}
	if same, err := x.note(ctx, 1, own[:]); err != nil || !same {
		return cmp.Or(err, ErrChanged)
	}
	if err := x.open(conn); err != nil {
		return err
	}
	steps := []func() error{func() error { return x.send(conn) }, func() error { return x.receive(conn) }}
	if x.role == answerer {
		steps[0], steps[1] = steps[1], steps[0]
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	theirs := x.digest(x.theirs)
	same, err := x.note(ctx, 2, theirs[:])
	if err != nil {
		return err
	}
	if !same {
		return &wire.ProtocolError{Code: wire.Altered, Err: errors.New("handles that come again are not those that came before")}
	}
	x.digests[x.role-1], x.digests[asker+answerer-x.role-1] = own, theirs
	probes, templates := x.own, x.theirs
	if x.role == answerer {
		probes, templates = templates, probes
	}
	if x.pairs, err = candidates(probes, templates, x.session.Candidates); err != nil {
		return &wire.ProtocolError{Code: wire.Quota, Err: err}
	}
	return x.keep(ctx)
}

// keep records the candidates before any vector is compared, for an auditor: which queries and
// replies there are follows from them. They are the same each time, as handles are.
func (x *exchange) keep(ctx context.Context) error {
	known, err := Candidates(ctx, x.journal)
	if err != nil {
		return err
	}
	for sequence, first := 0, 0; first < len(x.pairs); sequence, first = sequence+1, first+candidateChunk {
		if first < len(known) {
			continue
		}
		var b []byte
		for _, p := range x.pairs[first:min(first+candidateChunk, len(x.pairs))] {
			b = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(b, p.Probe), p.Template)
		}
		if err := x.journal.Put(ctx, candidatesFlow, sequence, b); err != nil {
			return fmt.Errorf("write journal: %w", err)
		}
	}
	return nil
}

// Candidates are the pairs of places that a run compared, or was about to, as its journal has
// them; none if it did not come so far.
func Candidates(ctx context.Context, j Journal) ([]similar.Pair, error) {
	out := []similar.Pair{}
	for b, err := range j.Chunks(ctx, candidatesFlow) {
		if err != nil {
			return nil, fmt.Errorf("read journal: %w", err)
		}
		if len(b)%8 != 0 {
			return nil, ErrChanged
		}
		for ; len(b) > 0; b = b[8:] {
			out = append(out, similar.Pair{Probe: binary.BigEndian.Uint32(b), Template: binary.BigEndian.Uint32(b[4:])})
		}
	}
	return out, nil
}

// open exchanges Open; both send at once, and a peer that does not read has the stream reset.
func (x *exchange) open(conn *wire.Conn) error {
	mine := openMessage{Role: uint8(x.role), Session: x.session.digest(), Labels: uint32(len(x.own)), Proofs: x.proofs}
	sent := make(chan error, 1)
	go func() { sent <- conn.Send(kindOpen, &mine) }()
	var theirs openMessage
	err := conn.Expect(kindOpen, maxOpen, &theirs)
	late := time.AfterFunc(grace, func() { wire.Reset(x.stream) })
	defer late.Stop()
	if err := errors.Join(err, <-sent); err != nil {
		return err
	}
	switch {
	case theirs.Role != uint8(asker+answerer-x.role):
		return &wire.ProtocolError{Code: wire.Unexpected, Err: fmt.Errorf("open of role %d", theirs.Role)}
	case theirs.Session != mine.Session:
		return &wire.ProtocolError{Code: wire.Altered, Err: errors.New("open: the peer means another session")}
	case theirs.Labels != mine.Labels || theirs.Proofs != mine.Proofs:
		return &wire.ProtocolError{Code: wire.Altered, Err: errors.New("open: the peer has other common keys")}
	}
	return nil
}

func (x *exchange) send(conn *wire.Conn) error {
	for labels := range chunks(x.own) {
		if err := conn.SendBytes(kindHandles, appendHandles(nil, labels)); err != nil {
			return err
		}
	}
	return nil
}

func (x *exchange) receive(conn *wire.Conn) error {
	places := x.session.class(asker + answerer - x.role)
	for labels := range chunks(x.own) {
		b, err := conn.ExpectBytes(kindHandles, uint32(len(labels)*(1+4*BucketCap)))
		if err != nil {
			return err
		}
		theirs, err := parseHandles(b, len(labels), places)
		if err != nil {
			return blame(err)
		}
		x.theirs = append(x.theirs, theirs...)
	}
	return blame(checkHandles(x.theirs, places))
}

// digest is that of one side's handles.
func (x *exchange) digest(labels [][]uint32) [32]byte {
	session := x.session.digest()
	return transcript.Digest(handlesLabel, session[:], x.proofs[:], appendHandles(nil, labels))
}

// note records what a side's handles are before any are sent, and before a vector is compared:
// after a disconnect they may not be others. It reports false if another note is there.
func (x *exchange) note(ctx context.Context, place int, note []byte) (same bool, err error) {
	at := 0
	for b, err := range x.journal.Chunks(ctx, handlesFlow) {
		if err != nil {
			return false, fmt.Errorf("read journal: %w", err)
		}
		if at == place {
			return bytes.Equal(b, note), nil
		}
		at++
	}
	if err := x.journal.Put(ctx, handlesFlow, place, note); err != nil {
		return false, fmt.Errorf("write journal: %w", err)
	}
	return true, nil
}

// giveUp tells the peer why this side stops, unless the peer is the one who said so, and then
// lets it read until it closes or the time is up.
func (x *exchange) giveUp(conn *wire.Conn, cause error) {
	var peer *wire.PeerError
	var protocol *wire.ProtocolError
	late := time.AfterFunc(grace, func() { wire.Reset(x.stream) })
	defer late.Stop()
	code := wire.Internal
	if errors.As(cause, &peer) {
		return
	}
	if errors.As(cause, &protocol) {
		code = protocol.Code
	}
	err := conn.SendError(code)
	for b := make([]byte, 4096); err == nil; {
		_, err = x.stream.Read(b)
	}
}
