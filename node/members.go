package node

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"entente/node/federation"
	"entente/node/rounds"
	"entente/node/store"
	"entente/node/transport"
	"entente/protocol/entry"
	"entente/protocol/roster"
	"entente/protocol/wire"
)

// Partner is another member as its operator sees it.
type Partner struct {
	ID        string   `json:"id"`
	Name      string   `json:"name"`
	Role      string   `json:"role"`
	Words     string   `json:"words"` // fingerprint, to compare by telephone
	Addresses []string `json:"addresses"`
	Stopped   bool     `json:"stopped"`
	Connected bool     `json:"connected"`
	Problem   string   `json:"problem,omitempty"` // of the last connection
}

// Federation is the roster that this node lives by.
type Federation struct {
	Name     string    `json:"name"`
	Version  uint64    `json:"version"`
	Words    string    `json:"words"`
	Own      string    `json:"own"`
	OwnWords string    `json:"own_words"`
	NewWords string    `json:"new_words,omitempty"` // of the own entry with keys that wait to be final
	Ledger   *Ledger   `json:"ledger,omitempty"`    // absent if the federation keeps none in common
	Partners []Partner `json:"partners"`
	Pending  string    `json:"pending,omitempty"` // why this node has no part yet
}

// Ledger is who orders the federation's common ledger, and of how many blocs those must be who
// sign it: when it begins, as a roster says, or now.
type Ledger struct {
	Sequencers  []string `json:"sequencers"`
	Blocs       []Bloc   `json:"blocs"`
	BlocsWanted uint16   `json:"blocs_wanted"`
}

// Bloc is a group of members that act alike.
type Bloc struct {
	Name    string   `json:"name"`
	Members []string `json:"members"`
}

// LedgerOf reads it from a roster; nil if the roster names no sequencers.
func LedgerOf(r roster.Roster) *Ledger {
	if !r.HasLedger() {
		return nil
	}
	return ledgerOf(r.Sequencers, r.Spread)
}

func ledgerOf(sequencers []string, s roster.Spread) *Ledger {
	l := &Ledger{Sequencers: sequencers, Blocs: []Bloc{}, BlocsWanted: s.Wanted}
	for _, b := range s.Blocs {
		l.Blocs = append(l.Blocs, Bloc{Name: b.Name, Members: b.Members})
	}
	return l
}

func (n *Node) ownKeys() federation.Keys {
	k := n.keys.Load()
	return federation.Keys{Sign: k.Identity().Public(), Transport: k.Transport().Public()}
}

// loadFederation reads the roster that was joined, if there is one. If the own chains
// name another one as joined last, the node opens without a federation, so that it can
// join, but does not serve: see stale.
func (n *Node) loadFederation(ctx context.Context) error {
	f, err := federation.Load(n.dir, n.ID(), n.ownKeys())
	if err != nil && !errors.Is(err, federation.ErrNotJoined) {
		return err
	}
	if f != nil && f.Roster().HasLedger() {
		return n.openLedger(ctx, f)
	}
	err = n.compare(ctx, f)
	if errors.Is(err, federation.ErrNotJoined) {
		n.log.Warn("this node lives by no federation", "reason", err)
		return nil
	}
	if err != nil {
		return err
	}
	n.joined.Store(f)
	return nil
}

// compare checks a roster, or nil, against what both own chains are bound to.
func (n *Node) compare(ctx context.Context, f *federation.Federation) error {
	return n.store.View(ctx, func(tx *store.Tx) error {
		for _, c := range []entry.Chain{entry.Local, entry.Submitted} {
			head, err := tx.Head(c)
			if err != nil {
				return err
			}
			if err := f.Check(head.Federation); err != nil {
				return err
			}
		}
		return nil
	})
}

// stale says why a node lives by no federation, although its chains say that it has
// joined one; nil if there is nothing to say.
func (n *Node) stale(ctx context.Context) error {
	if n.joined.Load() != nil || n.ledger.Load() != nil { // the ledger says who is a member
		return nil
	}
	return n.compare(ctx, nil)
}

// lastJoined finds the newest roster that the own chains say was joined.
func (n *Node) lastJoined(ctx context.Context) (last federation.Last, err error) {
	err = n.store.View(ctx, func(tx *store.Tx) error {
		for _, c := range []entry.Chain{entry.Local, entry.Submitted} {
			for signed, err := range tx.Entries(c, 0) {
				if err != nil {
					return err
				}
				e, err := signed.Decode()
				if err != nil {
					return err
				}
				var s entry.RosterState
				if e.Kind != entry.RosterJoined {
					continue
				}
				if err := wire.Unmarshal(e.Body, &s); err != nil {
					return err
				}
				if s.Version >= last.Version {
					last.Version = s.Version
					copy(last.Digest[:], s.Digest)
				}
			}
		}
		return nil
	})
	return last, err
}

// SignRoster signs a roster file for this member, after its own entry was found
// right. The signature file lies beside the roster; its name is returned.
func (n *Node) SignRoster(file string) (roster.Roster, string, error) {
	return federation.Sign(n.dir, file, n.keys.Load().Identity())
}

