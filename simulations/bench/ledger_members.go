package bench

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"entente/crypto/sign"
	"entente/node/ledger"
	"entente/protocol/entry"
	"entente/protocol/replay"
	"entente/protocol/roster"
)

// ledgers are the members of a federation with their parts in its ledger, in one process.
type ledgers struct {
	members []*ledgerMember
	latency time.Duration // of a byte, in one direction
}

type ledgerMember struct {
	id      string
	chain   *heldChain
	service *ledger.Service
	stop    context.CancelFunc
	ended   chan error
	serving sync.WaitGroup
}

// foundLedgers founds a federation of n members, of which the first s sequence, and starts
// them. close ends them.
func foundLedgers(ctx context.Context, dir string, n, s int, latency time.Duration, now func() time.Time) (*ledgers, error) {
	f := &ledgers{latency: latency}
	var cards []roster.Card
	for i := range n {
		key, err := sign.NewPrivateKey(bytes.Repeat([]byte{byte(i + 1)}, sign.SeedSize))
		if err != nil {
			return nil, err
		}
		id := fmt.Sprintf("M%02d", i)
		channel := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{byte(i + 129)}, ed25519.SeedSize))
		card, err := roster.NewCard(roster.Member{
			ID: id, Name: "Member " + id, Role: roster.State, Sign: key.Public().Bytes(),
			Transport: channel.Public().(ed25519.PublicKey), Addresses: []string{},
		}, key)
		if err != nil {
			return nil, err
		}
		cards = append(cards, card)
		f.members = append(f.members, &ledgerMember{
			id: id, ended: make(chan error, 1),
			chain: &heldChain{author: entry.Author{Member: id, Key: key}, now: now, appended: make(chan struct{})},
		})
	}
	r, err := roster.New("bench", cards)
	if err != nil {
		return nil, err
	}
	for _, m := range f.members[:s] {
		r.Sequencers = append(r.Sequencers, m.id)
	}
	for i, m := range f.members {
		if err := f.start(ctx, m, i, dir, r, now); err != nil {
			return nil, errors.Join(err, f.close())
		}
	}
	return f, nil
}

// start opens a member's part and runs it.
func (f *ledgers) start(ctx context.Context, m *ledgerMember, i int, dir string, r roster.Roster, now func() time.Time) error {
	cosigning, err := sign.NewCosigningKey(bytes.Repeat([]byte{byte(i + 1)}, sign.CosigningSeedSize))
	if err != nil {
		return err
	}
	digest := r.Digest()
	joined, err := entry.Body(entry.RosterState{Version: 1, Digest: digest[:]})
	if err != nil {
		return err
	}
	if err := m.chain.Append(ctx, entry.Created, func(entry.Head) ([]byte, error) { return nil, nil }); err != nil {
		return err
	}
	if err := m.chain.Append(ctx, entry.RosterJoined, func(entry.Head) ([]byte, error) { return joined, nil }); err != nil {
		return err
	}
	folder := filepath.Join(dir, m.id)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	m.service, err = ledger.OpenService(ctx, ledger.Options{
		Self: m.id, Roster: r, Dir: folder, Key: cosigning, Chain: m.chain, Open: f.opener(m.id), Now: now,
	})
	if err != nil {
		return err
	}
	running, stop := context.WithCancel(ctx)
	m.stop = stop
	go func() { m.ended <- m.service.Run(running) }()
	return nil
}

// close ends all members.
func (f *ledgers) close() (err error) {
	for _, m := range f.members {
		if m.stop != nil {
			m.stop()
		}
	}
	for _, m := range f.members {
		if m.service == nil {
			continue
		}
		if m.stop != nil {
			err = errors.Join(err, <-m.ended)
		}
		m.serving.Wait()
		err = errors.Join(err, m.service.Close())
	}
	return err
}

// opener opens streams from a member to others.
func (f *ledgers) opener(from string) ledger.Opener {
	return func(ctx context.Context, to, protocol string) (ledger.Stream, error) {
		i := slices.IndexFunc(f.members, func(m *ledgerMember) bool { return m.id == to })
		if i < 0 || f.members[i].service == nil {
			return nil, fmt.Errorf("%s does not answer", to)
		}
		here, there := line(from, to, f.latency)
		context.AfterFunc(ctx, here.Reset)
		m := f.members[i]
		m.serving.Go(func() {
			if protocol == ledger.RaftProtocol {
				m.service.ServeRaft(ctx, there)
			} else {
				m.service.Serve(ctx, there)
			}
		})
		return here, nil
	}
}

// settle waits until all that was written is final at the first member, and the ledger runs: a
// sequencer that has ticked writes nothing by itself for minutes.
func (f *ledgers) settle(ctx context.Context, most time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	for {
		changed := f.members[0].service.Mirror().Changed()
		done := true
		found := f.members[0].service.Mirror().FinalState(func(s *replay.State) {
			for _, id := range s.Sequencers() {
				done = done && s.LastTick(id) > 0
			}
			for _, m := range f.members {
				done = done && s.Begun() && s.CosigningKey(m.id) != nil && s.Head(m.id).Digest == m.chain.head().Digest
			}
		})
		if found && done {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("entries are not final yet: %w", context.Cause(ctx))
		}
	}
}

// heldChain is a member's chain in memory, of which entries can be held back.
type heldChain struct {
	mu       sync.Mutex
	author   entry.Author
	now      func() time.Time
	heads    []entry.Head
	entries  [][]byte
	shown    int // of the entries
	appended chan struct{}
}

// Entries implements ledger.Chain.
func (c *heldChain) Entries(_ context.Context, after entry.Head, most int) ([][]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	first := 0
	if !after.Empty() {
		first = int(after.Sequence) + 1 // nothing was restored: numbers are places
	}
	if first > len(c.entries) || first > 0 && c.heads[first-1].Digest != after.Digest {
		return nil, errors.New("the ledger holds another chain")
	}
	return slices.Clone(c.entries[first:max(first, min(first+most, c.shown))]), nil
}

// Append implements ledger.Chain.
func (c *heldChain) Append(_ context.Context, k entry.Kind, body func(entry.Head) ([]byte, error)) error {
	if err := c.write(k, body); err != nil {
		return err
	}
	c.release()
	return nil
}

func (c *heldChain) write(k entry.Kind, body func(entry.Head) ([]byte, error)) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var prev entry.Head
	if n := len(c.heads); n > 0 {
		prev = c.heads[n-1]
	}
	b, err := body(prev)
	if err != nil {
		return err
	}
	signed, head, err := c.author.Next(prev, entry.Submitted, k, b, c.now())
	if err != nil {
		return err
	}
	out, err := signed.Marshal()
	if err != nil {
		return err
	}
	c.heads, c.entries = append(c.heads, head), append(c.entries, out)
	return nil
}

// hold writes an entry that is not shown before release.
func (c *heldChain) hold(k entry.Kind, i int) error {
	digest := make([]byte, 32)
	binary.BigEndian.PutUint64(digest, uint64(i))
	return c.write(k, func(entry.Head) ([]byte, error) { return entry.Body(entry.Sealed{Digest: digest}) })
}

// release shows all that was written.
func (c *heldChain) release() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.shown = len(c.entries)
	close(c.appended)
	c.appended = make(chan struct{})
}

// Appended implements ledger.Chain.
func (c *heldChain) Begun(context.Context) (bool, error) { return true, nil }

func (c *heldChain) Appended() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.appended
}

func (c *heldChain) head() (h entry.Head) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := len(c.heads); n > 0 {
		h = c.heads[n-1]
	}
	return h
}
