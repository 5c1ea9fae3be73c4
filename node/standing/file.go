package standing

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"entente/node/rounds"
	"entente/node/store"
	"entente/protocol/entry"
	"entente/protocol/round"
	"entente/protocol/standing"
	"entente/protocol/wire"
)

// file is a subscription as this side keeps it: the store's columns, the machine, and what
// is for own eyes only.
type file struct {
	store.Subscription
	machine *standing.Machine
	details
}

// details are encoded, together with the machine, into the store's sealed record.
type details struct {
	_         struct{} `codec:",toarray"`
	Version   uint16
	Machine   []byte
	Lists     []string
	Paused    bool   // by a person here, or because the own rules no longer allow it
	Stopped   string // the partner broke the protocol: what it did; only a person goes on
	Confirmed bool   // proposer: the partner has said that it is active
	Grounds   []string
	Note      string
	Ran       int64 // Unix milliseconds of a sync that went through, until its hits are known
	LastRun   int64 // and then; 0: none
	Sent      uint64
	Received  uint64
	Agreement []byte // opening of the sealed digest of the agreement
	Evidence  []round.Signed
}

const detailsVersion = 1

// maxEvidence bounds what is kept of a partner that contradicts itself.
const maxEvidence = 4

// newSecret draws what the keys of this side's tag periods derive from.
func newSecret() []byte {
	secret := make([]byte, standing.SecretSize)
	rand.Read(secret)
	return secret
}

func newFile(id standing.ID, partner string, m *standing.Machine) *file {
	f := &file{machine: m, details: details{Version: detailsVersion}}
	f.ID, f.Partner, f.Proposer, f.Created = id, partner, m.Proposer(), time.Now()
	return f
}

// dueAt names a cadence by the time when it was due. It stays until a sync went through.
func (f *file) dueAt() int64 { return f.Next.UnixMilli() }

// transition is the body of a RoundState entry in the local chain.
type transition struct {
	_      struct{} `codec:",toarray"`
	Round  []byte
	State  string
	Reason uint16
}

// put stores a subscription, notes a change of its state in the local chain, and does what
// else belongs to the same step, all at once.
func (s *Service) put(ctx context.Context, f *file, also func(*store.Tx) error) error {
	b, err := f.machine.Record()
	if err != nil {
		return fmt.Errorf("store standing round: %w", err)
	}
	f.Machine = b
	state := f.machine.Stage().String()
	if f.machine.Stage() == standing.Active && (f.Paused || f.Stopped != "") {
		state = "paused"
	}
	moved := f.State != state
	// Once this side has ended it, nothing is needed any more but the partner's ear.
	f.Updated, f.State, f.Over = time.Now(), state, f.machine.Stage() >= standing.Ending
	f.Expires = time.UnixMilli(f.machine.Offer().Expires)
	if a := f.machine.Answer(); a.Expires > 0 {
		f.Expires = time.UnixMilli(a.Expires)
	}
	if f.Over {
		f.Secret = nil
	}
	var dropped []string
	if f.Over {
		if dropped, err = s.segmentsOf(ctx, f); err != nil {
			return err
		}
	}
	err = s.o.Store.Update(ctx, func(tx *store.Tx) error {
		if moved {
			body, err := entry.Body(transition{Round: f.ID[:], State: state, Reason: uint16(f.machine.Reason())})
			if err != nil {
				return err
			}
			if err := tx.Append(entry.Local, entry.RoundState, body, f.Updated); err != nil {
				return err
			}
		}
		if also != nil {
			if err := also(tx); err != nil {
				return err
			}
		}
		if f.Over {
			if err := dropRecords(tx, f.ID); err != nil {
				return err
			}
		}
		var err error
		if f.Record, err = wire.Marshal(f.details); err != nil { // also may have added to it
			return err
		}
		return tx.PutSubscription(f.Subscription)
	})
	if err != nil {
		return fmt.Errorf("store standing round: %w", err)
	}
	if f.Over {
		s.over(f.ID)
	}
	s.notify()
	return s.remove(dropped)
}

// dropRecords erases the records of a subscription that is over. When hits were found and
// which were seen stays known, as the hits themselves do.
func dropRecords(tx *store.Tx, id standing.ID) error {
	for feed := range 2 {
		for _, name := range ofRuns {
			if err := tx.DropStanding(id, feed, name, 1<<62); err != nil {
				return err
			}
		}
	}
	return nil
}

// remove erases segment files that no record names any more.
func (s *Service) remove(names []string) error {
	var errs []error
	for _, name := range names {
		errs = append(errs, s.o.Store.RemoveSegment(name))
	}
	return errors.Join(errs...)
}

// find loads one subscription.
func (s *Service) find(ctx context.Context, id standing.ID) (*file, error) {
	var f *file
	err := s.o.Store.View(ctx, func(tx *store.Tx) error {
		r, err := tx.Subscription(id)
		if err != nil {
			return err
		}
		f, err = s.restore(r)
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return nil, ErrUnknown
	}
	return f, err
}

// load reads all subscriptions, oldest first.
func (s *Service) load(ctx context.Context) ([]*file, error) {
	var out []*file
	err := s.o.Store.View(ctx, func(tx *store.Tx) error {
		all, err := tx.Subscriptions()
		if err != nil {
			return err
		}
		for _, r := range all {
			f, err := s.restore(r)
			if err != nil {
				return err
			}
			out = append(out, f)
		}
		return nil
	})
	return out, err
}

// restore rebuilds a file from its columns. A partner that has left the roster has no key
// any more: its subscriptions can be read, not continued.
func (s *Service) restore(r store.Subscription) (*file, error) {
	f := &file{Subscription: r}
	if err := wire.Unmarshal(r.Record, &f.details); err != nil {
		return nil, fmt.Errorf("read standing round: %w", err)
	}
	p, err := s.parties(r.Partner)
	if err != nil && !errors.Is(err, rounds.ErrUnknownPartner) {
		return nil, err
	}
	if f.machine, err = standing.Load(f.Machine, p); err != nil {
		return nil, fmt.Errorf("read standing round: %w", err)
	}
	return f, nil
}

// named finds a subscription by its identifier as people write it.
func (s *Service) named(ctx context.Context, name string) (*file, error) {
	id, err := readID(name)
	if err != nil {
		return nil, ErrUnknown
	}
	return s.find(ctx, id)
}

// take claims a subscription for a person and then loads it, so that nothing changes it
// meanwhile.
func (s *Service) take(ctx context.Context, name string) (context.Context, *file, func(), error) {
	f, err := s.named(ctx, name)
	if err != nil {
		return nil, nil, nil, err
	}
	ctx, free, err := s.claim(ctx, f, person)
	if err != nil {
		return nil, nil, nil, err
	}
	if f, err = s.find(ctx, f.ID); err != nil {
		free()
		return nil, nil, nil, err
	}
	return ctx, f, free, nil
}

// expire ends a subscription whose time has run out.
func (s *Service) expire(ctx context.Context, id standing.ID) error {
	ctx, f, free, err := s.take(ctx, id.String())
	if err != nil {
		return err
	}
	defer free()
	if !f.machine.Expire(time.Now().UnixMilli()) {
		return nil
	}
	return s.put(ctx, f, nil)
}
