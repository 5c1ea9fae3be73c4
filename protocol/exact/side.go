package exact

import (
	"context"
	"fmt"
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
	items   *items
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
	if d.items, err = loadItems(ctx, set, s.own(r)-d.noise.Max(), hash); err != nil {
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

// slots returns which value each slot of the receiver's questions stands for: its items
// first, then the dummies, then padding, in a secret order.
func (d *side) slots() ([]uint32, error) {
	return d.root.order(slotLabel, d.session.Receiver)
}

// slotInputs returns the inputs of one chunk of questions.
func (d *side) slotInputs(slots []uint32, padding []byte, index int) [][]byte {
	f := d.plan[questions]
	chunk := make([][]byte, f.count(index))
	for i := range chunk {
		slot := index*f.chunk + i
		chunk[i] = d.input(int(slots[slot]), d.noise.Max(), padding, uint32(slot))
	}
	return chunk
}

// input returns the input that a value of the own list stands for: items, then dummies,
// then filling up to the class. Filling is derived for each, so that the time tells nothing
// of how much of it there is.
func (d *side) input(value, dummies int, padding []byte, place uint32) []byte {
	filling := d.inputs.ofPadding(padding, place)
	switch {
	case value < d.items.len():
		return d.inputs.ofElement(d.items.at(value))
	case value < d.items.len()+dummies:
		return d.inputs.ofDummy(value - d.items.len())
	}
	return filling
}

// refused ends an attempt in which nothing was sent.
func refused(rw io.ReadWriter, err error) (Result, error) {
	reset(rw)
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
