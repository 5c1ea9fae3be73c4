package node

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"time"

	"entente/node/store"
	"entente/policy"
	"entente/protocol/entry"
)

// RulesFolder is where a node's rules lie as files. What counts is the bundle that
// was activated, a copy of which is in the store.
const RulesFolder = "rules"

const activeRules = "active rules" // setting: version of the active bundle

// loadRules reads the active bundle from the store.
func (n *Node) loadRules(ctx context.Context) error {
	var files map[string][]byte
	err := n.store.View(ctx, func(tx *store.Tx) error {
		b, err := tx.Get(activeRules)
		if err != nil {
			return err
		}
		if len(b) != 8 {
			return errors.New("the setting has a wrong length")
		}
		bundles, err := tx.Bundles()
		if err != nil {
			return err
		}
		for _, bundle := range bundles {
			if bundle.Version == binary.BigEndian.Uint64(b) {
				files = bundle.Files
				return nil
			}
		}
		return errors.New("the bundle is missing")
	})
	if err != nil {
		return fmt.Errorf("load active rules: %w", err)
	}
	bundle, err := policy.Parse(files)
	if err != nil {
		return fmt.Errorf("load active rules: %w", err)
	}
	n.rules.Store(bundle)
	return nil
}

// Rules returns the active bundle.
func (n *Node) Rules() *policy.Bundle { return n.rules.Load() }

// ErrOldRules says that a bundle's version is not above the active one's.
var ErrOldRules = errors.New("the bundle's version is not higher than that of the active rules; raise it in bundle.toml")

// ActivateRules checks the rules in a folder and lives by them from now on. Rounds
// that were agreed before run on under what was agreed.
func (n *Node) ActivateRules(ctx context.Context, folder string) (*policy.Bundle, error) {
	n.changing.Lock()
	defer n.changing.Unlock()
	b, err := policy.Load(os.DirFS(folder))
	if err != nil {
		return nil, fmt.Errorf("activate rules: %w", err)
	}
	if b.Digest() == n.rules.Load().Digest() {
		return b, nil // they are active already
	}
	if b.Version() <= n.rules.Load().Version() {
		return nil, fmt.Errorf("activate rules: %w", ErrOldRules)
	}
	if err := activate(ctx, n.store, b); err != nil {
		return nil, fmt.Errorf("activate rules: %w", err)
	}
	n.rules.Store(b)
	return b, n.Mirror(ctx)
}

// activate stores a bundle as the active one, and says so in both chains.
func activate(ctx context.Context, s *store.Store, b *policy.Bundle) error {
	digest := b.Digest()
	body, err := entry.Body(entry.PolicyState{Version: b.Version(), Digest: digest[:]})
	if err != nil {
		return err
	}
	return s.Update(ctx, func(tx *store.Tx) error {
		if err := tx.PutBundle(b.Version(), digest, b.Files()); err != nil {
			return err
		}
		if err := tx.Append(entry.Local, entry.PolicyActivated, body, time.Now()); err != nil {
			return err
		}
		// A chain that waits to be adopted says so then.
		err := tx.Append(entry.Submitted, entry.PolicyActivated, body, time.Now())
		if err != nil && !errors.Is(err, store.ErrUnbegun) {
			return err
		}
		return tx.Put(activeRules, binary.BigEndian.AppendUint64(nil, b.Version()))
	})
}

// CheckRules finds what is wrong with the rules in a folder. The error is about
// reading the folder.
func (n *Node) CheckRules(folder string) ([]policy.Finding, error) {
	known := policy.Known{Self: n.ID()}
	if f := n.joined.Load(); f != nil {
		for _, m := range f.Roster().Members {
			known.Members = append(known.Members, m.ID)
		}
	}
	return policy.Check(os.DirFS(folder), known)
}

// ExplainRules says what a bundle lets each partner and this node learn.
func (n *Node) ExplainRules(b *policy.Bundle) []policy.Opening {
	f := n.joined.Load()
	if f == nil {
		return nil
	}
	var partners []policy.Counterpart
	for _, p := range f.Partners() {
		partners = append(partners, policy.Counterpart{ID: p.ID, Role: string(p.Role)})
	}
	return b.Explain(n.ID(), partners, time.Now())
}
