package node

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"entente/node/config"
	"entente/node/federation"
	"entente/node/keys"
	"entente/node/store"
	"entente/node/transport"
	"entente/policy"
	"entente/protocol/entry"
	"entente/protocol/roster"
)

// Setup says who a new node is.
type Setup struct {
	Config config.Config
	// Addresses stand in the roster; empty means those that the node listens on.
	Addresses []string
	// Lost says that the member has lost the node that it had in a federation with a ledger: its
	// submitted chain goes on from what the ledger holds, once the others have restored it.
	Lost bool
}

// Init makes a node in a directory that has none: keys, settings, store, the card
// for the roster, and rules that allow nothing. It returns the card.
func Init(ctx context.Context, dir string, s Setup) (roster.Card, error) {
	card, err := setUp(ctx, dir, s)
	if err != nil {
		return card, fmt.Errorf("set up node: %w", err)
	}
	return card, nil
}

func setUp(ctx context.Context, dir string, s Setup) (roster.Card, error) {
	if err := s.complete(); err != nil {
		return roster.Card{}, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return roster.Card{}, err
	}
	held, err := store.Lock(dir)
	if err != nil {
		return roster.Card{}, err
	}
	defer func() { err = errors.Join(err, held.Release()) }()
	if err := config.Create(dir, s.Config); err != nil {
		return roster.Card{}, err
	}
	unlock, err := keys.ParseUnlock(s.Config.Keys.Unlock, s.Config.Keys.UnlockFrom)
	if err != nil {
		return roster.Card{}, err
	}
	k, err := keys.Create(dir, unlock)
	if err != nil {
		return roster.Card{}, err
	}
	if err := s.fill(ctx, dir, k); err != nil {
		return roster.Card{}, err
	}
	return s.card(dir, k)
}

// complete checks what the roster will need before anything is written.
func (s *Setup) complete() error {
	if err := s.Config.Validate(); err != nil {
		return err
	}
	if len(s.Addresses) == 0 {
		s.Addresses = s.Config.Network.Announce
	}
	if len(s.Addresses) == 0 {
		s.Addresses = s.Config.Network.Listen
	}
	for _, a := range s.Config.Network.Listen {
		if err := transport.CheckListenAddress(a); err != nil {
			return err
		}
	}
	for _, a := range s.Addresses {
		if err := transport.CheckAddress(a); err != nil {
			return fmt.Errorf("address for partners: %w; if the node listens on all interfaces, say with --announce where partners find it", err)
		}
	}
	return nil
}

// fill makes the store with the first entries of both chains, and the rules that
// deny everything.
func (s *Setup) fill(ctx context.Context, dir string, k keys.Keys) (err error) {
	db, err := store.Create(ctx, dir, k.Store(), entry.Author{Member: s.Config.Member.ID, Key: k.Identity()})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	err = db.Update(ctx, func(tx *store.Tx) error {
		if err := tx.Append(entry.Local, entry.Created, nil, time.Now()); err != nil {
			return err
		}
		if s.Lost {
			return tx.AwaitChain()
		}
		return tx.Append(entry.Submitted, entry.Created, nil, time.Now())
	})
	if err != nil {
		return err
	}
	files := policy.DenyAll(1)
	if err := WriteRules(filepath.Join(dir, RulesFolder), files); err != nil {
		return err
	}
	rules, err := policy.Parse(files)
	if err != nil {
		return err
	}
	if err := activate(ctx, db, rules); err != nil {
		return err
	}
	return db.Mirror(ctx, dir)
}

// card signs and writes the node's card.
func (s *Setup) card(dir string, k keys.Keys) (roster.Card, error) {
	card, err := roster.NewCard(roster.Member{
		ID: s.Config.Member.ID, Name: s.Config.Member.Name, Role: roster.Role(s.Config.Member.Role),
		Sign: k.Identity().Public().Bytes(), Transport: k.Transport().Public(), Addresses: s.Addresses,
	}, k.Identity())
	if err != nil {
		return card, err
	}
	return card, federation.WriteCard(dir, card)
}

// WriteRules writes a rules folder. Files that are there and would not be replaced
// by name are left; the loader judges the folder as a whole.
func WriteRules(folder string, files map[string][]byte) error {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return fmt.Errorf("write rules: %w", err)
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := os.WriteFile(filepath.Join(folder, name), files[name], 0o600); err != nil {
			return fmt.Errorf("write rules: %w", err)
		}
	}
	return nil
}
