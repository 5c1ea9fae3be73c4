package ledger

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"go.etcd.io/bbolt"

	"entente/protocol/checkpoint"
	"entente/protocol/exchange"
	"entente/protocol/recovery"
	"entente/protocol/replay"
	"entente/protocol/wire"
)

// opening is a term's opening in the mirror's file.
type opening struct {
	recovery.Opening
	size uint64 // entries with which it begins
}

// loadTerms reads the openings of all terms but the first, in order.
func loadTerms(tx *bbolt.Tx) (out []opening, err error) {
	err = tx.Bucket([]byte(termsBucket)).ForEach(func(k, b []byte) error {
		if len(k) != 8 || binary.BigEndian.Uint64(k) != uint64(len(out)+1) {
			return fmt.Errorf("the opening of term %d of the mirror is missing", len(out)+2)
		}
		o, err := recovery.Unmarshal(append([]byte{}, b...))
		if err != nil {
			return fmt.Errorf("the opening of term %d of the mirror is damaged: %w", len(out)+2, err)
		}
		base, err := o.Tree()
		out = append(out, opening{o, base.Size})
		return err
	})
	return out, err
}

// loadNewest reads which the newest final checkpoint is.
func (m *Mirror) loadNewest(tx *bbolt.Tx) error {
	k, b := tx.Bucket([]byte(finalBucket)).Cursor().Last()
	if k == nil {
		return nil
	}
	_, c, err := checkpoint.Unmarshal(append([]byte{}, b...))
	if err == nil && string(k) != string(place(c.Size)) {
		err = errors.New("it is in another's place")
	}
	if err != nil {
		return fmt.Errorf("the newest final checkpoint of the mirror is damaged: %w", err)
	}
	m.newest = c
	return nil
}

// begin begins those of the terms whose trees go on from here, and keeps the state after what
// is final: in the term in which that is so.
func (m *Mirror) begin(tx *bbolt.Tx, next *[]opening) error {
	for {
		if m.newest.Size > 0 && m.state.Size() == m.newest.Size && m.state.Term() == m.newest.Origin {
			m.final = m.state.Clone()
		}
		if len(*next) == 0 || (*next)[0].size != m.state.Size() {
			return nil
		}
		if err := m.state.Begin((*next)[0].Opening, roots(tx)); err != nil {
			return fmt.Errorf("term %d of the mirror is damaged: %w", m.state.Terms()+1, err)
		}
		m.terms, *next = append(m.terms, (*next)[0].Opening), (*next)[1:]
	}
}

func roots(tx *bbolt.Tx) func(uint64) (checkpoint.Hash, error) {
	return func(size uint64) (checkpoint.Hash, error) { return checkpoint.Root(size, reader{tx}) }
}

// Terms are the openings of all terms but the first, in order.
func (m *Mirror) Terms() []recovery.Opening {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return slices.Clone(m.terms)
}

// Term is the origin of the present term.
func (m *Mirror) Term() checkpoint.Origin {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.state.Term()
}

// Sequencers are who orders entries: by what is final or, before anything is in the present
// term, as its opening says; nobody before anything is final at all.
func (m *Mirror) Sequencers() []string {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.final != nil && m.final.Terms() == m.state.Terms() {
		return m.final.Sequencers()
	}
	return m.state.Called()
}

