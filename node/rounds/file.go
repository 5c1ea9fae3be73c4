package rounds

import (
	"context"
	"errors"
	"fmt"
	"time"

	"entente/node/store"
	"entente/protocol/entry"
	"entente/protocol/round"
	"entente/protocol/wire"
)

// file is a round as this side keeps it: the store's columns, the machine, and
// what is for own eyes only.
type file struct {
	store.Round
	id      round.ID
	machine *round.Machine
	details
}

// details are encoded, together with the machine, into the store's sealed record.
type details struct {
	_         struct{} `codec:",toarray"`
	Version   uint16
	Machine   []byte
	Lists     []string
	Items     int64 // in the own snapshot
	Sent      uint64
	Received  uint64
	Hits      int64
	Count     int64
	Counted   bool
	Grounds   []string // the own rules that decided
	Note      string
	Agreement []byte // opening of the sealed digest of the agreement
	Receipt   []byte // opening of the sealed digest of the certificate
	Evidence  bool   // hits are looked up; secret, list and journal stay for an auditor
}

const detailsVersion = 2

// firstDetails are details as version 1 kept them.
type firstDetails struct {
	_         struct{} `codec:",toarray"`
	Version   uint16
	Machine   []byte
	Lists     []string
	Items     int64
	Sent      uint64
	Received  uint64
	Hits      int64
	Count     int64
	Counted   bool
	Grounds   []string
	Note      string
	Agreement []byte
	Receipt   []byte
}

// readDetails reads what this version or the one before it kept.
func readDetails(b []byte) (d details, err error) {
	if err = wire.Unmarshal(b, &d); err == nil {
		return d, nil
	}
	var old firstDetails
	if wire.Unmarshal(b, &old) != nil {
		return d, err
	}
	return details{
		Version: detailsVersion, Machine: old.Machine, Lists: old.Lists, Items: old.Items, Sent: old.Sent, Received: old.Received,
		Hits: old.Hits, Count: old.Count, Counted: old.Counted, Grounds: old.Grounds, Note: old.Note, Agreement: old.Agreement, Receipt: old.Receipt,
	}, nil
}

// secrets serve one round and are destroyed with it.
type secrets struct {
	_      struct{} `codec:",toarray"`
	Nonce  []byte   // of the commitment
	Suites []suiteSecret
}

type suiteSecret struct {
	_      struct{} `codec:",toarray"`
	Name   string
	Secret []byte
}

func (s secrets) of(suite string) ([]byte, error) {
	for _, x := range s.Suites {
		if x.Name == suite {
			return x.Secret, nil
		}
	}
	return nil, fmt.Errorf("the secret of suite %q is gone; a round cannot go on without it", suite)
}

func newFile(id round.ID, partner string, m *round.Machine) *file {
	now := time.Now()
	f := &file{id: id, machine: m, details: details{Version: detailsVersion}}
	f.ID, f.Partner, f.Proposer, f.Created = id, partner, m.Proposer(), now
	return f
}

// transition is the body of a RoundState entry in the local chain.
type transition struct {
	_      struct{} `codec:",toarray"`
	Round  []byte
	State  string
	Reason uint16
}

// put stores a round, notes a change of its state in the local chain, and does
// what else belongs to the same step, all at once.
func (s *Service) put(ctx context.Context, f *file, also func(*store.Tx) error) error {
	b, err := f.machine.Record()
	if err != nil {
		return fmt.Errorf("store round: %w", err)
	}
	f.Machine = b
	state := f.machine.State().String()
	moved := f.State != state
	f.Updated, f.State = time.Now(), state
	f.Expires = time.UnixMilli(f.machine.Offer().Expires)
	if f.Record, err = wire.Marshal(f.details); err != nil {
		return fmt.Errorf("store round: %w", err)
	}
	if f.machine.State().Over() && !f.evident() {
		f.Secret = nil
	}
	err = s.o.Store.Update(ctx, func(tx *store.Tx) error {
		if moved {
			body, err := entry.Body(transition{Round: f.id[:], State: state, Reason: uint16(f.machine.Reason())})
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
		if err := tx.PutRound(f.Round); err != nil {
			return err
		}
		return s.storing()
	})
	if err != nil {
		return fmt.Errorf("store round: %w", err)
	}
	s.stored()
	s.notify()
	return nil
}

// find loads one round.
func (s *Service) find(ctx context.Context, id round.ID) (*file, error) {
	var f *file
	err := s.o.Store.View(ctx, func(tx *store.Tx) error {
		r, err := tx.Round(id)
		if err != nil {
			return err
		}
		f, err = s.restore(r)
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return nil, ErrUnknownRound
	}
	return f, err
}

// load reads all rounds, oldest first.
func (s *Service) load(ctx context.Context) ([]*file, error) {
	var out []*file
	err := s.o.Store.View(ctx, func(tx *store.Tx) error {
		all, err := tx.Rounds()
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

// restore rebuilds a file from its columns. A partner that has left the roster has
// no key any more: its rounds can be read, not continued.
func (s *Service) restore(r store.Round) (*file, error) {
	f := &file{Round: r, id: r.ID}
	var err error
	if f.details, err = readDetails(r.Record); err != nil {
		return nil, fmt.Errorf("read round: %w", err)
	}
	p, err := s.parties(r.Partner)
	if err != nil && !errors.Is(err, ErrUnknownPartner) {
		return nil, err
	}
	if f.machine, err = round.Load(f.Machine, p); err != nil {
		return nil, fmt.Errorf("read round: %w", err)
	}
	return f, nil
}

func (f *file) secrets() (secrets, error) {
	var x secrets
	if len(f.Secret) == 0 {
		return x, errors.New("the round's secrets are gone")
	}
	if err := wire.Unmarshal(f.Secret, &x); err != nil {
		return x, fmt.Errorf("read the round's secrets: %w", err)
	}
	return x, nil
}

// ending removes what a round that is over must not keep: its secrets at once, and
// the rest unless a finished run has left a result that is to be looked up. A round that
// an auditor may have opened keeps all of it.
func (s *Service) ending(f *file) func(*store.Tx) error {
	drop := s.dropping(f)
	return func(tx *store.Tx) error {
		if f.evident() {
			return nil
		}
		if f.machine.Finished() > 0 {
			return tx.DropSecret(f.ID)
		}
		return drop(tx)
	}
}

// dropping removes a round's secrets, its partial results and its copy of the list.
// Hits point to records, not into that copy.
func (s *Service) dropping(f *file) func(*store.Tx) error {
	return func(tx *store.Tx) error {
		if err := tx.DropSecret(f.ID); err != nil {
			return err
		}
		if err := tx.DropJournal(f.ID); err != nil {
			return err
		}
		if f.Snapshot == 0 {
			return nil
		}
		snapshot := f.Snapshot
		f.Snapshot = 0
		return tx.DropSnapshot(snapshot)
	}
}
