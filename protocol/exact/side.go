package exact

import (
	"context"
	"fmt"
	"hash"
	"io"
	"runtime"

	"entente/crypto/dp"
	"entente/crypto/oprf"
	"entente/protocol/wire"
)

// suite is what one suite's sides know of it.
type suite struct {
	name   string
	divide int             // of chunks; 1 but in tests
	sweep  int             // entries in memory at once; 0, the default, but in tests
	worked func(index int) // told of each chunk of a once that is worked out, in tests; else nil
}

// Name returns the name that stands in the agreement.
func (s suite) Name() string { return s.name }

// NewSecret draws a secret and derives its public key.
func (s suite) NewSecret() (secret, public []byte, err error) { return newSecret(s.name) }

// side is one side's part of a run, both suites, from opening the journal on.
type side struct {
	suite   suite
	role    role
	session Session
	digest  [32]byte
	plan    plan
	set     Set    // the own list
	list    *items // count: the same in memory
	size    int    // items in it
	inputs  inputs
	root    root
	noise   dp.Noise
	diary   *diary
	peer    *oprf.PublicKey // receiver: the sender's key
	key     *oprf.Key       // sender: the own key
	fault   error           // of the peer, known before the run begins; ends it
}

// openSide checks session, list and journal, and derives the secrets. Nothing is sent yet.
func openSide(ctx context.Context, suite suite, r role, s Session, set Set, j Journal) (*side, error) {
	if err := s.check(suite.name); err != nil {
		return nil, err
	}
	if j == nil {
		j = new(MemoryJournal)
	}
	d := &side{suite: suite, role: r, session: s, diary: &diary{journal: j},
		plan: newPlan(suite.name, s.Receiver, s.Sender, s.Mutual, suite.divide), inputs: newInputs(suite.name, &s)}
	var err error
	if d.noise, err = noise(s.EpsilonMilli); err != nil {
		return nil, err
	}
	public := s.PeerPublic
	if r == receiver {
		d.peer, d.fault = parsePublic(suite.name, public)
	} else {
		if d.key, err = senderKey(suite.name, s.Secret); err != nil {
			return nil, err
		}
		public = d.key.Public().Bytes()
	}
	d.digest = s.digest(suite.name, public)
	hash, err := setHash(s.Secret)
	if err != nil {
		return nil, err
	}
	if err = d.open(ctx, set, s.own(r)-d.noise.Max(), hash); err != nil {
		return nil, err
	}
	list := hash.Sum(nil)
	if d.root, err = newRoot(s.Secret, d.digest, r, list); err != nil {
		return nil, err
	}
	if err = d.diary.pin(ctx, d.digest, r, list); err == nil && r == sender {
		d.fault, err = d.condemned(ctx)
	}
	return d, err
}

// open reads the own list for the first time: into memory for a count, else past it.
func (d *side) open(ctx context.Context, set Set, limit int, h hash.Hash) (err error) {
	if d.set = set; d.suite.name != nameCount {
		d.size, err = measure(ctx, set, limit, h)
		return err
	}
	d.list, err = loadItems(ctx, set, limit, h)
	d.set, d.size = d.list, d.list.Len()
	return err
}

// refused ends an attempt in which nothing was sent.
func refused(rw io.ReadWriter, err error) (Result, error) {
	wire.Reset(rw)
	return Result{}, fmt.Errorf("open run: %w", err)
}

// finish records the attempt's bytes and puts the sums into the result.
func (d *side) finish(ctx context.Context, l *link, result Result, err error) (Result, error) {
	// Also after a cancellation, which is when the record matters.
	sent, received, recordErr := d.diary.addBytes(context.WithoutCancel(ctx), l.conn.Sent(), l.conn.Received())
	switch {
	case d.fault != nil:
		err = d.fault // also if the stream failed before the peer could be told
	case err == nil:
		err = recordErr
	}
	if err != nil {
		return Result{}, fmt.Errorf("%s of suite %s: %w", d.role, d.suite.name, err)
	}
	result.BytesSent, result.BytesReceived = sent, received
	return result, nil
}

// link opens the stream for this side.
func (d *side) link(rw io.ReadWriter, durable [flowCount]int, p Progress) *link {
	l := newLink(rw, d.role, d.plan, d.digest, durable, p)
	l.fault = d.fault
	l.begin = func(context.Context, [flowCount]int) error { return nil }
	return l
}

// lost blames a peer for saying that it holds what only a complete journal of this side
// could have led to: it lies, or this journal is not the run's.
func lost(format string, args ...any) error {
	return &wire.ProtocolError{Code: wire.UnknownRound, Err: fmt.Errorf(format, args...)}
}

// keep stores a chunk as it is and counts it.
func (d *side) keep(ctx context.Context, l *link, id flowID, index int, content []byte) error {
	if err := d.diary.put(ctx, d.plan[id].name, index, content); err != nil {
		return err
	}
	l.durable(id)
	return nil
}

// window is how many chunks of questions may wait for their answers.
func window() int { return 2*runtime.GOMAXPROCS(0) + 8 }