// Enter begins a term, the last of these, if their openings prove that it may: the mirror
// then holds the entries up to the term's base, and whatever it held beyond what is final
// and is not among them is gone. The first of these follows on the parent-th term of the
// mirror; those that followed on it before come to nothing. entries are those from what is
// final here up to the base, as another member has them. All or nothing; errors.Is ErrFinal
// if the term begins without what is final here, which must never be; ErrTerm if the mirror
// is in a term that is not earlier; ErrConflict, ErrBoundary. In a term before one for which
// this node has pledged it only reads: see Signer.
func (m *Mirror) Enter(ctx context.Context, parent int, openings []recovery.Opening, entries [][]byte) error {
	o := openings[len(openings)-1]
	base, err := o.Tree()
	if err != nil {
		return fmt.Errorf("enter term: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.broken != nil {
		return m.broken
	}
	from := m.newest.Size
	if !o.Call.Later(m.state.Term()) {
		return fmt.Errorf("enter term: %w", ErrTerm)
	}
	if base.Size < from || from > 0 && m.state.Number(m.newest.Origin) > parent {
		return fmt.Errorf("enter term: %w: %d entries", ErrFinal, from)
	}
	if parent < 1 || parent > len(m.terms)+1 || uint64(len(entries)) != base.Size-from {
		return errors.New("enter term: what it goes on from is not held")
	}
	if len(entries) > exchange.MaxStep {
		return fmt.Errorf("enter term: %w: by %d entries", ErrTooFar, len(entries))
	}
	state, err := m.start()
	if err != nil {
		return fmt.Errorf("enter term: %w", err)
	}
	var refused error
	bytes := m.upTo[from]
	err = m.db.Update(func(tx *bbolt.Tx) error {
		if err := cut(tx, from, parent); err != nil {
			return err
		}
		r := regrowth{tx: tx, state: state, terms: slices.Concat(m.terms[state.Terms()-1:parent-1], openings)}
		if refused = r.grow(ctx, entries); refused != nil {
			return refused
		}
		return keep(tx, parent, openings)
	})
	if refused != nil {
		return fmt.Errorf("enter term: %w", refused)
	}
	if err != nil {
		m.broken = fmt.Errorf("enter term: %w", err)
		return m.broken
	}
	for _, b := range entries {
		bytes += uint64(len(b))
	}
	m.state, m.bytes, m.later = state, bytes, []reached{{state, bytes}}
	m.terms = slices.Concat(m.terms[:parent-1], openings)
	m.changed()
	return nil
}

// keep writes openings behind that of a term.
func keep(tx *bbolt.Tx, parent int, openings []recovery.Opening) error {
	for i, o := range openings {
		b, err := o.Marshal()
		if err != nil {
			return err
		}
		if err := tx.Bucket([]byte(termsBucket)).Put(place(uint64(parent+i)), b); err != nil {
			return err
		}
	}
	return nil
}

// start is the state after what is final, to be grown.
func (m *Mirror) start() (*replay.State, error) {
	if m.final != nil {
		return m.final.Clone(), nil
	}
	return m.fresh()
}

// cut leaves of the file what is final, and the terms up to one.
func cut(tx *bbolt.Tx, size uint64, terms int) error {
	for bucket, first := range map[string]uint64{
		entriesBucket: size, voidBucket: size, hashesBucket: checkpoint.Stored(size), termsBucket: uint64(terms),
	} {
		b := tx.Bucket([]byte(bucket))
		c := b.Cursor()
		for k, _ := c.Seek(place(first)); k != nil; k, _ = c.Seek(place(first)) {
			if err := b.Delete(k); err != nil {
				return err
			}
		}
	}
	return tx.Bucket([]byte(ledgerBucket)).Delete(orderedKey)
}

// regrowth puts entries behind what is final, and begins terms on the way.
type regrowth struct {
	tx    *bbolt.Tx
	state *replay.State
	terms []recovery.Opening
}

// grow takes the entries in. None may lie beyond a change of the committee among them, which
// cannot be final here.
func (r *regrowth) grow(ctx context.Context, entries [][]byte) error {
	if err := r.begin(); err != nil {
		return err
	}
	for len(entries) > 0 {
		n := len(entries)
		if len(r.terms) > 0 {
			base, err := r.terms[0].Tree()
			if err != nil {
				return err
			}
			if until := base.Size - min(base.Size, r.state.Size()); until > 0 {
				n = int(min(until, uint64(n)))
			}
		}
		applied, err := r.state.ApplyAll(ctx, entries[:n])
		if err != nil {
			return fmt.Errorf("entry %d: %w", r.state.Size(), err)
		}
		for i, a := range applied {
			if err := put(r.tx, a.Index, entries[i]); err != nil {
				return err
			}
			if a.Boundary && i+1 < len(entries) {
				return fmt.Errorf("%w: at %d entries", ErrBoundary, a.Index+1)
			}
			for _, v := range voided(nil, a) {
				if err := r.tx.Bucket([]byte(voidBucket)).Put(place(v.index), []byte(v.reason)); err != nil {
					return err
				}
			}
		}
		entries = entries[n:]
		if err := r.begin(); err != nil {
			return err
		}
	}
	if len(r.terms) > 0 {
		return errors.New("a term begins elsewhere than where it says")
	}
	return nil
}

func (r *regrowth) begin() error {
	for len(r.terms) > 0 {
		base, err := r.terms[0].Tree()
		if err != nil || base.Size != r.state.Size() {
			return err
		}
		if err := r.state.Begin(r.terms[0], roots(r.tx)); err != nil {
			return err
		}
		r.terms = r.terms[1:]
	}
	return nil
}

// Keys in the pledge bucket.
var (
	callKey   = []byte("call")   // recovery.Call for which this node has pledged last
	stanceKey = []byte("stance") // recovery.Stance, with the pledge
)

var cosignedKey = []byte("cosigned") // in signedBucket: what was cosigned last, with the sequencers' signatures

// pledged is for which term this node has pledged last.
type pledged struct {
	call   recovery.Call
	stance recovery.Stance
}

func pledge(tx *bbolt.Tx) (*pledged, error) {
	b := tx.Bucket([]byte(pledgeBucket))
	call := b.Get(callKey)
	if call == nil {
		return nil, nil
	}
	var p pledged
	err := wire.Unmarshal(append([]byte{}, call...), &p.call)
	if err == nil {
		err = wire.Unmarshal(append([]byte{}, b.Get(stanceKey)...), &p.stance)
	}
	if err == nil && len(p.stance.Pledges) != 1 {
		err = errors.New("it holds no pledge")
	}
	if err != nil {
		return nil, fmt.Errorf("%w: the note of it is damaged: %w", ErrPledged, err)
	}
	return &p, nil
}

// Pledge pledges for a term, durably, and returns what to answer its caller with. From
// then on nothing is signed in an earlier term. Asked again for the same term it names
// what has become final since. Errors: ErrPledged if it has pledged for a
// later one, or for another of the same place; ErrTerm if it is in one that is not earlier.
func (s *Signer) Pledge(call recovery.Call) (stance recovery.Stance, err error) {
	if err := call.Validate(); err != nil {
		return stance, err
	}
	s.recording.Lock() // nothing is signed meanwhile
	defer s.recording.Unlock()
	m := s.mirror
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.broken != nil {
		return stance, m.broken
	}
	var refused error
	unchanged := false
	err = m.db.View(func(tx *bbolt.Tx) error {
		before, err := pledge(tx)
		if err != nil || before == nil || before.call.Digest() != call.Digest() {
			return err
		}
		stance, refused = s.stance(tx, call)
		unchanged = refused != nil || bytes.Equal(stance.Pledges[0].Text, before.stance.Pledges[0].Text)
		return nil
	})
	if err != nil || unchanged {
		return stance, cmp.Or(err, refused)
	}
	err = m.db.Update(func(tx *bbolt.Tx) error {
		stance, refused = s.stance(tx, call)
		if refused != nil {
			return nil
		}
		b, err := wire.Marshal(call)
		if err != nil {
			return err
		}
		bucket := tx.Bucket([]byte(pledgeBucket))
		if err := bucket.Put(callKey, b); err != nil {
			return err
		}
		if b, err = wire.Marshal(stance); err != nil {
			return err
		}
		return bucket.Put(stanceKey, b)
	})
	if err != nil {
		m.broken = fmt.Errorf("pledge: %w", err)
		return stance, m.broken
	}
	return stance, refused
}

// stance is what this node pledges, if it may.
func (s *Signer) stance(tx *bbolt.Tx, call recovery.Call) (recovery.Stance, error) {
	if [32]byte(call.Federation) != s.mirror.first.Federation || !call.Later(s.mirror.state.Term()) {
		return recovery.Stance{}, fmt.Errorf("pledge: %w", ErrTerm)
	}
	before, err := pledge(tx)
	if err != nil {
		return recovery.Stance{}, err
	}
	again := before != nil && before.call.Digest() == call.Digest()
	if before != nil && !again && !call.Later(checkpoint.Origin{Term: before.call.Term, Caller: before.call.Member}) {
		return recovery.Stance{}, ErrPledged
	}
	most, found, err := largest(tx)
	if err != nil {
		return recovery.Stance{}, err
	}
	if again && bytes.Equal(before.stance.Pledges[0].Text, most.Text) {
		return before.stance, nil
	}
	p, err := recovery.NewPledge(call, s.member, most.Text, s.key)
	if err != nil {
		return recovery.Stance{}, err
	}
	out := recovery.Stance{Pledges: []recovery.Pledge{p}}
	if found {
		out.Checkpoints = []checkpoint.Signed{most}
	}
	return out, nil
}

// largest is the largest checkpoint, in the latest term, that this node has cosigned or
// knows to be final, with the signatures of sequencers and, if it is final, of cosigners.
func largest(tx *bbolt.Tx) (most checkpoint.Signed, found bool, err error) {
	var best checkpoint.Checkpoint
	_, final := tx.Bucket([]byte(finalBucket)).Cursor().Last()
	for _, b := range [][]byte{tx.Bucket([]byte(signedBucket)).Get(cosignedKey), final} {
		if b == nil {
			continue
		}
		signed, c, err := checkpoint.Unmarshal(append([]byte{}, b...))
		if err != nil {
			return most, false, fmt.Errorf("what was cosigned last is damaged: %w", err)
		}
		// What is final comes second, and goes before the same without cosigners.
		if at := c.Origin.Compare(best.Origin); !found || at > 0 || at == 0 && c.Size >= best.Size {
			most, best, found = signed, c, true
		}
	}
	return most, found, nil
}

// Pledged is for which term this node has pledged last; false if for none that is to come.
func (m *Mirror) Pledged() (call recovery.Call, ok bool, err error) {
	err = m.view(func(s *replay.State, tx *bbolt.Tx) error {
		p, err := pledge(tx)
		if err == nil && p != nil && p.call.Later(s.Term()) {
			call, ok = p.call, true
		}
		return err
	})
	return call, ok, err
}