// JoinFederation verifies a roster with all signatures beside it and lives by it
// from now on.
func (n *Node) JoinFederation(ctx context.Context, file string) (Federation, error) {
	n.changing.Lock()
	defer n.changing.Unlock()
	if n.ledger.Load() != nil {
		return Federation{}, ErrByLedger
	}
	last, err := n.lastJoined(ctx)
	if err != nil {
		return Federation{}, fmt.Errorf("join federation: %w", err)
	}
	f, err := federation.Join(n.dir, file, n.ownKeys(), last)
	if err != nil {
		return Federation{}, err
	}
	if f.Roster().HasLedger() {
		return n.joinLedger(ctx, f)
	}
	digest := f.Digest()
	body, err := entry.Body(entry.RosterState{Version: f.Roster().Version, Digest: digest[:]})
	if err != nil {
		return Federation{}, err
	}
	err = n.store.Update(ctx, func(tx *store.Tx) error {
		for _, c := range []entry.Chain{entry.Local, entry.Submitted} {
			if err := tx.Append(c, entry.RosterJoined, body, time.Now()); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return Federation{}, err
	}
	n.joined.Store(f)
	if err := n.admit(ctx); err != nil {
		return Federation{}, err
	}
	if err := n.lasting.Roster(ctx); err != nil {
		return Federation{}, err
	}
	if err := n.Mirror(ctx); err != nil {
		return Federation{}, err
	}
	return n.Federation(ctx)
}

// ErrByLedger says that the members change by proposals.
var ErrByLedger = errors.New("this federation keeps a ledger: its members change by proposals there (entente federation propose)")

// Federation describes the roster and its members. errors.Is
// federation.ErrNotJoined.
func (n *Node) Federation(ctx context.Context) (Federation, error) {
	f := n.joined.Load()
	if first := n.first.Load(); f == nil && first != nil {
		return Federation{
			Name: first.Roster().Name, Version: first.Roster().Version, Words: first.Words(), Own: n.ID(), Partners: []Partner{},
			Pending: "by this node's copy of the ledger it is no member, or with other keys; if that is new, let the node serve until it has caught up",
		}, nil
	}
	if f == nil {
		return Federation{}, cmp.Or(n.stale(ctx), federation.ErrNotJoined)
	}
	stopped, err := n.stopped(ctx)
	if err != nil {
		return Federation{}, err
	}
	own, err := f.Own().Words()
	if err != nil {
		return Federation{}, err
	}
	out := Federation{
		Name: f.Roster().Name, Version: f.Roster().Version, Words: f.Words(), Own: n.ID(), OwnWords: own,
	}
	if l := n.ledger.Load(); l != nil {
		out.Ledger = ledgerOf(l.Order())
	}
	if next := n.next.Load(); next != nil && n.handedOver(ctx) {
		if out.NewWords, err = withKeys(f.Own().Member, *next).Words(); err != nil {
			return Federation{}, err
		}
	}
	status := map[string]transport.Peer{}
	if t := n.channel.Load(); t != nil {
		for _, p := range t.Status() {
			status[p.Member] = p
		}
	}
	for _, p := range f.Partners() {
		words, err := p.Words()
		if err != nil {
			return Federation{}, err
		}
		out.Partners = append(out.Partners, Partner{
			ID: p.ID, Name: p.Name, Role: string(p.Role), Words: words, Addresses: p.Addresses,
			Stopped: stopped[p.ID], Connected: status[p.ID].Connected, Problem: status[p.ID].Problem,
		})
	}
	return out, nil
}

func (n *Node) stopped(ctx context.Context) (map[string]bool, error) {
	var stopped map[string]bool
	err := n.store.View(ctx, func(tx *store.Tx) (err error) {
		stopped, err = tx.Stopped()
		return err
	})
	return stopped, err
}

// admit tells the channel whom it may speak with: the roster's members but those
// that were stopped. Whoever is no longer among them loses its connections at once, and so
// do those that are to be cut, who may come again. A node whose roster is not the one that it
// joined last does not get as far as speaking.
func (n *Node) admit(ctx context.Context, cut ...string) error {
	if err := n.stale(ctx); err != nil {
		return err
	}
	t := n.channel.Load()
	if t == nil {
		return nil
	}
	stopped, err := n.stopped(ctx)
	if err != nil {
		return err
	}
	var members []transport.Member
	for _, p := range n.peers() {
		if !stopped[p.ID] {
			members = append(members, transport.Member(p))
		}
	}
	if len(cut) > 0 {
		t.SetMembers(slices.DeleteFunc(slices.Clone(members), func(m transport.Member) bool { return slices.Contains(cut, m.ID) }))
	}
	t.SetMembers(members)
	if heir := n.heir.Load(); heir != nil {
		heir.SetMembers(members)
	}
	return nil
}

// stoppedBody is the body of a PartnerStopped entry.
type stoppedBody struct {
	_       struct{} `codec:",toarray"`
	Member  string
	Stopped bool
}

// StopPartner cuts a partner off at once, or lets it in again. It is this member's
// own decision and needs nobody's consent.
func (n *Node) StopPartner(ctx context.Context, member string, stop bool) error {
	n.changing.Lock()
	defer n.changing.Unlock()
	f := n.joined.Load()
	if f == nil {
		return federation.ErrNotJoined
	}
	if _, ok := f.Find(member); !ok {
		return fmt.Errorf("stop partner: %w", rounds.ErrUnknownPartner)
	}
	body, err := entry.Body(stoppedBody{Member: member, Stopped: stop})
	if err != nil {
		return err
	}
	err = n.store.Update(ctx, func(tx *store.Tx) error {
		if err := tx.SetStopped(member, stop); err != nil {
			return err
		}
		return tx.Append(entry.Local, entry.PartnerStopped, body, time.Now())
	})
	if err != nil {
		return err
	}
	if err := n.admit(ctx); err != nil {
		return err
	}
	// What the partner holds of standing rounds is worth nothing more.
	if err := n.lasting.Cut(ctx, member); err != nil {
		return err
	}
	return n.Mirror(ctx)
}
