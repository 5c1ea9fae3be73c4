package ledger

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"entente/protocol/checkpoint"
	"entente/protocol/exchange"
	"entente/protocol/wire"
)

// vote is what somebody may sign once.
type vote struct {
	origin checkpoint.Origin
	member string
	role   checkpoint.Role
	size   uint64
}

// overhear notes the signatures in a frame that a member writes. Nobody signs two trees of one
// size in one role; and who lets an own signature go has noted it in its file.
func (w *world) overhear(from string, frame []byte) {
	var signed checkpoint.Signed
	own := false
	switch body := frame[wire.HeaderSize:]; wire.Kind(frame[0]) {
	case exchange.KindSequenced, exchange.KindCosigned:
		var v exchange.Vote
		if wire.Unmarshal(body, &v) != nil {
			return
		}
		signed, own = v.Signed(), true
	case exchange.KindFinal, exchange.KindCheckpoint:
		signed, _, _ = checkpoint.Unmarshal(body)
	}
	c, err := signed.Checkpoint()
	if err != nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, one := range signed.Signatures {
		if w.bad[one.Member] {
			continue
		}
		key := vote{c.Origin, one.Member, one.Role, c.Size}
		if other, known := w.votes[key]; known && other != c {
			w.t.Errorf("%s signed two trees of %d entries", one.Member, c.Size)
		}
		w.votes[key] = c
	}
	s := w.members[from].service
	if !own || s == nil {
		return
	}
	for _, one := range signed.Signatures {
		noted, err := s.signer.last(one.Role)
		if err != nil || noted.Size < c.Size {
			w.t.Errorf("%s let go a signature of %d entries, and has noted %d; %v", from, c.Size, noted.Size, err)
		}
	}
}

// tear changes bbolt's file as a crash may during its next transaction: pages that are free
// hold anything, and so does the older of the two head pages.
func tear(t *testing.T, r *rand.Rand, file string) {
	t.Helper()
	db, err := bbolt.Open(file, 0o600, &bbolt.Options{ReadOnly: true, PreLoadFreelist: true})
	must(t, err)
	page := db.Info().PageSize
	var places []int // of sectors
	must(t, db.View(func(tx *bbolt.Tx) error {
		places = append(places, (1-tx.ID()%2)*page)
		for id := 2; ; id++ {
			p, err := tx.Page(id)
			if p == nil || err != nil {
				return err
			}
			for at := id * page; p.Type == "free" && at < (id+1)*page; at += sector {
				places = append(places, at)
			}
		}
	}))
	must(t, db.Close())
	f, err := os.OpenFile(file, os.O_WRONLY, 0)
	must(t, err)
	for _, at := range places {
		var b [sector]byte
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		if _, err := f.WriteAt(b[:r.IntN(sector)], int64(at)); err != nil {
			t.Fatal(err)
		}
	}
	must(t, f.Close())
}

// crash stops a member while it writes.
func (w *world) crash(id string, r *rand.Rand) {
	w.t.Helper()
	m := w.members[id]
	m.stop()
	tear(w.t, r, filepath.Join(m.options.Dir, mirrorFile))
	if file := filepath.Join(m.options.Dir, raftFolder, "log"); exists(file) {
		tear(w.t, r, file)
	}
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

// copied is a copy of a member's folder, which does not run.
func (w *world) copied(id string) string {
	w.t.Helper()
	dir := filepath.Join(w.t.TempDir(), id)
	must(w.t, os.CopyFS(dir, os.DirFS(w.members[id].options.Dir)))
	return dir
}

// revert puts a copy in the place of a member's folder. What it signed since is not in it.
func (w *world) revert(id, dir string) {
	w.t.Helper()
	own := w.members[id].options.Dir
	must(w.t, os.RemoveAll(own))
	must(w.t, os.CopyFS(own, os.DirFS(dir)))
	w.mu.Lock()
	w.bad[id] = true
	w.mu.Unlock()
}

// lossy is what lies between a member and the others.
type lossy struct {
	mu      sync.Mutex
	r       *rand.Rand
	loss    float64       // of what is sent, and of streams that are opened
	latency time.Duration // at most, to open a stream
}

func (l *lossy) lost() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.r.Float64() < l.loss
}

func (l *lossy) delay() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return time.Duration(l.r.Int64N(int64(l.latency) + 1))
}

// through has a member's streams go over a line.
func (l *lossy) through(inner Opener) Opener {
	return func(ctx context.Context, to, protocol string) (Stream, error) {
		if !wait(ctx, l.delay()) || l.lost() {
			return nil, errors.New("lost")
		}
		s, err := inner(ctx, to, protocol)
		if err != nil {
			return nil, err
		}
		return &cutting{s, func(int) bool { return l.lost() }}, nil
	}
}
